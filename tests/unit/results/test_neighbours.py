"""The nearest passing cell: the fewest axes, and of those the easiest to change."""

from __future__ import annotations

from harness.model.document import Machine, Results
from harness.model.record import CellRecord, ProbeRecord
from harness.model.status import Status
from harness.results.neighbours import nearest_passing


def cell(status: Status, probes: str = "init train", **axes: str | None) -> CellRecord:
    base: dict[str, str | None] = {
        "path": "reticulate",
        "transport": None,
        "r": "4.2.2",
        "bridge": "1.28",
        "python": "3.12",
        "framework": "jax==0.10.2",
        "cuda": "cpu",
    }
    values = {**base, **axes}
    name = "__".join(str(value) for value in values.values())
    asked = tuple(ProbeRecord(name=probe, status=status) for probe in probes.split())
    return CellRecord(id=name, axes=values, status=status, probes=asked)


def nearest(record: CellRecord, *others: CellRecord) -> list[dict[str, tuple[str | None, ...]]]:
    cells = (record, *others)
    results = Results(
        matrix="m", machine=Machine(), planned=tuple(one.id for one in cells), cells=cells
    )
    return [dict(one.changes) for one in nearest_passing(results, record)]


FAILING = cell(Status.FAIL)


def test_one_axis_goes_before_two() -> None:
    found = nearest(
        FAILING,
        cell(Status.PASS, python="3.11", numpy="<2"),
        cell(Status.PASS, python="3.8"),
    )
    assert found == [{"python": ("3.12", "3.8")}]


def test_of_one_axis_the_easier_and_of_one_axis_the_nearer() -> None:
    found = nearest(
        FAILING,
        cell(Status.PASS, python="3.9"),
        cell(Status.PASS, python="3.11"),
        cell(Status.PASS, framework="jax==0.9.2"),
        cell(Status.PASS, numpy="<2"),
    )
    assert found == [
        {"numpy": (None, "<2")},
        {"framework": ("jax==0.10.2", "jax==0.9.2")},
        {"python": ("3.12", "3.11")},
    ]


def test_the_bridge_that_comes_with_an_r_is_no_second_change() -> None:
    found = nearest(
        FAILING,
        cell(Status.PASS, r="4.5.0", bridge="1.41"),
        cell(Status.PASS, python="3.11", numpy="<2"),
    )
    assert found == [{"r": ("4.2.2", "4.5.0"), "bridge": ("1.28", "1.41")}]


def test_another_version_goes_before_another_framework_and_that_before_another_path() -> None:
    found = nearest(
        FAILING,
        cell(Status.PASS, path="system", bridge=None),
        cell(Status.PASS, framework="torch==2.13.0"),
        cell(Status.PASS, r="4.5.0"),
    )
    assert [list(one) for one in found] == [["r"], ["framework"], ["path"]]


def test_what_did_not_pass_or_was_asked_less_or_has_no_r_is_no_neighbour() -> None:
    assert (
        nearest(
            FAILING,
            cell(Status.FAIL, python="3.11"),
            cell(Status.UNAVAILABLE, python="3.10"),
            cell(Status.PASS, probes="init", python="3.9"),
            cell(Status.PASS, path="native", r=None, bridge=None),
        )
        == []
    )


def test_the_digits_of_a_frameworks_name_are_no_version() -> None:
    failing = cell(Status.FAIL, framework="keras[jax]==3.15.1")
    near = cell(Status.PASS, framework="keras[jax]==3.14.1")
    far = cell(Status.PASS, framework="keras[jax]==3.0.5")
    assert nearest(failing, far, near)[0]["framework"][1] == "keras[jax]==3.14.1"

"""Which path to use: by rules, from numbers that say where they are from."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.model.record import CellRecord, ProbeRecord, Stage
from harness.published.advice import ENOUGH, PathAdvice, Recommendation, advice
from tests.unit.published.bench import cell, document, native, probe, stages

PYTHONS = ("3.10", "3.11", "3.12")
VALUES = {"a": "exact", "b": "silent loss"}


def timed(
    call_s: float = 0.0, data_s: float = 0.0, start_s: float = 1.0
) -> tuple[ProbeRecord, ...]:
    return (
        probe("init", stages=stages(framework_import=start_s, first_op=0.5, steady_op=9.0)),
        probe("call", stages=stages(noop=call_s)),
        probe("train", stages=stages(transfer=data_s, steady_step=0.01)),
    )


def on(path: str, seconds: float, *, status: str = "pass", **more: object) -> list[CellRecord]:
    """Return a cell of a path for each Python, with calls that take these seconds."""
    probes = timed(seconds, seconds) if status == "pass" else ()
    return [
        cell(status, path=path, python=python, probes=probes, phase=None, **more)
        for python in PYTHONS
    ]


def controls() -> list[CellRecord]:
    return [native(python=python, probes=timed(0.001, 0.001)) for python in PYTHONS]


def of_path(cells: list[CellRecord], path: str) -> PathAdvice:
    return next(one for one in advice(document(*cells)).paths if one.path == path)


def need(cells: list[CellRecord], words: str) -> Recommendation:
    found = advice(document(*cells)).recommendations
    return next(one for one in found if words in one.need)


def test_what_a_path_costs_is_its_time_less_that_of_its_control() -> None:
    cells = [*on("reticulate", 0.1, bridge="1.41"), *controls()]
    found = of_path(cells, "reticulate")
    cost = found.cost("call", "noop")
    assert cost is not None
    assert round(cost.value, 6) == 0.099
    assert cost.text == "+99 ms"
    assert len(cost.cells) == 6, "of the cells, and of their controls"
    (whole,) = [one for one in found.costs if one.probe == "call"]
    assert (whole.pairs, whole.path.value) == (3, 0.1)
    assert whole.control is not None
    assert whole.control.cells == tuple(one.id for one in controls())


def test_a_start_ends_with_the_first_operation() -> None:
    found = of_path([*on("system", 1.0), *controls()], "system")
    (start,) = [one for one in found.costs if (one.probe, one.stage) == ("init", "")]
    assert start.path.value == 1.5, "what is done afterwards is no part of it"


def test_the_cheapest_reliable_path_is_recommended() -> None:
    cells = [*on("reticulate", 0.1, bridge="1.41"), *on("system", 0.3), *controls()]
    found = need(cells, "many small calls")
    assert (found.path, found.order) == ("reticulate", ("reticulate", "system"))
    assert found.why == "reticulate 1.41: +99 ms; system: +299 ms."


def test_a_path_that_fails_often_is_not_recommended_however_cheap() -> None:
    broken = on("reticulate", 0.0, bridge="1.28", status="fail")
    cells = [*broken, *on("system", 0.3), *on("rpc", 0.5, transport="zmq"), *controls()]
    found = need(cells, "many small calls")
    assert found.path == "system"
    assert "reticulate" not in found.order


def test_one_number_is_no_comparison() -> None:
    found = need([*on("system", 0.3), *controls()], "many small calls")
    assert found.path is None
    assert found.why.startswith("Only one was measured: system: +299 ms.")
    assert need(controls(), "many small calls").why.startswith("Nothing was measured.")


def test_equal_numbers_are_told_as_such() -> None:
    cells = [*on("system", 0.3), *on("rpc", 0.3, transport="zmq"), *controls()]
    found = need(cells, "many small calls")
    assert found.path == "rpc zmq or system"
    assert found.why.endswith("rpc zmq and system are not told apart.")


def spread(path: str, *seconds: float, **more: object) -> list[CellRecord]:
    return [
        cell(path=path, python=python, probes=timed(one), **more)
        for python, one in zip(PYTHONS, seconds, strict=True)
    ]


@pytest.mark.parametrize(
    ("times", "path"),
    [
        ((0.29, 0.30, 0.50), "reticulate"),
        ((0.10, 0.30, 0.50), "reticulate or system"),
    ],
)
def test_paths_within_each_others_noise_are_not_told_apart(
    times: tuple[float, ...], path: str
) -> None:
    steady = spread("reticulate", 0.24, 0.25, 0.26, bridge="1.41")
    found = need([*steady, *spread("system", *times), *controls()], "many small calls")
    assert found.path == path


def test_no_path_is_recommended_by_times_below_those_of_python_alone() -> None:
    # A path does what Python alone does and more: what is faster tells of the machine's other work.
    quick = [
        cell(path="system", python=python, probes=timed(0.3, 0.3, start_s=0.2))
        for python in PYTHONS
    ]
    slow = [
        cell(bridge="1.41", python=python, probes=timed(0.1, 0.1, start_s=1.2))
        for python in PYTHONS
    ]
    cells = [*quick, *slow, *controls()]
    found = need(cells, "up soon")
    assert (found.path, found.order) == (None, ("system", "reticulate"))
    assert found.why == (
        "system: −800 ms; reticulate 1.41: +200 ms. Not told: these times come from a busy machine."
    )
    assert need(cells, "many small calls").path == "reticulate"


def test_a_start_is_told_by_the_processor_however_busy_the_machine_was() -> None:
    def started(path: str, wall_s: float, cpu_s: float | None, **more: object) -> list[CellRecord]:
        begun = Stage(name="process_start", wall_s=wall_s, cpu_s=cpu_s)
        operated = Stage(name="first_op", wall_s=0.5, cpu_s=0.5)
        end = Stage(name="teardown", wall_s=9.0, cpu_s=None)
        its = (probe("init", stages=(begun, operated, end)),)
        return [cell(path=path, python=python, probes=its, **more) for python in PYTHONS]

    cells = [*started("reticulate", 0.4, 1.4, bridge="1.41"), *started("native", 2.0, 0.4)]
    found = need([*cells, *started("system", 0.5, 0.6)], "up soon")
    assert (found.path, found.order) == ("system", ("system", "reticulate"))
    assert found.why == "system: +200 ms; reticulate 1.41: +1.0 s."
    found = need([*cells, *started("system", 0.5, None)], "up soon")
    assert found.why.startswith("Only one was measured"), "a start is not told by some of its parts"


def test_paths_that_work_too_rarely_are_named() -> None:
    good, bad = on("rpy2", 0.1, bridge="3.6.9"), on("rpy2", 0.1, bridge="3.6.9", status="fail")
    found = need([good[0], good[1], bad[2], *controls()], "From Python")
    assert (found.path, found.order) == (None, ())
    assert found.why == "None reaches 90%: rpy2 3.6.9 works in 2 of 3 cells."


def test_python_as_the_host_is_another_need() -> None:
    cells = [
        *on("rpy2", 0.1, bridge="3.6.9"),
        *on("rpc", 0.2, transport="rserve"),
        *on("system", 0.3),
        *controls(),
    ]
    assert need(cells, "From Python").order == ("rpc rserve", "rpy2")
    assert of_path(cells, "rpy2").host == "Python"


def test_the_newest_version_with_enough_cells_is_judged() -> None:
    cells = [
        *on("reticulate", 0.0, bridge="1.28", status="fail"),
        *on("reticulate", 0.1, bridge="1.41"),
        *on("reticulate", 0.1, bridge="1.47")[: ENOUGH - 1],
        *controls(),
    ]
    found = of_path(cells, "reticulate")
    assert found.judged is not None
    assert found.judged.version == "1.41"
    assert [one.works.text for one in found.versions] == ["0 of 3", "3 of 3", "2 of 2"]
    assert found.pythons is not None
    assert found.pythons.text == "3 of 3 Pythons tried (3.10, 3.11, 3.12)"


def test_a_cell_whose_control_fails_too_is_excused() -> None:
    bad = native("fail", python="3.12", phase="import", probes=(probe("init", "fail"),))
    excused = cell(
        "fail",
        bridge="1.41",
        python="3.12",
        phase="import",
        probes=(probe("init", "fail"),),
        identity={"bridge": {"version": "1.41"}},
    )
    cells = [*on("reticulate", 0.1, bridge="1.41")[:2], excused, *controls()[:2], bad]
    (version,) = of_path(cells, "reticulate").versions
    assert (version.passes.text, version.works.text) == ("2 of 3", "2 of 2")
    assert (version.excused.text, version.controls.text) == ("1 of 3", "2 of 3")


def test_losses_are_counted_both_ways() -> None:
    details = {
        "values": {
            name: {"there": {"outcome": outcome}, "back": {"outcome": "exact"}}
            for name, outcome in VALUES.items()
        }
    }
    probes = (probe("init"), probe("convert", details=details))
    cells = [
        cell(bridge="1.41", python=python, probes=probes, framework=None) for python in PYTHONS
    ]
    found = of_path([*cells, *(native(python=p, framework=None) for p in PYTHONS)], "reticulate")
    assert found.silent is not None
    assert (found.silent.value, found.silent.text) == (0.25, "25% of values")
    assert found.losses[0].there == {"exact": 1, "silent loss": 1}
    assert found.losses[0].values == 2


def test_what_is_told_of_probes_is_by_name() -> None:
    errs = cell(
        "fail",
        path="rpy2",
        bridge="3.6.9",
        phase="error",
        probes=(probe("init"), probe("error", "fail")),
    )
    found = of_path([errs, native()], "rpy2")
    assert [(name, figure.text) for name, figure in found.by_probe] == [
        ("init", "1 of 1"),
        ("error", "0 of 1"),
    ]
    assert found.versions[0].works.text == "1 of 1"


@settings(max_examples=15)
@given(st.randoms(use_true_random=False))
def test_the_order_of_cells_does_not_matter(chance: random.Random) -> None:
    cells = [
        *on("reticulate", 0.1, bridge="1.41"),
        *on("reticulate", 0.2, bridge="1.47"),
        *on("system", 0.3),
        *controls(),
    ]
    shuffled = list(cells)
    chance.shuffle(shuffled)
    assert advice(document(*shuffled)) == advice(document(*cells))

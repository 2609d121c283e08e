"""What ``harness why`` tells: cause, what was tried, the nearest cell that passes."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from harness.errors import UsageError
from harness.model.document import Machine, Results, encode
from harness.model.record import CellRecord, Trial
from harness.model.status import Phase, Status
from harness.workflow.why import account, as_document, as_text

CAUSE = "numpy2-vs-old-reticulate"


def cell(name: str, status: Status, numpy: str, trials: tuple[Trial, ...] = ()) -> CellRecord:
    failed = status is Status.FAIL
    return CellRecord(
        id=name,
        axes={
            "path": "reticulate",
            "r": "4.2.2",
            "bridge": "1.28",
            "python": "3.11",
            "numpy": numpy,
        },
        status=status,
        phase=Phase.CONVERT if failed else None,
        cause=CAUSE if failed else None,
        message="incompatible NumPy binary version 33554432 (expecting version 16777225)"
        if failed
        else None,
        trials=trials,
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    helped = Trial(remedy="numpy1", verified=True, cell="old", change="numpy <2")
    cells = (
        cell("new", Status.FAIL, ">=2", (helped,)),
        cell("newer", Status.FAIL, ">=2.4"),
        cell("old", Status.PASS, "<2"),
    )
    results = Results(
        matrix="m", machine=Machine(), planned=tuple(one.id for one in cells), cells=cells
    )
    (tmp_path / "results.json").write_bytes(encode(results))
    return tmp_path


def test_the_cause_the_verified_remedy_and_the_nearest_passing_cell(folder: Path) -> None:
    document = as_document(account(folder, "new"))
    cause = document["causes"][0]
    assert cause["id"] == CAUSE
    assert (cause["remedies"][0]["id"], cause["remedies"][0]["verified"]) == ("numpy1", True)
    assert document["nearest"] == [{"id": "old", "changes": {"numpy": {"from": ">=2", "to": "<2"}}}]
    assert document["alike"] == ("newer",)
    text = as_text(account(folder, "new"))
    assert "verified" in text
    assert "numpy <2 instead of >=2" in text
    assert f"harness repro {folder} new" in text


def test_a_cell_that_passes_has_nothing_to_explain(folder: Path) -> None:
    assert "nothing to explain" in as_text(account(folder, "old"))


@pytest.mark.parametrize(("asked", "said"), [("nex", "did you mean 'new'"), ("n*", "fits 2 cells")])
def test_no_cell_or_several_is_one_sentence(folder: Path, asked: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        account(folder, asked)


def test_what_a_cell_said_steers_no_terminal(tmp_path: Path) -> None:
    said = msgspec.structs.replace(cell("new", Status.FAIL, ">=2"), message="\x1b[2Jno \u202ewrong")
    results = Results(matrix="m", machine=Machine(), planned=("new",), cells=(said,))
    (tmp_path / "results.json").write_bytes(encode(results))
    assert "It said: no wrong" in as_text(account(tmp_path, "new"))


@pytest.mark.parametrize(
    ("status", "phase", "said"),
    [
        (Status.PASS, None, "Its control, the same work in Python without R, passes."),
        (Status.FAIL, Phase.CONVERT, "does not pass either"),
        (Status.FAIL, Phase.TRAIN, "gets past this point"),
        (Status.UNAVAILABLE, Phase.PROVISION, "whether the bridge is to blame is open"),
        (Status.MISSING, None, "whether the bridge is to blame is open"),
    ],
)
def test_what_the_control_tells_of_the_bridge(
    tmp_path: Path, status: Status, phase: Phase | None, said: str
) -> None:
    axes = {"path": "native", "python": "3.11"}
    control = CellRecord(id="native", axes=axes, status=status, phase=phase)
    failed = msgspec.structs.replace(cell("new", Status.FAIL, ">=2"), control="native")
    cells = (control, failed)
    results = Results(matrix="m", machine=Machine(), planned=("native", "new"), cells=cells)
    (tmp_path / "results.json").write_bytes(encode(results))
    text = as_text(account(tmp_path, "new"))
    assert said in text
    assert text.lower().count("its control") == 1

"""A record as evidence: what ran may be blamed, and what never ran may not."""

from __future__ import annotations

from typing import Any

import pytest

from harness.model.record import CellRecord
from harness.model.status import Phase, Status
from harness.workflow.explaining import evidence_of, explain

AXES: dict[str, str | None] = {
    "path": "reticulate",
    "r": "4.2.2",
    "bridge": "1.28",
    "python": "3.12",
    "framework": "jax==0.10.2",
    "cuda": "cpu",
}


def record(status: Status, phase: Phase, message: str, **more: Any) -> CellRecord:
    return CellRecord(id="c", axes=AXES, status=status, phase=phase, message=message, **more)


def test_a_failure_gets_the_cause_that_its_traceback_names() -> None:
    failed = record(
        Status.FAIL,
        Phase.PYTHON,
        "Error 1 occurred running ENV/bin/python",
        evidence={"hidden": "ModuleNotFoundError: No module named 'imp'"},
    )
    assert explain(failed).cause == "reticulate-imp-removed-py312"


def test_what_never_ran_is_not_blamed_on_a_bridge_that_would_not_have_worked() -> None:
    refused = record(Status.UNAVAILABLE, Phase.RESOLVE, "no CPU build of torch within reach")
    assert explain(refused).cause is None
    facts = evidence_of(refused).facts
    assert not [name for name in facts if name.startswith(("bridge.", "r."))]


@pytest.mark.parametrize("status", [Status.PASS, Status.SKIPPED, Status.MISSING])
def test_what_has_no_cause_gets_none(status: Status) -> None:
    assert explain(record(status, Phase.PYTHON, "No module named 'imp'")).cause is None


def test_what_was_read_back_goes_before_what_was_asked() -> None:
    identity = {"python": {"version": "3.11.7"}, "modules": {"numpy": "2.4.6", "jax": "0.9.2"}}
    facts = evidence_of(record(Status.FAIL, Phase.TRAIN, "no", identity=identity)).facts
    assert facts["python.version"] == "3.11.7"
    assert facts["framework.version"] == "0.9.2"
    assert facts["package.numpy"] == facts["numpy.version"] == "2.4.6"

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from harness.model.record import ProbeRecord
from harness.model.status import Phase, Status
from harness.probes.upstream import PROBE

from .conftest import axes, identity, provisioned

COUNTS = {
    "total": 10,
    "passed": 8,
    "failed": 0,
    "skipped": 2,
    "errors": 0,
    "failures": [],
    "source": "rpy2.rinterface.tests",
    "version": "3.6.7",
}


def judged(
    details: dict[str, Any],
    spoil: Callable[[list[dict[str, Any]]], None] = lambda _: None,
    **seen: Any,
) -> ProbeRecord:
    parts = identity() | seen
    events: list[dict[str, Any]] = [
        {"event": "phase", "phase": "op"},
        *({"event": "identity", "identity": {key: value}} for key, value in parts.items()),
        {"event": "stage", "probe": "upstream", "name": "tests", "wall_s": 20.0, "cpu_s": None},
        {
            "event": "probe",
            "name": "upstream",
            "status": "pass",
            "phase": "op",
            "message": None,
            "details": details,
        },
    ]
    spoil(events)
    return PROBE.judge(events, axes=axes(), provisioned=provisioned())


def test_all_that_ran_passed():
    record = judged(COUNTS)
    assert (record.status, record.message) == (Status.PASS, None)
    assert record.details["total"] == 10


def test_counts_as_r_reads_them_back():
    assert judged({**COUNTS, "total": 10.0, "passed": 8.0}).status is Status.PASS


def test_failures_are_counted_and_named():
    failures = [{"name": f"test_{number}", "message": "no"} for number in range(5)]
    record = judged({**COUNTS, "passed": 3, "failed": 4, "errors": 1, "failures": failures})
    assert (record.status, record.phase) == (Status.FAIL, Phase.OP)
    assert record.message == (
        "5 of the bridge's own 10 tests (2 skipped) failed: test_0, test_1, test_2, 2 more"
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"passed": 0, "skipped": 10}, "not one of the bridge's own 10 tests"),
        ({"total": 0, "passed": 0, "skipped": 0}, "not one of the bridge's own 0 tests"),
        ({"total": 11}, "do not add up"),
        ({"passed": 12, "failed": -2}, "do not add up"),
        ({"passed": "8"}, "did not say how many tests passed"),
        ({"passed": True}, "did not say how many tests passed"),
        ({"passed": 7.5}, "did not say how many tests passed"),
        ({"errors": None}, "did not say how many tests errors"),
        ({"source": None}, "whose tests"),
    ],
)
def test_counts_that_cannot_be(changes, message):
    record = judged({**COUNTS, **changes})
    assert record.status is Status.FAIL
    assert message in (record.message or "")


def test_failures_without_names():
    record = judged({**COUNTS, "passed": 7, "failed": 1, "failures": "many"})
    assert record.message == "1 of the bridge's own 10 tests (2 skipped) failed"


def test_another_bridge_than_the_cells():
    record = judged(COUNTS, bridge={"name": "reticulate", "version": "1.28"})
    assert (record.status, record.phase) == (Status.FAIL, Phase.BRIDGE)


def test_a_framework_is_not_needed():
    assert judged(COUNTS, modules={}, device={}).status is Status.PASS


def test_a_run_that_was_not_timed():
    record = judged(COUNTS, lambda events: events.pop(-2) and None)
    assert record.message == "the driver did not time tests"


@pytest.mark.parametrize("status", ["crash", "unavailable"])
def test_the_drivers_no_is_kept(status):
    record = judged({}, lambda events: events[-1].update(status=status, message="because"))
    assert (record.status, record.message) == (status, "because")


def test_a_driver_that_says_nothing():
    record = judged(COUNTS, lambda events: events.pop() and None)
    assert record.status is Status.FAIL
    assert "without a result of the probe upstream" in (record.message or "")

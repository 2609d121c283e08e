from __future__ import annotations

from typing import Any

import pytest

from harness.model.status import Phase, Status
from harness.probes.error import PLANTED, PROBE

from .conftest import axes, without_framework

THERE = {
    "raised": True,
    "class": "harness_kit.HarnessError",
    "message": f"HarnessError: {PLANTED}\nRun `reticulate::py_last_error()` for details.",
    "traceback": "Traceback ...\n  in raise_error\n  in _deeper\n",
}
BACK = {"raised": True, "class": "RuntimeError", "message": "planted in R"}


def details(there: dict[str, Any] | None = None, back: Any = None) -> dict[str, Any]:
    return {
        "python_to_r": THERE | (there or {}),
        "r_to_python": BACK | back if isinstance(back, dict) else BACK,
    }


def test_all_is_well(judge):
    record = judge(PROBE, details())
    assert (record.status, record.message) == (Status.PASS, None)
    assert record.details["lost"] == []


def test_it_needs_no_framework(judge):
    bare = axes(framework=None)
    assert judge(PROBE, details(), axes=bare, seen=without_framework()).status is Status.PASS


@pytest.mark.parametrize(
    ("changes", "lost"),
    [
        ({"class": "simpleError"}, ["class"]),
        ({"class": None, "traceback": None}, ["class", "traceback"]),
        ({"traceback": "in raise_error"}, ["traceback"]),
    ],
)
def test_what_did_not_arrive_is_noted(judge, changes, lost):
    record = judge(PROBE, details(changes))
    assert record.status is Status.PASS
    assert record.details["lost"] == lost


def test_a_path_that_cannot_call_back(judge):
    given = details() | {"r_to_python": {"unsupported": "Python is another process"}}
    assert judge(PROBE, given).status is Status.PASS


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (details({"raised": False}), "Python's exception was swallowed"),
        (details(back={"raised": False, "message": None}), "R's error was swallowed"),
        (details({"message": "planted: na?ve 'q\"uote'"}), "which lacks"),
        (details({"message": None}), "which lacks"),
        (details(back={"message": "RuntimeError"}), "R's error arrived with the message"),
        (details() | {"python_to_r": None}, "what became of Python's exception"),
        (details() | {"python_to_r": {"unsupported": "no"}}, "what became of Python's exception"),
        (details() | {"r_to_python": []}, "what became of R's error"),
        (details({"raised": "yes"}), "what became of Python's exception"),
        ({}, "what became of Python's exception"),
    ],
)
def test_an_error_that_is_not_heard(judge, given, message):
    record = judge(PROBE, given)
    assert (record.status, record.phase) == (Status.FAIL, Phase.ERROR)
    assert message in record.message


def test_what_r_saw_of_its_own_error_is_told(judge):
    back = {"raised": False, "message": "planted in R"}
    assert judge(PROBE, details(back=back)).message.endswith("had happened (planted in R)")


def test_a_round_trip_that_was_not_timed(judge):
    def spoil(events: list[dict[str, Any]]) -> None:
        events[:] = [event for event in events if event["event"] != "stage"]

    assert judge(PROBE, details(), spoil=spoil).message == (
        "the driver did not time first_error, error"
    )

from __future__ import annotations

from typing import Any

import pytest

from harness.model.status import Phase, Status
from harness.probes.callback import PROBE

from .conftest import axes, without_framework

CALLS = [[0, 1], [1, 0.5], [2, 1 / 3], [3, 0.25]]
KERAS = [[0, 0.9], [1, 0.8], [2, 0.7], [3, 0.6]]


def details(**changes: Any) -> dict[str, Any]:
    return {"calls": CALLS, "result": 60} | changes


def test_all_is_well(judge):
    assert judge(PROBE, details()).status is Status.PASS
    assert judge(PROBE, details(keras_calls=KERAS)).status is Status.PASS


def test_it_needs_no_framework(judge):
    bare = axes(framework=None)
    assert judge(PROBE, details(), axes=bare, seen=without_framework()).status is Status.PASS


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"calls": None}, "the function was never called"),
        ({"calls": []}, "the function was never called"),
        ({"calls": CALLS[:3]}, "was called with"),
        ({"calls": [*CALLS, [4, 0.2]]}, "was called with"),
        ({"calls": [[0, 1], [1, 0.5], [2, 0.3333333], [3, 0.25]]}, "was called with"),
        ({"calls": [list(reversed(call)) for call in CALLS]}, "was called with"),
        ({"result": None}, "but Python has None"),
        ({"result": "60"}, "but Python has '60'"),
        ({"result": 0}, "but Python has 0"),
        ({"keras_calls": []}, "its callback was called with []"),
        ({"keras_calls": KERAS[1:]}, "its callback was called with"),
        ({"keras_calls": [1, 2, 3, 4]}, "its callback was called with"),
        ({"keras_calls": None}, "its callback was called with None"),
        ({"keras_calls": [*KERAS[:3], [3, "NaN"]]}, "a loss that is none"),
    ],
)
def test_what_is_not_right(judge, changes, message):
    record = judge(PROBE, details(**changes))
    assert (record.status, record.phase) == (Status.FAIL, Phase.CALLBACK)
    assert message in record.message


def test_calls_that_were_not_timed(judge):
    def spoil(events: list[dict[str, Any]]) -> None:
        events[:] = [event for event in events if event["event"] != "stage"]

    assert judge(PROBE, details(), spoil=spoil).message == (
        "the driver did not time callback, steady_callback"
    )

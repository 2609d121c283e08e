from __future__ import annotations

from typing import Any

import pytest

from harness.model.status import Phase, Status
from harness.probes.call import PROBE, SENT

from .conftest import axes, identity, without_framework


def details(**changes: Any) -> dict[str, Any]:
    """What a driver says where all comes back, but for the values that are changed."""
    return {"noop": None, "echo": {name: [sent, sent] for name, sent in SENT.items()} | changes}


def test_all_is_well(judge):
    record = judge(PROBE, details())
    assert (record.status, record.message) == (Status.PASS, None)
    assert "unsupported" not in record.details


def test_it_needs_no_framework(judge):
    bare = axes(framework=None)
    assert judge(PROBE, details(), axes=bare, seen=without_framework()).status is Status.PASS


def test_a_framework_that_could_not_be_imported_does_not_matter(judge):
    assert judge(PROBE, details(), seen=without_framework()).status is Status.PASS


def test_another_python_does(judge):
    seen = identity()
    seen["python"]["version"] = "3.11.2"
    record = judge(PROBE, details(), seen=seen)
    assert (record.status, record.phase) == (Status.FAIL, Phase.PYTHON)


def test_a_number_that_lost_digits(judge):
    record = judge(PROBE, details(double=[0.1 + 0.2, 0.3], huge=[SENT["huge"], 123456789.1]))
    assert (record.status, record.phase) == (Status.FAIL, Phase.CONVERT)
    assert record.message == (
        "double was sent as 0.30000000000000004 and came back as 0.3; "
        "huge was sent as 123456789.12345679 and came back as 123456789.1"
    )


@pytest.mark.parametrize(
    ("name", "got"),
    [
        ("logical", 1),
        ("logical", "TRUE"),
        ("integer", "42"),
        ("integer", None),
        ("string", "na?ve 'q\"uote'"),
        ("doubles", [1 / 3, 2 / 3]),
        ("doubles", [1 / 3, 2 / 3, "Inf"]),
        ("doubles", 1 / 3),
        ("empty", None),
        ("empty", []),
    ],
)
def test_a_value_that_came_back_as_another(judge, name, got):
    record = judge(PROBE, details(**{name: [SENT[name], got]}))
    assert (record.status, record.phase) == (Status.FAIL, Phase.CONVERT)
    assert f"{name} was sent as" in record.message


def test_a_whole_double_is_the_integer_that_was_sent(judge):
    # R has one way to write both; that an integer became a double is not seen in JSON.
    assert judge(PROBE, details(integer=[42, 42.0])).status is Status.PASS


def test_a_value_that_the_path_cannot_carry(judge):
    record = judge(PROBE, details(empty=["", {"unsupported": "no empty strings"}]))
    assert record.status is Status.PASS
    assert record.details["unsupported"] == {"empty": "no empty strings"}


def test_a_path_that_carries_nothing(judge):
    nothing = {name: [sent, {"unsupported": "mute"}] for name, sent in SENT.items()}
    record = judge(PROBE, details(**nothing))
    assert record.message == "echo carries no value at all: mute"


def test_a_value_on_which_the_call_fails(judge):
    record = judge(PROBE, details(string=[SENT["string"], {"error": "UnicodeEncodeError"}]))
    assert record.message == "string did not come back: UnicodeEncodeError"


def test_a_value_that_was_made_wrongly(judge):
    record = judge(PROBE, details(double=[0.3, 0.3]))
    assert "made wrongly: 0.3 was sent" in record.message


@pytest.mark.parametrize("pair", [None, [], [1], "0.3", {"sent": 1}])
def test_a_value_that_was_not_told(judge, pair):
    record = judge(PROBE, details(double=pair))
    assert record.message == "the driver did not say what echo gave back for double"


def test_nothing_was_told(judge):
    assert "did not say what echo" in judge(PROBE, {"noop": None}).message
    assert "'not said'" in judge(PROBE, {"echo": details()["echo"]}).message


def test_nothing_that_is_something(judge):
    record = judge(PROBE, details() | {"noop": "None"})
    assert (record.phase, record.message) == (
        Phase.OP,
        "noop returns nothing, but what came back is 'None'",
    )


@pytest.mark.parametrize("stage", PROBE.stages)
def test_a_stage_that_was_not_timed(judge, stage):
    def spoil(events: list[dict[str, Any]]) -> None:
        events[:] = [event for event in events if event.get("name") != stage]

    assert judge(PROBE, details(), spoil=spoil).message == f"the driver did not time {stage}"


def test_what_cannot_be_carried_cannot_be_timed(judge):
    def spoil(events: list[dict[str, Any]]) -> None:
        events[:] = [event for event in events if event.get("name") != "echo"]

    mute = details(double=[SENT["double"], {"unsupported": "no doubles"}])
    assert judge(PROBE, mute, spoil=spoil).status is Status.PASS

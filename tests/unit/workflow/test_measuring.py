"""What only the harness sees of a cell: when its process ended, and what it left behind."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from harness.model.job import End, Outcome
from harness.model.record import CellRecord, ProbeRecord
from harness.model.status import Status
from harness.probes.base import stages_of
from harness.workflow import judging
from harness.workflow.measuring import _emptied, _without_control, with_teardown


def outcome(end: End = End.EXITED, ended_at: float = 103.5) -> Outcome:
    return Outcome(
        end=end,
        exit_code=0,
        signal=None,
        phase="teardown",
        wall_s=9,
        max_rss_mb=1,
        ended_at=ended_at,
    )


def phases(*pairs: tuple[str, Any]) -> list[dict[str, Any]]:
    return [{"event": "phase", "phase": name, "at": at} for name, at in pairs]


def teardown(events: list[dict[str, Any]], **changes: Any) -> list[float]:
    stages = stages_of(with_teardown(events, outcome(**changes)), "init")
    assert {stage.name for stage in stages} <= {"teardown"}
    return [stage.wall_s for stage in stages]


def test_teardown_is_from_the_last_phase_to_the_end_of_the_process():
    assert teardown(phases(("start", 1.0), ("teardown", 103.0))) == [0.5]


def test_the_phase_that_counts_is_the_driver_s_own_which_comes_last():
    # On `system` the worker has a way out of its own.
    assert teardown(phases(("teardown", 50.0), ("op", 60.0), ("teardown", 101.5))) == [2.0]


@pytest.mark.parametrize("end", [End.TIMEOUT, End.OOM, End.SIGNALLED, End.CANCELLED])
def test_a_process_that_was_ended_has_none(end):
    assert teardown(phases(("teardown", 103.0)), end=end) == []


@pytest.mark.parametrize("at", [None, "soon"])
def test_a_driver_that_does_not_say_when_has_none(at):
    assert teardown(phases(("teardown", at))) == []
    assert teardown(phases(("op", 1.0))) == []


def test_a_clock_that_was_set_back_gives_no_time_below_zero():
    assert teardown(phases(("teardown", 200.0))) == [0.0]


def test_folders_without_end_are_removed_like_any_others(tmp_path: Path) -> None:
    """Of a cell that leaves them nothing else is wrong."""
    work = tmp_path / "work"
    work.mkdir()
    place = os.open(work, os.O_RDONLY)
    for _ in range(1100):
        os.mkdir("a", dir_fd=place)
        below = os.open("a", os.O_RDONLY, dir_fd=place)
        os.close(place)
        place = below
    os.close(place)
    _emptied(work)
    assert not work.exists()


@pytest.mark.parametrize(
    ("asked", "ended"),
    [((), Status.UNAVAILABLE), (("init",), None), (("init", "train"), Status.PASS)],
    ids=["it never ran", "not asked", "asked"],
)
def test_a_control_answers_for_what_it_was_asked_alone(
    asked: tuple[str, ...], ended: Status | None
) -> None:
    """One that passed ``init`` has trained nothing, and what it has not done has not passed."""
    control = CellRecord(
        id="native__py3.11__cpu",
        axes={},
        status=Status.PASS if asked else Status.UNAVAILABLE,
        probes=tuple(ProbeRecord(name=name, status=Status.PASS) for name in asked),
    )
    found = judging._same_probe(control, "train", None)
    assert (None if found is None else found.status) is ended


@pytest.mark.parametrize(
    ("path", "details", "count"),
    [
        ("system", {}, 1),
        ("system", {"max_relative_difference": 0.0}, 0),
        ("native", {}, 0),
    ],
)
def test_a_training_that_was_compared_with_none_is_told(
    path: str, details: dict[str, Any], count: int
) -> None:
    train = ProbeRecord(name="train", status=Status.PASS, details=details)
    record = CellRecord(id="x", axes={"path": path}, status=Status.PASS, probes=(train,))
    assert len(_without_control(record)) == count

"""What the kit does for a comparison: stages that are slowed down, and turns of two processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from itertools import count, pairwise
from pathlib import Path

import pytest

from harness.workflow.keys import kit_folder

PROCESS = """
import json, os, sys, time
sys.path.insert(0, os.environ["HARNESS_KIT"])
import harness_kit as kit
asked = kit.request()
kit.take_turns(asked)
worked = []
def work():
    begin = time.monotonic()
    time.sleep(0.002)
    worked.append((begin, time.monotonic()))
with kit.Stage("init", "bridge_load"):
    work()
kit._repeated("call", "noop", lambda: work(), 100)
with open(os.environ["WORKED"], "w") as file:
    json.dump(worked, file)
"""


def start(folder: Path, role: int, **fields: str) -> subprocess.Popen[bytes]:
    own = folder / str(role)
    own.mkdir()
    (own / "request.json").write_text(json.dumps(fields))
    env = {
        **os.environ,
        "HARNESS_KIT": str(kit_folder()),
        "HARNESS_REQUEST": str(own / "request.json"),
        "HARNESS_EVENTS": str(own / "events.jsonl"),
        "WORKED": str(own / "worked.json"),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    return subprocess.Popen([sys.executable, "-c", PROCESS], env=env)


def stage(folder: Path, role: int, name: str) -> dict:
    lines = (folder / str(role) / "events.jsonl").read_text().splitlines()
    return next(event for event in map(json.loads, lines) if event["name"] == name)


def test_on_the_wall_two_processes_work_by_turns_and_tell_of_each_batch(tmp_path):
    turns = tmp_path / "turns of two"
    turns.mkdir()
    both = [
        start(
            tmp_path, role, turns=f"{role} bridge_load=wall,noop=wall {turns}", call_seconds="0.1"
        )
        for role in (1, 2)
    ]
    assert [one.wait(60) for one in both] == [0, 0]
    timed = {}
    for role in (1, 2):
        noop = stage(tmp_path, role, "noop")
        assert len(noop["parts"]) == 10
        assert noop["n"] % 10 == 0
        assert sum(wall for wall, _ in noop["parts"]) == pytest.approx(noop["wall_s"])
        worked = json.loads((tmp_path / str(role) / "worked.json").read_text())
        # How many repetitions there are to be is tried out by both at once.
        timed[role] = [worked[0], *worked[-noop["n"] :]]
    # The first stage, then batches: mine, its, its, mine.
    assert timed[1][0][1] <= timed[2][0][0]
    spans = sorted([*timed[1][1:], *timed[2][1:]])
    assert all(one[1] <= other[0] for one, other in pairwise(spans))
    each = len(timed[1][1:]) // 10
    begins = [(timed[role][1 + batch * each][0], role) for role in (1, 2) for batch in range(10)]
    assert len(timed[1]) == len(timed[2]), "both do as much"
    assert [role for _, role in sorted(begins)][:6] == [1, 2, 2, 1, 1, 2]


def test_by_the_processors_clock_two_processes_work_at_once_and_do_as_much(tmp_path):
    turns = tmp_path / "turns of two"
    turns.mkdir()
    seconds = {1: "0.1", 2: "0.2"}
    both = [
        start(tmp_path, role, turns=f"{role} noop=cpu {turns}", call_seconds=seconds[role])
        for role in (1, 2)
    ]
    assert [one.wait(60) for one in both] == [0, 0]
    spans = []
    for role in (1, 2):
        noop = stage(tmp_path, role, "noop")
        assert "parts" not in noop
        worked = json.loads((tmp_path / str(role) / "worked.json").read_text())[-noop["n"] :]
        spans.append((noop["n"], worked[0][0], worked[-1][1]))
    (one, began, ended), (other, began_too, ended_too) = spans
    assert one == other
    assert max(began, began_too) < min(ended, ended_too), "none waited for the other's end"


def test_without_a_comparison_nobody_waits_and_there_are_no_batches(tmp_path):
    assert start(tmp_path, 1, call_seconds="0.02").wait(60) == 0
    assert "parts" not in stage(tmp_path, 1, "noop")


def test_a_stage_is_slowed_down_by_its_factor_and_no_other(kit, events, monkeypatch):
    ticks = count()
    monkeypatch.setattr(kit, "cpu_now", lambda: next(ticks) * 1e-5)
    monkeypatch.setattr(kit, "_slow", kit.slowed("3 noop=cpu"))

    def work():
        until = kit.cpu_now() + 0.02
        while kit.cpu_now() < until:
            pass

    for name in ("noop", "echo"):
        with kit.Stage("call", name):
            work()
    noop, echo = (event["cpu_s"] for event in events())
    assert noop == pytest.approx(0.06, rel=0.01)
    assert echo == pytest.approx(0.02, rel=0.01)


def test_a_stage_is_slowed_down_on_the_wall_where_that_is_its_clock(kit, events, monkeypatch):
    import time

    monkeypatch.setattr(kit, "_slow", kit.slowed("2 noop=wall"))
    with kit.Stage("call", "noop"):
        time.sleep(0.05)
    (event,) = events()
    assert event["wall_s"] >= 0.1


def test_a_request_without_a_slowdown_slows_nothing(kit):
    assert kit.slowed("") == {}
    assert kit.slowed("1.2 noop=cpu echo=wall") == {
        "factor": 1.2,
        "clocks": {"noop": "cpu", "echo": "wall"},
    }

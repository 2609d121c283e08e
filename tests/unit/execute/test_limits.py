from __future__ import annotations

import os
from pathlib import Path

import pytest

from harness.execute import limits, tree
from harness.execute.limits import FASTEST_POLL_S, SLOWEST_POLL_S, MemoryWatch, PhaseClock
from harness.model.cell import Limits
from harness.model.job import Job


@pytest.fixture
def job(tmp_path: Path) -> Job:
    return Job(
        argv=("x",),
        env={},
        cwd=tmp_path,
        root=None,
        binds=(),
        events=tmp_path / "events",
        stdout=tmp_path / "stdout",
        stderr=tmp_path / "stderr",
        limits=Limits(phase_s=10.0, phases_s={"import": 3.0}),
    )


def write(job: Job, *phases: str) -> None:
    with job.events.open("a") as stream:
        stream.writelines(f'{{"event": "phase", "phase": "{phase}"}}\n' for phase in phases)


def test_time_before_the_first_event_is_that_of_start(job: Job) -> None:
    clock = PhaseClock(job, 100.0)
    assert (clock.phase, clock.written, clock.limit) == ("start", None, 10.0)
    assert not clock.update(109.9)
    assert clock.update(110.1)


def test_clock_starts_anew_with_each_phase(job: Job) -> None:
    clock = PhaseClock(job, 0.0)
    write(job, "bridge")
    assert not clock.update(9.0)
    assert not clock.update(18.9)
    write(job, "import")
    assert not clock.update(18.95)
    assert clock.limit == 3.0
    assert clock.update(22.0)
    clock.close(22.0)
    assert clock.written == "import"


def test_time_of_a_phase_entered_again_goes_on(job: Job) -> None:
    clock = PhaseClock(job, 0.0)
    write(job, "op")
    clock.update(0.0)
    write(job, "train")
    clock.update(6.0)
    write(job, "op")
    assert not clock.update(7.0)
    assert not clock.update(10.9)
    assert clock.update(11.1)


@pytest.mark.parametrize("word", ["lunch", "resolve", "provision", ""])
def test_word_that_is_no_phase_of_a_cell_changes_nothing(job: Job, word: str) -> None:
    clock = PhaseClock(job, 0.0)
    write(job, "op")
    clock.update(0.0)
    write(job, word)
    assert clock.update(10.1)
    assert clock.written == "op"


def test_same_phase_said_twice_does_not_start_the_clock_anew(job: Job) -> None:
    clock = PhaseClock(job, 0.0)
    write(job, "op")
    clock.update(0.0)
    write(job, "op")
    clock.update(9.0)
    assert clock.update(10.1)


def test_events_of_an_earlier_run_do_not_count(job: Job) -> None:
    write(job, "train")
    clock = PhaseClock(job, 0.0)
    clock.update(1.0)
    assert clock.written is None


def test_close_reads_all_that_is_left(job: Job) -> None:
    clock = PhaseClock(job, 0.0)
    write(job, *["op", "train"] * 10_000, "teardown")
    clock.close(1.0)
    assert clock.written == "teardown"


def test_memory_over_the_limit() -> None:
    own = [os.getpid()]
    assert MemoryWatch(1).update(0.0, own)
    watch = MemoryWatch(100_000)
    assert not watch.update(0.0, own)
    assert watch.peak_mb >= watch.now_mb > 1


def test_looks_more_often_the_faster_memory_grows(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = iter([0.0, 1.0, 1.0, 500.0, 501.0, 900.0])
    monkeypatch.setattr(limits.tree, "memory", lambda _: tree.Memory(next(sizes), 0.0))
    watch = MemoryWatch(1000)
    waits = []
    for number in range(6):
        watch.update(number * 0.1, [1])
        waits.append(watch.next_poll_s)
    assert waits[0] == FASTEST_POLL_S
    assert waits[1] == waits[2] == SLOWEST_POLL_S
    assert waits[3] < SLOWEST_POLL_S
    assert waits[4] == SLOWEST_POLL_S
    assert waits[5] == FASTEST_POLL_S


def test_kernel_s_own_kill(monkeypatch: pytest.MonkeyPatch) -> None:
    counts = iter([3, 3, 4])
    monkeypatch.setattr(limits.tree, "kernel_oom_kills", lambda: next(counts))
    watch = MemoryWatch(1000)
    assert not watch.kernel_stepped_in()
    assert watch.kernel_stepped_in()


def test_peaks_are_told_by_program_the_host_first(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = iter(
        [
            [(10, "Rscript", 2.0)],
            [(10, "R", 40.0), (11, "sh", 1.0), (12, "python3.11", 90.0)],
            [(10, "R", 35.0), (13, "python3.11", 95.04), (14, "R", 60.0)],
        ]
    )

    def memory(pids: list[int]) -> tree.Memory:
        return tree.Memory(1.0, 1.0, tuple(tree.Seen(*one) for one in next(looks)))

    monkeypatch.setattr(limits.tree, "memory", memory)
    watch = MemoryWatch(1000)
    for number, pids in enumerate([[10], [10, 11, 12], [10, 13, 14]]):
        watch.update(float(number), pids)
    seen = [(one.role, one.program, one.peak_mb, one.count) for one in watch.processes()]
    assert seen == [
        ("host", "R", 40.0, 1),
        ("python", "python3.11", 95.0, 2),
        ("r", "R", 60.0, 1),
        ("other", "sh", 1.0, 1),
    ]


def test_nothing_that_was_seen_has_no_peaks() -> None:
    assert MemoryWatch(100).processes() == ()

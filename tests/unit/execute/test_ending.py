from __future__ import annotations

from pathlib import Path

import pytest

from harness.execute import tree
from harness.execute.enclosure import Ending
from harness.execute.ending import Measured, not_started, outcome
from harness.execute.limits import MemoryWatch, PhaseClock
from harness.model.cell import Limits
from harness.model.job import End, Job, Outcome


def judged(ending: Ending, stopped: tuple[End, str] | None = None, *, mb: float = 0) -> Outcome:
    path = Path("/nonexistent")
    job = Job(
        argv=("x",),
        env={},
        cwd=path,
        root=None,
        binds=(),
        events=path / "events",
        stdout=path / "stdout",
        stderr=path / "stderr",
        limits=Limits(),
    )
    watch = MemoryWatch(100)
    watch.now_mb = mb
    return outcome(ending, stopped, PhaseClock(job, 0.0), watch, Measured(1.0, 2, 3), "a note")


@pytest.mark.parametrize(
    ("code", "signal"),
    [(139, "SIGSEGV"), (134, "SIGABRT"), (132, "SIGILL"), (137, "SIGKILL"), (143, "SIGTERM")],
)
def test_code_of_a_shell_is_a_signal(code: int, signal: str) -> None:
    seen = judged(Ending(code=code))
    assert (seen.end, seen.exit_code, seen.signal) == (End.SIGNALLED, None, signal)


@pytest.mark.parametrize("code", [0, 1, 127, 128, 129, 145, 192, 255])
def test_code_that_is_no_signal(code: int) -> None:
    seen = judged(Ending(code=code))
    assert (seen.end, seen.exit_code, seen.signal) == (End.EXITED, code, None)


def test_real_time_signal() -> None:
    assert judged(Ending(signal=45)).signal == "SIG45"


def test_kill_close_to_the_limit_was_the_kernel_s() -> None:
    assert judged(Ending(code=137), mb=95).end is End.OOM
    assert judged(Ending(code=137), mb=50).end is End.SIGNALLED
    assert judged(Ending(code=139), mb=95).end is End.SIGNALLED


def test_that_the_kernel_killed_is_kept_whatever_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    # Looked at when the tree starts, and at its end.
    for counts, killed in (((3, 4), True), ((3, 3), False), ((None, 4), False)):
        looks = iter(counts)
        monkeypatch.setattr(tree, "kernel_oom_kills", lambda looks=looks: next(looks))
        assert judged(Ending(code=0)).kernel_killed is killed


def test_what_the_sandbox_did_comes_first() -> None:
    seen = judged(Ending(code=137), (End.TIMEOUT, "too long"))
    assert (seen.end, seen.message) == (End.TIMEOUT, "too long; a note")


def test_measures() -> None:
    seen = judged(Ending(code=0, leftovers=4))
    assert (seen.wall_s, seen.stdout_cut, seen.stderr_cut, seen.leftovers) == (1.0, 2, 3, 4)


def test_not_started() -> None:
    seen = not_started("why")
    assert (seen.end, seen.exit_code, seen.message) == (End.NOT_STARTED, None, "why")

"""Runs one job: one child, its whole process tree, its limits and its output."""

from __future__ import annotations

import signal
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from harness.execute import tree
from harness.execute.bubblewrap import BubblewrapEnclosure
from harness.execute.capture import Capture, require_space
from harness.execute.ending import Measured, not_started, outcome
from harness.execute.fallback import SupervisedEnclosure
from harness.execute.isolation import Isolation, detect
from harness.execute.limits import SLOWEST_POLL_S, MemoryWatch, PhaseClock
from harness.execute.mounts import CannotShowError, mount_options
from harness.execute.streams import Streams
from harness.model.job import End

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Sequence

    from harness.execute.enclosure import Enclosure
    from harness.model.job import Job, Outcome

SPAWNED_AT: Final = "HARNESS_SPAWNED_AT"
"""Variable with the time of the start, seconds since the epoch."""
_TERM_GRACE_S: Final = 1.0
_DRAIN_S: Final = 0.5
_FIRST_POLL_S: Final = 0.002
"""Until the command was seen, which takes bubblewrap a few milliseconds."""


def run(
    job: Job,
    cancel: threading.Event | None = None,
    *,
    isolation: Isolation | None = None,
    devices: Sequence[Path] = (),
    on_phase: Callable[[str], None] | None = None,
) -> Outcome:
    """Run ``job`` to its end, and leave no process of it behind.

    Blocks; may be called in several threads at once.  A thread that calls it must live
    until it returns: the kernel ends the cell with the thread that started it.

    Parameters
    ----------
    job
        The command has exactly ``job.env`` (and ``PWD``, which bubblewrap sets), with
        ``HARNESS_SPAWNED_AT`` set to the time of the start.  It reads nothing from standard
        input.
    cancel
        Once it is set, the tree is ended within a fraction of a second.
    isolation
        How the cell is held; by default, as well as this machine can.
    devices
        Device files that the cell may use, for a cell with a graphics card.
    on_phase
        Told of each phase soon after the cell entered it, in the calling thread.

    Raises
    ------
    MachineFault
        Where the output cannot be written or the disk is full.  The tree is ended first.
    """
    isolation = isolation or detect()
    keep = job.limits.output_kb * 1024
    began = time.monotonic()
    with ExitStack() as stack:
        stdout = Capture(job.stdout, keep)
        stack.callback(stdout.close)
        stderr = Capture(job.stderr, keep)
        stack.callback(stderr.close)
        try:
            clock = PhaseClock(job, began)
            enclosure = _enclose(job, isolation, devices)
        except (CannotShowError, OSError, ValueError) as error:
            return not_started(f"cannot start {job.argv[0]}: {error}")
        stack.callback(enclosure.close)
        memory = MemoryWatch(job.limits.memory_mb)
        watching = _Watching(job, enclosure, clock, memory, cancel, on_phase)
        output, errors = enclosure.process.stdout, enclosure.process.stderr
        if output is None or errors is None:
            raise AssertionError("the wrapper's streams are pipes")
        streams = Streams({output.fileno(): stdout, errors.fileno(): stderr})
        stack.callback(streams.close)
        try:
            stopped = watching.until_end(streams)
            ended_at, wall_s = time.time(), time.monotonic() - began
            ending = enclosure.finish()
        except BaseException:
            # A full disk, Ctrl-C in this thread: whatever it is, the tree ends first.
            enclosure.kill()
            enclosure.finish()
            raise
        streams.drain(_DRAIN_S)
        stdout.finish()
        stderr.finish()
        clock.close(time.monotonic())
        require_space(job.stdout)
        if not ending.started:
            return not_started(enclosure.why_not(), wall_s)
        measured = Measured(wall_s, stdout.cut, stderr.cut, ended_at)
        note = f"ran without namespaces: {isolation.why}" if isolation.why else ""
        return outcome(ending, stopped, clock, watching.memory, measured, note)


@dataclass
class _Watching:
    """Everything that is looked at while a tree runs."""

    job: Job
    enclosure: Enclosure
    clock: PhaseClock
    memory: MemoryWatch
    cancel: threading.Event | None
    on_phase: Callable[[str], None] | None
    told: str | None = None

    def until_end(self, streams: Streams) -> tuple[End, str] | None:
        """Return why the tree was ended before its time; ``None`` where it ended by itself."""
        next_look = 0.0
        while not self.enclosure.ended():
            now = time.monotonic()
            if now >= next_look:
                stopped = self._look(now)
                if stopped is not None:
                    self._stop(stopped[0], streams)
                    return stopped
                known = self.enclosure.alarm() is not None
                wait = self.memory.next_poll_s if known else _FIRST_POLL_S
                next_look = time.monotonic() + wait
            streams.pump(max(0.0, next_look - time.monotonic()), self.enclosure.alarm())
        return None

    def _look(self, now: float) -> tuple[End, str] | None:
        if self.cancel is not None and self.cancel.is_set():
            return End.CANCELLED, "cancelled"
        limit = self.job.limits.memory_mb
        if self.memory.update(now, self.enclosure.members()):
            return End.OOM, (
                f"the process tree took {self.memory.now_mb:.0f} MB,"
                f" more than its limit of {limit} MB"
            )
        late = self.clock.update(now)
        if self.on_phase is not None and self.clock.written != self.told:
            self.told = self.clock.written
            self.on_phase(self.clock.phase)
        if late:
            return End.TIMEOUT, f"no end of phase {self.clock.phase} within {self.clock.limit:g} s"
        return None

    def _stop(self, end: End, streams: Streams) -> None:
        if end is End.TIMEOUT:
            # A chance to write a traceback or to flush; the streams are read meanwhile.
            tree.send(signal.SIGTERM, self.enclosure.members())
            deadline = time.monotonic() + _TERM_GRACE_S
            while not self.enclosure.ended() and time.monotonic() < deadline:
                streams.pump(SLOWEST_POLL_S, self.enclosure.alarm())
        self.enclosure.kill()


def _enclose(job: Job, isolation: Isolation, devices: Sequence[Path]) -> Enclosure:
    if isolation.bubblewrap is None:
        if job.root is not None:
            raise CannotShowError(f"{job.root} cannot be entered: {isolation.why}")
        for bind in job.binds:
            if bind.target not in (None, bind.source):
                raise CannotShowError(
                    f"{bind.source} cannot be shown at {bind.target}: {isolation.why}"
                )
        return SupervisedEnclosure(job, {**job.env, SPAWNED_AT: repr(time.time())})
    mounts = mount_options(job, home=_home(), devices=devices, tools=isolation.tools)
    env = {**job.env, SPAWNED_AT: repr(time.time())}
    return BubblewrapEnclosure(isolation.bubblewrap, mounts, job, env)


def _home() -> Path:
    try:
        return Path.home()
    except RuntimeError:
        # No such user, so no secrets of hers.
        return Path("/nonexistent")

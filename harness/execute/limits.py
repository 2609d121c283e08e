"""The limits of a cell: time for each phase apart, memory for the whole process tree."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from harness.execute import tree
from harness.execute.events import EventTail, parse_line
from harness.model.job import ProcessPeak
from harness.model.status import Phase

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.model.job import Job

_OUTSIDE: Final = frozenset({Phase.RESOLVE, Phase.PROVISION})
_PHASES: Final = frozenset(str(phase) for phase in Phase if phase not in _OUTSIDE)

SLOWEST_POLL_S: Final = 0.15
"""Time between two looks at a process tree; also the time that a cancellation waits."""
FASTEST_POLL_S: Final = 0.01
_R_PROGRAMS: Final = frozenset({"R", "Rscript", "Rserve"})
_SAFETY: Final = 3.0
"""How many times faster than before a tree may grow without passing its limit unseen."""


def role_of(program: str) -> str:
    """Say what a program of a cell's tree is: ``python``, ``r``, or ``other`` (a shell)."""
    if program.startswith("python"):
        return "python"
    return "r" if program in _R_PROGRAMS else "other"


class PhaseClock:
    """Follows the phases that a cell writes, and counts the time of each.

    The time of a phase that is entered again goes on from where it was, so that a cell
    that goes round in circles comes to its end as well.  A word that is no phase changes
    nothing.  All times are seconds of a monotonic clock.
    """

    def __init__(self, job: Job, now: float) -> None:
        self._limits = job.limits
        self._tail = EventTail.from_end(job.events)
        self._spent: dict[str, float] = {}
        self._entered = now
        self.written: str | None = None
        """The last phase that the cell wrote."""

    @property
    def phase(self) -> str:
        """The phase that time is counted for; a cell that wrote nothing is in ``start``."""
        return self.written or str(Phase.START)

    @property
    def limit(self) -> float:
        """Seconds that the present phase may take."""
        return self._limits.phases_s.get(self.phase, self._limits.phase_s)

    def update(self, now: float) -> bool:
        """Read what was written since; tell whether the present phase is over its limit."""
        self._read(now)
        return self._spent.get(self.phase, 0.0) + now - self._entered > self.limit

    def close(self, now: float) -> None:
        """Read what is left to read, for ``written``, and close the file."""
        at_end = False
        # A cell may have written more at its end than one reading takes, not without bound.
        for _ in range(64):
            if at_end:
                break
            at_end = self._read(now)
        self._tail.close()

    def _read(self, now: float) -> bool:
        lines, at_end = self._tail.read_lines()
        for line in lines:
            # Parsing is dear and most lines are of other events.
            if b'"phase"' not in line:
                continue
            event = parse_line(line)
            if event is None or event["event"] != "phase":
                continue
            phase = event.get("phase")
            if isinstance(phase, str) and phase in _PHASES and phase != self.written:
                self._spent[self.phase] = self._spent.get(self.phase, 0.0) + now - self._entered
                self.written, self._entered = phase, now
        return at_end


class MemoryWatch:
    """Measures the memory of a process tree and says when it is over the limit."""

    def __init__(self, limit_mb: float) -> None:
        self._limit_mb = limit_mb
        self._last: tuple[float, float] | None = None
        self._oom_kills = tree.kernel_oom_kills()
        self._peaks: dict[int, tree.Seen] = {}
        self._command: int | None = None
        self.now_mb = 0.0
        self.peak_mb = 0.0
        self.next_poll_s = FASTEST_POLL_S
        """How long to wait until the next look."""

    def update(self, now: float, pids: Sequence[int]) -> bool:
        """Look at ``pids``; tell whether they take more than they may."""
        self.now_mb, largest_peak, processes = tree.memory(pids)
        self.peak_mb = max(self.peak_mb, self.now_mb, largest_peak)
        if self._command is None and pids:
            # The command comes first; whoever is first once it is gone was left behind.
            self._command = pids[0]
        for one in processes:
            known = self._peaks.get(one.pid)
            # A process that becomes another program begins a new peak, and has a new name.
            peak = one.peak_mb if known is None else max(one.peak_mb, known.peak_mb)
            self._peaks[one.pid] = one._replace(peak_mb=peak)
        self.next_poll_s = self._until_next(now)
        self._last = now, self.now_mb
        if self.now_mb <= self._limit_mb:
            return False
        # A process that was forked a moment ago counts its parent's pages a second time.
        return len(pids) == 1 or tree.proportional_mb(pids) > self._limit_mb

    def processes(self) -> tuple[ProcessPeak, ...]:
        """Return the peak of every process that was seen, the host first.

        Processes of one program in one role are one entry.
        """
        found: dict[tuple[str, str], ProcessPeak] = {}
        for one in self._peaks.values():
            role = "host" if one.pid == self._command else role_of(one.program)
            known = found.get((role, one.program))
            found[role, one.program] = ProcessPeak(
                role=role,
                program=one.program,
                peak_mb=round(max(one.peak_mb, known.peak_mb if known else 0.0), 1),
                count=1 + (known.count if known else 0),
            )
        return tuple(sorted(found.values(), key=lambda one: (one.role != "host", -one.peak_mb)))

    def kernel_stepped_in(self) -> bool:
        """Tell whether a SIGKILL of the command that was not ours is likely to be the kernel's own.

        True where the kernel has killed, or where the tree was close to its limit when last seen.
        """
        return self.kernel_killed() or self.now_mb > 0.9 * self._limit_mb

    def kernel_killed(self) -> bool:
        """Tell whether the kernel counts more processes ended for want of memory than at the start.

        Of this tree, or of the whole machine: it counts them together.
        """
        now = tree.kernel_oom_kills()
        return now is not None and self._oom_kills is not None and now > self._oom_kills

    def _until_next(self, now: float) -> float:
        # Looking seldom is cheap; looking often is only needed where the limit is near, as
        # measured by the pace at which memory grew since the last look.
        if self._last is None or now <= self._last[0]:
            return FASTEST_POLL_S
        pace = (self.now_mb - self._last[1]) / (now - self._last[0])
        if pace <= 0:
            return SLOWEST_POLL_S
        left = (self._limit_mb - self.now_mb) / pace / _SAFETY
        return min(SLOWEST_POLL_S, max(FASTEST_POLL_S, left))

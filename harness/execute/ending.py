"""Exit codes, signals and what the sandbox did itself, made one ``Outcome``."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Final, NamedTuple

from harness.model.job import End, Outcome

if TYPE_CHECKING:
    from harness.execute.enclosure import Ending
    from harness.execute.limits import MemoryWatch, PhaseClock

_SIGNAL_BASE: Final = 128
_PLAUSIBLE: Final = frozenset(
    {
        signal.SIGABRT,
        signal.SIGALRM,
        signal.SIGBUS,
        signal.SIGFPE,
        signal.SIGILL,
        signal.SIGINT,
        signal.SIGKILL,
        signal.SIGPIPE,
        signal.SIGQUIT,
        signal.SIGSEGV,
        signal.SIGSYS,
        signal.SIGTERM,
        signal.SIGTRAP,
        signal.SIGXCPU,
        signal.SIGXFSZ,
    }
)
"""Signals that a code of 128 + n is taken for; other such codes are a program's own choice."""


class Measured(NamedTuple):
    """What was measured of a process tree beside how it ended."""

    wall_s: float
    stdout_cut: int
    stderr_cut: int
    ended_at: float = 0.0


def outcome(
    ending: Ending,
    stopped: tuple[End, str] | None,
    clock: PhaseClock,
    watch: MemoryWatch,
    measured: Measured,
    note: str = "",
) -> Outcome:
    """Say how a job ended.

    Parameters
    ----------
    ending
        What the enclosure saw.
    stopped
        Why the sandbox itself ended the tree, with a sentence; ``None`` where it did not.
    note
        A sentence on what the sandbox could not do on this machine.
    """
    name, code = _signal_and_code(ending)
    if stopped is not None:
        end, message = stopped
    elif name == "SIGKILL" and watch.kernel_stepped_in():
        end = End.OOM
        message = (
            "the kernel ended the process for want of memory;"
            f" the process tree had {watch.now_mb:.0f} MB when last seen"
        )
    else:
        end, message = (End.EXITED if name is None else End.SIGNALLED), ""
    return Outcome(
        end=end,
        exit_code=code,
        signal=name,
        phase=clock.written,
        wall_s=measured.wall_s,
        max_rss_mb=round(watch.peak_mb, 1),
        stdout_cut=measured.stdout_cut,
        stderr_cut=measured.stderr_cut,
        leftovers=ending.leftovers,
        message="; ".join(filter(None, (message, note))) or None,
        ended_at=measured.ended_at,
        processes=watch.processes(),
        kernel_killed=watch.kernel_killed(),
    )


def not_started(message: str, wall_s: float = 0.0) -> Outcome:
    """Return the outcome of a job whose command never ran."""
    return Outcome(
        end=End.NOT_STARTED,
        exit_code=None,
        signal=None,
        phase=None,
        wall_s=wall_s,
        max_rss_mb=0.0,
        message=message,
    )


def _signal_and_code(ending: Ending) -> tuple[str | None, int | None]:
    number = ending.signal
    if number is None and ending.code is not None and ending.code > _SIGNAL_BASE:
        number = ending.code - _SIGNAL_BASE
        if number not in _PLAUSIBLE:
            number = None
    if number is None:
        return None, ending.code
    try:
        return signal.Signals(number).name, None
    except ValueError:
        # A real-time signal has a number alone.
        return f"SIG{number}", None

"""What the sandbox runs, and how that ended."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

import msgspec

from harness.model.cell import Limits


class Bind(msgspec.Struct, frozen=True):
    """A folder or file of the machine that a cell sees at ``target`` (by default, its own path)."""

    source: Path
    target: Path | None = None
    writable: bool = False


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """One process tree.

    ``root`` becomes ``/``; ``None`` keeps the machine's own file system, read-only.
    ``env`` is the whole environment: nothing of the caller's is added to it.
    ``events`` is the file, as the machine sees it, to which the child writes its events:
    the sandbox reads the phases from it, for the limit of each.
    ``stdout`` and ``stderr`` are where the kept output goes.
    """

    argv: tuple[str, ...]
    env: dict[str, str]
    cwd: Path
    root: Path | None
    binds: tuple[Bind, ...]
    events: Path
    stdout: Path
    stderr: Path
    limits: Limits
    network: bool = False


class End(StrEnum):
    """Why a process tree ended, before anything is said of its result."""

    EXITED = "exited"
    SIGNALLED = "signalled"
    TIMEOUT = "timeout"
    OOM = "oom"
    CANCELLED = "cancelled"
    """Ctrl-C, or the run was stopped."""
    NOT_STARTED = "not-started"
    """The command itself could not be started; ``Outcome.message`` says why."""


class ProcessPeak(msgspec.Struct, frozen=True, kw_only=True):
    """The memory of the processes of one program in a tree.

    ``role`` is ``host`` for the driver's own process, else the language that the program is of
    (``python``, ``r``), or ``other``.  ``program`` is the kernel's name of it; ``peak_mb`` the
    peak of the resident memory in MiB, of the largest of ``count`` processes.  It is looked at
    while they run, several times a second: one that lives shorter may be missing.
    """

    role: str
    program: str
    peak_mb: float
    count: int = 1


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """How a job ended.

    ``signal`` is a name (``SIGSEGV``); a shell's or bubblewrap's 128 + n counts as signal n.
    ``phase`` is the last one that the child wrote; ``max_rss_mb`` the peak of the sum over
    the process tree.  ``ended_at`` is when the command ended, in seconds since the epoch; 0 where
    it never ran.  ``processes`` are the peaks of memory, program by program.  ``kernel_killed``
    says that the kernel ended a process for want of memory while the job ran: one of it, or
    another one of the machine.
    """

    end: End
    exit_code: int | None
    signal: str | None
    phase: str | None
    wall_s: float
    max_rss_mb: float
    stdout_cut: int = 0
    stderr_cut: int = 0
    leftovers: int = 0
    message: str | None = None
    ended_at: float = 0.0
    processes: tuple[ProcessPeak, ...] = ()
    kernel_killed: bool = False

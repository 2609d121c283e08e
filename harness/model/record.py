"""What became of a cell: the record that the journal keeps and the results document holds."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from harness.model.job import ProcessPeak
from harness.model.status import Phase, Status


class Stage(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=False):
    """A timed step inside a probe.

    ``wall_s`` and ``cpu_s`` are seconds in total over ``n`` repetitions; ``cpu_s`` is
    ``None`` where the work is done in another process and cannot be attributed.
    """

    name: str
    wall_s: float
    cpu_s: float | None = None
    n: int = 1


class ProbeRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One probe of a cell, as its oracle judged it.

    ``variant`` tells runs of one probe apart (the Keras backend).  ``version`` is that of the
    probe: stages of two versions are not of the same work.  ``cold`` marks a process for which
    the files of the environment had to be read from the disk.  ``details`` holds what the
    oracle looked at: hashes, losses, accuracy, the device read back.
    """

    name: str
    status: Status
    version: int = 1
    variant: str | None = None
    cold: bool = False
    phase: Phase | None = None
    message: str | None = None
    stages: tuple[Stage, ...] = ()
    details: dict[str, Any] = {}


class Ending(msgspec.Struct, frozen=True, kw_only=True):
    """How a cell's process tree ended: exit status or signal, peak memory, what was cut."""

    exit_code: int | None = None
    signal: str | None = None
    stdout_cut: int = 0
    stderr_cut: int = 0
    """Bytes of output that were thrown away between the head and the tail."""
    leftovers: int = 0
    """Processes that the cell left behind and that were ended."""


JOINED: Final = "+"
"""What stands between the ids of remedies that were applied together."""


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """A remedy that was applied to a cell that did not pass, and what came of it.

    ``verified`` is true where what had stopped the cell passed with the remedy applied, false
    where it did not, and ``None`` where the remedy could not be tried here.  ``cell`` is the id
    of the cell with the remedy applied, empty where there can be none; ``change`` says in words
    what was changed.  ``message`` says why it did not pass or was not tried, or what else stops
    the cell then; ``None`` where the whole cell passes.  Remedies applied together have their
    ids joined by ``+``, in the order in which each took away what the one before it had left;
    ``unfinished`` is true while what this one left has remedies that are still to be tried so.
    """

    remedy: str
    verified: bool | None
    cell: str
    change: str = ""
    message: str | None = None
    unfinished: bool = False
    wall_s: float = 0.0
    key: str = ""
    """Digest of what was asked of the cell with the remedy applied."""
    logs: str = ""
    """Folder of its logs, below that of the results."""

    @property
    def remedies(self) -> tuple[str, ...]:
        """Return the ids of the remedies that were applied, the first one first."""
        return tuple(self.remedy.split(JOINED))

    @property
    def passes(self) -> bool:
        """Tell whether the whole cell passed with the remedy applied."""
        return self.verified is True and self.message is None


class CellRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One cell's result, whole: a line of the journal and an element of ``cells[]``.

    Times are seconds.  ``wall_s`` is that of the cell's own process tree; what resolving
    and provisioning took stands in ``resolve_s`` and ``provision_s``.  ``cause`` is an id of
    the catalogue of causes; ``evidence`` is what led to the message: the innermost
    traceback, a hidden standard error, the tail of the output.
    """

    id: str
    axes: dict[str, str | None]
    status: Status
    phase: Phase | None = None
    cause: str | None = None
    message: str | None = None
    wall_s: float = 0.0
    resolve_s: float = 0.0
    provision_s: float = 0.0
    max_rss_mb: float = 0.0
    processes: tuple[ProcessPeak, ...] = ()
    """The peak of memory of each program of the cell's process tree, the host first."""
    identity: dict[str, Any] = {}
    findings: tuple[str, ...] = ()
    """What was noticed and dealt with, one sentence each (R swapped libpython, ...)."""
    evidence: dict[str, str] = {}
    probes: tuple[ProbeRecord, ...] = ()
    control: str | None = None
    implied: bool = False
    lock: str | None = None
    """Digest of the lock of what was installed; the lock itself lies in the cell's folder."""
    key: str = ""
    """Digest of what was asked (axes, probes, code); a result counts only for its key."""
    started_at: str = ""
    """UTC, ISO 8601."""
    ending: Ending = Ending()
    trials: tuple[Trial, ...] = ()
    """Remedies of the cause that were applied, in the order in which they were tried."""
    attempts: tuple[Status, ...] = ()
    """How the cell ended each time where it was run several times; the record is of the first."""
    lost_workers: int = 0
    """Workers of a cluster that were lost while they ran the cell."""

    @property
    def is_flaky(self) -> bool:
        """Say whether the cell passed at some times and not at others."""
        return Status.PASS in self.attempts and len(set(self.attempts)) > 1

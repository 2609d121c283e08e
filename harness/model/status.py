"""The closed lists of the vocabulary: how a cell ended, and where it got to."""

from __future__ import annotations

from enum import StrEnum


class Status(StrEnum):
    """How a probe or a cell ended."""

    PASS = "pass"
    FAIL = "fail"
    """The oracle or an exception said no."""
    CRASH = "crash"
    """A signal or an abort."""
    TIMEOUT = "timeout"
    OOM = "oom"
    UNSATISFIABLE = "unsatisfiable"
    """No set of packages can exist; found without installing."""
    UNAVAILABLE = "unavailable"
    """Could exist, not here: no GPU, a repository out of reach, R not installable."""
    UNSUPPORTED = "unsupported"
    """The path cannot do what the probe asks, and says so."""
    SKIPPED = "skipped"
    """Asked for."""
    MISSING = "missing"
    """Planned, never ran."""

    @property
    def symbol(self) -> str:
        """One character that tells the status without colour."""
        return _SYMBOL[self]

    @property
    def is_problem(self) -> bool:
        """True where something ran and did not do what it should."""
        return self in _PROBLEMS

    @classmethod
    def worst(cls, statuses: list[Status]) -> Status:
        """The status of a whole whose parts ended as ``statuses``; ``missing`` for no parts."""
        return max(statuses, key=_SEVERITY.index) if statuses else cls.MISSING


_SYMBOL = {
    Status.PASS: "✓",
    Status.FAIL: "✗",
    Status.CRASH: "!",
    Status.TIMEOUT: "…",
    Status.OOM: "M",
    Status.UNSATISFIABLE: "∅",
    Status.UNAVAILABLE: "–",
    Status.UNSUPPORTED: "~",
    Status.SKIPPED: "s",
    Status.MISSING: "?",
}
_PROBLEMS = frozenset({Status.FAIL, Status.CRASH, Status.TIMEOUT, Status.OOM})
# From the least to the most severe: a cell is as its worst probe.  A path that cannot do one of
# the probes is none the worse for saying so, so a cell passes that passes in all else.
_SEVERITY = [
    Status.SKIPPED,
    Status.UNSUPPORTED,
    Status.PASS,
    Status.UNAVAILABLE,
    Status.UNSATISFIABLE,
    Status.MISSING,
    Status.FAIL,
    Status.TIMEOUT,
    Status.OOM,
    Status.CRASH,
]


class Phase(StrEnum):
    """Where a cell got to, in the order in which a cell goes through them."""

    RESOLVE = "resolve"
    PROVISION = "provision"
    START = "start"
    BRIDGE = "bridge"
    PYTHON = "python"
    IMPORT = "import"
    DEVICE = "device"
    OP = "op"
    CONVERT = "convert"
    TRAIN = "train"
    CALLBACK = "callback"
    ERROR = "error"
    TEARDOWN = "teardown"

"""A series: readings of one thing, of which each may be compared with every other."""

from __future__ import annotations

import msgspec


class Key(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """What the readings of a series have in common.

    ``machine`` and ``lock`` are digests, the first of all that is known of the machine, the
    second of what was installed: the lock of the Python packages, R, and the bridge.  Where one
    of them changes, or the ``version`` of the probe, another series begins: its readings are
    not of the same work, or not on the same ground.  ``probe`` and ``stage`` are empty for what
    is read of the whole cell.  ``metric`` is ``wall_s`` or ``cpu_s``, in seconds a repetition,
    or ``max_rss_mb``, in MiB.
    """

    cell: str
    probe: str = ""
    variant: str = ""
    stage: str = ""
    metric: str
    version: int = 1
    machine: str
    lock: str


class Reading(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """One reading: when its cell started (UTC, ISO 8601), and what was read."""

    at: str
    value: float


class Series(msgspec.Struct, frozen=True, kw_only=True):
    """The readings of one key, in the order of time."""

    key: Key
    readings: tuple[Reading, ...]


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """A place in a series from which on readings lie elsewhere.

    ``at`` is the first reading behind it; ``before`` and ``after`` are the medians of the
    readings up to the next step on either side, ``readings`` how many those are, and ``p`` the
    probability of two such sides where there is no step (rank-sum test).
    """

    key: Key
    at: str
    before: float
    after: float
    readings: tuple[int, int]
    p: float

    @property
    def ratio(self) -> float:
        """How many times as much it is: above 1 for slower, or more."""
        return self.after / self.before

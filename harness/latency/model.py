"""The values of a latency comparison: what was sampled, and what it comes to."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

import msgspec


class Verdict(StrEnum):
    """What is proven of head beside base, and of a whole run."""

    REGRESSED = "regressed"
    """Head is slower, by more than the margin."""
    IMPROVED = "improved"
    """Head is faster, by more than the margin."""
    OK = "ok"
    """Head is not slower by more than the margin."""
    INCONCLUSIVE = "inconclusive"
    """Neither is proven: the times vary too much for so few pairs."""
    UNPROVEN = "unproven"
    """A control moved, so that the machine may be what the run saw; of a whole run only."""


class Metric(msgspec.Struct, frozen=True, kw_only=True):
    """A stage of a probe that can be compared.

    ``crosses`` marks one in which a path with two processes waits for the other: its time there
    is that of the clock on the wall, and else processor time.
    """

    name: str
    probe: str
    crosses: bool = False


METRICS: Final = tuple(
    Metric(name=name, probe=probe, crosses=crosses)
    for name, probe, crosses in (
        ("process_start", "init", False),
        ("bridge_load", "init", False),
        ("python_start", "init", True),
        ("r_start", "init", False),
        ("framework_import", "init", False),
        ("noop", "call", True),
        ("echo", "call", True),
    )
)
"""What is compared, in the order in which a process goes through it."""


class Times(msgspec.Struct, frozen=True, array_like=True):
    """One repetition of a stage in seconds: on the clock on the wall, and of the processor.

    ``cpu_s`` is ``None`` where the path cannot say it.  ``parts`` are the same, batch by batch,
    of a stage that was done in turn with the other process of the pair.
    """

    wall_s: float
    cpu_s: float | None = None
    parts: tuple[tuple[float, float], ...] = ()

    def on(self, clock: str) -> float | None:
        """Return the time on ``wall`` or ``cpu``; ``None`` where it is not known or not above 0."""
        value = self.wall_s if clock == "wall" else self.cpu_s
        return value if value is not None and value > 0 else None

    def parts_on(self, clock: str) -> list[float]:
        """Return the time of each batch; 0 where the clock did not tick."""
        return [part[0 if clock == "wall" else 1] for part in self.parts]


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """One fresh process.

    ``pair`` counts the pairs of a round from 0, and ``place`` is 0 for the process that begins
    each stage, 1 for the other.  ``arm`` is ``base``, ``head`` or ``native``, the control without
    a bridge.  ``wall_s`` is its half of the time that the pair took.
    """

    cell: str
    round: int
    pair: int
    place: int
    arm: str
    times: Mapping[str, Times]
    wall_s: float = 0.0
    at: str = ""
    """UTC, ISO 8601."""


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """How a comparison is judged; fixed before the first pair.

    ``margin`` is the slowdown that is of no consequence (0.05: 5%).  ``alpha`` is the chance,
    for all comparisons and looks of a run together, that something is called slower which is
    not by more than the margin.  ``fewest`` pairs are needed for any verdict; ``first`` is the
    number of pairs at the first look.
    """

    margin: float = 0.05
    alpha: float = 0.05
    fewest: int = 4
    first: int = 8


class Estimate(msgspec.Struct, frozen=True, kw_only=True):
    """Where log(head/base) lies, and how well that is known.

    ``error`` is the standard error by the bootstrap in blocks of ``block`` pairs.
    """

    location: float
    error: float
    pairs: int
    block: int


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one comparison.

    ``ratio`` is head/base with its bounds, each of them one-sided with the chance of error
    ``level``.  ``settled`` says that further pairs would change nothing.
    """

    verdict: Verdict
    pairs: int
    ratio: float | None = None
    ci_low: float | None = None
    ci_high: float | None = None
    level: float | None = None
    settled: bool = False

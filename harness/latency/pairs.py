"""From samples to the series of log ratios that are judged."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence

from harness.latency.bootstrap import location
from harness.latency.model import METRICS, Sample, Times

Clocks = Mapping[str, str]
"""The clock, ``wall`` or ``cpu``, by metric."""


def clocks(*, crosses: bool) -> dict[str, str]:
    """Return the clock of each metric.

    Parameters
    ----------
    crosses
        Whether the path's calls go to another process.
    """
    return {metric.name: "wall" if crosses and metric.crosses else "cpu" for metric in METRICS}


def pairs_of(samples: Iterable[Sample], kind: tuple[str, ...]) -> Iterator[tuple[Sample, Sample]]:
    """Yield the whole pairs whose arms, sorted, are ``kind``, in the order in which they were run.

    Of each pair, the process that began comes first.
    """
    found: dict[tuple[int, int], dict[int, Sample]] = {}
    for sample in samples:
        found.setdefault((sample.round, sample.pair), {})[sample.place] = sample
    for key in sorted(found):
        pair = found[key]
        if len(pair) == len(kind) and tuple(sorted(one.arm for one in pair.values())) == kind:
            yield pair[0], pair[1]


def log_ratios(samples: Iterable[Sample], metric: str, clock: str) -> list[float]:
    """Return log(head/base) of each pair; a pair that was cut short is left out."""
    pairs = (
        (one, other) if one.arm == "base" else (other, one)
        for one, other in pairs_of(samples, ("base", "head"))
    )
    return _log_ratios(pairs, metric, clock)


def identical_arms(samples: Iterable[Sample], metric: str, clock: str) -> list[float]:
    """Return log(second/first) of the pairs that are base twice."""
    return _log_ratios(pairs_of(samples, ("base", "base")), metric, clock)


def no_bridge(samples: Iterable[Sample], metric: str) -> list[float]:
    """Return log(second/first) of the pairs without a bridge."""
    return _log_ratios(pairs_of(samples, ("native", "native")), metric, "cpu")


def common_metrics(samples: Sequence[Sample]) -> tuple[str, ...]:
    """Return the metrics that every one of the samples has, in order."""
    return tuple(
        metric.name for metric in METRICS if all(metric.name in one.times for one in samples)
    )


def _log_ratios(pairs: Iterable[tuple[Sample, Sample]], metric: str, clock: str) -> list[float]:
    found = []
    for one, other in pairs:
        if metric in one.times and metric in other.times:
            ratio = log_ratio(one.times[metric], other.times[metric], clock)
            if ratio is not None:
                found.append(ratio)
    return found


def log_ratio(base: Times, head: Times, clock: str) -> float | None:
    """Return log(head/base) of two processes; ``None`` where a clock did not tick.

    Of a stage that was done in batches it is the trimmed mean over those that followed each other.
    """
    batches = list(zip(base.parts_on(clock), head.parts_on(clock), strict=False))
    known = [math.log(after / before) for before, after in batches if before > 0 and after > 0]
    if len(batches) > 1 and len(known) == len(batches):
        return location(known)
    before, after = base.on(clock), head.on(clock)
    return None if before is None or after is None else math.log(after / before)

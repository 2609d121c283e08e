"""The verdict's own record: a long series of samples, judged over and over.

A pure function of the recorded series.  A *replay* does with a stretch of it what ``harness ab``
does with processes that it starts: the same schedule, looks and levels, and all the metrics of the
cell as one family.  Wherever it begins, pairs of identical arms come in the rounds in which they
come there.  For false alarms, each replay begins where the one before it ended, so that no
process counts twice.  For power, the times of head are multiplied, which is what a planted
slowdown does within the stage, and a replay begins at every round: these overlap.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from statistics import median
from typing import Final

import msgspec

from harness.latency.bootstrap import estimate
from harness.latency.model import Estimate, Rule, Sample, Verdict
from harness.latency.others import RULES
from harness.latency.pairs import common_metrics, log_ratios, pairs_of
from harness.latency.schedule import IDENTICAL, PAIRS, Looks, has_identical, share_of
from harness.latency.verdict import judge_estimates

OURS: Final = "harness ab"
FACTORS: Final = (1.1, 1.2, 1.5)
_CONFIDENCE: Final = 0.95


class Series(msgspec.Struct, frozen=True, kw_only=True):
    """Samples of identical arms, one round after the other.

    ``planted`` is the factor by which head was slowed down on purpose; 1 for identical arms.
    """

    cell: str
    path: str
    clocks: Mapping[str, str]
    samples: tuple[Sample, ...]
    planted: float = 1.0


class Share(msgspec.Struct, frozen=True, kw_only=True):
    """How often something was found; ``upper`` is the one-sided 95% bound of false alarms."""

    tool: str
    cell: str
    path: str
    metric: str
    order: str
    """``interleaved``, or ``in turn``: all of base, then all of head."""
    factor: float
    real: bool
    """Whether head was slowed down, or its recorded times multiplied."""
    alone: bool = False
    """Whether the metric was the only one that was compared."""
    found: int
    of: int
    upper: float | None = None
    seconds: float | None = None
    """Median of the seconds of measuring until the verdict, controls included."""


def upper_bound(found: int, of: int, confidence: float = _CONFIDENCE) -> float:
    """Return the upper bound of a share (Clopper and Pearson, 1934), one-sided."""
    if found >= of:
        return 1.0
    low, high = found / of, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        if _at_most(found, of, middle) > 1 - confidence:
            low = middle
        else:
            high = middle
    return high


def _at_most(found: int, of: int, share: float) -> float:
    """Return the chance of at most so many, where each is found with that chance."""
    if share <= 0:
        return 1.0
    if share >= 1:
        return float(found >= of)
    return math.fsum(
        math.exp(
            math.lgamma(of + 1)
            - math.lgamma(number + 1)
            - math.lgamma(of - number + 1)
            + number * math.log(share)
            + (of - number) * math.log1p(-share)
        )
        for number in range(found + 1)
    )


class Replay(msgspec.Struct, frozen=True, kw_only=True):
    """What one replay came to, by metric, and how many rounds and seconds it took."""

    verdicts: Mapping[str, Verdict]
    rounds: int
    seconds: float


class Recorded:
    """A series, with what is asked of it over and over."""

    def __init__(self, series: Series, budget_s: float, rule: Rule) -> None:
        self.series = series
        self.budget_s = budget_s
        self.rule = rule
        own = [one for one in series.samples if one.arm != "native"]
        self.metrics = tuple(
            name
            for name in common_metrics(own)
            if all(one.times[name].on(series.clocks[name]) is not None for one in own)
        )
        self.pairs = list(pairs_of(series.samples, ("base", "head")))
        self.seconds, self.identical_s = _seconds(series.samples)
        self.rounds = min(len(self.pairs) // PAIRS, len(self.seconds))
        self.ratios = {
            name: log_ratios(series.samples, name, series.clocks[name]) for name in self.metrics
        }
        self.planned = max(1, int(budget_s / median(self.seconds))) if self.seconds else 1
        self._estimate = lru_cache(maxsize=None)(self._estimated)

    def _estimated(self, metric: str, start: int, number: int) -> Estimate:
        values = self.ratios[metric][start * PAIRS : (start + number) * PAIRS]
        return estimate(values)

    def replay(
        self, start: int, factors: Mapping[str, float] | None = None, only: str | None = None
    ) -> Replay | None:
        """Judge the rounds from ``start`` on; ``None`` where the series ends too early.

        ``factors`` multiply the times of head, by metric.  ``only`` is the one metric that is
        compared; all by default.
        """
        looks, ran = Looks(self.rule), list[float]()
        metrics = self.metrics if only is None else (only,)
        for number in range(1, self.rounds - start + 1):
            controls = self.identical_s * has_identical(number - 1)
            ran.append(self.seconds[start + number - 1] + controls)
            share = share_of(self.budget_s, ran)
            level = looks.due(number * PAIRS, share)
            if level is None:
                continue
            known = {
                name: _shifted(self._estimate(name, start, number), (factors or {}).get(name, 1))
                for name in metrics
                if number * PAIRS >= self.rule.fewest
            }
            found = judge_estimates(known, level, self.rule, family=len(metrics))
            if share >= 1 or (found and all(one.settled for one in found.values())):
                verdicts = {name: one.verdict for name, one in found.items()}
                return Replay(verdicts=verdicts, rounds=number, seconds=sum(ran))
        return None

    def one_after_the_other(self, only: str | None = None) -> Iterator[Replay]:
        """Yield replays that share no process."""
        start = 0
        while (found := self.replay(start, only=only)) is not None:
            yield found
            start += found.rounds

    def windows(self) -> Iterator[int]:
        """Yield the first round of each stretch of the whole length, without overlap."""
        yield from range(0, self.rounds - self.planned + 1, self.planned)

    def times(self, start: int, metric: str, order: str) -> tuple[list[float], list[float]]:
        """Return base's and head's times of a stretch of the whole length."""
        clock = self.series.clocks[metric]
        whole = self.pairs[start * PAIRS : (start + self.planned) * PAIRS]
        ran = [one for pair in whole for one in pair]
        values = [(one.arm, one.times[metric].on(clock) or 0.0) for one in ran]
        if order == "in turn":
            half = len(values) // 2
            return [value for _, value in values[:half]], [value for _, value in values[half:]]
        return (
            [value for arm, value in values if arm == "base"],
            [value for arm, value in values if arm == "head"],
        )


def _seconds(samples: Sequence[Sample]) -> tuple[list[float], float]:
    """Return what each round took but for pairs of identical arms, and what such a pair takes."""
    found: dict[int, float] = {}
    for one in samples:
        found[one.round] = found.get(one.round, 0.0) + one.wall_s
    identical: list[float] = []
    for pair in pairs_of(samples, IDENTICAL):
        identical.append(sum(one.wall_s for one in pair))
        found[pair[0].round] -= identical[-1]
    return [found[number] for number in sorted(found)], median(identical or [0.0])


def _shifted(known: Estimate, factor: float) -> Estimate:
    """Return the estimate where all of head took so many times as long."""
    return msgspec.structs.replace(known, location=known.location + math.log(factor))


def shares(series: Sequence[Series], budget_s: float, rule: Rule) -> list[Share]:
    """Return what each tool's rule makes of the recorded series."""
    found: list[Share] = []
    for one in series:
        recorded = Recorded(one, budget_s, rule)
        if one.planted == 1:
            found += _false_alarms(recorded)
            found += _power(recorded)
            found += _others(recorded)
        else:
            found += _really_planted(recorded)
    return found


def _share(recorded: Recorded, metric: str, found: int, of: int, **more: object) -> Share:
    values = {
        "tool": OURS,
        "order": "interleaved",
        "factor": 1.0,
        "real": True,
        "cell": recorded.series.cell,
        "path": recorded.series.path,
        "metric": metric,
        "found": found,
        "of": of,
        **more,
    }
    return msgspec.convert(values, Share)


_ALARMS: Final = frozenset({Verdict.REGRESSED, Verdict.IMPROVED})


def _false_alarms(recorded: Recorded) -> Iterator[Share]:
    """Yield the alarms of comparisons of all metrics together, and of each of them alone.

    A comparison that had too few pairs for any verdict could raise none, and is not counted.
    """
    together = [one for one in recorded.one_after_the_other() if one.verdicts]
    for metric in recorded.metrics:
        alone = [one for one in recorded.one_after_the_other(metric) if one.verdicts]
        for replays in (together, alone):
            if replays:
                alarms = sum(one.verdicts[metric] in _ALARMS for one in replays)
                yield _share(
                    recorded,
                    metric,
                    alarms,
                    len(replays),
                    upper=upper_bound(alarms, len(replays)),
                    seconds=median(one.seconds for one in replays),
                    alone=replays is alone,
                )


def _power(recorded: Recorded) -> Iterator[Share]:
    for metric in recorded.metrics:
        for factor in FACTORS:
            for alone in (False, True):
                only = metric if alone else None
                known = _all_replays(recorded, {metric: factor}, only)
                yield from _found(recorded, metric, known, factor=factor, real=False, alone=alone)


def _really_planted(recorded: Recorded) -> Iterator[Share]:
    factor = recorded.series.planted
    together = _all_replays(recorded, {}, None)
    for metric in recorded.metrics:
        yield from _found(recorded, metric, together, factor=factor)
        known = _all_replays(recorded, {}, metric)
        yield from _found(recorded, metric, known, factor=factor, alone=True)


def _all_replays(
    recorded: Recorded, factors: Mapping[str, float], only: str | None
) -> list[Replay]:
    """Return a replay from every round on from which there is enough left: they overlap."""
    found = (recorded.replay(start, factors, only) for start in range(recorded.rounds))
    return [one for one in found if one is not None]


def _found(
    recorded: Recorded, metric: str, known: Sequence[Replay], **more: object
) -> Iterator[Share]:
    hits = [one for one in known if one.verdicts.get(metric) is Verdict.REGRESSED]
    if known:
        seconds = median(one.seconds for one in hits) if hits else None
        yield _share(recorded, metric, len(hits), len(known), seconds=seconds, **more)


def _others(recorded: Recorded) -> Iterator[Share]:
    starts = list(recorded.windows())
    for metric in recorded.metrics:
        for order in ("interleaved", "in turn"):
            arms = [recorded.times(start, metric, order) for start in starts]
            for tool, rule in RULES.items():
                for factor in (1.0, *FACTORS):
                    words = [rule(base, [factor * one for one in head]) for base, head in arms]
                    alarms = {"slower", "faster"} if factor == 1 else {"slower"}
                    found = sum(word in alarms for word in words)
                    if words:
                        yield _share(
                            recorded,
                            metric,
                            found,
                            len(words),
                            tool=tool,
                            order=order,
                            factor=factor,
                            real=factor == 1,
                            upper=upper_bound(found, len(words)) if factor == 1 else None,
                        )

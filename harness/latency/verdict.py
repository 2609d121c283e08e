"""The verdict: a pure function of the pairs and of rules that were fixed before the first."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import TypeVar

from harness.latency.bootstrap import chance, estimate, quantile
from harness.latency.model import Estimate, Finding, Rule, Verdict

Key = TypeVar("Key", bound=Hashable)


def judge(series: Mapping[Key, Sequence[float]], level: float, rule: Rule) -> dict[Key, Finding]:
    """Say what is proven of each comparison of a family.

    Parameters
    ----------
    series
        By comparison, log(head/base) of each pair in the order in which they were taken.
    level
        The chance of error, in each direction, for the family as a whole at this look; the
        surest comparison has to stand up to that divided by their number, the next to that
        divided by one less, until one does not (Holm, 1979).
    """
    known = {key: estimate(values) for key, values in series.items() if len(values) >= rule.fewest}
    found = judge_estimates(known, level, rule, family=len(series))
    for key, values in series.items():
        found.setdefault(key, Finding(verdict=Verdict.INCONCLUSIVE, pairs=len(values)))
    return {key: found[key] for key in series}


def judge_estimates(
    known: Mapping[Key, Estimate], level: float, rule: Rule, *, family: int
) -> dict[Key, Finding]:
    """As :func:`judge`, of estimates; the ``family`` may have more comparisons than are known."""
    found: dict[Key, Finding] = {}
    order = sorted(known, key=lambda key: _doubt(known[key], rule))
    places = 0
    for key in order:
        own = level / (family - places)
        found[key] = _finding(known[key], own, rule)
        if found[key].verdict is not Verdict.INCONCLUSIVE:
            places += 1
    return found


def _doubt(known: Estimate, rule: Rule) -> float:
    """Return the chance of error of what is most surely to be said of a comparison."""
    margin = math.log1p(rule.margin)
    distances = (known.location - margin, -margin - known.location, margin - known.location)
    return min(_chance(distance, known) for distance in distances)


def _chance(distance: float, known: Estimate) -> float:
    if known.error == 0:
        return 0.0 if distance > 0 else 1.0
    return chance(distance / known.error, known.pairs - 1)


def _finding(known: Estimate, level: float, rule: Rule) -> Finding:
    margin = math.log1p(rule.margin)
    reach = quantile(level, known.pairs - 1) * known.error
    low, high = known.location - reach, known.location + reach
    if low > margin:
        verdict = Verdict.REGRESSED
    elif high < -margin:
        verdict = Verdict.IMPROVED
    else:
        verdict = Verdict.OK if high < margin else Verdict.INCONCLUSIVE
    return Finding(
        verdict=verdict,
        pairs=known.pairs,
        ratio=math.exp(known.location),
        ci_low=math.exp(low),
        ci_high=math.exp(high),
        level=level,
        # With more pairs, what is not slower may turn out to be faster.
        settled=verdict in {Verdict.REGRESSED, Verdict.IMPROVED}
        or (verdict is Verdict.OK and low > -margin),
    )


def moved(finding: Finding) -> bool:
    """Tell whether a control, whose arms are identical, differs by more than the margin."""
    return finding.verdict in {Verdict.REGRESSED, Verdict.IMPROVED}


def overall(findings: Iterable[Finding], controls: Iterable[Finding]) -> Verdict:
    """Return the verdict of a run: that of the worst comparison, where no control moved."""
    if any(map(moved, controls)):
        return Verdict.UNPROVEN
    verdicts = {finding.verdict for finding in findings}
    for worst in (Verdict.REGRESSED, Verdict.INCONCLUSIVE, Verdict.IMPROVED):
        if worst in verdicts:
            return worst
    return Verdict.OK if verdicts else Verdict.INCONCLUSIVE

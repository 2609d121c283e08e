"""Other tools' rules, as their documentation and sources have them, to be held to the same samples.

Each takes the times of two arms, base first, and says ``slower``, ``faster`` or ``same`` of head.

- pyperf 2.9, ``pyperf/_utils.py``: Student's two-sided t-test on pooled samples at 95%.
- asv 0.6, ``asv/_stats.py`` and ``asv/commands/compare.py``: the U-test of Mann and Whitney with
  p < 0.002, and medians more than the factor 1.1 apart.
- pytest-benchmark 5, ``pytest_benchmark/utils.py``: ``--benchmark-compare-fail=median:5%``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cache
from statistics import NormalDist, fmean, median, variance
from typing import Final

from harness.latency.bootstrap import quantile

Rule = Callable[[Sequence[float], Sequence[float]], str]

_PYPERF_CHANCE: Final = 0.05
_ASV_P: Final = 0.002
_ASV_FACTOR: Final = 1.1
_ASV_EXACT: Final = 20
_BENCHMARK_SHARE: Final = 0.05


def pyperf(base: Sequence[float], head: Sequence[float]) -> str:
    """Compare the means; both arms have as many samples."""
    number = len(base)
    pooled = (variance(base) + variance(head)) / 2
    distance = fmean(head) - fmean(base)
    limit = quantile(_PYPERF_CHANCE / 2, 2 * number - 2) * math.sqrt(2 * pooled / number)
    return _word(distance if abs(distance) >= limit else 0.0)


def asv(base: Sequence[float], head: Sequence[float]) -> str:
    """Compare the ranks, and the medians."""
    before, after = median(base), median(head)
    if mann_whitney(base, head) >= _ASV_P:
        return _word(0.0)
    if after > before * _ASV_FACTOR or before > after * _ASV_FACTOR:
        return _word(after - before)
    return _word(0.0)


def pytest_benchmark(base: Sequence[float], head: Sequence[float]) -> str:
    """Compare the medians; the tool knows no ``faster``."""
    slower = median(head) > median(base) * (1 + _BENCHMARK_SHARE)
    return _word(1.0 if slower else 0.0)


RULES: Final[dict[str, Rule]] = {
    "pyperf": pyperf,
    "asv": asv,
    "pytest-benchmark": pytest_benchmark,
}


def _word(distance: float) -> str:
    if distance == 0:
        return "same"
    return "slower" if distance > 0 else "faster"


def mann_whitney(one: Sequence[float], other: Sequence[float]) -> float:
    """Return the two-sided chance of ranks as far apart as these.

    Exact up to 20 values a side, else by the normal distribution, as asv has it.  Ties are put
    where they matter least.
    """
    size = len(one) * len(other)
    above = sum(a > b for a in one for b in other)
    ties = sum(a == b for a in one for b in other)
    middle = size / 2
    low, high = above, above + ties
    nearest = min(max(middle, low), high)
    least = math.ceil(min(nearest, size - nearest))
    if max(len(one), len(other)) <= _ASV_EXACT:
        counts = _orderings(len(one), len(other))
        return min(1.0, 2 * sum(counts[: least + 1]) / sum(counts))
    spread = math.sqrt(size * (len(one) + len(other) + 1) / 12)
    return min(1.0, 2 * NormalDist().cdf((least - middle) / spread))


@cache
def _orderings(one: int, other: int) -> tuple[int, ...]:
    """Return, by U, how many orders of so many values of either side there are."""
    if one == 0 or other == 0:
        return (1,)
    counts = [0] * (one * other + 1)
    # The greatest value is of the one side, and stands above all of the other, or it is not.
    for place, number in enumerate(_orderings(one - 1, other)):
        counts[place + other] += number
    for place, number in enumerate(_orderings(one, other - 1)):
        counts[place] += number
    return tuple(counts)

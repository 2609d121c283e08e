"""Finding steps in a series.

What finds them is the package ruptures (PELT: the best of all ways to cut a series, exactly).
It is given the logarithms, so that a step is a ratio, in units of the series' own noise, and the
sum of absolute deviations as the cost, so that single slow nights cut nothing.  A cut counts as a
step when the medians on its sides differ by a margin and a rank-sum test agrees.
"""

from __future__ import annotations

import math
import statistics
from importlib import import_module
from itertools import pairwise
from typing import Final

import msgspec

from harness.errors import MachineFault
from harness.history.model import Series, Step

_MAD_OF_NORMAL: Final = 0.6745


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What counts as a step.

    ``shortest`` is the fewest readings on either side; ``margin`` the least relative change;
    ``alpha`` the greatest ``p``; ``penalty`` what a cut must gain, times the logarithm of the
    number of readings.
    """

    shortest: int = 5
    margin: float = 0.05
    alpha: float = 0.001
    penalty: float = 3.0


DEFAULTS: Final = Options()


def fewest(options: Options = DEFAULTS) -> int:
    """Return the number of readings from which on a series can have a step at all.

    With fewer, the rank-sum test has no p as small as ``alpha``, however far the sides are apart.
    """
    number = 2 * options.shortest
    while rank_sum([0.0] * (number // 2), [1.0] * (number - number // 2)) > options.alpha:
        number += 1
    return number


def find_steps(series: Series, options: Options = DEFAULTS) -> tuple[Step, ...]:
    """Return the steps of a series, the oldest first.

    Raises
    ------
    MachineFault
        The package ruptures is not installed.
    """
    values = [math.log(reading.value) for reading in series.readings]
    if len(values) < fewest(options):
        return ()
    noise = _noise(values)
    cuts = _cuts([value / noise for value in values], options)
    ends = [0, *cuts, len(values)]
    found = []
    for begin, cut, end in zip(ends, ends[1:], ends[2:], strict=False):
        before, after = values[begin:cut], values[cut:end]
        change = statistics.median(after) - statistics.median(before)
        if abs(change) < math.log1p(options.margin):
            continue
        p = rank_sum(before, after)
        if p <= options.alpha:
            found.append(
                Step(
                    key=series.key,
                    at=series.readings[cut].at,
                    before=math.exp(statistics.median(before)),
                    after=math.exp(statistics.median(after)),
                    readings=(len(before), len(after)),
                    p=p,
                )
            )
    return tuple(found)


def rank_sum(one: list[float], other: list[float]) -> float:
    """Return the two-sided p of the rank-sum test, by its normal approximation with ties."""
    size = len(one) + len(other)
    pairs = sorted([(value, 0) for value in one] + [(value, 1) for value in other])
    rank, ties = 0.0, 0.0
    begin = 0
    while begin < size:
        end = begin
        while end < size and pairs[end][0] == pairs[begin][0]:
            end += 1
        mean = (begin + end + 1) / 2
        rank += mean * sum(1 for _, side in pairs[begin:end] if side == 0)
        ties += (end - begin) ** 3 - (end - begin)
        begin = end
    expected = len(one) * (size + 1) / 2
    spread = len(one) * len(other) / 12 * (size + 1 - ties / (size * (size - 1)))
    if spread <= 0:
        return 1.0
    # Half a rank for the step from whole ranks to a curve.
    z = max(abs(rank - expected) - 0.5, 0.0) / math.sqrt(spread)
    return math.erfc(z / math.sqrt(2))


def _noise(values: list[float]) -> float:
    """Return the spread from one reading to the next, on which a step has no part."""
    jumps = [abs(after - before) for before, after in pairwise(values)]
    # Of a clock with coarse ticks most readings are as the one before: their median would say that
    # there is no noise, and each tick more or less would be a cut.
    jump = statistics.median(jumps) or statistics.fmean(jumps)
    spread = jump / _MAD_OF_NORMAL / math.sqrt(2)
    # Readings that do not vary: any change at all is one, and the margin decides.
    return max(spread, 1e-9)


def _cuts(values: list[float], options: Options) -> list[int]:
    try:
        # By name: neither is there unless it was asked for, for a type checker as well.
        numpy, ruptures = import_module("numpy"), import_module("ruptures")
    except ImportError:
        raise MachineFault(
            "finding steps takes the package ruptures, which is not installed: "
            "pip install 'r-python-harness[history]'"
        ) from None
    search = ruptures.Pelt(model="l1", min_size=options.shortest, jump=1)
    penalty = options.penalty * math.log(len(values))
    ends = search.fit(numpy.asarray(values)).predict(pen=penalty)
    return [int(end) for end in ends[:-1]]

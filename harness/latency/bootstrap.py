"""Where the middle of a series lies, and how far off that may be where neighbours are alike.

The location is the mean without the least and the greatest fifth: a process that the machine
held up does not carry it off.  Its standard error is that of the circular block bootstrap
(Politis and Romano, 1992), whose blocks keep what neighbours have in common, or that of values
taken one by one where that is greater.  Bounds are so many standard errors away as Student's t
has it, because with few values a bootstrap alone gives bounds that are too narrow (Hesterberg,
2015).

Of libraries, arch has this bootstrap, and with it pandas, statsmodels and scipy, 200 MB for ten
lines; scipy's own bootstrap knows no blocks.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from itertools import chain
from statistics import NormalDist, fmean
from typing import Final

from harness.latency.model import Estimate

TRIMMED: Final = 0.2
"""Share of the values that is left out at either end."""
RESAMPLES: Final = 600
_SEED: Final = 20240


def location(values: Sequence[float]) -> float:
    """Return the trimmed mean."""
    out = int(len(values) * TRIMMED)
    return fmean(sorted(values)[out : len(values) - out])


def block_length(number: int) -> int:
    """Return the length of the blocks for so many values: the cube root of their number."""
    return max(1, round(math.cbrt(number)))


def estimate(values: Sequence[float]) -> Estimate:
    """Return the location of a series in the order in which it was taken, with its error.

    A pure function: the resampling is drawn with a fixed seed.  Needs two values.
    """
    number = len(values)
    length = block_length(number)
    # Neighbours that differ by chance must not make the whole look surer than its parts.
    spread = max(_spread(values, each) for each in dict.fromkeys((1, length)))
    # The values vary less about their own mean than about the true one.
    error = spread * math.sqrt(number / (number - 1))
    return Estimate(location=location(values), error=error, pairs=number, block=length)


def _spread(values: Sequence[float], length: int) -> float:
    """Return the standard deviation of the location over resamples of blocks."""
    number = len(values)
    blocks = math.ceil(number / length)
    draw = random.Random(_SEED)  # noqa: S311 - resampling, not a secret
    twice = [*values, *values]
    starts = range(number)
    found = []
    for _ in range(RESAMPLES):
        parts = (twice[start : start + length] for start in draw.choices(starts, k=blocks))
        found.append(location(list(chain.from_iterable(parts))[:number]))
    mean = fmean(found)
    return math.sqrt(fmean((one - mean) ** 2 for one in found))


def quantile(chance: float, freedom: int) -> float:
    """Return how many standard errors off a bound is that errs with ``chance`` (below 0.5).

    Student's t by Wallace's approximation (1959), right to about 1% from four degrees of
    freedom on, and on the safe side.
    """
    normal = -NormalDist().inv_cdf(chance)
    scaled = normal * (8 * freedom + 3) / (8 * freedom + 1)
    return math.sqrt(freedom * math.expm1(scaled * scaled / freedom))


def chance(errors: float, freedom: int) -> float:
    """Return the chance of a value that lies so many standard errors off or more: the inverse."""
    scaled = math.sqrt(freedom * math.log1p(errors * errors / freedom))
    normal = math.copysign(scaled * (8 * freedom + 1) / (8 * freedom + 3), errors)
    return NormalDist().cdf(-normal)

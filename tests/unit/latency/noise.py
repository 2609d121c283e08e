"""Made-up times: noise as busy machines have it, in the order in which processes are run."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

from harness.latency.model import Sample, Times
from harness.latency.schedule import TEST


def autocorrelated(number: int, seed: int, *, spread: float, likeness: float) -> list[float]:
    """Return logarithms of times; ``likeness`` is the correlation of neighbours."""
    draw = random.Random(seed)
    values = [draw.gauss(0, 1)]
    for _ in range(number - 1):
        step = math.sqrt(1 - likeness**2) * draw.gauss(0, 1)
        values.append(likeness * values[-1] + step)
    return [spread * value for value in values]


def held_up(number: int, seed: int) -> list[float]:
    """Return logarithms of times of which one in twelve was held up for long."""
    draw = random.Random(seed)
    return [
        draw.gauss(0, 0.05) + (draw.expovariate(2) if draw.random() < 1 / 12 else 0)
        for _ in range(number)
    ]


def paired(noise: Sequence[float], slower: float = 1.0) -> list[float]:
    """Return log(head/base) of pairs in which base and head begin by turns."""
    found = []
    for number in range(len(noise) // 2):
        first, second = noise[2 * number], noise[2 * number + 1]
        begins = TEST[number % 2][0]
        found.append((second - first if begins == "base" else first - second) + math.log(slower))
    return found


def samples(
    noise: Sequence[float], *, metric: str = "noop", once: float = 1e-4, slower: float = 1.0
) -> list[Sample]:
    """Return processes of one cell, a second each, with one metric."""
    found = []
    for at, value in enumerate(noise[: len(noise) // 4 * 4]):
        pair, place = at // 2 % 2, at % 2
        arm = TEST[pair][place]
        time = once * math.exp(value) * (slower if arm == "head" else 1)
        found.append(
            Sample(
                cell="cell",
                round=at // 4,
                pair=pair,
                place=place,
                arm=arm,
                times={metric: Times(time * 2, time)},
                wall_s=1.0,
            )
        )
    return found

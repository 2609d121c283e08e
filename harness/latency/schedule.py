"""What is run in which order, and when the results are looked at: all of it known beforehand."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Final

from harness.latency.model import Rule

Pair = tuple[str, str]
"""The arms of two processes that are run side by side; the first begins each stage."""

TEST: Final[tuple[Pair, Pair]] = (("base", "head"), ("head", "base"))
IDENTICAL: Final[Pair] = ("base", "base")
"""The control of identical arms."""
NO_BRIDGE: Final[Pair] = ("native", "native")
"""The control without a bridge."""
PAIRS: Final = len(TEST)
"""Pairs of base and head in a round."""
_EARLY: Final = 2 / 3


def orders(seed: int, *, native: bool = True) -> Iterator[tuple[Pair, ...]]:
    """Yield the pairs of each round in the order in which they are run, without end.

    Each round has as many pairs in which base begins as pairs in which head does, so that what the
    first of two processes leaves for the second (warm caches, a warm processor) cancels out, and
    which of them comes first is drawn.  Every other round has a pair of identical arms as well, at
    a place that is drawn; the control without a bridge, which takes little time, is in each.
    """
    draw = random.Random(seed)  # noqa: S311 - a shuffle, not a secret
    whole = 0
    while True:
        pairs = [*TEST, *([IDENTICAL] if whole % 2 else [])]
        draw.shuffle(pairs)
        yield (*pairs, *([NO_BRIDGE] if native else []))
        whole += 1


class Looks:
    """When the results are looked at, and with what chance of error in each direction.

    At ``rule.first`` pairs, at twice as many, and so on, as long as at least a third of the budget
    is left; and once the budget is used.  Each look spends half of what is left of ``rule.alpha``
    and the last all of it: the sum is ``alpha``, so that together they are wrong no more often
    than that, however much they depend on each other (Bonferroni).
    """

    def __init__(self, rule: Rule) -> None:
        self._next = rule.first
        self._left = rule.alpha

    def due(self, pairs: int, spent: float) -> float | None:
        """Return the level of a look that is due now; ``None`` where none is.

        Parameters
        ----------
        spent
            The share of the budget that is used; from 1 on, the look is the last.
        """
        if spent >= 1:
            level, self._left = self._left, 0.0
            return level
        if pairs < self._next:
            return None
        while self._next <= pairs:
            self._next *= 2
        if spent > _EARLY:
            return None
        self._left /= 2
        return self._left

"""What is run in which order, and when the results are looked at: all of it known beforehand."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from itertools import count
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
    which of them comes first is drawn.  The control without a bridge, which takes little time, is
    in each round, and a pair of identical arms in some, at a place that is drawn.
    """
    draw = random.Random(seed)  # noqa: S311 - a shuffle, not a secret
    for number in count():
        pairs = [*TEST, *([IDENTICAL] if has_identical(number) else [])]
        draw.shuffle(pairs)
        yield (*pairs, *([NO_BRIDGE] if native else []))


def has_identical(number: int) -> bool:
    """Tell whether a round, counted from 0, has a pair of identical arms.

    Every other one has; the first two have not, so that a short budget goes into the question.
    """
    return number > 0 and number % 2 == 0


def share_of(budget_s: float, rounds_s: Sequence[float]) -> float:
    """Return the share of a budget that rounds of so many seconds have used.

    It is 1 where another round would exceed the budget, were each of its pairs to take as long as
    those of the slowest round until now.
    """
    if not rounds_s:
        return 0.0
    spent = sum(rounds_s)
    slowest = max(took / _pairs_of(number) for number, took in enumerate(rounds_s))
    next_s = slowest * _pairs_of(len(rounds_s))
    return 1.0 if spent + next_s > budget_s else spent / budget_s


def _pairs_of(number: int) -> int:
    """Return how many pairs with a bridge a round has."""
    return PAIRS + has_identical(number)


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

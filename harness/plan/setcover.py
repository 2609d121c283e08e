"""The fewest of many sets that together hold everything: set cover, as well as time allows.

Sets and what they hold are numbered; the answer depends on those numbers alone, so that it is
the same wherever and whenever it is asked for.  Finding the fewest is NP-hard.  Here

* ``greedy`` takes the set that brings most that is new, again and again;
* ``without_idle`` leaves out sets that the others make up for;
* ``Search`` then tries to do with one set less, again and again: the local search with row
  weights of Gao, Weise and Li (European Journal of Operational Research 246, 2015).

``bench/cover.py`` compares them with the libraries for covering arrays and set cover.
"""

from __future__ import annotations

from array import array
from collections.abc import Collection, Iterable, Sequence
from typing import Final

Sets = Sequence[Sequence[int]]

MOST_STEPS: Final = 20_000
"""Sets that the search exchanges at most; fewer where the cover is small."""
STEPS_A_SET: Final = 200
MOST_WORK: Final = 30_000_000
"""What the search looks at, at most, which bounds its time to seconds."""
_POOL: Final = 200
"""Sets of the cover of which the search takes the least useful one out; more are sampled."""


def holders_of(sets: Sets, count: int) -> list[array[int]]:
    """Return for each of ``count`` things the sets that hold it, ascending."""
    holders = [array("i") for _ in range(count)]
    for number, things in enumerate(sets):
        for thing in things:
            holders[thing].append(number)
    return holders


def fewest(sets: Sets, count: int, enough: int = 0) -> list[int]:
    """Return the numbers of sets that together hold all of ``count`` things, ascending.

    Each thing is in at least one of ``sets``.  No set of the answer can be left out.

    Parameters
    ----------
    enough
        A lower bound: an answer with so few sets is not improved upon.
    """
    holders = holders_of(sets, count)
    found = without_idle(sets, greedy(sets, holders), count)
    if len(found) > enough:
        steps = min(MOST_STEPS, STEPS_A_SET * len(found))
        better = Search(sets, holders, found).run(enough, steps)
        found = min(found, without_idle(sets, better, count), key=len)
    return sorted(found)


def greedy(sets: Sets, holders: Sequence[Sequence[int]]) -> list[int]:
    """Return sets that hold everything, each the one that brings most that is new.

    Of several, the one with the least number is taken.  The time is linear in the sizes of
    all sets: what a set brings only ever falls, so it is moved down from bucket to bucket.
    """
    brings = [len(things) for things in sets]
    buckets: list[list[int]] = [[] for _ in range(max(brings, default=0) + 1)]
    for number, size in enumerate(brings):
        buckets[size].append(number)
    held = bytearray(len(holders))
    chosen: list[int] = []
    for size in range(len(buckets) - 1, 0, -1):
        for number in sorted(buckets.pop()):
            if brings[number] < size:
                buckets[brings[number]].append(number)
                continue
            chosen.append(number)
            for thing in sets[number]:
                if not held[thing]:
                    held[thing] = 1
                    for other in holders[thing]:
                        brings[other] -= 1
    return chosen


def without_idle(
    sets: Sets, chosen: Iterable[int], count: int, fixed: Collection[int] = ()
) -> list[int]:
    """Leave out what the rest makes up for, the last first, until each one is needed.

    What is ``fixed`` stays.
    """
    chosen = list(chosen)
    times = [0] * count
    for number in chosen:
        for thing in sets[number]:
            times[thing] += 1
    kept: list[int] = []
    for number in reversed(chosen):
        if number not in fixed and all(times[thing] > 1 for thing in sets[number]):
            for thing in sets[number]:
                times[thing] -= 1
        else:
            kept.append(number)
    return kept[::-1]


class Search:
    """A cover that is taken apart and put together again, in search of a smaller one.

    A thing that stays out gains weight with every step, so the search does not go in circles.
    ``score`` is the weight that a set of the cover alone holds, or that another would bring.
    """

    def __init__(self, sets: Sets, holders: Sequence[Sequence[int]], start: Sequence[int]) -> None:
        self._sets = sets
        self._holders = holders
        self._weight = [1] * len(holders)
        self._times = [0] * len(holders)
        self._out: list[int] = []
        """Things that no set of the cover holds; ``_place`` says where in the list."""
        self._place: dict[int, int] = {}
        self._cover = bytearray(len(sets))
        self._score = [0] * len(sets)
        self._moved = [0] * len(sets)
        self._work = 0
        self._seed = len(start)
        for number in start:
            self._cover[number] = 1
            for thing in sets[number]:
                self._times[thing] += 1
        for number, things in enumerate(sets):
            alone = 1 if self._cover[number] else 0
            self._score[number] = sum(self._times[thing] == alone for thing in things)
        fixed = {held_by[0] for held_by in holders if len(held_by) == 1}
        self._fixed = [number for number in start if number in fixed]
        self._free = [number for number in start if number not in fixed]

    def run(self, enough: int, steps: int, work: int = MOST_WORK) -> list[int]:
        """Return the smallest cover found, at best of ``enough`` sets."""
        best = [*self._fixed, *self._free]
        last = -1
        for step in range(1, steps + 1):
            while not self._out:
                best = [*self._fixed, *self._free]
                if len(best) <= enough or not self._free:
                    return best
                self._remove(self._least_useful(-1))
            if self._work > work:
                break
            if self._free:
                least = self._least_useful(last)
                self._remove(least)
                self._moved[least] = step
            last = self._best_holder(self._out[self._random(len(self._out))], step)
            self._add(last)
            self._moved[last] = step
            for thing in self._out:
                self._weight[thing] += 1
                for number in self._holders[thing]:
                    self._score[number] += 1
                self._work += len(self._holders[thing])
        return best

    def _least_useful(self, spared: int) -> int:
        """Return the index in ``_free`` of the set that matters least, the longest unmoved."""
        count = len(self._free)
        sample = range(count) if count <= _POOL else [self._random(count) for _ in range(_POOL)]
        self._work += len(sample)
        return min(
            (
                self._free[index] == spared,
                self._score[self._free[index]],
                self._moved[self._free[index]],
                self._free[index],
                index,
            )
            for index in sample
        )[-1]

    def _best_holder(self, thing: int, step: int) -> int:
        """Return the set that brings most of those that hold ``thing``, but the one just taken."""
        self._work += len(self._holders[thing])
        return min(
            (self._moved[number] == step, -self._score[number], self._moved[number], number)
            for number in self._holders[thing]
        )[-1]

    def _add(self, number: int) -> None:
        self._cover[number] = 1
        self._free.append(number)
        score = 0
        for thing in self._sets[number]:
            times, weight = self._times[thing], self._weight[thing]
            self._times[thing] = times + 1
            if times == 0:
                self._take_in(thing)
                score += weight
                for other in self._holders[thing]:
                    self._score[other] -= weight
                self._work += len(self._holders[thing])
            elif times == 1:
                self._score[self._only_other(thing, number)] -= weight
        self._score[number] = score

    def _remove(self, index: int) -> None:
        number, last = self._free[index], self._free.pop()
        if index < len(self._free):
            self._free[index] = last
        self._cover[number] = 0
        score = 0
        for thing in self._sets[number]:
            times, weight = self._times[thing], self._weight[thing]
            self._times[thing] = times - 1
            if times == 1:
                self._place[thing] = len(self._out)
                self._out.append(thing)
                score += weight
                for other in self._holders[thing]:
                    self._score[other] += weight
                self._work += len(self._holders[thing])
            elif times == 2:  # noqa: PLR2004 - one is left, which alone holds it from now on
                self._score[self._only_other(thing, number)] += weight
        self._score[number] = score

    def _only_other(self, thing: int, number: int) -> int:
        """Return the one set of the cover, other than ``number``, that holds ``thing``."""
        return next(
            other for other in self._holders[thing] if self._cover[other] and other != number
        )

    def _take_in(self, thing: int) -> None:
        index, last = self._place.pop(thing), self._out.pop()
        if last != thing:
            self._out[index] = last
            self._place[last] = index

    def _random(self, below: int) -> int:
        """Return a number from 0 that looks random, and is the same with every Python."""
        self._seed = (self._seed * 6364136223846793005 + 1442695040888963407) % 2**64
        return (self._seed >> 33) % below

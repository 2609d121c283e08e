"""Where along a series of values the outcome changes, found by asking for few of them.  Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum, auto
from itertools import pairwise

import msgspec


class Verdict(Enum):
    """What one value came to."""

    PASS = auto()
    FAIL = auto()
    SKIP = auto()
    """Nothing can be told: what the value asks for cannot exist, or not here."""


class Boundary(msgspec.Struct, frozen=True, kw_only=True):
    """Two values, by their places, with different outcomes, and nothing known between them.

    ``between`` are the places of the values that lie there: each was asked for and skipped,
    so the outcome may change at ``after`` or at any of these.
    """

    before: int
    after: int
    between: tuple[int, ...] = ()


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What a search came to: each verdict by its place, in the order of asking."""

    verdicts: Mapping[int, Verdict]
    boundaries: tuple[Boundary, ...]


def most_asked(count: int) -> int:
    """Return how many of ``count`` values are asked for at most, where none is skipped."""
    return min(count, 2 + (max(count, 2) - 2).bit_length())


def search(count: int, ask: Callable[[int], Verdict], *, every: bool = False) -> Found:
    """Find where the outcome changes along the values ``0`` to ``count - 1``.

    Both ends are asked for first, then the middle of what is open between the last value that
    came out like the one end and the first that came out like the other.  A value that is
    skipped leaves the series; the next to it is asked for instead.  Where the ends come out
    alike, nothing between them is asked for: in a series that changes more than once, only
    asking for ``every`` value finds all of that.
    """
    verdicts: dict[int, Verdict] = {}

    def told(place: int) -> Verdict:
        if place not in verdicts:
            verdicts[place] = ask(place)
        return verdicts[place]

    if every:
        for place in range(count):
            told(place)
        return Found(verdicts=verdicts, boundaries=boundaries(verdicts))
    low = next((place for place in range(count) if told(place) is not Verdict.SKIP), count)
    high = next((place for place in reversed(range(count)) if told(place) is not Verdict.SKIP), -1)
    if low < high and told(low) is not told(high):
        unasked = [place for place in range(low + 1, high) if place not in verdicts]
        while unasked:
            place = unasked[len(unasked) // 2]
            verdict = told(place)
            if verdict is Verdict.SKIP:
                unasked.remove(place)
            elif verdict is told(low):
                unasked = [other for other in unasked if other > place]
            else:
                unasked = [other for other in unasked if other < place]
    return Found(verdicts=verdicts, boundaries=boundaries(verdicts))


def boundaries(verdicts: Mapping[int, Verdict]) -> tuple[Boundary, ...]:
    """Return where the outcome changes among the values that have one."""
    places = sorted(place for place, verdict in verdicts.items() if verdict is not Verdict.SKIP)
    skipped = sorted(place for place, verdict in verdicts.items() if verdict is Verdict.SKIP)
    return tuple(
        Boundary(
            before=before,
            after=after,
            between=tuple(place for place in skipped if before < place < after),
        )
        for before, after in pairwise(places)
        if verdicts[before] is not verdicts[after]
    )

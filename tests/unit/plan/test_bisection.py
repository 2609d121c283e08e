"""The search for a boundary: exact where the series has one, honest where values are skipped."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from harness.plan.bisection import Boundary, Found, Verdict, most_asked, search

PASS, FAIL, SKIP = Verdict.PASS, Verdict.FAIL, Verdict.SKIP
LETTERS = {".": PASS, "x": FAIL, "-": SKIP}


def run(series: list[Verdict], *, every: bool = False) -> tuple[Found, list[int]]:
    asked: list[int] = []

    def ask(place: int) -> Verdict:
        asked.append(place)
        return series[place]

    return search(len(series), ask, every=every), asked


def of(letters: str) -> list[Verdict]:
    return [LETTERS[letter] for letter in letters]


@st.composite
def monotone(draw: st.DrawFn) -> list[Verdict]:
    """A series that changes at most once, with values skipped anywhere."""
    count = draw(st.integers(0, 200))
    change = draw(st.integers(0, count))
    first, second = draw(st.sampled_from([(PASS, FAIL), (FAIL, PASS)]))
    skipped = draw(st.sets(st.integers(0, 199), max_size=60))
    return [
        SKIP if place in skipped else first if place < change else second for place in range(count)
    ]


def truth(series: list[Verdict]) -> list[Boundary]:
    """Every change of a series, by walking along it."""
    changes: list[Boundary] = []
    before = None
    for place, verdict in enumerate(series):
        if verdict is SKIP:
            continue
        if before is not None and series[before] is not verdict:
            between = tuple(range(before + 1, place))
            changes.append(Boundary(before=before, after=place, between=between))
        before = place
    return changes


@given(monotone())
def test_the_one_change_of_a_series_is_found_whatever_is_skipped(series: list[Verdict]) -> None:
    found, _ = run(series)
    assert list(found.boundaries) == truth(series)


@given(monotone())
def test_few_are_asked_for_and_none_twice(series: list[Verdict]) -> None:
    found, asked = run(series)
    assert len(asked) == len(set(asked)) == len(found.verdicts)
    told = sum(series[place] is not SKIP for place in asked)
    assert told <= most_asked(len(series))
    if len(series) > 1:
        assert most_asked(len(series)) <= math.ceil(math.log2(len(series))) + 2
    skipped = sum(verdict is SKIP for verdict in series)
    assert len(asked) <= most_asked(len(series)) + skipped


@given(st.lists(st.sampled_from([PASS, FAIL, SKIP]), max_size=60))
def test_what_is_found_in_any_series_is_true(series: list[Verdict]) -> None:
    found, _ = run(series)
    real = truth(series)
    assert all(boundary in real for boundary in found.boundaries)
    ends = [verdict for verdict in series if verdict is not SKIP]
    if ends and ends[0] is not ends[-1]:
        assert len(found.boundaries) == 1
    else:
        assert not found.boundaries


@given(st.lists(st.sampled_from([PASS, FAIL, SKIP]), max_size=60))
def test_every_value_shows_every_change(series: list[Verdict]) -> None:
    found, asked = run(series, every=True)
    assert list(found.boundaries) == truth(series)
    assert asked == list(range(len(series)))


def test_both_ends_come_first() -> None:
    _, asked = run(of("....xxxx"))
    assert asked[:2] == [0, 7]


def test_ends_that_are_skipped_are_stepped_over() -> None:
    found, asked = run(of("--..xx-"))
    assert asked[:4] == [0, 1, 2, 6]
    assert found.boundaries == (Boundary(before=3, after=4),)


def test_ends_that_come_out_alike_end_the_search() -> None:
    found, asked = run(of("..x.."))
    assert asked == [0, 4]
    assert found.boundaries == ()


def test_where_all_is_skipped_nothing_is_told() -> None:
    found, asked = run(of("---"))
    assert sorted(asked) == [0, 1, 2]
    assert found.boundaries == ()

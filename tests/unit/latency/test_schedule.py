from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.latency.model import Rule
from harness.latency.schedule import IDENTICAL, NO_BRIDGE, TEST, Looks, orders, share_of


@given(st.integers(0, 10_000))
def test_each_round_has_one_pair_in_either_order(seed):
    for pairs in islice(orders(seed), 40):
        assert sorted(pair for pair in pairs if set(pair) == {"base", "head"}) == sorted(TEST)


def test_controls_are_in_every_comparison():
    found = list(islice(orders(1), 40))
    assert [IDENTICAL in pairs for pairs in found[:6]] == [False, False, True, False, True, False]
    assert sum(IDENTICAL in pairs for pairs in found) == 19
    assert all(pairs[-1] == NO_BRIDGE for pairs in found)
    assert not any(NO_BRIDGE in pairs for pairs in islice(orders(1, native=False), 40))


def test_the_order_is_drawn_and_known_beforehand():
    one, again, other = (list(islice(orders(seed), 40)) for seed in (1, 1, 2))
    assert one == again
    assert one != other
    begins = [next(pair for pair in pairs if pair in TEST) for pairs in one]
    # Not merely in turn, which a rhythm of the machine could follow.
    assert 10 < sum(pair == TEST[0] for pair in begins) < 30


def test_a_round_that_would_exceed_the_budget_is_not_begun():
    assert share_of(60.0, []) == 0.0
    # Two rounds of two pairs each, and a third one of three.
    assert share_of(60.0, [16.0, 16.0]) == pytest.approx(32 / 60)
    assert share_of(60.0, [18.0, 18.0]) == 1.0
    # Seven pairs, and a fourth round of two.
    assert share_of(60.0, [12.0, 12.0, 18.0]) == pytest.approx(0.7)
    assert share_of(60.0, [14.0, 14.0, 21.0]) == 1.0


def test_the_slowest_round_says_how_long_another_one_may_take():
    assert share_of(60.0, [10.0, 10.0, 15.0, 10.0]) == pytest.approx(0.75)
    assert share_of(60.0, [12.0, 8.0, 15.0, 10.0]) == 1.0


def test_looks_are_held_at_twice_as_many_pairs_each_time_and_when_the_budget_is_used():
    looks = Looks(Rule(alpha=0.05, first=8))
    assert looks.due(6, 0.1) is None
    assert looks.due(8, 0.1) == pytest.approx(0.025)
    assert looks.due(8, 0.1) is None
    assert looks.due(14, 0.2) is None
    assert looks.due(16, 0.3) == pytest.approx(0.0125)
    assert looks.due(18, 1.0) == pytest.approx(0.0125)


def test_a_look_shortly_before_the_last_is_left_to_that():
    looks = Looks(Rule(alpha=0.05, first=8))
    assert looks.due(8, 0.9) is None
    assert looks.due(10, 1.0) == 0.05


@given(st.lists(st.tuples(st.integers(0, 400), st.floats(0, 0.99)), max_size=12))
def test_looks_together_err_no_more_often_than_one_would(moments):
    looks = Looks(Rule(alpha=0.05))
    levels = [looks.due(pairs, spent) for pairs, spent in moments]
    levels.append(looks.due(500, 1.0))
    assert sum(level for level in levels if level is not None) == pytest.approx(0.05)

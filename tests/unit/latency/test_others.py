import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.latency.others import RULES, asv, mann_whitney, pyperf, pytest_benchmark

TIMES = st.lists(st.floats(0.5, 2.0), min_size=8, max_size=8)


def test_the_u_test_has_the_chances_of_its_tables():
    # No value above any other: 2 of the C(8, 4) = 70 orders are as far apart, of C(12, 6) 2 of 924.
    assert mann_whitney([1, 2, 3, 4], [5, 6, 7, 8]) == pytest.approx(2 / 70)
    assert mann_whitney(range(6), range(6, 12)) == pytest.approx(2 / 924)
    # U = 2 of 5 and 5 values is the critical value at 5%: p = 0.032.
    assert mann_whitney([1, 2, 3, 4, 7], [5, 6, 8, 9, 10]) == pytest.approx(0.0317, abs=1e-3)


def test_the_u_test_of_many_values_is_that_of_the_normal_distribution():
    draw = random.Random(1)
    one = [draw.gauss(0, 1) for _ in range(20)]
    other = [draw.gauss(0.8, 1) for _ in range(20)]
    exact = mann_whitney(one, other)
    near = mann_whitney([*one, min(one) - 1], [*other, max(other) + 1])
    assert near < exact
    assert near == pytest.approx(exact, rel=0.9)


@given(TIMES, TIMES)
def test_the_u_test_does_not_know_which_arm_is_which(one, other):
    assert mann_whitney(one, other) == pytest.approx(mann_whitney(other, one))
    assert 0 <= mann_whitney(one, other) <= 1


@given(TIMES)
def test_no_rule_sees_a_difference_between_equal_samples(times):
    times = [time + place * 1e-6 for place, time in enumerate(times)]
    assert {rule(times, times) for rule in RULES.values()} == {"same"}


def test_pyperf_takes_any_significant_difference_however_small():
    base = [1 + 1e-4 * place for place in range(10)]
    assert pyperf(base, [one * 1.003 for one in base]) == "slower"
    assert pyperf([one * 1.003 for one in base], base) == "faster"


def test_asv_wants_a_tenth_as_well():
    base = [1 + 1e-4 * place for place in range(10)]
    assert asv(base, [one * 1.09 for one in base]) == "same"
    assert asv(base, [one * 1.11 for one in base]) == "slower"
    assert asv([one * 1.11 for one in base], base) == "faster"


def test_pytest_benchmark_looks_at_the_median_and_at_no_chance():
    noise = [1.0, 5.0, 1.0, 0.2, 1.0]
    assert pytest_benchmark(noise, [one * 1.06 for one in noise]) == "slower"
    assert pytest_benchmark(noise, [one * 1.04 for one in noise]) == "same"

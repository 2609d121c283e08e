import math
import random

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from harness.latency.bootstrap import block_length, chance, estimate, location, quantile

VALUES = st.lists(st.floats(-2, 2), min_size=2, max_size=40)

STUDENT = {
    # Two-sided 5% and 0.2% of a table of Student's t.
    (0.025, 5): 2.571,
    (0.025, 10): 2.228,
    (0.025, 30): 2.042,
    (0.001, 7): 4.785,
    (0.001, 15): 3.733,
    (0.001, 60): 3.232,
}


@pytest.mark.parametrize(("key", "table"), STUDENT.items())
def test_quantiles_are_those_of_the_table_or_slightly_wider(key, table):
    found = quantile(*key)
    assert table * 0.9995 <= found <= table * 1.02


@given(st.floats(1e-6, 0.499), st.integers(3, 200))
def test_a_chance_is_the_inverse_of_its_quantile(level, freedom):
    assert chance(quantile(level, freedom), freedom) == pytest.approx(level, rel=1e-6)


@settings(max_examples=25)
@given(VALUES)
def test_an_estimate_is_a_pure_function_of_the_values(values):
    assert estimate(values) == estimate(list(values))


@settings(max_examples=25)
@given(VALUES)
def test_the_mirror_of_the_values_has_the_mirrored_estimate(values):
    there, back = estimate(values), estimate([-value for value in values])
    assert back.location == pytest.approx(-there.location)
    assert back.error == pytest.approx(there.error)


@settings(max_examples=25)
@given(VALUES, st.floats(-1, 1))
def test_a_shift_moves_the_location_alone(values, shift):
    there, shifted = estimate(values), estimate([value + shift for value in values])
    assert shifted.location == pytest.approx(there.location + shift, abs=1e-9)
    assert shifted.error == pytest.approx(there.error, abs=1e-9)


@given(st.lists(st.floats(-0.1, 0.1), min_size=10, max_size=30), st.floats(1, 50))
def test_one_process_that_was_held_up_does_not_carry_the_location_off(values, late):
    assume(max(values) < late)
    assert location([*values, late]) <= max(values)


def test_the_error_is_that_of_a_mean_for_independent_values():
    draw = random.Random(1)
    values = [draw.gauss(0, 1) for _ in range(400)]
    # A trimmed mean of a normal distribution is known a little less well than a mean.
    assert estimate(values).error == pytest.approx(1 / math.sqrt(400), rel=0.2)


def test_blocks_see_that_neighbours_are_alike():
    values = [value for value in (-1.0, 1.0) * 30 for _ in range(1)]
    alike = sorted(values[:30]) + sorted(values[30:])
    draw = random.Random(1)
    mixed = draw.sample(alike, len(alike))
    assert estimate(alike).error > 1.3 * estimate(mixed).error
    assert block_length(60) == 4

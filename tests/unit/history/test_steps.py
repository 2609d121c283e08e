"""Steps that were planted are found, and none where there is none."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import MachineFault
from harness.history import steps as module
from harness.history.model import Key, Reading, Series
from harness.history.steps import Options, fewest, find_steps, rank_sum

KEY = Key(
    cell="native__py3.11__cpu", probe="call", stage="noop", metric="wall_s", machine="m", lock="l"
)
NIGHTS = 60
PLANTED_AT = 40


def series(values: list[float]) -> Series:
    readings = (
        Reading(at=f"2026-{1 + n // 28:02}-{1 + n % 28:02}T02:00:00+00:00", value=value)
        for n, value in enumerate(values)
    )
    return Series(key=KEY, readings=tuple(readings))


def quiet(random: random.Random, count: int) -> list[float]:
    return [math.exp(random.gauss(0, 0.05)) for _ in range(count)]


def skewed(random: random.Random, count: int) -> list[float]:
    return [math.exp(random.expovariate(20)) for _ in range(count)]


def spiky(random: random.Random, count: int) -> list[float]:
    """One night in twenty is disturbed, some by far."""
    return [
        math.exp(random.gauss(0, 0.03) + (random.random() < 0.05) * random.expovariate(2))
        for _ in range(count)
    ]


def wandering(random: random.Random, count: int) -> list[float]:
    """A night is like the one before it."""
    values, last = [], 0.0
    for _ in range(count):
        last = 0.3 * last + random.gauss(0, 0.05)
        values.append(math.exp(last))
    return values


@pytest.mark.parametrize("noise", [quiet, skewed, spiky, wandering])
def test_no_step_where_there_is_none(noise):
    alarms = sum(bool(find_steps(series(noise(random.Random(seed), NIGHTS)))) for seed in range(50))
    # Nights that depend on each other are the hardest; of the others not one in 150 was alarmed.
    assert alarms <= (1 if noise is wandering else 0)


@pytest.mark.parametrize("share", [0.1, 0.2, 0.3])
def test_ticks_of_a_coarse_clock_are_no_steps(share):
    """One tick or two, in no order: of such series every seventh was alarmed."""

    def ticks(source: random.Random) -> list[float]:
        return [0.02 if source.random() < share else 0.01 for _ in range(NIGHTS)]

    alarms = sum(bool(find_steps(series(ticks(random.Random(seed))))) for seed in range(60))
    assert alarms <= 2


@pytest.mark.parametrize("noise", [quiet, spiky])
@pytest.mark.parametrize("factor", [1.2, 1 / 1.2, 1.5])
def test_a_planted_step_is_found_where_it_is(noise, factor):
    for seed in range(20):
        source = random.Random(seed)
        values = noise(source, PLANTED_AT)
        values += [factor * value for value in noise(source, NIGHTS - PLANTED_AT)]
        planted = series(values)
        (step,) = find_steps(planted)
        place = [reading.at for reading in planted.readings].index(step.at)
        assert abs(place - PLANTED_AT) <= 3
        assert step.ratio == pytest.approx(factor, rel=0.05)
        assert sum(step.readings) == NIGHTS


def test_each_of_two_steps_is_compared_with_its_neighbours():
    source = random.Random(3)
    values = [level * value for level in (1.0, 1.5, 1.0) for value in quiet(source, 20)]
    up, down = find_steps(series(values))
    assert (up.readings, down.readings) == ((20, 20), (20, 20))
    assert up.ratio == pytest.approx(1.5, rel=0.05)
    assert down.ratio == pytest.approx(1 / 1.5, rel=0.05)


def test_a_step_below_the_margin_is_none():
    values = [1.0, 1.001] * 20 + [1.04, 1.041] * 20
    assert find_steps(series(values)) == ()
    assert len(find_steps(series(values), Options(margin=0.03))) == 1


def test_a_series_that_does_not_vary_but_for_its_step():
    (step,) = find_steps(series([2.0] * 20 + [3.0] * 20))
    assert (step.before, step.after) == (pytest.approx(2.0), pytest.approx(3.0))


def test_one_slow_night_is_no_step():
    values = quiet(random.Random(1), NIGHTS)
    values[30] *= 10
    assert find_steps(series(values)) == ()


def test_a_series_that_is_said_to_be_long_enough_can_have_a_step():
    enough = fewest()
    half = enough // 2
    assert find_steps(series([1.0] * half + [9.0] * (enough - half)))
    for before in range(enough):
        assert not find_steps(series([1.0] * before + [9.0] * (enough - 1 - before)))


@pytest.mark.parametrize("count", [0, 1, 9])
def test_a_series_that_is_too_short_has_no_step(count):
    assert find_steps(series([1.0] * (count // 2) + [9.0] * (count - count // 2))) == ()


@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 10_000), scale=st.sampled_from([1e-6, 0.37, 5.0, 1e4]))
def test_the_unit_does_not_matter(seed, scale):
    source = random.Random(seed)
    values = quiet(source, 15) + [1.3 * value for value in quiet(source, 15)]
    places = [step.at for step in find_steps(series(values))]
    scaled = find_steps(series([scale * value for value in values]))
    assert [step.at for step in scaled] == places


def test_the_rank_sum_test():
    assert rank_sum([1.0, 2.0, 3.0], [1.0, 2.0, 3.0]) == 1.0
    assert rank_sum([5.0] * 9, [5.0] * 9) == 1.0
    # As scipy's mannwhitneyu(method="asymptotic") has it.
    assert rank_sum([1.0, 2, 3, 4, 5], [6.0, 7, 8, 9, 10]) == pytest.approx(0.012185780355344818)
    assert rank_sum([1.0, 2, 2, 3], [2.0, 3, 4, 4, 5]) == pytest.approx(0.07854585095119067)


def test_the_package_that_finds_steps_is_asked_for_in_one_sentence(monkeypatch):
    def absent(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(module, "import_module", absent)
    with pytest.raises(MachineFault, match=r"pip install 'r-python-harness\[history\]'"):
        find_steps(series([1.0] * 20))

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.latency.calibration import OURS, Recorded, Series, shares, upper_bound
from harness.latency.model import Rule, Verdict
from tests.unit.latency.noise import autocorrelated, samples

RULE = Rule()
BUDGET = 40.0  # seconds; a round takes four


def series(*, rounds=40, spread=0.03, slower=1.0, planted=1.0):
    noise = autocorrelated(rounds * 4, 7, spread=spread, likeness=0.5)
    return Series(
        cell="cell",
        path="reticulate",
        clocks={"noop": "cpu"},
        samples=tuple(samples(noise, slower=slower)),
        planted=planted,
    )


def of(found, **wanted):
    return [
        one for one in found if all(getattr(one, key) == value for key, value in wanted.items())
    ]


def test_the_bound_is_that_of_clopper_and_pearson():
    # The rule of three, and two values of a table of the exact bound.
    assert upper_bound(0, 300) == pytest.approx(1 - 0.05 ** (1 / 300))
    assert upper_bound(1, 20) == pytest.approx(0.2161, abs=1e-3)
    assert upper_bound(5, 50) == pytest.approx(0.1996, abs=1e-3)
    assert upper_bound(7, 7) == 1.0


@given(st.integers(0, 20), st.integers(21, 400))
def test_the_bound_lies_above_the_share_and_falls_with_more_comparisons(found, number):
    assert found / number < upper_bound(found, number) <= 1
    assert upper_bound(found, number * 2) < upper_bound(found, number)


def test_replays_for_false_alarms_share_no_process():
    recorded = Recorded(series(), BUDGET, RULE)
    used = sum(one.rounds for one in recorded.one_after_the_other())
    assert used <= recorded.rounds == 40
    assert used > 30


def test_a_replay_ends_as_soon_as_all_is_settled_and_no_later_than_its_budget():
    quiet = Recorded(series(spread=1e-4), BUDGET, RULE).replay(0)
    assert quiet.verdicts == {"noop": Verdict.OK}
    assert quiet.rounds * 2 == RULE.first
    loud = Recorded(series(spread=0.5), BUDGET, RULE).replay(0)
    assert loud.verdicts == {"noop": Verdict.INCONCLUSIVE}
    assert loud.rounds > quiet.rounds
    assert loud.seconds <= BUDGET


def test_a_series_that_ends_before_the_verdict_is_no_comparison():
    assert Recorded(series(rounds=6, spread=0.5), BUDGET, RULE).replay(0) is None


def test_identical_arms_are_counted_beside_other_tools():
    found = shares([series()], BUDGET, RULE)
    alarms = of(found, factor=1.0)
    assert {one.tool for one in alarms} == {OURS, "pyperf", "asv", "pytest-benchmark"}
    ours = of(alarms, tool=OURS)
    assert [(one.found, one.alone) for one in ours] == [(0, False), (0, True)]
    assert ours[0].upper == upper_bound(0, ours[0].of)
    assert {one.order for one in of(alarms, tool="asv")} == {"interleaved", "in turn"}


def test_a_comparison_that_could_raise_no_alarm_is_not_counted():
    recorded = Recorded(series(), 4.0, RULE)
    assert recorded.replay(0).verdicts == {}
    assert of(shares([series()], 4.0, RULE), tool=OURS, factor=1.0) == []


def test_a_slowdown_of_half_is_found_and_one_of_nothing_is_not():
    found = shares([series()], BUDGET, RULE)
    half = of(found, tool=OURS, factor=1.5, real=False)
    assert half
    assert all(one.found == one.of for one in half)
    assert {one.alone for one in half} == {False, True}


def test_a_multiplied_time_is_judged_as_one_that_was_really_slower():
    multiplied = of(shares([series()], BUDGET, RULE), tool=OURS, factor=1.2, alone=True)[0]
    real = of(
        shares([series(slower=1.2, planted=1.2)], BUDGET, RULE), tool=OURS, factor=1.2, alone=True
    )[0]
    assert (real.found, real.of) == (multiplied.found, multiplied.of)
    assert real.real
    assert not multiplied.real


def test_all_of_base_and_then_all_of_head_is_what_a_machine_that_slows_down_deceives():
    slower = [0.004 * at for at in range(160)]
    drifting = Series(
        cell="cell", path="native", clocks={"noop": "cpu"}, samples=tuple(samples(slower))
    )
    found = of(shares([drifting], BUDGET, RULE), factor=1.0)
    assert all(one.found == 0 for one in of(found, tool=OURS))
    in_turn = of(found, tool="pyperf", order="in turn")
    assert all(one.found == one.of for one in in_turn)

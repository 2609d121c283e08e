import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.latency.model import Finding, Rule, Verdict
from harness.latency.verdict import judge, moved, overall
from tests.unit.latency.noise import autocorrelated, held_up, paired

RULE = Rule()
LEVEL = 0.05
RATIOS = st.lists(st.floats(-0.5, 0.5), min_size=6, max_size=24)


def one(values, level=LEVEL):
    return judge({"only": values}, level, RULE)["only"]


@settings(max_examples=25)
@given(RATIOS)
def test_a_verdict_is_a_pure_function_of_the_pairs(values):
    assert one(values) == one(tuple(values))


@settings(max_examples=25)
@given(RATIOS)
def test_swapping_the_arms_inverts_the_ratio_and_mirrors_the_verdict(values):
    there, back = one(values), one([-value for value in values])
    assert back.ratio == pytest.approx(1 / there.ratio)
    assert back.ci_low == pytest.approx(1 / there.ci_high)
    assert back.ci_high == pytest.approx(1 / there.ci_low)
    assert (there.verdict is Verdict.REGRESSED) == (back.verdict is Verdict.IMPROVED)
    assert there.settled == back.settled


@settings(max_examples=25)
@given(st.lists(st.tuples(st.floats(0.5, 2), st.floats(0.5, 2)), min_size=6, max_size=24))
def test_times_of_a_machine_twice_as_slow_give_the_same_verdict(times):
    as_they_are = one([math.log(head / base) for base, head in times])
    doubled = one([math.log(head * 2 / (base * 2)) for base, head in times])
    assert doubled == as_they_are


def test_the_bound_is_held_against_the_margin_and_not_against_zero():
    surely_three_percent = [math.log(1.03) + wobble for wobble in (-1e-4, 1e-4) * 10]
    assert one(surely_three_percent).verdict is Verdict.OK
    surely_eight_percent = [math.log(1.08) + wobble for wobble in (-1e-4, 1e-4) * 10]
    assert one(surely_eight_percent).verdict is Verdict.REGRESSED
    assert one([-value for value in surely_eight_percent]).verdict is Verdict.IMPROVED


def test_a_ratio_about_the_margin_is_inconclusive_and_buys_more_pairs():
    about = [math.log(1.05) + wobble for wobble in (-0.05, 0.05) * 5]
    assert one(about).verdict is Verdict.INCONCLUSIVE
    assert not one(about).settled


def test_a_little_faster_is_ok_and_might_become_improved():
    faster = [-math.log(1.05) + wobble for wobble in (-0.02, 0.02) * 5]
    assert one(faster).verdict is Verdict.OK
    assert not one(faster).settled


def test_few_pairs_prove_nothing():
    found = one([1.0] * (RULE.fewest - 1))
    assert found == Finding(verdict=Verdict.INCONCLUSIVE, pairs=RULE.fewest - 1)


def test_many_comparisons_have_to_be_surer_each():
    values = paired(autocorrelated(48, 4, spread=0.1, likeness=0.3), slower=1.2)
    alone = one(values)
    quiet = {f"quiet {n}": paired(autocorrelated(48, n, spread=0.3, likeness=0)) for n in range(9)}
    among = judge({"this": values, **quiet}, LEVEL, RULE)["this"]
    assert alone.level == LEVEL
    assert among.level == LEVEL / 10
    assert among.ci_low < alone.ci_low
    assert among.ratio == alone.ratio


def test_the_surest_comparisons_leave_more_to_the_others():
    sure = [math.log(1.5) + wobble for wobble in (-1e-3, 1e-3) * 8]
    unsure = paired(autocorrelated(32, 2, spread=0.4, likeness=0))
    found = judge({"sure": sure, "unsure": unsure}, LEVEL, RULE)
    assert found["sure"].level == LEVEL / 2
    assert found["unsure"].level == LEVEL


NOISE = {
    "wall": lambda n, seed: autocorrelated(n, seed, spread=0.4, likeness=0.87),
    "cpu": lambda n, seed: autocorrelated(n, seed, spread=0.12, likeness=0.6),
    "independent": lambda n, seed: autocorrelated(n, seed, spread=0.15, likeness=0.0),
    "held up": held_up,
}


@pytest.mark.parametrize("noise", NOISE)
def test_identical_arms_raise_hardly_an_alarm_whatever_the_noise(noise):
    found = [one(paired(NOISE[noise](32, seed))).verdict for seed in range(120)]
    alarms = sum(verdict in {Verdict.REGRESSED, Verdict.IMPROVED} for verdict in found)
    assert alarms <= 3  # 2%; at the margin it would be 5% in each direction


@pytest.mark.parametrize("noise", ["cpu", "independent", "held up"])
def test_a_fifth_slower_is_found(noise):
    found = [one(paired(NOISE[noise](80, seed), slower=1.2)).verdict for seed in range(40)]
    assert sum(verdict is Verdict.REGRESSED for verdict in found) >= 37


def finding(verdict):
    return Finding(verdict=verdict, pairs=9)


def test_the_worst_comparison_is_the_run():
    regressed, improved, ok, unknown = map(
        finding, (Verdict.REGRESSED, Verdict.IMPROVED, Verdict.OK, Verdict.INCONCLUSIVE)
    )
    assert overall([ok, improved, unknown, regressed], [ok]) is Verdict.REGRESSED
    assert overall([ok, improved, unknown], []) is Verdict.INCONCLUSIVE
    assert overall([ok, improved], [unknown]) is Verdict.IMPROVED
    assert overall([ok, ok], [ok]) is Verdict.OK
    assert overall([], []) is Verdict.INCONCLUSIVE


@pytest.mark.parametrize("control", [Verdict.REGRESSED, Verdict.IMPROVED])
def test_a_control_that_moves_takes_the_proof_from_all(control):
    assert moved(finding(control))
    assert overall([finding(Verdict.REGRESSED)], [finding(control)]) is Verdict.UNPROVEN

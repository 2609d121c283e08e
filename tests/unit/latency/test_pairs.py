import math

import pytest

from harness.latency.model import Sample, Times
from harness.latency.pairs import (
    clocks,
    common_metrics,
    identical_arms,
    log_ratio,
    log_ratios,
    no_bridge,
)
from tests.unit.latency.noise import samples


def pair(number, *processes, whole=0):
    return [
        Sample(
            cell="cell",
            round=whole,
            pair=number,
            place=place,
            arm=arm,
            times={"noop": Times(cpu * 3, cpu)},
        )
        for place, (arm, cpu) in enumerate(processes)
    ]


def test_a_ratio_is_always_head_over_base_whichever_began():
    ran = [*pair(0, ("base", 1), ("head", 2)), *pair(1, ("head", 6), ("base", 2))]
    assert log_ratios(ran, "noop", "cpu") == pytest.approx([math.log(2), math.log(3)])


def test_pairs_are_in_the_order_in_which_they_were_run():
    later = pair(0, ("base", 1), ("head", 3), whole=1)
    assert log_ratios([*later, *pair(1, ("base", 1), ("head", 2))], "noop", "cpu") == pytest.approx(
        [math.log(2), math.log(3)]
    )


def test_controls_are_no_pairs_of_base_and_head():
    ran = [
        *pair(0, ("base", 2), ("base", 3)),
        *pair(1, ("native", 4), ("native", 1)),
        *pair(2, ("base", 1), ("head", 1)),
    ]
    assert log_ratios(ran, "noop", "cpu") == [0]
    assert identical_arms(ran, "noop", "cpu") == [math.log(3 / 2)]
    assert no_bridge(ran, "noop") == [math.log(1 / 4)]
    assert no_bridge(ran, "bridge_load") == []


def test_a_pair_that_was_cut_short_is_left_out():
    ran = [*pair(0, ("base", 1), ("head", 2)), *pair(1, ("base", 1))]
    assert log_ratios(ran, "noop", "cpu") == [math.log(2)]
    assert log_ratios([], "noop", "cpu") == []


def test_what_has_no_time_has_no_ratio():
    assert log_ratios(pair(0, ("base", 1), ("head", 0)), "noop", "cpu") == []
    assert log_ratio(Times(1, None), Times(1, None), "cpu") is None


def test_batches_are_compared_one_by_one_and_one_that_was_held_up_does_not_count():
    base = Times(1, 1, tuple((1.0, 1.0 + number) for number in range(10)))
    parts = [(1.0, 2 * (1.0 + number)) for number in range(10)]
    parts[3] = (1.0, 900.0)
    head = Times(1, 99, tuple(parts))
    assert log_ratio(base, head, "cpu") == pytest.approx(math.log(2))


def test_a_clock_that_did_not_tick_in_every_batch_is_read_over_all_of_them():
    base = Times(1.0, 1.0, ((1.0, 0.0), (1.0, 1.0)))
    head = Times(2.0, 3.0, ((2.0, 1.0), (2.0, 1.0)))
    assert log_ratio(base, head, "cpu") == pytest.approx(math.log(3))


def test_calls_that_wait_for_another_process_are_timed_by_the_wall():
    assert {name for name, clock in clocks(crosses=True).items() if clock == "wall"} == {
        "python_start",
        "noop",
        "echo",
    }
    assert set(clocks(crosses=False).values()) == {"cpu"}


def test_metrics_are_those_of_all():
    ran = samples([0.0] * 8)
    assert common_metrics(ran) == ("noop",)
    other = Sample(cell="cell", round=9, pair=0, place=0, arm="base", times={"echo": Times(1, 1)})
    assert common_metrics([*ran, other]) == ()

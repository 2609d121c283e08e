from __future__ import annotations

import hashlib
import struct
from typing import Any

import pytest

from harness.model.record import ProbeRecord
from harness.model.status import Phase, Status
from harness.probes.train import HASHES, PROBE

from .conftest import axes, passed_control, train_details


def test_all_is_well(judge_train):
    record = judge_train()
    assert record.status is Status.PASS
    assert record.details["max_relative_difference"] == 0.0
    assert [stage.name for stage in record.stages] == list(PROBE.stages)


def test_a_difference_of_rounding_is_reported_and_allowed(judge_train):
    record = judge_train(control=passed_control([0.45 * (1 + 1e-6), 0.011, 0.003]))
    assert record.status is Status.PASS
    assert record.details["max_relative_difference"] == pytest.approx(1e-6, rel=1e-3)


def test_another_loss_curve(judge_train):
    record = judge_train(control=passed_control([0.45, 0.011, 0.0031]))
    assert (record.status, record.phase) == (Status.FAIL, Phase.TRAIN)
    assert "differ from the control's by 0.032" in record.message


def test_the_control_compares_with_nothing(judge_train):
    native = axes(path="native", r=None, bridge=None)
    record = judge_train(axes=native, control=None)
    assert record.status is Status.PASS
    assert "max_relative_difference" not in record.details


def test_no_control(judge_train):
    """The matrix left it out: what the cell did is judged by itself, and compared with nothing."""
    record = judge_train(control=None)
    assert (record.status, record.message) == (Status.PASS, None)
    assert "max_relative_difference" not in record.details


def test_a_failing_control(judge_train):
    control = ProbeRecord(name="train", status=Status.FAIL, message="the loss does not fall")
    record = judge_train(control=control)
    assert record.message == (
        "the losses cannot be compared with the control's; "
        "the control fails as well: the loss does not fall"
    )


def test_another_number_of_epochs(judge_train):
    assert (
        "3 epochs were trained, but 2" in judge_train(control=passed_control([0.45, 0.011])).message
    )


@pytest.mark.parametrize(
    ("details", "message"),
    [
        ({"losses": None}, "no loss curve"),
        ({"losses": [0.5]}, "no loss curve"),
        ({"losses": [0.5, 0.5, 0.5]}, "does not fall: 0.5, 0.5, 0.5"),
        ({"losses": [0.5, 0.7]}, "does not fall"),
        ({"losses": [0.5, "NaN"]}, "not a finite number: 0.5, NaN"),
        ({"losses": [0.5, None]}, "not a finite number"),
        ({"losses": [0.5, True]}, "not a finite number"),
        ({"accuracy": 0.89}, "is 0.890, below 0.9"),
        ({"accuracy": None}, "is not a number"),
        ({"accuracy": "NaN"}, "is not a number"),
        ({"device": ""}, "did not read back the device"),
        ({"device": "GPU:0"}, "lies on GPU:0"),
    ],
)
def test_training_that_is_not_good_enough(judge_train, details, message):
    record = judge_train(details=details)
    assert (record.status, record.phase) == (Status.FAIL, Phase.TRAIN)
    assert message in record.message


@pytest.mark.parametrize(
    ("pair", "message"),
    [
        (None, "the pixels were not hashed on both sides"),
        ({"made": HASHES["x_sha"], "arrived": None}, "not hashed on both sides"),
        ({"made": HASHES["x_sha"], "arrived": "0" * 32}, "the pixels changed on their way"),
        ({"made": "0" * 32, "arrived": "0" * 32}, "the pixels were made wrongly"),
    ],
)
def test_data_that_did_not_cross_unharmed(judge_train, pair, message):
    record = judge_train(details={"x_sha": pair})
    assert (record.status, record.phase) == (Status.FAIL, Phase.CONVERT)
    assert message in record.message


def test_labels_are_held_to_their_hash_as_well(judge_train):
    changed = {"made": HASHES["y_sha"], "arrived": "f" * 32}
    assert "the labels changed" in judge_train(details={"y_sha": changed}).message


def test_a_crossing_that_fails_is_said_as_the_driver_says_it(judge_train):
    def spoil(events: list[dict[str, Any]]) -> None:
        message = "incompatible NumPy binary version"
        events[-1] |= {"status": "fail", "phase": "convert", "message": message, "details": {}}

    record = judge_train(spoil=spoil)
    assert (record.status, record.phase) == (Status.FAIL, Phase.CONVERT)
    assert record.message == "incompatible NumPy binary version"


def test_judging_leaves_the_events_alone(judge_train):
    kept: list[list[dict[str, Any]]] = []
    judge_train(spoil=kept.append)
    assert kept[0][-1]["details"] == train_details()


def test_the_hashes_are_those_of_the_data_that_the_protocol_describes():
    # Written as the document has it, and not as the kit computes it.
    x, y = hashlib.md5(), hashlib.md5()
    for i in range(640):
        label = i % 10
        y.update(struct.pack("<i", label))
        row = []
        for j in range(784):
            noise = (i * 7919 + j * 104729 + (i * j) % 9973 * 31) % 256
            proto = 255 if (j * 37 + label * 101) % 10 < 3 else 0
            row.append((proto * 3 + noise) // 4 / 255)
        x.update(struct.pack("<784d", *row))
    assert {"x_sha": x.hexdigest(), "y_sha": y.hexdigest()} == HASHES

from __future__ import annotations

from typing import Any

import pytest

from harness.model.record import ProbeRecord
from harness.model.status import Phase, Status
from harness.probes.base import Probe
from harness.probes.init import PROBE

from .conftest import axes, identity, without_framework


def test_all_is_well(judge_init):
    record = judge_init()
    assert record.status is Status.PASS
    assert record.message is None
    assert [stage.name for stage in record.stages] == list(PROBE.stages)
    assert record.stages[0].wall_s == 0.5


def test_it_is_a_probe():
    probe: Probe = PROBE
    assert probe.name == "init"


@pytest.mark.parametrize("values", [None, [], {}, "19 22 43 50"])
def test_no_value_is_no_success(judge_init, values):
    record = judge_init(details={"values": values})
    assert (record.status, record.phase) == (Status.FAIL, Phase.OP)
    assert "gave no value" in record.message


def test_a_wrong_value(judge_init):
    record = judge_init(details={"values": [20, 23, 44, 51]})
    assert record.status is Status.FAIL
    assert record.message == (
        "the first operation gave 20, 23, 44, 51, but the product is 19, 22, 43, 50"
    )


def test_not_a_number_is_a_wrong_value(judge_init):
    assert "NaN" in judge_init(details={"values": [19, 22, 43, "NaN"]}).message


def test_an_operation_that_ran_on_the_cpu_although_a_gpu_was_asked_for(judge_init):
    seen = identity()
    seen["device"] |= {"requested": "12.4", "actual": "GPU:0", "kind": "gpu"}
    record = judge_init(axes=axes(cuda="12.4"), seen=seen)
    assert record.status is Status.FAIL
    assert "lies on cpu:0, but the cell asks for gpu" in record.message


def test_an_operation_on_the_gpu(judge_init):
    seen = identity()
    seen["device"] |= {"requested": "12.4", "actual": "cuda:0", "kind": "gpu"}
    record = judge_init(axes=axes(cuda="12.4"), seen=seen, details={"device": "cuda:0"})
    assert record.status is Status.PASS


def test_a_device_that_was_not_read_back(judge_init):
    assert "did not read back" in judge_init(details={"device": None}).message


def test_a_stage_that_was_not_timed(judge_init):
    def spoil(events: list[dict[str, Any]]) -> None:
        events[:] = [event for event in events if event.get("name") != "first_op"]

    record = judge_init(spoil=spoil)
    assert record.message == "the driver did not time first_op"


def test_native_loads_no_bridge(judge_init):
    def spoil(events: list[dict[str, Any]]) -> None:
        absent = {"bridge_load", "python_start"}
        events[:] = [event for event in events if event.get("name") not in absent]

    native = axes(path="native", r=None, bridge=None)
    assert judge_init(spoil=spoil, axes=native).status is Status.PASS


def test_a_driver_that_says_nothing(judge_init):
    record = judge_init(spoil=lambda events: events.pop())
    assert (record.status, record.phase) == (Status.FAIL, Phase.OP)
    assert "without a result of the probe init" in record.message


def test_a_driver_without_a_single_event(judge_init):
    record = judge_init(spoil=lambda events: events.clear())
    assert (record.status, record.phase) == (Status.FAIL, Phase.START)


@pytest.mark.parametrize("status", ["fail", "crash", "unsupported", "unavailable"])
def test_the_drivers_no_is_kept(judge_init, status):
    def spoil(events: list[dict[str, Any]]) -> None:
        events[-1] |= {"status": status, "message": "because", "phase": "import", "details": None}

    record = judge_init(spoil=spoil)
    assert (record.status, record.phase, record.message) == (status, Phase.IMPORT, "because")


def test_a_status_that_does_not_exist(judge_init):
    record = judge_init(spoil=lambda events: events[-1].update(status="splendid"))
    assert record.status is Status.FAIL
    assert "'splendid', which is no status" in record.message


def test_a_failure_that_the_control_shares(judge_init):
    control = ProbeRecord(name="init", status=Status.FAIL, message="No module named 'jax'")
    record = judge_init(
        spoil=lambda events: events[-1].update(status="fail", message="cannot import"),
        control=control,
    )
    assert record.message == ("cannot import; the control fails as well: No module named 'jax'")


def test_a_failing_control_does_not_spoil_a_success(judge_init):
    control = ProbeRecord(name="init", status=Status.FAIL, message="flaky")
    assert judge_init(control=control).status is Status.PASS


def test_another_identity_outranks_a_right_value(judge_init):
    seen = identity()
    seen["python"]["version"] = "3.11.2"
    record = judge_init(seen=seen)
    assert (record.status, record.phase) == (Status.FAIL, Phase.PYTHON)
    assert "Python 3.11.2 ran, but the cell is for Python 3.11.7" in record.message


BARE = {"framework_import", "device", "first_op", "steady_op"}


def test_a_cell_without_a_framework_stops_after_the_identity(judge):
    def spoil(events: list[dict[str, Any]]) -> None:
        events[:] = [event for event in events if event.get("name") not in BARE]

    bare = axes(framework=None)
    record = judge(PROBE, {}, axes=bare, seen=without_framework(), spoil=spoil)
    assert (record.status, record.message) == (Status.PASS, None)


def test_a_cell_without_a_framework_still_has_to_start_python(judge):
    def spoil(events: list[dict[str, Any]]) -> None:
        absent = BARE | {"python_start"}
        events[:] = [event for event in events if event.get("name") not in absent]

    bare = axes(framework=None)
    record = judge(PROBE, {}, axes=bare, seen=without_framework(), spoil=spoil)
    assert (record.phase, record.message) == (Phase.PYTHON, "the driver did not time python_start")


def test_a_cell_without_a_framework_is_held_to_its_python(judge):
    seen = without_framework()
    seen["python"]["version"] = "3.11.2"
    record = judge(PROBE, {}, axes=axes(framework=None), seen=seen)
    assert "Python 3.11.2 ran" in record.message

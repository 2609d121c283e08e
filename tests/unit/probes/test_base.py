from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from harness.model.status import Phase, Status
from harness.probes.base import device_kind, last_phase, merged_identity, stages_of
from harness.probes.call import PROBE as CALL
from harness.probes.callback import PROBE as CALLBACK
from harness.probes.error import PROBE as ERROR
from harness.probes.init import PROBE as INIT
from harness.probes.seed import PROBE as SEED
from harness.probes.train import PROBE as TRAIN

from .conftest import axes, provisioned


def test_an_identity_in_parts():
    events = [
        {"event": "identity", "identity": {"modules": {"numpy": "2"}, "r": {"version": "4"}}},
        {"event": "stage"},
        {"event": "identity", "identity": {"modules": {"jax": "1"}}},
        {"event": "identity", "identity": None},
    ]
    assert merged_identity(events) == {
        "modules": {"numpy": "2", "jax": "1"},
        "r": {"version": "4"},
    }
    assert events[0]["identity"] == {"modules": {"numpy": "2"}, "r": {"version": "4"}}


def test_stages_of_one_probe():
    events = [
        {"event": "stage", "probe": "init", "name": "a", "wall_s": 1, "cpu_s": None},
        {"event": "stage", "probe": "train", "name": "b", "wall_s": 1.0, "cpu_s": 0.5, "n": 4},
    ]
    (stage,) = stages_of(events, "train")
    assert (stage.name, stage.wall_s, stage.cpu_s, stage.n) == ("b", 1.0, 0.5, 4)
    assert stages_of(events, "init")[0].cpu_s is None


def test_last_phase():
    assert last_phase([]) is None
    said = [{"event": "phase", "phase": name} for name in ("start", "op")]
    assert last_phase(said) is Phase.OP
    assert last_phase([*said, {"event": "phase", "phase": "lunch"}]) is None


def test_device_kind():
    names = ("cuda:0", "GPU:0", "gpu:1", "/device:GPU:0")
    assert {device_kind(name) for name in names} == {"gpu"}
    assert {device_kind(name) for name in ("cpu", "CPU:0", "cpu:0")} == {"cpu"}
    assert device_kind(None) is None
    assert device_kind("") is None


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=6,
)


@given(details=json_values, status=json_values, message=json_values, device=json_values)
def test_whatever_a_driver_writes_is_judged_and_never_passes_by_luck(
    details, status, message, device
):
    # The events file is under the control of what is tested.
    for probe in (INIT, TRAIN, CALL, CALLBACK, ERROR, SEED):
        events = [
            {"event": "identity", "identity": {"device": device, "python": device}},
            {"event": "stage", "probe": probe.name, "name": "epoch", "wall_s": message},
            {
                "event": "probe",
                "name": probe.name,
                "status": status if status is not None else "pass",
                "message": message,
                "details": details,
            },
        ]
        record = probe.judge(events, axes=axes(), provisioned=provisioned())
        assert record.status is not Status.PASS

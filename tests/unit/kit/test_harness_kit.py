from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import time
from types import SimpleNamespace
from typing import Any

import pytest

from .conftest import KIT


def test_an_event_is_one_line_whatever_it_holds(kit, events):
    kit.say("x", text='a "b"\n\\ ü 🎉 \udce9', number=0.1, nothing=None, yes=True)
    kit.say("y", odd=[math.nan, math.inf, -math.inf], nested={1: {"a": (1, object)}})
    first, second = events()
    assert first == {
        "event": "x",
        "text": 'a "b"\n\\ ü 🎉 \\udce9',
        "number": 0.1,
        "nothing": None,
        "yes": True,
    }
    assert second["odd"] == ["NaN", "Inf", "-Inf"]
    assert second["nested"]["1"]["a"][0] == 1


def test_a_stage_that_ends_well_is_timed(kit, events):
    with kit.Stage("init", "device", 3):
        time.sleep(0.01)
    (stage,) = events()
    assert (stage["probe"], stage["name"], stage["n"]) == ("init", "device", 3)
    assert stage["wall_s"] >= 0.01
    assert stage["cpu_s"] < stage["wall_s"]


def test_a_stage_that_raises_is_no_measurement(kit, tmp_path):
    with pytest.raises(ValueError, match="no"), kit.Stage("init", "device"):
        raise ValueError("no")
    assert not (tmp_path / "events.jsonl").exists()


def test_a_probe_that_raises_names_the_innermost_cause(kit, events):
    def work() -> dict[str, Any]:
        kit.phase("import")
        raise ImportError("shallow") from KeyError("deep")

    ended = kit.attempt("init", work, hidden=lambda: "kept")
    assert ended["status"] == "fail"
    assert ended["phase"] == "import"
    assert ended["message"] == "ImportError: shallow (caused by KeyError: 'deep')"
    _, error = events()
    assert error["class"] == "ImportError"
    assert error["innermost"] == "KeyError: 'deep'"
    assert error["hidden"] == "kept"
    assert error["traceback"].index("KeyError") < error["traceback"].index("ImportError: shallow")


def test_exit_from_within_a_probe_is_a_failure(kit):
    assert kit.attempt("init", lambda: sys.exit(0))["status"] == "fail"


@pytest.mark.parametrize("status", ["unsupported", "unavailable"])
def test_a_probe_that_cannot_be_done_is_no_failure(kit, status):
    def work() -> dict[str, Any]:
        raise getattr(kit, status.capitalize())("because")

    ended = kit.attempt("init", work)
    assert (ended["status"], ended["message"]) == (status, "because")


def test_a_chain_that_bites_its_own_tail(kit):
    error = ValueError("a")
    error.__cause__ = KeyError("b")
    error.__cause__.__cause__ = error
    assert kit.innermost(error) is not None


def test_the_end_of_a_long_traceback_is_kept(kit, events):
    def deep(n: int) -> None:
        if n == 0:
            raise ValueError("at the bottom " + "x" * 20_000)
        deep(n - 1)

    kit.attempt("init", lambda: deep(50))
    assert len(events()[0]["traceback"]) == kit.TEXT_LIMIT


@pytest.mark.parametrize(
    ("result", "values"),
    [
        (SimpleNamespace(tolist=lambda: [[1, 2.0], [3, 4]]), [1.0, 2.0, 3.0, 4.0]),
        (SimpleNamespace(numpy=lambda: SimpleNamespace(tolist=lambda: 5)), [5.0]),
    ],
)
def test_values_are_plain_numbers(kit, result, values):
    assert kit.values_of(result) == values


def test_planted_faults_that_leave_the_process_alive(kit):
    assert kit.planted("", [1.0]) == [1.0]
    assert kit.planted("wrong", [1.0]) == [2.0]
    assert kit.planted("swallow", [1.0]) is None
    with pytest.raises(kit.Unsupported):
        kit.planted("unsupported", [1.0])


@pytest.mark.faults
@pytest.mark.parametrize(("fault", "status"), [("crash", -11), ("silent", 0)])
def test_planted_faults_that_end_the_process(fault, status):
    code = f"import harness_kit; harness_kit.planted({fault!r}, []); print('survived')"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": str(KIT), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (status, b"")


@pytest.mark.faults
def test_a_planted_hang_hangs():
    code = "import harness_kit; harness_kit.planted('hang', [])"
    with pytest.raises(subprocess.TimeoutExpired):
        subprocess.run(
            [sys.executable, "-c", code], env={"PYTHONPATH": str(KIT)}, timeout=1, check=False
        )


def test_a_cell_without_a_gpu_sees_none(kit, monkeypatch):
    for name in ("CUDA_VISIBLE_DEVICES", "KERAS_BACKEND", "OMP_NUM_THREADS", "XLA_FLAGS"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    kit.prepare({"cuda": "cpu", "backend": "jax"})
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "-1"
    assert os.environ["KERAS_BACKEND"] == "jax"
    assert os.environ["OMP_NUM_THREADS"] == "1"
    assert os.environ["XLA_FLAGS"].count("xla_cpu_multi_thread_eigen") == 1
    kit.prepare({"cuda": "cpu"})
    assert os.environ["XLA_FLAGS"].count("xla_cpu_multi_thread_eigen") == 1


def test_a_cuda_cell_sees_the_gpu_that_it_was_lent(kit, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3")
    kit.prepare({"cuda": "12.4"})
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "3"


@pytest.mark.parametrize(
    ("device", "kind"),
    [("cpu", "cpu"), ("CPU:0", "cpu"), ("cuda:0", "gpu"), ("GPU:0", "gpu"), ("gpu:1", "gpu")],
)
def test_kinds_of_devices(kit, device, kind):
    assert kit.kind_of(device) == kind


NO_DRIVER = {"driver": None, "cuda": None, "devices": 0, "why_not": "no NVIDIA driver"}
ONE_GPU = {"driver": "550.54", "cuda": "12.4", "devices": 1, "why_not": None}


def test_a_gpu_that_is_not_there_says_what_is_missing(kit, monkeypatch):
    monkeypatch.setattr(kit, "nvidia", lambda: NO_DRIVER)
    device = kit.describe_device("12.4", "cpu", "12.4", None)
    assert device["kind"] == "cpu"
    assert device["missing"] == (
        "CUDA 12.4 is asked for: no NVIDIA driver; it needs an NVIDIA driver of at least 525"
    )


def test_a_gpu_that_is_there(kit, monkeypatch):
    monkeypatch.setattr(kit, "nvidia", lambda: ONE_GPU)
    device = kit.describe_device("12.4", "cuda:0", "12.4", None)
    assert (device["kind"], device["missing"]) == ("gpu", None)
    assert (device["driver"], device["runtime"]) == ("550.54", "12.4")


def test_a_cpu_cell_does_not_ask_for_a_driver(kit, monkeypatch):
    monkeypatch.setattr(kit, "nvidia", lambda: pytest.fail("asked"))
    assert kit.describe_device("cpu", "cpu", None, None)["missing"] is None


@pytest.mark.parametrize(
    ("built", "there", "actual"),
    [(None, False, "cpu"), ("12.4", False, "cpu"), ("12.4", True, "cuda:0")],
)
def test_the_device_of_torch(kit, pretend, monkeypatch, built, there, actual):
    pretend(
        "torch",
        __version__="2.13.0",
        version=SimpleNamespace(cuda=built),
        cuda=SimpleNamespace(is_available=lambda: there),
    )
    monkeypatch.setattr(kit, "nvidia", lambda: ONE_GPU if there else NO_DRIVER)
    device = kit.framework("torch").device("12.4")
    assert device["actual"] == actual
    assert (device["missing"] is None) is there
    if built is None:
        assert "torch 2.13.0 is built without CUDA" in device["missing"]


def test_the_device_of_jax_without_a_gpu(kit, pretend, monkeypatch):
    def devices(platform: str) -> list[Any]:
        if platform != "cpu":
            raise RuntimeError("Unknown backend: 'gpu' requested")
        return [SimpleNamespace(platform="cpu", id=0)]

    pretend("jax", devices=devices)
    monkeypatch.setattr(kit, "nvidia", lambda: NO_DRIVER)
    device = kit.framework("jax").device("12")
    assert device["actual"] == "cpu:0"
    assert "Unknown backend" in device["missing"]
    assert kit.framework("jax").device("cpu")["missing"] is None


def test_where_tensorflow_put_a_tensor_and_not_where_it_was_asked_to(kit, pretend):
    pretend("tensorflow")
    tensor = SimpleNamespace(device="/job:localhost/replica:0/task:0/device:CPU:0")
    assert kit.framework("tensorflow").device_of(tensor) == "CPU:0"


def test_the_identity_of_this_python(kit, events):
    kit.say_identity_of_python()
    python = events()[0]["identity"]["python"]
    assert python["executable"] == sys.executable
    assert python["version"] == ".".join(str(part) for part in sys.version_info[:3])
    assert python["libpython"] is None or "libpython" in python["libpython"]


def test_the_identity_of_what_is_imported(kit, pretend, events):
    pretend("jax", __version__="0.10.2")
    kit.say_identity_of_modules()
    assert events()[0]["identity"]["modules"]["jax"] == "0.10.2"


def test_the_request_is_texts(kit, tmp_path):
    (tmp_path / "request.json").write_text(json.dumps({"seed": 7, "cuda": "cpu"}))
    assert kit.request() == {"seed": "7", "cuda": "cpu"}


def test_the_smallest_functions(kit):
    assert kit.noop() is None
    assert kit.echo("x") == "x"
    assert kit.call_back(lambda epoch, loss: epoch * 10 if loss == 1 / (epoch + 1) else -1) == 60


def test_an_exception_from_two_calls_deep(kit):
    with pytest.raises(kit.HarnessError) as raised:
        kit.raise_error(kit.PLANTED)
    assert isinstance(raised.value, ValueError)
    seen = kit.seen_of_error(raised.value)
    assert (seen["class"], seen["message"]) == ("HarnessError", kit.PLANTED)
    assert "in _deeper" in seen["traceback"]


def test_what_python_sees_of_a_function_that_fails(kit):
    def fails() -> None:
        raise RuntimeError("planted in R")

    assert kit.call_failing(fails) == {
        "raised": True,
        "class": "RuntimeError",
        "message": "planted in R",
    }
    assert kit.call_failing(lambda: None)["raised"] is False


def test_the_probe_call(kit, events):
    def echo(value: Any) -> Any:
        if value == "":
            raise kit.Unsupported("no empty strings")
        if isinstance(value, list):
            raise OverflowError("no vectors")
        return value

    details = kit.call_probe(lambda: None, echo)
    assert details["noop"] is None
    assert details["echo"]["double"] == [0.1 + 0.2, 0.1 + 0.2]
    assert details["echo"]["empty"][1] == {"unsupported": "no empty strings"}
    assert details["echo"]["doubles"][1] == {"error": "OverflowError: no vectors"}
    stages = [(said["name"], said["n"]) for said in events() if said["event"] == "stage"]
    assert stages == [("first_call", 1), ("noop", kit.MOST_CALLS), ("echo", kit.MOST_CALLS)]


def test_a_call_that_takes_long_is_repeated_less(kit, events, monkeypatch):
    monkeypatch.setattr(kit, "CALL_SECONDS", 0.0)
    kit.call_probe(lambda: None, lambda value: value)
    stages = [said["n"] for said in events() if said["event"] == "stage"]
    assert stages == [1, kit.FEWEST_CALLS, kit.FEWEST_CALLS]


def test_repetitions_take_the_time_that_they_are_given(kit, events, monkeypatch):
    monkeypatch.setattr(kit, "CALL_SECONDS", 0.2)
    kit.call_probe(lambda: time.sleep(0.002), lambda value: value)
    noop = next(said for said in events() if said.get("name") == "noop")
    # A sleep is never shorter, and on a busy machine longer at one time than at another.
    assert 10 <= noop["n"] <= 100
    assert noop["wall_s"] >= 0.002 * noop["n"]


def test_what_does_not_come_back_is_not_timed(kit, events):
    def echo(value: Any) -> Any:
        raise kit.Unsupported("mute")

    kit.call_probe(lambda: None, echo)
    assert "echo" not in [said.get("name") for said in events()]


def test_the_probe_callback(kit, events):
    details = kit.callback_probe(kit.call_back)
    assert details == {"calls": [[0, 1.0], [1, 0.5], [2, 1 / 3], [3, 0.25]], "result": 60.0}
    stages = {said["name"]: said["n"] for said in events() if said["event"] == "stage"}
    assert stages == {"callback": 4, "steady_callback": stages["steady_callback"]}
    assert stages["steady_callback"] > 1000


def test_the_probe_callback_with_a_function_of_r(kit):
    details = kit.callback_probe(kit.call_back, lambda *_: 1.0, lambda: ["as R saw them"])
    assert details == {"calls": ["as R saw them"], "result": 4.0}


def test_the_probe_callback_from_a_training(kit):
    def train(function: Any, epochs: int) -> None:
        for epoch in range(epochs):
            function(epoch, 0.5)

    details = kit.callback_probe(kit.call_back, in_keras=train)
    assert details["keras_calls"] == [[0, 0.5], [1, 0.5], [2, 0.5], [3, 0.5]]
    assert len(details["calls"]) == 4


@pytest.mark.parametrize(
    ("raises", "seen"),
    [
        (None, {"raised": True, "class": "x", "message": "planted in R"}),
        ("Unsupported", {"unsupported": "no R"}),
        ("RuntimeError", {"raised": False, "class": None, "message": "RuntimeError: no R"}),
    ],
)
def test_the_probe_error(kit, events, raises, seen):
    def back() -> dict[str, Any]:
        if raises is not None:
            raise {"Unsupported": kit.Unsupported, "RuntimeError": RuntimeError}[raises]("no R")
        return {"raised": True, "class": "x", "message": "planted in R"}

    details = kit.error_probe(lambda text: {"raised": True, "message": text}, back)
    assert details == {
        "python_to_r": {"raised": True, "message": kit.PLANTED},
        "r_to_python": seen,
    }
    assert [said["n"] for said in events() if said["event"] == "stage"] == [1, kit.MOST_ERRORS]


def test_a_cell_without_a_framework_has_nothing_to_train(kit):
    assert kit.init({"framework": ""}) == {}
    ended = kit.attempt("train", lambda: kit.train({"framework": ""}, []))
    assert (ended["status"], ended["message"]) == ("unsupported", "the cell names no framework")


@pytest.mark.parametrize(
    ("probe", "phase", "tried"),
    [
        ("train", "op", True),
        ("train", "import", False),
        ("call", "import", True),
        ("error", "device", True),
        ("callback", "python", False),
        ("call", "bridge", False),
        ("seed", "import", False),
    ],
)
def test_what_can_be_tried_after_a_bad_start(kit, probe, phase, tried):
    assert kit.can_be_tried(probe, {"status": "fail", "phase": phase}) is tried
    assert kit.can_be_tried(probe, {"status": "pass", "phase": phase})

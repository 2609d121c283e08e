"""A child may end in any way: each is told apart, and nothing of it lives on."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import psutil
import pytest

from harness.doctor.child import read_events, run_child
from harness.doctor.events import account
from harness.doctor.model import State

ENV = {"PATH": os.environ.get("PATH", "/usr/bin:/bin")}


def python(code: str, tmp_path: Path, **limits: float) -> object:
    return run_child(
        (sys.executable, "-c", code), env=ENV, folder=tmp_path, scratch=tmp_path / "s", **limits
    )


def test_output_status_and_events(tmp_path: Path) -> None:
    code = (
        "import os, sys; print('out'); print('err', file=sys.stderr);"
        "open(os.environ['HARNESS_EVENTS'], 'w').write('{\"event\": \"a\"}\\n{\"eve');"
        "sys.exit(3)"
    )
    ended = python(code, tmp_path)
    assert (ended.code, ended.signal, ended.hung) == (3, None, False)
    assert (ended.output, ended.errors) == ("out\n", "err\n")
    assert ended.events == ({"event": "a"},)


def test_a_signal_is_named(tmp_path: Path) -> None:
    ended = python("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", tmp_path)
    assert ended.signal == "SIGSEGV"


def test_what_does_nothing_hangs_and_is_ended_with_its_children(tmp_path: Path) -> None:
    code = (
        "import subprocess, sys, time;"
        "p = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(987)']);"
        "print(p.pid, flush=True); p.wait()"
    )
    began = time.monotonic()
    ended = python(code, tmp_path, idle_s=1.5)
    assert ended.hung
    assert "time.sleep(987)" in ended.waiting
    assert time.monotonic() - began < 20
    assert not psutil.pid_exists(int(ended.output)) or (
        psutil.Process(int(ended.output)).status() == psutil.STATUS_ZOMBIE
    )


def test_what_began_a_session_of_its_own_is_ended_too(tmp_path: Path) -> None:
    code = (
        "import subprocess, sys, time;"
        "p = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(987)'],"
        " start_new_session=True);"
        "print(p.pid, flush=True); p.wait()"
    )
    ended = python(code, tmp_path, idle_s=1.5)
    assert ended.hung
    assert not psutil.pid_exists(int(ended.output)) or (
        psutil.Process(int(ended.output)).status() == psutil.STATUS_ZOMBIE
    )


def test_what_works_does_not_hang(tmp_path: Path) -> None:
    code = "import time\nend = time.monotonic() + 3\nwhile time.monotonic() < end: pass"
    ended = python(code, tmp_path, idle_s=1.5)
    assert (ended.hung, ended.code) == (False, 0)


def test_a_watcher_says_where_it_hangs(tmp_path: Path) -> None:
    code = (
        "import faulthandler, os, signal, time\n"
        "faulthandler.register(signal.SIGUSR2, file=2)\n"
        "folder = os.path.dirname(os.environ['HARNESS_EVENTS'])\n"
        "open(os.path.join(folder, 'watching'), 'w').close()\n"
        "def stuck(): time.sleep(987)\n"
        "stuck()\n"
    )
    ended = python(code, tmp_path, idle_s=1.5)
    assert ended.hung
    assert "in stuck" in ended.errors


def test_a_program_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        run_child(("/nonexistent/program",), env=ENV, folder=tmp_path, scratch=tmp_path / "s")


def test_events_that_are_no_events(tmp_path: Path) -> None:
    file = tmp_path / "events"
    file.write_bytes(b'\xff\xfe\n[1]\n"x"\n{"event": "b"}\n')
    assert read_events(file) == ({"event": "b"},)
    assert read_events(tmp_path / "none") == ()


# --- accounts -----------------------------------------------------------------------------------


def layer(name: str, state: str, **fields: object) -> dict[str, object]:
    return {"event": "layer", "name": name, "state": state, "at": 1.0, **fields}


def ended_with(*events: dict[str, object], code: int = 0, how: str | None = None) -> object:
    from harness.doctor.child import Ended

    return Ended(
        code=code,
        signal=how,
        hung=False,
        output="",
        errors="",
        events=tuple(events),
        wall_s=1.0,
    )


def test_a_crash_is_blamed_on_the_layer_that_was_under_way() -> None:
    events = (layer("r", "ok"), layer("bridge", "begin"), layer("bridge", "ok"))
    ended = ended_with(*events, layer("discovery", "begin"), code=-11, how="SIGSEGV")
    found = account("reticulate", ended)
    assert found.failure is not None
    assert (found.failure.layer, found.failure.state) == ("discovery", State.CRASHED)
    states = {one.name: one.state for one in found.layers}
    assert states["bridge"] is State.OK
    assert states["python"] is State.NOT_REACHED


def test_a_crash_after_all_is_done_is_blamed_on_the_end() -> None:
    names = [one.name for one in account("reticulate", ended_with()).layers if one.name != "end"]
    events = [layer(name, "ok") for name in names]
    ended = ended_with(*events, {"event": "done"}, code=-signal.SIGSEGV, how="SIGSEGV")
    found = account("reticulate", ended)
    assert found.failure is not None
    assert (found.failure.layer, found.failure.state) == ("end", State.CRASHED)


def test_what_was_passed_over_is_not_to_blame() -> None:
    events = (layer("r", "ok"), layer("bridge", "ok"), layer("discovery", "ok"))
    more = (layer("python", "ok"), layer("identity", "ok"))
    failed = layer("framework", "failed", message="No module named 'torch'")
    found = account("reticulate", ended_with(*events, *more, failed, code=20))
    assert found.failure is not None
    assert found.failure.layer == "framework"
    assert found.failure.told


def test_garbage_is_an_r_that_does_not_start() -> None:
    found = account("reticulate", ended_with({"event": "noise"}, code=1))
    assert found.failure is not None
    assert found.failure.layer == "r"


def test_a_script_that_ends_r_well_by_itself_has_ended_well() -> None:
    began = ({"event": "layer", "name": name, "state": "begin", "at": 1.0} for name in ["script"])
    events = ({"event": "layer", "name": "r", "state": "ok", "at": 0.0}, *began)
    quit_well = account("script", ended_with(*events))
    assert quit_well.failure is None
    assert {layer.state for layer in quit_well.layers} == {State.OK}
    quit_badly = account("script", ended_with(*events, code=3))
    assert quit_badly.failure is not None
    assert quit_badly.failure.layer == "script"
    nothing_said = account("script", ended_with())
    assert nothing_said.failure is not None

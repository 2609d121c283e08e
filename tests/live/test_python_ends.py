"""A Python in a process of its own that ends in the middle of a probe: what is said of that."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.execute import tree
from harness.model.cell import Axes
from harness.model.record import CellRecord
from harness.model.status import Status
from harness.paths.rpc import Rpc
from harness.paths.system import System
from harness.provision.store import FolderStore, default_root

from .whole import Whole, probe_of

pytestmark = pytest.mark.live

PATHS = {"system": (System, "worker.py"), "rpc": (Rpc, "server.py")}
FAULTS = {
    "call": "kit.echo = end",
    "error": "kit.raise_error = end",
    "transfer": "import harness_transfer; harness_transfer.hold = end",
}
END = "import os; end = lambda *_: os.kill(os.getpid(), {signal})"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Whole]:
    with FolderStore(default_root()) as store:
        yield Whole(store, tmp_path_factory.mktemp("ends"))


def ended(
    run: Whole, folder: Path, path: str, probe: str, code: str, *edits: dict[str, tuple[str, str]]
) -> CellRecord:
    """Measure a cell whose Python has ``code`` in front of its own, and files with ``edits``."""
    kind, program = PATHS[path]
    changed = type("Changed", (kind,), {"files": folder / "files"})()
    shutil.copytree(kind.files, changed.files)
    text = (changed.files / program).read_text()
    start = "def main()"
    assert text.count(start) == 1
    (changed.files / program).write_text(text.replace(start, f"{code}\n\n\n{start}"))
    for name, (old, new) in (pair for some in edits for pair in some.items()):
        text = (changed.files / name).read_text()
        assert text.count(old) == 1
        (changed.files / name).write_text(text.replace(old, new))
    axes = Axes(
        path=path,
        transport="socket" if path == "rpc" else None,
        r="4.5.0",
        python="3.11",
        # What the tests of `transfer` have as well.
        pins=(("numpy", "<2"), ("pandas", "<2.3")),
    )
    return run(axes, "init", probe, path=changed)


@pytest.mark.parametrize("probe", FAULTS)
@pytest.mark.parametrize("path", PATHS)
def test_a_crash_is_a_crash_in_whatever_part_of_a_probe(run, tmp_path, path, probe):
    code = f"{END.format(signal=11)}\n{FAULTS[probe]}"
    record = ended(run, tmp_path, path, probe, code)
    found = probe_of(record, probe)
    assert found.status is Status.CRASH, found.message
    assert "ended by signal SIGSEGV" in (found.message or "")
    assert record.status is Status.CRASH
    assert probe_of(record, "init").status is Status.PASS


def test_a_server_may_take_its_time_to_leave(run, tmp_path):
    code = "import atexit, time; atexit.register(time.sleep, 14)"
    record = ended(run, tmp_path, "rpc", "call", code)
    assert (record.status, record.message) == (Status.PASS, None)
    teardown = next(one for one in probe_of(record, "init").stages if one.name == "teardown")
    assert teardown.wall_s > 13


def test_a_server_that_does_not_leave_is_said(run, tmp_path):
    code = "import atexit, time; atexit.register(time.sleep, 600)"
    edits = {"client.R": ("LEAVE_S <- 60", "LEAVE_S <- 2")}
    record = ended(run, tmp_path, "rpc", "call", code, edits)
    assert record.status is Status.FAIL
    assert "did not end within 2 s after it was told to" in (record.message or "")


def test_a_shell_may_take_its_time(run, tmp_path):
    edits = {"process.R": ('"read -r _; echo', '"sleep 7; read -r _; echo')}
    record = ended(run, tmp_path, "rpc", "call", "", edits)
    assert (record.status, record.message) == (Status.PASS, None)


def test_a_shell_that_does_not_answer_is_said(run, tmp_path):
    edits = {"process.R": ('"read -r _; echo $$ > %s; "', '"exec sleep 3 # %s"')}
    slow = {"process.R": ("SHELL_LIMIT_S <- 60", "SHELL_LIMIT_S <- 1")}
    record = ended(run, tmp_path, "rpc", "call", "", edits, slow)
    assert record.status is Status.FAIL
    said = "the server could not be started: its shell did not answer"
    assert probe_of(record, "init").message == said


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("kernel", [True, False])
def test_a_python_that_the_kernel_kills_ran_out_of_memory(run, tmp_path, monkeypatch, path, kernel):
    # A kernel that kills one for want of memory counts it, and nobody knows which it was.
    counts = itertools.count()
    monkeypatch.setattr(tree, "kernel_oom_kills", lambda: next(counts) if kernel else 1)
    code = f"{END.format(signal=9)}\n{FAULTS['call']}"
    record = ended(run, tmp_path, path, "call", code)
    expected = Status.OOM if kernel else Status.CRASH
    assert (record.status, probe_of(record, "call").status) == (expected, expected)
    assert "SIGKILL" in (record.message or "")


@pytest.mark.parametrize("path", PATHS)
def test_a_value_that_ends_python_costs_that_value_alone(run, tmp_path, path):
    code = """
import os
import harness_kit
known = harness_kit.convert_module
def convert_module():
    values = known()
    make, check = values.make, values.check
    def ending(name, work, *others):
        if name == ("py-dict" if work is make else "py-tuple"):
            os.kill(os.getpid(), 11)
        return work(name, *others)
    if "ending" not in repr(make):
        values.make = lambda name: ending(name, make)
        values.check = lambda name, value: ending(name, check, value)
    return values
harness_kit.convert_module = convert_module
"""
    found = probe_of(ended(run, tmp_path, path, "convert", code), "convert")
    assert found.status is Status.PASS, found.message
    values = found.details["values"]
    crashed = {
        (name, leg)
        for name, value in values.items()
        for leg in ("there", "back")
        if value[leg]["outcome"] == "crash"
    }
    # What never got there cannot come back.
    assert crashed == {("py-dict", "there"), ("py-dict", "back"), ("py-tuple", "back")}
    assert "SIGSEGV" in values["py-tuple"]["back"]["message"]

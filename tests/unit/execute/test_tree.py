from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from harness.execute import tree


@pytest.fixture
def family() -> Iterator[int]:
    """A process with a child by its second thread, and a grandchild."""
    script = (
        "import subprocess, threading\n"
        "def start():\n    subprocess.run(['sh', '-c', 'sleep 60; true'])\n"
        "thread = threading.Thread(target=start); thread.start(); thread.join()"
    )
    process = subprocess.Popen([sys.executable, "-c", script], start_new_session=True)
    yield process.pid
    os.killpg(process.pid, 9)
    process.wait()


@pytest.mark.parametrize("listed", [True, False], ids=["kernel", "psutil"])
def test_descendants(family: int, listed: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tree, "_kernel_lists_children", lambda: listed)
    deadline = time.monotonic() + 10
    while len(found := tree.descendants(family)) < 2 and time.monotonic() < deadline:
        time.sleep(0.02)
    assert len(found) == 2
    assert tree.children(family) == found[:1]
    assert tree.children(found[0]) == found[1:]


def test_memory_of_this_process() -> None:
    seen = tree.memory([os.getpid()])
    assert 5 < seen.total_mb <= seen.largest_peak_mb * 1.1
    assert 1 < tree.proportional_mb([os.getpid()]) <= seen.largest_peak_mb * 1.1


def test_process_that_is_gone() -> None:
    process = subprocess.Popen(["true"])
    assert tree.wait_gone(process.pid, 10)
    assert not tree.is_alive(process.pid), "not waited for, but ended"
    process.wait()
    assert tree.memory([process.pid]) == (0.0, 0.0, ())
    assert tree.proportional_mb([process.pid]) == 0.0
    assert tree.children(process.pid) == []
    assert not tree.is_alive(process.pid)
    tree.send(tree.signal.SIGKILL, [process.pid])


def test_waiting_ends() -> None:
    assert not tree.wait_gone(os.getpid(), 0.05)


def test_kernel_counts() -> None:
    count = tree.kernel_oom_kills()
    assert count is None or count >= 0

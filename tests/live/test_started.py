"""What tests start ends with them."""

from __future__ import annotations

import subprocess

import pytest

from harness.execute.tree import wait_gone

from .started import Started

pytestmark = pytest.mark.live


def test_nothing_of_a_program_outlives_the_test():
    begin = Started()
    ended = begin(["true"])
    assert ended.wait(60) == 0
    script = "sleep 300 & echo $!; wait"
    running = begin(["sh", "-c", script], stdout=subprocess.PIPE, text=True)
    assert running.stdout is not None
    below = int(running.stdout.readline())
    begin.close()
    assert running.returncode == -9
    assert wait_gone(below, 60)

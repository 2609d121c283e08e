"""Whether a process's own variables are out of others' sight, and still there for itself."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.execute import concealment

_SCRIPT = """
import ctypes, os, subprocess, sys
from harness.execute.concealment import conceal

libc = ctypes.CDLL(None)
libc.getenv.restype = ctypes.c_char_p
conceal()
conceal()
print(libc.prctl(3, 0, 0, 0, 0), flush=True)
sys.stdin.readline()
os.environ["ADDED"] = "later"
del os.environ["TAKEN"]
print(os.environ["SECRET_TOKEN"], libc.getenv(b"SECRET_TOKEN").decode(), libc.getenv(b"TAKEN"))
print(subprocess.check_output(["sh", "-c", "echo $SECRET_TOKEN $ADDED $TAKEN"], text=True))
"""


@pytest.fixture
def concealed() -> Iterator[subprocess.Popen[str]]:
    env = {**os.environ, "SECRET_TOKEN": "hunter2", "TAKEN": "away"}
    with subprocess.Popen(
        [sys.executable, "-c", _SCRIPT],
        env=env,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield process


def test_nothing_shows_and_all_is_there(concealed: subprocess.Popen[str]) -> None:
    assert concealed.stdout is not None
    assert concealed.stdout.readline() == "0\n", "other processes of its user may look into it"
    try:
        shown = Path(f"/proc/{concealed.pid}/environ").read_bytes()
    except PermissionError:
        shown = b""  # of one who is not root
    assert not shown.strip(b"\0")
    said, _ = concealed.communicate("\n", timeout=20)
    assert said.split() == ["hunter2", "hunter2", "None", "hunter2", "later"]
    assert concealed.returncode == 0


def test_memory_that_is_not_the_environment_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(concealment, "_SELF", tmp_path)
    assert concealment._initial_block() is None, "there is no /proc"
    (tmp_path / "stat").write_bytes(b"1 (a b) " + b"R " * 47 + b"4 8 0")
    (tmp_path / "environ").write_bytes(b"A=1\0")
    (tmp_path / "mem").write_bytes(b"....B=1\0....")
    assert concealment._initial_block() is None
    (tmp_path / "mem").write_bytes(b"....A=1\0....")
    assert concealment._initial_block() == (4, 8)
    (tmp_path / "stat").write_bytes(b"1 (a b) R 1 1")
    assert concealment._initial_block() is None

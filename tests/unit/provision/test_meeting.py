"""Whether a Python runs beside an R: a check that somebody killed says nothing of the two."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.model.environment import Interpreter, Lock, PythonEnvironment, RToolchain
from harness.provision.process import Ran
from harness.provision.r import meeting

PYTHON = PythonEnvironment(
    executable=Path("/cache/env/bin/python"),
    interpreter=Interpreter(
        executable=Path("/opt/python/bin/python3"),
        version="3.11.7",
        prefix=Path("/opt/python"),
        libpython=None,
    ),
    lock=Lock(text="", digest=""),
    binds=(),
)
R = RToolchain(
    version="4.5.0",
    rscript=Path("/usr/bin/Rscript"),
    root=Path("/cache/root"),
    packages={},
    source="debian:trixie",
    digest="",
)


def said(monkeypatch: pytest.MonkeyPatch, *answers: Ran) -> str | None:
    left = list(answers)
    monkeypatch.setattr(meeting, "enter", lambda *_all: ["bwrap"])

    def run(command: Any, limit_s: float) -> Ran:
        return left.pop(0)

    monkeypatch.setattr(meeting, "run", run)
    answer = meeting.why_not_together(PYTHON, R)
    assert not left
    return answer


FINE = Ran(code=0, stdout="said:3.11.7\n", stderr="")


def test_one_that_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    assert said(monkeypatch, FINE) is None


@pytest.mark.parametrize("code", [-9, 137])
def test_one_that_was_killed_is_asked_again(monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    killed = Ran(code=code, stdout="", stderr="")
    assert said(monkeypatch, killed, FINE) is None
    assert said(monkeypatch, killed, killed) == f"exit status {code} without a word"


def test_one_that_crashes_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    assert said(monkeypatch, Ran(code=139, stdout="", stderr="")) is not None

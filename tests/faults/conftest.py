"""Cells of one command each, run for real: once in namespaces, once under the supervisor."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from harness.execute.classify import Verdict, classify
from harness.execute.events import read_events
from harness.execute.isolation import Isolation, detect
from harness.execute.sandbox import run
from harness.model.cell import Limits
from harness.model.job import Bind, Job, Outcome

PATH = "/usr/local/bin:/usr/bin:/bin"
PYTHON = "/usr/bin/python3"
"""Any Python that lies outside of folders that the sandbox hides."""


@dataclass
class Cell:
    """One cell's folder and how its command is run."""

    folder: Path
    isolation: Isolation
    env: dict[str, str] = field(default_factory=dict)

    def job(self, *argv: str, **fields: Any) -> Job:
        limits = {"phase_s": 20.0, "memory_mb": 1024, "output_kb": 64}
        limits |= fields.pop("limits", {})
        env = {"PATH": PATH, "HARNESS_EVENTS": str(self.folder / "events.jsonl"), **self.env}
        defaults: dict[str, Any] = {
            "env": env,
            "cwd": self.folder,
            "root": None,
            "binds": (),
            "events": self.folder / "events.jsonl",
            "stdout": self.folder / "stdout",
            "stderr": self.folder / "stderr",
        }
        merged = defaults | fields
        merged["binds"] = (Bind(self.folder, writable=True), *merged["binds"])
        return Job(argv=argv, limits=Limits(**limits), **merged)

    def run(self, *argv: str, cancel: threading.Event | None = None, **fields: Any) -> Outcome:
        return run(self.job(*argv, **fields), cancel, isolation=self.isolation)

    def sh(self, script: str, **fields: Any) -> Outcome:
        return self.run("sh", "-c", script, **fields)

    def python(self, script: str, **fields: Any) -> Outcome:
        return self.run(PYTHON, "-I", "-c", script, **fields)

    def events(self, *phases: str, probes: tuple[str, ...] = (), done: bool = False) -> str:
        """Return a shell script that writes events, as a driver would."""
        events: list[dict[str, Any]] = [{"event": "phase", "phase": phase} for phase in phases]
        events += [{"event": "probe", "name": name, "status": "pass"} for name in probes]
        if done:
            events += [{"event": "phase", "phase": "teardown"}, {"event": "done"}]
        lines = "\n".join(map(json.dumps, events))
        return f"cat >> $HARNESS_EVENTS <<'END'\n{lines}\nEND\n"

    @property
    def stdout(self) -> str:
        return (self.folder / "stdout").read_text(encoding="utf-8", errors="replace")

    @property
    def stderr(self) -> str:
        return (self.folder / "stderr").read_text(encoding="utf-8", errors="replace")

    def verdict(self, outcome: Outcome) -> Verdict:
        return classify(outcome, read_events(self.folder / "events.jsonl").events, self.stderr)


@pytest.fixture(params=["bubblewrap", "supervisor"])
def isolation(request: pytest.FixtureRequest) -> Isolation:
    if request.param == "supervisor":
        return Isolation(None, "forced by the test")
    return _namespaces()


@pytest.fixture
def cell(tmp_path: Path, isolation: Isolation) -> Cell:
    return _cell(tmp_path, isolation)


@pytest.fixture
def apart(tmp_path: Path) -> Cell:
    """A cell in namespaces, for what only they can give."""
    return _cell(tmp_path, _namespaces())


@pytest.fixture
def marker() -> Iterator[Callable[[], list[int]]]:
    """A word that no other process has, and the processes that have it."""
    word = f"harness-test-{os.getpid()}-{time.monotonic_ns()}"

    def find() -> list[int]:
        return with_marker(word)

    find.word = word  # type: ignore[attr-defined]
    yield find
    assert with_marker(word) == [], "a process outlived its test"


def with_marker(word: str) -> list[int]:
    found = []
    for process in Path("/proc").iterdir():
        if process.name.isdecimal() and int(process.name) != os.getpid():
            try:
                seen = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
                state = (process / "stat").read_bytes().rpartition(b") ")[2][:1]
            except OSError:
                continue
            if word.encode() in seen and state != b"Z":
                found.append(int(process.name))
    return found


def wait_for(condition: Callable[[], object], seconds: float = 10.0) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def _cell(tmp_path: Path, isolation: Isolation) -> Cell:
    folder = tmp_path / "cell"
    folder.mkdir()
    return Cell(folder, isolation)


def _namespaces() -> Isolation:
    found = detect()
    if found.bubblewrap is None:
        pytest.skip(found.why)
    return found

"""The kit as a cell has it: imported from its folder, with a file for events."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import harness

KIT = Path(harness.__file__).parent / "kit"


@pytest.fixture
def kit(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Any]:
    monkeypatch.setattr(sys, "path", [str(KIT), *sys.path])
    monkeypatch.setenv("HARNESS_EVENTS", str(tmp_path / "events.jsonl"))
    monkeypatch.setenv("HARNESS_REQUEST", str(tmp_path / "request.json"))
    monkeypatch.setenv("HARNESS_SPAWNED_AT", "0")
    before = set(sys.modules)
    yield importlib.import_module("harness_kit")
    for name in set(sys.modules) - before:
        if name.startswith("harness_") or name.endswith("_work"):
            del sys.modules[name]


@pytest.fixture
def events(kit: Any, tmp_path: Path) -> Callable[[], list[dict[str, Any]]]:
    def read() -> list[dict[str, Any]]:
        lines = (tmp_path / "events.jsonl").read_text(encoding="ascii").splitlines()
        return [json.loads(line) for line in lines]

    return read


@pytest.fixture
def pretend(monkeypatch: pytest.MonkeyPatch) -> Callable[..., ModuleType]:
    """Put a module into place that has the given attributes."""

    def put(name: str, **attributes: Any) -> ModuleType:
        module = ModuleType(name)
        module.__dict__.update(attributes)
        monkeypatch.setitem(sys.modules, name, module)
        return module

    return put

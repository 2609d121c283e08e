from __future__ import annotations

import json

import pytest

from harness.model.document import Machine, Results
from harness.model.record import CellRecord
from harness.model.status import Status

AXES = {"path": "native", "python": "3.12", "framework": "torch==2.13.0", "cuda": "cpu"}


def record(cell: str, status: str = "pass", **changes: object) -> CellRecord:
    return CellRecord(id=cell, axes=AXES, status=Status(status), **{"key": "k", **changes})


def document(*records: CellRecord, **changes: object) -> Results:
    values: dict[str, object] = {
        "matrix": "smoke",
        "machine": Machine(os="Debian 12", cores=2),
        "planned": tuple(one.id for one in records),
        "cells": records,
    }
    return Results(**{**values, **changes})


class Events:
    """Builds the events of a journal."""

    def __init__(self) -> None:
        self.events: list[dict] = []

    def run(self, at: str = "2026-11-30T10:00:00Z", **machine: object) -> Events:
        event = {"event": "run-started", "at": at, "matrix": "smoke", "harness": "0.1.0"}
        self.events.append({**event, "machine": {"os": "Debian 12", **machine}})
        return self

    def plan(self, *cells: str, key: str = "k", **extra: object) -> Events:
        planned = [{"id": cell, "axes": AXES, "key": key, "implied": False} for cell in cells]
        self.events.append({"event": "planned", "cells": planned, **extra})
        return self

    def begin(self, cell: str, key: str = "k") -> Events:
        self.events.append({"event": "cell-started", "id": cell, "key": key, "at": "t"})
        return self

    def finish(self, cell: str, status: str = "pass", key: str = "k", **more: object) -> Events:
        line = {"id": cell, "axes": AXES, "status": status, "key": key, **more}
        self.events.append({"event": "cell-finished", "record": line})
        return self

    def end(self, at: str = "2026-11-30T10:05:00Z") -> Events:
        self.events.append({"event": "run-finished", "at": at})
        return self

    def add(self, event: dict) -> Events:
        self.events.append(event)
        return self

    @property
    def lines(self) -> str:
        return "".join(json.dumps(event) + "\n" for event in self.events)


@pytest.fixture
def journal() -> Events:
    return Events()


@pytest.fixture
def make_record():
    return record


@pytest.fixture
def make_document():
    return document

"""A cell whose driver said that all is well: each test spoils one thing of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from harness.model.cell import Axes, Framework
from harness.model.environment import (
    Interpreter,
    Lock,
    Provisioned,
    PythonEnvironment,
    RToolchain,
)
from harness.model.record import ProbeRecord
from harness.model.status import Status
from harness.probes.base import Probe
from harness.probes.init import Init
from harness.probes.train import HASHES, Train

PREFIX = Path("/opt/python/3.11.7")
ENVIRONMENT = Path("/cache/env")
LOCK = "jax==0.10.2\njaxlib==0.10.2\nkeras==3.15.1\nnumpy==2.4.6\ntorch==2.13.0+cpu\n"


def provisioned(**changes: Any) -> Provisioned:
    interpreter = Interpreter(
        executable=PREFIX / "bin/python3.11",
        version="3.11.7",
        prefix=PREFIX,
        libpython=PREFIX / "lib/libpython3.11.so.1.0",
    )
    return Provisioned(
        python=PythonEnvironment(
            executable=ENVIRONMENT / "bin/python",
            interpreter=msgspec.structs.replace(interpreter, **changes),
            lock=Lock(text=LOCK, digest="d"),
            binds=(),
        ),
        r=RToolchain(
            version="4.5.0",
            rscript=Path("/usr/bin/Rscript"),
            root=Path("/cache/root"),
            packages={"reticulate": "1.41.0.1"},
            source="debian:trixie",
            digest="r",
        ),
    )


def axes(**changes: Any) -> Axes:
    cell = Axes(
        path="reticulate",
        r="4.5.0",
        bridge="1.41",
        python="3.11",
        framework=Framework(name="jax", version="0.10.2"),
    )
    return msgspec.structs.replace(cell, **changes)


def identity() -> dict[str, Any]:
    return {
        "python": {
            "executable": str(ENVIRONMENT / "bin/python"),
            "version": "3.11.7",
            "prefix": str(ENVIRONMENT),
            "base_prefix": str(PREFIX),
            "libpython": str(PREFIX / "lib/libpython3.11.so.1.0"),
        },
        "modules": {"numpy": "2.4.6", "jax": "0.10.2", "jaxlib": "0.10.2"},
        "r": {"version": "4.5.0", "home": "/usr/lib/R"},
        "bridge": {"name": "reticulate", "version": "1.41.0.1"},
        "device": {
            "requested": "cpu",
            "actual": "cpu:0",
            "kind": "cpu",
            "driver": None,
            "runtime": None,
            "missing": None,
        },
    }


def init_details() -> dict[str, Any]:
    return {"values": [19, 22.0, 43.0, 50.0], "device": "cpu:0"}


def train_details() -> dict[str, Any]:
    return {
        "losses": [0.45, 0.011, 0.003],
        "accuracy": 1,
        "device": "cpu:0",
        **{key: {"made": value, "arrived": value} for key, value in HASHES.items()},
    }


def events(
    probe: Probe, details: dict[str, Any], seen: dict[str, Any] | None = None
) -> list[dict[str, Any]]:
    """What a driver writes, in its order; the identity comes in parts."""
    parts = [{key: value} for key, value in (identity() if seen is None else seen).items()]
    return [
        {"event": "phase", "phase": "start"},
        *({"event": "identity", "identity": part} for part in parts),
        *(
            {"event": "stage", "probe": probe.name, "name": name, "wall_s": 0.5, "cpu_s": 0.25}
            for name in probe.stages
        ),
        {"event": "phase", "phase": "op"},
        {
            "event": "probe",
            "name": probe.name,
            "status": "pass",
            "phase": "op",
            "message": None,
            "details": details,
        },
    ]


def passed_control(losses: list[float]) -> ProbeRecord:
    return ProbeRecord(name="train", status=Status.PASS, details={"losses": losses})


Judge = Callable[..., ProbeRecord]


@pytest.fixture
def judge_init() -> Judge:
    """Judge ``init`` with changes to its details, identity, axes, or events."""

    def judge(
        *,
        details: dict[str, Any] | None = None,
        seen: dict[str, Any] | None = None,
        spoil: Callable[[list[dict[str, Any]]], None] = lambda _: None,
        **others: Any,
    ) -> ProbeRecord:
        said = events(Init(), init_details() | (details or {}), seen)
        spoil(said)
        others = {"axes": axes(), "provisioned": provisioned()} | others
        return Init().judge(said, **others)

    return judge


@pytest.fixture
def judge_train() -> Judge:
    """Judge ``train`` with changes to its details, axes, control, or events."""

    def judge(
        *,
        details: dict[str, Any] | None = None,
        spoil: Callable[[list[dict[str, Any]]], None] = lambda _: None,
        **others: Any,
    ) -> ProbeRecord:
        said = events(Train(), train_details() | (details or {}))
        spoil(said)
        control = passed_control(train_details()["losses"])
        others = {"axes": axes(), "provisioned": provisioned(), "control": control} | others
        return Train().judge(said, **others)

    return judge


@pytest.fixture
def judge() -> Judge:
    """Judge any probe on details, with changes to the identity, axes, control, or events."""

    def judge(
        probe: Probe,
        details: dict[str, Any],
        *,
        seen: dict[str, Any] | None = None,
        spoil: Callable[[list[dict[str, Any]]], None] = lambda _: None,
        **others: Any,
    ) -> ProbeRecord:
        said = events(probe, details, seen)
        spoil(said)
        others = {"axes": axes(), "provisioned": provisioned()} | others
        return probe.judge(said, **others)

    return judge


def without_framework() -> dict[str, Any]:
    """What a driver reads back in a cell that names no framework."""
    seen = identity()
    del seen["device"], seen["modules"]
    return seen

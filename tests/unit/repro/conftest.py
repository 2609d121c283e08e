"""Cases made up: a cell that stopped at some step of some path."""

from __future__ import annotations

from typing import Any

import pytest

from harness.model.record import CellRecord, ProbeRecord
from harness.model.status import Phase, Status
from harness.repro import Build, Case, Lines

PROBE_OF = {"convert": "train", "train": "train"}
SMALL = ("call", "callback", "error", "seed", "upstream")
PHASE_OF = {"call": Phase.OP, "seed": Phase.TRAIN, "upstream": Phase.OP}
WHAT_IT_SAID = "it said no: 4711"


def case_of(
    path: str,
    step: str = "",
    *,
    framework: str | None = "torch==2.13.0",
    transport: str | None = None,
    status: Status = Status.FAIL,
    judged: bool = False,
    bridge: str | None = "1.28",
    cuda: str = "cpu",
    **more: Any,
) -> Case:
    """Return a case that stopped at ``step``; at none, it passes."""
    probe = step if step in SMALL else PROBE_OF.get(step, "init")
    message = more.pop("message", WHAT_IT_SAID)
    stopped = step != ""
    phase = (PHASE_OF.get(step) or Phase(step)) if stopped else None
    probes = tuple(
        ProbeRecord(
            name=name,
            status=status if stopped and name == probe else Status.PASS,
            phase=phase,
            message=message if stopped and name == probe else None,
        )
        for name in dict.fromkeys(("init", "train", probe))
    )
    alone = path == "native"
    record = CellRecord(
        id=more.pop("id", f"{path}__cell"),
        axes={
            "path": path,
            "transport": transport,
            "r": None if alone else "4.2.2",
            "bridge": None if path in {"native", "system", "rpc"} else bridge,
            "python": "3.11",
            "framework": framework,
            "cuda": cuda,
        },
        status=status if stopped else Status.PASS,
        phase=phase,
        message=message if stopped else None,
        evidence=more.pop("evidence", {} if judged or not stopped else {"traceback": "line 1"}),
        probes=more.pop("probes", probes),
        identity=more.pop("identity", {}),
    )
    return Case(
        record=record,
        python="3.11.7",
        r=None if alone else "4.2.2",
        lock=more.pop("lock", Lines(text="numpy==2.4.6\ntorch==2.13.0+cpu\n")),
        build=more.pop("build", Build(package="rPython", version="0.0-6"))
        if path == "rpython"
        else more.pop("build", None),
        suite=more.pop("suite", None if alone else "bookworm"),
        example=more.pop("example", ""),
        **more,
    )


@pytest.fixture
def case() -> Any:
    """Make a case."""
    return case_of

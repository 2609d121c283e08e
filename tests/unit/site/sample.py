"""A document with something for every page, and with texts that try to be markup."""

from __future__ import annotations

import msgspec

from harness.model.cell import Axes, Framework
from harness.model.document import Elsewhere, Machine, Results
from harness.model.job import ProcessPeak
from harness.model.record import CellRecord, ProbeRecord, Stage, Trial
from harness.model.status import Phase, Status
from harness.report.base import Log
from tests.unit.report.conftest import JAX, cell, document, smoke_cells

EVIL = (
    """</pre><script>window.evil = 1</script><img src=x onerror="window.evil = 2"> & \u2028 '"`"""
)
TORCH = Framework("torch", "2.13.0")
SIZES = ("1", "1e3", "1e6")


def outcome(there: str, back: str) -> dict[str, dict[str, str]]:
    return {"there": {"outcome": there}, "back": {"outcome": back}}


def timed(name: str, wall_s: float, n: int = 1) -> Stage:
    return Stage(name=name, wall_s=wall_s, cpu_s=wall_s / 3, n=n)


def measured(record: CellRecord, cost: float) -> CellRecord:
    """A cell with calls, transfers, conversions and the memory of its processes."""
    transfers = [
        timed(f"doubles_to_{side}_{size}", cost * float(size) ** 0.5, 3)
        for side in ("python", "r")
        for size in SIZES
    ]
    values = {
        "r-null": outcome("exact", "exact"),
        "r-integer": outcome("exact", "silent loss" if cost > 0.001 else "exact"),
    }
    return msgspec.structs.replace(
        record,
        identity={
            "bridge": {"name": "reticulate", "version": "1.41.0.1"},
            "modules": {"numpy": "2.4.6"},
        },
        processes=(ProcessPeak(role="host", program="R", peak_mb=300 + 1000 * cost),),
        probes=(
            *record.probes,
            ProbeRecord(
                name="call", status=Status.PASS, stages=(timed("noop", 1000 * cost, 1000),)
            ),
            ProbeRecord(name="transfer", status=Status.PASS, stages=tuple(transfers)),
            ProbeRecord(
                name="convert",
                status=Status.PASS,
                stages=(timed("values", 2.5),),
                details={"values": values},
            ),
        ),
    )


def cells() -> list[CellRecord]:
    found = smoke_cells()
    costs = {"native": 0.000001, "reticulate": 0.0002, "system": 0.15}
    for place, record in enumerate(found):
        if record.status is Status.PASS:
            found[place] = measured(record, costs[record.axes["path"] or ""])
    known = next(place for place, one in enumerate(found) if one.cause == "reticulate-imp")
    found[known] = msgspec.structs.replace(
        found[known],
        cause="reticulate-imp-removed-py312",
        trials=(
            Trial(remedy="older-python", verified=True, cell="", change="Python 3.11 for 3.12"),
            Trial(
                remedy="update-reticulate", verified=False, cell="", message="It fails <b>too</b>."
            ),
        ),
    )
    found.append(
        cell(
            Axes(
                path="rpc",
                transport="zmq",
                r="4.5.0",
                python="3.13",
                framework=TORCH,
                pins=(("numpy", "<2"),),
            ),
            status=Status.CRASH,
            phase=Phase.OP,
            message=EVIL,
            evidence={"traceback": EVIL},
            findings=(EVIL,),
            identity={"r": {"version": EVIL}},
            probes=(
                ProbeRecord(name="init", status=Status.CRASH, message=EVIL, details={"said": EVIL}),
            ),
        )
    )
    found.append(
        cell(
            Axes(path="reticulate", r="4.5.0", bridge="1.41.0.1", python="3.13", framework=JAX),
            status=Status.MISSING,
            message="Planned, never run.",
            wall_s=0.0,
            started_at="",
        )
    )
    return found


def sample() -> Results:
    found = cells()
    return document(
        found,
        matrix="sample",
        elsewhere=(Elsewhere(machine=Machine(os="Fedora 44"), cells=(found[-2].id,)),),
    )


class SampleLogs:
    """Logs of the cell that crashed: with markup, cut, and empty."""

    def of(self, cell: str, most: int) -> tuple[Log, ...]:
        if not cell.startswith("rpc-zmq"):
            return ()
        return (
            Log(name="stderr", text=EVIL, size=len(EVIL.encode())),
            Log(name="stdout", text="headtail", size=most + 8, cut=most, cut_at=4),
            Log(name="requirements.lock", text="", size=0),
        )

"""Made-up cells and documents, of which each test says only what matters to it."""

from __future__ import annotations

from typing import Any

from harness.model.cell import Axes, Framework, cell_id
from harness.model.document import Machine, Results
from harness.model.record import CellRecord, ProbeRecord, ProcessPeak, Stage
from harness.model.status import Phase, Status

JAX = "jax==0.10.2"
AT = "2026-11-22T10:00:00+00:00"


def stages(**times: float) -> tuple[Stage, ...]:
    return tuple(Stage(name=name, wall_s=wall, cpu_s=wall) for name, wall in times.items())


def probe(name: str, status: str = "pass", **more: Any) -> ProbeRecord:
    return ProbeRecord(name=name, status=Status(status), **more)


def cell(
    status: str = "pass",
    *,
    path: str = "reticulate",
    transport: str | None = None,
    bridge: str | None = None,
    r: str | None = None,
    python: str = "3.11",
    framework: str | None = JAX,
    numpy: str | None = None,
    phase: str | None = None,
    pins: tuple[tuple[str, str], ...] = (),
    probes: tuple[ProbeRecord, ...] | None = None,
    **more: Any,
) -> CellRecord:
    native = path == "native"
    r = None if native else r or "4.5.0"
    name, _, version = (framework or "").partition("==")
    asked = Framework(name, version or None) if framework else None
    axes = Axes(
        path=path,
        transport=transport,
        r=r,
        bridge=bridge,
        python=python,
        framework=asked,
        pins=pins,
    )
    control = Axes(path="native", python=python, framework=asked, pins=pins)
    known = {"python": {"version": f"{python}.4"}} if status == "pass" else {}
    if bridge and status in {"pass", "fail"}:
        known["bridge"] = {"name": path, "version": bridge.partition("+")[0]}
    if numpy:
        known["modules"] = {"numpy": numpy}
    if probes is None:
        probes = (probe("init", status), probe("train", status)) if status == "pass" else ()
    return CellRecord(
        **{
            "id": cell_id(axes),
            "axes": axes.as_dict(),
            "status": Status(status),
            "phase": Phase(phase) if phase else None,
            "control": None if native else cell_id(control),
            "identity": known,
            "probes": probes,
            "started_at": AT,
            **more,
        }
    )


def native(status: str = "pass", **more: Any) -> CellRecord:
    return cell(status, path="native", **more)


def document(*cells: CellRecord, **more: Any) -> Results:
    return Results(
        **{
            "matrix": "m",
            "harness": "0.1.0",
            "machine": Machine(os="Debian GNU/Linux 12 (bookworm)", arch="x86_64", cores=2),
            "started_at": AT,
            "finished_at": "2026-11-22T11:00:00+00:00",
            "planned": tuple(one.id for one in cells),
            "cells": cells,
            **more,
        }
    )


def host(program: str = "R", *, python_mb: float = 0.0) -> tuple[ProcessPeak, ...]:
    found = [ProcessPeak(role="host", program=program, peak_mb=300.0, count=1)]
    if python_mb:
        found.append(ProcessPeak(role="python", program="python", peak_mb=python_mb, count=1))
    return tuple(found)

"""Results and expectations to be judged, with no more than a test is about."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

from harness.gate.model import Expectation, Expectations
from harness.model.cell import Axes, Framework, cell_id
from harness.model.document import Machine, Results
from harness.model.record import CellRecord
from harness.model.status import Phase, Status

TODAY = dt.date(2026, 11, 22)
LATER = dt.date(2027, 6, 30)


def cell(
    status: str = "pass",
    *,
    r: str = "4.2.2",
    bridge: str = "1.28",
    python: str = "3.12",
    framework: str = "jax",
    path: str = "reticulate",
    message: str | None = None,
    **values: Any,
) -> CellRecord:
    """Return the record of one cell that ended as ``status``."""
    native = path == "native"
    axes = Axes(
        path=path,
        r=None if native else r,
        bridge=None if native else bridge,
        python=python,
        framework=Framework(name=framework, version="1.0"),
    )
    problem = status not in {"pass", "missing", "unavailable", "unsatisfiable", "unsupported"}
    phase = Phase.PYTHON if problem else None
    return CellRecord(
        id=cell_id(axes),
        axes=axes.as_dict(),
        status=Status(status),
        phase=values.pop("phase", phase),
        message=message or ("it broke" if problem else None),
        **values,
    )


def results(*cells: CellRecord, **values: Any) -> Results:
    """Return a document of these cells."""
    return Results(
        **{
            "matrix": "m",
            "machine": Machine(),
            "started_at": "2026-11-21T01:02:03Z",
            "planned": tuple(one.id for one in cells),
            "whole": {"m": len(cells)},
            "cells": cells,
            **values,
        }
    )


def line(cells: str, number: int = 2, **values: Any) -> Expectation:
    """Return an expectation that holds today."""
    return Expectation(
        **{
            "cells": cells,
            "reason": "known",
            "owner": "somebody",
            "until": LATER,
            "line": number,
            **values,
        }
    )


def lines(*found: Expectation) -> Expectations:
    """Return a list of expectations."""
    return Expectations(source="expect.yaml", lines=found)


def kinds(findings: Sequence[Any]) -> dict[str, str]:
    """Return what is said of each cell."""
    return {one.cell: one.change.value for one in findings}

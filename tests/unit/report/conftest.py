"""A realistic results document: the smoke matrix as it may come out on a machine without R."""

from __future__ import annotations

from itertools import product

import pytest

from harness.model.cell import Axes, Framework, cell_id
from harness.model.document import Machine, Results
from harness.model.record import CellRecord, Ending, ProbeRecord, Stage
from harness.model.status import Phase, Status

MACHINE = Machine(
    os="Debian GNU/Linux 12 (bookworm)",
    kernel="6.1.0-18-amd64",
    libc="glibc 2.36",
    arch="x86_64",
    cpu="Intel(R) Xeon(R) Processor",
    cores=2,
    memory_mb=24105,
)
KERAS = Framework("keras", "3.15.1", ("jax", "torch"))
TENSORFLOW = Framework("tensorflow", "2.21.0")
TORCH = Framework("torch", "2.13.0")
JAX = Framework("jax", "0.9.2")
FRAMEWORKS = (JAX, KERAS, TENSORFLOW, TORCH)
IMPORT_S = {"keras": 16.2, "tensorflow": 11.4, "torch": 13.1, "jax": 4.2}
HIDDEN = """\
Traceback (most recent call last):
  File "<string>", line 1, in <module>
ModuleNotFoundError: No module named 'imp'
"""


def stages(**times: float) -> tuple[Stage, ...]:
    return tuple(Stage(name=name, wall_s=wall, cpu_s=wall * 0.9) for name, wall in times.items())


def probes(framework: Framework, *, bridge_s: float, failing: str = "") -> tuple[ProbeRecord, ...]:
    found = []
    for variant in framework.backends or (None,):
        imports = IMPORT_S[framework.name] + bridge_s / 4
        init = {"process_start": 0.02 + bridge_s / 6, "framework_import": imports}
        if bridge_s:
            init = {"bridge_load": bridge_s / 2, "python_start": bridge_s / 5, **init}
        found.append(
            ProbeRecord(
                name="init",
                variant=variant,
                status=Status.PASS,
                stages=(
                    *stages(**init, first_op=0.031),
                    Stage(name="steady_op", wall_s=0.02 + bridge_s / 100, cpu_s=None, n=20),
                ),
            )
        )
        status = Status.FAIL if failing else Status.PASS
        found.append(
            ProbeRecord(
                name="train",
                variant=variant,
                status=status,
                phase=Phase.CONVERT if failing else None,
                message=failing or None,
                stages=stages(make_data=0.4, transfer=bridge_s / 8, first_step=0.5, epoch=1.9),
            )
        )
    return tuple(found)


def cell(axes: Axes, /, **changes: object) -> CellRecord:
    control = None
    if axes.path != "native":
        native = Axes(path="native", python=axes.python, framework=axes.framework, pins=axes.pins)
        control = cell_id(native)
    values: dict[str, object] = {
        "id": cell_id(axes),
        "axes": axes.as_dict(),
        "status": Status.PASS,
        "wall_s": 21.4,
        "provision_s": 2.2,
        "max_rss_mb": 912.0,
        "control": control,
        "implied": control is None,
        "started_at": "2026-11-30T10:02:11+00:00",
        "ending": Ending(exit_code=0),
        "key": "k",
    }
    return CellRecord(**{**values, **changes})


def smoke_cells() -> list[CellRecord]:
    cells = []
    for python, framework in product(("3.11", "3.12"), FRAMEWORKS):
        native = Axes(path="native", python=python, framework=framework)
        if framework is JAX and python == "3.12":
            cells.append(
                cell(
                    native,
                    status=Status.FAIL,
                    phase=Phase.TRAIN,
                    message="The loss did not fall: 2.31 after epoch 1, 2.31 after epoch 5.",
                    probes=probes(framework, bridge_s=0, failing="The loss did not fall."),
                )
            )
        else:
            cells.append(cell(native, probes=probes(framework, bridge_s=0)))
    for (r, bridge), python, framework in product(
        (("4.2.2", "1.28"), ("4.5.0", "1.41.0.1")), ("3.11", "3.12"), FRAMEWORKS
    ):
        axes = Axes(path="reticulate", r=r, bridge=bridge, python=python, framework=framework)
        cells.append(_reticulate(axes))
        axes = Axes(path="system", r=r, python=python, framework=framework)
        swapped = ("R's LD_LIBRARY_PATH swapped libpython; the path restored the caller's value.",)
        if framework is JAX and python == "3.12":
            changes = {"status": Status.FAIL, "phase": Phase.TRAIN, "message": "The loss rose."}
        else:
            changes = {"findings": swapped if r == "4.2.2" else ()}
        cells.append(cell(axes, probes=probes(framework, bridge_s=0.9), **changes))
    return cells


def _reticulate(axes: Axes) -> CellRecord:
    assert axes.framework is not None
    if axes.r == "4.2.2" and axes.python == "3.12":
        return cell(
            axes,
            status=Status.FAIL,
            phase=Phase.PYTHON,
            message="reticulate 1.28 cannot start Python 3.12: No module named 'imp'.",
            cause="reticulate-imp",
            evidence={"traceback": HIDDEN, "stderr": "Error in py_initialize(...)"},
        )
    if axes.r == "4.2.2" and axes.framework is TORCH:
        text = "The matrix that arrived is not the one that was sent: dtype object, not float64."
        return cell(
            axes,
            status=Status.FAIL,
            phase=Phase.CONVERT,
            message=text,
            probes=probes(axes.framework, bridge_s=1.4, failing=text),
        )
    if axes.framework is TENSORFLOW and axes.python == "3.11" and axes.r == "4.5.0":
        return cell(
            axes,
            status=Status.CRASH,
            phase=Phase.TEARDOWN,
            message="Segmentation fault (SIGSEGV) after its work was done.",
            probes=probes(axes.framework, bridge_s=1.4),
            ending=Ending(signal="SIGSEGV"),
        )
    return cell(axes, probes=probes(axes.framework, bridge_s=1.4))


def document(cells: list[CellRecord], **changes: object) -> Results:
    values: dict[str, object] = {
        "harness": "0.1.0",
        "matrix": "smoke",
        "machine": MACHINE,
        "started_at": "2026-11-30T10:02:11+00:00",
        "finished_at": "2026-11-30T10:09:40+00:00",
        "planned": tuple(record.id for record in cells),
        "cells": tuple(cells),
    }
    return Results(**{**values, **changes})


@pytest.fixture
def smoke() -> Results:
    return document(smoke_cells())


@pytest.fixture
def make_cell():
    return cell


@pytest.fixture
def make_document():
    return document

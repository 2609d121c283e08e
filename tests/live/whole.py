"""Cells from their axes to their records, by the workflow's own parts, with a fault planted."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest

from harness.errors import HarnessError
from harness.matrix.expand import control_axes
from harness.model.cell import Axes, Cell, Limits, cell_id
from harness.model.record import CellRecord, ProbeRecord
from harness.model.status import Status
from harness.paths.base import IntegrationPath
from harness.provision.provisioner import Provisioner
from harness.provision.store import FolderStore
from harness.resolve import Resolver
from harness.workflow import measuring
from harness.workflow.display import QuietDisplay
from harness.workflow.measuring import Measurement, measure
from harness.workflow.preparing import Preparation
from harness.workflow.registry import paths
from harness.workflow.request import write_request


class Whole:
    """Prepares, runs and judges cells, and remembers those that were run."""

    def __init__(self, store: FolderStore, folder: Path) -> None:
        provisioner = Provisioner(store)
        resolver = Resolver(store, provisioner.sources)
        every = tuple(paths().values())
        self.preparation = Preparation(provisioner, resolver, every, QuietDisplay())
        self.folder = folder
        self.records: dict[str, CellRecord] = {}
        self.paths: list[IntegrationPath | None] = []
        """What is known by its id: one that is gone would leave that to another."""

    def __call__(
        self,
        axes: Axes,
        *probes: str,
        plant: str = "",
        limits: Limits = Limits(),  # noqa: B008 - frozen
        path: IntegrationPath | None = None,
        cold: bool = False,
    ) -> CellRecord:
        """Return the record of a cell; skip the test where something that it needs is not here."""
        key = (
            f"{cell_id(axes)}.{'-'.join(probes)}.{plant}.{'' if path is None else id(path)}.{cold}"
        )
        if key not in self.records:
            self.paths.append(path)
            control = None
            if axes.path != "native":
                control = self(control_axes(axes), *(set(probes) & {"train"}) or ("init",))
            cell = Cell(
                id=cell_id(axes),
                axes=axes,
                probes=probes,
                limits=limits,
                control=None if control is None else control.id,
                cold=cold,
            )
            self.records[key] = self._run(cell, path or paths()[axes.path], control, plant)
        record = self.records[key]
        if record.status is Status.UNAVAILABLE:
            pytest.skip(record.message or "not here")
        return record

    def _run(
        self, cell: Cell, path: IntegrationPath, control: CellRecord | None, plant: str
    ) -> CellRecord:
        preparation = self.preparation
        try:
            preparation.python(preparation.python_name(cell), cell.axes)
            name = preparation.r_name(cell)
            if name is not None:
                preparation.r(name, cell.axes)
            prepared = preparation.of_cell(cell, path)
        except HarnessError as error:
            pytest.skip(str(error))

        def with_plant(work: Path, *arguments: Any, **others: Any) -> None:
            write_request(work, *arguments, **others)
            request = work / "request.json"
            fields = json.loads(request.read_text()) | {"plant": plant}
            request.write_text(json.dumps(fields))
            with (work / "request.dcf").open("a") as file:
                file.write(f"plant: {plant}\n" if plant else "")

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(measuring, "write_request", with_plant)
            return measure(
                Measurement(
                    cell=cell,
                    path=path,
                    prepared=prepared,
                    control=control,
                    folder=self.folder / f"cell{len(self.records)}",
                    cancel=threading.Event(),
                    on_phase=lambda _phase: None,
                )
            )


def probe_of(record: CellRecord, name: str) -> ProbeRecord:
    """Return one probe of a record."""
    (probe,) = (probe for probe in record.probes if probe.name == name)
    return probe


__all__ = ["Whole", "probe_of"]

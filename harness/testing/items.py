"""A matrix file as a collection of tests, one a cell."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest

from harness.errors import HarnessError
from harness.gate import Expectation, load_expectations
from harness.gate.expectations import compile_cells
from harness.gate.judge import describes
from harness.model.cell import Cell, Plan
from harness.model.record import CellRecord
from harness.model.status import Status
from harness.results.load import load
from harness.workflow.absorbing import absorb, seed
from harness.workflow.bridges import read_bridges
from harness.workflow.planning import make_plan
from harness.workflow.run import Settings, run_plan

WORKERS: Final = "workers"
_SKIPPED: Final = frozenset(
    {Status.UNSATISFIABLE, Status.UNAVAILABLE, Status.UNSUPPORTED, Status.SKIPPED}
)
RESULTS: Final = ".harness/results"


class CellFailed(Exception):
    """A cell did not pass; what is shown is the record, no traceback of the harness."""

    def __init__(self, record: CellRecord, folder: Path) -> None:
        self.record = record
        self.folder = folder
        super().__init__(record.message or record.status.value)


class ExpectedToFail(CellFailed):
    """A cell ended as a line of the expectations says."""


class MatrixFile(pytest.File):
    """A matrix file that was named on the command line."""

    def collect(self) -> Iterator[pytest.Item]:
        """Yield one test a cell; controls that the matrix does not list are run with theirs."""
        config = self.config
        try:
            plan = make_plan(
                self.path,
                where=config.getoption("--harness-where"),
                cran=config.getoption("--harness-cran"),
                bridges=config.getoption("--harness-bridge"),
            )
            expect = config.getoption("--harness-expect")
            listed = () if expect is None else load_expectations(expect).lines
        except HarnessError as error:
            raise self.CollectError(str(error)) from None
        lines = [(line, compile_cells(line.cells)) for line in listed]
        by_id = {cell.id: cell for cell in plan.cells}
        for cell in plan.cells:
            if cell.implied:
                continue
            values = {**cell.axes.as_dict(), "id": cell.id}
            mine = [line for line, lists in lines if lists(values)]
            yield CellItem.from_parent(
                self,
                name=cell.id,
                cell=cell,
                control=by_id.get(cell.control or ""),
                plan=plan,
                listed=mine,
            )


class CellItem(pytest.Item):
    """One cell as a test: the same engine and the same journal as `harness run`."""

    def __init__(
        self,
        *,
        cell: Cell,
        control: Cell | None,
        plan: Plan,
        listed: list[Expectation],
        **values: Any,
    ) -> None:
        super().__init__(**values)
        self.cell = cell
        self.control = control
        self.plan = plan
        self.listed = [line for line in listed if line.until >= _today()]
        self.keywords.update(
            {value: True for value in cell.axes.as_dict().values() if value is not None}
        )
        # Those that share a control go to one worker, with `--dist loadgroup`.
        self.add_marker(pytest.mark.xdist_group(name=cell.control or cell.id))
        # A cell has limits of its own.
        self.add_marker(pytest.mark.timeout(0))
        if self.listed:
            line = self.listed[0]
            reason = f"{line.reason} (until {line.until.isoformat()}, {line.owner})"
            # A flaky cell passes at times, and that is no news.
            strict = not any(line.flaky for line in self.listed)
            self.add_marker(pytest.mark.xfail(strict=strict, raises=ExpectedToFail, reason=reason))

    def runtest(self) -> None:
        """Run the cell, or take the result that it has."""
        folder = self._folder()
        cells = (self.cell,) if self.control is None else (self.control, self.cell)
        try:
            run_plan(
                msgspec.structs.replace(self.plan, cells=cells),
                Settings(
                    results=folder,
                    jobs=1,
                    quiet=True,
                    partial=True,
                    report=False,
                    cran=self.config.getoption("--harness-cran"),
                    bridges=read_bridges(self.config.getoption("--harness-bridge")),
                    anew=frozenset({self.cell.id})
                    if self.config.getoption("--harness-fresh")
                    else frozenset(),
                ),
            )
        except HarnessError as error:
            pytest.fail(str(error), pytrace=False)
        record = next(one for one in load(folder).cells if one.id == self.cell.id)
        self.user_properties.append(("status", record.status.value))
        if record.cause:
            self.user_properties.append(("cause", record.cause))
        self._judge(record, folder)

    def _judge(self, record: CellRecord, folder: Path) -> None:
        if record.status is Status.PASS:
            return
        if any(describes(line, record) for line in self.listed):
            raise ExpectedToFail(record, folder)
        if record.status in _SKIPPED:
            pytest.skip(f"{record.status.value}: {record.message}")
        raise CellFailed(record, folder)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """Return the account that `harness why` gives."""
        error = excinfo.value
        if not isinstance(error, CellFailed):
            return super().repr_failure(excinfo, style)
        from harness.workflow.why import account, as_text

        text = as_text(account(error.folder, self.cell.id))
        if self.listed and not isinstance(error, ExpectedToFail):
            line = self.listed[0]
            text += f"\nThe expectation in line {line.line} says otherwise: {line.reason}\n"
        return text

    def reportinfo(self) -> tuple[Path, int, str]:
        """Return the name under which a failure is shown."""
        return self.path, 0, self.cell.id

    def _folder(self) -> Path:
        """Return where this process keeps its results; with workers, each has its own."""
        home = self.config.getoption("--harness-results")
        folder = Path(home) if home else self.config.rootpath / RESULTS / self.plan.matrix
        worker = os.environ.get("PYTEST_XDIST_WORKER")
        if worker is None:
            return folder
        own = folder / WORKERS / worker
        seed(folder, own)
        return own


def gather(config: pytest.Config) -> None:
    """Put what workers measured into the journals of their matrices."""
    home = config.getoption("--harness-results")
    folders = [Path(home)] if home else sorted((config.rootpath / RESULTS).glob("*"))
    for folder in folders:
        absorb(folder, folder / WORKERS)


def _today() -> dt.date:
    return dt.datetime.now(dt.UTC).date()

"""Cells for tests of one's own."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path

import pytest

from harness.errors import HarnessError
from harness.model.cell import Axes, Cell
from harness.model.environment import Provisioned
from harness.workflow.planning import make_plan
from harness.workflow.registry import paths
from harness.workflow.workbench import CannotBe, Ran, Workbench, run_in_cell


class HarnessCell:
    """One cell, ready to run code in.

    Everything runs in the cell's sandbox: without the network, with a home of its own, and with
    no variable of the caller's.
    """

    def __init__(self, cell: Cell, ready: Provisioned, folder: Path) -> None:
        self.cell = cell
        self.provisioned = ready
        self.folder = folder
        """The test's own folder, which the cell sees at the same path and may write to."""
        self._calls = itertools.count(1)

    @property
    def id(self) -> str:
        """The cell's one name."""
        return self.cell.id

    @property
    def axes(self) -> Axes:
        """One value for each axis."""
        return self.cell.axes

    @cached_property
    def bridge(self) -> str:
        """The version of the bridge, as the cell has it."""
        path = paths()[self.axes.path]
        r = self.provisioned.r
        if path.bridge_package is not None and r is not None and path.bridge_package in r.packages:
            return r.packages[path.bridge_package]
        return self.axes.bridge or ""

    def rscript(
        self,
        code: str,
        *arguments: str,
        check: bool = True,
        timeout_s: float = 120.0,
        env: Mapping[str, str] | None = None,
    ) -> Ran:
        """Run R code, with no profile of anybody's.

        Parameters
        ----------
        code
            R code, or a file of it that the cell can see.
        check
            Fail the test where it does not end with 0.
        timeout_s
            Its limit in seconds.
        env
            Further variables.
        """
        r = self.provisioned.r
        if r is None:
            pytest.fail(f"{self.id} has no R: select cells with one, 'r:*'", pytrace=False)
        script = self._script(code, "R")
        command = (str(r.rscript), "--no-init-file", str(script), *arguments)
        return self._run(command, check=check, timeout_s=timeout_s, env=env)

    def python(
        self,
        code: str,
        *arguments: str,
        check: bool = True,
        timeout_s: float = 120.0,
        env: Mapping[str, str] | None = None,
    ) -> Ran:
        """Run Python code with the cell's Python, without R; parameters as of ``rscript``."""
        script = self._script(code, "py")
        command = (str(self.provisioned.python.executable), str(script), *arguments)
        return self._run(command, check=check, timeout_s=timeout_s, env=env)

    def _script(self, code: str, suffix: str) -> Path:
        script = self.folder / f"script-{next(self._calls)}.{suffix}"
        script.write_text(code, encoding="utf-8")
        return script

    def _run(
        self,
        command: Sequence[str],
        *,
        check: bool,
        timeout_s: float,
        env: Mapping[str, str] | None,
    ) -> Ran:
        ran = run_in_cell(
            self.cell,
            self.provisioned,
            command,
            self.folder,
            variables=env,
            timeout_s=timeout_s,
        )
        if check and not ran.ok:
            said = ran.stderr.strip() or ran.stdout.strip() or "it printed nothing"
            pytest.fail(f"in {self.id}: {Path(command[-1]).name} {ran.how}\n{said}", pytrace=False)
        return ran


def cells_of_mark(mark: pytest.Mark, folder: Path, config: pytest.Config) -> list[Cell]:
    """Return the cells that a mark selects; a fault of the matrix ends the collection."""
    arguments = dict(mark.kwargs)
    matrix = mark.args[0] if mark.args else arguments.pop("matrix", None)
    only, where = arguments.pop("only", ()), arguments.pop("where", None)
    if matrix is None or arguments or len(mark.args) > 1:
        raise pytest.UsageError(
            "write @pytest.mark.harness('matrix.yaml', only='GLOB', where='QUERY')"
        )
    globs = (only,) if isinstance(only, str) else tuple(only)
    try:
        plan = make_plan(
            folder / Path(matrix),
            only=globs,
            where=_both(where, config.getoption("--harness-where")),
            cran=config.getoption("--harness-cran"),
            bridges=config.getoption("--harness-bridge"),
        )
    except HarnessError as error:
        raise pytest.UsageError(str(error)) from None
    return [cell for cell in plan.cells if not cell.implied]


def _both(one: str | None, other: str | None) -> str | None:
    found = [query for query in (one, other) if query]
    if len(found) < len((one, other)):
        return found[0] if found else None
    return " and ".join(f"({query})" for query in found)


def make_ready(cell: Cell, workbench: Workbench, folder: Path) -> HarnessCell:
    """Make a cell ready; the test is skipped with the reason where that cannot be."""
    try:
        return HarnessCell(cell, workbench.prepare(cell), folder)
    except CannotBe as error:
        pytest.skip(f"{error.status.value}: {error}")
    except HarnessError as error:
        pytest.fail(str(error), pytrace=False)

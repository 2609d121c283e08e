"""A cell made ready for code of one's own: the R and the Python that it has, in its sandbox."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from harness.errors import HarnessError, Unavailable
from harness.execute.environment import base_environment
from harness.execute.sandbox import run as run_job
from harness.model.cell import Cell, Plan
from harness.model.environment import Provisioned
from harness.model.job import Bind, End, Job, Outcome
from harness.model.status import Status
from harness.provision.gpu import devices
from harness.provision.provisioner import Provisioner
from harness.provision.store import FolderStore, default_root
from harness.resolve import Resolver
from harness.workflow.bridges import bring_trees, read_bridges
from harness.workflow.display import QuietDisplay
from harness.workflow.measuring import SYSTEM_PATH
from harness.workflow.preparing import Preparation, provisioned
from harness.workflow.registry import paths


class CannotBe(HarnessError):
    """A cell cannot be made ready here; ``status`` says in which way."""

    def __init__(self, status: Status, message: str) -> None:
        self.status = status
        super().__init__(message)


class Ran(msgspec.Struct, frozen=True, kw_only=True):
    """What came of code in a cell; texts are what was kept of its output."""

    stdout: str
    stderr: str
    exit_code: int | None
    signal: str | None
    wall_s: float
    ended: str = "exited"
    """``exited``, ``signalled``, ``timeout`` or ``oom``."""

    @property
    def ok(self) -> bool:
        """Say whether it ended by itself with 0."""
        return self.ended == End.EXITED.value and self.exit_code == 0

    @property
    def how(self) -> str:
        """How it ended, in words."""
        if self.signal is not None:
            return f"was ended by {self.signal}"
        if self.ended != End.EXITED.value:
            return f"ended with {self.ended} after {self.wall_s:.0f} s"
        return f"ended with exit code {self.exit_code}"


class Workbench:
    """Makes cells ready, each thing once however many tests ask for it."""

    def __init__(self, *, bridges: Sequence[str] = (), cran: str | None = None) -> None:
        self._display = QuietDisplay()
        self._store = FolderStore(default_root())
        self._paths = paths()
        self._trees = bring_trees(
            read_bridges(bridges, self._paths), store=self._store, notify=self._display.note
        )
        provisioner = Provisioner(self._store, self._display.note, cran=cran, trees=self._trees)
        self._preparation = Preparation(
            provisioner,
            Resolver(self._store, provisioner.sources),
            tuple(self._paths.values()),
            self._display,
        )
        self._made: dict[str, Provisioned] = {}

    def prepare(self, cell: Cell) -> Provisioned:
        """Bring what a cell needs.

        Raises
        ------
        CannotBe
            No set of packages can exist for it, or it cannot be had here.
        MachineFault
            This machine lacks a program, or room.
        """
        if cell.id in self._made:
            return self._made[cell.id]
        preparation = self._preparation
        preparation.resolve(Plan(matrix="", source="", cells=(cell,)), self._store)
        if not preparation.is_refused(cell):
            python, r = preparation.python_name(cell), preparation.r_name(cell)
            if not preparation.has(python):
                preparation.python(python, cell.axes)
            if r is not None and not preparation.has(r):
                preparation.r(r, cell.axes)
        prepared = preparation.of_cell(cell, self._paths[cell.axes.path])
        if prepared.refusal is not None:
            raise CannotBe(prepared.refusal.status, prepared.refusal.message)
        self._made[cell.id] = provisioned(prepared)
        return self._made[cell.id]

    def close(self) -> None:
        """Let go of what is in use, so that it may be pruned."""
        self._store.close()


def run_in_cell(
    cell: Cell,
    ready: Provisioned,
    command: Sequence[str],
    folder: Path,
    *,
    variables: Mapping[str, str] | None = None,
    timeout_s: float = 120.0,
) -> Ran:
    """Run a command in a cell's sandbox, in ``folder``, which alone it may write to."""
    home = folder / "home"
    home.mkdir(parents=True, exist_ok=True)
    env = environment(ready, home, variables or {})
    binds = [*ready.python.binds, *(() if ready.r is None else ready.r.binds)]
    job = Job(
        argv=tuple(command),
        env=env,
        cwd=folder,
        root=ready.root,
        binds=(*(Bind(bind) for bind in binds), Bind(folder, writable=True)),
        events=folder / ".events",
        stdout=folder / ".stdout",
        stderr=folder / ".stderr",
        limits=msgspec.structs.replace(cell.limits, phase_s=timeout_s),
        network=cell.network,
    )
    outcome = run_job(job, threading.Event(), devices=() if cell.axes.cuda == "cpu" else devices())
    if outcome.end is End.NOT_STARTED:
        raise Unavailable(f"{command[0]} could not be started: {outcome.message}")
    return _ran(job, outcome)


def environment(ready: Provisioned, home: Path, variables: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of a cell, with which reticulate finds the cell's own Python."""
    env: dict[str, str] = {
        **base_environment(os.environ),
        "PATH": SYSTEM_PATH,
        "HOME": str(home),
        "TMPDIR": "/tmp",  # noqa: S108 - the cell's own, empty and its alone
        "RETICULATE_PYTHON": str(ready.python.executable),
        "RETICULATE_USE_MANAGED_VENV": "no",
        "RETICULATE_AUTOCONFIGURE": "0",
    }
    if ready.python.overlay is not None:
        env["PYTHONPATH"] = str(ready.python.overlay)
    if ready.r is not None:
        env |= ready.r.env
    return {**env, **variables}


def _ran(job: Job, outcome: Outcome) -> Ran:
    def text(file: Path) -> str:
        return file.read_text(encoding="utf-8", errors="replace") if file.exists() else ""

    found: dict[str, Any] = {"stdout": text(job.stdout), "stderr": text(job.stderr)}
    return Ran(
        **found,
        exit_code=outcome.exit_code,
        signal=outcome.signal,
        wall_s=outcome.wall_s,
        ended=outcome.end.value,
    )

"""What cells need before they start, each thing made once however many cells share it."""

from __future__ import annotations

import threading
import time

import msgspec

from harness.errors import Unavailable, Unsatisfiable
from harness.model.cell import Axes, Cell
from harness.model.environment import Lock, Provisioned, PythonEnvironment, RToolchain
from harness.model.status import Phase, Status
from harness.paths.base import IntegrationPath
from harness.provision.provisioner import Provisioner
from harness.resolve import Resolver
from harness.workflow.display import Display


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """Why something that a cell needs cannot be had."""

    status: Status
    phase: Phase
    message: str
    detail: str = ""


class Prepared(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is ready, or the reason why it cannot be; times in seconds."""

    python: PythonEnvironment | None = None
    r: RToolchain | None = None
    refusal: Refusal | None = None
    resolve_s: float = 0.0
    provision_s: float = 0.0


class Preparation:
    """Makes Python environments and R toolchains, and remembers what became of each.

    The methods ``python`` and ``r`` are called once for each name, from several threads.
    """

    def __init__(
        self,
        provisioner: Provisioner,
        resolver: Resolver,
        r_packages: tuple[str, ...],
        display: Display,
    ) -> None:
        self._provisioner = provisioner
        self._resolver = resolver
        self._r_packages = r_packages
        self._display = display
        self._made: dict[str, Prepared] = {}
        self._mutex = threading.Lock()

    @staticmethod
    def python_name(cell: Cell) -> str:
        """Name the Python environment of a cell; cells with one name share it."""
        axes = cell.axes
        parts = (axes.python, axes.framework, axes.cuda, axes.pins)
        return "Python " + " ".join(str(part) for part in parts if part)

    @staticmethod
    def r_name(cell: Cell) -> str | None:
        """Name the R of a cell; ``None`` where it needs none."""
        return None if cell.axes.r is None else f"R {cell.axes.r}"

    def python(self, name: str, axes: Axes) -> None:
        """Resolve and build a Python environment."""
        began = time.monotonic()
        resolved = began
        phase = Phase.RESOLVE
        environment = None
        refusal = None
        self._display.provisioning(_words(axes))
        try:
            interpreter = self._provisioner.interpreter(axes.python)
            lock = self._resolver.cell(axes, interpreter)
            phase, resolved = Phase.PROVISION, time.monotonic()
            environment = self._provisioner.python(interpreter, lock)
        except (Unavailable, Unsatisfiable) as error:
            refusal = _refusal(error, phase)
        ended = time.monotonic()
        made = Prepared(
            python=environment,
            refusal=refusal,
            resolve_s=(resolved if phase is Phase.PROVISION else ended) - began,
            provision_s=ended - resolved if phase is Phase.PROVISION else 0.0,
        )
        self._keep(name, made, _words(axes), ended - began)

    def r(self, name: str, axes: Axes) -> None:
        """Provide an R with the packages of all paths, so that all share one."""
        began = time.monotonic()
        toolchain = None
        refusal = None
        self._display.provisioning(name)
        try:
            toolchain = self._provisioner.r(axes, self._r_packages)
        except (Unavailable, Unsatisfiable) as error:
            refusal = _refusal(error, Phase.PROVISION)
        seconds = time.monotonic() - began
        made = Prepared(r=toolchain, refusal=refusal, provision_s=seconds)
        self._keep(name, made, name, seconds)

    def made(self, name: str) -> Prepared:
        """Return what became of ``name``, which must have been made."""
        with self._mutex:
            return self._made[name]

    def of_cell(self, cell: Cell, path: IntegrationPath) -> Prepared:
        """Return what a cell has got, put together, or why it cannot have it."""
        made = self.made(self.python_name(cell))
        r_name = self.r_name(cell)
        r = Prepared() if r_name is None else self.made(r_name)
        prepared = Prepared(
            python=made.python,
            r=r.r,
            refusal=made.refusal or r.refusal,
            resolve_s=made.resolve_s,
            provision_s=made.provision_s + r.provision_s,
        )
        if prepared.refusal is not None or made.python is None:
            return prepared
        phase = Phase.RESOLVE
        try:
            overlay = self._overlay_lock(made.python, path.requirements(cell.axes))
            phase = Phase.PROVISION
            python = made.python
            if overlay is not None:
                python = self._provisioner.overlay(python, overlay)
            if r_name is not None:
                self._provisioner.r(cell.axes, self._r_packages, path.bridge_package)
                self._provisioner.together(python, r.r)
        except (Unavailable, Unsatisfiable) as error:
            return msgspec.structs.replace(prepared, refusal=_refusal(error, phase))
        return msgspec.structs.replace(prepared, python=python)

    def _overlay_lock(
        self, python: PythonEnvironment, requirements: tuple[str, ...]
    ) -> Lock | None:
        """Resolve a path's packages beside what is installed, which must not change."""
        if not requirements:
            return None
        installed = [line for line in python.lock.text.splitlines() if "==" in line]
        return self._resolver.lock(
            requirements,
            python.interpreter,
            constraints=installed,
            options=python.lock.options,
        )

    def _keep(self, name: str, made: Prepared, words: str, seconds: float) -> None:
        with self._mutex:
            self._made[name] = made
        if made.refusal is None:
            self._display.provisioned(words, seconds)
        else:
            self._display.not_provisioned(words, f"{made.refusal.status}: {made.refusal.message}")


def provisioned(prepared: Prepared) -> Provisioned:
    """Return what a cell without a refusal starts with."""
    assert prepared.python is not None
    return Provisioned(python=prepared.python, r=prepared.r)


def _refusal(error: Unavailable | Unsatisfiable, phase: Phase) -> Refusal:
    impossible = isinstance(error, Unsatisfiable)
    return Refusal(
        status=Status.UNSATISFIABLE if impossible else Status.UNAVAILABLE,
        phase=phase,
        message=str(error),
        detail=str(getattr(error, "detail", "") or ""),
    )


def _words(axes: Axes) -> str:
    pins = " ".join(f"{name}{specifier}" for name, specifier in axes.pins)
    framework = "" if axes.framework is None else f" with {axes.framework}"
    cuda = "" if axes.cuda == "cpu" else f" for CUDA {axes.cuda}"
    return f"Python {axes.python}{framework}{cuda} {pins}".strip()

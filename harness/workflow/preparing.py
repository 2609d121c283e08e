"""What cells need before they start, each thing made once however many cells share it."""

from __future__ import annotations

import threading
import time
from collections.abc import Collection
from pathlib import Path

import msgspec

from harness.errors import BuildFailure, Unavailable, Unsatisfiable
from harness.model.cell import Axes, Cell
from harness.model.environment import Lock, Provisioned, PythonEnvironment, RToolchain
from harness.model.status import Phase, Status
from harness.paths.base import (
    BuildsBridge,
    BuildsForR,
    ChoosesBridge,
    HasNeeds,
    IntegrationPath,
    Needs,
)
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
    bridge_source: Path | None = None
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
        paths: Collection[IntegrationPath],
        display: Display,
    ) -> None:
        self._provisioner = provisioner
        self._resolver = resolver
        self._paths = paths
        self._r_packages = tuple(sorted({name for path in paths for name in path.r_packages}))
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
            axes = _with_bridge(cell.axes, path, r.r)
            needs = self._needs(cell, path)
            requirements = (*path.requirements(axes), *needs.requirements)
            overlay = self._overlay_lock(made.python, requirements)
            phase = Phase.PROVISION
            python, toolchain = made.python, r.r
            if overlay is not None:
                variables = path.build_env if isinstance(path, BuildsBridge) else {}
                python = self._provisioner.overlay(python, overlay, variables)
            if r_name is not None:
                comes_with_r = path.bridge_package in path.r_packages
                bridge = path.bridge_package if comes_with_r else None
                packages = (*self._r_packages, *needs.r_packages)
                toolchain = self._provisioner.r(cell.axes, packages, bridge)
                self._provisioner.together(python, toolchain)
            if toolchain is not None and isinstance(path, BuildsForR):
                libraries = path.r_libraries(axes, python)
                toolchain = self._provisioner.with_sources(toolchain, libraries)
            source = None
            if needs.bridge_source and toolchain is not None and path.bridge_package is not None:
                source = self._provisioner.bridge_source(toolchain, path.bridge_package)
        except (Unavailable, Unsatisfiable, BuildFailure) as error:
            return msgspec.structs.replace(prepared, refusal=_refusal(error, phase))
        return msgspec.structs.replace(prepared, python=python, r=toolchain, bridge_source=source)

    def _needs(self, cell: Cell, path: IntegrationPath) -> Needs:
        """Return what the probes of a cell need beyond its path, in one."""
        # What a path cannot do is not tried either.
        probes = [probe for probe in cell.probes if path.why_not(probe, cell.axes) is None]
        own = [path.needs(probe, cell.axes) for probe in probes if isinstance(path, HasNeeds)]
        if not any(needs.r_packages for needs in own):
            r_packages: set[str] = set()
        else:
            # Those of all paths, so that all share one R.
            every = (other for other in self._paths if isinstance(other, HasNeeds))
            r_packages = {
                name
                for other in every
                for probe in probes
                for name in other.needs(probe, cell.axes).r_packages
            }
        return Needs(
            requirements=tuple(sorted({name for needs in own for name in needs.requirements})),
            r_packages=tuple(sorted(r_packages)),
            bridge_source=any(needs.bridge_source for needs in own),
        )

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


def _with_bridge(axes: Axes, path: IntegrationPath, r: RToolchain | None) -> Axes:
    """Return the axes with the bridge that fits an R which is known only now."""
    if axes.bridge is not None or r is None or not isinstance(path, ChoosesBridge):
        return axes
    return msgspec.structs.replace(axes, bridge=path.default_bridge(r.version))


def provisioned(prepared: Prepared) -> Provisioned:
    """Return what a cell without a refusal starts with."""
    assert prepared.python is not None
    return Provisioned(python=prepared.python, r=prepared.r, bridge_source=prepared.bridge_source)


def _refusal(error: Unavailable | Unsatisfiable | BuildFailure, phase: Phase) -> Refusal:
    status = Status.UNAVAILABLE
    if isinstance(error, Unsatisfiable):
        status = Status.UNSATISFIABLE
    elif isinstance(error, BuildFailure):
        # It was tried, and it said no: another R or Python may fare better.
        status = Status.FAIL
    return Refusal(
        status=status,
        phase=phase,
        message=str(error),
        detail=str(getattr(error, "detail", "") or ""),
    )


def _words(axes: Axes) -> str:
    pins = " ".join(f"{name}{specifier}" for name, specifier in axes.pins)
    framework = "" if axes.framework is None else f" with {axes.framework}"
    cuda = "" if axes.cuda == "cpu" else f" for CUDA {axes.cuda}"
    return f"Python {axes.python}{framework}{cuda} {pins}".strip()

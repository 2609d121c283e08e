"""What cells need before they start, each thing made once however many cells share it."""

from __future__ import annotations

import threading
import time
from collections.abc import Collection
from pathlib import Path

import msgspec

from harness.errors import BuildFailure, Unavailable, Unsatisfiable
from harness.model.cell import SOURCE, Axes, Cell, Plan
from harness.model.environment import (
    Lock,
    Provisioned,
    PythonEnvironment,
    RToolchain,
    SourceTree,
    Store,
)
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
from harness.provision.python.wheels import Wheels
from harness.resolve import Resolver
from harness.workflow.bridges import tree_of
from harness.workflow.display import Display
from harness.workflow.resolving import Answer, Existence, overlay_lock, resolve_plan


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """Why something that a cell needs cannot be had."""

    status: Status
    phase: Phase
    message: str
    detail: str = ""
    log: str = ""
    """All that a build printed."""


class Prepared(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is ready, or the reason why it cannot be; times in seconds."""

    python: PythonEnvironment | None = None
    r: RToolchain | None = None
    bridge_source: Path | None = None
    bridge_tree: SourceTree | None = None
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
        self._refused: dict[str, Prepared] = {}
        self._resolve_s: dict[str, float] = {}
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

    def resolve(self, plan: Plan, store: Store, cancel: threading.Event | None = None) -> None:
        """Find out which cells can exist, before anything is installed for any of them."""
        answers = resolve_plan(plan, resolver=self._resolver, store=store, cancel=cancel)
        for cell in plan.cells:
            answer = answers.get(cell.id)
            if answer is None:
                continue
            self._resolve_s[self.python_name(cell)] = answer.seconds
            refusal = _refusal_of(answer)
            if refusal is not None:
                self._refused[cell.id] = Prepared(refusal=refusal, resolve_s=answer.seconds)

    def is_refused(self, cell: Cell) -> bool:
        """Tell whether a cell was found not to exist, so that nothing need be made for it."""
        return cell.id in self._refused

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
            resolve_s=self._resolve_s.get(name, 0.0)
            + (resolved if phase is Phase.PROVISION else ended)
            - began,
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
            toolchain = self._provisioner.r(axes, shared=self._r_packages)
        except (Unavailable, Unsatisfiable) as error:
            refusal = _refusal(error, Phase.PROVISION)
        seconds = time.monotonic() - began
        made = Prepared(r=toolchain, refusal=refusal, provision_s=seconds)
        self._keep(name, made, name, seconds)

    def has(self, name: str) -> bool:
        """Tell whether ``name`` has been made, or was found not to be had."""
        with self._mutex:
            return name in self._made

    def made(self, name: str) -> Prepared:
        """Return what became of ``name``, which must have been made."""
        with self._mutex:
            return self._made[name]

    def of_cell(self, cell: Cell, path: IntegrationPath) -> Prepared:
        """Return what a cell has got, put together, or why it cannot have it."""
        if cell.id in self._refused:
            return self._refused[cell.id]
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
        phase, began = Phase.RESOLVE, time.monotonic()
        given = tree_of(cell, self._provisioner.trees)
        try:
            axes = _with_bridge(cell.axes, path, r.r)
            needs = self._needs(cell, path)
            wheels = self._wheels(axes, path, made.python)
            wanted = path.requirements(axes) if wheels is None else wheels.requires
            overlay = overlay_lock(
                self._resolver,
                made.python.interpreter,
                made.python.lock,
                (*wanted, *needs.requirements),
            )
            phase = Phase.PROVISION
            python, toolchain = made.python, r.r
            if overlay is not None or wheels is not None:
                lock = overlay or Lock(text="", digest="")
                variables = path.build_env if isinstance(path, BuildsBridge) else {}
                python = self._provisioner.overlay(python, lock, variables, wheels)
            if toolchain is not None:
                toolchain = self._r_with_bridge(axes, path, needs, python)
            tree = None if wheels is None else wheels.tree
            source = None if wheels is None else wheels.tree.place
            if toolchain is not None and path.bridge_package is not None:
                tree = toolchain.built.get(path.bridge_package, tree)
                if needs.bridge_source:
                    source = self._provisioner.bridge_source(toolchain, path.bridge_package)
        except BuildFailure as error:
            # Whatever was under way: building is no question to a resolver.
            refusal = _refusal(error, Phase.PROVISION)
            return msgspec.structs.replace(
                _after(prepared, began), refusal=refusal, bridge_tree=given
            )
        except (Unavailable, Unsatisfiable) as error:
            return msgspec.structs.replace(prepared, refusal=_refusal(error, phase))
        return msgspec.structs.replace(
            _after(prepared, began),
            python=python,
            r=toolchain,
            bridge_source=source,
            bridge_tree=tree,
        )

    def _wheels(
        self, axes: Axes, path: IntegrationPath, python: PythonEnvironment
    ) -> Wheels | None:
        """Build a bridge that is a Python package from its source tree, where it is to be."""
        package = path.bridge_package
        of_r = package in path.r_packages or isinstance(path, BuildsForR)
        if axes.bridge != SOURCE or package is None or of_r:
            return None
        variables = path.build_env if isinstance(path, BuildsBridge) else {}
        return self._provisioner.wheels(package, python.interpreter, variables)

    def _r_with_bridge(
        self, axes: Axes, path: IntegrationPath, needs: Needs, python: PythonEnvironment
    ) -> RToolchain | None:
        """Return a cell's R with its bridge, which is built where the R does not bring it."""
        comes_with_r = path.bridge_package in path.r_packages
        packages = (*path.r_packages, *needs.r_packages)
        bridge = path.bridge_package if comes_with_r else None
        toolchain = self._provisioner.r(axes, packages, bridge, python, shared=self._r_packages)
        self._provisioner.together(python, toolchain)
        if toolchain is not None and isinstance(path, BuildsForR):
            toolchain = self._provisioner.with_sources(toolchain, path.r_libraries(axes, python))
        return toolchain

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

    def _keep(self, name: str, made: Prepared, words: str, seconds: float) -> None:
        with self._mutex:
            self._made[name] = made
        if made.refusal is None:
            self._display.provisioned(words, seconds)
        else:
            self._display.not_provisioned(words, f"{made.refusal.status}: {made.refusal.message}")


def _after(prepared: Prepared, began: float) -> Prepared:
    """Add what a cell's own things took, the build of its bridge above all."""
    seconds = prepared.provision_s + time.monotonic() - began
    return msgspec.structs.replace(prepared, provision_s=seconds)


def _with_bridge(axes: Axes, path: IntegrationPath, r: RToolchain | None) -> Axes:
    """Return the axes with the bridge that fits an R which is known only now."""
    if axes.bridge is not None or r is None or not isinstance(path, ChoosesBridge):
        return axes
    return msgspec.structs.replace(axes, bridge=path.default_bridge(r.version))


def provisioned(prepared: Prepared) -> Provisioned:
    """Return what a cell without a refusal starts with."""
    assert prepared.python is not None
    return Provisioned(
        python=prepared.python,
        r=prepared.r,
        bridge_source=prepared.bridge_source,
        bridge_tree=prepared.bridge_tree,
    )


def _refusal_of(answer: Answer) -> Refusal | None:
    """Return why a cell cannot exist.

    ``None`` also where provisioning may know more: of a Python that is not here, or where no
    index was reached.
    """
    statuses = {
        Existence.UNSATISFIABLE: Status.UNSATISFIABLE,
        Existence.UNAVAILABLE: Status.UNAVAILABLE,
    }
    if answer.status not in statuses or not answer.python:
        return None
    return Refusal(
        status=statuses[answer.status],
        phase=Phase.RESOLVE,
        message=answer.message,
        detail=answer.detail,
    )


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
        log=error.log if isinstance(error, BuildFailure) else "",
    )


def _words(axes: Axes) -> str:
    pins = " ".join(f"{name}{specifier}" for name, specifier in axes.pins)
    framework = "" if axes.framework is None else f" with {axes.framework}"
    cuda = "" if axes.cuda == "cpu" else f" for CUDA {axes.cuda}"
    return f"Python {axes.python}{framework}{cuda} {pins}".strip()

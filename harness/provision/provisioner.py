"""What the rest of the harness asks of provisioning, in one place."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import msgspec

from harness.errors import HarnessError, Unavailable
from harness.model.environment import PackageSources, Provisioned, RToolchain
from harness.provision.pipconfig import package_sources
from harness.provision.process import cancel_all
from harness.provision.python.environment import provide_environment
from harness.provision.python.interpreters import Interpreters
from harness.provision.python.overlay import with_overlay
from harness.provision.r import provide_r
from harness.provision.r.bridge_source import bridge_source
from harness.provision.r.build import RLibrary, build_r_packages, with_libraries
from harness.provision.r.meeting import why_not_together
from harness.provision.r.provider import matches
from harness.provision.r.source import Repository, Source

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from harness.model.cell import Axes
    from harness.model.environment import (
        Interpreter,
        Lock,
        PythonEnvironment,
        SourceLibrary,
        Store,
    )

__all__ = ["Provisioner"]


class Provisioner:
    """Brings what cells need; used by several threads at once.

    What is asked twice, even at once, is built once: the store's locks see to it.  That
    something cannot be had is remembered for the life of this object.

    Parameters
    ----------
    store
        Where everything is kept.
    notify
        Takes one-line messages for the user.
    sources
        Where packages come from; by default as pip and uv are configured on this machine.
    compile_bytecode
        Compile the modules of environments once, when they are made.
    cran
        A CRAN-like repository for R packages that no toolchain has; by default that of the
        environment variable ``HARNESS_CRAN``.
    """

    def __init__(
        self,
        store: Store,
        notify: Callable[[str], None] | None = None,
        *,
        sources: PackageSources | None = None,
        compile_bytecode: bool = True,
        cran: str | None = None,
    ) -> None:
        self._store = store
        self._notify = notify or (lambda _message: None)
        self.sources = package_sources() if sources is None else sources
        self._compile = compile_bytecode
        self._interpreters = Interpreters(store, notify=self._notify)
        self._repository = Repository(cran, store)
        self._guard = threading.Lock()
        self._libraries: dict[bytes, RLibrary | HarnessError] = {}
        self._library_locks: dict[bytes, threading.Lock] = {}
        self._r: dict[tuple[str, tuple[str, ...]], RToolchain | HarnessError] = {}
        self._r_locks: dict[tuple[str, tuple[str, ...]], threading.Lock] = {}
        self._together: dict[tuple[Path, Path | None], str | None] = {}
        for note in self.sources.notes:
            self._notify(note)

    def interpreter(self, version: str) -> Interpreter:
        """Return a Python of this machine, or one that uv fetched.

        Raises ``Unavailable`` where there is none.
        """
        return self._interpreters.find(version)

    def python(self, interpreter: Interpreter, lock: Lock) -> PythonEnvironment:
        """Return the environment with the packages of ``lock``.

        Raises ``Unavailable`` where a package cannot be had, ``MachineFault`` where there is
        no room.
        """
        return provide_environment(
            self._store,
            interpreter,
            lock,
            self.sources,
            compile_bytecode=self._compile,
            notify=self._notify,
        )

    def overlay(
        self,
        environment: PythonEnvironment,
        lock: Lock,
        variables: Mapping[str, str] | None = None,
    ) -> PythonEnvironment:
        """Return the environment with the packages of ``lock`` that it lacks laid over it.

        ``variables`` are for building those that come as sources.
        Raises ``Unavailable`` where a package cannot be had, ``MachineFault`` where there is
        no room.
        """
        return with_overlay(self._store, environment, lock, self.sources, variables)

    def r(
        self, axes: Axes, packages: Sequence[str] = (), bridge: str | None = None
    ) -> RToolchain | None:
        """Return the R of a cell; ``None`` for a cell without one.

        Parameters
        ----------
        axes
            The cell's; ``r`` and ``bridge`` are looked at.
        packages
            R packages that the path loads.
        bridge
            The R package that is the path's bridge: its version must be what the axis
            ``bridge`` says.  ``None`` where the bridge is not an R package.

        Raises
        ------
        Unavailable
            If the R, a package or that version of the bridge cannot be had.
        MachineFault
            If this machine lacks a program, or room.
        """
        if axes.r is None:
            return None
        wanted = tuple(sorted({*packages, *((bridge,) if bridge else ())}))
        toolchain = self._toolchain(axes.r, wanted)
        if bridge is not None and axes.bridge is not None:
            has = toolchain.packages.get(bridge, "none")
            if not matches(axes.bridge, has):
                raise Unavailable(
                    f"{bridge} {axes.bridge} cannot be had with R {toolchain.version} "
                    f"({toolchain.source}), which comes with {bridge} {has}"
                )
        return toolchain

    def together(self, python: PythonEnvironment, r: RToolchain | None) -> Provisioned:
        """Join both to what a cell needs, having seen that the Python runs beside the R.

        Raises ``Unavailable`` where it does not: its C library is newer than the root folder's.
        """
        if r is not None and r.root is not None:
            pair = (python.interpreter.executable, r.root)
            with self._guard:
                if pair not in self._together:
                    self._together[pair] = why_not_together(python, r.root)
                why_not = self._together[pair]
            if why_not is not None:
                raise Unavailable(
                    f"Python {python.interpreter.version} ({python.interpreter.executable}) does "
                    f"not run beside R {r.version} of {r.source}: {why_not}"
                )
        return Provisioned(python=python, r=r)

    def with_sources(self, r: RToolchain, libraries: Sequence[SourceLibrary]) -> RToolchain:
        """Return the R with ``libraries``, built for it where they are not there yet.

        Each may need those before it.

        Raises
        ------
        Unavailable
            If a source or the compilers cannot be had.
        BuildFailure
            If a package does not build.
        MachineFault
            If this machine lacks a program, or room.
        """
        # All are looked for before any is built, and what is wanted before what it needs.
        found = [
            [self._repository.find(package) for package in library.packages]
            for library in reversed(libraries)
        ]
        built: list[RLibrary] = []
        for library, sources in zip(libraries, reversed(found), strict=True):
            built.append(self._library(r, library, sources, built))
        return with_libraries(r, built)

    def bridge_source(self, toolchain: RToolchain, name: str) -> Path:
        """Return the source tree of an R package that is a bridge, for its own tests.

        Raises ``Unavailable`` where there is none within reach.
        """
        return bridge_source(toolchain, name, store=self._store, notify=self._notify)

    def cancel(self) -> None:
        """End every program that still runs: after Ctrl-C, while other threads wait for them."""
        cancel_all()

    def _library(
        self,
        r: RToolchain,
        library: SourceLibrary,
        sources: Sequence[Source],
        below: Sequence[RLibrary],
    ) -> RLibrary:
        asked = (r.source, r.version, r.rscript, library, sources, below)
        key = msgspec.json.encode(asked, enc_hook=str)
        with self._guard:
            lock = self._library_locks.setdefault(key, threading.Lock())
        with lock:
            known = self._libraries.get(key)
            if known is None:
                try:
                    known = build_r_packages(
                        r, sources, library, below=below, store=self._store, notify=self._notify
                    )
                except HarnessError as error:
                    known = error
                self._libraries[key] = known
        if isinstance(known, HarnessError):
            raise known
        return known

    def _toolchain(self, r: str, packages: tuple[str, ...]) -> RToolchain:
        key = (r, packages)
        with self._guard:
            lock = self._r_locks.setdefault(key, threading.Lock())
        with lock:
            known = self._r.get(key)
            if known is None:
                try:
                    known = provide_r(r, store=self._store, packages=packages, notify=self._notify)
                except HarnessError as error:
                    known = error
                self._r[key] = known
        if isinstance(known, HarnessError):
            raise known
        return known

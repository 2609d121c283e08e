"""What the rest of the harness asks of provisioning, in one place."""

from __future__ import annotations

import threading
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from harness.errors import NotShipped, Unavailable
from harness.model.cell import SOURCE
from harness.model.environment import (
    Interpreter,
    PackageSources,
    Provisioned,
    RToolchain,
    SourceLibrary,
    SourcePackage,
    SourceTree,
)
from harness.provision.once import Once
from harness.provision.pipconfig import package_sources
from harness.provision.process import cancel_all
from harness.provision.python.environment import provide_environment
from harness.provision.python.interpreters import Interpreters
from harness.provision.python.overlay import with_overlay
from harness.provision.python.released import released_pythons
from harness.provision.python.suite import suite_python
from harness.provision.python.wheels import Wheels, build_wheels
from harness.provision.r import offers, provide_r
from harness.provision.r.bridge_source import bridge_source
from harness.provision.r.build import RLibrary, build_r_packages, with_libraries
from harness.provision.r.lending import Lending
from harness.provision.r.meeting import why_not_together
from harness.provision.r.source import Needed, Repository, Source, is_asked, parts_of
from harness.provision.r.suites import Suite, suites

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from harness.model.cell import Axes
    from harness.model.environment import (
        Lock,
        PythonEnvironment,
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
    trees
        Source trees of bridges by the name of the package, for cells whose axis ``bridge`` is
        ``source``.
    """

    def __init__(
        self,
        store: Store,
        notify: Callable[[str], None] | None = None,
        *,
        sources: PackageSources | None = None,
        compile_bytecode: bool = True,
        cran: str | None = None,
        trees: Mapping[str, SourceTree] | None = None,
    ) -> None:
        self._store = store
        self.trees = dict(trees or {})
        self._notify = notify or (lambda _message: None)
        self.sources = package_sources() if sources is None else sources
        self._compile = compile_bytecode
        self._suite_pythons = Once[Interpreter]()
        self._interpreters = Interpreters(store, notify=self._notify, bring=self._python_of_suite)
        self._repository = Repository(cran, store)
        self._guard = threading.Lock()
        self._libraries = Once[RLibrary]()
        self._wheels = Once[Wheels]()
        self._r = Once[RToolchain]()
        self._lending = Lending(store, self._notify)
        self._together: dict[tuple[Path, Path | None], str | None] = {}
        for note in self.sources.notes:
            self._notify(note)

    def interpreter(self, version: str) -> Interpreter:
        """Return a Python of this machine, of a suite, or one that uv fetched.

        Raises ``Unavailable`` where there is none.
        """
        return self._interpreters.find(version)

    def python_versions(self) -> tuple[str, ...]:
        """Return the versions of Python that this machine or a suite has, or uv can bring."""
        here = (interpreter.version for interpreter in self._interpreters.all())
        shipped = (suite.python for suite in suites())
        return tuple(dict.fromkeys((*here, *shipped, *released_pythons())))

    def r_versions(self) -> tuple[str, ...]:
        """Return the versions of R that some provider can bring."""
        return tuple(dict.fromkeys(offer.version for _provider, offer in offers()))

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
        wheels: Wheels | None = None,
    ) -> PythonEnvironment:
        """Return the environment with the packages of ``lock`` that it lacks laid over it.

        ``variables`` are for building those that come as sources; ``wheels`` come instead of
        the packages of their names.
        Raises ``Unavailable`` where a package cannot be had, ``MachineFault`` where there is
        no room.
        """
        return with_overlay(self._store, environment, lock, self.sources, variables, wheels)

    def wheels(
        self, name: str, interpreter: Interpreter, variables: Mapping[str, str] | None = None
    ) -> Wheels:
        """Return a bridge that is a Python package, built from the tree that was given for it.

        Raises
        ------
        BuildFailure
            If it does not build.
        Unavailable
            If no tree was given, or what builds it cannot be fetched.
        MachineFault
            If there is no room.
        """
        tree = self._tree(name)
        key = msgspec.json.encode((tree.digest, interpreter, variables), enc_hook=str)

        def build() -> Wheels:
            return build_wheels(
                tree,
                interpreter,
                self.sources,
                variables or {},
                store=self._store,
                notify=self._notify,
            )

        return self._wheels(key, build)

    def r(
        self,
        axes: Axes,
        packages: Sequence[str] = (),
        bridge: str | None = None,
        python: PythonEnvironment | None = None,
        shared: Sequence[str] = (),
    ) -> RToolchain | None:
        """Return the R of a cell; ``None`` for a cell without one.

        Parameters
        ----------
        axes
            The cell's; ``r`` and ``bridge`` are looked at.
        packages
            R packages that the path loads.
        bridge
            The R package that is the path's bridge.  Where the R comes with another version
            than the axis ``bridge`` says, that one is built for it.  ``None`` where the bridge
            is not an R package, or not one that comes with R.
        python
            The Python that is to run beside it: a root folder that is too old for that gets the
            C library of a newer suite.
        shared
            R packages of other paths, which an R that is brought has as well, so that cells of
            all paths share one; an R of this machine need not have them.

        Raises
        ------
        BuildFailure
            If the bridge does not build.
        Unavailable
            If the R, a package or that version of the bridge cannot be had.
        MachineFault
            If this machine lacks a program, or room.
        """
        if axes.r is None:
            return None
        wanted = tuple(sorted({*packages, *((bridge,) if bridge else ())}))
        bring = partial(self._toolchain, axes.r, python=python, shared=shared)
        toolchain = bring(wanted)
        if bridge is None or axes.bridge is None:
            return toolchain
        has = toolchain.packages.get(bridge)
        if axes.bridge != SOURCE and has is not None and is_asked(axes.bridge, has):
            return toolchain
        return self._with_bridge(axes, toolchain, wanted, bridge, bring)

    def bridge_versions(self, name: str) -> tuple[str, ...]:
        """Return the versions of an R package that some suite ships, or the repository has.

        Raises ``Unavailable`` where the repository cannot be reached.
        """
        shipped = (getattr(suite, name.lower(), None) for suite in suites())
        found = {version for version in shipped if version is not None}
        return tuple(sorted({*found, *self._repository.versions(name)}, key=parts_of))

    def together(self, python: PythonEnvironment, r: RToolchain | None) -> Provisioned:
        """Join both to what a cell needs, having seen that the Python runs beside the R.

        Raises ``Unavailable`` where it does not: it lives in the root folder of another suite, or
        its C library is newer than the root folder's.
        """
        if r is not None:
            pair = (python.executable, r.root)
            with self._guard:
                if pair not in self._together:
                    self._together[pair] = why_not_together(python, r)
                why_not = self._together[pair]
            if why_not is not None:
                interpreter = python.interpreter
                where = interpreter.executable if interpreter.root is None else interpreter.source
                raise Unavailable(
                    f"Python {interpreter.version} ({where}) does not run beside R {r.version} of "
                    f"{r.source}: {why_not}"
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
            [self._find(package) for package in library.packages] for library in reversed(libraries)
        ]
        built: list[RLibrary] = []
        for library, sources in zip(libraries, reversed(found), strict=True):
            built.append(self._library(r, library, sources, built))
        trees = {source.name: _tree_of(source) for sources in found for source in sources}
        given = {name: tree for name, tree in self.trees.items() if name in _given(libraries)}
        r = with_libraries(r, built)
        return msgspec.structs.replace(r, built={**r.built, **trees, **given})

    def bridge_source(self, toolchain: RToolchain, name: str) -> Path:
        """Return the source tree of an R package that is a bridge, for its own tests.

        Raises ``Unavailable`` where there is none within reach.
        """
        return bridge_source(toolchain, name, store=self._store, notify=self._notify)

    def cancel(self) -> None:
        """End every program that still runs: after Ctrl-C, while other threads wait for them."""
        cancel_all()

    def _python_of_suite(self, suite: Suite, version: str) -> Interpreter:
        def bring() -> Interpreter:
            return suite_python(suite, version, store=self._store, notify=self._notify)

        return self._suite_pythons((suite.name, version), bring)

    def _tree(self, name: str) -> SourceTree:
        if name not in self.trees:
            raise Unavailable(
                f"the cell has {name} from a source tree, and none was given: add "
                f"`--bridge {name}=PATH`"
            )
        return self.trees[name]

    def _find(self, package: SourcePackage) -> Source:
        if package.version != SOURCE:
            return self._repository.find(package)
        tree = self._tree(package.name)
        return Source(name=tree.name, version=tree.version, place=tree.place, digest=tree.digest)

    def _with_bridge(
        self,
        axes: Axes,
        toolchain: RToolchain,
        wanted: tuple[str, ...],
        name: str,
        bring: Callable[[tuple[str, ...]], RToolchain],
    ) -> RToolchain:
        """Return the R with another version of a bridge than it comes with, built for it.

        ``bring`` brings the R with further packages.
        """
        of_r = f"R {toolchain.version} ({toolchain.source})"
        package = SourcePackage(name=name, version=axes.bridge)
        try:
            source = self._find(package)
        except Unavailable as error:
            if axes.bridge == SOURCE:
                raise
            has = toolchain.packages.get(name, "none")
            raise Unavailable(f"{of_r} comes with {name} {has}, and {error}") from error
        what = f"{name} {source.version}"
        needs = source.needs()
        _require_met(
            [one for one in needs if one.name == "R"], {"R": toolchain.version}, what, of_r
        )
        needs = tuple(one for one in needs if one.name != "R")
        missing = {one.name for one in needs if one.name not in toolchain.packages}
        # What is too old is known at once, and an R with further packages takes minutes to bring.
        there = [one for one in needs if one.name in toolchain.packages]
        self._needed(there, toolchain.packages, what, of_r)
        shipped: list[str] = []
        tried: set[str] = set()
        while missing:
            tried |= missing
            asked_for = tuple(sorted({*wanted, *shipped}))
            toolchain, got = _with_shipped(toolchain, asked_for, missing, what, bring)
            shipped = sorted({*shipped, *got})
            # What comes from the repository has needs of its own, which the suite may ship.
            missing = self._below(missing - set(got), toolchain.packages) - tried
        # What the suite has not got, or has too old, comes from where the bridge comes from.
        below: list[RLibrary] = []
        own = self._needed(needs, toolchain.packages, what, of_r)
        for one in own:
            asked = SourceLibrary(
                packages=(SourcePackage(name=one.name, version=one.version),),
                needs=(name, *shipped),
            )
            below.append(self._library(toolchain, asked, [one], below))
        packages = {**toolchain.packages, **{one.name: one.version for one in own}}
        stamp = sorted(f"{one.name} {packages[one.name]}" for one in needs)
        library = SourceLibrary(
            packages=(package,),
            # What the suite's own package of the bridge draws in is what most versions need, so
            # that one root folder with compilers does for them.
            needs=(name, *shipped),
            stamp="; ".join(stamp),
        )
        bridge = self._library(toolchain, library, [source], below)
        built = with_libraries(toolchain, [*below, bridge])
        trees = {one.name: _tree_of(one) for one in own}
        trees[name] = self.trees[name] if axes.bridge == SOURCE else _tree_of(source)
        return msgspec.structs.replace(built, built={**toolchain.built, **trees})

    def _below(self, names: Iterable[str], packages: Mapping[str, str]) -> set[str]:
        """Return what packages of the repository need that is not there."""
        found: set[str] = set()
        for name in names:
            # What the repository has not got is told where it is needed.
            with suppress(Unavailable):
                source = self._repository.find(SourcePackage(name=name))
                found |= {one.name for one in source.needs() if one.name not in packages}
        return found - {"R"}

    def _needed(
        self, needs: Sequence[Needed], packages: Mapping[str, str], what: str, of_r: str
    ) -> list[Source]:
        """Return the sources of what is missing or too old, what others need first.

        Raises ``Unavailable`` where the repository has none that will do.
        """
        found: dict[str, Source] = {}

        def find(needs: Sequence[Needed], what: str) -> None:
            for one in needs:
                has = found[one.name].version if one.name in found else packages.get(one.name)
                if one.name == "R" or (has is not None and one.is_met(has)):
                    continue
                got = "has not got it" if has is None else f"has {one.name} {has}"
                try:
                    source = self._repository.find(SourcePackage(name=one.name))
                except Unavailable as error:
                    raise Unavailable(
                        f"{what} needs {one}, but {of_r} {got}, and no source of it is within reach"
                    ) from error
                if not one.is_met(source.version):
                    raise Unavailable(
                        f"{what} needs {one}, but {of_r} {got}, and the repository has "
                        f"{one.name} {source.version}"
                    )
                find(source.needs(), f"{source.name} {source.version}")
                found[one.name] = source

        find(needs, what)
        return list(found.values())

    def _library(
        self,
        r: RToolchain,
        library: SourceLibrary,
        sources: Sequence[Source],
        below: Sequence[RLibrary],
    ) -> RLibrary:
        asked = (r.source, r.version, r.rscript, r.lent, library, sources, below)

        def build() -> RLibrary:
            return build_r_packages(
                r, sources, library, below=below, store=self._store, notify=self._notify
            )

        return self._libraries(msgspec.json.encode(asked, enc_hook=str), build)

    def _toolchain(
        self,
        r: str,
        packages: tuple[str, ...],
        python: PythonEnvironment | None,
        shared: Sequence[str],
    ) -> RToolchain:
        others = tuple(sorted(set(shared) - set(packages)))

        def provide() -> RToolchain:
            return provide_r(
                r, store=self._store, packages=packages, shared=others, notify=self._notify
            )

        toolchain = self._r((r, packages, others), provide)
        if python is None:
            return toolchain
        return self._lending(toolchain, (*packages, *others), python)


def _with_shipped(
    toolchain: RToolchain,
    wanted: tuple[str, ...],
    missing: set[str],
    what: str,
    bring: Callable[[tuple[str, ...]], RToolchain],
) -> tuple[RToolchain, list[str]]:
    """Return the R with those of ``missing`` that its own source ships, and their names."""
    shipped = set(missing)
    while shipped:
        try:
            return bring(tuple(sorted({*wanted, *shipped}))), sorted(shipped)
        except NotShipped as error:
            lacking = {name for name in shipped if _is_named(name, error.packages)}
            if not lacking:
                raise
            shipped -= lacking
        except Unavailable as error:
            of_r = f"R {toolchain.version} ({toolchain.source})"
            raise Unavailable(
                f"{what} needs {', '.join(sorted(shipped))}, which {of_r} has not got: {error}"
            ) from error
    return toolchain, []


def _is_named(name: str, packages: Sequence[str]) -> bool:
    """Tell whether a distribution's names of packages have that of an R package among them."""
    return any(package.endswith(f"-{name.lower()}") for package in packages)


def _require_met(
    needs: Sequence[Needed], packages: Mapping[str, str], what: str, of_r: str
) -> None:
    """Raise ``Unavailable`` where a package is missing or not of the version that is needed."""
    for one in needs:
        has = packages.get(one.name)
        if has is None or not one.is_met(has):
            got = "has not got it" if has is None else f"has {one.name} {has}"
            raise Unavailable(f"{what} needs {one}, but {of_r} {got}")


def _given(libraries: Sequence[SourceLibrary]) -> set[str]:
    return {
        package.name
        for library in libraries
        for package in library.packages
        if package.version == SOURCE
    }


def _tree_of(source: Source) -> SourceTree:
    return SourceTree(
        name=source.name,
        version=source.version,
        place=source.place,
        digest=source.digest,
        origin="repository",
    )

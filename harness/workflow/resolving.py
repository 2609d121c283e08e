"""Can the cells of a plan exist?  Asked of uv's resolver before anything is installed."""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from enum import StrEnum

import msgspec
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from harness.errors import Unavailable, Unsatisfiable
from harness.model.cell import SOURCE, Axes, Cell, Plan
from harness.model.environment import Lock, PackageSources, Store
from harness.paths.base import BuildsForR, HasNeeds, IntegrationPath
from harness.provision.pipconfig import package_sources
from harness.provision.python.interpreters import Interpreters, matches
from harness.provision.python.released import released_pythons
from harness.provision.store import FolderStore, default_root
from harness.resolve import Absent, Answered, NoSolution, Python, Resolver, Unreached, request
from harness.workflow.registry import paths

AT_ONCE = 2
"""Questions for each core: one of them mostly waits for an index."""
_PARTS = 3
"""Of a version of Python that names a patch."""


class Existence(StrEnum):
    """Whether a cell can exist."""

    SATISFIABLE = "satisfiable"
    UNSATISFIABLE = "unsatisfiable"
    """No set of packages exists for it."""
    UNAVAILABLE = "unavailable"
    """It could exist, but not with what is within reach of this machine."""
    UNKNOWN = "unknown"
    """The index is out of reach, and no answer has been kept."""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a cell can exist.

    ``message`` says why not, or what must be known of the answer; ``detail`` is the resolver's
    account in full.  ``python`` is the version that was resolved for.  ``versions`` are those of
    the packages that the cell asks for by name, path and framework.  ``seconds`` is what it took
    to find out.
    """

    status: Existence
    message: str = ""
    detail: str = ""
    python: str = ""
    versions: dict[str, str] = {}
    seconds: float = 0.0

    @property
    def may_exist(self) -> bool:
        """False where it is known that no set of packages exists, here or anywhere."""
        return self.status is not Existence.UNSATISFIABLE


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """How far the asking has come: cells with an answer, of all; questions that went to uv."""

    done: int
    total: int
    asked: int
    seconds: float


class Pythons:
    """Finds the Python that a cell is resolved for, and fetches none; for several threads.

    Parameters
    ----------
    store
        Keeps what the interpreters of this machine said of themselves.
    """

    def __init__(self, store: Store) -> None:
        self._here = Interpreters(store, fetch=False)
        self._guard = threading.Lock()
        self._found: dict[str, Python | Unavailable] = {}
        self._released: tuple[str, ...] | None = None

    def find(self, version: str) -> Python:
        """Return the Python of this machine, else the newest patch that uv knows of.

        Raises ``Unavailable`` where neither is known.
        """
        with self._guard:
            if version not in self._found:
                self._found[version] = self._look(version)
            found = self._found[version]
        if isinstance(found, Unavailable):
            raise found.with_traceback(None)
        return found

    def _look(self, version: str) -> Python | Unavailable:
        try:
            return self._here.find(version)
        except Unavailable:
            if len(version.split(".")) >= _PARTS:
                return Absent(version=version)
            if self._released is None:
                self._released = released_pythons()
            fitting = [known for known in self._released if matches(version, known)]
            if fitting:
                return Absent(version=max(fitting, key=_ordered))
            return Unavailable(
                f"no Python {version} is known: this machine has none, and uv brings none; name "
                "another version, with all its parts if need be"
            )


def _ordered(version: str) -> tuple[bool, Version]:
    try:
        parsed = Version(version)
    except InvalidVersion:
        return False, Version("0")
    return not parsed.is_prerelease, parsed


class _Group(msgspec.Struct, frozen=True, kw_only=True):
    """Cells with the same Python environment and the same packages of a path."""

    axes: Axes
    extra: tuple[str, ...]
    cells: list[str]


def resolve_plan(
    plan: Plan,
    *,
    resolver: Resolver | None = None,
    store: Store | None = None,
    sources: PackageSources | None = None,
    on_progress: Callable[[Progress], None] = lambda _progress: None,
    cancel: threading.Event | None = None,
) -> dict[str, Answer]:
    """Say of each cell of a plan whether it can exist, by its id; nothing is installed.

    A cell is asked for its framework, its CUDA and its pins, for its Python on this platform,
    and for the packages of its path and its probes on top.  Cells that ask for the same share one
    answer, and identical questions are asked once.

    Parameters
    ----------
    resolver, store, sources
        By default, made for the folder of the store and for how pip and uv are configured.
    on_progress
        Is told after each answer, by the calling thread.
    cancel
        Set from outside to stop; what has no answer by then is missing from the result.
    """
    began = time.monotonic()
    store = store or FolderStore(default_root())
    resolver = resolver or Resolver(store, sources or package_sources())
    before = resolver.asked
    pythons = Pythons(store)
    groups = _groups(plan.cells)
    answers: dict[str, Answer] = {}

    def tell() -> None:
        on_progress(
            Progress(
                done=len(answers),
                total=len(plan.cells),
                asked=resolver.asked - before,
                seconds=time.monotonic() - began,
            )
        )

    workers = AT_ONCE * len(os.sched_getaffinity(0))
    pool = ThreadPoolExecutor(max_workers=workers, thread_name_prefix="resolve")
    try:
        tell()
        futures = {
            pool.submit(answer, resolver, pythons, group.axes, group.extra): group
            for group in groups
        }
        open_ = set(futures)
        while open_ and not (cancel is not None and cancel.is_set()):
            ended, open_ = wait(open_, timeout=0.5, return_when=FIRST_COMPLETED)
            for future in ended:
                answers.update(dict.fromkeys(futures[future].cells, future.result()))
            tell()
    finally:
        # Ctrl-C: what has not begun does not begin, and nothing is waited for.
        pool.shutdown(wait=False, cancel_futures=True)
    return {cell.id: answers[cell.id] for cell in plan.cells if cell.id in answers}


def answer(resolver: Resolver, pythons: Pythons, axes: Axes, extra: Sequence[str] = ()) -> Answer:
    """Say whether a cell can exist.

    Parameters
    ----------
    extra
        The packages that are laid over the environment of the framework: those of the path.
    """
    began = time.monotonic()
    version = ""
    try:
        python = pythons.find(axes.python)
        version = python.version
        lock = resolver.cell(axes, python)
        over = overlay_lock(resolver, python, lock, extra)
    except (Unsatisfiable, Unavailable) as error:
        return Answer(
            status=_status(error),
            message=str(error),
            detail=error.detail if isinstance(error, NoSolution) else "",
            python=version,
            seconds=time.monotonic() - began,
        )
    return Answer(
        status=Existence.SATISFIABLE,
        message=_note(axes, python, lock.note, "" if over is None else over.note),
        python=version,
        versions=_main_versions(axes, extra, lock, over),
        seconds=time.monotonic() - began,
    )


def _status(error: Unsatisfiable | Unavailable) -> Existence:
    if isinstance(error, Unsatisfiable):
        return Existence.UNSATISFIABLE
    return Existence.UNKNOWN if isinstance(error, Unreached) else Existence.UNAVAILABLE


def overlay_lock(
    resolver: Resolver, python: Python, below: Lock, requirements: Sequence[str]
) -> Answered | None:
    """Resolve a path's packages beside those of the environment below, which must not change.

    ``None`` where there are none.  Raises as ``Resolver.lock`` does.
    """
    if not requirements:
        return None
    return resolver.lock(
        requirements,
        python,
        constraints=[line for line in below.text.splitlines() if "==" in line],
        options=below.options,
    )


def _groups(cells: Iterable[Cell]) -> list[_Group]:
    known: dict[tuple[object, ...], _Group] = {}
    for cell in cells:
        axes = cell.axes
        extra = _laid_over(cell, paths()[axes.path])
        key = (axes.python, axes.framework, axes.cuda, axes.pins, extra)
        group = known.get(key)
        if group is None:
            group = known[key] = _Group(axes=axes, extra=extra, cells=[])
        group.cells.append(cell.id)
    return list(known.values())


def _laid_over(cell: Cell, path: IntegrationPath) -> tuple[str, ...]:
    """Return the packages of a cell's path and of its probes, as far as they are known now."""
    axes = cell.axes
    of_r = path.bridge_package in path.r_packages or isinstance(path, BuildsForR)
    # What a source tree needs is known once it has been built.
    wanted = () if axes.bridge == SOURCE and not of_r else path.requirements(axes)
    probes: set[str] = set()
    if isinstance(path, HasNeeds):
        for probe in cell.probes:
            if path.why_not(probe, axes) is None:
                probes.update(path.needs(probe, axes).requirements)
    return (*wanted, *sorted(probes))


def _note(axes: Axes, python: Python, *notes: str) -> str:
    absent = isinstance(python, Absent)
    here = f"Python {axes.python} is not on this machine" if absent else ""
    return "; ".join(dict.fromkeys(note for note in (here, *notes) if note))


def _main_versions(
    axes: Axes, extra: Sequence[str], lock: Lock, over: Lock | None
) -> dict[str, str]:
    versions = lock.versions | ({} if over is None else over.versions)
    asked = (_NAME.match(spec) for spec in (*request(axes).requirements, *extra))
    names = sorted({canonicalize_name(found.group()) for found in asked if found is not None})
    return {name: versions[name] for name in names if name in versions}


_NAME = re.compile(r"[A-Za-z0-9._-]+")

"""Cells from an unpacked bundle: what the run asks for is there already, or cannot be had."""

from __future__ import annotations

import errno
import threading
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import msgspec

from harness import __version__
from harness.bundle import start
from harness.bundle.manifest import Manifest, decode
from harness.bundle.settling import settle
from harness.bundle.system import SystemPython, system_python
from harness.errors import FileFault, MachineFault, UsageError
from harness.model.cell import Axes, Cell, Plan
from harness.model.environment import Store
from harness.model.status import Phase, Status
from harness.paths.base import IntegrationPath
from harness.plan.select import select
from harness.plan.shard import parse_shard
from harness.plan.shard import shard as take_shard
from harness.provision.linkage import release_parts
from harness.provision.store import FolderStore, default_root
from harness.results.machine import this_machine
from harness.workflow.preparing import Preparation, Prepared, Refusal
from harness.workflow.registry import names


class Opened(msgspec.Struct, frozen=True, kw_only=True):
    """A bundle that was unpacked: where, and what it says of itself."""

    folder: Path
    manifest: Manifest


class FromBundle(Preparation):
    """What cells need, from a bundle; nothing is resolved, fetched or built.

    Parameters
    ----------
    opened
        The bundle.
    system
        The Python of this machine, for a bundle without Pythons.
    libc
        Release of this machine's C library; empty where it is another.
    """

    def __init__(self, opened: Opened, system: SystemPython | None, libc: str) -> None:
        self._manifest = opened.manifest
        self._parts = {opened.folder / part.folder: part for part in opened.manifest.parts}
        self._system = system
        self._libc = libc

    def resolve(self, plan: Plan, store: Store, cancel: threading.Event | None = None) -> None:
        """Do nothing: the machine that made the bundle found out what can exist."""

    def is_refused(self, cell: Cell) -> bool:
        """Tell whether nothing need be made for a cell, which is so for all."""
        del cell
        return False

    def python(self, name: str, axes: Axes) -> None:
        """Do nothing: it is there."""

    def r(self, name: str, axes: Axes) -> None:
        """Do nothing: it is there."""

    def has(self, name: str) -> bool:
        """Tell whether something has been made: all there is has been."""
        del name
        return True

    def of_cell(self, cell: Cell, path: IntegrationPath) -> Prepared:
        """Return what a cell has got, or why it cannot have it."""
        prepared = self._manifest.cells[cell.id]
        if prepared.refusal is not None:
            return prepared
        if self._manifest.system_site:
            assert self._system is not None
            lacks = self._system.lacks(cell.axes, tuple(path.requirements(cell.axes)))
            if lacks is not None:
                return _refused(lacks, Phase.RESOLVE)
            prepared = msgspec.structs.replace(prepared, python=self._system.environment)
        too_old = self._too_old(prepared)
        return prepared if too_old is None else _refused(too_old, Phase.PROVISION)

    def _too_old(self, prepared: Prepared) -> str | None:
        """Return why programs of the bundle do not run with this machine's C library."""
        places = [] if prepared.r is None else list(prepared.r.binds)
        if prepared.python is not None:
            places += prepared.python.binds
        for part in (self._parts[place] for place in places if place in self._parts):
            if part.libc is None:
                continue
            if not self._libc or release_parts(self._libc) < release_parts(part.libc):
                has = f"has {self._libc}" if self._libc else "has another C library"
                return (
                    f"{part.version} of the bundle needs the GNU C library {part.libc} or newer, "
                    f"and this machine {has}: make the bundle with what is of an older system"
                )
        return None


def open_bundle(file: Path, *, notify: Callable[[str], None]) -> Opened:
    """Unpack a bundle into the store, where it is not there yet, and make it ready.

    Raises
    ------
    FileFault
        It is none, is damaged, or is made for another kind of machine.
    MachineFault
        There is no room for it.
    """
    try:
        text, said = start.read_manifest(str(file))
    except start.Refused as error:
        raise FileFault(str(file), str(error)) from None
    machine = this_machine()
    if said.get("machine") != f"{machine.arch} Linux":
        made_for = str(said.get("machine"))[:60]
        # The file is sound: as `python3 FILE` says it.
        raise MachineFault(f"{file}: its programs are for {made_for}, which this machine is not")
    # Before anything is written: the paths in it are looked at, too.
    key = start.key_of(text)
    store = FolderStore(default_root(), notify=notify)
    manifest = decode(text, str(file), store.root / "bundle" / key)
    _check_known(manifest, file)
    folder = store.ensure(
        "bundle",
        key,
        partial(_unpack, file),
        description=f"bundle of {manifest.matrix}",
        verify=partial(_is_whole, notify=notify),
    )
    try:
        settle(folder, manifest, notify)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        if error.errno == errno.ENOENT:
            missing = f"it lacks {error.filename}, which its manifest names"
            raise FileFault(str(file), missing) from None
        raise MachineFault(
            f"{folder}: the bundle cannot be made ready ({reason}); free space, or set "
            "HARNESS_CACHE to a folder of yours with room"
        ) from None
    return Opened(folder=folder, manifest=manifest)


def _check_known(manifest: Manifest, file: Path) -> None:
    """Raise ``FileFault`` where cells need a path or a probe that this harness has not."""
    known = {what: names(f"harness.{what}s") for what in ("path", "probe")}
    for cell in manifest.plan.cells:
        asked = [("path", cell.axes.path), *(("probe", name) for name in cell.probes)]
        for what, name in asked:
            if name not in known[what]:
                raise FileFault(
                    str(file),
                    f"it was made with harness {manifest.harness[:40]}, and {cell.id} needs the "
                    f"{what} {name[:60]!r}, which this one ({__version__}) does not have; install "
                    "what brings it",
                )


def plan_of(
    opened: Opened, *, only: Sequence[str] = (), where: str | None = None, shard: str | None = None
) -> Plan:
    """Return the selected cells of a bundle.  Raises ``UsageError`` where none is left."""
    plan = opened.manifest.plan
    plan = select(msgspec.structs.replace(plan, whole=plan.whole or len(plan.cells)), only, where)
    return plan if shard is None else take_shard(plan, *parse_shard(shard))


def preparation_of(opened: Opened, python: str | None) -> FromBundle:
    """Return what gives cells their R and Python.

    ``python`` is the machine's Python that the user named, for a bundle without one.
    Raises ``UsageError`` where it is named in vain, or does not run.
    """
    if python is not None and not opened.manifest.system_site:
        raise UsageError(
            "--python is for a bundle that was made with --system-site; this one has its Pythons"
        )
    system = system_python(python) if opened.manifest.system_site else None
    name, _, release = this_machine().libc.partition(" ")
    return FromBundle(opened, system, release if name == "glibc" else "")


def _is_whole(folder: Path, notify: Callable[[str], None]) -> bool:
    """Tell whether the files of an unpacked bundle are there, and as long as they were.

    Raises
    ------
    MachineFault
        They are not, and cells run from there.
    """
    try:
        lost = start.damage(str(folder))
    except (start.Used, start.NoRoom) as error:
        raise MachineFault(str(error)) from None
    if lost:
        notify(f"{folder} was damaged ({lost}): unpacking it anew")
    return not lost


def _unpack(file: Path, folder: Path) -> None:
    try:
        start.unpack(str(file), str(folder))
    except start.Refused as error:
        raise FileFault(str(file), str(error)) from None
    except start.NoRoom as error:
        raise MachineFault(f"{file}: {error}") from None


def _refused(message: str, phase: Phase) -> Prepared:
    refusal = Refusal(status=Status.UNAVAILABLE, phase=phase, message=message)
    return Prepared(refusal=refusal)

"""Bridges that the user names: ``--bridge NAME=VERSION`` and ``--bridge NAME=PLACE``."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from harness.errors import UsageError
from harness.matrix.fields import AXIS_FIELDS
from harness.model.cell import SOURCE, Cell, Plan, cell_id
from harness.model.environment import SourceTree, Store
from harness.paths.base import BuildsForR, IntegrationPath
from harness.provision.python.wheels import projects, version_of_project
from harness.provision.r.source import description_of
from harness.provision.trees import GIT, bring, check, digest_of
from harness.workflow.registry import paths


class Named(msgspec.Struct, frozen=True, kw_only=True):
    """What the user named for one path: a version, or a place where a source tree is.

    ``package`` is the path's bridge, an R package where ``of_r`` says so.
    """

    path: str
    package: str
    of_r: bool
    version: str | None = None
    place: str | None = None

    @property
    def axis(self) -> str:
        """The value of the axis ``bridge`` in every cell of the path."""
        return self.version or SOURCE


def read_bridges(
    texts: Iterable[str], known: Mapping[str, IntegrationPath] | None = None
) -> tuple[Named, ...]:
    """Read the values of ``--bridge``; look at places on this machine, and copy nothing.

    Parameters
    ----------
    known
        Integration paths by name; by default those that are installed.

    Raises
    ------
    UsageError
        One sentence: what is wrong with a value, and what to write.
    """
    known = paths() if known is None else known
    found: dict[str, Named] = {}
    for text in texts:
        named = _read(text, known)
        if named.path in found:
            raise UsageError(f"--bridge {text}: '{named.path}' is named twice; keep one")
        found[named.path] = named
    return tuple(found.values())


def with_bridges(plan: Plan, named: Iterable[Named]) -> Plan:
    """Return the plan with what was named in every cell of each path.

    Cells that differed in their bridge alone become one: the first.
    """
    values = {one.path: one.axis for one in named}
    if not values:
        return plan
    cells: dict[str, Cell] = {}
    for cell in plan.cells:
        value = values.get(cell.axes.path)
        changed = cell if value is None else _with_bridge(cell, value)
        cells.setdefault(changed.id, changed)
    return msgspec.structs.replace(plan, cells=tuple(cells.values()))


def bring_trees(
    named: Iterable[Named], *, store: Store, notify: Callable[[str], None]
) -> dict[str, SourceTree]:
    """Copy the source trees that were named into the store; return them by package.

    Raises
    ------
    UsageError
        If a place has no source of the bridge.
    MachineFault
        If git is missing, or an address is out of reach.
    """
    trees: dict[str, SourceTree] = {}
    for one in named:
        if one.place is None:
            continue
        try:
            brought = bring(one.place, store=store, notify=notify)
            folder = _root_of(brought.folder, one, one.place)
        except UsageError as error:
            raise UsageError(f"--bridge {one.path}: {error}") from error
        trees[one.package] = SourceTree(
            name=one.package,
            version=_version_of(folder, one),
            place=folder,
            # What lies beside the package is nothing to it.
            digest=brought.digest if folder == brought.folder else digest_of(folder),
            origin=brought.origin,
            commit=brought.commit,
        )
    return trees


def tree_of(cell: Cell, trees: Mapping[str, SourceTree]) -> SourceTree | None:
    """Return the tree that a cell's bridge is to be built from; ``None`` where it is none."""
    if cell.axes.bridge != SOURCE:
        return None
    return trees.get(paths()[cell.axes.path].bridge_package or "")


def identity_of(tree: SourceTree) -> dict[str, Any]:
    """Return what a record says of the source that a bridge was built from."""
    said = {
        "name": tree.name,
        "version": tree.version,
        "origin": tree.origin,
        "digest": tree.digest,
        "commit": tree.commit,
    }
    return {key: value for key, value in said.items() if value}


def _read(text: str, known: Mapping[str, IntegrationPath]) -> Named:
    name, sign, value = text.partition("=")
    name, value = name.strip(), value.strip()
    found = _path_of(name, known)
    if not (sign and name and value) or found is None:
        what = f"'{name}' is no bridge" if name and sign else "no bridge is named"
        if found is not None:
            what = f"nothing is said of where {name} is"
        raise UsageError(
            f"--bridge {text}: {what}; write NAME=VERSION, NAME=PATH or NAME=git+URL@REF, where "
            f"NAME is one of {', '.join(_names(known))}"
        )
    package = found.bridge_package
    assert package is not None
    of_r = package in found.r_packages or isinstance(found, BuildsForR)
    if value[0].isdigit() and re.fullmatch(AXIS_FIELDS["bridge"].pattern or "", value):
        return Named(path=found.name, package=package, of_r=of_r, version=value)
    named = Named(path=found.name, package=package, of_r=of_r, place=value)
    try:
        check(value)
        folder = Path(value).expanduser()
        if not value.startswith(GIT) and folder.is_dir():
            _root_of(folder, named, value)
    except UsageError as error:
        raise UsageError(f"--bridge {text}: {error}") from error
    return named


def _path_of(name: str, known: Mapping[str, IntegrationPath]) -> IntegrationPath | None:
    for path in known.values():
        package = path.bridge_package
        if package is not None and name.lower() in {path.name.lower(), package.lower()}:
            return path
    return None


def _names(known: Mapping[str, IntegrationPath]) -> list[str]:
    return sorted(path.name for path in known.values() if path.bridge_package is not None)


def _with_bridge(cell: Cell, value: str) -> Cell:
    axes = msgspec.structs.replace(cell.axes, bridge=value)
    return msgspec.structs.replace(cell, axes=axes, id=cell_id(axes))


def _root_of(folder: Path, named: Named, place: str) -> Path:
    """Return the folder that has the package itself: ``folder``, or one in it."""
    if not named.of_r:
        if projects(folder, named.package):
            return folder
        raise UsageError(
            f"{place} is not the source of the Python package {named.package}: it has no "
            "pyproject.toml or setup.py"
        )
    candidates = [folder, *sorted(child for child in folder.iterdir() if child.is_dir())]
    said = {one: description_of(one).get("Package", "") for one in candidates if _has(one)}
    for candidate, package in said.items():
        if package == named.package:
            return candidate
    why = "it has no DESCRIPTION" if folder not in said else f"it is '{said[folder]}'"
    raise UsageError(f"{place} is not the source of the R package {named.package}: {why}")


def _has(folder: Path) -> bool:
    return (folder / "DESCRIPTION").is_file()


def _version_of(folder: Path, named: Named) -> str:
    if named.of_r:
        return description_of(folder).get("Version", "")
    # A tree of several projects: the one that has the package's name says its version.
    return version_of_project(folder)

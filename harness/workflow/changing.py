"""A remedy's change, laid on a cell: which other cell shows whether it helps.

Versions are the nearest that the remedy allows: of the plan first, whose cells may have a result
already, then of what can be had here.  Nothing is run and nothing is installed.
"""

from __future__ import annotations

import hashlib
import itertools
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from functools import partial
from typing import Final, TypeAlias

import msgspec
from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from harness.causes import Change
from harness.errors import HarnessError
from harness.matrix.expand import VersionsOf, control_axes
from harness.matrix.frameworks import BACKENDS
from harness.model.cell import SOURCE, Axes, Cell, Framework, Plan, cell_id
from harness.model.record import CellRecord
from harness.workflow.planning import bridge_of
from harness.workflow.registry import paths

AT_MOST: Final = 3
"""Cells that are named for one change: the second is for where the first cannot be had."""
_OTHER_NAMES: Final = {"tensorflow-cpu": "tensorflow"}
_SERIES: Final = re.compile(r"==\s*(\d+\.\d+)(\.\*)?")
_EXACT: Final = re.compile(r"==\s*(\d[\w.]*)")
_BARE: Final = re.compile(r"\d[\w.+-]*")


_Step: TypeAlias = Callable[[Axes], tuple[Axes, list[str]]]
"""Changes one thing about a cell's axes, and says what."""
_Tiers: TypeAlias = tuple[Callable[[], Iterable[str]], ...]
"""Places that versions come from, asked in turn until one has a version that fits."""


class Changed(msgspec.Struct, frozen=True, kw_only=True):
    """A cell with a change laid on it.

    ``variables`` are set for it alone, and ``unset`` taken away: neither is an axis, so its id
    says so at its end.  ``words`` say what is otherwise.
    """

    cell: Cell
    words: str
    variables: dict[str, str] = {}
    unset: tuple[str, ...] = ()

    @property
    def variables_digest(self) -> str:
        """A digest of what is changed beside the axes; empty where nothing is."""
        if not self.variables and not self.unset:
            return ""
        asked = (sorted(self.variables.items()), sorted(self.unset))
        return hashlib.blake2b(msgspec.json.encode(asked), digest_size=4).hexdigest()

    def on(self, below: Changed) -> Changed:
        """Return both changes as one: this one was laid on the cell of ``below``."""
        variables = {
            name: value for name, value in below.variables.items() if name not in self.unset
        } | self.variables
        unset = dict.fromkeys((*below.unset, *self.unset))
        return _changed(
            self.cell,
            self.cell.axes,
            variables,
            tuple(name for name in unset if name not in variables),
            f"{below.words}, {self.words}",
        )


class CannotTry(Exception):
    """A change cannot be laid on a cell here; the message says why, in words for people."""


class Changer:
    """Lays changes on the cells of a plan.

    Parameters
    ----------
    versions
        The versions that there are, by axis and name; asked only where the plan has none that
        fits.
    exported
        Returns the variables that a cell was run with, by name; ``None`` where that is not known.
    """

    def __init__(
        self,
        plan: Plan,
        versions: VersionsOf,
        exported: Callable[[str], Collection[str] | None] = lambda _cell: None,
    ) -> None:
        self._plan = plan
        self._versions = versions
        self._exported = exported

    def changed(self, change: Change, cell: Cell, record: CellRecord) -> tuple[Changed, ...]:
        """Return the cells that show whether a change helps, the one to try first at the head.

        Raises
        ------
        CannotTry
            Where there is none.
        """
        try:
            choices = [
                list(self._packages(change, cell, record)),
                list(self._pythons(change, cell, record)),
                list(self._rs(change, cell, record)),
                list(self._bridges(change, cell, record)),
                list(self._arguments(change, cell)),
            ]
        except HarnessError as error:
            raise CannotTry(str(error)) from error
        unset = self._to_unset(change, cell)
        found: dict[str, Changed] = {}
        for steps in itertools.product(*choices):
            axes, words = cell.axes, list[str]()
            for step in steps:
                axes, said = step(axes)
                words += said
            words += [f"{name}={value}" for name, value in change.env.items()]
            words += [f"without {name}" for name in unset]
            if axes != cell.axes or change.env or unset:
                one = _changed(cell, axes, change.env, unset, ", ".join(words))
                found.setdefault(one.cell.id, one)
            if len(found) == AT_MOST:
                break
        if not found:
            raise CannotTry(_nothing(change, cell))
        return tuple(found.values())

    # --- packages -------------------------------------------------------------------------------

    def _packages(self, change: Change, cell: Cell, record: CellRecord) -> Iterator[_Step]:
        """Yield the ways to ask for other packages: the framework is one of them."""
        wanted: dict[str, Requirement] = {}
        for text in change.requirements:
            try:
                requirement = Requirement(text)
            except InvalidRequirement:
                raise CannotTry(f"'{text}' is no requirement that pip understands") from None
            name = str(canonicalize_name(requirement.name))
            wanted[_OTHER_NAMES.get(name, name)] = requirement
        framework = cell.axes.framework
        own = None if framework is None else wanted.pop(framework.name, None)
        frameworks: Iterable[Framework | None] = (framework,)
        if framework is not None and framework.name == "keras":
            added = {name for name in wanted if name in BACKENDS} - {*framework.backends}
            for name in added & wanted.keys():
                if not str(wanted[name].specifier):
                    del wanted[name]
                    backends = tuple(sorted({*framework.backends, name}))
                    framework = msgspec.structs.replace(framework, backends=backends)
            frameworks = (framework,)
        if framework is not None and own is not None:
            frameworks = self._frameworks(framework, str(own.specifier))
        had = record.identity.get("modules")
        for choice in frameworks:
            yield partial(_with_packages, choice, wanted, had if isinstance(had, dict) else {})

    def _frameworks(self, framework: Framework, specifier: str) -> Iterator[Framework]:
        if not specifier:
            # What the remedy says is to install it, which the harness has done.
            yield framework
            return
        series, exact = _SERIES.fullmatch(specifier), _EXACT.fullmatch(specifier)
        named = series or exact
        if named is not None:
            yield msgspec.structs.replace(framework, version=named[1])
            return
        planned = (
            other.axes.framework.version
            for other in self._plan.cells
            if other.axes.framework is not None and other.axes.framework.name == framework.name
        )
        tiers = (
            lambda: [version for version in planned if version is not None],
            lambda: self._versions("framework", framework.name),
        )
        found = _nearest(specifier, framework.version, tiers)
        if not found:
            raise CannotTry(f"there is no {framework.name} {specifier} to be had here")
        for version in found:
            yield msgspec.structs.replace(framework, version=version)

    # --- languages and bridges ------------------------------------------------------------------

    def _pythons(self, change: Change, cell: Cell, record: CellRecord) -> Iterator[_Step]:
        if change.python is None:
            yield _as_it_is
            return
        now = cell.axes.python
        wanted = change.python.strip()
        found: tuple[str, ...] = (wanted,)
        if not _BARE.fullmatch(wanted):
            tiers = (
                lambda: _minors(other.axes.python for other in self._plan.cells),
                lambda: _minors(self._versions("python", "python")),
            )
            fits = _specifier(wanted)
            here = _minor(now) or _minor(_read_back(record, "python") or "")
            if here is not None and fits.contains(here):
                # The cell's own minor version fits, so the remedy asks for nothing else.
                yield _as_it_is
                return
            found = _nearest(wanted, here, tiers)
        if not found:
            raise CannotTry(f"there is no Python {wanted} to be had here")
        for version in found:
            yield partial(_with_value, "python", "Python", version)

    def _rs(self, change: Change, cell: Cell, record: CellRecord) -> Iterator[_Step]:
        now = cell.axes.r
        if change.r is None:
            yield _as_it_is
            return
        if now is None:
            raise CannotTry("the cell has no R")
        wanted = change.r.strip()
        current = now if now[:1].isdigit() else _read_back(record, "r")
        tiers = (
            lambda: [r for other in self._plan.cells if (r := other.axes.r) is not None],
            lambda: self._versions("r", "R"),
        )
        found = (wanted,) if _BARE.fullmatch(wanted) else _nearest(wanted, current, tiers)
        if not found:
            raise CannotTry(f"there is no R {wanted} to be had here")
        for version in found:
            yield partial(_with_r, version)

    def _bridges(self, change: Change, cell: Cell, record: CellRecord) -> Iterator[_Step]:
        if change.bridge is None:
            yield _as_it_is
            return
        axes = cell.axes
        name = paths()[axes.path].bridge_package
        if name is None:
            raise CannotTry(f"the path {axes.path} has no bridge whose version could be another")
        wanted = change.bridge.strip()
        given = axes.bridge if axes.bridge not in {None, SOURCE} else None
        current = _read_back(record, "bridge") or given
        tiers = (
            lambda: [
                bridge
                for other in self._plan.cells
                if (bridge := other.axes.bridge) not in {None, SOURCE}
                if (other.axes.path, other.axes.r) == (axes.path, axes.r)
            ],
            lambda: [bridge] if (bridge := bridge_of(axes.path, axes.r or "")) else [],
            lambda: self._versions("bridge", axes.path),
        )
        found = (wanted,) if _BARE.fullmatch(wanted) else _nearest(wanted, current, tiers)
        if not found:
            raise CannotTry(
                f"there is no {name} {wanted} to be had here; a repository of R packages that has "
                "it may be named by --cran"
                if paths()[axes.path].uses_r
                else f"there is no {name} {wanted} to be had here"
            )
        for version in found:
            yield partial(_with_value, "bridge", name, version)

    def _arguments(self, change: Change, cell: Cell) -> Iterator[_Step]:
        transports = paths()[cell.axes.path].transports
        for name, value in change.path.items():
            if name != "transport" or value not in transports:
                raise CannotTry(f"the path {cell.axes.path} takes no {name} '{value}'")
            yield partial(_with_value, "transport", "transport", value)
        if not change.path:
            yield _as_it_is

    def _to_unset(self, change: Change, cell: Cell) -> tuple[str, ...]:
        known = self._exported(cell.id)
        return tuple(name for name in change.unset if known is None or name in known)


def _as_it_is(axes: Axes) -> tuple[Axes, list[str]]:
    return axes, []


def _with_value(axis: str, what: str, value: str, axes: Axes) -> tuple[Axes, list[str]]:
    changed = msgspec.structs.replace(axes, **{axis: value})
    return changed, _instead(what, value, getattr(axes, axis))


def _with_packages(
    framework: Framework | None,
    wanted: Mapping[str, Requirement],
    had: Mapping[str, str | None],
    axes: Axes,
) -> tuple[Axes, list[str]]:
    words = [] if framework == axes.framework else [f"{framework} instead of {axes.framework}"]
    pins = dict(axes.pins)
    for name, requirement in wanted.items():
        # TensorFlow without CUDA is another distribution, and both together are neither.
        key = "tensorflow-cpu" if name == "tensorflow" and axes.cuda == "cpu" else name
        was = next((old for old in pins if canonicalize_name(old) == key), None)
        before = None if was is None else pins.pop(was)
        specifier = str(requirement.specifier)
        if specifier or (was is None and not _is_there(name, axes)):
            pins[was or key] = specifier
        if before is None and pins.get(key) == "":
            words.append(f"with {key}")
        elif before != pins.get(was or key):
            words += _instead(key, specifier, before or had.get(name))
    changed = msgspec.structs.replace(axes, framework=framework, pins=tuple(sorted(pins.items())))
    return changed, words


def _is_there(name: str, axes: Axes) -> bool:
    """Tell whether a package is installed in every cell of this kind anyway."""
    framework = axes.framework
    if name == "numpy":
        return True
    return framework is not None and name in {framework.name, *framework.backends}


def _with_r(version: str, axes: Axes) -> tuple[Axes, list[str]]:
    bridge = axes.bridge
    if bridge is not None and axes.r is not None and bridge == bridge_of(axes.path, axes.r):
        # The bridge came with the R, so it comes with the other one as well.
        bridge = bridge_of(axes.path, version)
    changed = msgspec.structs.replace(axes, r=version, bridge=bridge)
    return changed, _instead("R", version, axes.r)


def _changed(
    cell: Cell, axes: Axes, variables: Mapping[str, str], unset: tuple[str, ...], words: str
) -> Changed:
    changed = Changed(cell=cell, words=words, variables=dict(variables), unset=unset)
    name = cell_id(axes)
    if changed.variables_digest:
        name += "__env-" + changed.variables_digest
    control = cell.control
    if control is not None:
        control = cell_id(control_axes(axes))
    other = msgspec.structs.replace(cell, id=name, axes=axes, control=control, implied=False)
    return msgspec.structs.replace(changed, cell=other)


def _nothing(change: Change, cell: Cell) -> str:
    if change.unset:
        return f"the cell was run without {' and '.join(change.unset)}"
    if change.requirements:
        return (
            f"{' and '.join(change.requirements)} is what the cell had: every environment of a "
            "matrix is installed anew"
        )
    return f"the change is what the cell {cell.id} had already"


# --- versions -----------------------------------------------------------------------------------


def _nearest(wanted: str, now: str | None, tiers: _Tiers) -> tuple[str, ...]:
    """Return the versions that fit, the nearest first, of the first place that has any."""
    fits = _specifier(wanted)
    here = _version(now or "")
    for tier in tiers:
        known = {text: _version(text) for text in tier()}
        fitting = [
            (version, text)
            for text, version in known.items()
            if version is not None and not version.is_prerelease and version in fits
        ]
        # Of two that are as near, the newer.
        fitting.sort(reverse=True)
        fitting.sort(key=lambda one: _apart(one[0], here))
        if fitting:
            return tuple(text for _, text in fitting)[:AT_MOST]
    return ()


def _apart(one: Version, other: Version | None) -> tuple[int, ...]:
    if other is None:
        # Where nothing is known of what the cell has, the newest is what one would take.
        return tuple(-part for part in (*one.release, 0, 0, 0, 0)[:4])
    first, second = ((*version.release, 0, 0, 0, 0)[:4] for version in (one, other))
    return tuple(abs(a - b) for a, b in zip(first, second, strict=True))


def _specifier(text: str) -> SpecifierSet:
    try:
        return SpecifierSet(text)
    except InvalidSpecifier:
        raise CannotTry(f"'{text}' is no range of versions") from None


def _version(text: str) -> Version | None:
    try:
        # R's versions have a dash where Python's have a dot: 0.0-6.
        return Version(text.replace("-", "."))
    except InvalidVersion:
        return None


def _minor(version: str) -> str | None:
    found = re.match(r"\d+\.\d+", version)
    return found.group() if found else None


def _minors(versions: Iterable[str]) -> list[str]:
    """Return minor versions: a cell has the newest patch that can be had."""
    # Free-threaded builds are another program.
    found = (_minor(version) for version in versions if not version.endswith("t"))
    return list(dict.fromkeys(minor for minor in found if minor is not None))


def _read_back(record: CellRecord, part: str) -> str | None:
    """Return a version that the cell read back from inside, where it got so far."""
    found = record.identity.get(part)
    version = found.get("version") if isinstance(found, dict) else None
    return version if isinstance(version, str) else None


def _instead(what: str, now: str, before: str | None) -> list[str]:
    return [f"{what} {now or 'of any version'} instead of {before or 'any'}"]

"""One cell at each value of one axis: the series along which a boundary is looked for."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from fnmatch import fnmatchcase
from typing import Final

import msgspec
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version

from harness.errors import UsageError
from harness.matrix.expand import control_axes
from harness.matrix.fields import AXIS_FIELDS, PACKAGE_NAME
from harness.matrix.frameworks import parse_framework
from harness.matrix.words import Word, pick, read_word
from harness.model.cell import Axes, Cell, Framework, Plan, cell_id
from harness.nodes import did_you_mean
from harness.workflow.planning import bridge_of

ORDERED: Final = ("r", "bridge", "python", "framework", "cuda")
"""Axes with an order, beside the packages that are pinned."""
ANY: Final = "any"
CPU: Final = "cpu"
_COMPARED: Final = 2000
_NUMERIC: Final = re.compile(r"^\d+(\.\d+)*$")

VersionsOf = Callable[[str, str], Iterable[str]]
"""Versions by axis and name: see ``harness.workflow.versions``."""


class Series(msgspec.Struct, frozen=True, kw_only=True):
    """One cell at each value of one axis; all else is the same."""

    matrix: str
    source: str
    axis: str
    base: Cell
    values: tuple[str, ...]
    cells: tuple[Cell, ...]


def series_of(
    plan: Plan,
    pattern: str,
    axis: str,
    asked: Sequence[str] = (),
    versions: VersionsOf | None = None,
) -> Series:
    """Return the cell that ``pattern`` names at each value of ``axis``, in order.

    Parameters
    ----------
    asked
        Values as the user gave them: one text with commas between them, several texts with one
        value each, or ``every >=1.18``; by default those that the plan has on this axis.
    versions
        Answers which versions there are, where a value stands for several.

    Raises
    ------
    UsageError
        No such cell or axis, a faulty value, or fewer than two values.
    """
    base = _base(plan, pattern, axis)
    own = _applies(plan, base, axis)
    if asked:
        whole = len(asked) > 1
        values = [
            value for text in asked for value in _read(text, base, axis, versions, whole=whole)
        ]
    else:
        values = _of_plan(plan, base, axis)
    cells: dict[str, tuple[str, Cell]] = {}
    for value in _ordered(axis, dict.fromkeys(values)):
        cell = _at(base, axis, value)
        cells.setdefault(cell.id, (_shown(axis, value), cell))
    if len(cells) < 2:  # noqa: PLR2004 - a boundary lies between two
        one = next((value for value, _ in cells.values()), None if asked else own)
        which = "names no value" if one is None else f"names only one value ({one})"
        raise UsageError(
            f"{plan.source if not asked else '--values'} {which} of '{axis}'; "
            f"give two or more, such as --values {_EXAMPLES.get(axis, '1.26.4,2.0.2')}"
        )
    return Series(
        matrix=plan.matrix,
        source=plan.source,
        axis=axis,
        base=base,
        values=tuple(value for value, _ in cells.values()),
        cells=tuple(cell for _, cell in cells.values()),
    )


def with_value(cell: Cell, axis: str, text: str) -> Cell:
    """Return a cell with another value on one of its ordered axes, or with a package pinned.

    Raises ``ValueError`` with what is wrong with ``text``.
    """
    return _at(cell, axis, _canonical(text.strip(), cell, axis))


_ONE: Final = {"r": "4.5.0", "bridge": "1.41.0", "python": "3.12", "cuda": "12.4"}
"""A value of each axis as a command line has it; a matrix file has lists."""
_EXAMPLES: Final = {
    "r": "4.2.2,4.5.0",
    "bridge": "'every >=1.28'",
    "python": "3.10,3.11,3.12",
    "framework": "2.10.0,2.13.0",
    "cuda": "12.4,12.8",
}


def _base(plan: Plan, pattern: str, axis: str) -> Cell:
    """Return the cell that is meant; cells that differ in ``axis`` alone are one."""
    wanted = pattern.lower()
    found = [cell for cell in plan.cells if cell.id == wanted] or [
        cell for cell in plan.cells if not cell.implied and fnmatchcase(cell.id, wanted)
    ]
    if not found:
        # To compare with each of a hundred thousand ids takes a minute.
        ids = [cell.id for cell in plan.cells] if len(plan.cells) <= _COMPARED else []
        hint = did_you_mean(wanted, ids)
        hint = hint if hint.startswith("did") else f"'harness plan {plan.source}' lists them"
        raise UsageError(f"{plan.source}: no cell fits '{pattern}'; {hint}")
    others = [cell for cell in found if _without(cell.axes, axis) != _without(found[0].axes, axis)]
    if others:
        raise UsageError(
            f"{plan.source}: '{pattern}' fits {len(found)} cells that differ in more than "
            f"'{axis}', {found[0].id} and {others[0].id} among them; name one"
        )
    return found[0]


def _without(axes: Axes, axis: str) -> tuple[object, ...]:
    """Return what two cells have in common that differ in ``axis`` alone."""
    values: dict[str, object] = dict(msgspec.structs.asdict(axes))
    values["pins"] = tuple(pin for pin in axes.pins if pin[0] != axis)
    if axis == "framework" and axes.framework is not None:
        values["framework"] = (axes.framework.name, axes.framework.backends)
    elif axis in values:
        values[axis] = None
    if axis == "r" and _follows(axes):
        values["bridge"] = None
    return tuple(values.values())


def _follows(axes: Axes) -> bool:
    """Whether the bridge is the one that comes with the R."""
    return axes.r is not None and axes.bridge == bridge_of(axes.path, axes.r)


def _applies(plan: Plan, base: Cell, axis: str) -> str | None:
    """Return the value that a cell has on an axis; ``None`` for a package that it leaves free."""
    if axis in {"path", "transport", "pins"}:
        raise UsageError(
            f"--axis {axis}: its values have no order; "
            f"write {', '.join(ORDERED)}, or the name of a package"
        )
    if axis not in ORDERED:
        pinned = {name for cell in plan.cells for name, _ in cell.axes.pins}
        near = did_you_mean(axis, {*ORDERED, *pinned})
        if axis not in pinned and (near.startswith("did") or not PACKAGE_NAME.match(axis)):
            raise UsageError(f"--axis {axis}: there is no such axis or package here; {near}")
        return dict(base.axes.pins).get(axis)
    value = getattr(base.axes, axis)
    if value is None:
        raise UsageError(f"--axis {axis}: the cell {base.id} has none")
    return _shown(axis, str(value))


def _of_plan(plan: Plan, base: Cell, axis: str) -> list[str]:
    """Return the values that the matrix names for an axis, where they could stand in ``base``."""
    values: list[str] = []
    for cell in plan.cells:
        if axis == "bridge" and cell.axes.path != base.axes.path:
            continue
        if axis not in ORDERED:
            values.append(dict(cell.axes.pins).get(axis, ANY))
            continue
        value = getattr(cell.axes, axis)
        if isinstance(value, Framework):
            assert base.axes.framework is not None
            same = (value.name, value.backends) == (
                base.axes.framework.name,
                base.axes.framework.backends,
            )
            value = value.version if same else None
        if value is not None:
            values.append(value)
    if axis not in ORDERED and set(values) != {ANY}:
        # Most cells of a matrix leave most packages alone: no value to be tried.
        named = [value for value in values if value != ANY]
        return named if len(set(named)) > 1 else values
    return [] if axis not in ORDERED else values


def _read(
    text: str, base: Cell, axis: str, versions: VersionsOf | None, *, whole: bool
) -> list[str]:
    """Read one ``--values``: values, or a word that stands for versions.

    A text that is ``whole`` is one value, so that it may have commas itself: ``>=1.24,<2``.
    """
    try:
        name = base.axes.framework.name if base.axes.framework else ""
        spoken = text.strip()
        if axis == "framework" and spoken.split()[:1] == ["every"] and name not in spoken:
            spoken = f"every {name}{spoken.removeprefix('every').strip()}"
        word = read_word(axis, spoken)
        if word is not None:
            return _versions(word, base, axis, versions)
        parts = [text] if whole else text.split(",")
        return [_canonical(part.strip(), base, axis) for part in parts if part.strip()]
    except ValueError as error:
        raise UsageError(f"--values {text}: {error}") from None


def _versions(word: Word, base: Cell, axis: str, versions: VersionsOf | None) -> list[str]:
    """Return every release within a range; of an interpreter, the newest of each series."""
    if versions is None:
        raise ValueError("it is not known which versions there are; name them one by one")
    names = {
        "bridge": ("bridge", base.axes.path),
        "framework": ("framework", base.axes.framework.name if base.axes.framework else ""),
    }
    known = list(versions(*names.get(axis, (axis if axis in ORDERED else "package", axis))))
    if axis in {"r", "python"} or not word.every:
        found: Iterable[str] = pick(word, known)
    else:
        # A matrix would grow with each of them; a bisection runs few, and wants to be exact.
        range_ = SpecifierSet(word.specifier)
        pairs = ((_version(text), text) for text in known)
        found = [text for version, text in pairs if version and _released(version, range_)]
    return [_canonical(text, base, axis) for text in found]


def _released(version: Version, range_: SpecifierSet) -> bool:
    return not version.is_prerelease and version in range_


def _canonical(text: str, base: Cell, axis: str) -> str:
    """Return a value as a cell has it.  Raises ``ValueError`` with what is wrong."""
    if axis == "framework":
        assert base.axes.framework is not None
        framework = base.axes.framework
        if not _NUMERIC.match(text[:1]):
            other = parse_framework(text)
            if other.name != framework.name:
                raise ValueError(f"the cell has {framework.name}; write its versions alone")
            text = other.version or ""
        return parse_framework(f"{framework.name}=={text}").version or ""
    if axis in ORDERED:
        pattern = AXIS_FIELDS[axis].pattern
        if pattern and not re.fullmatch(pattern, text):
            raise ValueError(f"'{text}' is no value of '{axis}'; write one such as {_ONE[axis]}")
        return text
    if text == ANY:
        return text
    try:
        return str(SpecifierSet(f"=={text}" if _NUMERIC.match(text) else text))
    except InvalidSpecifier:
        raise ValueError(f"'{text}' is no version of {axis}; write 1.26.4, '<2' or any") from None


def _ordered(axis: str, values: Iterable[str]) -> list[str]:
    """Return versions from the oldest to the newest; where one is none, all as they were given."""
    given = list(values)
    keys: dict[str, Version] = {}
    for value in given:
        version = Version("0") if value == CPU and axis == "cuda" else _version(_shown(axis, value))
        if version is None:
            return given
        keys[value] = version
    return sorted(given, key=lambda value: (keys[value], value))


def _version(text: str) -> Version | None:
    try:
        # R's versions have a dash where Python's have a dot: 0.0-6, 1.8-19.1.
        return Version(text.replace("-", "."))
    except InvalidVersion:
        return None


def _shown(axis: str, value: str) -> str:
    """Return a value as it is written: a pinned version without its signs."""
    exact = value.startswith("==") and "," not in value and axis not in ORDERED
    return value[2:] if exact else value


def _at(base: Cell, axis: str, value: str) -> Cell:
    """Return the cell with another value on one axis; a bridge of the R goes with the R."""
    axes = base.axes
    if axis == "framework":
        assert axes.framework is not None
        framework = msgspec.structs.replace(axes.framework, version=value)
        axes = msgspec.structs.replace(axes, framework=framework)
    elif axis == "r":
        bridge = bridge_of(axes.path, value) if _follows(axes) else axes.bridge
        axes = msgspec.structs.replace(axes, r=value, bridge=bridge)
    elif axis == "bridge" and value == "default":
        assert axes.r is not None
        axes = msgspec.structs.replace(axes, bridge=bridge_of(axes.path, axes.r))
    elif axis in ORDERED:
        axes = msgspec.structs.replace(axes, **{axis: value})
    else:
        pins = {**dict(axes.pins), axis: value}
        if value == ANY:
            del pins[axis]
        axes = msgspec.structs.replace(axes, pins=tuple(sorted(pins.items())))
    control = None if base.control is None else cell_id(control_axes(axes))
    return msgspec.structs.replace(
        base, id=cell_id(axes), axes=axes, control=control, implied=False
    )

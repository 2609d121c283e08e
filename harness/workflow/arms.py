"""The two arms of a latency comparison: a cell with a value of base, and with one of head."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec

from harness.errors import UsageError
from harness.latency.pairs import clocks
from harness.matrix.expand import CONTROL_PATH, control_axes
from harness.matrix.fields import AXIS_FIELDS, PACKAGE_NAME
from harness.model.cell import Axes, Cell, Plan, cell_id
from harness.nodes import did_you_mean
from harness.paths.base import CrossesProcesses
from harness.workflow.bridges import Named, read_bridges
from harness.workflow.planning import bridge_of
from harness.workflow.registry import paths
from harness.workflow.series import ORDERED, with_value

VARIABLE: Final = "env."
_OWN: Final = "HARNESS_"


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """What the user asked of one arm: ``option`` is ``--base`` or ``--head``."""

    option: str
    key: str
    value: str

    def __str__(self) -> str:
        return f"{self.option} {self.key}={self.value}"


class Arm(msgspec.Struct, frozen=True, kw_only=True):
    """One side of a comparison.

    ``bridges`` are what the user named for the path of the cell; ``variables`` are set in it.
    """

    cell: Cell
    bridges: tuple[Named, ...] = ()
    variables: dict[str, str] = {}


class Duel(msgspec.Struct, frozen=True, kw_only=True):
    """One cell in both arms.

    ``native`` is the cell without a bridge in base's Python environment, which is a control on
    both sides; ``None`` where the path itself has none.  ``clocks`` are ``cpu`` or ``wall`` by
    metric.
    """

    base: Arm
    head: Arm
    native: Cell | None
    clocks: dict[str, str]

    @property
    def id(self) -> str:
        """What the comparison goes by: the ids of both cells, or the one that they share."""
        one, other = self.base.cell.id, self.head.cell.id
        return one if one == other else f"{one} vs {other}"


def read_settings(texts: Iterable[str], option: str) -> tuple[Setting, ...]:
    """Read the values of ``--base`` or ``--head``.

    Raises
    ------
    UsageError
        One sentence: what is wrong with a value, and what to write.
    """
    found: dict[str, Setting] = {}
    for text in texts:
        key, sign, value = (part.strip() for part in text.partition("="))
        if not (key and sign and value):
            raise UsageError(
                f"{option} {text}: write KEY=VALUE, such as bridge=1.41.0, python=3.12, "
                f"numpy=2.0.2 or {VARIABLE}NAME=1"
            )
        name = key.removeprefix(VARIABLE)
        if key != name and (not re.fullmatch(r"[A-Za-z_]\w*", name) or name.startswith(_OWN)):
            raise UsageError(f"{option} {text}: '{name}' is no variable that can be set")
        if key in found:
            raise UsageError(f"{option} {text}: '{key}' is named twice; keep one")
        found[key] = Setting(option=option, key=key, value=value)
    return tuple(found.values())


def duels(
    plan: Plan, base: Sequence[Setting], head: Sequence[Setting], probes: tuple[str, ...]
) -> tuple[Duel, ...]:
    """Return each cell of a plan in both arms; cells that become the same are one.

    Cells to which a key does not apply (a bridge, on ``native``) are left out, and so are the
    controls that the plan has for other cells' sake.

    Raises
    ------
    UsageError
        A key or a value is faulty, or fits no cell.
    """
    found: dict[str, Duel] = {}
    why: UsageError | None = None
    for cell in plan.cells:
        if cell.implied:
            continue
        asked = msgspec.structs.replace(cell, probes=probes, cold=False)
        try:
            pair = Duel(
                base=_arm(asked, base, plan),
                head=_arm(asked, head, plan),
                native=None,
                clocks={},
            )
        except _DoesNotApply as error:
            why = error
            continue
        pair = msgspec.structs.replace(pair, native=_native(pair), clocks=_clocks(pair))
        found.setdefault(pair.id, pair)
    if not found:
        raise UsageError(str(why) if why else f"{plan.source}: no cell is selected")
    return tuple(found.values())


class _DoesNotApply(UsageError):
    """A setting says nothing of a cell, which has no such axis."""


def _arm(cell: Cell, settings: Sequence[Setting], plan: Plan) -> Arm:
    variables: dict[str, str] = {}
    bridges: tuple[Named, ...] = ()
    for setting in settings:
        if setting.key.startswith(VARIABLE):
            variables[setting.key.removeprefix(VARIABLE)] = setting.value
            continue
        try:
            cell, named = _changed(cell, setting, plan)
        except ValueError as error:
            raise UsageError(f"{setting}: {error}") from None
        bridges += named
    return Arm(cell=cell, bridges=bridges, variables=variables)


def _changed(cell: Cell, setting: Setting, plan: Plan) -> tuple[Cell, tuple[Named, ...]]:
    """Return the cell with a setting of an axis; ``ValueError`` says what is wrong with it."""
    key, value, axes = setting.key, setting.value, cell.axes
    if key == "path":
        return _with_axes(cell, _on_path(axes, setting)), ()
    if key == "transport":
        known = paths()[axes.path].transports
        if not known:
            raise _DoesNotApply(f"{setting}: {cell.id} has no transport")
        if value not in known:
            raise ValueError(f"there is no such transport; {did_you_mean(value, known)}")
        return _with_axes(cell, msgspec.structs.replace(axes, transport=value)), ()
    if key in ORDERED:
        applies = axes.bridge if key == "bridge" else getattr(axes, key)
        if applies is None and not (key == "bridge" and _has_bridge(axes)):
            raise _DoesNotApply(f"{setting}: {cell.id} has no '{key}'")
        if key == "bridge" and not _is_version(value):
            return _with_source(cell, setting)
    elif not PACKAGE_NAME.match(key) or not _is_package(key, plan):
        raise ValueError(
            f"there is no such axis, and no cell pins such a package; "
            f"{did_you_mean(key, _keys(plan))}"
        )
    return _controlled(with_value(cell, key, value)), ()


def _is_package(key: str, plan: Plan) -> bool:
    """Tell whether a key may be a package; one that is nearly an axis is rather a slip."""
    return key in _keys(plan) or not did_you_mean(key, _keys(plan)).startswith("did")


def _keys(plan: Plan) -> set[str]:
    pinned = {name for cell in plan.cells for name, _ in cell.axes.pins}
    return {"path", "transport", *ORDERED, *pinned}


def _is_version(value: str) -> bool:
    pattern = AXIS_FIELDS["bridge"].pattern or ""
    return value == "default" or (value[0].isdigit() and bool(re.fullmatch(pattern, value)))


def _has_bridge(axes: Axes) -> bool:
    return paths()[axes.path].bridge_package is not None


def _with_source(cell: Cell, setting: Setting) -> tuple[Cell, tuple[Named, ...]]:
    """Return the cell with a bridge that is built from a tree, an archive or a git reference."""
    text = f"{cell.axes.path}={setting.value}"
    try:
        named = read_bridges([text])
    except UsageError as error:
        raise UsageError(str(error).replace(f"--bridge {text}", str(setting))) from None
    axes = msgspec.structs.replace(cell.axes, bridge=named[0].axis)
    return _with_axes(cell, axes), named


def _on_path(axes: Axes, setting: Setting) -> Axes:
    known, name = paths(), setting.value
    if name not in known:
        raise ValueError(f"there is no such path; {did_you_mean(name, known)}")
    path = known[name]
    if not path.uses_r:
        return control_axes(axes)
    if axes.r is None:
        raise _DoesNotApply(f"{setting}: the path needs an R, and {cell_id(axes)} has none")
    transport = axes.transport if axes.transport in path.transports else None
    return msgspec.structs.replace(
        axes,
        path=name,
        bridge=bridge_of(name, axes.r) if path.bridge_package is not None else None,
        transport=transport or next(iter(path.transports), None),
    )


def _with_axes(cell: Cell, axes: Axes) -> Cell:
    return _controlled(msgspec.structs.replace(cell, id=cell_id(axes), axes=axes))


def _controlled(cell: Cell) -> Cell:
    """Return a cell with the id of its control, which a matrix may have left out."""
    native = cell.axes.path == CONTROL_PATH
    control = None if native else cell_id(control_axes(cell.axes))
    return msgspec.structs.replace(cell, control=control, implied=False)


def _native(duel: Duel) -> Cell | None:
    """Return the control without a bridge.

    It is of base's environment in both arms: where it differs, it is the machine that moved, and
    not what was changed.  Importing the framework is left out, to have time for more pairs.
    """
    cell = duel.base.cell
    if cell.axes.path == CONTROL_PATH:
        return None
    axes = control_axes(cell.axes)
    return msgspec.structs.replace(cell, id=cell_id(axes), axes=axes, control=None)


def _clocks(duel: Duel) -> dict[str, str]:
    known: Mapping[str, object] = paths()
    ways = [known[arm.cell.axes.path] for arm in (duel.base, duel.head)]
    return clocks(
        crosses=any(isinstance(path, CrossesProcesses) and path.crosses_processes for path in ways)
    )

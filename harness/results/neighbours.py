"""The nearest cell that passes: which one axis to change where no remedy is known.

Pure: a function of the results document.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

from harness.model.document import Results
from harness.model.order import natural_key
from harness.model.record import CellRecord
from harness.model.status import Status

# What is easiest to change comes first: a package's version, then the bridge, then Python; the
# path of integration is another program.
_EFFORT: Final = {"bridge": 2, "framework": 3, "python": 4, "transport": 5, "r": 6, "cuda": 7}
_EFFORT_OF_PIN: Final = 1
_EFFORT_OF_PATH: Final = 20
_ANOTHER: Final = 10
"""Another framework, not another version of it, is another program as well."""


class Neighbour(msgspec.Struct, frozen=True, kw_only=True):
    """A cell that passes, and what it has otherwise: ``axis: (the failing cell's, its own)``.

    ``None`` stands for an axis that does not apply, or a package that is not pinned.
    """

    id: str
    changes: dict[str, tuple[str | None, str | None]]


def nearest_passing(results: Results, record: CellRecord, *, at_most: int = 3) -> list[Neighbour]:
    """Return the passing cells that differ least from ``record``, the nearest first.

    A cell counts only if it passed whatever probes ``record`` was asked for.  The bridge that
    comes with an R changes with it, and both together count as one change.
    """
    asked = {probe.name for probe in record.probes}
    found = []
    for other in results.cells:
        if other.status is not Status.PASS or other.id == record.id:
            continue
        if not asked <= {probe.name for probe in other.probes}:
            continue
        changes = _changes(record, other)
        if changes and ("path" not in changes or other.axes.get("path") != "native"):
            found.append(Neighbour(id=other.id, changes=changes))
    found.sort(key=lambda one: (*_distance(one.changes), natural_key(one.id)))
    if not found:
        return []
    least = len(_counted(found[0].changes))
    return [one for one in found if len(_counted(one.changes)) == least][:at_most]


def _changes(one: CellRecord, other: CellRecord) -> dict[str, tuple[str | None, str | None]]:
    axes = {*one.axes, *other.axes}
    pairs = {axis: (one.axes.get(axis), other.axes.get(axis)) for axis in sorted(axes)}
    changes = {axis: pair for axis, pair in pairs.items() if pair[0] != pair[1]}
    if "path" in changes:
        # Another path has other axes: that one of them falls away is nothing to do by hand.
        changes = {axis: pair for axis, pair in changes.items() if axis == "path" or pair[1]}
    return changes


def _counted(changes: dict[str, tuple[str | None, str | None]]) -> list[str]:
    """The axes to change by hand: a bridge that another R or path brings is none of them."""
    brings = {"path", "r"} & changes.keys()
    follows = {"bridge", "transport"} if "path" in changes else {"bridge"}
    return [axis for axis in changes if not (brings and axis in follows)]


def _distance(changes: dict[str, tuple[str | None, str | None]]) -> tuple[int, float, float]:
    axes = _counted(changes)
    effort = 0.0
    for axis in axes:
        if axis == "path":
            effort += _EFFORT_OF_PATH
        elif axis == "framework" and _name(changes[axis][0]) != _name(changes[axis][1]):
            effort += _ANOTHER
        else:
            effort += _EFFORT.get(axis, _EFFORT_OF_PIN)
    return len(axes), effort, sum(_apart(*changes[axis]) for axis in axes)


def _name(value: str | None) -> str:
    return re.split(r"[\[=<>]", value or "")[0]


def _apart(one: str | None, other: str | None) -> float:
    """How far two versions are apart: the first part that differs counts most."""
    first, second = (_numbers(value) for value in (one, other))
    if not first or not second:
        return 1.0
    for place, (a, b) in enumerate(zip(first, second, strict=False)):
        if a != b:
            return float(abs(a - b) / 100**place)
    return 0.0


def _numbers(value: str | None) -> list[int]:
    # The version alone: a framework's name may have digits of its own.
    return [
        int(part) for part in re.findall(r"\d+", re.sub(r"^[^=<>]*[a-z\]][=<>]+", "", value or ""))
    ]

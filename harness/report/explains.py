"""What the cells of one group have in common that no passing cell has.

``every cell with reticulate <= 1.28 and numpy >= 2.0.2``: the fewest conditions on axes, and on
versions read back, that hold for each cell of the group and for no cell that passes.  Nothing is
said where there are none: a group of one cell, or one that no three conditions tell apart.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec

from harness.model.document import Results
from harness.model.order import natural_key
from harness.model.record import CellRecord
from harness.model.status import Status

MAX_CONDITIONS: Final = 3
_NAMES: Final = {"r": "R", "python": "Python", "cuda": "CUDA"}
# What is named first where several explain a group equally well: what a user knows by heart.
_ORDER: Final = ("bridge", "python", "pin", "framework", "r", "path", "transport", "cuda")

Features = dict[str, tuple[str, str]]
"""Kind and value by the name of a feature: ``{"reticulate": ("bridge", "1.28")}``."""


class Condition(msgspec.Struct, frozen=True, kw_only=True):
    """One feature with the values that it may have: ``numpy >= 2.0.2``.

    ``least`` and ``most`` are versions that were tested, both included; ``value`` is that of a
    feature whose values have no order.  Without any of them, every version will do.
    """

    name: str
    kind: str
    least: str | None = None
    most: str | None = None
    value: str | None = None

    def __str__(self) -> str:
        if self.value is not None:
            return f"{self.name} {self.value}"
        if self.least == self.most:
            return f"{self.name} {self.least or ''}".rstrip()
        if self.least is None:
            return f"{self.name} <= {self.most}"
        if self.most is None:
            return f"{self.name} >= {self.least}"
        return f"{self.name} {self.least} to {self.most}"

    def holds(self, features: Features) -> bool:
        """Say whether a cell with these features meets the condition."""
        found = features.get(self.name)
        if found is None:
            return False
        if self.value is not None:
            return found[1] == self.value
        key = natural_key(found[1])
        above = self.least is None or key >= natural_key(self.least)
        return above and (self.most is None or key <= natural_key(self.most))


def explanation(results: Results, cells: Sequence[CellRecord]) -> str | None:
    """Return what explains a group of cells that did not pass, as a clause, or ``None``."""
    found = conditions(results, cells)
    if not found:
        return None
    return "every cell with " + " and ".join(str(condition) for condition in found)


def conditions(results: Results, cells: Sequence[CellRecord]) -> list[Condition]:
    """Return the fewest conditions that hold for all of ``cells`` and for no cell that passes."""
    if len(cells) < 2:  # noqa: PLR2004 - one cell has everything in common with itself
        return []
    by_id = {record.id: record for record in results.cells}
    mine = [_features(record, by_id) for record in cells]
    passing = [_features(one, by_id) for one in results.cells if one.status is Status.PASS]
    return _fewest(_candidates(mine, passing), passing)


def _fewest(candidates: Sequence[Condition], passing: Sequence[Features]) -> list[Condition]:
    """Return the fewest conditions of which no passing cell meets all."""
    held = {
        condition: frozenset(n for n, one in enumerate(passing) if condition.holds(one))
        for condition in candidates
    }
    useful = [condition for condition in candidates if len(held[condition]) < len(passing)]
    for size in range(1, MAX_CONDITIONS + 1):
        for chosen in itertools.combinations(useful, size):
            if not frozenset.intersection(*(held[condition] for condition in chosen)):
                return list(chosen)
    return []


def _candidates(mine: Sequence[Features], passing: Sequence[Features]) -> list[Condition]:
    """Return conditions that every cell of the group meets, those open at one end first."""
    shared = set.intersection(*(set(features) for features in mine))
    found: list[Condition] = []
    between: list[Condition] = []
    for name in sorted(shared, key=lambda name: (_ORDER.index(mine[0][name][0]), name)):
        kind = mine[0][name][0]
        values = sorted({features[name][1] for features in mine}, key=natural_key)
        others = {features[name][1] for features in passing if name in features}
        if not all(value[:1].isdigit() for value in (*values, *others)):
            if len(values) == 1:
                found.append(Condition(name=name, kind=kind, value=values[0]))
            continue
        least, most = values[0], values[-1]
        below = any(natural_key(other) < natural_key(least) for other in others)
        above = any(natural_key(other) > natural_key(most) for other in others)
        if below:
            found.append(Condition(name=name, kind=kind, least=least))
        if above:
            found.append(Condition(name=name, kind=kind, most=most))
        if below and above:
            between.append(Condition(name=name, kind=kind, least=least, most=most))
        if not others:
            found.append(Condition(name=name, kind=kind))
    return [*found, *between]


def _features(record: CellRecord, by_id: dict[str, CellRecord]) -> Features:
    """Return what a cell is, by axis, and by version where that was read back."""
    axes = record.axes
    path = axes.get("path") or "?"
    features: Features = {"path": ("path", path)}
    for axis in ("transport", "r", "python", "cuda"):
        value = axes.get(axis)
        if value is not None:
            features[_NAMES.get(axis, axis)] = (axis, value)
    bridge = _read_back(record, "bridge").get("version") or axes.get("bridge")
    if bridge is not None:
        features[str(_read_back(record, "bridge").get("name") or path)] = ("bridge", str(bridge))
    name, _, version = (axes.get("framework") or "").partition("==")
    if name:
        features["framework"] = ("framework", name)
        if version:
            features[name] = ("framework", version)
    control = by_id.get(record.control or "")
    # What failed before it could say its versions has those of its control, by construction.
    modules = _read_back(record, "modules") or (_read_back(control, "modules") if control else {})
    for package in _packages(modules, axes):
        features.setdefault(package, ("pin", str(modules[package])))
    return features


def _packages(modules: dict[str, Any], axes: dict[str, str | None]) -> Iterable[str]:
    pinned = set(axes) & set(modules)
    return sorted(pinned | ({"numpy"} & set(modules)))


def _read_back(record: CellRecord, part: str) -> dict[str, Any]:
    found = record.identity.get(part)
    return found if isinstance(found, dict) else {}

"""Covering selection: a few cells in which all values of the axes meet that can meet.

With strength 2, every pair of values (this R with that framework) that occurs together in some
cell that can exist is in one of the chosen cells; with strength 3 every triple.
"""

from __future__ import annotations

import hashlib
from array import array
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import combinations
from typing import Final

import msgspec

from harness.model.cell import Cell, Plan
from harness.plan.select import with_controls
from harness.plan.setcover import fewest, without_idle

STRENGTHS: Final = (1, 2, 3)
ANY: Final = "any"
"""The value of a package that other cells pin and a cell leaves to the resolver."""
_AXES: Final = ("path", "transport", "r", "bridge", "python", "framework", "cuda")


class Covering(msgspec.Struct, frozen=True, kw_only=True):
    """What was chosen, and what it reaches.

    ``plan`` has the chosen cells with their controls, ``chosen`` the ids without those that
    are there for others' sake, ``required`` those that were to be chosen in any case.  Of the
    ``listed`` cells of the whole plan, ``candidates`` can exist.  ``reachable`` is the number
    of combinations that occur in some of these, ``covered`` how many of them occur in the
    chosen ones.  No choice of fewer than ``bound`` cells could do the same; where that is the
    number of the chosen ones, there is no better choice.
    """

    plan: Plan
    strength: int
    chosen: tuple[str, ...]
    required: tuple[str, ...]
    listed: int
    candidates: int
    reachable: int
    covered: int
    bound: int


def cover(
    plan: Plan,
    strength: int,
    candidates: Collection[str],
    required: Collection[str] = (),
    kept: Collection[str] = (),
) -> Covering:
    """Choose as few cells of a plan as can be found that cover all combinations of values.

    The choice depends on the cells alone, and not on their order in the plan.  An axis that
    does not apply to a cell has no value there; a package that it leaves to the resolver,
    while other cells pin it, has the value ``any``.

    Parameters
    ----------
    strength
        How many values meet in a combination: 1, 2 or 3.
    candidates
        Ids of the cells that can exist.  Controls that the plan has only because others need
        them are not chosen for their own sake.
    required
        Ids of cells that are chosen in any case.  One that is no candidate covers nothing.
    kept
        Ids of cells that are chosen as well, beside a choice that is made without them: they
        only make some of it superfluous.  So the choice stays as it is when chosen cells come
        to be kept, and a run that was stopped goes on with the same cells.
    """
    listed = [cell for cell in plan.cells if not cell.implied]
    possible = set(candidates)
    wanted = {*required, *kept}
    cells = sorted((cell for cell in listed if cell.id in possible), key=_rank)
    table = _Combinations(cells, strength)
    numbers = [number for number, cell in enumerate(cells) if cell.id in set(required)]
    numbers += table.choose(numbers, table.bound(numbers))
    fixed = [number for number, cell in enumerate(cells) if cell.id in wanted]
    if set(fixed) - set(numbers):
        numbers = table.needed({*numbers, *fixed}, set(fixed))
    chosen = wanted | {cells[number].id for number in numbers}
    return Covering(
        plan=msgspec.structs.replace(plan, cells=with_controls(plan, chosen)),
        strength=strength,
        chosen=tuple(cell.id for cell in plan.cells if cell.id in chosen),
        required=tuple(cell.id for cell in plan.cells if cell.id in wanted),
        listed=len(listed),
        candidates=len(cells),
        reachable=table.count,
        covered=len(table.covered(numbers)),
        bound=len(wanted) + table.bound(fixed),
    )


def _rank(cell: Cell) -> tuple[bytes, bytes]:
    """Return what decides between cells that bring equally much.

    Cells of one Python environment follow each other, so that few environments are built.
    Digests rather than the ids: else all that is free to choose would be the oldest version.
    """
    return _digest(cell.control or cell.id), _digest(cell.id)


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode(), digest_size=8).digest()


class _Combinations:
    """The combinations of values that occur in each of some cells, as numbers."""

    def __init__(self, cells: Sequence[Cell], strength: int) -> None:
        self._paths = [cell.axes.path for cell in cells]
        self._axes: list[tuple[str, ...]] = []
        """The axes of each combination."""
        pinned = sorted({name for cell in cells for name, _ in cell.axes.pins})
        numbers: dict[tuple[str, object], int] = {}
        names: list[str] = []
        known: dict[tuple[int, ...], int] = {}
        self._sets: list[array[int]] = []
        for cell in cells:
            values = []
            for item in _values(cell, pinned):
                if item not in numbers:
                    numbers[item] = len(names)
                    names.append(item[0])
                values.append(numbers[item])
            found = array("i")
            for combination in combinations(values, min(strength, len(values))):
                number = known.get(combination)
                if number is None:
                    number = known[combination] = len(self._axes)
                    self._axes.append(tuple(names[value] for value in combination))
                found.append(number)
            self._sets.append(found)

    @property
    def count(self) -> int:
        """How many different combinations there are."""
        return len(self._axes)

    def covered(self, cells: Iterable[int]) -> set[int]:
        """Return the combinations that occur in ``cells``."""
        return {number for cell in cells for number in self._sets[cell]}

    def bound(self, given: Sequence[int]) -> int:
        """Return how many cells it takes at least, beside ``given``, to cover the rest.

        A cell has one value on each axis.  So of the combinations of the same axes, each
        takes a cell of its own; and of those that occur on one path alone, the cells of
        other paths have none.
        """
        left = self._left(given)
        paths: dict[int, set[str]] = defaultdict(set)
        for path, found in zip(self._paths, self._sets, strict=True):
            for number in found:
                if left[number]:
                    paths[number].add(path)
        counts: Counter[tuple[str, tuple[str, ...]]] = Counter()
        anywhere: Counter[tuple[str, ...]] = Counter()
        for number, where in paths.items():
            anywhere[self._axes[number]] += 1
            if len(where) == 1:
                counts[next(iter(where)), self._axes[number]] += 1
        most: Counter[str] = Counter()
        for (path, _), count in counts.items():
            most[path] = max(most[path], count)
        return max(most.total(), max(anywhere.values(), default=0))

    def choose(self, given: Sequence[int], enough: int) -> list[int]:
        """Return the numbers of further cells that cover what ``given`` do not."""
        left = self._left(given)
        renumbered: dict[int, int] = {}
        for number in range(self.count):
            if left[number]:
                renumbered[number] = len(renumbered)
        sets = self._sets
        if len(renumbered) < self.count:
            sets = [
                array("i", [renumbered[number] for number in found if left[number]])
                for found in self._sets
            ]
        return fewest(sets, len(renumbered), enough)

    def needed(self, cells: Iterable[int], fixed: Collection[int]) -> list[int]:
        """Leave out of ``cells`` what the others make up for; ``fixed`` ones stay."""
        return without_idle(self._sets, sorted(cells), self.count, fixed)

    def _left(self, given: Sequence[int]) -> bytearray:
        left = bytearray(b"\1") * self.count
        for number in self.covered(given):
            left[number] = 0
        return left


def _values(cell: Cell, pinned: Sequence[str]) -> Iterable[tuple[str, object]]:
    """Yield the axes of a cell with their values, always in one order."""
    for axis in _AXES:
        value = getattr(cell.axes, axis)
        if value is not None:
            yield axis, value
    pins: Mapping[str, str] = dict(cell.axes.pins)
    for name in pinned:
        yield name, pins.get(name, ANY)

"""From a large plan to a covering selection of it: ``--cover`` of the command line."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Final

import msgspec

from harness.errors import UsageError
from harness.model.cell import Plan
from harness.plan.cover import Covering, cover
from harness.report.words import count
from harness.results.load import DOCUMENT, JOURNAL, load

NOUNS: Final = {1: "value", 2: "pair", 3: "triple"}


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked of a covering selection.

    ``require`` are shell patterns of cell ids.  ``failed_in`` is the folder of results that
    tells what failed last time; ``None`` where there is none.
    """

    strength: int
    require: tuple[str, ...] = ()
    failed_in: Path | None = None


class Chosen(msgspec.Struct, frozen=True, kw_only=True):
    """A covering selection, with the cells that are in it in any case, and why."""

    covering: Covering
    named: tuple[str, ...]
    failed: tuple[str, ...]

    def sentence(self) -> str:
        """Return ``412 of 412 pairs in 37 of 18,240 cells that can exist here; ...``."""
        found = self.covering
        number = len(found.chosen)
        cells = f"{number:,} of {found.candidates:,} cells that can exist here"
        if found.listed > found.candidates:
            cells += f", of {found.listed:,} planned"
        least = "the fewest there can be" if number == found.bound else f"lower bound {found.bound}"
        words = [
            f"{found.covered:,} of {found.reachable:,} {NOUNS[found.strength]}s in {cells}",
            least,
            *([f"{count(len(self.named), 'cell')} required"] if self.named else ()),
            *([f"{len(self.failed)} failed last time"] if self.failed else ()),
        ]
        return "; ".join(words)

    def as_dict(self) -> dict[str, Any]:
        """Return the same for programs."""
        found = self.covering
        return {
            "strength": found.strength,
            "combinations": found.reachable,
            "covered": found.covered,
            "cells": len(found.chosen),
            "lower_bound": found.bound,
            "candidates": found.candidates,
            "planned": found.listed,
            "required": self.named,
            "failed_last_time": self.failed,
        }


def choose(plan: Plan, wish: Wish, can_exist: Callable[[str], bool]) -> Chosen:
    """Choose the cells of a plan that cover it, those that are named and those that failed.

    Raises
    ------
    UsageError
        A pattern fits no cell.
    FileFault
        The results of last time cannot be read.
    """
    named = named_cells(plan, wish.require)
    failed = () if wish.failed_in is None else failed_cells(plan, wish.failed_in)
    covering = cover(
        plan,
        wish.strength,
        [cell.id for cell in plan.cells if not cell.implied and can_exist(cell.id)],
        named,
        failed,
    )
    return Chosen(covering=covering, named=named, failed=failed)


def named_cells(plan: Plan, patterns: Sequence[str]) -> tuple[str, ...]:
    """Return the ids of the listed cells that one of ``patterns`` fits.

    Raises
    ------
    UsageError
        A pattern fits none.
    """
    listed = [cell.id for cell in plan.cells if not cell.implied]
    found: set[str] = set()
    for pattern in patterns:
        fitting = {cell for cell in listed if fnmatchcase(cell, pattern.lower())}
        if not fitting:
            raise UsageError(
                f"{plan.source}: --require '{pattern}' fits none of the {len(listed)} cells; "
                f"'harness plan {plan.source}' lists them"
            )
        found |= fitting
    return tuple(cell for cell in listed if cell in found)


def failed_cells(plan: Plan, folder: Path) -> tuple[str, ...]:
    """Return the ids of the listed cells that ran and did not pass, as a results folder tells."""
    failed = {record.id for record in load(folder).cells if record.status.is_problem}
    return tuple(cell.id for cell in plan.cells if cell.id in failed and not cell.implied)


def last_time(named: Path | None, default: Path) -> Path | None:
    """Return the folder of last time's results: the named one, or the default if it has any."""
    if named is not None:
        return named
    return default if any((default / name).is_file() for name in (JOURNAL, DOCUMENT)) else None

"""A baseline under the names of the results that are held against it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Final

import msgspec

from harness.model.document import Results
from harness.model.record import CellRecord

Place = tuple[tuple[str, str | None], ...]

_APART: Final = dt.timedelta(hours=1)
"""What is out of reach for one run may well be for another that is no further away."""


def place_of(axes: dict[str, str | None]) -> Place:
    """Return what a cell is, apart from its bridge."""
    return tuple(sorted((axis, value) for axis, value in axes.items() if axis != "bridge"))


def aligned(baseline: Results, results: Results) -> Results:
    """Return the baseline with its cells under the names that they have in ``results``.

    A cell that both have keeps its name.  One that ``results`` has with another bridge alone gets
    that name, where only one cell can be meant: so two versions of a bridge can be compared.
    """
    wanted = {record.id for record in results.cells}
    known = {record.id for record in baseline.cells}
    free: dict[Place, list[str]] = {}
    for record in results.cells:
        if record.id not in known:
            free.setdefault(place_of(record.axes), []).append(record.id)
    found: dict[str, CellRecord] = {}
    spare: dict[Place, list[CellRecord]] = {}
    for record in baseline.cells:
        place = place_of(record.axes)
        if record.id in wanted or place not in free:
            found[record.id] = record
        else:
            spare.setdefault(place, []).append(record)
    for place, records in spare.items():
        if len(records) == len(free[place]) == 1:
            name = free[place][0]
            found[name] = msgspec.structs.replace(records[0], id=name)
        else:
            found |= {record.id: record for record in records}
    return msgspec.structs.replace(
        baseline, planned=tuple(found), cells=tuple(found.values()), whole={}
    )


def side_by_side(baseline: Results, results: Results) -> bool:
    """Say whether both were measured at the same time, as the arms of a gate are.

    ``False`` where it is not known when one of them was.
    """
    before, now = _times(baseline), _times(results)
    if not before or not now:
        return False
    return min(now) - max(before) <= _APART and min(before) - max(now) <= _APART


def _times(results: Results) -> list[dt.datetime]:
    said = (results.started_at, results.finished_at, *(one.started_at for one in results.cells))
    return list(_read(text for text in said if text))


def _read(texts: Iterable[str]) -> Iterable[dt.datetime]:
    for text in texts:
        try:
            time = dt.datetime.fromisoformat(text)
        except ValueError:
            # Results may be from anywhere.
            continue
        yield time if time.tzinfo else time.replace(tzinfo=dt.UTC)

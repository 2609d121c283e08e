"""The first screen: R and Python against framework, for the path that is chosen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import msgspec

from harness.model.order import natural_key
from harness.model.record import CellRecord
from harness.model.status import Status
from harness.report.view import framework_label

PATHS = ("reticulate", "rpy2", "rpc", "system", "rpython", "native")
"""In the order in which a visitor is offered them; those of third parties follow."""
ORDER = (
    Status.PASS,
    Status.FAIL,
    Status.CRASH,
    Status.TIMEOUT,
    Status.OOM,
    Status.UNSATISFIABLE,
    Status.UNAVAILABLE,
    Status.UNSUPPORTED,
    Status.SKIPPED,
    Status.MISSING,
)


class Box(msgspec.Struct, frozen=True, kw_only=True):
    """What the table shows where a row and a column meet: cells, by status in ``ORDER``."""

    cells: tuple[CellRecord, ...]
    tally: tuple[tuple[Status, int], ...]

    @property
    def kind(self) -> str:
        """Return the one status, or ``mixed``: what the colour is of."""
        return self.tally[0][0].value if len(self.tally) == 1 else "mixed"


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """An R and a Python; ``boxes`` has one element a column, ``None`` where nothing is planned."""

    r: str | None
    python: str | None
    boxes: tuple[Box | None, ...]


class Grid(msgspec.Struct, frozen=True, kw_only=True):
    """The table of one path; ``columns`` are framework and CUDA, as the axes have them."""

    path: str
    columns: tuple[tuple[str | None, str | None], ...]
    rows: tuple[Row, ...]
    has_r: bool
    shows_cuda: bool

    def head(self, column: tuple[str | None, str | None]) -> str:
        """Return what stands over a column."""
        name = framework_label(column[0] or "") or "no framework"
        cuda = column[1] or "cpu"
        return f"{name}, CUDA {cuda}" if self.shows_cuda and cuda != "cpu" else name


def paths(records: Sequence[CellRecord]) -> list[str]:
    """Return the paths that occur, the first the one that is shown."""
    found = dict.fromkeys(record.axes.get("path") or "" for record in records)
    return sorted(found, key=lambda path: (_rank(path), path))


def grid(records: Sequence[CellRecord], path: str) -> Grid:
    """Return the table of one path."""
    mine = [record for record in records if (record.axes.get("path") or "") == path]
    boxes: dict[tuple[str | None, ...], list[CellRecord]] = {}
    for record in mine:
        axes = record.axes
        key = (axes.get("r"), axes.get("python"), axes.get("framework"), axes.get("cuda"))
        boxes.setdefault(key, []).append(record)
    rows = sorted({key[:2] for key in boxes}, key=_order)
    columns = sorted({key[2:] for key in boxes}, key=_order)
    return Grid(
        path=path,
        columns=tuple((name, cuda) for name, cuda in columns),
        rows=tuple(
            Row(
                r=r,
                python=python,
                boxes=tuple(_box(boxes.get((r, python, name, cuda), [])) for name, cuda in columns),
            )
            for r, python in rows
        ),
        has_r=any(r is not None for r, _ in rows),
        shows_cuda=any(cuda not in {"cpu", None} for _, cuda in columns),
    )


def _box(cells: list[CellRecord]) -> Box | None:
    if not cells:
        return None
    found = Counter(record.status for record in cells)
    tally = tuple((status, found[status]) for status in ORDER if found[status])
    return Box(cells=tuple(cells), tally=tally)


def _rank(path: str) -> int:
    return PATHS.index(path) if path in PATHS else len(PATHS)


def _order(key: tuple[str | None, ...]) -> tuple[object, ...]:
    return tuple((value is not None, natural_key(value or "")) for value in key)

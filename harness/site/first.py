"""The first screen: what works today, with the table of the first path in it already."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

from harness.model.order import natural_key
from harness.model.record import CellRecord
from harness.model.status import Status
from harness.published.ranges import coverage
from harness.report.base import File
from harness.report.summary import machine_line
from harness.report.view import framework_label
from harness.report.words import count
from harness.site.frame import Frame
from harness.site.grid import ORDER, Box, Grid, Row, grid, paths
from harness.site.numbers import selected, view

HEADS: Final = {
    "transport": "Transport",
    "r": "R",
    "bridge": "Version of the bridge",
    "python": "Python",
    "framework": "Framework",
    "cuda": "CUDA",
    "status": "Status",
    "cause": "Cause",
}
MEANINGS: Final = {
    Status.PASS: "it did all that was asked, and the answers were right",
    Status.FAIL: "an exception, or a wrong answer",
    Status.CRASH: "the process was ended by a signal",
    Status.TIMEOUT: "it ran past its time limit",
    Status.OOM: "it took more memory than its limit",
    Status.UNSATISFIABLE: "no set of packages can exist",
    Status.UNAVAILABLE: "it could exist, and not on this machine",
    Status.UNSUPPORTED: "the path cannot do it, and says so",
    Status.SKIPPED: "it was asked not to run",
    Status.MISSING: "it was planned and has no result",
}


def first(frame: Frame) -> File:
    """Return the first screen."""
    records = frame.cells.records
    offered = paths(records)
    shown = grid(records, offered[0] if offered else "")
    tally = Counter(record.status for record in records)
    statuses = [status for status in ORDER if tally[status]]
    return frame.page(
        "index.html",
        "index.html",
        "first",
        "What works today",
        description="Which versions of R, Python and machine-learning frameworks work "
        "together, over which bridge, measured.",
        grid=shown,
        links=_links(shown),
        paths=offered,
        fields=_fields(frame),
        tally=[
            (status, selected(f"{tally[status]:,}", _all(status), tally[status]))
            for status in statuses
        ],
        total=selected(_cells(len(records)), _all(), len(records)),
        machine=_machine_words(frame),
        legend=statuses,
        meanings=MEANINGS,
        said=_said(records, shown.path),
        **_known(frame),
    )


def cell(frame: Frame) -> File:
    """Return the page of one cell, which its script fills."""
    return frame.page("cell.html", "cell.html", "cell", "One cell")


def _known(frame: Frame) -> dict[str, Any]:
    found = coverage(frame.results)
    return {
        "coverage": frame.figure(found.cells) if found.cells.cells else None,
        "last_seen": found.last_seen[:10],
    }


def _machine_words(frame: Frame) -> str:
    words = machine_line(frame.results.machine)
    others = len(frame.results.elsewhere)
    return f"{words}, and {count(others, 'further machine')}" if others else words


def _fields(frame: Frame) -> list[tuple[str, str, list[tuple[str, str]]]]:
    """Return the filters: axes that tell cells apart, the status, the cause."""
    records = frame.cells.records
    columns: Mapping[str, Sequence[str | None]] = {
        **{axis: [record.axes.get(axis) for record in records] for axis in frame.cells.axes},
        "status": [record.status.value for record in records],
        "cause": [record.cause for record in records],
    }
    found = []
    for key, column in columns.items():
        values = _distinct(key, column)
        if key != "path" and len(values) > 1:
            found.append((key, HEADS.get(key, key), values))
    return found


def _distinct(key: str, column: Sequence[str | None]) -> list[tuple[str, str]]:
    """Return the values of a filter with what is shown for them; ``none`` for no value."""
    known = sorted({value for value in column if value is not None}, key=natural_key)
    if key == "status":
        known = [status.value for status in ORDER if status.value in known]
    shown = [(value, framework_label(value) if key == "framework" else value) for value in known]
    return [("none", "none"), *shown] if None in column else shown


def _all(status: Status | None = None) -> dict[str, str | None]:
    return {"path": "all", "status": None if status is None else status.value}


def _cells(number: int) -> str:
    return f"{number:,} {'cell' if number == 1 else 'cells'}"


def _said(records: Sequence[CellRecord], path: str) -> str:
    """Return what the first screen says of the path that it shows first, as its script does."""
    mine = [record for record in records if (record.axes.get("path") or "") == path]
    tally = Counter(record.status for record in mine)
    words = ", ".join(f"{tally[one]:,} {one.value}" for one in ORDER if tally[one])
    return f"{_cells(len(mine))} on {path}: {words}" if mine else ""


def _links(shown: Grid) -> dict[tuple[int, str | None, str | None], str]:
    """Return the address behind each box, by column, R and Python."""
    return {
        (place, row.r, row.python): _link(shown, row, place, box)
        for row in shown.rows
        for place, box in enumerate(row.boxes)
        if box is not None
    }


def _link(shown: Grid, row: Row, place: int, box: Box) -> str:
    if len(box.cells) == 1:
        return "cell.html#" + view({"cell": box.cells[0].id})
    framework, cuda = shown.columns[place]
    state = {
        "path": shown.path,
        "r": row.r or "none",
        "python": row.python or "none",
        "framework": framework or "none",
        "cuda": (cuda or "none") if shown.shows_cuda else None,
    }
    return "#" + view(state)

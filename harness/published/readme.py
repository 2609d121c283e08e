"""A few lines for a README: what came of the cells by path, when, where, and what has changed."""

from __future__ import annotations

from collections import Counter
from typing import Final

from harness.model.document import Results
from harness.model.record import CellRecord
from harness.model.status import Status
from harness.published.changes import changes
from harness.report.base import DEFAULTS, Options
from harness.report.links import FIRST_PAGE
from harness.report.markdown import table, text
from harness.report.summary import machine_line
from harness.report.view import counts, label, ordered
from harness.report.words import count

_OTHERS: Final = 3
"""Statuses that have a column of their own, besides ``pass``; the rest are counted together."""


class _Readme:
    name = "readme"

    def render(self, results: Results, *, options: Options = DEFAULTS) -> str:
        """Return a paragraph and a table in Markdown; ``options.site`` is linked to."""
        others = [status for status, _ in counts(results) if status is not Status.PASS]
        shown = (Status.PASS, *others[:_OTHERS])
        rest = len(others) > _OTHERS
        heads = ["path", "cells", *(text(label(status)) for status in shown)]
        heads += ["other"] if rest else []
        rows = _rows(results, shown, rest=rest)
        right = " " + "r" * (len(heads) - 1)
        return f"{_paragraph(results, options)}\n\n{table(heads, rows, right=right)}\n"


def _paragraph(results: Results, options: Options) -> str:
    day = (results.finished_at or results.started_at)[: len("2026-11-22")]
    name = text(results.matrix)
    shown = f"[{name}]({options.site}{FIRST_PAGE})" if options.site else name
    tally = ", ".join(f"{number} {text(label(status))}" for status, number in counts(results))
    # In the middle of a line, where no date is taken for a list.
    words = [f"{shown}, {day}" if day else shown]
    words[0] += f": {count(len(results.cells), 'cell')}{f' ({tally})' if tally else ''}"
    words.append(text(machine_line(results.machine)))
    if options.since:
        found = changes(options.since[-1], results)
        words.append(f"Since {found.before or 'the last time'}: {found.summary}")
    return ". ".join(word for word in words if word) + "."


def _rows(results: Results, shown: tuple[Status, ...], *, rest: bool) -> list[list[str]]:
    by_path: dict[str, list[CellRecord]] = {}
    for record in ordered(results):
        path = " ".join(filter(None, (record.axes.get("path"), record.axes.get("transport"))))
        by_path.setdefault(path or "?", []).append(record)
    rows = []
    for path, cells in by_path.items():
        found = Counter(record.status for record in cells)
        numbers = [len(cells), *(found[status] for status in shown)]
        if rest:
            numbers.append(len(cells) - sum(found[status] for status in shown))
        rows.append([text(path), *(str(number) for number in numbers)])
    return rows


REPORT = _Readme()

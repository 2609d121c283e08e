"""The records and the logs of the cells, in scripts that are loaded when a cell is opened.

A page that is opened from a disk may load scripts, and nothing else: so each file calls
``harnessData`` with a name and what it holds.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from harness.model.document import Results
from harness.report.base import File, Log, Logs
from harness.site.columns import CHUNK, Cells
from harness.text import clean

MOST: Final = 65536
"""Bytes of a log that the site carries, half from the head and half from the tail."""


def script(name: str, value: Any) -> str:
    """Return a script that hands ``value`` over under ``name``.

    Nothing in it can end the script or be taken for a line's end by an old engine.
    """
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    for sign, code in (("<", "\\u003c"), ("\u2028", "\\u2028"), ("\u2029", "\\u2029")):
        text = text.replace(sign, code)
    return f"harnessData({json.dumps(name)},{text})\n"


def chunks(results: Results) -> Iterator[File]:
    """Yield the records of the cells, as ``results.json`` has them, a hundred a file.

    Each is the text of its JSON, so that no digit of a number is changed by reading it.
    """
    for number, start in enumerate(range(0, len(results.cells), CHUNK)):
        texts = [
            msgspec.json.encode(record).decode() for record in results.cells[start : start + CHUNK]
        ]
        yield File(path=f"data/records-{number}.js", data=script(f"records-{number}", texts))


def logs_of(cells: Cells, logs: Logs) -> Iterator[File]:
    """Yield the texts of each cell's folder, as text files and for the cell's own view."""
    for record, at in zip(cells.records, cells.at, strict=True):
        found = logs.of(record.id, MOST)
        if not found:
            continue
        shown = []
        for log in found:
            text = _text(log)
            path = f"logs/{record.id}/{log.name}.txt"
            if text:
                yield File(path=path, data=text)
            shown.append(
                {
                    "name": log.name,
                    "text": text,
                    "size": log.size,
                    "cut": log.cut,
                    "path": path if text else None,
                }
            )
        yield File(path=f"data/logs/{at}.js", data=script(f"logs-{at}", shown))


def _text(log: Log) -> str:
    """Return a log without what steers a terminal, with a note where it was cut."""
    if not log.cut:
        return clean(log.text)
    note = f"\n[{log.cut} bytes are left out here]\n"
    return clean(log.text[: log.cut_at]) + note + clean(log.text[log.cut_at :])

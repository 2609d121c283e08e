"""``results.json`` as the site carries it, and the line in it at which each value stands.

``harness.model.document.encode`` writes one value a line, so that a number of the site can say
from which line it comes: ``"wall_s": 15.759,`` is one line, an object or an array that holds
something has a line for each bracket, an empty one has a single line.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate

import msgspec

from harness.model.document import Results, encode
from harness.model.record import CellRecord

_EMPTY = b'\n "cells": []'
_INDENT = b"\n  "


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """Where the cells stand: ``first`` and ``last`` line of each, from 1, by position."""

    first: tuple[int, ...]
    last: tuple[int, ...]


def source_of(results: Results) -> Source:
    """Return where each cell of ``results`` stands in the encoded document."""
    head = _around(results)[0].count(b"\n") + 1
    lines = [_pretty(record).count(b"\n") + 1 for record in results.cells]
    last = list(accumulate(lines, initial=head))
    return Source(
        first=tuple(end + 1 for end in last[:-1]),
        last=tuple(last[1:]),
    )


def pieces(results: Results) -> Iterator[bytes]:
    """Yield the document as ``encode`` returns it, without having it whole in memory."""
    before, after = _around(results)
    yield before
    for position, record in enumerate(results.cells):
        yield b",\n  " if position else b"\n  "
        yield _pretty(record).replace(b"\n", _INDENT)
    yield b"\n ]" if results.cells else b"]"
    yield after


def wall_line(first: int, record: CellRecord) -> int:
    """Return the line of a cell's ``wall_s``; ``first`` is that of its opening bracket."""
    return status_line(first, record) + 4  # phase, cause, message, wall_s


def status_line(first: int, record: CellRecord) -> int:
    """Return the line of a cell's ``status``."""
    axes = len(record.axes) + 2 if record.axes else 1
    return first + 1 + axes + 1


def _around(results: Results) -> tuple[bytes, bytes]:
    """Return all that comes before the first cell, with the bracket that opens, and the rest."""
    whole = encode(msgspec.structs.replace(results, cells=()))
    # A text cannot look like this: its quotes are escaped.
    before, empty, after = whole.partition(_EMPTY)
    assert empty, "the document has the key 'cells'"
    return before + empty[:-1], after


def _pretty(record: CellRecord) -> bytes:
    return msgspec.json.format(msgspec.json.encode(record), indent=1)

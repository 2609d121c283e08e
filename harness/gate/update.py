"""The list of expectations rewritten, with all that people wrote in it left as it is."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec
import yaml

from harness.errors import FileFault
from harness.gate.expectations import KEY, UNWRITTEN

OPEN_DAYS: Final = 90
"""How long a new line holds: long enough to mend, short enough to be looked at again."""
_START: Final = 60


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """A new line: which cells, and how they end.  Why, and whose it is, people write."""

    cells: str
    until: dt.date
    cause: str | None = None
    message: str | None = None
    status: str | None = None
    flaky: bool = False
    about: str = ""
    """A comment above it."""


def rewritten(
    text: str,
    *,
    source: str = KEY,
    remove: Sequence[int] = (),
    narrow: Mapping[int, str] | None = None,
    add: Sequence[Line] = (),
) -> str:
    """Return the text of a file of expectations with lines taken out, narrowed and added.

    ``remove`` and the keys of ``narrow`` are the numbers of the lines at which expectations
    begin, counted from 1.  Comments stay as they are; only those right above an expectation,
    without an empty line between, go with it.  ``source`` is the name of the file.

    Raises
    ------
    FileFault
        The list is written in a form that cannot be rewritten line by line.
    """
    if text.strip() and not (remove or narrow or add):
        return text
    rows = text.splitlines()
    root = yaml.compose(text, Loader=yaml.SafeLoader) if text.strip() else None
    items, indent = _items(root)
    by_line = {item.start_mark.line + 1: item for item in items}
    edits = [_without(rows, by_line[number]) for number in set(remove)]
    edits += [_narrowed(rows, by_line[number], query) for number, query in (narrow or {}).items()]
    # From the end, so that no edit moves what another is about.
    for first, end, instead in sorted(edits, reverse=True):
        rows[first:end] = instead
    left = len(items) - len(set(remove))
    rows = _headed(rows, empty=not left and not add, bare=not items)
    while rows and not rows[-1].strip():
        rows.pop()
    for line in add:
        if rows[-1].strip() != f"{KEY}:":
            rows.append("")
        rows += _written(line, indent)
    new = "\n".join(rows) + "\n"
    if not _is_as_meant(new, items, remove, narrow or {}, add):
        raise FileFault(
            source,
            "the list cannot be rewritten in this form; write the list as a block, one line "
            'beginning with "- " each',
            line=items[0].start_mark.line + 1 if items else None,
        )
    return new


def _is_as_meant(
    new: str,
    items: Sequence[yaml.Node],
    remove: Sequence[int],
    narrow: Mapping[int, str],
    add: Sequence[Line],
) -> bool:
    """Say whether a rewritten text has what was to stay, as it was, and what was to be added.

    Lines are taken out by the rows on which they stand, which a list between brackets may share.
    """
    numbers = [item.start_mark.line + 1 for item in items]
    if any(numbers.count(number) > 1 for number in {*remove, *narrow}):
        return False
    wanted = [
        _values(item) | ({"cells": narrow[number]} if number in narrow else {})
        for number, item in zip(numbers, items, strict=True)
        if number not in remove
    ]
    try:
        root = yaml.compose(new, Loader=yaml.SafeLoader)
    except yaml.YAMLError:
        return False
    keys = root.value if isinstance(root, yaml.MappingNode) else []
    if [key.value for key, _ in keys] != [KEY] or not isinstance(keys[0][1], yaml.SequenceNode):
        return False
    found = [_values(item) for item in keys[0][1].value]
    kept, added = found[: len(wanted)], found[len(wanted) :]
    return kept == wanted and [one.get("cells") for one in added] == [line.cells for line in add]


def _values(item: yaml.Node) -> dict[str, str]:
    """Return what an expectation says, as its texts are read."""
    pairs = item.value if isinstance(item, yaml.MappingNode) else []
    return {key.value: str(value.value).strip() for key, value in pairs}


def _headed(rows: list[str], *, empty: bool, bare: bool) -> list[str]:
    """Return the rows with the head that fits: of a list, or of an empty one."""
    head = f"{KEY}: []" if empty else f"{KEY}:"
    found = False
    headed = []
    for row in rows:
        is_head = row.split("#")[0].split(":")[0].rstrip() == KEY and (empty or bare)
        found = found or is_head or row.startswith(f"{KEY}:")
        headed.append(head if is_head else row)
    return headed if found else [*headed, head]


def _items(root: yaml.Node | None) -> tuple[list[yaml.Node], str]:
    if isinstance(root, yaml.MappingNode):
        for key, value in root.value:
            if key.value == KEY and isinstance(value, yaml.SequenceNode) and value.value:
                column = value.value[0].start_mark.column
                return list(value.value), " " * max(column - 2, 0)
    return [], "  "


def _last_of(item: yaml.Node) -> int:
    """Return the index of the last line of text that an item has."""
    if isinstance(item, yaml.MappingNode) and item.value:
        return max(item.start_mark.line, *(_last_of(value) for _, value in item.value))
    mark = item.end_mark
    if isinstance(item, yaml.ScalarNode) and item.style in {"|", ">"}:
        return max(mark.line - 1, item.start_mark.line)
    return mark.line


def _without(rows: Sequence[str], item: yaml.Node) -> tuple[int, int, list[str]]:
    first, end = item.start_mark.line, _last_of(item) + 1
    while first > 0 and rows[first - 1].lstrip().startswith("#"):
        first -= 1
    # One empty line between two expectations is enough.
    if end < len(rows) and not rows[end].strip() and first > 0 and not rows[first - 1].strip():
        end += 1
    return first, end, []


def _narrowed(rows: Sequence[str], item: yaml.Node, query: str) -> tuple[int, int, list[str]]:
    assert isinstance(item, yaml.MappingNode)
    value = next(value for key, value in item.value if key.value == "cells")
    first, last = value.start_mark, value.end_mark
    before = rows[first.line][: first.column]
    if isinstance(value, yaml.ScalarNode) and value.style in {"|", ">"}:
        # A block scalar ends where the next thing begins.
        return first.line, _last_of(value) + 1, [before + _quoted(query)]
    return first.line, last.line + 1, [before + _quoted(query) + rows[last.line][last.column :]]


def _written(line: Line, indent: str) -> list[str]:
    values: dict[str, str] = {"cells": _quoted(line.cells)}
    if line.status is not None:
        values["status"] = line.status
    if line.cause is not None:
        values["cause"] = line.cause
    if line.message is not None:
        values["message"] = _quoted(line.message)
    if line.flaky:
        values["flaky"] = "true"
    values |= {
        "reason": _quoted(UNWRITTEN),
        "owner": _quoted(UNWRITTEN),
        "until": line.until.isoformat(),
    }
    rows = [f"{key}: {value}" for key, value in values.items()]
    about = [f"{indent}# {line.about}"] if line.about else []
    return [*about, f"{indent}- {rows[0]}", *(f"{indent}  {row}" for row in rows[1:])]


def _quoted(text: str) -> str:
    """Return a text as YAML writes it between double quotes, on one line."""
    return yaml.safe_dump(text, default_style='"', width=10**9, allow_unicode=True).strip()


def start_of(message: str | None) -> str | None:
    """Return the start of a message that is worth expecting: whole words, no more than a line."""
    words = (message or "").split()
    start = ""
    for word in words:
        if len(start) + len(word) > _START and start:
            break
        start = f"{start} {word}".strip()
    return start or None

"""Finds the line of a JSON text that a fault lies in."""

from __future__ import annotations

import re
from collections.abc import Iterator

_STEP = re.compile(r"\.([A-Za-z_][A-Za-z_0-9]*)|\[([0-9]+)\]|\[(\.\.\.)\]")
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\]:,]|[^\s{}\[\]:,"]+', re.DOTALL)
_BYTE = re.compile(r"\(byte ([0-9]+)\)")
_PATH = re.compile(r" - at `([^`]*)`$")


def fault(data: bytes, message: str) -> tuple[str, int | None]:
    """Return msgspec's ``message`` without its place, and that place's line in ``data``.

    Lines count from 1.  A path such as ``$.cells[3].status`` is followed as far as it goes.
    """
    at_byte = _BYTE.search(message)
    if at_byte:
        line = data[: int(at_byte.group(1))].count(b"\n") + 1
        return message[: at_byte.start()].rstrip(" :"), line
    at_path = _PATH.search(message)
    if at_path is None:
        return message, 1
    place = at_path.group(1)
    steps: list[str | int] = []
    for name, index, anything in _STEP.findall(place):
        if anything:  # the key of a mapping: msgspec does not say which
            break
        steps.append(int(index) if index else name)
    text = data.decode("utf-8", errors="replace")
    line = text.count("\n", 0, _offset(text, steps)) + 1
    return f"{message[: at_path.start()]} (in {place.removeprefix('$').lstrip('.') or 'all'})", line


def _offset(text: str, steps: list[str | int]) -> int:
    """Return the offset of the value that ``steps`` lead to, or of its nearest container."""
    found = 0
    for here, offset in _values(text):
        if here == steps[: len(here)]:
            found = offset
            if len(here) == len(steps):
                break
    return found


def _values(text: str) -> Iterator[tuple[list[str | int], int]]:
    """Yield the path and the offset of every value in ``text``, containers first."""
    here: list[str | int] = []  # the path to the value that comes next
    key_next = False
    for token in _TOKEN.finditer(text):
        sign = token.group()
        if sign in "}]":
            del here[-1:]
            key_next = False
        elif sign == ",":
            key_next = bool(here) and isinstance(here[-1], str)
            if here and isinstance(here[-1], int):
                here[-1] += 1
        elif sign == ":":
            key_next = False
        elif key_next:
            here[-1] = sign[1:-1]
        else:
            yield here, token.start()
            if sign in "{[":
                here.append("" if sign == "{" else 0)
                key_next = sign == "{"

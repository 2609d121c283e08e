"""What a pattern of the catalogue looks like in a log: texts that people paste into a search."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

GAP: Final = "…"
_SHORTEST: Final = 12
"""Characters that a text has at least, to tell anything."""
_WORDS: Final = re.compile(r"\w{2}")
_OPENING: Final = re.compile(r"\((?:\?P<\w+>|\?P=\w+|\?[aimsux]*(?:-[imsx]+)?:|\?<?[=!]|\?)?")
_LOOKS: Final = re.compile(r"\(\?(?:P=\w+|<?[=!])")
_CLASS: Final = re.compile(r"\[\^?\]?(?:\\.|[^\]\\])*\]")
_QUANTIFIER: Final = re.compile(r"(?:[?*+]|\{[^}]*\})\??")


def texts(patterns: Iterable[str], most: int = 8) -> list[str]:
    """Return a text for each of the patterns, and for each branch of one, that tells something.

    What may vary is ``…``; what may be left out is left out.
    """
    found: dict[str, None] = {}
    for pattern in patterns:
        for branch in _branches(pattern):
            text = _legible(branch)
            if len(text.replace(GAP, "").strip()) >= _SHORTEST and _WORDS.search(text):
                found.setdefault(text, None)
    return list(found)[:most]


def _legible(text: str) -> str:
    text = re.sub(rf"(?:{GAP}\s*)+{GAP}", GAP, text)
    return " ".join(text.split()).strip(f"{GAP} :,")


def _branches(pattern: str) -> list[str]:
    found, _ = _alternatives(pattern, 0)
    return found


def _alternatives(pattern: str, position: int) -> tuple[list[str], int]:
    """Read branches up to the end of the group; return their texts and where it ends."""
    found = []
    while True:
        text, position = _sequence(pattern, position)
        found.append(text)
        if position >= len(pattern) or pattern[position] == ")":
            return found, position
        position += 1  # past |


def _sequence(pattern: str, position: int) -> tuple[str, int]:
    out = ""
    while position < len(pattern) and pattern[position] not in "|)":
        text, position = _atom(pattern, position)
        following = _QUANTIFIER.match(pattern, position)
        if following is not None:
            position = following.end()
            if following.group()[0] in "?*" or following.group().startswith("{0"):
                text = GAP if text == GAP and following.group()[0] != "?" else ""
        out += text
    return out, position


def _atom(pattern: str, position: int) -> tuple[str, int]:
    letter = pattern[position]
    if letter == "\\":
        following = pattern[position + 1]
        text = {"s": " ", "n": " ", "b": "", "B": "", "A": "", "Z": ""}.get(
            following, GAP if following.isalnum() else following
        )
        return text, position + 2
    if letter == "[":
        found = _CLASS.match(pattern, position)
        assert found is not None, "the catalogue's patterns are checked when it is loaded"
        return _of_class(found.group()), found.end()
    if letter == "(":
        opening = _OPENING.match(pattern, position)
        assert opening is not None
        inner, end = _alternatives(pattern, opening.end())
        return "" if _LOOKS.fullmatch(opening.group()) else inner[0], end + 1
    return {"^": "", "$": "", ".": GAP}.get(letter, letter), position + 1


def _of_class(text: str) -> str:
    inner = text[1:-1]
    if inner.startswith("^") or "-" in inner[1:-1] or "\\" in inner:
        return GAP
    return inner[0]

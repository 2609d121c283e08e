"""Names in braces, filled in with what is known of one failure.

``{python|python.requested|a Python}`` is the group ``python``, or the fact
``python.requested``, or else ``a Python``; ``{shown|whole|a number}`` is the group ``shown``, or
the group ``whole``, or else ``a number``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Final

import msgspec

from harness.causes.facts import kind_of
from harness.causes.model import Change, Fact

_NAME: Final = re.compile(r"\{\{|\}\}|\{([A-Za-z][\w.-]*)(?:\|([^{}]*))?\}")

_FACT: Final = re.compile(r"[A-Za-z_]+(?:\.[\w-]+)+")
_INNERMOST: Final = re.compile(r" \(caused by .*")
"""What the kit adds to the headline of a chain of errors: no part of what was named there."""

Lookup = Callable[[str], str | None]


def names_in(template: str) -> Iterator[tuple[list[str], str | None]]:
    """Yield the names in each pair of braces with what stands there where none is known.

    The second is ``None`` where nothing does.
    """
    for found in _NAME.finditer(template):
        if found.group(1):
            yield _parts(found)


def without_names(template: str) -> str:
    """Return a template with what it says where nothing is known; names that say nothing stay."""

    def replace(found: re.Match[str]) -> str:
        if not found.group(1):
            return found.group()[0]
        names, fallback = _parts(found)
        return f"{{{names[0]}}}" if fallback is None else fallback

    return _NAME.sub(replace, template)


def _parts(found: re.Match[str]) -> tuple[list[str], str | None]:
    """Return the names of one pair of braces, and the words for the case that none is known.

    The words are what stands after the last bar, unless that is the name of a fact.
    """
    first, rest = found.groups()
    if rest is None:
        return [first], None
    *between, last = rest.split("|")
    if _FACT.fullmatch(last) and kind_of(last):
        return [first, *between, last], None
    return [first, *between], last


def lookup(groups: Mapping[str, str], facts: Mapping[str, Fact]) -> Lookup:
    """Return what finds a name: in the groups of the patterns first, then in the facts."""

    def find(name: str) -> str | None:
        value = groups.get(re.sub(r"[.-]", "_", name))
        if value is not None:
            return _INNERMOST.sub("", " ".join(value.split()))
        fact = facts.get(name)
        if fact is None:
            return None
        return ", ".join(fact) if isinstance(fact, tuple) else str(fact)

    return find


def fill(template: str, find: Lookup) -> str | None:
    """Return the template with its names filled in; ``None`` where one is not known."""
    missing = False

    def replace(found: re.Match[str]) -> str:
        nonlocal missing
        if found.group(1) is None:
            return found.group()[0]
        names, fallback = _parts(found)
        value = next((known for name in names if (known := find(name)) is not None), None)
        if value is None and fallback is None:
            missing = True
        return value if value is not None else fallback or ""

    filled = _NAME.sub(replace, template)
    return None if missing else filled


def fill_change(change: Change | None, find: Lookup) -> Change | None:
    """Return the change with its names filled in; ``None`` where one is not known."""
    if change is None:
        return None
    plain = msgspec.to_builtins(change)
    missing = False

    def walk(value: object) -> object:
        nonlocal missing
        if isinstance(value, str):
            filled = fill(value, find)
            missing = missing or filled is None
            return filled
        if isinstance(value, dict):
            return {key: walk(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [walk(item) for item in value]
        return value

    filled = walk(plain)
    return None if missing else msgspec.convert(filled, Change)

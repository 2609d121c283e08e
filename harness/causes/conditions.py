"""Conditions of ``when``: what is asked of a fact, by the fact's type."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import zip_longest
from typing import Final

from harness.causes.facts import kind_of
from harness.causes.model import Fact

_COMPARISON: Final = re.compile(r"\s*(<=|>=|==|!=|<|>)?\s*(\S+)\s*")
_OTHER: Final = re.compile(r"\s*(==|!=)\s*\{([\w.-]+)\}\s*")
_FLAGS: Final = {"true": True, "yes": True, "false": False, "no": False}

Condition = str | tuple[str, ...]


def fault_of_condition(name: str, condition: Condition) -> str | None:
    """Say what is wrong with a condition; ``None`` for nothing."""
    kind = kind_of(name)
    if kind is None:
        return f"'{name}' is no fact; harness/causes/facts.py lists them"
    for word in (condition,) if isinstance(condition, str) else condition:
        other = _OTHER.fullmatch(word)
        if other is not None:
            if kind_of(other.group(2)) is None:
                return f"'{other.group(2)}' is no fact; harness/causes/facts.py lists them"
        elif word in {"present", "absent"}:
            continue
        elif kind.type == "flag" and word.lower() not in _FLAGS:
            return f"'{name}' is a flag; write true or false, not '{word}'"
        elif kind.type in {"version", "number"} and not _all_comparisons(word):
            return f"'{word}' compares no {kind.type}; write '<1.38' or '>=3.12,<3.14'"
        elif word.startswith("~"):
            try:
                re.compile(word[1:])
            except re.error as error:
                return f"'{word[1:]}' is no regular expression: {error}"
    return None


def _all_comparisons(word: str) -> bool:
    parts = [_COMPARISON.fullmatch(part) for part in word.split(",")]
    return all(part is not None and part.group(2)[0].isdigit() for part in parts)


def holds(name: str, condition: Condition, facts: Mapping[str, Fact]) -> bool:
    """Say whether a condition holds; one on a fact that is not known holds only if ``absent``."""
    words = (condition,) if isinstance(condition, str) else condition
    return any(_holds(name, word, facts) for word in words)


def _holds(name: str, word: str, facts: Mapping[str, Fact]) -> bool:
    value = facts.get(name)
    if word in {"present", "absent"}:
        return (value is not None) == (word == "present")
    if value is None:
        return False
    other = _OTHER.fullmatch(word)
    if other is not None:
        against = facts.get(other.group(2))
        if against is None:
            return False
        equal = _text(value) == _text(against)
        return equal == (other.group(1) == "==")
    kind = kind_of(name)
    kind_type = kind.type if kind else "text"
    if kind_type == "flag":
        return value == _FLAGS[word.lower()]
    if kind_type in {"version", "number"}:
        return all(_compares(_text(value), part) for part in word.split(","))
    items = value if isinstance(value, tuple | list) else (_text(value),)
    if word.startswith("~"):
        return any(re.search(word[1:], item, re.IGNORECASE) for item in items)
    return word in items


def _text(value: Fact) -> str:
    return ", ".join(value) if isinstance(value, tuple | list) else str(value)


def _compares(value: str, comparison: str) -> bool:
    found = _COMPARISON.fullmatch(comparison)
    assert found is not None
    sign, wanted = found.groups()
    have, want = version_of(value), version_of(wanted)
    if sign is None:  # 3.12 fits 3.12.4
        return have[: len(want)] == want
    order = _order(have, want)
    return {
        "<": order < 0,
        "<=": order <= 0,
        ">": order > 0,
        ">=": order >= 0,
        "==": order == 0,
        "!=": order != 0,
    }[sign]


def version_of(text: str) -> tuple[int, ...]:
    """Return the leading numbers of a version: ``1.41.0-1`` is 1, 41, 0, 1; ``2.0rc1`` is 2, 0."""
    numbers = []
    for part in re.split(r"[.\-+]", text.lstrip("vV")):
        # Python makes no number of thousands of digits.
        digits = re.match(r"\d{1,100}", part)
        if digits is None:
            break
        numbers.append(int(digits.group()))
        if digits.end() < len(part):
            break
    return tuple(numbers)


def _order(have: tuple[int, ...], want: tuple[int, ...]) -> int:
    for one, other in zip_longest(have, want, fillvalue=0):
        if one != other:
            return -1 if one < other else 1
    return 0

"""Values that stand for versions which are published later: ``newest`` and ``every``.

A matrix that says ``torch==newest`` has another cell when a torch is published, without an
edit.  What there is, is asked elsewhere; here is what the words mean.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

import msgspec
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version

NEWEST: Final = "newest"
EVERY: Final = "every"
CLOSED_AXES: Final = frozenset({"path", "transport", "cuda"})
"""Axes whose values are named one by one."""
_EVERY: Final = re.compile(r"^every(\s+(?P<what>.*))?$", re.DOTALL)
_NAMED_NEWEST: Final = re.compile(r"^(?P<name>[^=<>!~\s]+)\s*==\s*newest$")
_RANGE: Final = re.compile(r"^(?P<name>[A-Za-z][\w.\-]*(\[[^\]]*\])?)?\s*(?P<range>[<>=!~].*)?$")


class Word(msgspec.Struct, frozen=True, kw_only=True):
    """``newest``, or ``every`` version within a range.

    ``name`` is that of the framework, with its backends in brackets; ``None`` for other axes.
    ``specifier`` is a range as requirements have it; empty where all will do.
    """

    every: bool
    name: str | None = None
    specifier: str = ""


def read_word(axis: str, text: str) -> Word | None:
    """Read a value of an axis that stands for versions; ``None`` for any other value.

    Raises
    ------
    ValueError
        With a sentence that says what is wrong and what to write.
    """
    word = _read(text.strip())
    if word is None:
        return None
    if axis in CLOSED_AXES:
        raise ValueError(f"'{axis}' takes no '{text}'; name its values one by one")
    if axis == "framework" and word.name is None:
        example = "every torch>=2.10" if word.every else "torch==newest"
        raise ValueError(f"'{text}' names no framework; write, for instance, {example}")
    if axis != "framework" and word.name is not None:
        range_ = f" {word.specifier}" if word.specifier else ""
        raise ValueError(f"'{text}' names '{word.name}' again; write '{EVERY}{range_}'")
    return word


def _read(text: str) -> Word | None:
    if text == NEWEST:
        return Word(every=False)
    if named := _NAMED_NEWEST.match(text):
        return Word(every=False, name=named["name"])
    found = _EVERY.match(text)
    if found is None:
        return None
    parts = _RANGE.match((found["what"] or "").strip())
    try:
        specifier = None if parts is None else str(SpecifierSet(parts["range"] or ""))
    except InvalidSpecifier:
        specifier = None
    if parts is None or specifier is None:
        raise ValueError(
            f"'{text}' gives no range; write, for instance, 'every >=3.10,<3.14' or "
            "'every torch>=2.10'"
        )
    return Word(every=True, name=parts["name"], specifier=specifier)


def pick(word: Word, versions: Iterable[str]) -> tuple[str, ...]:
    """Return what a word stands for among ``versions``, oldest first.

    ``newest`` is the newest release; ``every`` the newest release of each series (the first
    two parts of a version) within the range.  Pre-releases count for neither.

    >>> pick(Word(every=True, specifier=">=2.10"), ["2.9.1", "2.10.0", "2.10.2", "2.11.0rc1"])
    ('2.10.2',)
    """
    range_ = SpecifierSet(word.specifier)
    known = {text: _version(text) for text in versions}
    fitting = sorted(
        (version, text)
        for text, version in known.items()
        if version is not None and not version.is_prerelease and version in range_
    )
    if not word.every:
        return tuple(text for _, text in fitting[-1:])
    series = {(version.major, version.minor): text for version, text in fitting}
    return tuple(series.values())


def _version(text: str) -> Version | None:
    try:
        # R's versions have a dash where Python's have a dot: 0.0-6, 1.8-19.1.
        return Version(text.replace("-", "."))
    except InvalidVersion:
        return None

"""Facts held against versions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache, lru_cache
from typing import Final

import msgspec
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from harness.support.facts import Fact, Subject

_MINORS: Final = frozenset({"python", "r"})
"""Axes whose documented ranges are of minors: ``<=3.11`` takes 3.11.7 in."""


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What documentation says of a cell.

    ``supported`` is false where a fact speaks against it, true where one speaks for it and
    none against, and ``None`` where none says anything.  ``because`` are the facts that decide.
    """

    supported: bool | None
    because: tuple[Fact, ...] = ()


def documented(known: Mapping[str, str], subjects: Iterable[Subject]) -> Verdict:
    """Return what is documented of versions that are to go together.

    Parameters
    ----------
    known
        Versions by name: ``python``, ``r``, ``numpy``, ``cuda``, ``driver``, and those of the
        framework and the bridge (``torch``, ``reticulate``); see :mod:`harness.support.known`.
        What is not known is left out.
    subjects
        From :func:`harness.support.load_support`.
    """
    told = [(fact, agrees(fact, known)) for fact in facts_about(known, subjects)]
    against = tuple(fact for fact, said in told if said is False)
    if against:
        return Verdict(supported=False, because=against)
    favour = tuple(fact for fact, said in told if said)
    return Verdict(supported=True if favour else None, because=favour)


def facts_about(known: Mapping[str, str], subjects: Iterable[Subject]) -> tuple[Fact, ...]:
    """Return the facts of the versions that ``known`` has of each subject."""
    found: list[Fact] = []
    for subject in subjects:
        version = known.get(subject.name)
        if version is not None:
            found += _about(subject.facts, version)
    return tuple(found)


def agrees(fact: Fact, known: Mapping[str, str]) -> bool | None:
    """Say whether a fact of a known version takes in the version of its axis.

    ``None`` where that version is not known, or the fact says nothing of it.
    """
    version = _version(fact.axis, known.get(fact.axis))
    if version is None or not all(_is_in(axis, known, text) for axis, text in fact.given):
        return None
    if fact.named:
        # A version of fewer parts is a series: CUDA 12 has what was built for 12.6.
        parts = str(version).split(".")
        return any(name.strip().split(".")[: len(parts)] == parts for name in
                   fact.range.split(",")) or None  # fmt: skip
    return _set(fact.range).contains(version, prereleases=True)


def _about(facts: tuple[Fact, ...], text: str) -> list[Fact]:
    version = _version("", text)
    if version is None:
        return []
    # A build with a label of its own (rPython+remedies) is another thing where a fact names it.
    label = f"+{version.local}" if version.local else None
    if label is not None and any(fact.of.endswith(label) for fact in facts):
        return [fact for fact in facts if fact.of.endswith(label)]
    public = version.public
    return [fact for fact in facts if "+" not in fact.of and _holds(fact.of, public)]


def _is_in(axis: str, known: Mapping[str, str], text: str) -> bool:
    version = _version(axis, known.get(axis))
    return version is not None and _set(text).contains(version, prereleases=True)


def _version(axis: str, text: str | None) -> Version | None:
    if text is None:
        return None
    try:
        version = Version(text)
    except ValueError:
        # The R "system", of which nothing is known before it is looked at; or thousands of digits,
        # which Python makes no number of.
        return None
    return Version(f"{version.major}.{version.minor}") if axis in _MINORS else version


@lru_cache(maxsize=65536)
def _holds(text: str, version: str) -> bool:
    # Many cells, few versions: the same pairs are asked for in each of thousands of cells.
    return _set(text).contains(version, prereleases=True)


@cache
def _set(text: str) -> SpecifierSet:
    return SpecifierSet(text)

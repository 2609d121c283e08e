"""What a probe that passes says in its details: outcomes of single values, and messages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from harness.gate.alike import head_of, normalised
from harness.model.record import CellRecord

KEY: Final = "outcome"
"""In the details of a probe, of a thing that was measured: what became of it."""
SEVERITY: Final = (
    "exact",
    "documented loss",
    "warned loss",
    "unsupported",
    "error",
    "silent loss",
    "crash",
)
"""From the best to the worst: an error is told, a silent loss is not."""
_WORDS: Final = frozenset({"message", "class"})
"""Keys of a probe's details under which stands what a user reads of an error."""


def worse_outcomes(was: CellRecord, now: CellRecord) -> list[str]:
    """Return what ends worse than it did, each as ``NA_integer_ there: exact -> error``."""
    before = dict(_outcomes(was))
    return [
        f"{name}: {before[name]} -> {outcome}"
        for name, outcome in _outcomes(now)
        if name in before and _rank(outcome) > _rank(before[name])
    ]


def other_words(was: CellRecord, now: CellRecord) -> list[str]:
    """Return which messages a user reads otherwise than before, each with both texts.

    Users search for a message, and other packages match it: it is a part of what a bridge does.
    """
    before = dict(_texts(was))
    return [
        f"{place}: {head_of(before[place], 120)!r} -> {head_of(text, 120)!r}"
        for place, text in _texts(now)
        if place in before and normalised(before[place]) != normalised(text)
    ]


def _texts(record: CellRecord) -> Iterator[tuple[str, str]]:
    for probe in record.probes:
        name = probe.name + (f"[{probe.variant}]" if probe.variant else "")
        yield from _texts_of(name, probe.details)


def _texts_of(place: str, details: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for key in sorted(details):
        value = details[key]
        if isinstance(value, Mapping):
            yield from _texts_of(f"{place} {key}", value)
        elif key in _WORDS and isinstance(value, str):
            yield f"{place} {key}", value


def _outcomes(record: CellRecord) -> Iterator[tuple[str, str]]:
    for probe in record.probes:
        yield from _outcomes_of((), probe.details)


def _outcomes_of(place: tuple[str, ...], details: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for key in sorted(details):
        value = details[key]
        if isinstance(value, Mapping):
            yield from _outcomes_of((*place, key), value)
        elif key == KEY and isinstance(value, str):
            # `values NA_integer_ there`: without the name of the list that all are in.
            yield " ".join(place[1:] or place), value


def _rank(outcome: str) -> int:
    return SEVERITY.index(outcome) if outcome in SEVERITY else len(SEVERITY)

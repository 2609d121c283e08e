"""What a probe that passes says in its details: outcomes of single values, and messages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from harness.gate.alike import head_of, normalised, same_text
from harness.model.record import CellRecord, ProbeRecord
from harness.model.status import Status

KEY: Final = "outcome"
"""In the details of a probe, of a thing that was measured: what became of it."""
ARRIVED: Final = "got"
"""Beside it: what arrived, as a text, where that is not what was sent."""
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

Thing = tuple[str, str]
"""What was measured, in words, and the probe that did."""


def worse_outcomes(was: CellRecord, now: CellRecord) -> list[str]:
    """Return what ends worse than it did, each as ``NA_integer_ there: exact -> error``.

    What a probe told of and does not any more is worse, too: nobody knows what became of it.
    But a cell that does not pass may end before it has told of all, or tell of nothing.
    """
    before, after = _outcomes(was), _outcomes(now)
    worse = [
        f"{thing[0]}: {before[thing][0]} -> {outcome}"
        for thing, (outcome, _) in after.items()
        if thing in before and _rank(outcome) > _rank(before[thing][0])
    ]
    to_its_end = now.status in {Status.PASS, Status.UNSUPPORTED}
    untold = sorted(before.keys() - after) if to_its_end else ()
    return worse + [f"{thing[0]}: {before[thing][0]} -> not told" for thing in untold]


def other_values(was: CellRecord, now: CellRecord) -> list[str]:
    """Return what arrives as something else than before, though with the same outcome.

    NA that became ``True`` and becomes ``False`` was lost silently, and still is; whoever had
    learnt to live with the one is hit by the other.
    """
    before = _outcomes(was)
    return [
        f"{thing[0]}: {head_of(before[thing][1], 80)} -> {head_of(arrived, 80)}"
        for thing, (outcome, arrived) in _outcomes(now).items()
        if thing in before
        and before[thing][0] == outcome
        and same_text(before[thing][1]) != same_text(arrived)
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
        yield from _texts_of(f"{probe.name}{_run_of(probe)}", probe.details)


def _run_of(probe: ProbeRecord) -> str:
    """Return what tells the runs of one probe apart: ``[torch] cold``."""
    return (f"[{probe.variant}]" if probe.variant else "") + (" cold" if probe.cold else "")


def _texts_of(place: str, details: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for key in sorted(details):
        value = details[key]
        if isinstance(value, Mapping):
            yield from _texts_of(f"{place} {key}", value)
        elif key in _WORDS and isinstance(value, str):
            yield f"{place} {key}", value


def _outcomes(record: CellRecord) -> dict[Thing, tuple[str, str]]:
    """Return the outcome of each thing that was measured, and what arrived of it.

    Each run of a probe has its own: what one backend of Keras keeps says nothing of another.
    """
    return {
        (f"{name}{_run_of(probe)}", probe.name): found
        for probe in record.probes
        for name, found in _outcomes_of((), probe.details)
    }


def _outcomes_of(
    place: tuple[str, ...], details: Mapping[str, Any]
) -> Iterator[tuple[str, tuple[str, str]]]:
    for key in sorted(details):
        value = details[key]
        if isinstance(value, Mapping):
            yield from _outcomes_of((*place, key), value)
        elif key == KEY and isinstance(value, str):
            arrived = details.get(ARRIVED)
            # `values NA_integer_ there`: without the name of the list that all are in.
            name = " ".join(place[1:] or place)
            yield name, (value, arrived if isinstance(arrived, str) else "")


def _rank(outcome: str) -> int:
    return SEVERITY.index(outcome) if outcome in SEVERITY else len(SEVERITY)

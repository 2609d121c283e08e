"""What changed between two results documents, for readers who saw the first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Any, Final

import msgspec

from harness.model.document import Results
from harness.model.order import natural_key
from harness.model.record import CellRecord
from harness.model.status import Status
from harness.published.seen import NOT_RUN
from harness.report.view import reason
from harness.report.words import count
from harness.text import one_line


class Kind(StrEnum):
    """What became of a cell."""

    BROKEN = "broken"
    """It passed, and does not any more."""
    FIXED = "fixed"
    STATUS = "status"
    """It did not pass before, and does not in another way."""
    CAUSE = "cause"
    """The status is the same, and another cause is named."""
    NEW = "new"
    """It has a result for the first time."""
    GONE = "gone"
    """It had a result, and is planned no more, or was not run, or could not be."""


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One cell of which something else is known than before.

    ``before`` and ``after`` are ``None`` where there is no result: of a cell that was not run, or
    could not be on that machine, nothing is known.  ``message`` is why it does not
    pass now.  ``versions`` are those read back from inside the cell that are not as they were:
    name, before, after.  ``at`` is when the cell started: UTC, ISO 8601.
    """

    cell: str
    kind: Kind
    before: Status | None = None
    after: Status | None = None
    cause_before: str | None = None
    cause_after: str | None = None
    message: str = ""
    versions: tuple[tuple[str, str, str], ...] = ()
    at: str = ""


class Changes(msgspec.Struct, frozen=True, kw_only=True):
    """What changed, the worst first; ``before`` and ``after`` are the days of the two runs."""

    changed: tuple[Change, ...]
    before: str
    after: str

    @property
    def is_empty(self) -> bool:
        """Say whether nothing has changed."""
        return not self.changed

    @property
    def summary(self) -> str:
        """How many cells changed how: ``2 cells broken, 1 fixed``."""
        found = Counter(change.kind for change in self.changed)
        said = [(found[kind], words) for kind, words in _WORDS.items() if found[kind]]
        if not said:
            return "nothing changed"
        (first, words), *others = said
        return ", ".join((f"{count(first, 'cell')} {words}", *(f"{n} {w}" for n, w in others)))


_WORDS: Final[Mapping[Kind, str]] = {
    Kind.BROKEN: "broken",
    Kind.FIXED: "fixed",
    Kind.STATUS: "with another status",
    Kind.CAUSE: "with another cause",
    Kind.NEW: "new",
    Kind.GONE: "gone",
}
_ORDER: Final = {kind: position for position, kind in enumerate(_WORDS)}


def changes(before: Results, after: Results) -> Changes:
    """Return what changed; the order of the cells does not matter."""
    was, now = _known(before), _known(after)
    found = [
        change
        for cell in was.keys() | now.keys()
        if (change := _change(cell, was.get(cell), now.get(cell))) is not None
    ]
    found.sort(key=lambda change: (_ORDER[change.kind], natural_key(change.cell)))
    return Changes(changed=tuple(found), before=_day(before), after=_day(after))


def _known(results: Results) -> dict[str, CellRecord]:
    return {one.id: one for one in results.cells if one.status not in NOT_RUN}


def _day(results: Results) -> str:
    return (results.finished_at or results.started_at)[: len("2026-11-22")]


def _change(cell: str, was: CellRecord | None, now: CellRecord | None) -> Change | None:
    kind = _kind(was, now)
    if kind is None:
        return None
    passes = now is None or now.status is Status.PASS
    return Change(
        cell=cell,
        kind=kind,
        before=was.status if was else None,
        after=now.status if now else None,
        cause_before=was.cause if was else None,
        cause_after=now.cause if now else None,
        message="" if now is None or passes else reason(now),
        versions=tuple(_versions(was, now)) if was and now else (),
        at=now.started_at if now else "",
    )


def _kind(was: CellRecord | None, now: CellRecord | None) -> Kind | None:
    if was is None:
        return Kind.NEW
    if now is None:
        return Kind.GONE
    if was.status is not now.status:
        if was.status is Status.PASS:
            return Kind.BROKEN
        return Kind.FIXED if now.status is Status.PASS else Kind.STATUS
    return Kind.CAUSE if was.cause != now.cause else None


def _versions(was: CellRecord, now: CellRecord) -> Iterator[tuple[str, str, str]]:
    old, new = dict(_read_back(was.identity)), dict(_read_back(now.identity))
    for name in sorted(old.keys() & new.keys()):
        if old[name] != new[name]:
            yield name, old[name], new[name]


def _read_back(identity: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for part, found in identity.items():
        if not isinstance(found, Mapping):
            continue
        if part == "modules":
            yield from ((one_line(str(name)), one_line(str(of))) for name, of in found.items())
        elif isinstance(found.get("version"), str):
            name = (
                found.get("name") if part == "bridge" else {"python": "Python", "r": "R"}.get(part)
            )
            yield one_line(str(name or part)), one_line(found["version"])

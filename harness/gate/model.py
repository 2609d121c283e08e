"""What the gate is given beside results, and what it says."""

from __future__ import annotations

import datetime as dt
from enum import StrEnum
from typing import Any

import msgspec

from harness.errors import ExitCode
from harness.model.status import Status


class Expectation(msgspec.Struct, frozen=True, kw_only=True):
    """A reviewed line that says that cells are known not to pass.

    ``cells`` is a query that says which; ``cause`` or ``message`` (its start) and ``status``
    say how they end.  ``until`` is the last day on which the line holds.  With ``flaky`` the
    cells pass at times.  ``line`` is where it stands in its file, counted from 1.
    """

    cells: str
    reason: str
    owner: str
    until: dt.date
    cause: str | None = None
    message: str | None = None
    status: Status | None = None
    link: str | None = None
    flaky: bool = False
    line: int = 0


class Expectations(msgspec.Struct, frozen=True, kw_only=True):
    """A list of expectations and the name of its file."""

    source: str
    lines: tuple[Expectation, ...] = ()


class Change(StrEnum):
    """What a finding says of a cell."""

    NEWLY_BROKEN = "newly broken"
    DIFFERENTLY_BROKEN = "differently broken"
    WORSE = "worse"
    """It ends as before, but values that survived do no longer."""
    OTHER_VALUE = "other value"
    """It ends as before, but something that was lost before arrives as something else now."""
    OTHER_WORDS = "other words"
    """It ends as before, but what users read of an error is not what it was."""
    NEWLY_WORKING = "newly working"
    STILL_BROKEN = "still broken"
    EXPECTED = "expected"
    """It ends as a line of the expectations says."""
    OTHERWISE = "fails otherwise"
    """A line lists it, and it ends in another way than the line says."""
    UNEXPECTED = "unexpected"
    """It does not pass, and neither a line nor the baseline says so."""
    FLAKY = "flaky"
    NOT_MEASURED = "not measured"


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One cell of which there is something to say.

    ``was`` is what the baseline has; ``since`` when it was measured there.  ``passed`` and
    ``attempts`` count what a cell that was run several times did.  ``changed`` names what is
    not as in the baseline beside the cell's result: versions read back.  ``line`` is that of
    the expectation that lists the cell.
    """

    cell: str
    change: Change
    status: Status
    axes: dict[str, str | None] = {}
    phase: str | None = None
    cause: str | None = None
    message: str | None = None
    was: str | None = None
    since: str | None = None
    passed: int = 0
    attempts: int = 1
    changed: tuple[str, ...] = ()
    line: int | None = None


class Stale(msgspec.Struct, frozen=True, kw_only=True):
    """A line of the expectations that no longer says what is true."""

    line: int
    cells: str
    problem: str
    """One sentence, with what to do."""
    matched: tuple[str, ...] = ()
    """Ids of the cells that are the problem."""


class Word(StrEnum):
    """The verdict in one word, from the gravest down."""

    REGRESSED = "regressed"
    UNEXPECTED = "unexpected"
    STALE = "stale"
    INCOMPLETE = "incomplete"
    OK = "ok"


_EXIT = {Word.OK: ExitCode.OK, Word.INCOMPLETE: ExitCode.NOT_MEASURED}


class Judgement(msgspec.Struct, frozen=True, kw_only=True):
    """What the gate says: ``gate --format json`` is this.

    ``regressions`` are against the baseline, ``unexpected`` against the expectations;
    ``missing`` are planned cells of which nothing is known.  ``notes`` are findings that block
    nothing: newly working, still broken, expected, known to be flaky.
    """

    verdict: Word
    counts: dict[str, int]
    regressions: tuple[Finding, ...] = ()
    unexpected: tuple[Finding, ...] = ()
    stale: tuple[Stale, ...] = ()
    missing: tuple[Finding, ...] = ()
    notes: tuple[Finding, ...] = ()
    latency: tuple[dict[str, Any], ...] = ()
    """Paired comparisons of base and head, where they were made."""
    against: tuple[str, ...] = ()
    """What the results were held against, in words."""
    unfinished: str | None = None
    """Why the run was not done to its end, as its caller says; ``None`` where it was."""

    @property
    def exit_code(self) -> ExitCode:
        """0 for ``ok``, 3 where not everything was measured, else 1."""
        return _EXIT.get(self.verdict, ExitCode.PROBLEM)

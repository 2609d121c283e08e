"""The verdict: a pure function of results, a baseline, expectations, and the day."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import msgspec

from harness.gate.alike import head_of, same_failure, same_text
from harness.gate.expectations import compile_cells
from harness.gate.model import (
    Change,
    Expectation,
    Expectations,
    Finding,
    Judgement,
    Stale,
    Word,
)
from harness.gate.outcomes import other_values, other_words, worse_outcomes
from harness.model.control import explains
from harness.model.document import Results
from harness.model.order import natural_key
from harness.model.record import CellRecord
from harness.model.status import Status

_REGRESSIONS: Final = frozenset(
    {
        Change.NEWLY_BROKEN,
        Change.DIFFERENTLY_BROKEN,
        Change.WORSE,
        Change.OTHER_VALUE,
        Change.OTHER_WORDS,
    }
)
_UNEXPECTED: Final = frozenset({Change.UNEXPECTED, Change.OTHERWISE, Change.FLAKY})
_NAMED: Final = 3
_MODULES: Final = 6

Pair = tuple[CellRecord, CellRecord | None]
"""A cell's record, and the baseline's."""


def judge(
    results: Results,
    *,
    baseline: Results | None = None,
    expectations: Expectations | None = None,
    today: dt.date,
    side_by_side: bool = False,
) -> Judgement:
    """Judge every planned cell.

    A cell that does not pass is let through where a line of the expectations says how it ends,
    or where it ended in the same way in the baseline.  Without either nothing may fail.
    ``unsatisfiable`` is a fact about versions, so that it counts only where a baseline says
    that the cell could be had.  ``side_by_side`` says that the baseline was measured in the same
    minutes: of what was unavailable to both, neither knows anything.
    """
    before = {} if baseline is None else {record.id: record for record in baseline.cells}
    records = sorted(_whole(results, baseline), key=lambda record: natural_key(record.id))
    lines = _Lines(expectations)
    controls = {record.id: record for record in records}
    findings: list[Finding] = []
    for record in records:
        pair = (record, before.get(record.id))
        finding = _finding(
            pair,
            controls,
            lines.of(record),
            against=baseline is not None,
            side_by_side=side_by_side,
        )
        if finding is not None:
            findings.append(finding)
    # A part of a matrix says nothing of a line that is about another part.
    stale = lines.stale(records, today, whole=not results.is_part)
    return _judgement(records, findings, stale, against=_against(baseline, expectations))


def with_latency(judgement: Judgement, lines: Iterable[dict[str, Any]]) -> Judgement:
    """Return the judgement with paired comparisons of latency, of which one can block.

    Each of ``lines`` has ``cell``, ``metric``, ``verdict``, ``ratio``, ``ci_low``, ``ci_high`` and
    ``pairs``.  What is inconclusive was not measured well enough; what is unproven says nothing.
    """
    found = tuple(lines)
    verdicts = {line["verdict"] for line in found}
    word = judgement.verdict
    if "regressed" in verdicts:
        word = Word.REGRESSED
    elif "inconclusive" in verdicts and word is Word.OK:
        word = Word.INCOMPLETE
    counts = Counter(judgement.counts)
    counts.update(f"latency {line['verdict']}" for line in found)
    return msgspec.structs.replace(judgement, verdict=word, latency=found, counts=dict(counts))


def without_latency(judgement: Judgement) -> Judgement:
    """Return the judgement of a run whose latency was to be compared and could not be."""
    word = Word.INCOMPLETE if judgement.verdict is Word.OK else judgement.verdict
    counts = {**judgement.counts, "latency not measured": 1}
    return msgspec.structs.replace(judgement, verdict=word, counts=counts)


def unfinished(judgement: Judgement, why: str) -> Judgement:
    """Return the judgement of a run that was not done to its end: what is left lets nothing in."""
    word = Word.INCOMPLETE if judgement.verdict is Word.OK else judgement.verdict
    return msgspec.structs.replace(judgement, verdict=word, unfinished=why)


def _whole(results: Results, baseline: Results | None) -> list[CellRecord]:
    """Return the records of all that was to be measured: what the baseline has as well."""
    found = {record.id: record for record in results.cells}
    # A selection is asked about its own cells alone; a whole run about the baseline's, too.
    if baseline is not None and results.matrix == baseline.matrix and not results.is_part:
        for record in baseline.cells:
            if record.id not in found and _is_measured(record):
                found[record.id] = CellRecord(
                    id=record.id,
                    axes=record.axes,
                    status=Status.MISSING,
                    message="The baseline has it, and it was not planned.",
                    control=record.control,
                    implied=record.implied,
                )
    return list(found.values())


def _finding(
    pair: Pair,
    controls: Mapping[str, CellRecord],
    listed: list[Expectation],
    *,
    against: bool,
    side_by_side: bool,
) -> Finding | None:
    record, was = pair
    say = _sayer(pair)
    if record.is_flaky:
        return _of_flaky(say, pair, listed)
    described = next((line for line in listed if describes(line, record)), None)
    probes = _broken_probes(was, record)
    if probes and (described is not None or _was_broken(was)):
        # What is known of one probe must not hide what became of another.
        return say(Change.NEWLY_BROKEN, message="; ".join(probes))
    if described is not None:
        return _of_values(say, pair) or say(Change.EXPECTED, line=described.line)
    if not _is_measured(record):
        # What was not here on another day either is known; an index that is out of reach is so
        # for both arms of a gate.
        known = was is not None and was.status is record.status is Status.UNAVAILABLE
        return say(Change.STILL_BROKEN if known and not side_by_side else Change.NOT_MEASURED)
    if not record.status.is_problem and record.status is not Status.UNSATISFIABLE:
        if listed and record.status is Status.UNSUPPORTED:
            return say(Change.OTHERWISE, line=listed[0].line)
        return _of_passing(say, pair)
    if _is_excused(record, controls):
        return say(
            Change.NOT_MEASURED,
            message="its control, Python without R, does not pass: nothing is known of the bridge",
        )
    return _of_broken(say, pair, listed, against=against)


def _of_flaky(say: Callable[..., Finding], pair: Pair, listed: list[Expectation]) -> Finding:
    record, was = pair
    lines = [line for line in listed if line.flaky]
    line = next((line for line in lines if describes(line, record)), None)
    if line is not None:
        return say(Change.EXPECTED, line=line.line)
    if lines:
        # That it passes at times is no leave to fail in any way at the others.
        return say(Change.OTHERWISE, line=lines[0].line)
    known = was is not None and was.is_flaky
    return say(Change.STILL_BROKEN if known else Change.FLAKY)


def _of_passing(say: Callable[..., Finding], pair: Pair) -> Finding | None:
    record, was = pair
    if was is None:
        return None
    if record.status is Status.UNSUPPORTED and was.status is Status.PASS:
        # What the path now refuses, it did before.
        return say(Change.NEWLY_BROKEN)
    if lost := _lost_probes(was, record):
        return say(Change.NOT_MEASURED, message="; ".join(lost))
    if (found := _of_values(say, pair)) is not None:
        return found
    if was.status.is_problem or was.status is Status.UNSATISFIABLE:
        return say(Change.NEWLY_WORKING)
    return None


def _of_values(say: Callable[..., Finding], pair: Pair) -> Finding | None:
    """Return what became worse, or other, in probes that the cell's status says nothing of."""
    record, was = pair
    if was is None:
        return None
    for change, found in (
        (Change.WORSE, [*_refused_probes(was, record), *worse_outcomes(was, record)]),
        (Change.OTHER_VALUE, other_values(was, record)),
        (Change.OTHER_WORDS, other_words(was, record)),
    ):
        if found:
            more = "" if len(found) <= _NAMED else f" and {len(found) - _NAMED} more"
            return say(change, message="; ".join(found[:_NAMED]) + more)
    return None


def _of_broken(
    say: Callable[..., Finding], pair: Pair, listed: list[Expectation], *, against: bool
) -> Finding | None:
    record, was = pair
    if listed:
        return say(Change.OTHERWISE, line=listed[0].line)
    if was is not None and _is_measured(was):
        if was.status is Status.PASS and not was.is_flaky:
            return say(Change.NEWLY_BROKEN)
        if same_failure(was, record):
            # That it fails as before says nothing of what it does until then.
            return _of_values(say, pair) or say(Change.STILL_BROKEN)
        if was.is_flaky or was.status.is_problem or was.status is Status.UNSATISFIABLE:
            return say(Change.DIFFERENTLY_BROKEN)
        return say(Change.NEWLY_BROKEN)
    if record.status is Status.UNSATISFIABLE:
        return None if not against else say(Change.STILL_BROKEN)
    return say(Change.UNEXPECTED)


def _sayer(pair: Pair) -> Callable[..., Finding]:
    record, was = pair

    def say(change: Change, *, line: int | None = None, message: str | None = None) -> Finding:
        return Finding(
            cell=record.id,
            change=change,
            status=record.status,
            axes=record.axes,
            phase=None if record.phase is None else record.phase.value,
            cause=record.cause,
            message=message or record.message,
            was=None if was is None else _shown(was),
            since=None if was is None else was.started_at or None,
            passed=record.attempts.count(Status.PASS)
            if record.attempts
            else int(record.status is Status.PASS),
            attempts=max(len(record.attempts), 1),
            changed=() if was is None else _changed(was, record),
            line=line,
        )

    return say


def _broken_probes(was: CellRecord | None, record: CellRecord) -> list[str]:
    """Return the probes that passed and do no longer, each with its message."""
    before = {} if was is None else _ends_of(was)
    return [
        f"probe {one.name}: {head_of(one.message or one.status.value)}"
        for one in record.probes
        if one.status.is_problem and before.get((one.name, one.variant, one.cold)) is Status.PASS
    ]


def _ends_of(record: CellRecord) -> dict[tuple[str, str | None, bool], Status]:
    """Return how each probe of a cell ended."""
    return {(one.name, one.variant, one.cold): one.status for one in record.probes}


def _refused_probes(was: CellRecord, record: CellRecord) -> list[str]:
    """Return the probes that passed and that the path now says it cannot do."""
    before = _ends_of(was)
    return [
        f"probe {one.name}: pass -> unsupported"
        for one in record.probes
        if one.status is Status.UNSUPPORTED
        and before.get((one.name, one.variant, one.cold)) is Status.PASS
    ]


def _lost_probes(was: CellRecord, record: CellRecord) -> list[str]:
    """Return the probes that passed and of which a cell that passes says nothing."""
    now = {(one.name, one.variant) for one in record.probes}
    return [
        f"probe {one.name}: passed, and has no result any more"
        for one in was.probes
        if one.status is Status.PASS and (one.name, one.variant) not in now
    ]


def _was_broken(was: CellRecord | None) -> bool:
    """Say whether a cell had not passed before."""
    return was is not None and was.status.is_problem


def _shown(record: CellRecord) -> str:
    """Return how a cell ended, in words: ``fail at convert (numpy2-vs-old-reticulate)``."""
    at = "" if record.phase is None else f" at {record.phase.value}"
    why = record.cause or head_of(record.message, 80)
    return f"{record.status.value}{at}" + (f" ({why})" if why else "")


def _changed(was: CellRecord, record: CellRecord) -> tuple[str, ...]:
    """Return the versions that are not as in the baseline, the R and the Python first."""
    before, after = _versions(was.identity), _versions(record.identity)
    both = [name for name in after if name in before and before[name] != after[name]]
    return tuple(f"{name} {before[name]} -> {after[name]}" for name in both[:_MODULES])


def _versions(identity: Mapping[str, Any]) -> dict[str, str]:
    found: dict[str, str] = {}
    for language in ("r", "python", "bridge"):
        part = identity.get(language)
        if isinstance(part, Mapping) and part.get("version"):
            found[{"r": "R", "python": "Python"}.get(language, str(part.get("name", language)))] = (
                str(part["version"])
            )
    modules = identity.get("modules")
    if isinstance(modules, Mapping):
        found.update({str(name): str(modules[name]) for name in sorted(modules)})
    return found


def _is_measured(record: CellRecord) -> bool:
    """Say whether something is known of a cell: what is not here, or never ran, is not."""
    return record.status not in {
        Status.MISSING,
        Status.UNAVAILABLE,
        Status.SKIPPED,
    }


def _is_excused(record: CellRecord, controls: Mapping[str, CellRecord]) -> bool:
    control = controls.get(record.control or "")
    return control is not None and control.status.is_problem and explains(control, record)


def describes(line: Expectation, record: CellRecord) -> bool:
    """Say whether a record ends as an expectation has it."""
    if line.flaky and record.status is Status.PASS:
        return False
    if line.status is not None and record.status is not line.status:
        return False
    if line.status is None and not (
        record.status.is_problem or record.status is Status.UNSATISFIABLE
    ):
        return False
    if line.cause is not None and record.cause != line.cause:
        return False
    return line.message is None or _begins(record.message, line.message)


def _begins(message: str | None, start: str) -> bool:
    if " ".join((message or "").split()).startswith(" ".join(start.split())):
        return True
    # Addresses and temporary folders are others in each run; numbers may be what it says.
    return same_text(message).startswith(same_text(start))


class _Lines:
    """The expectations, with the cells that each lists."""

    def __init__(self, expectations: Expectations | None) -> None:
        lines = () if expectations is None else expectations.lines
        self._compiled = [(line, compile_cells(line.cells)) for line in lines]

    def of(self, record: CellRecord) -> list[Expectation]:
        """Return the lines that list a cell."""
        values = {**record.axes, "id": record.id}
        return [line for line, lists in self._compiled if lists(values)]

    def stale(
        self, records: Iterable[CellRecord], today: dt.date, *, whole: bool
    ) -> tuple[Stale, ...]:
        """Return what is wrong with the lines themselves."""
        known = list(records)
        found: list[Stale] = []
        for line, lists in self._compiled:
            mine = [record for record in known if lists({**record.axes, "id": record.id})]
            problem, cells = _problem(line, mine, whole=whole)
            if problem is not None:
                found.append(_stale(line, problem, cells))
            if today > line.until:
                found.append(
                    _stale(
                        line,
                        f"it held until {line.until.isoformat()}; look whether it is still true, "
                        "and give it a new day or take it out",
                        (),
                    )
                )
        return tuple(found)


def _problem(
    line: Expectation, mine: list[CellRecord], *, whole: bool
) -> tuple[str | None, tuple[str, ...]]:
    """Return what is wrong with a line, and which cells show it."""
    if not mine:
        return (
            "it lists no cell of this matrix; mend the query or take it out" if whole else None
        ), ()
    if line.flaky:
        return None, ()
    passing = tuple(record.id for record in mine if _passes(record))
    ran = [record for record in mine if _is_measured(record)]
    if not passing:
        return None, ()
    if len(passing) == len(ran):
        if not whole or len(ran) < len(mine):
            # Those that did not run are perhaps what the line is about.
            which = (
                "the cell of it that was run passes" if len(ran) == 1 else "all that were run pass"
            )
            return (
                f"{which} now; narrow the query, or take it out where the others pass too",
                passing,
            )
        which = "the cell that it lists passes" if len(passing) == 1 else "all its cells pass"
        return f"{which} now; take the line out", passing
    return (
        f"it covers too much: {len(passing)} of its {len(ran)} cells pass; narrow the query",
        passing,
    )


def _passes(record: CellRecord) -> bool:
    return record.status is Status.PASS and not record.is_flaky


def _stale(line: Expectation, problem: str, cells: tuple[str, ...]) -> Stale:
    return Stale(line=line.line, cells=line.cells, problem=problem, matched=cells)


def _judgement(
    records: list[CellRecord],
    findings: list[Finding],
    stale: tuple[Stale, ...],
    *,
    against: tuple[str, ...],
) -> Judgement:
    counts = Counter(record.status.value for record in records)
    counts.update(finding.change.value for finding in findings)
    counts["cells"] = len(records)
    regressions = tuple(one for one in findings if one.change in _REGRESSIONS)
    unexpected = tuple(one for one in findings if one.change in _UNEXPECTED)
    missing = tuple(one for one in findings if one.change is Change.NOT_MEASURED)
    blocking = {*_REGRESSIONS, *_UNEXPECTED, Change.NOT_MEASURED}
    nothing = not any(
        record.status is Status.PASS or record.status.is_problem for record in _asked(records)
    )
    word = (
        Word.REGRESSED
        if regressions
        else Word.UNEXPECTED
        if unexpected
        else Word.STALE
        if stale
        else Word.INCOMPLETE
        if missing or nothing
        else Word.OK
    )
    return Judgement(
        verdict=word,
        counts=dict(sorted(counts.items())),
        regressions=regressions,
        unexpected=unexpected,
        stale=stale,
        missing=missing,
        notes=tuple(one for one in findings if one.change not in blocking),
        against=against,
    )


def _asked(records: list[CellRecord]) -> list[CellRecord]:
    """Return the cells that a run is about: controls alone say nothing of a bridge."""
    return [record for record in records if record.control is not None] or records


def _against(baseline: Results | None, expectations: Expectations | None) -> tuple[str, ...]:
    found = []
    if baseline is not None:
        when = f" of {baseline.started_at[:10]}" if baseline.started_at else ""
        found.append(f"the baseline{when} ({len(baseline.cells)} cells)")
    if expectations is not None:
        found.append(f"{expectations.source} ({len(expectations.lines)} lines)")
    return tuple(found)

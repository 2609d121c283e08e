"""``harness expect update``: the list of expectations as a run has it."""

from __future__ import annotations

import datetime as dt
import os
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

import msgspec

from harness.errors import ExitCode, MachineFault, NotMeasured
from harness.gate import Expectations, Finding, judge, load_expectations
from harness.gate.expectations import KEY, compile_cells
from harness.gate.update import OPEN_DAYS, Line, rewritten, start_of
from harness.model.document import Results
from harness.model.record import CellRecord
from harness.model.status import Status
from harness.report.explains import Condition, conditions
from harness.results.load import load

_SHOWN: Final = 5
_OF_AXIS: Final = {"R": "r", "Python": "python", "CUDA": "cuda"}


class Updated(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the list: its text, and what was done, in sentences."""

    text: str
    removed: int = 0
    narrowed: int = 0
    added: int = 0
    unmended: tuple[str, ...] = ()
    """What a person has to see to."""
    source: str = ""

    @property
    def said(self) -> str:
        """What was done, for people."""
        done = [
            f"{number} {word}"
            for number, word in (
                (self.removed, "taken out"),
                (self.narrowed, "narrowed"),
                (self.added, "added"),
            )
            if number
        ]
        lines = [f"{self.source}: {', '.join(done) or 'nothing to change'}"]
        if self.added:
            lines.append("Fill in `reason` and `owner` of each new line, in place of '?'.")
        return "\n".join([*lines, *self.unmended]) + "\n"

    @property
    def exit_code(self) -> ExitCode:
        """1 where something is left to do that only people can."""
        return ExitCode.PROBLEM if self.unmended else ExitCode.OK


def update_expectations(
    folder: Path, file: Path, *, write: bool = True, today: dt.date | None = None
) -> Updated:
    """Rewrite the list in ``file`` as the results in ``folder`` have it.

    Raises
    ------
    NotMeasured
        The results are those of a part of a matrix, or cells were not measured.
    FileFault
        The results or the list are faulty, or the list is of a form that cannot be rewritten.
    MachineFault
        The list cannot be written.
    """
    results = load(folder)
    today = today or dt.datetime.now(dt.UTC).date()
    text, expectations = _existing(file)
    _refuse_a_part(results, expectations, today)
    judgement = judge(results, expectations=expectations, today=today)
    removed, narrowed, unmended = _mended(results, expectations)
    added = _added(results, judgement.unexpected, today)
    for one in judgement.stale:
        if one.line not in removed and one.line not in narrowed:
            unmended.append(f"{file}:{one.line}: {one.cells}: {one.problem}")
    updated = Updated(
        text=rewritten(text, source=str(file), remove=removed, narrow=narrowed, add=added),
        removed=len(removed),
        narrowed=len(narrowed),
        added=len(added),
        unmended=tuple(unmended),
        source=str(file),
    )
    if write and updated.text != text:
        _write(file, updated.text)
    return updated


def _existing(file: Path) -> tuple[str, Expectations]:
    if not file.exists():
        return "", Expectations(source=str(file))
    expectations = load_expectations(file)
    return file.read_text(encoding="utf-8"), expectations


def _refuse_a_part(results: Results, expectations: Expectations, today: dt.date) -> None:
    if results.is_part:
        whole = sum(results.whole.values())
        raise NotMeasured(
            f"these are {len(results.planned)} of the {whole} cells of {results.matrix}: a part "
            "says nothing of the other lines; run the whole matrix, or merge its shards"
        )
    missing = judge(results, expectations=expectations, today=today).missing
    if missing:
        first = missing[0]
        raise NotMeasured(
            f"{len(missing)} of {len(results.cells)} cells were not measured, {first.cell} among "
            f"them ({first.message or first.status.value}); run them, or list them with 'status: "
            f"{first.status.value}'"
        )


def _mended(
    results: Results, expectations: Expectations
) -> tuple[list[int], dict[int, str], list[str]]:
    """Return which lines go, which are narrowed and how, and what is left to people."""
    removed: list[int] = []
    narrowed: dict[int, str] = {}
    unmended: list[str] = []
    for line in expectations.lines:
        lists = compile_cells(line.cells)
        mine = [one for one in results.cells if lists({**one.axes, "id": one.id})]
        passing = [one for one in mine if one.status is Status.PASS and not one.is_flaky]
        failing = [one for one in mine if one not in passing and one.status is not Status.MISSING]
        if line.flaky:
            continue
        if not failing:
            removed.append(line.line)
        elif passing:
            query = _query(results, failing)
            if query is not None and len(failing) > 1:
                query = _within(line.cells, query)
            # A version that was read back may say more than the axis, which the query is about.
            if query is None or _lists_any(query, passing):
                unmended.append(
                    f"{expectations.source}:{line.line}: {line.cells}: {len(passing)} of its cells "
                    "pass, and no three conditions tell those that fail; narrow it by hand"
                )
            else:
                narrowed[line.line] = query
    return removed, narrowed, unmended


def _added(results: Results, unexpected: Sequence[Finding], today: dt.date) -> list[Line]:
    by_id = {record.id: record for record in results.cells}
    until = today + dt.timedelta(days=OPEN_DAYS)
    groups: dict[tuple[object, ...], list[CellRecord]] = {}
    for finding in unexpected:
        record = by_id[finding.cell]
        key = (
            # Also one that a line has as flaky, and that fails in another way.
            record.is_flaky,
            record.status.value,
            record.cause or "",
            "" if record.cause else start_of(record.message) or "",
        )
        groups.setdefault(key, []).append(record)
    return [
        Line(
            cells=query,
            until=until,
            status=str(status) if flaky or not (cause or message) else None,
            cause=str(cause) or None,
            message=str(message) or None,
            flaky=bool(flaky),
            about=_about([one for one in records if _covers(query, [one])]),
        )
        for (flaky, status, cause, message), records in groups.items()
        for query in _queries(results, records)
    ]


def _about(records: Sequence[CellRecord]) -> str:
    first = records[0].id
    return first if len(records) == 1 else f"{first} and {len(records) - 1} more"


def _queries(results: Results, records: Sequence[CellRecord]) -> list[str]:
    """Return queries that list these cells and no others: one, or one for each cell."""
    query = _query(results, records)
    if query is not None and _lists_only(results, query, records):
        return [query]
    return [f"id:{record.id}" for record in records]


def _query(results: Results, records: Sequence[CellRecord]) -> str | None:
    if len(records) == 1:
        return f"id:{records[0].id}"
    found = conditions(results, records)
    terms = [_term(one, results) for one in found]
    if not terms or None in terms:
        return None
    query = " ".join(term for term in terms if term)
    paths = {record.axes.get("path") for record in records}
    if len(paths) == 1 and "path:" not in query:
        query = f"path:{paths.pop()} {query}"
    return query if _covers(query, records) else None


def _within(wide: str, query: str) -> str:
    """Return a query for what ``query`` lists of what ``wide`` lists.

    A line that was narrowed lists nothing that nobody has reviewed: neither cells of this matrix
    that end in another way, nor those of another.
    """
    known = wide.split()
    words = {word.lower().strip("()") for word in known}
    more = [term for term in query.split() if term not in known]
    whole = f"({wide})" if "or" in words else wide
    return " ".join([whole, *more])


def _term(condition: Condition, results: Results) -> str | None:
    """Return a condition as a term of a query; ``None`` where it is about no axis."""
    key = _OF_AXIS.get(condition.name, condition.name)
    if condition.kind == "bridge":
        key = "bridge"
    elif condition.kind == "framework" and condition.value is None:
        name = condition.name
        return f"framework:{name}{_range(condition)}" if _range(condition) else f"framework:{name}"
    elif condition.kind == "pin" and not any(key in one.axes for one in results.cells):
        return None
    if condition.value is not None:
        return f"{key}:{condition.value}"
    return f"{key}:{_range(condition)}" if _range(condition) else None


def _range(condition: Condition) -> str:
    if condition.least is not None and condition.least == condition.most:
        return f"=={condition.least}"
    parts = []
    if condition.least is not None:
        parts.append(f">={condition.least}")
    if condition.most is not None:
        parts.append(f"<={condition.most}")
    return ",".join(parts)


def _covers(query: str, records: Iterable[CellRecord]) -> bool:
    lists = compile_cells(query)
    return all(lists({**one.axes, "id": one.id}) for one in records)


def _lists_any(query: str, records: Iterable[CellRecord]) -> bool:
    lists = compile_cells(query)
    return any(lists({**one.axes, "id": one.id}) for one in records)


def _lists_only(results: Results, query: str, records: Sequence[CellRecord]) -> bool:
    lists = compile_cells(query)
    wanted = {record.id for record in records}
    return all(one.id in wanted for one in results.cells if lists({**one.axes, "id": one.id}))


def _write(file: Path, text: str) -> None:
    try:
        # A link stays one, to the list that others read as well; one to nothing leads nowhere.
        place = file.resolve() if file.exists() else file
        draft = place.with_name(f".{place.name}.{os.getpid()}")
        place.parent.mkdir(parents=True, exist_ok=True)
        draft.write_text(text, encoding="utf-8")
        if place.exists():
            shutil.copymode(place, draft)
        draft.replace(place)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise MachineFault(f"{file}: cannot be written ({reason})") from None


__all__ = ["KEY", "Updated", "update_expectations"]

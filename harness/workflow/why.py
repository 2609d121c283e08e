"""What is known of one cell that did not pass: ``harness why``."""

from __future__ import annotations

import difflib
import shlex
import textwrap
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import msgspec

from harness.causes import Diagnosis, Finding, Remedy
from harness.errors import UsageError
from harness.model.document import Results
from harness.model.record import CellRecord, Trial
from harness.model.status import Status
from harness.report.view import blame
from harness.results.load import load
from harness.results.neighbours import Neighbour, nearest_passing
from harness.text import clean
from harness.workflow.explaining import EXPLAINED, diagnosis_of

_WIDTH = 96
_EVIDENCE_LINES = 12


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """Why a cell is not ``pass``: everything that ``harness why`` prints.

    ``logs`` is the folder of the cell's logs, ``None`` where only the document is at hand.
    ``alike`` are the ids of other cells that have the same cause.
    """

    record: CellRecord
    control: CellRecord | None
    diagnosis: Diagnosis
    nearest: tuple[Neighbour, ...]
    alike: tuple[str, ...]
    logs: Path | None
    matrix: str
    folder: Path


def account(folder: Path, cell: str) -> Account:
    """Return what the results in ``folder`` tell of a cell.

    Parameters
    ----------
    cell
        Its id, or a shell pattern that fits one cell alone.

    Raises
    ------
    UsageError
        If no cell, or more than one, is meant.
    FileFault
        If there are no results.
    """
    results = load(folder)
    record = find_cell(results, cell, folder)
    diagnosis = diagnosis_of(record) if record.status in EXPLAINED else Diagnosis()
    diagnosis = msgspec.structs.replace(
        diagnosis, causes=tuple(_with_trials(one, record) for one in diagnosis.causes)
    )
    cause = diagnosis.causes[0].id if diagnosis.causes else None
    logs = folder / "cells" / record.id
    return Account(
        record=record,
        control=next((one for one in results.cells if one.id == record.control), None),
        diagnosis=diagnosis,
        nearest=() if record.status is Status.PASS else tuple(nearest_passing(results, record)),
        alike=tuple(
            one.id for one in results.cells if cause and one.cause == cause and one is not record
        ),
        logs=logs if logs.is_dir() else None,
        matrix=results.matrix,
        folder=folder,
    )


def find_cell(results: Results, asked: str, folder: Path) -> CellRecord:
    """Return the one cell that ``asked`` names.  Raises ``UsageError``."""
    by_id = {record.id: record for record in results.cells}
    if asked in by_id:
        return by_id[asked]
    fitting = [name for name in by_id if fnmatchcase(name, asked.lower())]
    if len(fitting) == 1:
        return by_id[fitting[0]]
    if fitting:
        some = ", ".join(fitting[:3]) + (", ..." if len(fitting) > 3 else "")  # noqa: PLR2004
        raise UsageError(f"'{asked}' fits {len(fitting)} cells of {folder}: {some}; name one")
    near = difflib.get_close_matches(asked, by_id, n=1, cutoff=0.5)
    hint = f"did you mean '{near[0]}'?" if near else f"`harness report {folder}` lists them"
    raise UsageError(f"there is no cell '{asked}' in {folder}; {hint}")


def _with_trials(finding: Finding, record: CellRecord) -> Finding:
    """Say of each remedy whether it was tried and helped."""
    tried = {trial.remedy: trial.verified for trial in record.trials}
    if record.cause != finding.id:
        return finding
    remedies = tuple(
        msgspec.structs.replace(one, verified=tried[one.id]) if one.id in tried else one
        for one in finding.remedies
    )
    # What was seen to help comes first, and what was seen not to, last.
    rank = {True: 0, None: 1, False: 2}
    return msgspec.structs.replace(
        finding, remedies=tuple(sorted(remedies, key=lambda one: rank[one.verified]))
    )


def as_text(told: Account) -> str:
    """Return an account for people: the one sentence first.

    What a cell said may hold anything: what would steer a terminal is taken out.
    """
    return clean("\n".join(_lines(told)) + "\n")


def _lines(told: Account) -> Iterator[str]:
    record = told.record
    yield f"{record.id}: {record.status}" + (f" at {record.phase}" if record.phase else "")
    if record.status is Status.PASS:
        yield from _wrapped("It passes: there is nothing to explain.")
        return
    causes = told.diagnosis.causes
    if causes:
        yield from _wrapped(causes[0].summary)
    if record.message:
        yield from _wrapped(f"It said: {' '.join(record.message.split())}")
    yield from _control(told)
    if causes:
        yield from _finding(causes[0], told)
    elif record.status in EXPLAINED:
        yield ""
        yield from _wrapped(
            f"No cause of the catalogue fits ({told.diagnosis.examined} were looked for), so none "
            "is named."
        )
    yield from _nearest(told)
    yield ""
    if told.logs is not None:
        yield f"Logs: {told.logs}/"
    again = shlex.join(["harness", "repro", str(told.folder), record.id])
    yield f"To repeat it without the harness: {again}"


def _control(told: Account) -> Iterator[str]:
    if told.control is not None and told.control.status is Status.PASS:
        yield from _wrapped("Its control, the same work in Python without R, passes.")
    else:
        yield from _wrapped(blame(told.record, told.control).value)


def _finding(cause: Finding, told: Account) -> Iterator[str]:
    yield ""
    sure = f"{cause.confidence:.0%} sure"
    yield f"Cause: {cause.id} ({sure})"
    yield from _wrapped(cause.why)
    if cause.evidence:
        yield ""
        yield "Evidence:"
        for line in cause.evidence[:_EVIDENCE_LINES]:
            yield from _wrapped(line, "  ")
    yield from _remedies(cause, told.record)
    if told.alike:
        yield ""
        some = f", {told.alike[0]} among them" if len(told.alike) > 1 else f": {told.alike[0]}"
        cells = "cell has" if len(told.alike) == 1 else "cells have"
        yield f"{len(told.alike)} further {cells} the same cause{some}"


def _remedies(cause: Finding, record: CellRecord) -> Iterator[str]:
    trials = {trial.remedy: trial for trial in record.trials} if record.cause == cause.id else {}
    for number, remedy in enumerate(cause.remedies, 1):
        if number == 1:
            yield ""
            yield "What to do:"
        trial = trials.get(remedy.id)
        text = remedy.text
        if number == 1 and text.startswith("Or "):
            # What helped was put first, whatever stood before it.
            text = text[3].upper() + text[4:]
        yield from _wrapped(f"{number}. {text} [{_outcome(remedy, trial)}]", "  ")
        if remedy.command:
            yield f"     {remedy.command}"
        if trial is not None:
            yield from _trial(trial)
    yield from _together(tuple(one for one in trials.values() if len(one.remedies) > 1))


def _together(trials: tuple[Trial, ...]) -> Iterator[str]:
    """Say what came of remedies on top of each other, those that made the cell pass first."""
    for number, trial in enumerate(sorted(trials, key=lambda one: not one.passes), 1):
        if number == 1:
            yield ""
            yield "Together, each for what the one before it leaves:"
        yield from _wrapped(f"- {_one_after_the_other(trial)} [{_came_of(trial)}]", "  ")
        yield from _trial(trial)


def _one_after_the_other(trial: Trial) -> str:
    return ", then ".join(trial.remedies)


def _came_of(trial: Trial) -> str:
    if trial.verified is None:
        return "not tried here"
    if not trial.verified:
        return "tried here, and it did not help"
    return "verified: with these, the cell passes" if trial.passes else "something else shows then"


def _outcome(remedy: Remedy, trial: Trial | None) -> str:
    if remedy.verified is None:
        if remedy.touches_system:
            return "not tried: it changes the system"
        return "not tried" if trial is None else "not tried here"
    if not remedy.verified:
        return "tried here, and it did not help"
    if trial is not None and trial.message is not None:
        return "verified: it takes this away, and then something else shows"
    return "verified: with it, the cell passes"


def _trial(trial: Trial) -> Iterator[str]:
    if trial.change:
        done = "it would be" if trial.verified is None else "tried as"
        yield from _wrapped(f"{done}: {trial.change}", "     ")
    if trial.message:
        label = {True: "then", False: "with it", None: "because"}[trial.verified]
        yield from _wrapped(f"{label}: {' '.join(trial.message.split())}", "     ")
    if trial.logs and trial.verified is not None:
        yield f"     logs: {trial.logs}/"


def _nearest(told: Account) -> Iterator[str]:
    if not told.nearest:
        return
    yield ""
    yield "Nearest cells that pass:"
    for neighbour in told.nearest:
        changes = ", ".join(
            f"{axis} {after or 'left open'} instead of {before or 'left open'}"
            for axis, (before, after) in neighbour.changes.items()
        )
        yield f"  {neighbour.id}"
        yield from _wrapped(f"with {changes}", "    ")


def _wrapped(text: str, indent: str = "") -> list[str]:
    return textwrap.wrap(
        text,
        _WIDTH,
        initial_indent=indent,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def as_document(told: Account) -> Mapping[str, Any]:
    """Return an account as ``harness why --format json`` prints it."""
    record = told.record
    return {
        "id": record.id,
        "matrix": told.matrix,
        "axes": record.axes,
        "status": record.status,
        "phase": record.phase,
        "message": record.message,
        "control": None
        if told.control is None
        else {"id": told.control.id, "status": told.control.status},
        "causes": [_cause(cause) for cause in told.diagnosis.causes],
        "ruled_out": [msgspec.to_builtins(one) for one in told.diagnosis.ruled_out],
        "trials": [msgspec.to_builtins(one) for one in record.trials],
        "nearest": [
            {
                "id": one.id,
                "changes": {
                    axis: {"from": before, "to": after}
                    for axis, (before, after) in one.changes.items()
                },
            }
            for one in told.nearest
        ],
        "alike": told.alike,
        "logs": None if told.logs is None else str(told.logs),
    }


def _cause(cause: Finding) -> Mapping[str, Any]:
    return {
        "id": cause.id,
        "confidence": cause.confidence,
        "summary": cause.summary,
        "evidence": cause.evidence,
        "remedies": [_remedy(remedy) for remedy in cause.remedies],
    }


def _remedy(remedy: Remedy) -> Mapping[str, Any]:
    return {
        "id": remedy.id,
        "text": remedy.text,
        "command": remedy.command,
        "verified": remedy.verified,
    }

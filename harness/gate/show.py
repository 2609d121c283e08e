"""A judgement as people, programs and GitHub read it."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from typing import Any, Final

import msgspec
from tabulate import tabulate

from harness.errors import ExitCode
from harness.gate.alike import head_of
from harness.gate.model import Change, Finding, Judgement, Stale, Word

SENTENCES: Final = {
    Word.OK: "Let through: every cell ended as it should.",
    Word.REGRESSED: "Not let through: something that worked no longer works.",
    Word.UNEXPECTED: "Not let through: cells ended in a way that nothing says.",
    Word.STALE: "Not let through: the list of expectations no longer says what is true.",
    Word.INCOMPLETE: "Nothing proven: not everything that was planned was measured.",
}
_SHOWN: Final = 40
_ANNOTATED: Final = 10
"""GitHub shows ten annotations of a kind for a step; what is more stands in the summary."""
_KNOWN: Final = {
    Change.NEWLY_WORKING: "newly working",
    Change.STILL_BROKEN: "still as in the baseline",
    Change.EXPECTED: "as expected",
}


def as_document(judgement: Judgement) -> dict[str, Any]:
    """Return what ``gate --format json`` prints."""
    document: dict[str, Any] = msgspec.to_builtins(judgement)
    return {
        **document,
        "exit_code": int(judgement.exit_code),
        "regressions": [_row(one) for one in judgement.regressions],
        "unexpected": [_row(one) for one in judgement.unexpected],
        "missing": [_row(one) for one in judgement.missing],
        "notes": [_row(one) for one in judgement.notes],
    }


def _row(finding: Finding) -> dict[str, Any]:
    row: dict[str, Any] = msgspec.to_builtins(finding)
    return {"id": row.pop("cell"), **row}


def as_text(judgement: Judgement, folder: str) -> str:
    """Return the verdict first, then what blocks, then what is worth knowing."""
    lines = [SENTENCES[judgement.verdict], ""]
    if judgement.against:
        lines[0] += f" Held against {' and '.join(judgement.against)}."
    if judgement.unfinished:
        lines[1:1] = [f"The run was not done to its end: {judgement.unfinished}."]
    for heading, findings in _blocking(judgement):
        lines += [f"{heading}:", *_listed(findings), ""]
    if judgement.stale:
        lines += ["Expectations that are to be mended:"]
        lines += [f"  line {one.line}: {one.cells}\n    {one.problem}" for one in judgement.stale]
        lines += [""]
    lines += [f"{line}" for line in _latency(judgement)]
    lines += [_counts(judgement)]
    if judgement.regressions or judgement.unexpected:
        first = (*judgement.regressions, *judgement.unexpected)[0].cell
        lines += [
            f"Why: {shlex.join(['harness', 'why', folder, first])}",
            f"Again: {shlex.join(['harness', 'repro', folder, first])}",
        ]
    return "\n".join(lines) + "\n"


def _blocking(judgement: Judgement) -> Iterable[tuple[str, tuple[Finding, ...]]]:
    if judgement.regressions:
        yield "Not as before", judgement.regressions
    if judgement.unexpected:
        yield "Not expected", judgement.unexpected
    if judgement.missing:
        yield "Not measured", judgement.missing


def _listed(findings: tuple[Finding, ...]) -> list[str]:
    lines = []
    for finding in findings[:_SHOWN]:
        lines += [f"  {finding.cell}", f"    {_sentence(finding)}"]
        lines += [f"    changed as well: {', '.join(finding.changed)}"] if finding.changed else []
    if len(findings) > _SHOWN:
        lines.append(f"  and {len(findings) - _SHOWN} more; --format json has all")
    return lines


def _sentence(finding: Finding) -> str:
    now = _now(finding)
    was = ""
    if finding.was is not None and finding.change is not Change.NEWLY_WORKING:
        when = f" on {finding.since[:10]}" if finding.since else ""
        was = f"; {finding.was}{when} in the baseline"
    at = f" (expectation in line {finding.line})" if finding.line is not None else ""
    return f"{finding.change.value}{at}: {now}{was}"


def _now(finding: Finding) -> str:
    if finding.attempts > 1:
        return f"passed {finding.passed} of {finding.attempts} times; {_end(finding)}"
    return _end(finding)


def _end(finding: Finding) -> str:
    at = "" if finding.phase is None else f" at {finding.phase}"
    cause = f", {finding.cause}" if finding.cause else ""
    said = head_of(finding.message, 200)
    return f"{finding.status.value}{at}{cause}" + (f": {said}" if said else "")


def _counts(judgement: Judgement) -> str:
    counts = judgement.counts
    parts = [f"{counts.get('pass', 0)} of {counts.get('cells', 0)} cells pass"]
    for change, words in _KNOWN.items():
        if counts.get(change.value):
            parts.append(f"{counts[change.value]} {words}")
    return "; ".join(parts) + "."


def _latency(judgement: Judgement) -> list[str]:
    if not judgement.latency:
        return []
    rows = (
        f"  {one['cell']} {one['metric']}: {one['verdict']}, {_percent(one['ratio'])} "
        f"[{_percent(one['ci_low'])}, {_percent(one['ci_high'])}], {one['pairs']} pairs"
        for one in judgement.latency
    )
    return ["Latency, head over base, in pairs:", *rows, ""]


def _percent(ratio: float | None) -> str:
    return "?" if ratio is None else f"{(ratio - 1) * 100:+.1f}%"


def as_markdown(judgement: Judgement, links: dict[str, str] | None = None) -> str:
    """Return the summary of a job; ``links`` are addresses of cells in a published report."""
    links = links or {}
    mark = {ExitCode.OK: "✅", ExitCode.NOT_MEASURED: "⚠️"}.get(judgement.exit_code, "❌")
    lines = [f"## {mark} {SENTENCES[judgement.verdict]}", ""]
    if judgement.against:
        lines += [f"Held against {' and '.join(judgement.against)}.", ""]
    if judgement.unfinished:
        lines += [f"The run was not done to its end: {_cell(judgement.unfinished)}.", ""]
    rows = [
        (
            finding.change.value,
            _link(finding.cell, links),
            _cell(finding.was or ""),
            _cell(_now(finding)),
            _cell(", ".join(finding.changed)),
        )
        for _, findings in _blocking(judgement)
        for finding in findings
    ]
    if rows:
        headers = ["what", "cell", "before", "now", "changed as well"]
        lines += [tabulate(rows, headers, tablefmt="github", disable_numparse=True), ""]
    if judgement.stale:
        table = [
            (str(one.line), f"`{_cell(one.cells)}`", _cell(one.problem)) for one in judgement.stale
        ]
        lines += ["### Expectations to be mended", ""]
        lines += [tabulate(table, ["line", "cells", "what to do"], tablefmt="github"), ""]
    if judgement.latency:
        lines += ["### Latency, head over base", "", _latency_table(judgement), ""]
    known = judgement.notes
    if known:
        table = [
            (finding.change.value, _link(finding.cell, links), _cell(_now(finding)))
            for finding in known
        ]
        lines += [f"<details><summary>{len(known)} known</summary>", ""]
        lines += [tabulate(table, ["what", "cell", "now"], tablefmt="github"), "", "</details>", ""]
    return "\n".join([*lines, _counts(judgement)]) + "\n"


def _latency_table(judgement: Judgement) -> str:
    rows = [
        (
            one["cell"],
            one["metric"],
            one["verdict"],
            _percent(one["ratio"]),
            f"{_percent(one['ci_low'])} to {_percent(one['ci_high'])}",
            one["pairs"],
        )
        for one in judgement.latency
    ]
    headers = ["cell", "metric", "verdict", "head", "95% interval", "pairs"]
    return tabulate(rows, headers, tablefmt="github", disable_numparse=True)


def _link(cell: str, links: dict[str, str]) -> str:
    return f"[`{cell}`]({links[cell]})" if cell in links else f"`{cell}`"


def _cell(text: str) -> str:
    # A bar would end the cell, and a message may hold any of HTML.
    return text.replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")


def commands(judgement: Judgement, source: str | None = None) -> list[str]:
    """Return GitHub's workflow commands, one a finding: what is wrong, with the cell and cause.

    ``source`` is the file of expectations, so that a stale line is marked where it stands.
    """
    broken = (*judgement.regressions, *judgement.unexpected)
    return [
        *(
            _command("error", _sentence(one), title=f"{one.change.value}: {one.cell}")
            for one in broken[:_ANNOTATED]
        ),
        *(_of_stale(one, source) for one in judgement.stale[:_ANNOTATED]),
        *(
            _command("warning", _sentence(one), title=f"not measured: {one.cell}")
            for one in judgement.missing[:_ANNOTATED]
        ),
    ]


def _of_stale(one: Stale, source: str | None) -> str:
    where = {} if source is None else {"file": source, "line": str(one.line)}
    return _command("error", f"{one.cells}: {one.problem}", title="stale expectation", **where)


def _command(word: str, message: str, **properties: str) -> str:
    given = ",".join(
        f"{key}={_escaped(value, in_property=True)}" for key, value in properties.items()
    )
    return f"::{word} {given}::{_escaped(message)}"


def _escaped(text: str, *, in_property: bool = False) -> str:
    text = text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    return text.replace(":", "%3A").replace(",", "%2C") if in_property else text

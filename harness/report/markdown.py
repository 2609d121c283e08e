"""The report for a README, a wiki or a job summary, in GitHub's Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from html import escape
from typing import Final
from urllib.parse import quote

from harness.model.document import Results
from harness.model.record import CellRecord
from harness.model.status import Status
from harness.report import view
from harness.report.base import DEFAULTS, Options
from harness.report.conversions import MEANINGS, columns, names_of_values
from harness.report.documented import disagreements
from harness.report.latency import Comparison, MemoryCost, compare, compare_memory, dearest, doubt
from harness.report.summary import machine_line, times_line, when_line
from harness.report.words import count, megabytes, seconds, signed_seconds
from harness.text import clean, one_line

_EVIDENCE_LINES: Final = 60
_SPECIAL = re.compile(r"([\\`*_{}\[\]#|~$])")
_LIST_OR_RULE = re.compile(r"^([0-9]*)([-+=.)])")


class _Markdown:
    name = "markdown"

    def render(self, results: Results, *, options: Options = DEFAULTS) -> str:
        """Return the report; links to the cells' logs start with ``options.logs``."""
        blocks = [
            f"# {text(results.matrix)}",
            *_summary(results),
            *_grid(results, options.logs),
            *_problems(results, options.logs),
            *_findings(results),
            *_documented(results, options.logs),
            *_conversions(results),
            *_latency(results),
            *_memory(compare_memory(results)),
            *_cells(results, options.logs),
        ]
        return "\n\n".join(block for block in blocks if block) + "\n"


def text(value: str) -> str:
    """Return ``value`` as Markdown that shows just that, on one line, in a table or outside.

    Texts come from inside cells: markup in them is shown, never obeyed, and nobody is
    notified by an ``@name`` in a traceback.
    """
    line = _SPECIAL.sub(r"\\\1", one_line(value))
    line = _LIST_OR_RULE.sub(r"\1\\\2", line)
    line = line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return line.replace("@", "@<!-- -->")


def code(value: str) -> str:
    """Return ``value`` as a code span that holds in a table, too."""
    line = one_line(value).replace("|", "\\|")
    if not line:
        return ""
    longest = max((len(run) for run in re.findall(r"`+", line)), default=0)
    ticks = "`" * (longest + 1)
    pad = " " if line.startswith("`") or line.endswith("`") else ""
    return f"{ticks}{pad}{line}{pad}{ticks}"


def fence(value: str) -> str:
    """Return ``value`` as a code block, with its last lines where it is long."""
    lines = clean(value).strip("\n").split("\n")
    cut = len(lines) - _EVIDENCE_LINES
    if cut > 0:
        lines = [f"({count(cut, 'line')} before this)", *lines[cut:]]
    longest = max((len(run) for run in re.findall(r"`+", value)), default=0)
    ticks = "`" * max(3, longest + 1)
    return "\n".join([f"{ticks}text", *lines, ticks])


def table(heads: Sequence[str], rows: Iterable[Sequence[str]], *, right: str = "") -> str:
    """Return a table of texts that are Markdown already; ``right`` has ``r`` where to align so."""
    rules = [
        "--:" if right[position : position + 1] == "r" else "---" for position in range(len(heads))
    ]
    return "\n".join(f"| {' | '.join(row)} |" for row in (heads, rules, *rows))


def _link(cell: str, label: str, logs: str) -> str:
    return f"[{label}]({quote(f'{one_line(logs)}/{cell}', safe='/:.')}/)"


def _summary(results: Results) -> list[str]:
    probes = ", ".join(code(name) for name in view.probes(results))
    lines = [
        f"{count(len(results.cells), 'cell')}{f', probes {probes}' if probes else ''}",
        text(when_line(results)),
        text(machine_line(results.machine)),
        *(
            f"{count(len(other.cells), 'cell')} on {text(machine_line(other.machine))}"
            for other in results.elsewhere
        ),
        text(times_line(results)),
        f"harness {text(results.harness)}" if results.harness else "",
    ]
    tally = [(_status(status), str(number)) for status, number in view.counts(results)]
    return [
        "\n".join(f"- {line}" for line in lines if line),
        table(("status", "cells"), tally, right=" r"),
    ]


def _status(status: Status) -> str:
    return text(view.label(status))


def _grid(results: Results, logs: str) -> list[str]:
    grid = view.grid(results)
    heads = ["path and bridge", "R", "Python", *(text(pin) for pin in grid.pins)]
    for column in grid.columns:
        head = text(view.framework_label(column.framework)) or "none"
        heads.append(f"{head}<br>{text(column.cuda)}" if grid.shows_cuda else head)
    rows = [
        [
            *(text(part) for part in (row.path, row.r, row.python, *row.pins)),
            *(
                "" if cell is None else _link(cell.id, _status(cell.status), logs)
                for cell in row.cells
            ),
        ]
        for row in grid.rows
    ]
    return ["## At a glance", table(heads, rows)] if rows else []


def _problems(results: Results, logs: str) -> list[str]:
    groups = view.groups(results)
    blocks = ["## Not passed"] if groups else []
    for group in groups:
        blocks.append(
            f"### {group.number}. {text(group.heading)}, {count(len(group.cells), 'cell')}"
        )
        blocks.append(text(group.reason))
        if group.cause:
            blocks.append(f"Cause: {code(group.cause)}")
        if group.common:
            blocks.append(text(f"What they have in common: {group.common}."))
        if group.remedies:
            blocks.append("\n".join(f"- {text(f'Remedy {said}')}" for said in group.remedies))
        blocks.append(text(group.blame.value))
        blocks.append("\n".join(f"- {_link(c.id, code(c.id), logs)}" for c in group.cells))
        shown = next((cell for cell in group.cells if view.innermost(cell)), None)
        if shown is not None:
            blocks.extend(_details(shown, alone=len(group.cells) == 1))
    return blocks


def _details(cell: CellRecord, *, alone: bool) -> Iterable[str]:
    title = "Evidence" if alone else f"Evidence, from {escape(one_line(cell.id))}"
    yield f"<details><summary>{title}</summary>"
    for name, evidence in view.innermost(cell):
        yield f"{text(name)}:"
        yield fence(evidence)
    yield "</details>"


def _findings(results: Results) -> list[str]:
    found = view.findings(results)
    lines = [f"- {text(finding)} ({count(number, 'cell')})" for finding, number in found]
    return ["## Noticed and dealt with", "\n".join(lines)] if found else []


def _documented(results: Results, logs: str) -> list[str]:
    rows = [
        (
            text(one.pair),
            text(f"{one.said}: {one.range}"),
            text(str(one.fact.source)),
            text(f"{one.ran}, {' and '.join(one.days)}".rstrip(", ")),
            "<br>".join(_link(cell.id, code(cell.id), logs) for cell in one.cells),
        )
        for one in disagreements(results)
    ]
    if not rows:
        return []
    heads = ("versions", "documented", "source", "here", "cells")
    return ["## Documented against actual", table(heads, rows)]


def _conversions(results: Results) -> list[str]:
    found = columns(results)
    if not found:
        return []
    meaning = "; ".join(f"{code(mark)}: {text(said)}" for mark, said in MEANINGS.items())
    rows = [
        (code(value), *(code(column.mark(value)) for column in found))
        for value in names_of_values(found)
    ]
    return [
        "## What survives",
        f"Values sent to the other language, and back. {meaning}. Two words: there, and back.",
        table(("value", *(text(column.name) for column in found)), rows),
    ]


def _latency(results: Results) -> list[str]:
    comparisons = compare(results)
    if not comparisons:
        return []
    note = (
        "What a bridge costs: path − control, the same probe without R in the same Python "
        "environment. Medians of single runs over pairs of a cell and its control that both "
        "passed on one machine: small differences are noise. `CPU cost` is that of the processor, "
        "of all processes of a path."
    )
    heads = (
        *("framework", "path", "probe", "pairs", "with R", "control"),
        *("bridge cost", "CPU cost", "mostly in"),
    )
    rows = [
        (
            *_names(one),
            str(one.pairs),
            seconds(one.path_s),
            seconds(one.control_s),
            signed_seconds(one.cost_s),
            "" if one.cpu_cost_s is None else signed_seconds(one.cpu_cost_s),
            text(dearest([one], most=2)),
        )
        for one in comparisons
    ]
    stage_heads = (
        *("framework", "path", "probe", "stage"),
        *("with R", "control", "bridge cost", "CPU with R", "CPU of control", "CPU cost"),
    )
    stages = [
        (
            *_names(one),
            text(stage.stage),
            _time(stage.path_s),
            _time(stage.control_s),
            signed_seconds(stage.cost_s),
            _time(stage.path_cpu_s),
            _time(stage.control_cpu_s),
            "" if stage.cpu_cost_s is None else signed_seconds(stage.cpu_cost_s),
        )
        for one in comparisons
        for stage in one.stages
    ]
    return [
        "## Latency",
        note,
        *filter(None, [text(doubt(comparisons))]),
        table(heads, rows, right="   rrrrr"),
        "<details><summary>Every stage, a repetition each</summary>",
        table(stage_heads, stages, right="    rrrrrr"),
        "</details>",
    ]


def _memory(costs: Sequence[MemoryCost]) -> list[str]:
    rows = [
        (
            text(one.framework),
            text(one.path),
            str(one.pairs),
            megabytes(one.host_mb),
            megabytes(one.others_mb) if one.others_mb else "",
            megabytes(one.control_mb),
            f"{'−' if one.cost_mb < 0 else '+'}{megabytes(abs(one.cost_mb))}",
        )
        for one in costs
    ]
    if not rows:
        return []
    heads = ("framework", "path", "pairs", "host", "other language", "control", "bridge cost")
    note = "Peaks of resident memory, by process."
    return ["## Memory", note, table(heads, rows, right="  rrrrr")]


def _names(one: Comparison) -> tuple[str, str, str]:
    return text(one.framework), text(one.path), text(one.probe)


def _time(value: float | None) -> str:
    return "" if value is None else seconds(value)


def _cells(results: Results, logs: str) -> list[str]:
    rows = [
        (
            _link(record.id, code(record.id), logs),
            _status(record.status),
            record.phase.value if record.phase else "",
            "" if record.status is Status.PASS else text(view.reason(record)),
            seconds(record.wall_s) if record.wall_s else "",
            megabytes(record.max_rss_mb) if record.max_rss_mb else "",
        )
        for record in view.ordered(results)
    ]
    heads = ("cell", "status", "phase", "reason", "time", "memory")
    return ["## Every cell", table(heads, rows, right="    rr")] if rows else []


REPORT = _Markdown()

"""The report that a run ends with: the grid, every cell that did not pass, and the totals."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from statistics import median

from tabulate import MIN_PADDING, SEPARATING_LINE, tabulate

from harness.model.document import Results
from harness.model.record import CellRecord
from harness.model.status import Status
from harness.report import view
from harness.report.base import DEFAULTS, Options
from harness.report.documented import disagreements
from harness.report.latency import Comparison, compare, dearest
from harness.report.summary import machine_line, times_line, when_line
from harness.report.words import count, seconds, signed_seconds
from harness.text import one_line

_GAP = 2
_CELLS_NAMED = 8  # of a group; the grid marks them all
_GREEN, _RED, _YELLOW, _BOLD, _DIM = "32", "31", "33", "1", "2"


class _Terminal:
    name = "terminal"

    def render(self, results: Results, *, options: Options = DEFAULTS) -> str:
        """Return the report for a terminal of ``options.width`` columns."""
        groups = view.groups(results)
        paint = _Paint(options)
        parts = [
            _heading(results, paint),
            *_tables(results, groups, paint),
            *([_problems(groups, options.logs, paint)] if groups else []),
            *_findings(results, paint),
            *_documented(results, paint),
            *_latency(results, paint),
            _totals(results, paint),
        ]
        return "\n\n".join(part for part in parts if part) + "\n"


class _Paint:
    def __init__(self, options: Options) -> None:
        self.width = max(options.width, 40)
        self._color = options.color

    def __call__(self, text: str, *codes: str) -> str:
        return f"\x1b[{';'.join(codes)}m{text}\x1b[0m" if self._color and text else text

    def status(self, status: Status, text: str) -> str:
        if status is Status.PASS:
            return self(text, _GREEN)
        return self(text, _RED if status.is_problem else _YELLOW)

    def cell(self, record: CellRecord | None, text: str) -> str:
        return self.status(record.status, text) if record else text

    def wrap(self, text: str, indent: str) -> str:
        return textwrap.fill(
            text,
            self.width,
            initial_indent=indent,
            subsequent_indent=indent,
            break_long_words=False,
            break_on_hyphens=False,
        )


def _heading(results: Results, paint: _Paint) -> str:
    probes = view.probes(results)
    asked = f", probes {', '.join(probes)}" if probes else ""
    title = f"{one_line(results.matrix)}: {count(len(results.cells), 'cell')}{asked}"
    lines = [paint(title, _BOLD), paint.wrap(machine_line(results.machine), "")]
    lines.extend(
        paint.wrap(f"{count(len(other.cells), 'cell')} on {machine_line(other.machine)}", "")
        for other in results.elsewhere
    )
    return "\n".join(lines)


def _tables(results: Results, groups: Sequence[view.Group], paint: _Paint) -> Iterable[str]:
    grid = view.grid(results)
    marks = {cell.id: group.number for group in groups for cell in group.cells}
    label_heads = ["path and bridge", "R", "Python", *(one_line(pin) for pin in grid.pins)]
    labels = [[row.path, row.r or "-", row.python, *row.pins] for row in grid.rows]
    heads = [_column_head(column, shows_cuda=grid.shows_cuda) for column in grid.columns]
    texts = [[_cell_text(cell, marks) for cell in row.cells] for row in grid.rows]
    room = paint.width - sum(width + _GAP for width in _widths(label_heads, labels))
    for chunk in _chunks(_widths(heads, texts), room):
        body: list[str | list[str]] = []
        before: list[str] = []
        for label, row, text in zip(labels, grid.rows, texts, strict=True):
            if before and label[0].split()[0] != before[0].split()[0]:
                body.append(SEPARATING_LINE)
            cells = [paint.cell(row.cells[number], text[number]) for number in chunk]
            body.append([*_unrepeated(label, before), *cells])
            before = label
        yield tabulate(
            body, [*label_heads, *(heads[n] for n in chunk)], "simple", disable_numparse=True
        )


def _unrepeated(label: list[str], before: list[str]) -> list[str]:
    """Return the label with its first parts blank where the row before has the same."""
    for position, part in enumerate(label):
        if position >= len(before) or before[position] != part:
            return [""] * position + label[position:]
    return label


def _cell_text(cell: CellRecord | None, marks: dict[str, int]) -> str:
    if cell is None:
        return ""
    mark = marks.get(cell.id)
    return view.label(cell.status) + (f" [{mark}]" if mark else "")


def _column_head(column: view.Column, *, shows_cuda: bool) -> str:
    # One part a line keeps the column as narrow as what stands in it.
    head = view.framework_label(column.framework).replace(" ", "\n") or "none"
    if not shows_cuda:
        return head
    return f"{head}\n{'cpu' if column.cuda == 'cpu' else f'cuda {one_line(column.cuda)}'}"


def _widths(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> list[int]:
    """Return the width of each column in characters, as tabulate will make it."""
    return [
        max(_width(head) + MIN_PADDING, *(_width(row[n]) for row in rows), 0)
        for n, head in enumerate(heads)
    ]


def _width(text: str) -> int:
    return max(len(line) for line in text.split("\n"))


def _chunks(widths: Sequence[int], room: int) -> Iterable[list[int]]:
    """Yield the numbers of the columns that fit beside each other; at least one at a time."""
    chunk: list[int] = []
    used = 0
    for number, width in enumerate(widths):
        if chunk and used + width + _GAP > room:
            yield chunk
            chunk, used = [], 0
        chunk.append(number)
        used += width + _GAP
    if chunk:
        yield chunk


def _problems(groups: Sequence[view.Group], logs: str, paint: _Paint) -> str:
    blocks = []
    for group in groups:
        head = paint.status(group.status, f"[{group.number}] {group.heading}")
        cause = f": {paint(one_line(group.cause), _BOLD)}" if group.cause else ""
        lines = [f"{head}, {count(len(group.cells), 'cell')}{cause}"]
        lines.append(paint.wrap(group.reason, "    "))
        if group.common:
            lines.append(paint.wrap(f"What they have in common: {one_line(group.common)}.", "    "))
        lines.extend(paint.wrap(f"Remedy {remedy}", "    ") for remedy in group.remedies)
        if group.blame.value:
            lines.append(paint.wrap(group.blame.value, "    "))
        lines.extend(paint(f"    {one_line(c.id)}", _DIM) for c in group.cells[:_CELLS_NAMED])
        more = len(group.cells) - _CELLS_NAMED
        if more > 0:
            lines.append(paint(f"    and {more} more, marked [{group.number}] above", _DIM))
        blocks.append("\n".join(lines))
    head = f"{paint('Not passed', _BOLD)} (logs of each: {one_line(logs)}/<cell>/)"
    return "\n\n".join([head, *blocks])


def _findings(results: Results, paint: _Paint) -> list[str]:
    found = view.findings(results)
    if not found:
        return []
    lines = [paint.wrap(f"{text} ({count(number, 'cell')})", "    ") for text, number in found]
    return ["\n".join([paint("Noticed and dealt with", _BOLD), *lines])]


def _documented(results: Results, paint: _Paint) -> list[str]:
    """Return the published ranges that the runs contradict, a line each with both sources."""
    lines = []
    for one in disagreements(results):
        ran = f"{count(len(one.cells), 'cell')}, run {' and '.join(one.days) or 'on no known day'}"
        lines.append(paint.wrap(one_line(f"{one.pair}: {one.said}, and here {one.ran}"), "    "))
        lines.append(paint.wrap(one_line(f"{one.range} ({one.fact.source})"), "        "))
        named = " ".join(one_line(cell.id) for cell in one.cells[:_CELLS_NAMED])
        lines.append(paint(paint.wrap(f"{ran}: {named}", "        "), _DIM))
    return ["\n".join([paint("Documented against actual", _BOLD), *lines])] if lines else []


def _latency(results: Results, paint: _Paint) -> list[str]:
    comparisons = compare(results)
    if not comparisons:
        return []
    probes = list(dict.fromkeys(one.probe for one in comparisons))
    rows: dict[str, dict[str, dict[str, Comparison]]] = {}  # framework, path, probe
    for one in comparisons:
        rows.setdefault(one.framework, {}).setdefault(one.path, {})[one.probe] = one
    labels, cells = [], []
    for framework, paths in rows.items():
        labels.append([framework, "control"])
        cells.append([*(_control(paths.values(), probe) for probe in probes), ""])
        for path, by_probe in paths.items():
            labels.append(["", path])
            costs = [_cost(by_probe.get(probe)) for probe in probes]
            cells.append([*costs, dearest(by_probe.values())])
    label_heads, heads = ["framework", "path"], [*probes, "mostly in"]
    room = paint.width - sum(width + _GAP for width in _widths(label_heads, labels))
    chunks = list(_chunks(_widths(heads, cells), room))
    if chunks[1:] and chunks[-1] == [len(probes)]:  # no table for the last column alone
        del chunks[-1]
    tables = [
        tabulate(
            [[*label, *(row[n] for n in chunk)] for label, row in zip(labels, cells, strict=True)],
            [*label_heads, *(heads[n] for n in chunk)],
            "simple",
            disable_numparse=True,
        )
        for chunk in chunks
    ]
    note = paint.wrap(
        "Seconds of each probe's stages, and in brackets what the bridge costs: path − control, "
        "in the same Python environment. Medians of single runs: small differences are noise.",
        "",
    )
    return [f"{paint('Latency', _BOLD)}\n{note}", *tables]


def _control(paths: Iterable[Mapping[str, Comparison]], probe: str) -> str:
    """Return the control's time: the median over the paths that it was compared with."""
    times = [found[probe].control_s for found in paths if probe in found]
    return seconds(median(times)) if times else ""


def _cost(one: Comparison | None) -> str:
    if one is None:
        return ""
    return f"{seconds(one.path_s)} ({signed_seconds(one.cost_s)})"


def _totals(results: Results, paint: _Paint) -> str:
    tally = ", ".join(
        paint.status(status, f"{status.symbol} {number} {status.value}")
        for status, number in view.counts(results)
    )
    lines = (
        paint.wrap(times_line(results), ""),
        when_line(results),
        f"{count(len(results.cells), 'cell')}: {tally or 'nothing was planned'}",
    )
    return "\n".join(line for line in lines if line)


REPORT = _Terminal()

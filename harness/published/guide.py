"""Which path to use, which versions go together, and an article's claims: one page of Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from harness.model.document import Results
from harness.published.advice import Advice, PathAdvice, advice
from harness.published.claims import Checked, article, claims
from harness.published.figure import Figure
from harness.published.ranges import Claim, LeftOut, coverage, left_out, ranges
from harness.report.base import DEFAULTS, Options
from harness.report.links import cell_link
from harness.report.markdown import table, text
from harness.report.summary import machine_line
from harness.report.words import count

_COSTS: Final = (
    ("call", "noop", "a call"),
    ("train", "transfer", "the data"),
    ("init", "", "a start (CPU)"),
)
"""What the table of paths has columns for: probe, stage, and its name."""
_NAMED: Final = 3
"""Cells that are named behind a verdict; the rest is counted."""


class _Guide:
    name = "advice"

    def render(self, results: Results, *, options: Options = DEFAULTS) -> str:
        """Return the page; cells are links where there is an ``options.site``."""
        known = advice(results)
        blocks = [
            "# Which path should I use?",
            _known(results),
            *_needs(known),
            *_paths(known.paths),
            *_ranges(ranges(results)),
            *_left_out(left_out(results)),
            *_claims(claims(results, known), options.site),
        ]
        return "\n\n".join(block for block in blocks if block) + "\n"


def _known(results: Results) -> str:
    found = coverage(results)
    day = found.last_seen[: len("2026-11-22")]
    words = [
        f"From {text(results.matrix)}: {found.cells.text} cells have a result",
        f"{found.pairs_measured} of {found.pairs_planned} pairs of values that were planned",
        f"last seen on {day}" if day else "",
        text(machine_line(results.machine)),
    ]
    unavailable = f" {count(found.unavailable, 'cell')} could not be run on this machine."
    return ", ".join(word for word in words if word) + "." + unavailable * bool(found.unavailable)


def _needs(known: Advice) -> Iterator[str]:
    rows = [
        (text(one.need), text(one.path or "–"), text(one.rule), text(one.why))
        for one in known.recommendations
    ]
    yield table(("need", "path", "by the rule", "numbers"), rows)
    yield "What holds for all of them:"
    yield "\n".join(f"- {text(rule)}" for rule in known.rules)


def _paths(paths: Iterable[PathAdvice]) -> Iterator[str]:
    rows = [
        (
            text(path.name),
            path.host,
            _figure(path.judged.works if path.judged else None),
            _figure(path.judged.passes if path.judged else None),
            _figure(path.judged.controls if path.judged else None),
            _figure(path.pythons),
            _figure(path.silent),
            *(_figure(path.cost(probe, stage)) for probe, stage, _ in _COSTS),
        )
        for path in paths
    ]
    if not rows:
        return
    heads = (
        *("path", "host", "works", "passes", "controls", "Pythons", "lost silently"),
        *(name for _, _, name in _COSTS),
    )
    yield "## Works, costs, loses"
    yield (
        "`works` are cells in which all came up and data arrived, `passes` those that passed "
        "every probe, `controls` the same work without R. Costs are path − control; of a start, "
        "that of the processor's time."
    )
    yield table(heads, rows, right="  rrrrrrrr")
    older = [
        f"{path.path} {version.version}: {version.works.text} cells work"
        for path in paths
        for version in path.versions
        if version.version and version is not path.judged and version.works.cells
    ]
    if older:
        yield "Versions that were not judged:"
        yield "\n".join(f"- {text(line)}" for line in older)


def _ranges(found: Iterable[Claim]) -> Iterator[str]:
    heads = {
        ("bridge", "starts"): "Python starts behind",
        ("bridge", "works"): "All comes up and data arrive, once Python starts",
        ("framework", "works"): "Frameworks in Python alone",
    }
    every = list(found)
    if every:
        yield "## Versions that go together"
    for (kind, asks), head in heads.items():
        lines = [one.sentence for one in every if (one.kind, one.asks) == (kind, asks)]
        if lines:
            yield f"### {head}"
            yield "\n".join(f"- {text(line)}" for line in lines)


def _left_out(found: Iterable[LeftOut]) -> Iterator[str]:
    lines = [
        f"- {count(len(one.cells), 'cell')}, {text(one.where)}: {text(one.means)} (`{one.cause}`)"
        for one in found
    ]
    if lines:
        yield "Left out where Pythons, frameworks and numpy are spoken of, as no limit of those:"
        yield "\n".join(lines)


def _claims(checked: Iterable[Checked], site: str) -> Iterator[str]:
    stated = article()
    yield "## An article's claims"
    yield text(f"“{stated.title}”, {stated.date}.")
    rows = [
        (
            text(one.says),
            f"“{text(one.quote)}”, {text(one.where)}",
            one.verdict.value,
            text(one.because) + _named(one.cells, site),
        )
        for one in checked
    ]
    yield table(("claim", "in its words", "verdict", "because"), rows)


def _named(cells: tuple[str, ...], site: str) -> str:
    if not cells or not site:
        return f" ({count(len(cells), 'cell')})" if cells else ""
    shown = ", ".join(
        f"[{number}]({cell_link(cell, site)})" for number, cell in enumerate(cells[:_NAMED], 1)
    )
    more = f", and {len(cells) - _NAMED} more" if len(cells) > _NAMED else ""
    return f" (cells {shown}{more})"


def _figure(figure: Figure | None) -> str:
    return text(figure.text) if figure is not None else ""


REPORT = _Guide()

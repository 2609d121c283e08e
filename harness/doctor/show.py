"""A report as people read it: the one sentence first, then what was checked, then what to do."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

import msgspec

from harness.doctor.model import State
from harness.doctor.words import first_of
from harness.text import clean

if TYPE_CHECKING:
    from harness.causes.model import Finding, Remedy
    from harness.doctor.model import Layer, Report

SCHEMA: Final = 1
_MARKS: Final = {
    State.OK: "✓",
    State.FAILED: "✗",
    State.CRASHED: "✗",
    State.HUNG: "✗",
    State.NOT_REACHED: "·",
}
_STYLES: Final = {"✓": "32", "✗": "1;31", "·": "2", "!": "33"}
_MARKED: Final = re.compile(r"(?m)(?<=^  )[✓✗·!](?= )")
_WIDTH: Final = 96
_SHORT: Final = 70
_LONG_FACTS: Final = frozenset({"cpu.flags", "maps.libraries", "python.start_error"})
"""Of use to the matcher, and to nobody who reads."""


def document(report: Report) -> dict[str, Any]:
    """Return the report as plain values: what ``--format json`` prints."""
    plain: dict[str, Any] = {"schema": SCHEMA, **msgspec.to_builtins(report)}
    plain["facts"] = {
        name: value for name, value in plain["facts"].items() if name not in _LONG_FACTS
    }
    for cause in plain["causes"]:
        for remedy in cause["remedies"]:
            remedy.pop("apply", None)
    return plain


def as_text(report: Report, *, color: bool = False) -> str:
    """Return the report for a terminal."""
    blocks = (
        _wrap(report.summary),
        "\n".join(_layer(layer) for layer in report.layers),
        _place(report),
        "\n".join(_causes(report)),
        "\n".join(_discovery(report)),
        "\n".join(_variables(report)),
        "\n".join(_notes(report)),
    )
    # What a script or a library said may hold anything: colours of its own, a terminal's title.
    text = clean("\n\n".join(block for block in blocks if block) + "\n")
    return _MARKED.sub(_painted, text) if color else text


def _wrap(line: str, indent: str = "", hang: str | None = None) -> str:
    return textwrap.fill(
        line,
        _WIDTH,
        initial_indent=indent,
        subsequent_indent=indent if hang is None else hang,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _painted(mark: re.Match[str]) -> str:
    return f"\x1b[{_STYLES[mark.group()]}m{mark.group()}\x1b[0m"


def _layer(layer: Layer) -> str:
    mark = _MARKS[layer.state]
    if layer.state is State.NOT_REACHED:
        return f"  {mark} {layer.title}: not reached"
    line = first_of(layer.said)
    if layer.state is State.OK:
        took = f" ({layer.wall_s:.1f} s)" if layer.wall_s is not None and layer.wall_s > 1 else ""
        return f"  {mark} {layer.title}{': ' + line if line else ''}{took}"
    word = "fails" if layer.state is State.FAILED else str(layer.state)
    return f"  {mark} {layer.title}: {word.upper()}{': ' + line if line else ''}"


def _place(report: Report) -> str:
    place = report.place
    if place is None:
        return ""
    lines = [f"{place.file}, line {place.line}:", f"    {place.source}"]
    if place.written and place.instead:
        lines.append(f"  write  {place.instead}  instead of  {place.written}")
    return "\n".join(lines)


def _causes(report: Report) -> Iterator[str]:
    if report.ok:
        return
    if not report.causes:
        yield "No known cause fits. What was seen:"
        for line in report.evidence or (report.unexplained or "nothing",):
            yield _wrap(line, "  - ", "    ")
        reasons = [f"{one.id} ({one.reason})" for one in report.ruled_out[:6]]
        if reasons:
            yield _wrap("Ruled out: " + "; ".join(reasons), "", "  ")
        return
    yield from _cause(report.causes[0], report)
    for cause in report.causes[1:]:
        yield _wrap(f"Or: {cause.summary} [{cause.id}, {cause.confidence:.0%}]", "", "    ")


def _cause(cause: Finding, report: Report) -> Iterator[str]:
    yield f"Cause: {cause.id} ({cause.confidence:.0%})"
    if cause.why:
        yield _wrap(cause.why, "  ")
    shown = [line for line in cause.evidence if not line.startswith("line ")]
    shown += [line.split(": ", 1)[-1] for line in cause.evidence if line.startswith("line ")]
    yield "Evidence:"
    for line in dict.fromkeys((*shown, *report.evidence)):
        yield _wrap(line, "  - ", "    ")
    if cause.remedies:
        yield "What to do:"
        for remedy in cause.remedies:
            yield from _remedy(remedy)


def _remedy(remedy: Remedy) -> Iterator[str]:
    words = {True: " [verified: it passes with this]", False: " [tried: it does not help]"}
    yield _wrap(remedy.text + words.get(remedy.verified, ""), "  - ", "    ")  # type: ignore[arg-type]
    if remedy.command:
        yield from (f"      {line}" for line in remedy.command.splitlines())


def _discovery(report: Report) -> Iterator[str]:
    if not report.discovery:
        return
    taken = next((rung for rung in report.discovery if rung.taken), None)
    if taken is None:
        yield "Which Python: none was taken. The order of discovery:"
    else:
        yield f"Which Python: {taken.what} ({taken.answer}). The order of discovery:"
    silent = []
    for rung in report.discovery:
        if not rung.taken and rung.python is None:
            silent.append(rung.what)
            continue
        mark = ">" if rung.taken else " "
        yield _wrap(f"{rung.what}: {rung.answer}; {rung.outcome}", f"  {mark} ", "      ")
    if silent and not report.ok:
        yield _wrap(f"    without an answer: {'; '.join(silent)}", "", "      ")


def _variables(report: Report) -> Iterator[str]:
    if report.ok or not report.variables:
        return
    yield "Variables that matter:"
    for variable in report.variables:
        value = variable.value
        value = value if len(value) <= _SHORT else value[: _SHORT - 3] + "..."
        yield _wrap(f"{variable.name}={value}  ({variable.origin})", "    ", "      ")


def _notes(report: Report) -> Iterator[str]:
    for note in report.notes:
        yield _wrap(f"! {note.text} [{note.id}]", "  ", "    ")

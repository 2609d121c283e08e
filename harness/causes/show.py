"""A diagnosis for people and for programs: the sentence first."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from harness.causes.model import Diagnosis, Finding, Remedy

_WIDTH: Final = 96
_RULED_OUT: Final = 6
"""Causes that were ruled out and are named to people at most."""


def as_json(diagnosis: Diagnosis) -> str:
    """Return the object of the contract; keys beside it may be added."""
    return json.dumps(document(diagnosis), indent=2, ensure_ascii=False)


def document(diagnosis: Diagnosis) -> dict[str, Any]:
    """Return ``ok``, ``phase``, ``causes`` (best first), and what was ruled out."""
    return {
        "ok": not diagnosis.causes,
        "phase": diagnosis.phase,
        "causes": [_cause(finding) for finding in diagnosis.causes],
        "unexplained": diagnosis.unexplained,
        "ruled_out": [msgspec.to_builtins(item) for item in diagnosis.ruled_out],
        "examined": diagnosis.examined,
    }


def _cause(finding: Finding) -> dict[str, Any]:
    return {
        "id": finding.id,
        "confidence": finding.confidence,
        "summary": finding.summary,
        "evidence": list(finding.evidence),
        "remedies": [
            {
                "id": remedy.id,
                "text": remedy.text,
                "command": remedy.command,
                "touches_system": remedy.touches_system,
                "verified": remedy.verified,
            }
            for remedy in finding.remedies
        ],
        "phase": finding.phase,
        "why": finding.why,
        "sources": [source for source in finding.sources if source != "run"],
    }


def as_text(diagnosis: Diagnosis) -> str:
    """Return what is printed: the best cause with everything, others in a line each."""
    return "\n".join(_lines(diagnosis))


def _lines(diagnosis: Diagnosis) -> Iterator[str]:
    if diagnosis.causes:
        best, *others = diagnosis.causes
        yield from _best(best)
        if others:
            yield ""
            yield "Also found:"
            for other in others:
                yield from _wrapped(f"{other.summary} ({other.id})", "  - ", "    ")
    elif diagnosis.unexplained:
        yield "It failed, and no known cause fits: no guess is made."
        yield ""
        yield from _wrapped(diagnosis.unexplained, "  ", "  ")
    else:
        yield "Nothing wrong was found."
    if not diagnosis.causes:
        yield ""
        yield f"{diagnosis.examined} causes were looked for."
    ruled_out = diagnosis.ruled_out
    if ruled_out:
        yield ""
        yield "Ruled out:"
        for item in ruled_out[:_RULED_OUT]:
            yield from _wrapped(f"{item.id}: {item.reason}", "  - ", "    ")
        if len(ruled_out) > _RULED_OUT:
            yield f"  - and {len(ruled_out) - _RULED_OUT} more (--format json)"


def _best(finding: Finding) -> Iterator[str]:
    yield from _wrapped(finding.summary, "", "")
    yield ""
    yield f"Cause: {finding.id} ({_words(finding.confidence)}, phase {finding.phase})"
    for line in finding.evidence:
        yield f"  {line}"
    if finding.why:
        yield ""
        yield from _wrapped(finding.why, "", "")
    yield ""
    yield "What to do:"
    for remedy in finding.remedies:
        yield from _remedy(remedy)
    links = [source for source in finding.sources if source != "run"]
    if links:
        yield ""
        yield "More:"
        yield from (f"  {link}" for link in links)


def _remedy(remedy: Remedy) -> Iterator[str]:
    words = remedy.text
    if remedy.touches_system:
        words += " (Changes your system.)"
    if remedy.verified is not None:
        words += " Tried: it works." if remedy.verified else " Tried: it does not help."
    yield from _wrapped(words, "  - ", "    ")
    if remedy.command:
        yield f"      {remedy.command}"


def _words(confidence: float) -> str:
    certain, likely = 0.9, 0.7
    if confidence >= certain:
        return "certain"
    return "likely" if confidence >= likely else "possible"


def _wrapped(text: str, first: str, rest: str) -> list[str]:
    return textwrap.wrap(
        text,
        _WIDTH,
        initial_indent=first,
        subsequent_indent=rest,
        break_long_words=False,
        break_on_hyphens=False,
    )

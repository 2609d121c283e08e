"""What ``harness bisect`` says of what it found."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from itertools import groupby
from typing import Any

import msgspec

from harness.model.status import Status
from harness.plan.bisection import Boundary, Verdict
from harness.report.view import Blame, blame, label, reason
from harness.report.words import count
from harness.workflow.bisecting import Bisection, Tried


def as_text(found: Bisection) -> str:
    """Return what was found, for people."""
    return "\n".join([_headline(found), "", *_table(found), "", *_notes(found), ""])


def as_json(found: Bisection) -> str:
    """Return what was found, for programs, as it is printed."""
    return msgspec.json.format(msgspec.json.encode(as_document(found)), indent=2).decode() + "\n"


def as_document(found: Bisection) -> dict[str, Any]:
    """Return what was found, for programs.

    Of each boundary, ``passing`` and ``failing`` are its two sides; where it is not ``exact``,
    the values that were ``stepped_over`` lie between them.
    """
    series = found.series
    return {
        "matrix": series.matrix,
        "cell": series.base.id,
        "axis": series.axis,
        "values": list(series.values),
        "run": len(_ran(found)),
        "stepped_over": len(found.tried) - len(_ran(found)),
        "boundaries": [_boundary(found, boundary) for boundary in found.boundaries],
        "tried": [_side(found.tried[place]) for place in sorted(found.tried)],
        "results": str(found.results),
    }


def repeat(found: Bisection, boundary: Boundary) -> str:
    """Return the command that runs the two cells of a boundary anew."""
    series = found.series
    words = ["harness", "bisect", series.source, series.base.id, "--axis", series.axis]
    for place in (boundary.before, boundary.after):
        words += ["--values", found.tried[place].value]
    return shlex.join([*words, *found.options, "--fresh"])


def _ran(found: Bisection) -> list[Tried]:
    return [one for one in found.tried.values() if one.verdict is not Verdict.SKIP]


def _boundary(found: Bisection, boundary: Boundary) -> dict[str, Any]:
    before, after = found.tried[boundary.before], found.tried[boundary.after]
    fails = after.verdict is Verdict.FAIL
    passing, failing = (before, after) if fails else (after, before)
    return {
        "starts_to": "fail" if fails else "pass",
        "at": after.value,
        "exact": not boundary.between,
        "stepped_over": [found.tried[place].value for place in boundary.between],
        "passing": _side(passing),
        "failing": _side(failing),
        "command": repeat(found, boundary),
    }


def _side(tried: Tried) -> dict[str, Any]:
    record = tried.record
    return {
        "value": tried.value,
        "cell": record.id,
        "status": record.status,
        "phase": record.phase,
        "cause": record.cause,
        "message": record.message,
        "control": None if tried.control is None else tried.control.status,
    }


def _headline(found: Bisection) -> str:
    name = f"{found.series.base.id} along {found.series.axis}"
    if not found.boundaries:
        return f"{name}: {_alike(found)}"
    said = []
    for boundary in found.boundaries:
        after, before = found.tried[boundary.after], found.tried[boundary.before]
        starts = "fail" if after.verdict is Verdict.FAIL else "pass"
        if boundary.between:
            said.append(f"starts to {starts} after {before.value}, at {after.value} at the latest")
        else:
            said.append(f"starts to {starts} at {after.value}")
    return f"{name}: {', then '.join(said)}"


def _alike(found: Bisection) -> str:
    ran = _ran(found)
    if not ran:
        return "nothing can be told, for no value could be run"
    if len(ran) == 1:
        return f"nothing can be told, for only {ran[0].value} could be run"
    does = "passes" if ran[0].verdict is Verdict.PASS else "fails"
    where = "at every value that could be run" if found.every else "at both ends"
    return f"no boundary, for it {does} {where}"


def _table(found: Bisection) -> Iterator[str]:
    """Yield a line for each value that was run, and one for several that were not."""
    values, tried = found.series.values, found.tried
    edges = {boundary.before for boundary in found.boundaries}
    labels = {place: label(one.record.status) for place, one in tried.items()}
    width = max(len(tried[place].value) for place in tried)
    wide = max(map(len, labels.values()))

    def kind(place: int) -> tuple[str, str]:
        """What neighbours have in common that share a line."""
        if place not in tried:
            return "", ""
        alone = tried[place].verdict is not Verdict.SKIP
        return str(place) if alone else "skip", labels[place]

    for (which, shown), together in groupby(range(len(values)), kind):
        places = list(together)
        first = places[0]
        if not which:
            yield f"  {'···':{width}}  {count(len(places), 'value')} not run"
            continue
        why = _why(tried[first])
        if len(places) > 1:
            why = f"to {values[places[-1]]}, {len(places)} values; the first {why}"
        yield f"  {values[first]:{width}}  {shown:{wide}}  {why}".rstrip()
        if first in edges:
            yield f"  {'-' * width}"


def _why(tried: Tried) -> str:
    if tried.record.status is Status.PASS:
        return ""
    phase = f"at {tried.record.phase.value}: " if tried.record.phase else ""
    return f"{phase}{reason(tried.record)}"


def _notes(found: Bisection) -> Iterator[str]:
    """Yield what must be known to rely on what was found."""
    tried, total = found.tried, len(found.series.values)
    ran = _ran(found)
    stepped = len(tried) - len(ran)
    over = f"; {stepped} could not be, and were stepped over" if stepped else ""
    yield f"{len(ran)} of {count(total, 'value')} were run{over}."
    for boundary in found.boundaries:
        before, after = tried[boundary.before], tried[boundary.after]
        if boundary.between:
            open_ = ", ".join(tried[place].value for place in boundary.between)
            yield f"Between {before.value} and {after.value} none could be run: {open_}."
        else:
            yield f"No value of the series lies between {before.value} and {after.value}."
        bad = after if after.verdict is Verdict.FAIL else before
        guilt = blame(bad.record, bad.control)
        if guilt is not Blame.NOTHING:
            yield f"At {bad.value}: {guilt.value}"
        if bad.record.cause:
            more = shlex.join(["harness", "why", str(found.results), bad.record.id])
            yield f"The cause is {bad.record.cause}: {more}"
        yield f"These two alone: {repeat(found, boundary)}"
    unrun = total - len(tried)
    if unrun:
        taken = "are taken to be like their neighbours" if found.boundaries else "may differ"
        yield f"Values that were not run {taken}; --exhaustive runs them."
    yield f"Logs: {found.results}/cells"

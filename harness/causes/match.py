"""The judge: which causes fit the evidence, which is the best, and which were ruled out.

Pure: the same evidence and the same catalogue give the same diagnosis.

How the order comes about.  A rule's word (certain, likely, possible) is the class of what it
finds; a cause for which both a fact and a text speak moves up one class, and one that is certain
besides stands above all.  Within a class, what stands first in the log comes first, since later
failures are usually consequences, and what facts alone say comes before what any text says.  A
cause gives way to those that its entry names (``yields_to``), and one that was found by a
wrapper's rule alone to every other.  What is merely possible is left away beside something
certain.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, NamedTuple

from harness.causes.commands import distribution_of, for_path, with_places
from harness.causes.conditions import holds
from harness.causes.entries import CONFIDENCE, Catalogue, Cause, Rule
from harness.causes.fill import Lookup, fill, fill_change, lookup
from harness.causes.log import Log, read_log, unwrapped
from harness.causes.model import Diagnosis, Evidence, Fact, Finding, Remedy, RuledOut
from harness.causes.patterns import compile_pattern
from harness.causes.reading import facts_of
from harness.causes.trouble import first_trouble

_BOTH: Final = 0.99
"""Confidence where facts and text agree."""
_SHOWN: Final = 6
"""Pieces of evidence that a finding names at most."""
_START: Final = 4
"""Letters of a needle by which it is looked up first."""


class _Match(NamedTuple):
    """One rule that fits."""

    rule: Rule
    offset: int
    """In the text; -1 where no text was asked for."""
    evidence: tuple[str, ...]
    groups: dict[str, str]


class _Found(NamedTuple):
    """One cause that fits."""

    cause: Cause
    matches: tuple[_Match, ...]
    """Best first."""
    confidence: float
    offset: int

    @property
    def is_wrapper(self) -> bool:
        return all(match.rule.wrapper for match in self.matches)


def judge(evidence: Evidence, catalogue: Catalogue) -> Diagnosis:
    """Name the causes of a failure.

    Facts that the text itself tells (``py_config()``, ``sessionInfo()``, lists of packages)
    are added to those of the evidence, which win.
    """
    log = read_log(evidence.text, catalogue.notices, catalogue.needles)
    facts = {**facts_of(log.text), **evidence.facts}
    found = list(_search(log, facts, catalogue))
    kept, ruled_out = _rank(found)
    if not kept or kept[0].confidence < CONFIDENCE["certain"]:
        joined = unwrapped(log)
        again = [] if joined is None else list(_search(joined, facts, catalogue))
        others, others_ruled_out = _rank(again)
        if others and (not kept or _order(others[0])[0] < _order(kept[0])[0]):
            assert joined is not None
            log, found, kept, ruled_out = joined, again, others, others_ruled_out
    causes = tuple(_finding(item, facts) for item in kept)
    phase = facts.get("phase")
    if phase is None and causes:
        phase = causes[0].phase
    return Diagnosis(
        causes=causes,
        phase=None if phase is None else str(phase),
        ruled_out=(
            *ruled_out,
            *_contradicted(catalogue.causes, facts, {item.cause.id for item in found}),
            *_notices(log, catalogue),
        ),
        unexplained=None if causes else first_trouble(log),
        examined=len(catalogue.causes),
    )


# --- looking -----------------------------------------------------------------------------------


def _search(log: Log, facts: Mapping[str, Fact], catalogue: Catalogue) -> Iterator[_Found]:
    sought = _Sought(log, catalogue.needles)
    for cause in catalogue.causes:
        matches = [
            match for rule in cause.rules if (match := _match(rule, sought, facts)) is not None
        ]
        if not matches:
            continue
        matches.sort(key=lambda match: (-CONFIDENCE[match.rule.confidence], match.offset))
        confidence = CONFIDENCE[matches[0].rule.confidence]
        if {bool(match.rule.when) for match in matches} == {True, False} or any(
            match.rule.when and match.offset >= 0 for match in matches
        ):
            confidence = _BOTH if confidence >= CONFIDENCE["likely"] else CONFIDENCE["likely"]
        offset = min((match.offset for match in matches if match.offset >= 0), default=-1)
        yield _Found(cause, tuple(matches), confidence, offset)


class _Sought:
    """A log and what was looked for in it; patterns that cannot fit are never compiled."""

    def __init__(self, log: Log, needles: Mapping[str, tuple[str, ...]]) -> None:
        self.log = log
        self.needles = needles
        self.lowered = log.text.lower()
        # Looking for thousands of needles in a long log takes seconds; most are ruled out by
        # their first letters alone.
        self.starts = {
            self.lowered[at : at + _START] for at in range(max(len(self.lowered) - _START + 1, 0))
        }

    def first(self, patterns: Iterable[str]) -> re.Match[str] | None:
        """Return the match of any of the patterns that stands first."""
        found = [match for pattern in patterns if (match := self._search(pattern)) is not None]
        return min(found, key=lambda match: match.start(), default=None)

    def _has(self, needle: str) -> bool:
        if len(needle) >= _START and needle[:_START] not in self.starts:
            return False
        return needle in self.lowered

    def _search(self, pattern: str) -> re.Match[str] | None:
        needles = self.needles.get(pattern, ())
        if needles and not any(map(self._has, needles)):
            return None
        return compile_pattern(pattern).search(self.log.text)


def _match(rule: Rule, sought: _Sought, facts: Mapping[str, Fact]) -> _Match | None:
    if not all(holds(name, condition, facts) for name, condition in rule.when.items()):
        return None
    parts: list[re.Match[str]] = []
    for patterns in ((rule.text,) if rule.text else ()) + tuple((one,) for one in rule.all):
        found = sought.first(patterns)
        if found is None:
            return None
        parts.append(found)
    if rule.unless and sought.first(rule.unless) is not None:
        return None
    groups: dict[str, str] = {}
    for part in reversed(parts):
        groups |= {name: value for name, value in part.groupdict().items() if value}
    lines = (sought.log.line(part.start()) for part in parts)
    return _Match(
        rule=rule,
        offset=min((part.start() for part in parts), default=-1),
        evidence=(
            *(f"{name} = {_shown(facts[name])}" for name in rule.when if name in facts),
            *(f"line {number}: {line}" for number, line in dict.fromkeys(lines)),
        ),
        groups=groups,
    )


def _shown(value: Fact) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return ", ".join(value) if isinstance(value, tuple | list) else str(value)


# --- ranking -----------------------------------------------------------------------------------


def _rank(found: list[_Found]) -> tuple[list[_Found], list[RuledOut]]:
    """Order what was found and take out what something else explains."""
    ids = {item.cause.id for item in found}
    ruled_out: list[RuledOut] = []
    left: list[_Found] = []
    for item in found:
        winner = next((name for name in item.cause.yields_to if name in ids), None)
        if winner is not None:
            ruled_out.append(RuledOut(id=item.cause.id, reason=f"{winner} explains it"))
        else:
            left.append(item)
    inner = [item for item in left if not item.is_wrapper]
    if inner:
        for item in left:
            if item.is_wrapper:
                reason = f"its message only wraps another failure: {inner[0].cause.id}"
                ruled_out.append(RuledOut(id=item.cause.id, reason=reason))
        left = inner
    left.sort(key=_order)
    if left and left[0].confidence >= CONFIDENCE["certain"]:
        for item in left:
            if item.confidence <= CONFIDENCE["possible"]:
                reason = f"no more than possible, and {left[0].cause.id} is certain"
                ruled_out.append(RuledOut(id=item.cause.id, reason=reason))
        left = [item for item in left if item.confidence > CONFIDENCE["possible"]]
    return left, ruled_out


def _order(item: _Found) -> tuple[int, int, float]:
    if item.confidence >= _BOTH and item.matches[0].rule.confidence == "certain":
        rank = 0
    elif item.confidence >= CONFIDENCE["certain"]:
        rank = 1
    elif item.confidence >= CONFIDENCE["likely"]:
        rank = 2
    else:
        rank = 3
    return rank, item.offset, -item.confidence


def _contradicted(
    causes: Iterable[Cause], facts: Mapping[str, Fact], found: set[str]
) -> Iterator[RuledOut]:
    """Yield causes that part of the facts speak for, and a fact that is known against."""
    for cause in causes:
        if cause.id in found:
            continue
        for rule in cause.rules:
            speaks = [name for name, asked in rule.when.items() if holds(name, asked, facts)]
            against = next(
                (name for name in rule.when if name in facts and name not in speaks), None
            )
            if speaks and against is not None:
                yield RuledOut(id=cause.id, reason=f"{against} is {_shown(facts[against])}")
                break


def _notices(log: Log, catalogue: Catalogue) -> Iterator[RuledOut]:
    meanings = {notice.id: notice.means for notice in catalogue.notices}
    for name, number in log.passed_over:
        yield RuledOut(id=name, reason=f"line {number} is harmless: {meanings[name]}")


# --- telling -----------------------------------------------------------------------------------


def _finding(item: _Found, facts: Mapping[str, Fact]) -> Finding:
    cause = item.cause
    groups: dict[str, str] = {}
    for match in reversed(item.matches):
        groups |= match.groups
    if "module" in groups:
        groups["distribution"] = distribution_of(groups["module"])
    find = lookup(groups, facts)
    evidence = dict.fromkeys(line for match in item.matches for line in match.evidence)
    phases = cause.phases
    known = facts.get("phase")
    return Finding(
        id=cause.id,
        confidence=item.confidence,
        summary=fill(cause.summary, find) or cause.means,
        evidence=tuple(evidence)[:_SHOWN],
        remedies=tuple(_remedies(cause, find, facts)),
        phase=str(known) if known in phases else phases[0],
        why=" ".join(cause.why.split()),
        sources=cause.sources,
    )


def _remedies(cause: Cause, find: Lookup, facts: Mapping[str, Fact]) -> Iterator[Remedy]:
    for entry in cause.remedies:
        if not all(holds(name, condition, facts) for name, condition in entry.when.items()):
            continue
        command = None if entry.command is None else fill(entry.command, find)
        if command is not None:
            command = for_path(command, facts)
        if command is not None:
            command = with_places(command)
        yield Remedy(
            id=entry.id,
            text=fill(entry.text, find) or "",
            command=command,
            apply=fill_change(entry.apply, find),
            touches_system=entry.touches_system,
        )

"""Ranges of versions that go together, derived from runs, with their gaps.

A claim holds one version fixed and lists what came of each version of something else: Python 3.12
with reticulate 1.18, 1.28, 1.41, 1.47.  A range runs from one version that was tried and works to
another, with nothing in between that was tried and does not.  Where a range begins lies somewhere
between its first version and the nearest older one that does not work, and is not known any
better.  A version that works in some cells and not in others is *mixed*, and in no range: a new
result can take versions out of a range, and puts none in that it speaks against.

A failure whose cause is a matter of R (an rpy2 that is too new for it) tells nothing of a Python,
a framework or a numpy.  It is left out of what is said of those, and counts in a claim of its own
along the versions of R, which there is for such a bridge alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum
from typing import Final, Literal

import msgspec

from harness.causes import load_catalogue
from harness.model.document import Results
from harness.model.once import once
from harness.model.order import natural_key
from harness.model.status import Status
from harness.published.figure import Figure, share
from harness.published.seen import WITH_ARRAYS, Seen, last_seen, seen

Axis = Literal["bridge", "python", "r", "framework", "numpy"]
Asks = Literal["starts", "works"]

_NOUNS: Final[dict[Axis, str]] = {"python": "Python ", "r": "R "}
"""What stands before the versions of a language; those of a package stand alone."""
_NAMES: Final = {"python": "Python", "r": "R", "numpy": "numpy"}
_APART: Final = ("path", "r", "python", "framework", "cuda", "numpy")
_SUITABLE: Final = 6
"""Values named of one side of what tells cells apart."""


class Outcome(StrEnum):
    """What came of a version: of all cells that tell, or ``mixed`` where they differ."""

    WORKS = "works"
    FAILS = "fails"
    MIXED = "mixed"


class Tried(msgspec.Struct, frozen=True, kw_only=True):
    """One version, with the ids of the cells that tell of it.

    ``apart`` says what tells those that pass from those that fail, where they differ:
    ``numpy: works with 1.26.4, fails with 2.4.6``.
    """

    version: str
    outcome: Outcome
    passing: tuple[str, ...]
    failing: tuple[str, ...]
    apart: tuple[str, ...] = ()


class Range(msgspec.Struct, frozen=True, kw_only=True):
    """Versions that work: the first and the last that were tried, and all tried in between.

    ``below`` and ``above`` are the nearest versions tried that do not work, or only in part;
    ``None`` where nothing older, or newer, was tried.
    """

    first: str
    last: str
    tested: tuple[str, ...]
    below: str | None = None
    above: str | None = None


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """What runs say of one thing along the versions of another.

    ``subject`` is a bridge or a framework, ``given`` what is held fixed, axis and version.
    ``asks`` is ``starts`` (Python comes up behind the bridge) or ``works`` (all comes up and
    data arrive; of a bridge, in cells that start).  ``last_seen`` is UTC, ISO 8601.
    """

    subject: str
    kind: Literal["bridge", "framework"]
    asks: Asks
    along: Axis
    given: tuple[str, str]
    tried: tuple[Tried, ...]
    ranges: tuple[Range, ...]
    last_seen: str
    sentence: str

    @property
    def cells(self) -> tuple[str, ...]:
        """The ids of all cells that it is from."""
        return tuple(
            dict.fromkeys(cell for one in self.tried for cell in (*one.passing, *one.failing))
        )

    @property
    def contradictions(self) -> tuple[Tried, ...]:
        """The versions that work in some cells and not in others."""
        return tuple(one for one in self.tried if one.outcome is Outcome.MIXED)


class Coverage(msgspec.Struct, frozen=True, kw_only=True):
    """How much of the table is known.

    ``cells`` are those with a result, of all planned; ``unavailable`` those that could exist and
    not on this machine.  A pair is two values of different axes: ``pairs_measured`` occur
    together in a cell with a result, ``pairs_planned`` in one that was planned, and
    ``pairs_possible`` are all that the values allow.
    """

    cells: Figure
    planned: int
    measured: int
    unavailable: int
    pairs_measured: int
    pairs_planned: int
    pairs_possible: int
    last_seen: str


class LeftOut(msgspec.Struct, frozen=True, kw_only=True):
    """Failures that are left out of what is said of another axis than their cause's.

    ``where`` names their bridges and R, and their Python where it is one alone: ``rpy2 3.6.9 with
    R 4.0.4 and 4.2.2``.
    """

    cause: str
    means: str
    where: str
    cells: tuple[str, ...]


class _Question(msgspec.Struct, frozen=True):
    kind: Literal["bridge", "framework"]
    subject: str
    asks: Asks
    along: Axis
    given: tuple[str, str]


@once
def ranges(results: Results) -> tuple[Claim, ...]:
    """Return every claim that the results allow; the order of their cells does not matter."""
    asked: dict[_Question, list[Seen]] = {}
    about = {cause.id: cause.about for cause in load_catalogue().causes if cause.about}
    for one in seen(results):
        failed = one.works is False or one.starts is False
        for question in _questions(one, about.get(one.record.cause or "") if failed else None):
            asked.setdefault(question, []).append(one)
    found = (_claim(question, asked[question]) for question in sorted(asked, key=_key))
    # Of R there is something to say only where something is a matter of R.
    return tuple(
        claim
        for claim in found
        if claim.along != "r" or any(tried.failing for tried in claim.tried)
    )


@once
def left_out(results: Results) -> tuple[LeftOut, ...]:
    """Return the failures that show no limit of a Python, a framework or a numpy, by cause."""
    found: dict[tuple[str, str], list[Seen]] = {}
    for one in seen(results):
        if one.works is False and one.path != "native":
            found.setdefault((one.record.cause or "", one.path), []).append(one)
    return tuple(
        LeftOut(
            cause=cause.id,
            means=cause.means,
            where=_where(path, found[cause.id, path]),
            cells=tuple(one.id for one in found[cause.id, path]),
        )
        for cause in load_catalogue().causes
        if cause.about
        for path in sorted(path for name, path in found if name == cause.id)
    )


def _where(path: str, cells: Sequence[Seen]) -> str:
    """Return what cells have in common, with each version of it."""
    bridges, rs, pythons = (_values(axis, cells) for axis in ("bridge", "r", "python"))
    python = f" and Python {_some(pythons)}" if len(pythons) == 1 else ""
    return " ".join(filter(None, (path, _some(bridges), f"with R {_some(rs)}"))) + python


@once
def coverage(results: Results) -> Coverage:
    """Return how much of the planned table has a result."""
    unknown = {Status.MISSING, Status.SKIPPED, Status.UNAVAILABLE}
    measured = [record for record in results.cells if record.status not in unknown]
    values: dict[str, set[str | None]] = {}
    pairs: dict[bool, set[tuple[str, str | None, str, str | None]]] = {True: set(), False: set()}
    for record in results.cells:
        axes = sorted(record.axes.items())
        for position, (axis, value) in enumerate(axes):
            values.setdefault(axis, set()).add(value)
            for other, its in axes[position + 1 :]:
                pairs[record.status not in unknown].add((axis, value, other, its))
    sizes = [len(found) for found in values.values()]
    return Coverage(
        cells=share((one.id for one in measured), (one.id for one in results.cells)),
        planned=len(results.cells),
        measured=len(measured),
        unavailable=sum(one.status is Status.UNAVAILABLE for one in results.cells),
        pairs_measured=len(pairs[True]),
        pairs_planned=len(pairs[True] | pairs[False]),
        pairs_possible=sum(
            size * other for place, size in enumerate(sizes) for other in sizes[place + 1 :]
        ),
        last_seen=max((one.started_at for one in measured), default=""),
    )


def _questions(one: Seen, about: str | None) -> Iterator[_Question]:
    """Yield what a cell has something to say of.

    ``about`` is the axis that the cause of its failure is a matter of, where it is one alone.
    """
    versions = one.versions
    python, bridge = versions.get("python"), versions.get("bridge")
    if one.path == "native":
        version = versions.get("framework")
        if one.works is not None and version and python:
            yield _Question("framework", one.framework, "works", "framework", ("python", python))
            yield _Question("framework", one.framework, "works", "python", ("framework", version))
        return
    if bridge and versions.get("r") and (one.works or (one.works is False and about == "r")):
        yield _Question("bridge", one.path, "works", "r", ("bridge", bridge))
    if one.starts is not None and python and (one.starts or about in {None, "python"}):
        if bridge:
            yield _Question("bridge", one.path, "starts", "bridge", ("python", python))
        yield _Question("bridge", one.path, "starts", "python", ("bridge", bridge or ""))
    if one.works is not None and one.starts and bridge:
        if one.framework and about in {None, "framework"}:
            yield _Question("bridge", one.path, "works", "bridge", ("framework", one.framework))
        numpy = versions.get("numpy")
        if numpy and about in {None, "numpy"} and _sends_arrays(one):
            major = numpy.partition(".")[0]
            yield _Question("bridge", one.path, "works", "bridge", ("numpy", major))


def _sends_arrays(one: Seen) -> bool:
    return any(probe.name in WITH_ARRAYS for probe in one.record.probes)


def _key(question: _Question) -> tuple[object, ...]:
    axis, value = question.given
    return (
        question.kind,
        question.subject,
        question.asks,
        question.along,
        axis,
        natural_key(value),
    )


def _claim(question: _Question, cells: Sequence[Seen]) -> Claim:
    found: dict[str, list[Seen]] = {}
    for one in cells:
        found.setdefault(one.versions[question.along], []).append(one)
    tried = tuple(
        _tried(version, found[version], question) for version in sorted(found, key=natural_key)
    )
    spans = tuple(_ranges(tried))
    return Claim(
        subject=question.subject,
        kind=question.kind,
        asks=question.asks,
        along=question.along,
        given=question.given,
        tried=tried,
        ranges=spans,
        last_seen=last_seen(cells),
        sentence=_sentence(question, tried, spans),
    )


def _tried(version: str, cells: Sequence[Seen], question: _Question) -> Tried:
    passing = [one for one in cells if _says(one, question.asks)]
    failing = [one for one in cells if not _says(one, question.asks)]
    alike = Outcome.WORKS if passing else Outcome.FAILS
    outcome = Outcome.MIXED if passing and failing else alike
    return Tried(
        version=version,
        outcome=outcome,
        passing=tuple(one.id for one in passing),
        failing=tuple(one.id for one in failing),
        apart=tuple(_apart(passing, failing)),
    )


def _says(one: Seen, asks: Asks) -> bool | None:
    return one.starts if asks == "starts" else one.works


def _apart(passing: Sequence[Seen], failing: Sequence[Seen]) -> Iterator[str]:
    """Yield the versions of which those that pass have other values than those that fail."""
    if not passing or not failing:
        return
    for axis in _APART:
        good, bad = (_values(axis, cells) for cells in (passing, failing))
        if good and bad and not good & bad:
            name = _NAMES.get(axis, axis)
            yield f"{name}: works with {_some(good)}, fails with {_some(bad)}"


def _values(axis: str, cells: Iterable[Seen]) -> set[str]:
    if axis == "framework":
        return {one.framework or "none" for one in cells}
    if axis in {"path", "cuda"}:
        return {str(one.record.axes.get(axis)) for one in cells}
    return {one.versions.get(axis, "") for one in cells} - {""}


def _ranges(tried: Sequence[Tried]) -> Iterator[Range]:
    start = 0
    while start < len(tried):
        if tried[start].outcome is not Outcome.WORKS:
            start += 1
            continue
        end = start
        while end + 1 < len(tried) and tried[end + 1].outcome is Outcome.WORKS:
            end += 1
        yield Range(
            first=tried[start].version,
            last=tried[end].version,
            tested=tuple(one.version for one in tried[start : end + 1]),
            below=tried[start - 1].version if start else None,
            above=tried[end + 1].version if end + 1 < len(tried) else None,
        )
        start = end + 1


def _sentence(question: _Question, tried: Sequence[Tried], spans: Sequence[Range]) -> str:
    """Return the claim in words, with what was tried and what was not."""
    by = {one.version: one for one in tried}
    mixed = [one for one in tried if one.outcome is Outcome.MIXED]
    fails = [one.version for one in tried if one.outcome is Outcome.FAILS]
    noun = _NOUNS.get(question.along, "")
    if len(tried) == 1 and spans:
        return f"{_about(question)} {noun or 'with '}{tried[0].version}, the only one tried"
    clauses = [_span(span, question, by) for span in spans]
    if not spans and not mixed:
        clauses.append(f"with no {noun or 'version '}that was tried ({_some(fails)})")
    elif fails:
        clauses.append(f"not with {noun}{_some(fails)}")
    clauses += [_in_part(one, noun) for one in mixed]
    return f"{_about(question)} {'; '.join(clauses)}"


def _about(question: _Question) -> str:
    axis, value = question.given
    if question.along in _NOUNS:
        return f"{question.subject} {value}".strip() + ":"
    name = "" if axis == "framework" else f"{_NAMES.get(axis, axis)} "
    return f"{question.subject}: {name}{value}"


def _span(span: Range, question: _Question, by: dict[str, Tried]) -> str:
    """Return one range in words."""
    noun = _NOUNS.get(question.along, "")
    whole = question.along == "python" and all(map(_are_neighbours, span.tested, span.tested[1:]))
    tested = "" if whole or len(span.tested) == 1 else f", tested {_some(span.tested)}"
    if span.below is None and span.above is None:
        return f"{noun or 'with '}{_some(span.tested, whole=whole)}, all that were tried"
    # One version that was tried is no range, whichever side of it is open.
    words = f"{noun or 'with '}{span.first}"
    if span.first != span.last:
        words += f" to {span.last}"
        if span.above is None and not noun:
            words = f"from {span.first} on"
        elif span.below is None and not noun:
            words = f"up to {span.last}"
    gaps = [
        f"between {low} and {high}"
        for low, high in ((span.below, span.first), (span.last, span.above))
        if low
        and high
        and Outcome.MIXED not in {by[low].outcome, by[high].outcome}
        and not _are_neighbours(low, high)
    ]
    return words + tested + (f" (not tried {' and '.join(gaps)})" if gaps else "")


def _in_part(one: Tried, noun: str) -> str:
    why = f" ({'; '.join(one.apart)})" if one.apart else ""
    count = len(one.passing) + len(one.failing)
    return f"with {noun}{one.version} in {len(one.passing)} of {count} cells{why}"


def _are_neighbours(low: str, high: str) -> bool:
    """Say whether nothing can lie between: minors of Python, or two builds of one version."""
    if low.partition("+")[0] == high.partition("+")[0]:
        return True
    first, second = low.split("."), high.split(".")
    return (
        len(first) == len(second) == len(("major", "minor"))
        and first[0] == second[0] == "3"
        and first[1].isdigit()
        and second[1] == str(int(first[1]) + 1)
    )


def _some(values: Iterable[str], *, whole: bool = False) -> str:
    """Return versions as a list, or from the first to the last where none is left out."""
    every = sorted(set(values), key=natural_key)
    if whole and len(every) > len(("first", "last")):
        return f"{every[0]} to {every[-1]}"
    if len(every) > _SUITABLE:
        return f"{every[0]} to {every[-1]} ({len(every)} versions)"
    return " and ".join((", ".join(every[:-1]), every[-1])) if every[1:] else "".join(every)

"""Which path should I use?  Answered from results, by rules that are stated.

Of each path the newest version of its bridge is judged that has enough cells; older ones are
listed beside it.  A need is a rule that orders paths by one number; where numbers are equal, or
one is missing, nothing is made up: the path that has none is not considered for the need.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final, Literal

import msgspec

from harness.model.document import Results
from harness.model.order import natural_key
from harness.model.status import Status
from harness.published.costs import Cost, Timed, costs, timed
from harness.published.figure import Figure, share
from harness.published.losses import Loss, losses, silent
from harness.published.seen import NOT_RUN, Seen, seen
from harness.report.words import count

ENOUGH: Final = 3
"""Cells that must tell of a version before it is judged."""
RELIABLE: Final = 0.9
"""The share of cells that must work before a path is recommended."""
BUSY: Final = "these times come from a busy machine"
"""Why nothing is told of a need: a path was faster there than Python alone."""
_FROM_PYTHON: Final = frozenset({"rpy2", "rpc rserve"})
"""Paths on which Python is the host and calls R."""

Host = Literal["R", "Python"]


class VersionAdvice(msgspec.Struct, frozen=True, kw_only=True):
    """One version of a path's bridge; empty for a path that is made of no package.

    ``passes`` are the cells that passed, of those that ran: one of which no packages can exist
    did not.  ``works`` are those in which all
    came up and data arrived, of those that tell: a cell whose control, the same work without R,
    stops at the same point is ``excused`` and not counted.  ``controls`` are the controls that
    passed.
    """

    version: str
    passes: Figure
    works: Figure
    excused: Figure
    controls: Figure


class PathAdvice(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one path: it works, it costs, it loses.

    ``judged`` is the newest version that has enough cells, or ``None``; ``pythons`` counts the
    Pythons that start behind it.  Costs and losses are of all versions that are reliable, or of
    this one where none is.  ``by_probe`` are the cells that pass each probe, of those that ran
    it, over all versions.
    """

    path: str
    host: Host
    versions: tuple[VersionAdvice, ...]
    judged: VersionAdvice | None
    by_probe: tuple[tuple[str, Figure], ...]
    costs: tuple[Cost, ...]
    losses: tuple[Loss, ...]
    silent: Figure | None
    pythons: Figure | None

    @property
    def name(self) -> str:
        """The path with the version that was judged."""
        return f"{self.path} {self.judged.version if self.judged else ''}".strip()

    def cost(self, probe: str, stage: str) -> Figure | None:
        """Return path minus control of a stage, or ``None`` where it was not measured."""
        found = self.measured(probe, stage)
        return found.cost if found else None

    def measured(self, probe: str, stage: str) -> Cost | None:
        """Return all that is known of the cost of a stage."""
        of_it = (one for one in self.costs if (one.probe, one.stage) == (probe, stage))
        return next(of_it, None)


class Recommendation(msgspec.Struct, frozen=True, kw_only=True):
    """A path for a need, by the rule that chose it.

    ``best`` is more than one path where their numbers are not told apart, and empty where nothing
    that was measured can be recommended.  ``figures`` are the numbers of ``order``, the paths that
    were considered, the best first.
    """

    need: str
    rule: str
    best: tuple[str, ...]
    why: str
    order: tuple[str, ...]
    figures: tuple[Figure, ...]

    @property
    def path(self) -> str | None:
        """What is recommended, in words; ``None`` for nothing."""
        return " or ".join(self.best) or None


class Advice(msgspec.Struct, frozen=True, kw_only=True):
    """All paths, the recommendations, and the rules that hold for every one of them."""

    paths: tuple[PathAdvice, ...]
    recommendations: tuple[Recommendation, ...]
    rules: tuple[str, ...]


class _Number(msgspec.Struct, frozen=True):
    """A number to be weighed, and between what half of its cells lie."""

    figure: Figure
    low: float
    high: float

    def is_like(self, other: _Number) -> bool:
        """Say whether the two are not told apart."""
        mine, its = self.figure.value, other.figure.value
        return self.low <= its <= self.high or other.low <= mine <= other.high


class _Need(msgspec.Struct, frozen=True):
    need: str
    rule: str
    host: Host
    number: Callable[[PathAdvice], _Number | None]
    most: bool = False
    """Whether the greatest number is the best."""


_RULES: Final = tuple(
    """
Of each path the newest version of its bridge is judged of which at least {enough} cells tell \
something; costs and losses are of every version of which {reliable} of the cells work.
A cell works where all came up and data arrived: the probes init, train, convert, transfer and \
call. An error or a callback that does not cross is listed, and is no reason against a path.
A cell whose control, the same work in Python without R, stops at the same point is not counted.
A path is recommended where at least {reliable} of its cells work, and only where another one \
has a number to hold against it.
A path without a number for a need is not considered for it.
Costs are medians of path minus control, of cells on one machine. Two paths are not told apart \
where the median of one lies within the middle half of the other's cells. Where a median is less \
than nothing, the path was faster than Python alone: that is the machine's doing, and no path is \
recommended by such times.
""".format(enough=ENOUGH, reliable=f"{RELIABLE:.0%}")
    .strip()
    .splitlines()
)
"""What holds for every recommendation, a sentence or two each."""


def advice(results: Results) -> Advice:
    """Return what the results say of every path; the order of their cells does not matter."""
    by_path = _by_path(results)
    passed = _passed(results)
    times, lost = timed(results), losses(results)
    paths = tuple(_path(path, by_path[path], passed, times, lost) for path in sorted(by_path))
    chosen = tuple(_choice(need, paths) for need in _NEEDS)
    return Advice(paths=paths, recommendations=chosen, rules=_RULES)


def versions(results: Results) -> dict[str, tuple[VersionAdvice, ...]]:
    """Return what works of every path, by version of its bridge, without costs and losses."""
    passed = _passed(results)
    return {
        path: _versions(_by_version(cells), passed)
        for path, cells in sorted(_by_path(results).items())
    }


def _by_path(results: Results) -> dict[str, list[Seen]]:
    found: dict[str, list[Seen]] = {}
    for one in seen(results):
        if one.path != "native":
            found.setdefault(one.path, []).append(one)
    return found


def _passed(results: Results) -> set[str]:
    return {one.id for one in results.cells if one.status is Status.PASS}


def _by_version(cells: Sequence[Seen]) -> dict[str, list[Seen]]:
    found: dict[str, list[Seen]] = {}
    for one in cells:
        found.setdefault(one.versions.get("bridge", ""), []).append(one)
    return found


def _versions(
    by_version: Mapping[str, Sequence[Seen]], passed: set[str]
) -> tuple[VersionAdvice, ...]:
    return tuple(
        _version(version, by_version[version], passed)
        for version in sorted(by_version, key=natural_key)
    )


def _path(
    path: str,
    cells: Sequence[Seen],
    passed: set[str],
    times: Sequence[Timed],
    lost: Sequence[Loss],
) -> PathAdvice:
    by_version = _by_version(cells)
    found = _versions(by_version, passed)
    enough = [one for one in found if len(one.works.cells) >= ENOUGH]
    judged = enough[-1] if enough else None
    of_it = by_version[judged.version] if judged else []
    reliable = [one for one in enough if one.works.value >= RELIABLE]
    names = {one.version for one in reliable or enough[-1:]}
    ids = frozenset(one.id for name in names for one in by_version[name])
    of_ids = tuple(loss for loss in lost if loss.cell in ids)
    return PathAdvice(
        path=path,
        host="Python" if path in _FROM_PYTHON else "R",
        versions=found,
        judged=judged,
        by_probe=tuple(_by_probe(cells)),
        costs=costs(times, ids),
        losses=of_ids,
        silent=silent(of_ids),
        pythons=_pythons(of_it) if judged else None,
    )


def _version(version: str, cells: Sequence[Seen], passed: set[str]) -> VersionAdvice:
    asked = [one for one in cells if one.record.status not in NOT_RUN]
    ran = [one for one in asked if one.record.status is not Status.UNSATISFIABLE]
    return VersionAdvice(
        version=version,
        passes=share((one.id for one in ran if one.id in passed), (one.id for one in ran)),
        works=share(
            (one.id for one in asked if one.works),
            (one.id for one in asked if one.works is not None),
        ),
        excused=share(
            (one.id for one in asked if one.works is None and one.record.control not in passed),
            (one.id for one in asked),
        ),
        controls=share(
            passed, (one.record.control for one in ran if one.record.control is not None)
        ),
    )


def _by_probe(cells: Sequence[Seen]) -> list[tuple[str, Figure]]:
    names = dict.fromkeys(probe.name for one in cells for probe in one.record.probes)
    found = []
    for name in names:
        of_it = {
            one.id: [probe.status for probe in one.record.probes if probe.name == name]
            for one in cells
        }
        ran = [cell for cell, statuses in of_it.items() if statuses]
        good = [cell for cell in ran if set(of_it[cell]) == {Status.PASS}]
        found.append((name, share(good, ran)))
    return found


def _pythons(cells: Sequence[Seen]) -> Figure:
    told = [one for one in cells if one.starts is not None and one.versions.get("python")]
    tried = {one.versions["python"] for one in told}
    found = sorted({one.versions["python"] for one in told if one.starts}, key=natural_key)
    return Figure(
        value=len(found),
        unit="versions",
        text=f"{len(found)} of {count(len(tried), 'Python')} tried ({', '.join(found)})",
        cells=tuple(one.id for one in told),
    )


def _choice(need: _Need, paths: Sequence[PathAdvice]) -> Recommendation:
    numbered = [
        (path, number)
        for path in paths
        if path.host == need.host and path.judged and (number := need.number(path)) is not None
    ]
    others = [path for path, _ in numbered if not _is_reliable(path)]
    numbered = [(path, number) for path, number in numbered if _is_reliable(path)]
    sign = -1 if need.most else 1
    numbered.sort(key=lambda pair: (sign * pair[1].figure.value, pair[0].path))
    best = [path.path for path, number in numbered if number.is_like(numbered[0][1])]
    said = "; ".join(f"{path.name}: {number.figure.text}" for path, number in numbered)
    if len(numbered) < len(("one", "another")):
        best = []
        only = f"Only one was measured: {said}." if said else "Nothing was measured."
        why = f"{only} A path is weighed against others of which {RELIABLE:.0%} of the cells work."
        if others and not numbered:
            why = _none_reaches(others)
    elif any(number.figure.value < 0 for _, number in numbered):
        best = []
        why = f"{said}. Not told: {BUSY}."
    else:
        alike = f" {' and '.join(best)} are not told apart." if len(best) > 1 else ""
        why = f"{said}.{alike}"
    return Recommendation(
        need=need.need,
        rule=need.rule,
        best=tuple(best),
        why=why,
        order=tuple(path.path for path, _ in numbered),
        figures=tuple(number.figure for _, number in numbered),
    )


def _is_reliable(path: PathAdvice) -> bool:
    return path.judged is not None and path.judged.works.value >= RELIABLE


def _none_reaches(paths: Sequence[PathAdvice]) -> str:
    """Say of how many cells each path works, where that is too few for every one."""
    known = [(path.name, path.judged.works) for path in paths if path.judged]
    known.sort(key=lambda one: (-one[1].value, one[0]))
    said = "; ".join(f"{name} works in {works.text} cells" for name, works in known)
    return f"None reaches {RELIABLE:.0%}: {said}."


def _exactly(figure: Figure | None) -> _Number | None:
    return _Number(figure, figure.value, figure.value) if figure is not None else None


def _cost(probe: str, stage: str) -> Callable[[PathAdvice], _Number | None]:
    def number(path: PathAdvice) -> _Number | None:
        found = path.measured(probe, stage)
        return _Number(found.cost, found.low, found.high) if found is not None else None

    return number


_NEEDS: Final = (
    _Need(
        "From R, whatever the Python",
        (
            "the path that started the most Python versions in these results; where few were "
            "tried, few can be"
        ),
        "R",
        lambda path: _exactly(path.pythons),
        most=True,
    ),
    _Need(
        "From R, values that arrive as they were sent",
        "the path that loses the smallest share of values silently, both ways",
        "R",
        lambda path: _exactly(path.silent),
    ),
    _Need(
        "From R, many small calls",
        "the path that adds the least time to a call of nothing",
        "R",
        _cost("call", "noop"),
    ),
    _Need(
        "From R, large arrays",
        "the path that adds the least time to bringing the training's data into the framework",
        "R",
        _cost("train", "transfer"),
    ),
    _Need(
        "From R, a framework that is up soon",
        (
            "the path that adds the least of the processor's time before the framework's first "
            "operation"
        ),
        "R",
        _cost("init", ""),
    ),
    _Need(
        "From Python, R as the guest",
        "the path of which the greatest share of cells works",
        "Python",
        lambda path: _exactly(path.judged.works if path.judged else None),
        most=True,
    ),
)

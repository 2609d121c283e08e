"""What a path costs beside its control: the same probe without R, in the same environment."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from statistics import median
from typing import Final

import msgspec

from harness.model.document import Results
from harness.model.record import CellRecord, ProbeRecord, Stage
from harness.model.status import Status
from harness.report.view import framework_label, ordered, path_label
from harness.report.words import count, signed_seconds
from harness.text import one_line

_LANGUAGES: Final = frozenset({"python", "r"})
"""Roles of processes that are the other language's."""
_BY_CHANCE: Final = 0.1
"""The share of starts that may be sooner through a bridge where nothing else has a part in it."""


class StageCost(msgspec.Struct, frozen=True, kw_only=True):
    """One stage, in seconds a repetition: medians over the pairs of cells.

    ``None`` where the path or the control does not have the stage; ``cost_s`` is the median
    of the differences within pairs, and a stage that is not there counts as 0.  The same of the
    processor's time, of all processes of the path, where ``None`` is also what was not read.
    """

    stage: str
    path_s: float | None
    control_s: float | None
    cost_s: float
    path_cpu_s: float | None = None
    control_cpu_s: float | None = None
    cpu_cost_s: float | None = None


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """One probe on one path with one framework, beside its control.

    Times are the sums over the probe's stages in seconds: medians over ``pairs`` pairs of a
    cell and its control that both passed on the same machine.  ``cost_s`` is the median of
    path minus control within each pair, ``cpu_cost_s`` that of the processor's time, of the
    stages of which it was read on both sides, or ``None`` where there are none.  ``sooner`` is
    the number of pairs in which the path took less time than its control.  Of a stage that was
    not repeated equally often on both sides, as often as fits into a time, one repetition counts.
    ``cells`` are the ids of the path's cells.
    """

    framework: str
    path: str
    probe: str
    pairs: int
    path_s: float
    control_s: float
    cost_s: float
    stages: tuple[StageCost, ...]
    cpu_cost_s: float | None = None
    sooner: int = 0
    cells: tuple[str, ...] = ()


def compare(results: Results) -> list[Comparison]:
    """Return the comparisons that the results allow, by framework, path and probe."""
    pairs: dict[tuple[str, str, str], list[tuple[ProbeRecord, ProbeRecord]]] = {}
    cells: dict[tuple[str, str, str], list[str]] = {}
    for record, control in pairs_of(results):
        for mine, its in common_probes(record, control):
            name = f"{mine.name}, cold" if mine.cold else mine.name
            key = (_framework(record, mine), path_label(record), name)
            pairs.setdefault(key, []).append((mine, its))
            cells.setdefault(key, []).append(record.id)
    ranks = {key: position for position, key in enumerate(pairs)}
    frameworks = {key[0]: position for position, key in reversed(list(enumerate(pairs)))}
    return [
        _comparison(*key, pairs[key], cells[key])
        for key in sorted(pairs, key=lambda key: (frameworks[key[0]], ranks[key]))
    ]


class MemoryCost(msgspec.Struct, frozen=True, kw_only=True):
    """The memory of a path's processes with one framework, beside its control, in MiB.

    ``host_mb`` and ``others_mb`` are peaks: of the driver's own process, and of the processes
    of the other language, 0 where it lives in the host.  Shells are not counted.  Medians over
    ``pairs`` pairs of a cell and its control on the same machine, both of which passed;
    ``cost_mb`` is that of all processes of the path minus those of the control.  ``cells`` are
    the ids of the path's cells.
    """

    framework: str
    path: str
    pairs: int
    host_mb: float
    others_mb: float
    control_mb: float
    cost_mb: float
    cells: tuple[str, ...] = ()


def compare_memory(results: Results) -> list[MemoryCost]:
    """Return what the paths' processes take, by framework and path."""
    pairs: dict[tuple[str, str], list[tuple[CellRecord, CellRecord]]] = {}
    for record, control in pairs_of(results):
        if record.processes and control.processes and _both_passed(record, control):
            name = framework_label(record.axes.get("framework") or "")
            pairs.setdefault((name, path_label(record)), []).append((record, control))
    return [_memory_cost(*key, found) for key, found in pairs.items()]


def _memory_cost(
    framework: str, path: str, pairs: list[tuple[CellRecord, CellRecord]]
) -> MemoryCost:
    hosts = [_peaks(mine, {"host"}) for mine, _ in pairs]
    others = [_peaks(mine, _LANGUAGES) for mine, _ in pairs]
    controls = [_peaks(its, {"host", *_LANGUAGES}) for _, its in pairs]
    costs = [host + other - its for host, other, its in zip(hosts, others, controls, strict=True)]
    return MemoryCost(
        framework=framework,
        path=path,
        pairs=len(pairs),
        host_mb=median(hosts),
        others_mb=median(others),
        control_mb=median(controls),
        cost_mb=median(costs),
        cells=tuple(mine.id for mine, _ in pairs),
    )


def _peaks(record: CellRecord, roles: Collection[str]) -> float:
    return sum(one.peak_mb for one in record.processes if one.role in roles)


def _both_passed(record: CellRecord, control: CellRecord) -> bool:
    return record.status is control.status is Status.PASS


def pairs_of(results: Results) -> Iterator[tuple[CellRecord, CellRecord]]:
    """Yield each cell with its control, where both were measured on one machine."""
    by_id = {record.id: record for record in results.cells}
    place = {cell: n for n, other in enumerate(results.elsewhere, 1) for cell in other.cells}
    for record in ordered(results):
        control = by_id.get(record.control or "")
        # Times of two machines say nothing of a bridge.
        if control is not None and place.get(record.id) == place.get(control.id):
            yield record, control


def doubt(comparisons: Iterable[Comparison]) -> str:
    """Return the sentence that doubts the clock; empty where there is no reason to.

    Through a bridge a framework's start is the same work and more.  Where more than a tenth of the
    starts were sooner for all that, the clock told what else the machine did, or that the control,
    which mostly runs first, had the packages to read from the disk.
    """
    starts = [one for one in comparisons if one.probe == "init"]
    pairs, sooner = sum(one.pairs for one in starts), sum(one.sooner for one in starts)
    if sooner <= pairs * _BY_CHANCE:
        return ""
    return (
        f"In {sooner} of {count(pairs, 'pair')} the start through a path took less time than "
        "Python alone, which does less: the machine did other work as well, or one of the two read "
        "the packages from the disk and the other from memory. What a path adds to a start is told "
        "by the processor's time here, and not by the clock."
    )


def dearest(comparisons: Iterable[Comparison], most: int = 1) -> str:
    """Return the stages in which most of a bridge's cost lies: ``bridge_load +1.2 s``.

    Empty where no stage costs at least a tenth of the whole.
    """
    known = list(comparisons)
    whole = sum(one.cost_s for one in known)
    stages = sorted((stage for one in known for stage in one.stages), key=lambda one: -one.cost_s)
    return ", ".join(
        f"{one_line(stage.stage)} {signed_seconds(stage.cost_s)}"
        for stage in stages[:most]
        if stage.cost_s > 0 and stage.cost_s >= whole / 10
    )


def common_probes(record: CellRecord, control: CellRecord) -> list[tuple[ProbeRecord, ProbeRecord]]:
    """Return the probes that both passed and timed, of the same work, each with its control's."""
    theirs = {_same(probe): probe for probe in control.probes}
    found = ((mine, theirs.get(_same(mine))) for mine in record.probes)
    return [
        (mine, its)
        for mine, its in found
        if its is not None
        and mine.status is its.status is Status.PASS
        and mine.stages
        and its.stages
    ]


def _same(probe: ProbeRecord) -> tuple[str, int, str | None, bool]:
    """Return what two probes have in common whose times are of the same work."""
    return probe.name, probe.version, probe.variant, probe.cold


def _framework(record: CellRecord, probe: ProbeRecord) -> str:
    name = framework_label(record.axes.get("framework") or "")
    if probe.variant:  # the Keras backend: the others of the cell have rows of their own
        name = f"{name.split(' +')[0]} +{probe.variant}"
    cuda = record.axes.get("cuda") or "cpu"
    return name if cuda == "cpu" else f"{name} cuda {cuda}"


def _comparison(
    framework: str,
    path: str,
    probe: str,
    pairs: list[tuple[ProbeRecord, ProbeRecord]],
    cells: list[str],
) -> Comparison:
    names = dict.fromkeys(
        stage.name for mine, its in pairs for stage in (*mine.stages, *its.stages)
    )
    totals = [_totals(mine, its) for mine, its in pairs]
    times = [(_times(mine), _times(its)) for mine, its in pairs]
    return Comparison(
        framework=framework,
        path=path,
        probe=probe,
        pairs=len(pairs),
        path_s=median(mine for mine, _ in totals),
        control_s=median(its for _, its in totals),
        cost_s=median(mine - its for mine, its in totals),
        cpu_cost_s=_median([_cpu_cost(mine, its) for mine, its in pairs]),
        sooner=sum(mine < its for mine, its in totals),
        stages=tuple(_stage_cost(name, times) for name in names),
        cells=tuple(dict.fromkeys(cells)),
    )


_Times = dict[str, tuple[float, float | None]]
"""Seconds of one repetition of each stage: by the clock on the wall, and of the processor."""


_NONE: Final = (None, None)


def _times(probe: ProbeRecord) -> _Times:
    """Return the times of a probe; ``None`` for the processor's where they were not read."""
    found: _Times = {}
    for stage in probe.stages:
        n = max(stage.n, 1)
        wall_s, cpu_s = found.get(stage.name, (0.0, None))
        if stage.cpu_s is not None:
            cpu_s = (cpu_s or 0.0) + stage.cpu_s / n
        found[stage.name] = wall_s + stage.wall_s / n, cpu_s
    return found


def _stage_cost(name: str, pairs: list[tuple[_Times, _Times]]) -> StageCost:
    both = [(mine.get(name, _NONE), its.get(name, _NONE)) for mine, its in pairs]
    times = [(mine[0], its[0]) for mine, its in both]
    cpu = [(mine[1], its[1]) for mine, its in both]
    differences = [(mine or 0.0) - (its or 0.0) for mine, its in cpu if (mine, its) != (None, None)]
    return StageCost(
        stage=name,
        path_s=_median([mine for mine, _ in times]),
        control_s=_median([its for _, its in times]),
        cost_s=median((mine or 0.0) - (its or 0.0) for mine, its in times),
        path_cpu_s=_median([mine for mine, _ in cpu]),
        control_cpu_s=_median([its for _, its in cpu]),
        cpu_cost_s=median(differences) if differences else None,
    )


def _totals(mine: ProbeRecord, its: ProbeRecord) -> tuple[float, float]:
    """Return the seconds of all stages of both sides, of the same number of repetitions.

    What the control alone did is no cost of the path: it may have got further in the time.
    """
    once = _uneven(mine, its)
    names = {stage.name for stage in mine.stages}
    first, second = (
        sum(_even(stage.wall_s, stage, once) for stage in probe.stages if stage.name in names)
        for probe in (mine, its)
    )
    return first, second


def _cpu_cost(mine: ProbeRecord, its: ProbeRecord) -> float | None:
    """Return the processor's seconds of the path's stages less those of its control's, likewise.

    Nothing is counted of a stage that was not read on one of the sides, such as an end that
    nobody could time.
    """
    once = _uneven(mine, its)
    unread = {stage.name for one in (mine, its) for stage in one.stages if stage.cpu_s is None}
    names = {stage.name for stage in mine.stages} - unread
    if not names:
        return None
    first, second = (
        sum(_even(stage.cpu_s or 0.0, stage, once) for stage in probe.stages if stage.name in names)
        for probe in (mine, its)
    )
    return first - second


def _uneven(mine: ProbeRecord, its: ProbeRecord) -> set[str]:
    """Return the stages that were not repeated equally often on both sides."""
    first, second = ({stage.name: stage.n for stage in probe.stages} for probe in (mine, its))
    return {name for name in first.keys() & second if first[name] != second[name]}


def _even(seconds: float, stage: Stage, once: Collection[str]) -> float:
    return seconds / max(stage.n, 1) if stage.name in once else seconds


def cpu_of(probe: ProbeRecord, name: str) -> float | None:
    """Return the processor's seconds of one repetition of a stage, or ``None`` if not read."""
    return _times(probe).get(name, _NONE)[1]


def time_of(probe: ProbeRecord, name: str) -> float | None:
    """Return the seconds of one repetition of a stage, or ``None`` where there is none."""
    times = [stage.wall_s / max(stage.n, 1) for stage in probe.stages if stage.name == name]
    return sum(times) if times else None


def _median(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return median(known) if known else None

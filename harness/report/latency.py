"""What a path costs beside its control: the same probe without R, in the same environment."""

from __future__ import annotations

from collections.abc import Iterable
from statistics import median

import msgspec

from harness.model.document import Results
from harness.model.record import CellRecord, ProbeRecord
from harness.model.status import Status
from harness.report.view import framework_label, ordered, path_label
from harness.report.words import one_line, signed_seconds


class StageCost(msgspec.Struct, frozen=True, kw_only=True):
    """One stage, in seconds a repetition: medians over the pairs of cells.

    ``None`` where the path or the control does not have the stage; ``cost_s`` is the median
    of the differences within pairs, and a stage that is not there counts as 0.
    """

    stage: str
    path_s: float | None
    control_s: float | None
    cost_s: float


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """One probe on one path with one framework, beside its control.

    Times are the sums over the probe's stages in seconds: medians over ``pairs`` pairs of a
    cell and its control that both passed on the same machine.  ``cost_s`` is the median of
    path minus control within each pair.
    """

    framework: str
    path: str
    probe: str
    pairs: int
    path_s: float
    control_s: float
    cost_s: float
    stages: tuple[StageCost, ...]


def compare(results: Results) -> list[Comparison]:
    """Return the comparisons that the results allow, by framework, path and probe."""
    by_id = {record.id: record for record in results.cells}
    place = {cell: n for n, other in enumerate(results.elsewhere, 1) for cell in other.cells}
    pairs: dict[tuple[str, str, str], list[tuple[ProbeRecord, ProbeRecord]]] = {}
    for record in ordered(results):
        control = by_id.get(record.control or "")
        # Times of two machines say nothing of a bridge.
        if control is None or place.get(record.id) != place.get(control.id):
            continue
        for mine, its in _common_probes(record, control):
            pairs.setdefault((_framework(record, mine), path_label(record), mine.name), []).append(
                (mine, its)
            )
    ranks = {key: position for position, key in enumerate(pairs)}
    frameworks = {key[0]: position for position, key in reversed(list(enumerate(pairs)))}
    return [
        _comparison(*key, pairs[key])
        for key in sorted(pairs, key=lambda key: (frameworks[key[0]], ranks[key]))
    ]


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


def _common_probes(
    record: CellRecord, control: CellRecord
) -> list[tuple[ProbeRecord, ProbeRecord]]:
    theirs = {(probe.name, probe.variant): probe for probe in control.probes}
    found = ((mine, theirs.get((mine.name, mine.variant))) for mine in record.probes)
    return [
        (mine, its)
        for mine, its in found
        if its is not None
        and mine.status is its.status is Status.PASS
        and mine.stages
        and its.stages
    ]


def _framework(record: CellRecord, probe: ProbeRecord) -> str:
    name = framework_label(record.axes.get("framework") or "")
    if probe.variant:  # the Keras backend: the others of the cell have rows of their own
        name = f"{name.split(' +')[0]} +{probe.variant}"
    cuda = record.axes.get("cuda") or "cpu"
    return name if cuda == "cpu" else f"{name} cuda {cuda}"


def _comparison(
    framework: str, path: str, probe: str, pairs: list[tuple[ProbeRecord, ProbeRecord]]
) -> Comparison:
    names = dict.fromkeys(
        stage.name for mine, its in pairs for stage in (*mine.stages, *its.stages)
    )
    totals = [(_total(mine), _total(its)) for mine, its in pairs]
    return Comparison(
        framework=framework,
        path=path,
        probe=probe,
        pairs=len(pairs),
        path_s=median(mine for mine, _ in totals),
        control_s=median(its for _, its in totals),
        cost_s=median(mine - its for mine, its in totals),
        stages=tuple(_stage_cost(name, pairs) for name in names),
    )


def _stage_cost(name: str, pairs: list[tuple[ProbeRecord, ProbeRecord]]) -> StageCost:
    times = [(_time(mine, name), _time(its, name)) for mine, its in pairs]
    return StageCost(
        stage=name,
        path_s=_median([mine for mine, _ in times]),
        control_s=_median([its for _, its in times]),
        cost_s=median((mine or 0.0) - (its or 0.0) for mine, its in times),
    )


def _total(probe: ProbeRecord) -> float:
    return sum(stage.wall_s for stage in probe.stages)


def _time(probe: ProbeRecord, name: str) -> float | None:
    """Return the seconds of one repetition of a stage, or ``None`` where there is none."""
    times = [stage.wall_s / max(stage.n, 1) for stage in probe.stages if stage.name == name]
    return sum(times) if times else None


def _median(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return median(known) if known else None

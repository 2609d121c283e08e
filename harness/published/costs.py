"""What a path costs beside its control, with the cells that each number is from."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from statistics import quantiles
from typing import Final

import msgspec

from harness.model.document import Results
from harness.model.record import ProbeRecord
from harness.published.figure import Figure, middle
from harness.report.latency import common_probes, cpu_of, pairs_of, time_of

Take = Callable[[ProbeRecord], float | None]
"""The seconds of one repetition of something within a probe; ``None`` where it is not there."""


class Cost(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that every path does, in seconds a repetition.

    Of the clock on the wall or, as ``what`` then says, of the processor: a start is work from end
    to end, of one process after the other, and the clock tells what else the machine did as well.

    Medians over ``pairs`` pairs of a cell and its control, the same probe without R in the same
    Python environment, that both passed on one machine.  ``cost`` is that of the differences: all
    lie between ``least`` and ``most``, and half of them between ``low`` and ``high``.
    ``control`` is ``None`` where Python alone does no such thing; the cost is then the whole time.
    """

    what: str
    probe: str
    stage: str
    path: Figure
    control: Figure | None
    cost: Figure
    least: float
    low: float
    high: float
    most: float
    pairs: int


class _Asked(msgspec.Struct, frozen=True):
    what: str
    probe: str
    stage: str
    take: Take


class Timed(msgspec.Struct, frozen=True, kw_only=True):
    """A cell with its control, and the probes that both passed and timed."""

    cell: str
    control: str
    probes: tuple[tuple[ProbeRecord, ProbeRecord], ...]


def timed(results: Results) -> tuple[Timed, ...]:
    """Return every cell that has a control on the same machine, in the order of reports."""
    return tuple(
        Timed(cell=record.id, control=control.id, probes=tuple(common_probes(record, control)))
        for record, control in pairs_of(results)
    )


def costs(pairs: Sequence[Timed], cells: Collection[str]) -> tuple[Cost, ...]:
    """Return what these cells cost; what none of them was measured for is left out."""
    mine = [pair for pair in pairs if pair.cell in cells]
    found = (_cost(asked, mine) for asked in _ASKED)
    return tuple(cost for cost in found if cost is not None)


def _cost(asked: _Asked, pairs: Sequence[Timed]) -> Cost | None:
    times = list(_times(asked, pairs))
    if not times:
        return None
    mine = [path for path, _, _, _ in times]
    its = [(control, cell) for _, control, _, cell in times if control is not None]
    differences = [path - (control or 0.0) for path, control, _, _ in times]
    here = [cell for _, _, cell, _ in times]
    # One alone has quartiles, too: itself.
    low, _, high = quantiles(
        differences if len(differences) > 1 else differences * 2, n=4, method="inclusive"
    )
    return Cost(
        what=asked.what,
        probe=asked.probe,
        stage=asked.stage,
        path=middle(mine, here),
        control=middle((time for time, _ in its), (cell for _, cell in its)) if its else None,
        cost=middle(differences, [*here, *(cell for _, cell in its)], signed=True),
        least=min(differences),
        low=low,
        high=high,
        most=max(differences),
        pairs=len(times),
    )


def _times(asked: _Asked, pairs: Sequence[Timed]) -> Iterator[tuple[float, float | None, str, str]]:
    """Yield the times of path and control, and the ids of both cells."""
    for pair in pairs:
        for mine, its in pair.probes:
            if mine.name == asked.probe and not mine.cold:
                time = asked.take(mine)
                if time is not None:
                    yield time, asked.take(its), pair.cell, pair.control


def _stage(name: str) -> Take:
    return lambda probe: time_of(probe, name)


def _work(name: str) -> Take:
    return lambda probe: cpu_of(probe, name)


def _until_ready(probe: ProbeRecord) -> float | None:
    """Return the processor's seconds of a start, up to the framework's first operation."""
    names = dict.fromkeys(stage.name for stage in probe.stages)
    times = [cpu_of(probe, name) for name in names if name not in _AFTERWARDS]
    known = [time for time in times if time is not None]
    # A sum without one of its parts would be too small.
    return sum(known) if "first_op" in names and len(known) == len(times) else None


_AFTERWARDS: Final = frozenset({"steady_op", "teardown"})
_ASKED: Final = (
    _Asked("start, to the framework's first operation: processor", "init", "", _until_ready),
    _Asked(
        "import of the framework: processor", "init", "framework_import", _work("framework_import")
    ),
    _Asked("one call of many, of nothing", "call", "noop", _stage("noop")),
    _Asked("the training's data into the framework", "train", "transfer", _stage("transfer")),
    _Asked(
        "a million doubles into Python",
        "transfer",
        "doubles_to_python_1e6",
        _stage("doubles_to_python_1e6"),
    ),
    _Asked("a million doubles into R", "transfer", "doubles_to_r_1e6", _stage("doubles_to_r_1e6")),
    _Asked("a training step", "train", "steady_step", _stage("steady_step")),
)

"""The latency page: what a path costs beside its control, in charts and in tables."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, Final

from harness.report.base import File
from harness.report.latency import Comparison, MemoryCost, StageCost, compare, compare_memory, doubt
from harness.report.words import megabytes, seconds, signed_seconds
from harness.site.details import script
from harness.site.frame import Frame

_SIZED: Final = re.compile(r"^(?P<what>[a-z]+)_to_(?P<to>python|r)_(?P<size>1(?:e\d+)?)$")


def latency(frame: Frame) -> Iterator[File]:
    """Yield the page and the data of its charts, which are the numbers of its tables."""
    found = compare(frame.results)
    memory = compare_memory(frame.results)
    yield frame.page(
        "latency.html",
        "latency.html",
        "latency",
        "What a bridge costs in time",
        probes=[
            (probe, [_row(one, frame) for one in found if one.probe == probe])
            for probe in dict.fromkeys(one.probe for one in found)
        ],
        memory=[_memory(one, frame) for one in memory],
        charts=_charts(found, memory),
        by_processor=_by_processor(found),
        doubt=doubt(found),
    )
    yield File(path="data/latency.js", data=script("latency", _data(found, memory)))


def _row(one: Comparison, frame: Frame) -> dict[str, Any]:
    return {
        "framework": one.framework or "no framework",
        "path": one.path,
        "pairs": frame.of(str(one.pairs), one.cells),
        "path_s": frame.of(seconds(one.path_s), one.cells, how="median"),
        "control_s": frame.of(seconds(one.control_s), one.cells, how="median"),
        "cost_s": frame.of(signed_seconds(one.cost_s), one.cells, how="median"),
        "cpu_cost_s": None
        if one.cpu_cost_s is None
        else frame.of(signed_seconds(one.cpu_cost_s), one.cells, how="median"),
        "stages": [_stage(stage, one, frame) for stage in one.stages],
    }


def _stage(stage: StageCost, one: Comparison, frame: Frame) -> dict[str, Any]:
    def number(value: float | None, *, signed: bool = False) -> Any:
        if value is None:
            return None
        text = signed_seconds(value) if signed else seconds(value)
        return frame.of(text, one.cells, how="median")

    return {
        "stage": stage.stage,
        "path": number(stage.path_s),
        "control": number(stage.control_s),
        "cost": number(stage.cost_s, signed=True),
    }


def _memory(one: MemoryCost, frame: Frame) -> dict[str, Any]:
    ids = one.cells
    return {
        "framework": one.framework or "no framework",
        "path": one.path,
        "pairs": frame.of(str(one.pairs), ids),
        "host": frame.of(megabytes(one.host_mb), ids, how="median"),
        "others": frame.of(megabytes(one.others_mb), ids, how="median"),
        "control": frame.of(megabytes(one.control_mb), ids, how="median"),
        "cost": frame.of(f"{one.cost_mb:+.0f} MB".replace("-", "−"), ids, how="median"),
    }


def _charts(found: Sequence[Comparison], memory: Sequence[MemoryCost]) -> list[str]:
    """Return the names of the charts for which there are numbers."""
    data = _data(found, memory)
    return [name for name in ("call", "start", "transfer", "memory") if data[name]]


def _by_processor(found: Sequence[Comparison]) -> bool:
    """Tell whether starts are drawn by the processor's time, which old results do not have."""
    return any(one.probe == "init" and one.cpu_cost_s is not None for one in found)


def _data(found: Sequence[Comparison], memory: Sequence[MemoryCost]) -> dict[str, Any]:
    return {
        "call": [
            {"path": one.path, "framework": one.framework, "s": stage.path_s, "pairs": one.pairs}
            for one in found
            if one.probe == "call"
            for stage in one.stages
            if stage.stage == "noop" and stage.path_s
        ],
        "start": [
            {"path": one.path, "framework": one.framework, "s": cost_s, "pairs": one.pairs}
            for one in found
            if one.probe == "init"
            and (cost_s := one.cpu_cost_s if _by_processor(found) else one.cost_s) is not None
        ],
        "transfer": [
            {
                "path": one.path,
                "framework": one.framework,
                "what": sized["what"],
                "to": sized["to"],
                "n": float(sized["size"]),
                "s": stage.path_s,
            }
            for one in found
            if one.probe == "transfer"
            for stage in one.stages
            if (sized := _SIZED.match(stage.stage)) is not None and stage.path_s
        ],
        "memory": [
            {"path": one.path, "framework": one.framework, "mb": one.cost_mb} for one in memory
        ],
    }

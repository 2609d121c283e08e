"""Checks of an article's claims, by name: each a function of the results alone.

A claim of the form "X works" is held against the cells that tell: those that were run, less
those whose control, the same work without R, stops at the same point.  It *holds* where all of
them work, does *not hold* where none does, and *holds in part* in between.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Final

import msgspec

from harness.model.document import Results
from harness.model.status import Status
from harness.published.advice import BUSY, ENOUGH, Advice, advice
from harness.published.figure import Figure, counted, share
from harness.published.seen import Seen, seen


class Verdict(StrEnum):
    """What results say of a claim."""

    HOLDS = "holds"
    PARTLY = "holds in part"
    NOT = "does not hold"
    NOT_MEASURED = "not measured"


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """A verdict, a sentence or two that say why, and the numbers behind it."""

    verdict: Verdict
    because: str
    figures: tuple[Figure, ...] = ()


class View(msgspec.Struct, frozen=True, kw_only=True):
    """The results as checks look at them: cells with their versions, and what paths cost."""

    cells: tuple[Seen, ...]
    by_id: Mapping[str, Seen]
    advice: Advice

    @classmethod
    def of(cls, results: Results, known: Advice | None = None) -> View:
        """Look at a results document; ``known`` is the advice on it, where there is one."""
        cells = seen(results)
        by_id = {one.id: one for one in cells}
        return cls(cells=cells, by_id=by_id, advice=known or advice(results))

    def on(self, path: str, framework: str | None = None) -> list[Seen]:
        """Return the cells on a path that tell whether they work."""
        return [
            one
            for one in self.cells
            if one.path == path
            and one.works is not None
            and (framework is None or one.framework == framework)
        ]


def not_measured(why: str) -> Evidence:
    """Say that the results tell nothing of a claim, and why."""
    return Evidence(verdict=Verdict.NOT_MEASURED, because=" ".join(why.split()))


def needs_a_bridge(view: View) -> Evidence:
    """Whether Python ran inside R's own process without a package that is a bridge."""
    bare = [one for one in view.on("system") if one.works and _has_processes(one)]
    bridged = [
        one
        for path in ("reticulate", "rpython")
        for one in view.on(path)
        # Where no library was read back and no framework takes memory, nothing tells.
        if one.works and _has_processes(one) and (one.framework or _has_libpython(one))
    ]
    if not bare or not bridged:
        return not_measured(
            "It takes cells on the path system and on a bridge, with their processes."
        )
    apart = [one for one in bare if _python_apart(one, view)]
    loaded = [one for one in bridged if _has_libpython(one) or not _python_apart(one, view)]
    figures = (
        share((one.id for one in apart), (one.id for one in bare)),
        share((one.id for one in loaded), (one.id for one in bridged)),
    )
    return Evidence(
        verdict=_verdict([one in apart for one in bare]),
        because=(
            f"Without a bridge Python was a process of its own in {figures[0].text} cells that "
            f"work; by reticulate or rPython, R's own process had loaded it in {figures[1].text}."
        ),
        figures=figures,
    )


def possible(view: View) -> Evidence:
    """Whether a framework works from R by any path."""
    of_frameworks: dict[str, list[Seen]] = {}
    for one in view.cells:
        if one.path != "native" and one.framework and one.works is not None:
            of_frameworks.setdefault(one.framework, []).append(one)
    if not of_frameworks:
        return not_measured("No cell has a framework behind a path.")
    works = {
        name: share((one.id for one in cells if one.works), (one.id for one in cells))
        for name, cells in sorted(of_frameworks.items())
    }
    said = ", ".join(f"{name} in {figure.text}" for name, figure in works.items())
    return Evidence(
        verdict=_verdict([bool(figure.value) for figure in works.values()]),
        because=f"Cells that work, of those that tell: {said}.",
        figures=tuple(works.values()),
    )


def reticulate_more_robust_than_rpython(view: View) -> Evidence:
    """Whether reticulate works wherever rPython does, and in more places."""
    return _more(view, ("reticulate", "reticulate"), ("rpython", "rPython as published"))


def rpython_stops_at_models(view: View) -> Evidence:
    """Whether rPython comes up, and fails when a model is built and trained."""
    both = [
        one
        for one in view.cells
        if one.path == "rpython" and _probe(one, "init") and _probe(one, "train")
    ]
    never = [one for one in view.on("rpython") if not one.starts]
    if not both and not never:
        return not_measured("No cell by rPython has run the probes init and train.")
    up = [one for one in both if _probe(one, "init") is Status.PASS]
    stopped = [one for one in up if _probe(one, "train") is not Status.PASS and not one.works]
    figures = (
        share((one.id for one in stopped), (one.id for one in up)),
        counted(one.id for one in never),
    )
    verdict = Verdict.HOLDS if stopped else Verdict.NOT
    if stopped and (never or len(stopped) < len(up)):
        verdict = Verdict.PARTLY
    return Evidence(
        verdict=verdict,
        because=(
            f"Of the cells in which rPython comes up, {figures[0].text} stop at the training; in "
            f"{figures[1].text} it does not come up at all."
        ),
        figures=figures,
    )


def system_returns_results(view: View) -> Evidence:
    """Whether trained results come back by a system call."""
    cells = [one for one in view.on("system") if _probe(one, "train") or _probe(one, "convert")]
    return _works(cells, "cells by a system call the results came back, as JSON and raw arrays")


def tensorflow_comes_up(view: View) -> Evidence:
    """Whether TensorFlow comes up by reticulate."""
    return _works(
        view.on("reticulate", "tensorflow"),
        "cells with TensorFlow by reticulate it came up",
        lambda one: _probe(one, "init") is Status.PASS,
    )


def keras_trains(view: View) -> Evidence:
    """Whether a Keras model is trained by reticulate."""
    return _works(
        view.on("reticulate", "keras"),
        "cells with Keras by reticulate the model was trained, R's numbers written as integers "
        "where Keras asks for integers",
        lambda one: _probe(one, "train") is Status.PASS,
    )


def environment_decides(view: View) -> Evidence:
    """Whether cells that differ in Python or numpy alone end differently."""
    found: dict[tuple[str, ...], list[Seen]] = {}
    for one in view.cells:
        if one.works is not None and one.path != "native":
            axes = one.record.axes
            place = (one.path, axes.get("bridge") or "", axes.get("r") or "", one.framework)
            found.setdefault(place, []).append(one)
    compared = [cells for cells in found.values() if len({_environment(c) for c in cells}) > 1]
    if not compared:
        return not_measured("No bridge was run in two Python environments.")
    differ = [cells for cells in compared if len({one.works for one in cells}) > 1]
    figures = (
        counted(one.id for cells in differ for one in cells),
        counted(one.id for cells in compared for one in cells),
    )
    return Evidence(
        verdict=Verdict.HOLDS if differ else Verdict.NOT,
        because=(
            f"Of {len(compared)} combinations of a bridge, an R and a framework that were run in "
            f"several Python environments, {len(differ)} work in some of them and not in others."
        ),
        figures=figures,
    )


def large_data_cost_more_than_a_copy(view: View) -> Evidence:
    """Whether a million values take longer to cross than to be copied in memory."""
    found = [
        (path.path, cost)
        for path in view.advice.paths
        if path.host == "R"
        for cost in path.costs
        if cost.stage in {"doubles_to_python_1e6", "doubles_to_r_1e6"}
    ]
    if not found:
        return not_measured("No cell has moved large data: the probe transfer does.")
    said = ", ".join(f"{path} {cost.cost.text} ({cost.what})" for path, cost in found)
    return Evidence(
        verdict=_verdict([cost.cost.value > 0 for _, cost in found]),
        because=f"Beside a copy in memory: {said}.",
        figures=tuple(cost.cost for _, cost in found),
    )


def system_fails_more_often(view: View) -> Evidence:
    """Whether a system call fails where reticulate works."""
    return _more(view, ("reticulate", "reticulate"), ("system", "a system call"))


def system_costs_more(view: View) -> Evidence:
    """Whether calls and data cost more by a system call than by reticulate."""
    paths = {path.path: path for path in view.advice.paths}
    pairs = []
    for what, probe, stage in (
        ("a call", "call", "noop"),
        ("the training's data", "train", "transfer"),
    ):
        costs = [
            paths[name].cost(probe, stage) if name in paths else None
            for name in ("reticulate", "system")
        ]
        if costs[0] is not None and costs[1] is not None:
            pairs.append((what, costs[0], costs[1]))
    if not pairs:
        return not_measured("Neither calls nor data were timed on both paths.")
    said = "; ".join(
        f"{what}: {ours.text} by reticulate, {theirs.text} by a system call"
        for what, ours, theirs in pairs
    )
    return Evidence(
        verdict=_verdict([theirs.value > ours.value for _, ours, theirs in pairs]),
        because=f"Beside Python alone, {said}.",
        figures=tuple(figure for _, *figures in pairs for figure in figures),
    )


def reticulate_overcomes(view: View) -> Evidence:
    """Whether all that Python alone can do works by reticulate."""
    return _works(
        [one for one in view.on("reticulate") if one.framework],
        "cells in which Python alone gets that far, reticulate does, too",
    )


def needs_differ(view: View) -> Evidence:
    """Whether different needs lead to different paths."""
    chosen = [one for one in view.advice.recommendations if one.path]
    if len(chosen) < len(("one", "another")):
        return not_measured("Fewer than two needs could be weighed.")
    for_all = set.intersection(*(set(one.best) for one in chosen))
    told = [
        f"{one.need}: {one.path or f'not told, {BUSY}'}"
        for one in view.advice.recommendations
        if one.path or BUSY in one.why
    ]
    said = "; ".join(told)
    return Evidence(
        verdict=Verdict.NOT if for_all else Verdict.HOLDS,
        because=f"By the rules of this page: {said}.",
        figures=tuple(figure for one in chosen for figure in one.figures),
    )


def system_is_never_the_only_way(view: View) -> Evidence:
    """Whether some bridge works wherever a system call does."""
    others = ("reticulate", "rpython", "rpy2", "rpc socket", "rpc zmq", "rpc http", "rpc rserve")
    by_place: dict[tuple[str, ...], dict[bool, list[Seen]]] = {}
    for path in others:
        for one in view.on(path):
            by_place.setdefault(_place(one), {}).setdefault(bool(one.works), []).append(one)
    compared = [one for one in view.on("system") if one.works and _place(one) in by_place]
    if not compared:
        return not_measured("No environment was run by a system call and by a bridge.")
    alone = [one for one in compared if True not in by_place[_place(one)]]
    figure = share((one.id for one in alone), (one.id for one in compared))
    return Evidence(
        verdict=_verdict([one not in alone for one in compared]),
        because=_never_alone(len(alone), len(compared)),
        figures=(figure,),
    )


def _never_alone(alone: int, compared: int) -> str:
    """Say in how many environments a system call is the only way."""
    if alone:
        noun = "environment" if compared == 1 else "environments"
        return (
            f"In {alone} of {compared} {noun} where a system call works, no bridge that was tried "
            "works."
        )
    where = "the one environment" if compared == 1 else f"each of the {compared} environments"
    return f"In {where} where a system call works, at least one bridge works too."


CHECKS: Final[Mapping[str, Callable[[View], Evidence]]] = {
    check.__name__: check
    for check in (
        needs_a_bridge,
        possible,
        reticulate_more_robust_than_rpython,
        rpython_stops_at_models,
        system_returns_results,
        tensorflow_comes_up,
        keras_trains,
        environment_decides,
        large_data_cost_more_than_a_copy,
        system_fails_more_often,
        system_costs_more,
        reticulate_overcomes,
        needs_differ,
        system_is_never_the_only_way,
    )
}
"""Checks by the name that the file of claims has."""


def _verdict(held: Sequence[bool]) -> Verdict:
    if all(held):
        return Verdict.HOLDS
    return Verdict.PARTLY if any(held) else Verdict.NOT


def _works(
    cells: Sequence[Seen], words: str, good: Callable[[Seen], bool] = lambda one: bool(one.works)
) -> Evidence:
    """Return the verdict on a claim that something works, by the cells that tell."""
    if not cells:
        return not_measured("No cell that was run tells of it.")
    figure = share((one.id for one in cells if good(one)), (one.id for one in cells))
    return Evidence(
        verdict=_verdict([good(one) for one in cells]),
        because=f"In {figure.text} {words}.",
        figures=(figure,),
    )


def _more(view: View, first: tuple[str, str], second: tuple[str, str]) -> Evidence:
    """Return whether the first path works in more cells, of environments both were run in."""
    ours, theirs = (
        # A build with a label is the harness's own, and not what the article speaks of.
        [one for one in view.on(path) if "+" not in one.versions.get("bridge", "")]
        for path, _ in (first, second)
    )
    places = {_place(one) for one in ours} & {_place(one) for one in theirs}
    better, worse = (
        share(
            (one.id for one in cells if one.works and _place(one) in places),
            (one.id for one in cells if _place(one) in places),
        )
        for cells in (ours, theirs)
    )
    if min(len(better.cells), len(worse.cells)) < ENOUGH:
        return not_measured(
            f"Fewer than {ENOUGH} cells were run by both {first[1]} and {second[1]} in the same "
            "environments (R, Python, framework, pins)."
        )
    return Evidence(
        verdict=Verdict.HOLDS if better.value > worse.value else Verdict.NOT,
        because=(
            f"In environments in which both were run, {first[1]} works in {better.text} cells, "
            f"{second[1]} in {worse.text}."
        ),
        figures=(better, worse),
    )


def _place(one: Seen) -> tuple[str, ...]:
    """Return the environment of a cell: all axes but those of its path."""
    axes = one.record.axes
    return tuple(
        f"{axis}={axes[axis]}" for axis in sorted(set(axes) - {"path", "transport", "bridge"})
    )


def _environment(one: Seen) -> tuple[str, str]:
    return one.versions.get("python", ""), one.versions.get("numpy", "")


def _probe(one: Seen, name: str) -> Status | None:
    """Return how a probe of a cell ended, the worst of its variants; ``None`` if it has none."""
    found = [probe.status for probe in one.record.probes if probe.name == name]
    return Status.worst(found) if found else None


def _has_processes(one: Seen) -> bool:
    return bool(one.record.processes)


def _has_libpython(one: Seen) -> bool:
    """Say whether a bridge read back the libpython in the memory map of R's own process."""
    python = one.record.identity.get("python")
    return isinstance(python, dict) and bool(python.get("libpython"))


def _python_apart(one: Seen, view: View) -> bool:
    """Say whether the framework lived in a process of Python's own.

    A bridge asks Python for its configuration in small processes, so that one of Python alone
    tells nothing: it must have had at least half of the memory of the control's largest Python.
    """
    control = view.by_id.get(one.record.control or "")
    needed = max(_peaks(control).values(), default=0.0) if control is not None else 0.0
    peaks = _peaks(one)
    return peaks.get("python", 0.0) > (needed or peaks.get("host", 0.0)) / 2


def _peaks(one: Seen) -> dict[str, float]:
    found: dict[str, float] = {}
    for process in one.record.processes:
        found[process.role] = max(found.get(process.role, 0.0), process.peak_mb)
    return found

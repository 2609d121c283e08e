"""What ``harness ab`` does, step by step, and what it says of the result."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import msgspec
from tabulate import tabulate

from harness import __version__
from harness.errors import MachineFault, UsageError
from harness.folders import real
from harness.journal.writer import Journal
from harness.latency.model import METRICS, Verdict
from harness.latency.verdict import moved
from harness.model.cell import Plan
from harness.model.document import Machine
from harness.nodes import did_you_mean
from harness.provision.r.source import address_of
from harness.report.words import count, seconds
from harness.results.machine import this_machine
from harness.workflow.alone import alone
from harness.workflow.arms import Duel, Setting, duels
from harness.workflow.comparing import (
    SCHEMA,
    Comparing,
    Comparison,
    Line,
    Settings,
    kept_in,
    question,
)
from harness.workflow.display import make_display
from harness.workflow.keys import cell_key
from harness.workflow.registry import paths
from harness.workflow.sampling import Sampler

FILE: Final = "ab.json"


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What is compared, and where it is kept."""

    plan: Plan
    base: tuple[Setting, ...]
    head: tuple[Setting, ...]
    settings: Settings
    results: Path
    cran: str | None = None
    fresh: bool = False
    quiet: bool = False


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it, with all that is needed to hold it against another."""

    asked: Asked
    comparison: Comparison
    machine: Machine
    locks: dict[str, dict[str, str | None]]
    keys: dict[str, str]
    at: str


def probes_of(metrics: Sequence[str]) -> tuple[str, ...]:
    """Return the probes that have the metrics; all of them where none is named."""
    found = {metric.probe for metric in METRICS if not metrics or metric.name in metrics}
    return tuple(name for name in ("init", "call") if name in found)


def check_metrics(metrics: Sequence[str]) -> None:
    """Raise ``UsageError`` where one is none."""
    known = [metric.name for metric in METRICS]
    for name in metrics:
        if name not in known:
            near = did_you_mean(name, known)
            raise UsageError(f"--metric {name}: there is no such stage to compare; {near}")


def compare(asked: Asked) -> Answer:
    """Compare head with base, and leave the result in the folder of results.

    Raises
    ------
    UsageError
        A value of base or head is faulty, or fits no cell.
    NotMeasured
        A cell does not pass, so that its times say nothing.
    MachineFault
        A cell cannot be had here, or the results cannot be written.
    KeyboardInterrupt
        The samples so far are in the journal, and the same command goes on from there.
    """
    asked = msgspec.structs.replace(asked, results=real(asked.results))
    settings = asked.settings
    pairs = duels(asked.plan, asked.base, asked.head, probes_of(settings.metrics))
    display = make_display(quiet=asked.quiet)
    try:
        sampler = Sampler(pairs, asked.results, display, cran=asked.cran)
        machine = this_machine()
        keys = _keys(pairs, sampler, asked.cran)
        question_ = question(pairs, keys.values(), settings, machine)
        kept = None if asked.fresh else kept_in(asked.results, question_)
        with alone(display.note), Journal(asked.results, fresh=kept is None) as journal:
            if kept is None:
                journal.append(
                    "comparison-started",
                    at=_now(),
                    question=question_,
                    harness=__version__,
                    machine=machine,
                    matrix=asked.plan.matrix,
                    cells=[duel.id for duel in pairs],
                    settings=settings,
                )
            else:
                display.note(f"going on after {count(len(kept.samples) // 2, 'pair')}")
            comparing = Comparing(pairs, settings, sampler, tell=journal.append, note=display.note)
            comparing.warm_up(lambda duel, names: sampler.slow_down(duel, settings.plant, names))
            comparison = comparing.run(kept)
            answer = Answer(
                asked=asked,
                comparison=comparison,
                machine=machine,
                locks=comparing.locks,
                keys=keys,
                at=_now(),
            )
            _save(answer)
            journal.append("comparison-finished", at=_now(), verdict=comparison.verdict)
    finally:
        display.finished()
    return answer


def _keys(pairs: Sequence[Duel], sampler: Sampler, cran: str | None) -> dict[str, str]:
    """Return, by arm and cell, the digest of what is asked of it and of the code that asks."""
    found = {}
    for duel in pairs:
        for name, arm in (("base", duel.base), ("head", duel.head)):
            cell = arm.cell
            tree = sampler.tree(duel, name)
            found[f"{name} {cell.id}"] = cell_key(
                cell,
                paths()[cell.axes.path],
                address_of(cran),
                "" if tree is None else tree.digest,
            )
    return found


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _save(answer: Answer) -> None:
    try:
        (answer.asked.results / FILE).write_bytes(as_json(answer).encode())
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise MachineFault(
            f"{answer.asked.results}: results cannot be written here ({reason}); name another "
            "folder with --results"
        ) from None


# --- What is said of it ------------------------------------------------------------------------


def as_json(answer: Answer) -> str:
    """Return the result for programs, with every process that was run."""
    return msgspec.json.format(msgspec.json.encode(as_document(answer)), indent=1).decode() + "\n"


def as_document(answer: Answer) -> dict[str, Any]:
    """Return the result for programs.

    ``verdict`` is that of the run; ``cell``, ``metric``, ``ratio``, ``ci_low``, ``ci_high`` and
    ``pairs`` are of the comparison that it is from.  ``samples`` are all processes, times in
    seconds as ``[wall, cpu]`` of one repetition.
    """
    asked, comparison = answer.asked, answer.comparison
    worst = comparison.worst
    return {
        "schema": SCHEMA,
        "verdict": comparison.verdict,
        "cell": worst.cell,
        **_numbers(worst),
        "matrix": asked.plan.matrix,
        "base": _settings(asked.base),
        "head": _settings(asked.head),
        "plant": asked.settings.plant,
        "comparisons": [_comparison(line) for line in comparison.lines],
        "controls": [
            {
                "control": one.control,
                "cell": one.cell,
                "moved": moved(one.finding),
                **_numbers(one),
                "log_ratios": one.log_ratios,
            }
            for one in comparison.controls
        ],
        "looks": msgspec.to_builtins(comparison.looks),
        "rule": msgspec.to_builtins(asked.settings.rule),
        "budget_s": asked.settings.budget_s,
        "measured_s": round(comparison.measured_s, 3),
        "seed": asked.settings.seed,
        "at": answer.at,
        "harness": __version__,
        "machine": msgspec.to_builtins(answer.machine),
        "locks": answer.locks,
        "keys": answer.keys,
        "samples": msgspec.to_builtins(comparison.samples),
    }


def _numbers(line: Line) -> dict[str, Any]:
    finding = line.finding
    return {
        "metric": line.metric,
        "clock": line.clock,
        "ratio": finding.ratio,
        "ci_low": finding.ci_low,
        "ci_high": finding.ci_high,
        "level": finding.level,
        "pairs": finding.pairs,
    }


def _comparison(line: Line) -> dict[str, Any]:
    return {
        "cell": line.cell,
        "verdict": line.finding.verdict,
        **_numbers(line),
        "base_s": line.base_s,
        "head_s": line.head_s,
        "log_ratios": line.log_ratios,
    }


def _settings(settings: Sequence[Setting]) -> dict[str, str]:
    return {setting.key: setting.value for setting in settings}


def as_text(answer: Answer) -> str:
    """Return the result for people."""
    comparison = answer.comparison
    blocks = [_headline(answer), *_tables(comparison), *_notes(answer)]
    return "\n".join(blocks) + "\n"


_SAID: Final = {
    Verdict.REGRESSED: "regressed: head is slower",
    Verdict.IMPROVED: "improved: head is faster",
    Verdict.OK: "ok: head is not slower",
    Verdict.INCONCLUSIVE: "inconclusive: it cannot be told whether head is slower",
    Verdict.UNPROVEN: "unproven: a control moved, so nothing is said of head",
}


def _headline(answer: Answer) -> str:
    comparison, margin = answer.comparison, answer.asked.settings.rule.margin
    said = _SAID[comparison.verdict]
    if comparison.verdict is Verdict.UNPROVEN:
        return f"{said}\n"
    worst = comparison.worst
    return f"{said} (margin {margin:.0%}); {worst.metric}: {_ratio(worst)}\n"


def _ratio(line: Line) -> str:
    finding = line.finding
    if finding.ratio is None or finding.ci_low is None or finding.ci_high is None:
        return f"only {count(finding.pairs, 'pair')}"
    return f"{finding.ratio:.3f} ({finding.ci_low:.3f} to {finding.ci_high:.3f})"


def _tables(comparison: Comparison) -> Iterator[str]:
    cells = dict.fromkeys(line.cell for line in comparison.lines)
    for cell in cells:
        rows = [
            (
                line.metric,
                "" if line.base_s is None else _time(line.base_s),
                "" if line.head_s is None else _time(line.head_s),
                line.clock,
                _ratio(line),
                line.finding.pairs,
                line.finding.verdict,
            )
            for line in comparison.lines
            if line.cell == cell
        ]
        headers = ("metric", "base", "head", "clock", "head/base", "pairs", "verdict")
        yield f"{cell}\n"
        yield tabulate(rows, headers, tablefmt="simple", disable_numparse=True) + "\n"


def _time(value: float) -> str:
    return f"{value * 1e6:.1f} µs" if value < 1e-3 else seconds(value)  # noqa: PLR2004 - 1 ms


def _still(controls: Sequence[Line]) -> Iterator[str]:
    """Yield which controls did not move, and which had too few pairs for that to be known."""
    known = {one.control for one in controls if one.finding.ratio is not None}
    words = [name for control, name in _CONTROLS.items() if control in known]
    if words:
        yield f"No control moved ({', '.join(words)})."
    seen = {one.control for one in controls}
    few = [name for control, name in _CONTROLS.items() if control in seen - known]
    if few or not seen:
        yield f"Too few pairs to tell whether a control moved: {', '.join(few) or 'none was run'}."


_CONTROLS: Final = {"identical-arms": "identical arms", "no-bridge": "no bridge"}


def _notes(answer: Answer) -> Iterator[str]:
    comparison, asked = answer.comparison, answer.asked
    for one in comparison.controls:
        if moved(one.finding):
            yield f"The control {one.control} moved: {one.metric} of {one.cell}: {_ratio(one)}."
    if not any(moved(one.finding) for one in comparison.controls):
        yield from _still(comparison.controls)
    if asked.settings.plant != 1:
        yield f"Head was slowed down on purpose, by the factor {asked.settings.plant:g}."
    if comparison.verdict is Verdict.INCONCLUSIVE:
        more = 2 * asked.settings.budget_s
        yield f"More pairs would tell: --budget {more:g}, or fewer metrics."
    looks = len(comparison.looks)
    yield (
        f"{count(comparison.looks[-1].pairs, 'pair')} of fresh processes in "
        f"{seconds(comparison.measured_s)}, looked at {count(looks, 'time')}; "
        f"all of them: {asked.results}/{FILE}"
    )

"""``harness ab``: is head slower than base?  Samples both in pairs until that is known.

The order of the processes and when the results are looked at are fixed before the first pair
(``harness.latency.schedule``), and the verdict is a pure function of the pairs
(``harness.latency.verdict``).  Every pair is in the journal as soon as it has ended, and the same
command goes on from there.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Final

import msgspec

from harness.errors import ExitCode, NotMeasured
from harness.journal.writer import FILE_NAME
from harness.latency.model import Finding, Rule, Sample, Verdict
from harness.latency.pairs import (
    common_metrics,
    identical_arms,
    log_ratios,
    no_bridge,
    pairs_of,
)
from harness.latency.schedule import NO_BRIDGE, PAIRS, TEST, Looks, Pair, orders, share_of
from harness.latency.verdict import judge, overall
from harness.model.document import Machine
from harness.results.load import read_events
from harness.workflow.arms import Duel
from harness.workflow.sampling import Process

SCHEMA: Final = 1
SEED: Final = 20240
WARMINGS: Final = 2
"""Pairs of each kind before the first: one fills the caches, the last is timed."""
_FEWEST_CONTROLS: Final = 3

RunPair = Callable[[Duel, Pair], tuple[Process, Process]]
"""Runs two fresh processes side by side."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """How a comparison is run.

    ``budget_s`` is the time for measuring each cell, the controls' included; ``metrics`` are the
    stages that are compared, all by default; ``plant`` slows head down on purpose.
    """

    budget_s: float = 300.0
    plant: float = 1.0
    metrics: tuple[str, ...] = ()
    rule: Rule = Rule()
    seed: int = SEED


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One comparison: a metric of a cell, or a control of it where ``control`` says which.

    ``base_s`` and ``head_s`` are medians, seconds a repetition; of a control they are ``None``.
    """

    cell: str
    metric: str
    clock: str
    finding: Finding
    log_ratios: tuple[float, ...]
    control: str | None = None
    base_s: float | None = None
    head_s: float | None = None


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """A look at the results: after so many pairs, with this chance of error in each direction."""

    pairs: int
    level: float
    verdict: Verdict


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """What came of comparing head with base."""

    verdict: Verdict
    lines: tuple[Line, ...]
    controls: tuple[Line, ...]
    looks: tuple[Look, ...]
    samples: tuple[Sample, ...]

    @property
    def measured_s(self) -> float:
        """How long all the processes took that count against the budget."""
        return sum(sample.wall_s for sample in self.samples)

    @property
    def exit_code(self) -> ExitCode:
        """1 for a regression, 3 where nothing is proven; what is ``unproven`` never blocks."""
        codes = {
            Verdict.REGRESSED: ExitCode.PROBLEM,
            Verdict.INCONCLUSIVE: ExitCode.NOT_MEASURED,
        }
        return codes.get(self.verdict, ExitCode.OK)

    @property
    def worst(self) -> Line:
        """The comparison that the verdict is from, or that comes nearest to a regression."""
        order = (Verdict.REGRESSED, Verdict.INCONCLUSIVE, Verdict.OK, Verdict.IMPROVED)

        def rank(line: Line) -> tuple[int, float]:
            finding = line.finding
            place = order.index(finding.verdict)
            if self.verdict is Verdict.IMPROVED:
                # Where it is the verdict that head is faster, the clearest of those.
                return -place, finding.ci_high or math.inf
            return place, -(finding.ci_low or 0.0)

        return min(self.lines, key=rank)


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """What a journal has of the same comparison: what is compared, and the pairs so far."""

    metrics: Mapping[str, tuple[str, ...]] = {}
    samples: tuple[Sample, ...] = ()


class Comparing:
    """One comparison, from warming up to its verdict.

    Parameters
    ----------
    run_pair
        Runs two fresh processes; raises ``NotMeasured`` where one does not come to a good end.
    tell
        Takes the name and the values of each event for the journal.
    note
        Takes one line on how far it is.
    """

    def __init__(
        self,
        duels: Sequence[Duel],
        settings: Settings,
        run_pair: RunPair,
        *,
        tell: Callable[..., None],
        note: Callable[[str], None],
    ) -> None:
        self.duels = tuple(duels)
        self.settings = settings
        self._run_pair = run_pair
        self._tell = tell
        self._note = note
        self._samples: list[Sample] = []
        self._metrics: dict[str, tuple[str, ...]] = {}
        self.locks: dict[str, dict[str, str | None]] = {duel.id: {} for duel in duels}

    def warm_up(self, plant: Callable[[Duel, Sequence[str]], None] | None = None) -> None:
        """Run every arm before the first pair, and see what can be compared and how long it takes.

        ``plant`` is told which stages of a cell are compared, before its head is timed.

        Raises
        ------
        NotMeasured
            A cell has none of the metrics that are asked for in both arms, or no cell has one of
            them.
        """
        for duel in self.duels:
            ran: list[Sample] = []
            kinds = [TEST[0]] if duel.native is None else [TEST[0], NO_BRIDGE]
            for number in range(WARMINGS):
                for kind in kinds:
                    self._note(f"warming up: {' and '.join(dict.fromkeys(kind))} of {duel.id}")
                    processes = self._run_pair(duel, kind)
                    for arm, process in zip(kind, processes, strict=True):
                        self.locks[duel.id][arm] = process.lock
                    if kind != NO_BRIDGE:
                        ran += samples_of(duel, (number, 0), kind, processes)
                if number == 0:
                    self._metrics[duel.id] = self._comparable(duel, ran)
                    if plant is not None:
                        plant(duel, self._metrics[duel.id])
        # One cell may lack what another has; what none has would be answered by the others.
        found = dict.fromkeys(name for names in self._metrics.values() for name in names)
        for name in self.settings.metrics:
            if name not in found:
                raise NotMeasured(
                    f"no cell has the stage {name}, which is asked for; they have: "
                    f"{', '.join(found)}"
                )

    def _comparable(self, duel: Duel, ran: Sequence[Sample]) -> tuple[str, ...]:
        """Return the metrics that both arms have on the clock of each."""
        asked = self.settings.metrics
        found = tuple(
            name
            for name in common_metrics(ran)
            if (not asked or name in asked)
            and all(one.times[name].on(duel.clocks[name]) is not None for one in ran)
        )
        if not found:
            has = ", ".join(common_metrics(ran)) or "none"
            raise NotMeasured(f"{duel.id} has none of the stages {', '.join(asked)}; it has: {has}")
        return found

    def run(self, kept: Kept | None = None) -> Comparison:
        """Run rounds until the verdict is settled or the budget is used.

        ``kept`` is what an earlier call of the same comparison left behind.
        """
        if kept is None:
            self._tell("metrics", metrics=self._metrics)
        else:
            self._metrics = dict(kept.metrics)
            self._samples = list(kept.samples)
        looks, done = Looks(self.settings.rule), list[Look]()
        for number, kinds in enumerate(orders(self.settings.seed)):
            spent = self._spent(number)
            level = looks.due(number * PAIRS, spent)
            if level is not None:
                found = self._look(level)
                done.append(Look(pairs=number * PAIRS, level=level, verdict=found.verdict))
                self._tell("look", look=done[-1])
                self._note(f"{number * PAIRS} pairs: {found.verdict}")
                if spent >= 1 or all(line.finding.settled for line in found.lines):
                    return msgspec.structs.replace(found, looks=tuple(done))
            self._round(number, kinds)
            self._say_how_far(number + 1, spent)
        raise AssertionError("orders have no end")

    def _say_how_far(self, number: int, before: float) -> None:
        """Say each tenth of the budget that is used."""
        spent = min(self._spent(number), 1.0)
        if int(spent * 10) > int(before * 10):
            self._note(f"{number * PAIRS} pairs in {spent:.0%} of the budget")

    def _spent(self, number: int) -> float:
        """Return the share of the budget that is used; 1 where another round would exceed it."""
        rounds = [0.0] * number
        for sample in self._samples:
            if sample.round < number:
                rounds[sample.round] += sample.wall_s
        return share_of(self.settings.budget_s * len(self.duels), rounds)

    def _round(self, number: int, kinds: Sequence[Pair]) -> None:
        for duel in self.duels:
            known = {(one.round, one.pair) for one in self._samples if one.cell == duel.id}
            for place, kind in enumerate(kinds):
                if (number, place) in known or (kind == NO_BRIDGE and duel.native is None):
                    continue
                ran = samples_of(duel, (number, place), kind, self._run_pair(duel, kind))
                self._samples += ran
                self._tell("pair", samples=ran)

    def _look(self, level: float) -> Comparison:
        rule = self.settings.rule
        lines = self._lines()
        findings = judge({key: line.log_ratios for key, line in lines.items()}, level, rule)
        controls = self._controls()
        fewer = msgspec.structs.replace(rule, fewest=_FEWEST_CONTROLS)
        judged = judge({key: one.log_ratios for key, one in controls.items()}, rule.alpha, fewer)
        return Comparison(
            verdict=overall(findings.values(), judged.values()),
            lines=tuple(
                msgspec.structs.replace(line, finding=findings[key]) for key, line in lines.items()
            ),
            controls=tuple(
                msgspec.structs.replace(one, finding=judged[key]) for key, one in controls.items()
            ),
            looks=(),
            samples=tuple(self._samples),
        )

    def _lines(self) -> dict[tuple[str, str], Line]:
        found = {}
        for duel in self.duels:
            own = [one for one in self._samples if one.cell == duel.id]
            for metric in self._metrics[duel.id]:
                clock = duel.clocks[metric]
                found[duel.id, metric] = Line(
                    cell=duel.id,
                    metric=metric,
                    clock=clock,
                    finding=_UNKNOWN,
                    log_ratios=tuple(log_ratios(own, metric, clock)),
                    base_s=_median(own, "base", metric, clock),
                    head_s=_median(own, "head", metric, clock),
                )
        return found

    def _controls(self) -> dict[tuple[str, str, str], Line]:
        found = {}
        for duel in self.duels:
            own = [one for one in self._samples if one.cell == duel.id]
            for metric in self._metrics[duel.id]:
                clock = duel.clocks[metric]
                series = {
                    ("identical-arms", clock): identical_arms(own, metric, clock),
                    ("no-bridge", "cpu"): no_bridge(own, metric),
                }
                for (kind, on), values in series.items():
                    if values:
                        found[duel.id, metric, kind] = Line(
                            cell=duel.id,
                            metric=metric,
                            clock=on,
                            finding=_UNKNOWN,
                            log_ratios=tuple(values),
                            control=kind,
                        )
        return found


_UNKNOWN: Final = Finding(verdict=Verdict.INCONCLUSIVE, pairs=0)


def samples_of(
    duel: Duel, place: tuple[int, int], arms: Pair, processes: Iterable[Process]
) -> tuple[Sample, ...]:
    """Return two processes as the samples of a pair; ``place`` is its round and its number."""
    return tuple(
        Sample(
            cell=duel.id,
            round=place[0],
            pair=place[1],
            place=first,
            arm=arm,
            times=process.times,
            wall_s=process.wall_s,
            at=process.at,
        )
        for first, (arm, process) in enumerate(zip(arms, processes, strict=True))
    )


def _median(samples: Iterable[Sample], arm: str, metric: str, clock: str) -> float | None:
    """Return the median of an arm over the pairs of base and head."""
    times = [
        one.times[metric].on(clock)
        for pair in pairs_of(samples, ("base", "head"))
        for one in pair
        if one.arm == arm and metric in one.times
    ]
    known = [time for time in times if time is not None]
    return median(known) if known else None


def question(
    duels: Sequence[Duel], keys: Iterable[str], settings: Settings, machine: Machine
) -> str:
    """Return a digest of what is asked and of where: samples count for one question alone.

    ``keys`` are those of all cells (``harness.workflow.keys``), which change with the probes.
    """
    asked = (
        [(duel.id, duel.base.variables, duel.head.variables) for duel in duels],
        sorted(keys),
        settings,
        machine,
    )
    encoded = msgspec.json.encode(asked, order="deterministic")
    return hashlib.blake2b(encoded, digest_size=8).hexdigest()


class _Started(msgspec.Struct, frozen=True, kw_only=True):
    question: str = ""


class _Compared(msgspec.Struct, frozen=True, kw_only=True):
    metrics: dict[str, tuple[str, ...]]


class _Paired(msgspec.Struct, frozen=True, kw_only=True):
    samples: tuple[Sample, ...]


def kept_in(folder: Path, asked: str) -> Kept | None:
    """Return what the journal in a folder has of a comparison that was cut short.

    ``None`` where there is none, or where it was of another question or came to its end.
    Raises ``FileFault`` where it cannot be read.
    """
    journal = folder / FILE_NAME
    if not journal.is_file():
        return None
    kept: Kept | None = None
    for _number, event in read_events(journal):
        if event is None:
            # A line that a kill cut short costs its pair.
            continue
        try:
            name = event.get("event")
            if name == "comparison-started":
                same = msgspec.convert(event, _Started).question == asked
                kept = Kept() if same else None
            elif name == "comparison-finished":
                kept = None
            elif kept is not None and name == "metrics":
                told = msgspec.convert(event, _Compared).metrics
                kept = msgspec.structs.replace(kept, metrics=told)
            elif kept is not None and name == "pair":
                pair = msgspec.convert(event, _Paired).samples
                kept = msgspec.structs.replace(kept, samples=(*kept.samples, *pair))
        except msgspec.ValidationError:
            continue
    return None if kept is None or not kept.metrics else kept

"""Proven remedies: what the catalogue advises for a cell that did not pass is tried.

A remedy is *verified* where what had stopped the cell passes with the remedy applied, nothing
that passed before fails, and the cause is gone.  It need not make the whole cell pass: where
something else stops the cell then, the trial says what, and the remedies of that are tried on top
of it.  What cannot be had here is no evidence against a remedy, which then stays untried, with the
reason.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final, Protocol

import msgspec

from harness.causes import Diagnosis, Finding, Remedy
from harness.causes.entries import CONFIDENCE
from harness.causes.model import TOGETHER
from harness.model.cell import Cell, Plan
from harness.model.record import JOINED, CellRecord, ProbeRecord, Trial
from harness.model.status import Status
from harness.workflow.changing import CannotTry, Changed, Changer
from harness.workflow.explaining import diagnosis_of
from harness.workflow.trying import Attempt

TRIED: Final = frozenset(
    {Status.FAIL, Status.CRASH, Status.TIMEOUT, Status.OOM, Status.UNSATISFIABLE}
)
"""Statuses whose cells remedies are tried for; ``unavailable`` needs what is not here."""
AT_MOST: Final = 3
"""Remedies that are run for a cell; what has a result already, or cannot be tried, is free."""
_FOLLOWED: Final = 2
"""Remedies of a cell, or remedies together, on top of which others are tried."""
_NO_ANSWER: Final = frozenset(
    {Status.UNAVAILABLE, Status.UNSUPPORTED, Status.SKIPPED, Status.MISSING}
)
"""Ends of a trial that tell nothing of the remedy."""
_NOT_HAD: Final = frozenset({Status.UNAVAILABLE, Status.UNSATISFIABLE})
"""Ends after which another version that the remedy allows may fare better."""

Explain = Callable[[CellRecord], Diagnosis]


class Runs(Protocol):
    """What runs changed cells: ``harness.workflow.trying.Bench``."""

    def key(self, changed: Changed) -> str:
        """Return a digest of what is asked; that of a planned cell where it asks the same."""
        ...

    def run(self, attempts: Sequence[Attempt], done: Callable[[Attempt, CellRecord], None]) -> None:
        """Run all, and tell of each as it ends, maybe from several threads."""
        ...


class Case:
    """A cell that did not pass, and what its cause's remedies came to so far.

    ``below`` is what the cell has been changed by already: then ``record`` is of a trial, that of
    the remedies ``applied``, and the remedies are those of what it left.
    """

    def __init__(
        self, cell: Cell, record: CellRecord, cause: Finding, below: _Below | None = None
    ) -> None:
        self.cell = cell
        self.record = record
        self.cause = cause
        self.below = below
        self.origin = record if below is None else below.origin
        """The record of the planned cell, which all trials are for."""
        self.applied = () if below is None else below.applied
        self.remedies = [remedy for remedy in cause.remedies if remedy.can_be_tried]
        self.kept = {trial.remedy: trial for trial in self.origin.trials}
        """What earlier runs came to."""
        self.runs = sum(
            trial.verified is not None
            for trial in self.origin.trials
            if trial.remedies[:-1] == self.applied
        )
        self.at: Remedy | None = None
        """The remedy that is being tried."""
        self.ways: list[Changed] = []
        """Cells that show whether it helps, of which none has been tried yet."""
        self.first: Trial | None = None
        """What the first way came to, where it could not be had."""
        self.left: list[Case] = [] if below is None else below.left
        """What remedies left, to be gone on from if none makes the cell pass; one for all."""
        self.is_told = below is None
        """Whether it has been told that what a remedy left has been dealt with."""
        self.passed = any(trial.passes for trial in self.origin.trials)
        self.over = self.passed or not self.remedies

    def name(self, remedy: Remedy) -> str:
        """Return how a trial names a remedy: after those that it is applied on top of."""
        return JOINED.join((*self.applied, remedy.id))


class _Below(msgspec.Struct, frozen=True, kw_only=True):
    """What a case stands on: the planned cell's record, and the trial that has been made of it."""

    origin: CellRecord
    applied: tuple[str, ...]
    changed: Changed
    trial: Trial
    left: list[Case]


def cases(
    plan: Plan, known: Mapping[str, CellRecord], explain: Explain = diagnosis_of
) -> Iterator[Case]:
    """Yield the cells of a plan whose cause has remedies that can be tried.

    A cell whose control does not pass is left out: what is wrong is then not between R and
    Python, and the control is a cell of its own.
    """
    for cell in plan.cells:
        record = known.get(cell.id)
        if record is None or record.status not in TRIED or record.cause is None:
            continue
        control = None if cell.control is None else known.get(cell.control)
        if cell.control is not None and (control is None or control.status is not Status.PASS):
            continue
        found = _to_act_upon(record, explain)
        if found is None or found.id != record.cause:
            continue
        case = Case(cell, record, found)
        if not case.over:
            yield case


def _to_act_upon(record: CellRecord, explain: Explain) -> Finding | None:
    """Return the best cause, unless it is a guess."""
    found = explain(record).causes
    return found[0] if found and found[0].confidence > CONFIDENCE["possible"] else None


class Prover:
    """Tries the remedies of all cases, equal trials of several cells once.

    Parameters
    ----------
    changer
        Lays a remedy's change on a cell.
    runs
        Runs what has no result yet.
    results
        Records that there are already, of the plan and of earlier runs.
    tell
        Is told of each trial as it ends, with the record of the cell that it is for; maybe from
        several threads.
    """

    def __init__(
        self,
        changer: Changer,
        runs: Runs,
        results: Iterable[CellRecord],
        tell: Callable[[CellRecord, Trial], None],
        explain: Explain = diagnosis_of,
    ) -> None:
        self._changer = changer
        self._runs = runs
        self._tell = tell
        self._explain = explain
        # By what was asked of them: a planned cell that asks the same need not be run again.
        self._known = {
            record.key: (record, f"cells/{record.id}")
            for record in results
            if record.key and record.status is not Status.MISSING
        }

    def prove(self, cases: Iterable[Case]) -> None:
        """Try the remedies of each case, the best first, until one makes its cell pass.

        Where none does, and one took the cause away, those of what it left are tried on top of it.

        Raises
        ------
        KeyboardInterrupt
            What was told of until then holds.
        """
        cases = list(cases)
        while True:
            attempts: dict[str, Attempt] = {}
            waiting: dict[str, list[tuple[Case, Changed]]] = {}
            for at, case in enumerate(cases):
                changed = self._next(case)
                while changed is None:
                    self._finish(case)
                    if not case.left:
                        break
                    case = cases[at] = case.left.pop(0)  # noqa: PLW2901 - it stands for the cell now
                    changed = self._next(case)
                if changed is None or case.at is None:
                    continue
                key = self._runs.key(changed)
                waiting.setdefault(key, []).append((case, changed))
                remedy, cell = case.name(case.at), case.origin.id
                name = f"{remedy} for {cell}: {changed.words}"
                logs = f"cells/{cell}/remedies/{remedy}"
                attempts.setdefault(key, Attempt(changed=changed, key=key, logs=logs, why=name))
            if not attempts:
                return

            def done(
                attempt: Attempt,
                record: CellRecord,
                waiting: dict[str, list[tuple[Case, Changed]]] = waiting,
            ) -> None:
                self._known[attempt.key] = (record, attempt.logs)
                for case, changed in waiting[attempt.key]:
                    # What could not be had cost next to nothing.
                    case.runs += record.status not in _NOT_HAD
                    self._settle(case, changed, attempt.key)

            self._runs.run(list(attempts.values()), done)

    def _next(self, case: Case) -> Changed | None:
        """Return what is to be run next for a case; ``None`` where nothing is left to run."""
        while not case.over:
            if not case.ways and not self._begin(case):
                continue
            changed = case.ways.pop(0)
            key = self._runs.key(changed)
            if key in self._known:
                self._settle(case, changed, key)
            elif case.runs >= AT_MOST:
                case.over = True
            else:
                return changed
        return None

    def _begin(self, case: Case) -> bool:
        """Take the next remedy of a case; false where there is nothing of it to run."""
        case.first = None
        if not case.remedies:
            case.over = True
            return False
        case.at = case.remedies.pop(0)
        name = case.name(case.at)
        before = case.kept.get(name)
        if before is not None and before.verified is not None:
            if not before.unfinished:
                return False
            # A run was ended before all was tried on top of it, and what it came to is not kept.
            case.runs -= 1
        assert case.at.apply is not None
        try:
            ways = self._changer.changed(case.at.apply, case.cell, case.record)
        except CannotTry as reason:
            trial = Trial(remedy=name, verified=None, cell="", message=str(reason))
            if before != trial:
                self._tell(case.origin, trial)
            return False
        below = case.below
        case.ways = [way if below is None else way.on(below.changed) for way in ways]
        if before is not None and before.key == self._runs.key(case.ways[0]):
            # Nothing has changed since, so nothing else would come of it.
            case.ways = [] if before.verified is None else case.ways
        return bool(case.ways)

    def _settle(self, case: Case, changed: Changed, key: str) -> None:
        """Take the record of a changed cell as the answer to a case's remedy."""
        assert case.at is not None
        record, logs = self._known[key]
        trial = judge(case.record, record, case.at, explain=self._explain)
        trial = msgspec.structs.replace(
            trial,
            remedy=case.name(case.at),
            cell=changed.cell.id,
            change=changed.words,
            key=key,
            logs=logs,
        )
        if record.status in _NOT_HAD:
            case.first = case.first or trial
            if case.ways:
                return
            trial = case.first
        case.ways = []
        case.over = case.passed = trial.passes
        if not case.over and trial.verified:
            trial = self._go_on(case, changed, record, trial)
        self._tell(case.origin, trial)

    def _go_on(self, case: Case, changed: Changed, record: CellRecord, trial: Trial) -> Trial:
        """Remember what a remedy left, where that has remedies of its own."""
        cause = _to_act_upon(record, self._explain)
        assert case.at is not None
        applied = (*case.applied, case.at.id)
        if (
            cause is None
            or not any(remedy.can_be_tried for remedy in cause.remedies)
            or len(applied) >= TOGETHER
            or len(case.left) >= _FOLLOWED
        ):
            return trial
        trial = msgspec.structs.replace(trial, unfinished=True)
        below = _Below(
            origin=case.origin, applied=applied, changed=changed, trial=trial, left=case.left
        )
        case.left.append(Case(changed.cell, record, cause, below))
        return trial

    def _finish(self, case: Case) -> None:
        """Tell that no more is tried on top of a trial; of none at all, where the cell passes."""
        ended = [case, *case.left] if case.passed else [case]
        for one in ended:
            if one.below is not None and not one.is_told:
                one.is_told = True
                self._tell(one.origin, msgspec.structs.replace(one.below.trial, unfinished=False))
        if case.passed:
            case.left.clear()


def judge(
    before: CellRecord, after: CellRecord, remedy: Remedy, *, explain: Explain = diagnosis_of
) -> Trial:
    """Say whether a remedy helped, from the records of the cell without it and with it."""
    trial = Trial(remedy=remedy.id, verified=True, cell=after.id, wall_s=after.wall_s)
    if after.status in _NO_ANSWER:
        why = after.message or f"it ended as {after.status}"
        return msgspec.structs.replace(trial, verified=None, message=why)
    if after.status is Status.PASS:
        return trial
    return msgspec.structs.replace(
        trial, verified=_helped(before, after, explain), message=_still(after, explain)
    )


def _helped(before: CellRecord, after: CellRecord, explain: Explain) -> bool:
    """Tell whether a cell that does not pass got past what had stopped it before."""
    passed = {(p.name, p.variant) for p in after.probes if p.status is Status.PASS}
    if any((p.name, p.variant) not in passed for p in before.probes if p.status is Status.PASS):
        return False
    stopped = [probe for probe in before.probes if probe.status is before.status]
    if before.probes and not stopped:
        # It did all that was asked, and ended badly: only a good end would be another one.
        return False
    # What never ran has no probes; then the first that was asked must pass.
    culprit = stopped[0] if stopped else next(iter(after.probes), None)
    if culprit is None or (culprit.name, culprit.variant) not in passed:
        return False
    found = explain(after).causes
    return not found or found[0].id != before.cause


def _still(after: CellRecord, explain: Explain) -> str:
    """Say what stops a cell with the remedy applied."""
    at = f" at {after.phase}" if after.phase else ""
    found = explain(after).causes
    cause = f" ({found[0].id})" if found else ""
    probe = _first_bad(after)
    name = "" if probe is None else f"{probe.name} "
    ends = f"{name}ends as {after.status}{at}{cause}"
    said = " ".join((after.message or "").split())
    return f"{ends}: {said}" if said else ends


def _first_bad(record: CellRecord) -> ProbeRecord | None:
    return next((probe for probe in record.probes if probe.status is record.status), None)

"""Documented against actual: where a published range and a run say opposite things.

A run speaks of a fact where it could have been otherwise.  What passes, though it is documented
not to go together, contradicts that fact.  What fails, though every fact says that it goes
together, contradicts each fact that nothing else in the results bears out; whose fault it is
tells the control: what fails without R, too, is not the bridge's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec

from harness.model.document import Results
from harness.model.order import natural_key
from harness.model.record import CellRecord
from harness.model.status import Status
from harness.report.view import Blame, blame, ordered
from harness.support import (
    Fact,
    Subject,
    agrees,
    facts_about,
    known_of_record,
    load_support,
)

_PROMISED: Final = frozenset({"init", "train", "convert", "transfer", "call"})
"""Probes of what it means that versions go together: all comes up, and data arrive.  That a
callback or an error crosses the bridge is promised by no range of versions."""
_WITH_ARRAYS: Final = frozenset({"train", "convert", "transfer"})
_FRAMEWORKS: Final = frozenset({"tensorflow", "torch", "jax", "keras", "cuda"})
_AXES: Final = ("path", "transport", "r", "bridge", "python", "framework", "cuda")


class Disagreement(msgspec.Struct, frozen=True, kw_only=True):
    """A fact that runs contradict.

    ``supported`` is what is documented, the cells say the opposite.  ``versions`` are those of
    the subject in these cells, ``others`` those of the fact's axis; ``days`` are when they ran.
    """

    fact: Fact
    supported: bool
    cells: tuple[CellRecord, ...]
    versions: tuple[str, ...]
    others: tuple[str, ...]
    days: tuple[str, ...]

    @property
    def pair(self) -> str:
        """What was combined: ``tensorflow 2.14.0 with numpy 2.4.6``."""
        fact = self.fact
        return f"{fact.subject} {_list(self.versions)} with {_name(fact.axis)} {_list(self.others)}"

    @property
    def range(self) -> str:
        """What is documented: ``numpy >=1.23.5 for ==2.14.0``."""
        given = "".join(f", {_name(axis)} {text}" for axis, text in self.fact.given)
        return f"{_name(self.fact.axis)} {self.fact.range} for {self.fact.of}{given}"

    @property
    def said(self) -> str:
        """What is documented, in a word."""
        return "supported" if self.supported else "not supported"

    @property
    def ran(self) -> str:
        """What the cells say: ``fail``, ``pass``, ``crash or timeout``."""
        return " or ".join(sorted({cell.status.value for cell in self.cells}))


def disagreements(
    results: Results, subjects: Sequence[Subject] | None = None
) -> list[Disagreement]:
    """Return the facts that the results contradict, one entry a fact.

    ``subjects`` are the facts; by default, those that the harness comes with.
    """
    subjects = load_support() if subjects is None else subjects
    by_id = {record.id: record for record in results.cells}
    seen = [_Seen(record, results, subjects, by_id) for record in ordered(results)]
    borne_out = {pair for one in seen if one.works for pair in one.pairs()}
    found: dict[tuple[Fact, bool], list[_Seen]] = {}
    for one in seen:
        for fact in one.contradicted(borne_out):
            found.setdefault((fact, not one.works), []).append(one)
    keys = sorted(found, key=lambda key: (key[0].subject, key[0].axis, natural_key(key[0].of)))
    return [_disagreement(fact, supported, found[fact, supported]) for fact, supported in keys]


class _Seen:
    """A cell with what is known of it and what is documented of that."""

    def __init__(
        self,
        record: CellRecord,
        results: Results,
        subjects: Sequence[Subject],
        by_id: Mapping[str, CellRecord],
    ) -> None:
        self.record = record
        self.day = (record.started_at or results.started_at)[:10]
        self.works = works(record)
        self.known = known_of_record(record, results.machine_of(record.id).driver)
        self._told = [(fact, agrees(fact, self.known)) for fact in _facts(self.known, subjects)]
        self._control = by_id.get(record.control or "")

    def pairs(self) -> Iterable[tuple[str, str, str, str]]:
        """What this cell shows to go together, where it works."""
        for fact, _ in self._told:
            if self._tried(fact):
                yield self._pair(fact)

    def contradicted(self, borne_out: set[tuple[str, str, str, str]]) -> list[Fact]:
        """The facts that this cell contradicts."""
        if self.works is None:
            return []
        against = [fact for fact, said in self._told if said is False]
        if self.works:
            return [fact for fact in against if self._tried(fact)]
        if against:  # it is documented, and so it is
            return []
        return [
            fact
            for fact, said in self._told
            if said and self._is_about(fact) and self._pair(fact) not in borne_out
        ]

    def _pair(self, fact: Fact) -> tuple[str, str, str, str]:
        axis = self.known.get(fact.axis, "")
        if fact.axis in {"python", "r"}:
            axis = ".".join(axis.split(".")[:2])
        return fact.subject, self.known[fact.subject], fact.axis, axis

    def _tried(self, fact: Fact) -> bool:
        """Whether the cell has used what the fact is about: numpy, by sending arrays."""
        if fact.axis != "numpy":
            return True
        return any(probe.name in _WITH_ARRAYS for probe in self.record.probes)

    def _is_about(self, fact: Fact) -> bool:
        """Whether the cell's failure can be laid to what the fact is about."""
        record, control = self.record, self._control
        if record.control is None:
            return True
        if record.status is Status.UNSATISFIABLE:
            is_bridge = control is not None and control.status is Status.PASS
        else:
            is_bridge = blame(record, control) is Blame.CLEAR
        return is_bridge and fact.subject not in _FRAMEWORKS


def works(record: CellRecord) -> bool | None:
    """Say whether a cell's versions go together, by what came of it.

    ``None`` where it does not tell: it was not run, or what failed is not what a range of
    versions promises.
    """
    if record.status is Status.PASS:
        return any(
            probe.name in _PROMISED and probe.status is Status.PASS for probe in record.probes
        ) or None  # fmt: skip
    if record.status is Status.UNSATISFIABLE:
        # A pin of the matrix may be what cannot be met.
        return None if set(record.axes) - set(_AXES) else False
    if not record.status.is_problem:
        return None
    failed = [probe for probe in record.probes if probe.status.is_problem]
    if failed and not any(probe.name in _PROMISED for probe in failed):
        return None
    return False


def _facts(known: Mapping[str, str], subjects: Sequence[Subject]) -> tuple[Fact, ...]:
    # Only what is a pair of this cell: a fact on an axis that it does not have says nothing.
    return tuple(fact for fact in facts_about(known, subjects) if fact.axis in known)


def _disagreement(fact: Fact, supported: bool, seen: list[_Seen]) -> Disagreement:  # noqa: FBT001
    return Disagreement(
        fact=fact,
        supported=supported,
        cells=tuple(one.record for one in seen),
        versions=_sorted(one.known[fact.subject] for one in seen),
        others=_sorted(one.known[fact.axis] for one in seen),
        days=_sorted(one.day for one in seen if one.day),
    )


def _sorted(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(set(texts), key=natural_key))


def _list(texts: tuple[str, ...]) -> str:
    return " and ".join((", ".join(texts[:-1]), texts[-1])) if texts[1:] else "".join(texts)


def _name(axis: str) -> str:
    return {"python": "Python", "r": "R", "cuda": "CUDA", "cudnn": "cuDNN"}.get(axis, axis)

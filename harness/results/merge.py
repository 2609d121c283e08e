"""Several results documents into one: shards of a run, or runs of several machines."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from harness.errors import UsageError
from harness.model.document import (
    NEVER_RUN,
    OTHER_SHARD,
    Machine,
    Results,
    canonical,
    missing,
)
from harness.model.order import natural_key
from harness.model.record import CellRecord
from harness.model.status import Status
from harness.results.places import arrange

_NOTHING_KNOWN: Final = frozenset({Status.UNAVAILABLE, Status.SKIPPED})
"""How a cell ended, beside ``missing``, of which nothing is known."""


def merge(documents: Sequence[Results]) -> Results:
    """Return one document for all; neither order nor repetition changes it.

    Where several have the same cell, a measured record beats one that could not be had or was
    skipped, and that one a record that is ``missing``; of two alike the one with the later
    ``started_at`` counts, and of equals the one whose canonical JSON is the greater.  A cell that
    a shard says another has, and none of them has, is ``missing``.  Cells stand in the natural
    order of their ids.
    Raises ``UsageError`` where there is nothing to merge.
    """
    if not documents:
        raise UsageError("nothing to merge: name at least one folder that holds results")
    best: dict[str, _Candidate] = {}
    for document in documents:
        for candidate in _candidates(document):
            rival = best.get(candidate.record.id)
            if rival is None or rival.rank < candidate.rank:
                best[candidate.record.id] = candidate
    ids = sorted(best, key=natural_key)
    machine, elsewhere = arrange(
        {cell: best[cell].machine for cell in ids if best[cell].measured},
        min((document.machine for document in documents), key=canonical),
    )
    starts = [document.started_at for document in documents if document.started_at]
    return Results(
        harness=max((document.harness for document in documents), key=natural_key),
        matrix="+".join(
            sorted({name for document in documents for name in document.matrix.split("+")})
        ),
        machine=machine,
        elsewhere=elsewhere,
        started_at=min(starts, default=""),
        finished_at=max(
            (document.finished_at for document in documents if document.finished_at), default=None
        ),
        whole=_whole(documents),
        planned=tuple(ids),
        cells=tuple(best[cell].record for cell in ids),
    )


def _whole(documents: Sequence[Results]) -> dict[str, int]:
    """Return how many cells each matrix has, where a document says so."""
    found: dict[str, int] = {}
    for document in documents:
        for matrix, cells in document.whole.items():
            found[matrix] = max(cells, found.get(matrix, 0))
    return dict(sorted(found.items()))


class _Candidate:
    """A record with where it was measured, and its rank among those of the same cell."""

    def __init__(self, record: CellRecord, machine: Machine) -> None:
        self.record = record
        self.machine = machine
        self.measured = record.status is not Status.MISSING
        self.rank = (
            # What another machine could not try says nothing against what this one measured.
            self.measured and record.status not in _NOTHING_KNOWN,
            self.measured,
            record.message != OTHER_SHARD,
            record.started_at,
            canonical(record),
            canonical(machine) if self.measured else b"",
        )


def _candidates(document: Results) -> Iterable[_Candidate]:
    elsewhere = {cell: other.machine for other in document.elsewhere for cell in other.cells}
    known = set()
    for record in document.cells:
        known.add(record.id)
        yield _Candidate(record, elsewhere.get(record.id, document.machine))
    for cell in document.planned:
        if cell not in known:
            yield _Candidate(missing(cell, {}, NEVER_RUN), document.machine)
    for other in document.others:
        record = missing(
            other.id, other.axes, OTHER_SHARD, control=other.control, implied=other.implied
        )
        yield _Candidate(record, document.machine)

"""What a path makes of values: how many arrive as they were sent, and how many are lost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from statistics import median

import msgspec

from harness.model.document import Results
from harness.published.figure import Figure
from harness.report.conversions import LEGS, Column, columns

SILENT = "silent loss"


class Loss(msgspec.Struct, frozen=True, kw_only=True):
    """One cell that judged values: how many had each outcome on the way there, and back.

    ``name`` is what the bridge is called, with what tells it apart; ``values`` is how many
    values were sent; outcomes are those of the probe ``convert``.
    """

    cell: str
    name: str
    values: int
    there: Mapping[str, int]
    back: Mapping[str, int]

    @property
    def silent(self) -> int:
        """Values lost silently, on both ways together."""
        return self.there.get(SILENT, 0) + self.back.get(SILENT, 0)


def losses(results: Results) -> tuple[Loss, ...]:
    """Return what became of values in every cell that judged some, the control's last."""
    return tuple(
        Loss(
            cell=column.record.id,
            name=column.name,
            values=len(column.values),
            there=_outcomes(column, LEGS[0]),
            back=_outcomes(column, LEGS[1]),
        )
        for column in columns(results)
    )


def silent(found: Sequence[Loss]) -> Figure | None:
    """Return the share of values that are lost silently, both ways: the median of the cells."""
    if not found:
        return None
    shares = [loss.silent / (2 * loss.values) for loss in found if loss.values]
    if not shares:
        return None
    value = median(shares)
    text = f"{100 * value:.0f}% of values"
    return Figure(value=value, unit="share", text=text, cells=tuple(loss.cell for loss in found))


def _outcomes(column: Column, leg: str) -> dict[str, int]:
    found: Counter[str] = Counter()
    for legs in column.values.values():
        way = legs.get(leg) if isinstance(legs, Mapping) else None
        outcome = way.get("outcome") if isinstance(way, Mapping) else None
        if isinstance(outcome, str):
            found[outcome] += 1
    return dict(sorted(found.items()))

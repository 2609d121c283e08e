"""What the failure of a control tells of the cell that it is the control of."""

from __future__ import annotations

from typing import Final

from harness.model.record import CellRecord
from harness.model.status import Phase, Status

_PHASES: Final = {phase: position for position, phase in enumerate(Phase)}
_NO_FAILURE: Final = frozenset({Status.PASS, Status.UNSUPPORTED, Status.SKIPPED})


def explains(control: CellRecord, record: CellRecord) -> bool:
    """Say whether the failure of ``control`` can be what stopped ``record``.

    It cannot where the control gets further, or where it does the probe that stopped the cell and
    fails in another alone.  Both are taken for cells that did not pass.
    """
    if record.phase and control.phase and _PHASES[control.phase] > _PHASES[record.phase]:
        return False
    mine, its = _failing(record), _failing(control)
    return not mine or not its or mine[0] in its


def _failing(record: CellRecord) -> list[tuple[str, str | None]]:
    """Return the probes that failed or never ran, in their order."""
    return [(one.name, one.variant) for one in record.probes if one.status not in _NO_FAILURE]

"""Which machine each cell was measured on, in the document's compact form."""

from __future__ import annotations

from collections.abc import Mapping

from harness.model.document import Elsewhere, Machine, canonical
from harness.model.order import natural_key


def arrange(
    measured: Mapping[str, Machine], fallback: Machine
) -> tuple[Machine, tuple[Elsewhere, ...]]:
    """Return the machine that measured most cells, and the others with their cells.

    ``measured`` holds the machine of each measured cell by id; ``fallback`` is the machine
    where nothing was measured.  The answer depends on the values alone, never on an order.
    """
    cells: dict[bytes, list[str]] = {}
    machines: dict[bytes, Machine] = {}
    for cell, machine in measured.items():
        name = canonical(machine)
        machines[name] = machine
        cells.setdefault(name, []).append(cell)
    if not machines:
        return fallback, ()
    first = max(machines, key=lambda name: (len(cells[name]), name))
    return machines[first], tuple(
        Elsewhere(machine=machines[name], cells=tuple(sorted(cells[name], key=natural_key)))
        for name in sorted(machines)
        if name != first
    )

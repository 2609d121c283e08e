"""What the probe ``convert`` found, as a table: values by bridges."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec

from harness.model.document import Results
from harness.model.record import CellRecord
from harness.report.view import ordered

Bridge = tuple[str | None, ...]
"""What the cells of one bridge have in common: path, transport, bridge and R."""
Pins = Mapping[str, set[str | None]]
"""The versions of packages that were asked for, by name."""

LEGS: Final = ("there", "back")
_NAMED: Final = ("numpy", "pandas")
"""Packages that change what becomes of values."""
MARKS: Final[Mapping[str, str]] = {
    "exact": "exact",
    "documented loss": "doc",
    "warned loss": "warned",
    "silent loss": "SILENT",
    "error": "error",
    "crash": "CRASH",
    "unsupported": "no",
}
"""Outcomes as short as a table needs them, the best first."""
MEANINGS: Final[Mapping[str, str]] = {
    "exact": "what was sent, to the last bit, name and zone; or a reference to it",
    "doc": "lost, as the bridge's documentation says",
    "warned": "lost, with a warning",
    "SILENT": "lost, and nothing says so",
    "error": "the conversion failed, and said so",
    "CRASH": "the process was ended, or hung and was ended",
    "no": "the path says that it cannot carry it",
}


class Column(msgspec.Struct, frozen=True, kw_only=True):
    """One cell whose values were judged: what it is called, and the outcomes by value and way."""

    record: CellRecord
    name: str
    values: Mapping[str, Any]

    def mark(self, value: str) -> str:
        """Return the outcomes of a value on both ways; one word where they are the same."""
        legs = self.values.get(value)
        if not isinstance(legs, Mapping):
            return ""
        marks = [MARKS.get(str(_outcome(legs.get(leg))), "?") for leg in LEGS]
        return marks[0] if marks[0] == marks[1] else ", ".join(marks)

    def counts(self, leg: str) -> Counter[str]:
        """Return how many values had each outcome on one way."""
        return Counter(
            MARKS.get(str(_outcome(legs.get(leg))), "?") for legs in self.values.values()
        )


def _outcome(leg: object) -> object:
    return leg.get("outcome") if isinstance(leg, Mapping) else None


def columns(results: Results) -> list[Column]:
    """Return a column for each cell that judged values, the control's last."""
    pins: dict[Bridge, Pins] = {}
    for record in results.cells:
        of_it = pins.setdefault(_bridge(record), {name: set() for name in _NAMED})
        for name, values in of_it.items():
            values.add(record.axes.get(name))
    found = [
        Column(
            record=record,
            name=name_of(record, pins[_bridge(record)]),
            values=probe.details["values"],
        )
        for record in ordered(results)
        for probe in record.probes
        if probe.name == "convert" and isinstance(probe.details.get("values"), Mapping)
    ]
    return sorted(found, key=lambda column: column.record.axes.get("path") == "native")


def _bridge(record: CellRecord) -> Bridge:
    return tuple(record.axes.get(key) for key in ("path", "transport", "bridge", "r"))


def name_of(record: CellRecord, pins: Pins) -> str:
    """Return what a bridge is called in the table: its version read back, and what tells it apart.

    ``pins`` are the versions of packages that cells of the same bridge have; they are named where
    there are several.
    """
    axes = record.axes
    bridge = record.identity.get("bridge")
    bridge = bridge if isinstance(bridge, Mapping) else {}
    name = str(bridge.get("name") or axes.get("path") or "")
    version = str(bridge.get("version") or axes.get("bridge") or "")
    if axes.get("path") == "rpc":
        name = f"rpc {axes.get('transport')}"
        version = f"{bridge['name']} {version}" if bridge.get("name") else ""
    words = f"{name} {version}".strip()
    named = [
        f"{name} {str(axes[name]).removeprefix('==')}"
        for name, values in pins.items()
        if axes.get(name) and len(values) > 1
    ]
    r = f"R {axes['r']}" if axes.get("r") else ""
    return ", ".join(part for part in (words, r, *named) if part)


def names_of_values(found: list[Column]) -> Iterator[str]:
    """Yield the names of the values, as the first cell has them in order."""
    seen: set[str] = set()
    for column in found:
        for value in column.values:
            if value not in seen:
                seen.add(value)
                yield value

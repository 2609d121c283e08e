"""What became of single values: a probe that measures them says so in its details."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from harness.model.record import CellRecord

KEY: Final = "outcomes"
"""In the details of a probe: names of what was measured, each with its outcome."""
SEVERITY: Final = ("exact", "documented loss", "unsupported", "error", "silent loss", "crash")
"""From the best to the worst: an error is told, a silent loss is not."""


def worse_outcomes(was: CellRecord, now: CellRecord) -> list[str]:
    """Return what ends worse than it did, each as ``NA_integer_ r-to-python: exact -> error``."""
    before = dict(_outcomes(was))
    return [
        f"{name}: {before[name]} -> {outcome}"
        for name, outcome in _outcomes(now)
        if name in before and _rank(outcome) > _rank(before[name])
    ]


def _outcomes(record: CellRecord) -> Iterator[tuple[str, str]]:
    for probe in record.probes:
        found = probe.details.get(KEY)
        if isinstance(found, Mapping):
            for name in sorted(found):
                if isinstance(found[name], str):
                    yield str(name), found[name]


def _rank(outcome: str) -> int:
    return SEVERITY.index(outcome) if outcome in SEVERITY else len(SEVERITY)

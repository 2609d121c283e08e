"""Finds the report formats that are installed, the built-in ones and those of third parties."""

from __future__ import annotations

from importlib.metadata import entry_points

from harness.errors import UsageError
from harness.report.base import Report

GROUP = "harness.reports"


def names() -> tuple[str, ...]:
    """Return the names of all formats, sorted."""
    return tuple(sorted({entry.name for entry in entry_points(group=GROUP)}))


def find(name: str) -> Report:
    """Return the format called ``name``.  Raises ``UsageError``, which lists what there is."""
    for entry in entry_points(group=GROUP, name=name):
        report: Report = entry.load()
        return report
    raise UsageError(f"there is no report format {name!r}: write one of {', '.join(names())}")

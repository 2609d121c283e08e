"""What is installed, built in or by third parties: paths and probes.

All register through entry points, the built-in ones too.
"""

from __future__ import annotations

from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any, cast

from harness.errors import MachineFault
from harness.paths.base import IntegrationPath
from harness.probes.base import Probe


@cache
def _group(group: str) -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=group)}


def names(group: str) -> tuple[str, ...]:
    """Return what a group of entry points holds, without importing it."""
    return tuple(_group(group))


@cache
def _load(group: str, name: str) -> Any:
    entry = _group(group)[name]
    try:
        return entry.load()
    except Exception as error:
        # A plugin can raise anything while it is imported; which one it was must be said.
        raise MachineFault(
            f"the plugin '{name}' of '{group}' ({entry.value}) cannot be loaded: "
            f"{type(error).__name__}: {error}"
        ) from error


@cache
def paths() -> dict[str, IntegrationPath]:
    """Return the integration paths by name."""
    found = names("harness.paths")
    return {name: cast("IntegrationPath", _load("harness.paths", name)) for name in found}


def probe(name: str) -> Probe:
    """Return one probe."""
    return cast("Probe", _load("harness.probes", name))

"""Which versions go together in a cell: those asked for, or those read back from its run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.model.cell import Axes
from harness.model.record import CellRecord

PACKAGE_OF = {"reticulate": "reticulate", "rpy2": "rpy2", "rpython": "rpython"}
"""The bridge that a path is made of, by the name that its facts have."""
_SHARED = ("numpy", "keras")


def known_of_axes(axes: Axes, versions: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the versions that a planned cell asks for.

    Parameters
    ----------
    versions
        What the resolver found, by package: it completes what the axes leave open.
    """
    found = _of(axes.as_dict())
    frameworks = _frameworks(str(axes.framework or ""))
    for name, version in (versions or {}).items():
        name = {"tensorflow-cpu": "tensorflow"}.get(name.lower(), name.lower())  # noqa: PLW2901
        if name in frameworks or name in _SHARED or name in PACKAGE_OF.values():
            found[name] = version
    return found


def known_of_record(record: CellRecord, driver: str | None = None) -> dict[str, str]:
    """Return the versions that a cell ran with, as they were read back from inside it.

    What was not read back, because the cell did not get that far, is what was asked for.
    ``driver`` is that of the machine's GPU.
    """
    found = _of(record.axes)
    identity = record.identity
    for name in ("python", "r"):
        if version := _text(identity, name, "version"):
            found[name] = version
    bridge, path = _text(identity, "bridge", "version"), record.axes.get("path") or ""
    if bridge and path in PACKAGE_OF:
        asked = record.axes.get("bridge") or ""
        # The label of a build (rPython's remedies) is the harness's own: nobody reads it back.
        label = f"+{asked.partition('+')[2]}" if "+" in asked and "+" not in bridge else ""
        found[PACKAGE_OF[path]] = bridge + label
    frameworks = _frameworks(record.axes.get("framework") or "")
    modules = identity.get("modules")
    for name, version in (modules if isinstance(modules, dict) else {}).items():
        name = str(name).lower()  # noqa: PLW2901
        if isinstance(version, str) and (name in frameworks or name in {*_SHARED, "pyrserve"}):
            found[name] = version
    if driver is not None and "cuda" in found:
        found["driver"] = driver
    return found


def _of(axes: Mapping[str, str | None]) -> dict[str, str]:
    found = {name: value for name in ("python", "r") if (value := axes.get(name))}
    framework, _, version = (axes.get("framework") or "").partition("==")
    if version:
        found[framework.partition("[")[0]] = version
    package, bridge = PACKAGE_OF.get(axes.get("path") or ""), axes.get("bridge")
    if package is not None and bridge:
        found[package] = bridge
    for name in _SHARED:
        pin = axes.get(name) or ""
        if pin.startswith("==") and "*" not in pin:
            found[name] = pin.removeprefix("==").strip()
    cuda = axes.get("cuda")
    if cuda and cuda != "cpu":
        found["cuda"] = cuda
    return found


def _frameworks(requirement: str) -> frozenset[str]:
    """The framework of a requirement, and the backends of Keras."""
    name, _, rest = requirement.partition("==")[0].partition("[")
    return frozenset(part for part in (name, *rest.rstrip("]").split(",")) if part)


def _text(identity: Mapping[str, Any], *keys: str) -> str | None:
    value: Any = identity
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value if isinstance(value, str) and value else None

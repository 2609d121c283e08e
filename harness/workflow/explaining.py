"""Why a cell is not ``pass``: its record as evidence, and the cause that the catalogue names."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import msgspec

from harness.causes import Diagnosis, Evidence, diagnose
from harness.causes.model import Fact
from harness.model.record import CellRecord
from harness.model.status import Status

EXPLAINED: Final = frozenset(
    {
        Status.FAIL,
        Status.CRASH,
        Status.TIMEOUT,
        Status.OOM,
        Status.UNSATISFIABLE,
        Status.UNAVAILABLE,
    }
)
"""Statuses that have a cause; the others say themselves why they are what they are."""
_NEVER_RAN: Final = frozenset({Status.UNSATISFIABLE, Status.UNAVAILABLE})
_BRIDGES: Final = {"reticulate": "reticulate", "rpy2": "rpy2", "rpython": "rPython"}
_DISTRIBUTIONS: Final = {"tensorflow": ("tensorflow", "tensorflow-cpu")}


def explain(record: CellRecord) -> CellRecord:
    """Return the record with the cause that fits it best; with none where nothing known fits."""
    if record.status not in EXPLAINED:
        return record
    found = diagnosis_of(record).causes
    return msgspec.structs.replace(record, cause=found[0].id if found else None)


def diagnosis_of(record: CellRecord) -> Diagnosis:
    """Hold a cell's record against the catalogue of causes."""
    return diagnose(evidence_of(record))


def evidence_of(record: CellRecord) -> Evidence:
    """Return what a record knows of a failure: what was printed, and facts that have a name."""
    printed = (record.message, *record.evidence.values(), *_messages(record))
    text = "\n".join(dict.fromkeys(part for part in printed if part))
    return Evidence(text=text, facts=dict(_facts(record)))


def _messages(record: CellRecord) -> Iterator[str]:
    for probe in record.probes:
        if probe.status is not Status.PASS and probe.message:
            yield probe.message


def _facts(record: CellRecord) -> Iterator[tuple[str, Fact]]:
    """Yield the facts that are known; what was read back goes before what was asked."""
    axes, identity = record.axes, record.identity
    r, python = _part(identity, "r"), _part(identity, "python")
    bridge, device = _part(identity, "bridge"), _part(identity, "device")
    modules = _part(identity, "modules")
    path = str(axes.get("path"))
    framework, asked_version = _framework(axes.get("framework"))
    versions = [modules.get(name) for name in (framework, *_DISTRIBUTIONS.get(framework, ()))]
    known: dict[str, Any] = {
        "path": path,
        "transport": axes.get("transport"),
        "phase": None if record.phase is None else str(record.phase),
        "status": str(record.status),
        "exit.code": record.ending.exit_code,
        "exit.signal": record.ending.signal,
        "hang": True if record.status is Status.TIMEOUT else None,
        "after_success": _after_success(record),
        "r.version": r.get("version") or _numeric(axes.get("r")),
        "r.home": r.get("home"),
        "bridge.name": bridge.get("name") or _BRIDGES.get(path),
        "bridge.version": bridge.get("version") or _numeric(axes.get("bridge")),
        "python.version": python.get("version") or axes.get("python"),
        "python.executable": python.get("executable"),
        "python.libpython": python.get("libpython"),
        "framework.name": framework or None,
        "framework.version": next((found for found in versions if found), asked_version),
        "numpy.version": modules.get("numpy"),
        "device.asked": "cpu" if axes.get("cuda") == "cpu" else "cuda",
        "device.got": device.get("kind"),
        "driver.version": device.get("driver"),
        "cuda.runtime": device.get("runtime"),
    }
    if record.status in _NEVER_RAN:
        # No bridge was loaded, so no version of one can be what stopped it.
        known = {name: known[name] for name in known if not name.startswith(("bridge.", "r."))}
    for name, value in known.items():
        if value is not None:
            yield name, value
    for name, version in modules.items():
        if version:
            yield f"package.{name}", str(version)


def _after_success(record: CellRecord) -> bool | None:
    ended_badly = record.status in {Status.CRASH, Status.TIMEOUT}
    done = bool(record.probes) and all(probe.status is Status.PASS for probe in record.probes)
    return True if ended_badly and done else None


def _framework(asked: str | None) -> tuple[str, str | None]:
    name, _, version = (asked or "").partition("==")
    return name.partition("[")[0], version or None


def _part(identity: dict[str, Any], name: str) -> dict[str, Any]:
    found = identity.get(name)
    return found if isinstance(found, dict) else {}


def _numeric(version: str | None) -> str | None:
    return version if version and version[:1].isdigit() else None

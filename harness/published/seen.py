"""Cells as the derivations see them: which versions were together, and whether they went."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from harness.model.document import Results
from harness.model.once import once
from harness.model.order import natural_key
from harness.model.record import CellRecord
from harness.model.status import Phase, Status
from harness.report.view import Blame, blame
from harness.support import known_of_record

PROMISED: Final = frozenset({"init", "train", "convert", "transfer", "call"})
"""Probes of what it means that versions go together: all comes up, and data arrive."""
WITH_ARRAYS: Final = frozenset({"train", "convert", "transfer"})
AXES: Final = ("path", "transport", "r", "bridge", "python", "framework", "cuda")
NOT_RUN: Final = frozenset({Status.MISSING, Status.SKIPPED, Status.UNAVAILABLE})
"""How a cell ends of which nothing is known: it was not run, or could not be here."""
_PHASES: Final = {phase: position for position, phase in enumerate(Phase)}
_JUDGED: Final = (Blame.CLEAR, Blame.CONTROL, Blame.NOTHING)
_PARTS: Final = 2


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """A cell: its versions, and what it says of them.

    ``versions`` are those read back, or asked for where the cell did not get that far: of
    ``bridge``, ``python`` and ``r``, of ``framework``, and of ``numpy``.  ``starts`` says whether
    Python came up behind the bridge, ``works`` whether all came up and data arrived; ``None``
    where the cell does not tell: it was not run, or its control stops at the same point.
    """

    record: CellRecord
    path: str
    framework: str
    versions: Mapping[str, str]
    starts: bool | None
    works: bool | None
    at: str

    @property
    def id(self) -> str:
        """The id of the cell."""
        return self.record.id


class _Bridge(msgspec.Struct, frozen=True, kw_only=True):
    """A bridge by its version, and by its name where a cell read one back."""

    version: str
    name: str = ""


@once
def seen(results: Results) -> tuple[Seen, ...]:
    """Return every cell of the results, in the order of their ids."""
    by_id = {record.id: record for record in results.cells}
    known_as = _read_back_elsewhere(results)
    known = {
        record.id: known_of_record(record, results.machine_of(record.id).driver)
        for record in results.cells
    }
    return tuple(
        _seen(record, by_id.get(record.control or ""), known, known_as)
        for record in sorted(results.cells, key=lambda record: natural_key(record.id))
    )


def path_of(record: CellRecord) -> str:
    """Return the path without the version of its bridge: ``reticulate``, ``rpc zmq``."""
    return " ".join(filter(None, (record.axes.get("path"), record.axes.get("transport")))) or "?"


def works(record: CellRecord, control: CellRecord | None) -> bool | None:
    """Say whether all came up and data arrived; ``None`` where the cell does not tell."""
    if record.status in NOT_RUN:
        return None
    promised = [probe for probe in record.probes if probe.name in PROMISED]
    others = [probe for probe in record.probes if probe.name not in PROMISED]
    if record.status is Status.UNSATISFIABLE:
        # A pin of the matrix may be what cannot be met.
        own = not set(record.axes) - set(AXES)
        return False if own and (control is None or control.status is Status.PASS) else None
    if not record.status.is_problem or (
        any(probe.status.is_problem for probe in others)
        and not any(probe.status.is_problem for probe in promised)
    ):
        return any(probe.status is Status.PASS for probe in promised) or None
    return None if blame(record, control) not in _JUDGED else False


def starts(record: CellRecord, control: CellRecord | None) -> bool | None:
    """Say whether Python came up behind the bridge; ``None`` where the cell does not tell."""
    if record.status in NOT_RUN or record.status is Status.UNSATISFIABLE:
        return None
    if _read(record, "python") or record.status is Status.PASS:
        return True
    if not record.status.is_problem or record.phase is None:
        return None
    if _PHASES[record.phase] > _PHASES[Phase.PYTHON]:
        return True
    return None if blame(record, control) not in _JUDGED else False


def _seen(
    record: CellRecord,
    control: CellRecord | None,
    known_of: Mapping[str, Mapping[str, str]],
    known_as: Mapping[tuple[str | None, ...], _Bridge],
) -> Seen:
    known = known_of[record.id]
    # What failed before it could say its versions has those of its control, by construction.
    its = known_of[control.id] if control is not None else {}
    framework = (record.axes.get("framework") or "").partition("==")[0].partition("[")[0]
    bridge = (
        _bridge(record)
        or known_as.get(_asked(record))
        or _Bridge(version=record.axes.get("bridge") or "")
    )
    python = ".".join((known.get("python") or "").split(".")[:_PARTS])
    version = (known.get(framework) or its.get(framework)) if framework else None
    found = {
        "bridge": _named(record, bridge),
        "python": python,
        "r": known.get("r"),
        # `+cpu` is a build, and which build is another axis.
        "framework": version and version.partition("+")[0],
        "numpy": known.get("numpy") or its.get("numpy"),
    }
    return Seen(
        record=record,
        path=path_of(record),
        framework=framework,
        versions={name: version for name, version in found.items() if version},
        starts=starts(record, control),
        works=works(record, control),
        at=record.started_at,
    )


def _named(record: CellRecord, bridge: _Bridge) -> str | None:
    """Return a bridge's version with what tells it apart.

    That is the label of a build, which nobody reads back, and the package of a transport.
    """
    version = bridge.version
    if not version:
        return None
    if record.axes.get("path") == "rpc" and bridge.name:
        return f"{bridge.name} {version}"
    label = (record.axes.get("bridge") or "").partition("+")[2]
    return f"{version}+{label}" if label and "+" not in version else version


def _read_back_elsewhere(results: Results) -> dict[tuple[str | None, ...], _Bridge]:
    """Return the bridge read back by what was asked for, where all cells read the same."""
    found: dict[tuple[str | None, ...], set[_Bridge]] = {}
    for record in results.cells:
        if bridge := _bridge(record):
            found.setdefault(_asked(record), set()).add(bridge)
    return {asked: bridges.pop() for asked, bridges in found.items() if len(bridges) == 1}


def _bridge(record: CellRecord) -> _Bridge | None:
    """Return the bridge that a cell read back: what it is called, and its version."""
    version = _read(record, "bridge")
    name = record.identity["bridge"].get("name") if version else None
    return _Bridge(version=version, name=str(name or "")) if version else None


def _asked(record: CellRecord) -> tuple[str | None, ...]:
    return tuple(record.axes.get(axis) for axis in ("path", "transport", "bridge", "r"))


def _read(record: CellRecord, part: str) -> str | None:
    found = record.identity.get(part)
    version = found.get("version") if isinstance(found, dict) else None
    return version if isinstance(version, str) and version else None


def last_seen(cells: Iterable[Seen]) -> str:
    """Return when the last of these cells started: UTC, ISO 8601; empty if unknown."""
    return max((one.at for one in cells), default="")

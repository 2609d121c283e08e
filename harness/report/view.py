"""What every report says of the results: order, reasons, blame, groups, and the grid."""

from __future__ import annotations

import textwrap
from collections import Counter
from enum import Enum
from typing import Any, Final

import msgspec

from harness.model.control import explains
from harness.model.document import Results
from harness.model.once import once
from harness.model.order import natural_key
from harness.model.record import CellRecord, ProbeRecord, Trial
from harness.model.status import Phase, Status
from harness.report.explains import explanation
from harness.text import one_line

_WHY_WIDTH: Final = 160
_PATHS: Final = ("native", "reticulate", "rpython", "system", "rpc", "rpy2")
_AXES: Final = ("path", "transport", "r", "bridge", "python", "framework", "cuda")
# From what went wrong to what was never tried.
_ORDER: Final = (
    Status.CRASH,
    Status.OOM,
    Status.TIMEOUT,
    Status.FAIL,
    Status.UNSATISFIABLE,
    Status.UNAVAILABLE,
    Status.UNSUPPORTED,
    Status.MISSING,
    Status.SKIPPED,
)
_NO_REASON: Final = {
    Status.FAIL: "It failed, and no reason was recorded.",
    Status.CRASH: "Its process died, and nothing more was recorded.",
    Status.TIMEOUT: "It ran past its time limit.",
    Status.OOM: "It took more memory than its limit.",
    Status.UNSATISFIABLE: "No set of packages meets what it asks for.",
    Status.UNAVAILABLE: "This machine lacks something that it needs.",
    Status.UNSUPPORTED: "The path cannot do what a probe asks.",
    Status.SKIPPED: "It was asked not to run.",
    Status.MISSING: "It was planned and has no result.",
}


_EXPLAINED: Final = (
    Status.CRASH,
    Status.OOM,
    Status.TIMEOUT,
    Status.FAIL,
    Status.UNSATISFIABLE,
)


class Blame(Enum):
    """What the control tells of a cell that did not pass; the value is what reports say."""

    NOTHING = ""
    CONTROL = "No bridge is involved: this is a control."
    CLEAR = "Its control, the same work in Python without R, gets past this point."
    EXCUSED = "Not the bridge's failure: its control, Python without R, does not pass either."
    OPEN = "Its control has no result, so whether the bridge is to blame is open."


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """Cells that did not pass for the same reason; ``number`` is their mark in the grid.

    Cells with one known cause are one group, however their messages differ; ``reason`` is then
    that of the first.  ``common`` is what they, and no passing cell, have in common;
    ``remedies`` are those that were applied, with what came of them.
    """

    number: int
    status: Status
    phase: Phase | None
    cause: str | None
    reason: str
    blame: Blame
    cells: tuple[CellRecord, ...]
    common: str | None = None
    remedies: tuple[str, ...] = ()

    @property
    def heading(self) -> str:
        """Status and phase: ``✗ fail at convert``."""
        return label(self.status) + (f" at {self.phase.value}" if self.phase else "")


class Column(msgspec.Struct, frozen=True, order=True):
    """A column of the grid: a framework and, where several occur, a CUDA version."""

    framework: str
    cuda: str


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """A row of the grid; ``cells`` has one element a column, ``None`` where none was planned."""

    path: str
    r: str
    python: str
    pins: tuple[str, ...]
    cells: tuple[CellRecord | None, ...]


class Grid(msgspec.Struct, frozen=True, kw_only=True):
    """All cells at a glance: environments by frameworks.

    ``pins`` are the names of further pinned packages; ``shows_cuda`` is true where the
    columns differ in CUDA or all of them have some.
    """

    pins: tuple[str, ...]
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    shows_cuda: bool


def label(status: Status) -> str:
    """Return symbol and word, so that it reads without colour: ``✓ pass``."""
    return f"{status.symbol} {status.value}"


def ordered(results: Results) -> list[CellRecord]:
    """Return the cells in the one order of all reports, whatever order they were measured in."""
    return list(_ordered(results))


@once
def _ordered(results: Results) -> tuple[CellRecord, ...]:
    return tuple(sorted(results.cells, key=_cell_key))


def counts(results: Results) -> list[tuple[Status, int]]:
    """Return how many cells ended how, ``pass`` first; statuses that occur alone."""
    found = Counter(record.status for record in results.cells)
    return [(status, found[status]) for status in (Status.PASS, *_ORDER) if found[status]]


def path_label(record: CellRecord) -> str:
    """Return path, transport and bridge: ``reticulate 1.41.0.1``, ``rpc zmq``."""
    axes = (record.axes.get(name) for name in ("path", "transport", "bridge"))
    return one_line(" ".join(axis for axis in axes if axis)) or "?"


def framework_label(requirement: str) -> str:
    """Return a framework's requirement as people say it: ``keras 3.15.1 +jax``."""
    name, _, version = one_line(requirement).partition("==")
    name, _, backends = name.partition("[")
    words = [name, version, *(f"+{backend}" for backend in backends.rstrip("]").split(","))]
    return " ".join(word for word in words if word not in {"", "+"})


def probe_label(probe: ProbeRecord) -> str:
    """Return a probe's name with its variant: ``train (jax)``, ``init (cold)``."""
    words = [word for word in (probe.variant, "cold" if probe.cold else None) if word]
    return one_line(f"{probe.name} ({', '.join(words)})" if words else probe.name)


def reason(record: CellRecord) -> str:
    """Return why a cell did not pass, on one line; never empty."""
    text = one_line(record.message or "")
    if text:
        return text
    for probe in record.probes:
        text = one_line(probe.message or "")
        if probe.status is record.status and text:
            return f"{probe_label(probe)}: {text}"
    return _NO_REASON.get(record.status, "")


def blame(record: CellRecord, control: CellRecord | None) -> Blame:
    """Say what ``control`` tells of ``record``, a cell that did not pass.

    The bridge is excused only for what the control cannot do either: where the control
    gets further, or fails in another probe alone, its failure does not explain this one.
    """
    if record.control is None:
        native = record.axes.get("path") == "native"
        return Blame.CONTROL if native and record.status.is_problem else Blame.NOTHING
    not_run = {Status.MISSING, Status.SKIPPED}
    if record.status in not_run:
        return Blame.NOTHING
    if control is None or control.status in not_run:
        return Blame.OPEN if record.status.is_problem else Blame.NOTHING
    if control.status is Status.PASS:
        return Blame.CLEAR if record.status.is_problem else Blame.NOTHING
    if control.status is Status.UNAVAILABLE and record.status.is_problem:
        return Blame.OPEN
    return Blame.EXCUSED if explains(control, record) else Blame.CLEAR


def groups(results: Results) -> list[Group]:
    """Return the cells that did not pass, by cause or else by reason, the most severe first."""
    by_id = {record.id: record for record in results.cells}
    found: dict[tuple[Status, Blame, str, Phase | str | None], list[CellRecord]] = {}
    for record in ordered(results):
        if record.status is not Status.PASS:
            guilt = blame(record, by_id.get(record.control or ""))
            # One cause shows in several wordings and phases.
            same = ("cause", record.cause) if record.cause else (reason(record), record.phase)
            found.setdefault((record.status, guilt, *same), []).append(record)
    return [
        _group(number, tuple(cells), guilt, results)
        for number, ((_, guilt, *_same), cells) in enumerate(
            sorted(found.items(), key=lambda item: _ORDER.index(item[0][0])), 1
        )
    ]


def _group(number: int, cells: tuple[CellRecord, ...], guilt: Blame, results: Results) -> Group:
    first = cells[0]
    return Group(
        number=number,
        status=first.status,
        phase=first.phase,
        cause=first.cause,
        reason=reason(first),
        blame=guilt,
        cells=cells,
        common=explanation(results, cells) if first.status in _EXPLAINED else None,
        remedies=_remedies(cells),
    )


def _remedies(cells: tuple[CellRecord, ...]) -> tuple[str, ...]:
    """Return what was applied to the cells of a group, a sentence for each remedy."""
    trials: dict[str, list[Trial]] = {}
    for record in cells:
        for trial in record.trials:
            trials.setdefault(trial.remedy, []).append(trial)
    # Of remedies that were tried together, those that help: `harness why` has the others.
    trials = {
        name: found
        for name, found in trials.items()
        if len(found[0].remedies) == 1 or any(trial.passes for trial in found)
    }
    ranked = sorted(trials.items(), key=lambda item: _merit(item[1]), reverse=True)
    return tuple(one_line(_remedy(name, found)) for name, found in ranked)


def _merit(trials: list[Trial]) -> tuple[int, int]:
    """Return how many cells pass with a remedy, and of how many it takes the cause away."""
    helped = [trial for trial in trials if trial.verified]
    return sum(trial.passes for trial in helped), len(helped)


def _remedy(name: str, trials: list[Trial]) -> str:
    """Return what came of a remedy: ``older-python (Python 3.11 ...): verified (2 of 2 pass)``."""
    changes = {trial.change for trial in trials}
    change = f" ({changes.pop()})" if len(changes) == 1 and all(changes) else ""
    tried = [trial for trial in trials if trial.verified is not None]
    if not tried:
        why = textwrap.shorten(trials[0].message or "no reason was recorded", _WHY_WIDTH)
        return f"{name}{change}: not tried: {why}"
    helped = [trial for trial in tried if trial.verified]
    word = "verified" if len(helped) == len(tried) else "mixed" if helped else "of no help"
    # What takes the cause away may leave another, which was hidden behind it.
    others = sum(trial.message is not None for trial in helped)
    left = f", something else then stops {others}" if others else ""
    return f"{name}{change}: {word} ({len(helped) - others} of {len(tried)} pass{left})"


def findings(results: Results) -> list[tuple[str, int]]:
    """Return what was noticed and dealt with, each with the number of its cells."""
    found = Counter(
        text
        for record in ordered(results)
        for text in dict.fromkeys(one_line(finding) for finding in record.findings)
        if text
    )
    return list(found.items())


def probes(results: Results) -> list[str]:
    """Return the names of the probes that were run, in the order in which they first occur."""
    return list(dict.fromkeys(one_line(p.name) for r in results.cells for p in r.probes))


def grid(results: Results) -> Grid:
    """Return all cells at a glance: one row an environment, one column a framework."""
    cells = ordered(results)
    cudas = {record.axes.get("cuda") for record in cells}
    shows_cuda = bool(cudas - {"cpu", None})
    pins = tuple(sorted({axis for record in cells for axis in record.axes} - set(_AXES)))
    columns = sorted({_column(record) for record in cells}, key=_column_key)
    rows: dict[tuple[str, ...], dict[Column, CellRecord]] = {}
    for record in cells:
        row = tuple(
            one_line(record.axes.get(axis) or "")
            for axis in ("path", "transport", "bridge", "r", "python", *pins)
        )
        rows.setdefault(row, {})[_column(record)] = record
    return Grid(
        pins=pins,
        columns=tuple(columns),
        rows=tuple(
            Row(
                path=" ".join(part for part in row[:3] if part) or "?",
                r=row[3],
                python=row[4],
                pins=row[5:],
                cells=tuple(found.get(column) for column in columns),
            )
            for row, found in rows.items()
        ),
        shows_cuda=shows_cuda,
    )


def innermost(record: CellRecord) -> list[tuple[str, str]]:
    """Return the evidence of a cell, name and text, the traceback first."""
    names = sorted(record.evidence, key=lambda name: ("traceback" not in name, name))
    return [(one_line(name), record.evidence[name]) for name in names if record.evidence[name]]


def _column(record: CellRecord) -> Column:
    return Column(record.axes.get("framework") or "", record.axes.get("cuda") or "cpu")


def _column_key(column: Column) -> tuple[Any, ...]:
    return natural_key(column.framework), column.cuda != "cpu", natural_key(column.cuda)


def _cell_key(record: CellRecord) -> tuple[Any, ...]:
    path = record.axes.get("path") or ""
    pins = sorted(set(record.axes) - set(_AXES))
    axes = ("path", "transport", "bridge", "r", "python", *pins, "framework", "cuda")
    return (
        _PATHS.index(path) if path in _PATHS else len(_PATHS),
        *(natural_key(record.axes.get(axis) or "") for axis in axes),
        natural_key(record.id),
    )

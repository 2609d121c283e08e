"""``harness calibrate``: what the latency verdict is worth, by its own record.

Records long series of identical arms, some with a slowdown planted for real, and judges stretches
of them over and over (``harness.latency.calibration``).
"""

from __future__ import annotations

import contextlib
import gzip
import subprocess
import sys
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import msgspec
from tabulate import tabulate

from harness import __version__
from harness.errors import FileFault, MachineFault
from harness.folders import real
from harness.journal.writer import Journal
from harness.latency.calibration import FACTORS, OURS, Series, Share, shares, upper_bound
from harness.latency.model import Rule, Sample
from harness.latency.schedule import TEST, orders
from harness.model.cell import Plan
from harness.model.document import Machine
from harness.report.words import count, seconds
from harness.results.machine import this_machine
from harness.workflow.alone import alone
from harness.workflow.arms import Duel, duels
from harness.workflow.comparing import SEED, WARMINGS, samples_of
from harness.workflow.display import make_display
from harness.workflow.sampling import Sampler
from harness.workflow.versus import probes_of

SCHEMA: Final = 1
_LARGEST: Final = 2**28
"""Bytes of a recording, unpacked; a real one has a few MB."""
FILE: Final = "calibration.json.gz"
PLANTED: Final = 1.2
PLANTED_SHARE: Final = 0.25
"""Share of a cell's time for rounds in which head is really slowed down."""


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What is recorded, and where it is kept.

    ``record_s`` is the time for all cells together; ``busy`` processes keep the machine busy
    meanwhile.
    """

    plan: Plan
    record_s: float
    results: Path
    busy: int = 0
    cran: str | None = None
    quiet: bool = False


class Recording(msgspec.Struct, frozen=True, kw_only=True):
    """The recorded series of all cells, and where and how they were recorded.

    ``load`` is the mean number of processes that wanted to run, the measured ones among them.
    """

    schema: int = SCHEMA
    harness: str
    matrix: str
    at: str
    machine: Machine
    busy: int
    load: float
    recorded_s: float
    series: tuple[Series, ...]


class Calibration(msgspec.Struct, frozen=True, kw_only=True):
    """A recording, and what each rule makes of it."""

    recording: Recording
    budget_s: float
    rule: Rule
    shares: tuple[Share, ...]


def calibrate(recording: Recording, budget_s: float, rule: Rule | None = None) -> Calibration:
    """Judge a recording: a pure function of it."""
    rule = rule or Rule()
    return Calibration(
        recording=recording,
        budget_s=budget_s,
        rule=rule,
        shares=tuple(shares(recording.series, budget_s, rule)),
    )


def record(asked: Asked) -> Recording:
    """Run identical arms for a long time, and leave the recording in the folder of results.

    Raises
    ------
    NotMeasured
        A cell does not pass, so that its times say nothing.
    MachineFault
        A cell cannot be had here, or the results cannot be written.
    """
    folder = real(asked.results)
    pairs = duels(asked.plan, (), (), probes_of(()))
    display = make_display(quiet=asked.quiet)
    series: list[Series] = []
    loads: list[float] = []
    try:
        sampler = Sampler(pairs, folder, display, cran=asked.cran)
        with alone(display.note), Journal(folder, fresh=True) as journal, _busy(asked.busy):
            began = time.monotonic()
            for duel, planted, limit_s in _plan(pairs, asked.record_s):
                display.note(f"recording {duel.id}, head slowed down by {planted:g}")
                journal.append("series", at=_now(), cell=duel.id, planted=planted)
                samples = _rounds(
                    duel,
                    sampler,
                    limit_s,
                    planted,
                    tell=lambda ran: journal.append("pair", samples=ran),
                    loads=loads,
                )
                series.append(
                    Series(
                        cell=duel.id,
                        path=duel.base.cell.axes.path,
                        clocks=duel.clocks,
                        samples=tuple(samples),
                        planted=planted,
                    )
                )
                recording = Recording(
                    harness=__version__,
                    matrix=asked.plan.matrix,
                    at=_now(),
                    machine=this_machine(),
                    busy=asked.busy,
                    load=round(sum(loads) / len(loads), 2),
                    recorded_s=round(time.monotonic() - began, 1),
                    series=tuple(series),
                )
                # After each, so that one which fails leaves what was recorded before it.
                save(recording, folder / FILE)
    finally:
        display.finished()
    return recording


def _plan(pairs: Sequence[Duel], whole_s: float) -> Iterator[tuple[Duel, float, float]]:
    """Yield what is recorded: a cell, the factor by which head is slowed down, and how long."""
    for duel in pairs:
        each = whole_s / len(pairs)
        yield duel, 1.0, each * (1 - PLANTED_SHARE)
        yield duel, PLANTED, each * PLANTED_SHARE


def _rounds(
    duel: Duel,
    sampler: Sampler,
    limit_s: float,
    planted: float,
    *,
    tell: Callable[[Sequence[Sample]], None],
    loads: list[float],
) -> list[Sample]:
    """Run rounds of identical arms until their time is over."""
    native = duel.native is not None
    stages: set[str] = set()
    sampler.slow_down(duel, 1.0, ())
    for _ in range(WARMINGS):
        stages = set(sampler(duel, TEST[0])[0].times)
    sampler.slow_down(duel, planted, sorted(stages))
    found: list[Sample] = []
    began = time.monotonic()
    for number, kinds in enumerate(orders(SEED, native=native)):
        if time.monotonic() - began > limit_s:
            break
        for place, kind in enumerate(kinds):
            ran = samples_of(duel, (number, place), kind, sampler(duel, kind))
            found += ran
            tell(ran)
        loads.append(_load())
    return found


def _load() -> float:
    """Return how many processes wanted to run in the last minute."""
    return float(Path("/proc/loadavg").read_text(encoding="ascii").split()[0])


@contextlib.contextmanager
def _busy(number: int) -> Iterator[None]:
    """Keep so many processors busy meanwhile."""
    # Until the harness is gone, however that ends.
    code = "import os; whose = os.getppid()\nwhile os.getppid() == whose: pass"
    command = [sys.executable, "-c", code]
    ran = [subprocess.Popen(command, stdin=subprocess.DEVNULL) for _ in range(number)]
    try:
        yield
    finally:
        for process in ran:
            process.kill()
            process.wait()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


# --- Files -------------------------------------------------------------------------------------


def save(recording: Recording, file: Path) -> None:
    """Write a recording, compressed; equal recordings give equal files."""
    text = msgspec.json.encode(recording)
    try:
        file.write_bytes(gzip.compress(text, mtime=0))
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise MachineFault(
            f"{file}: the recording cannot be written ({reason}); name another folder with "
            "--results"
        ) from None


def load(file: Path) -> Recording:
    """Read a recording.

    Raises
    ------
    FileFault
        The file is not there, or is none.
    """
    try:
        with gzip.open(file) as stream:
            text = stream.read(_LARGEST + 1)
        if len(text) > _LARGEST:
            raise FileFault(str(file), "is larger than any recording of 'harness calibrate'")
        return msgspec.json.decode(text, type=Recording)
    except OSError as error:
        reason = error.strerror or "it is not compressed by gzip"
        raise FileFault(
            str(file), f"cannot be read ({reason.lower()}); name a file that calibrate wrote"
        ) from None
    except (EOFError, zlib.error, ValueError, RecursionError, msgspec.MsgspecError) as error:
        raise FileFault(str(file), f"is no recording of 'harness calibrate': {error}") from None


_SAME: Final = {"machine": "machine", "busy": "number of busy processes", "harness": "harness"}
"""What recordings must have in common to be judged as one, in words."""


def join(recordings: Sequence[tuple[str, Recording]]) -> Recording:
    """Put recordings of one machine, by the names of their files, one after the other.

    Of a cell that several have, the rounds go on where those before them ended.

    Raises
    ------
    FileFault
        One was made elsewhere, or in another way, than the first, or is there twice.
    """
    first_name, first = recordings[0]
    series: dict[tuple[str, float], Series] = {}
    for number, (name, one) in enumerate(recordings):
        for other, earlier in recordings[:number]:
            if one == earlier:
                # Its processes would count twice, and a share would look surer than it is.
                raise FileFault(name, f"is the same recording as {other}; name each of them once")
        for field, what in _SAME.items():
            if getattr(one, field) != getattr(first, field):
                raise FileFault(
                    name, f"was recorded with another {what} than {first_name}; judge each alone"
                )
        for part in one.series:
            key = (part.cell, part.planted)
            series[key] = part if key not in series else _go_on(series[key], part)
    whole = sum(one.recorded_s for _, one in recordings)
    loads = sum(one.load * one.recorded_s for _, one in recordings)
    return msgspec.structs.replace(
        first,
        at=max(one.at for _, one in recordings),
        # A file may say of itself that it took no time.
        load=round(loads / (whole or 1.0), 2),
        recorded_s=round(whole, 1),
        series=tuple(series.values()),
    )


def _go_on(series: Series, more: Series) -> Series:
    after = max((one.round for one in series.samples), default=-1) + 1
    later = (msgspec.structs.replace(one, round=one.round + after) for one in more.samples)
    return msgspec.structs.replace(series, samples=(*series.samples, *later))


# --- What is said of it ------------------------------------------------------------------------


def as_document(calibration: Calibration) -> dict[str, Any]:
    """Return the record for programs, without the samples."""
    recording = calibration.recording
    return {
        "schema": SCHEMA,
        "at": recording.at,
        "harness": recording.harness,
        "machine": msgspec.to_builtins(recording.machine),
        "busy": recording.busy,
        "load": recording.load,
        "recorded_s": recording.recorded_s,
        "processes": sum(len(one.samples) for one in recording.series),
        "budget_s": calibration.budget_s,
        "rule": msgspec.to_builtins(calibration.rule),
        "false_alarms": [
            *(total(calibration, tool, order) for tool, order in tools(calibration)),
            total(calibration, OURS, "interleaved", alone=True),
        ],
        "shares": msgspec.to_builtins(calibration.shares),
    }


def as_json(calibration: Calibration) -> str:
    """Return the record for programs, as it is printed."""
    document = as_document(calibration)
    return msgspec.json.format(msgspec.json.encode(document), indent=1).decode() + "\n"


def tools(calibration: Calibration) -> list[tuple[str, str]]:
    """Return each tool with each order of its samples."""
    return list(dict.fromkeys((one.tool, one.order) for one in calibration.shares))


def total(
    calibration: Calibration, tool: str, order: str, *, alone: bool = False
) -> dict[str, Any]:
    """Return the false alarms of a tool over all cells and metrics.

    ``alone`` are comparisons of one metric each; else those of all metrics of a cell.
    """
    own = [
        one
        for one in calibration.shares
        if (one.tool, one.order, one.factor, one.alone) == (tool, order, 1.0, alone)
    ]
    found, of = sum(one.found for one in own), sum(one.of for one in own)
    return {
        "tool": tool,
        "order": order,
        "alone": alone,
        "found": found,
        "of": of,
        "upper": upper_bound(found, of) if of else None,
    }


def as_text(calibration: Calibration) -> str:
    """Return the record for people."""
    return "\n\n".join([about(calibration), *tables(calibration, "simple")]) + "\n"


def about(calibration: Calibration) -> str:
    """Return one sentence on what was recorded, and on what."""
    recording = calibration.recording
    machine = recording.machine
    processes = sum(len(one.samples) for one in recording.series)
    beside = f", beside {recording.busy} busy process{'' if recording.busy == 1 else 'es'}"
    return (
        f"{processes} fresh processes in {seconds(recording.recorded_s)} on "
        f"{count(machine.cores, 'core')} ({machine.arch}, {machine.os})"
        f"{beside if recording.busy else ''}; load {recording.load:.1f}; "
        f"{recording.at[:10]}, harness {recording.harness}."
    )


def tables(calibration: Calibration, style: str) -> Iterator[str]:
    """Yield the tables: false alarms over all, then by metric, and what planted was found."""
    totals = [total(calibration, tool, order) for tool, order in tools(calibration)]
    totals.insert(1, total(calibration, OURS, "interleaved", alone=True))
    rows = [
        (
            one["tool"] + (", one metric" if one["alone"] else ""),
            one["order"],
            f"{one['found']} of {one['of']}",
            _percent(one["found"], one["of"]),
            "" if one["upper"] is None else f"{one['upper']:.1%}",
        )
        for one in totals
    ]
    headers: tuple[str, ...] = ("rule", "samples", "false alarms", "share", "at most (95%)")
    yield _table(rows, headers, style)
    headers = (
        "path", "metric", "false alarms", *(f"+{factor - 1:.0%}" for factor in FACTORS),
        "+20% alone", "s until", "+20% for real", "alone",
    )  # fmt: skip
    yield _table(list(_by_metric(calibration)), headers, style)
    for factor in FACTORS:
        headers = ("path", "metric", *(_label(*one) for one in tools(calibration)))
        yield f"Found of +{factor - 1:.0%}:"
        yield _table(list(_beside(calibration, factor)), headers, style)
    yield "False alarms:"
    headers = ("path", "metric", *(_label(*one) for one in tools(calibration)))
    yield _table(list(_beside(calibration, 1.0)), headers, style)


def _table(rows: Sequence[Sequence[Any]], headers: Sequence[str], style: str) -> str:
    return tabulate(rows, headers, tablefmt=style, disable_numparse=True)


def _label(tool: str, order: str) -> str:
    return tool if tool == OURS else f"{tool}, {order}"


def _percent(found: int, of: int) -> str:
    return f"{found / of:.1%}" if of else ""


def _keys(calibration: Calibration) -> list[tuple[str, str, str]]:
    return list(dict.fromkeys((one.cell, one.path, one.metric) for one in calibration.shares))


def _by_metric(calibration: Calibration) -> Iterator[tuple[str, ...]]:
    own = {
        (one.cell, one.metric, one.factor, one.real, one.alone): one
        for one in calibration.shares
        if one.tool == OURS
    }
    for cell, _path, metric in _keys(calibration):
        alarms = own.get((cell, metric, 1.0, True, False))
        planted = [own.get((cell, metric, factor, False, False)) for factor in FACTORS]
        alone = own.get((cell, metric, PLANTED, False, True))
        real = [own.get((cell, metric, PLANTED, True, each)) for each in (False, True)]
        yield (
            cell,
            metric,
            "" if alarms is None else f"{alarms.found} of {alarms.of}",
            *("" if one is None else _percent(one.found, one.of) for one in (*planted, alone)),
            "" if alone is None or alone.seconds is None else f"{alone.seconds:.0f}",
            *("" if one is None else f"{one.found} of {one.of}" for one in real),
        )


def _beside(calibration: Calibration, factor: float) -> Iterator[tuple[str, ...]]:
    known = {
        (one.cell, one.metric, one.tool, one.order): one
        for one in calibration.shares
        if one.factor == factor and one.real == (factor == 1) and not one.alone
    }
    for cell, _path, metric in _keys(calibration):
        cells = [known.get((cell, metric, tool, order)) for tool, order in tools(calibration)]
        yield (cell, metric, *("" if one is None else _percent(one.found, one.of) for one in cells))

"""One cell, from what was prepared for it to its record."""

from __future__ import annotations

import os
import shlex
import shutil
import stat
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from harness.execute.classify import Verdict, classify, of_memory
from harness.execute.environment import base_environment
from harness.execute.events import read_events
from harness.execute.pages import Pages, put_out_of_memory
from harness.execute.sandbox import run as run_job
from harness.folders import remove_tree
from harness.model.cell import Cell
from harness.model.environment import Provisioned
from harness.model.job import Bind, End, Job, Outcome, ProcessPeak
from harness.model.record import CellRecord, Ending, ProbeRecord
from harness.model.status import Phase, Status
from harness.paths.base import IntegrationPath
from harness.provision.gpu import devices, gpu, why_unavailable
from harness.workflow.bridges import identity_of
from harness.workflow.judging import Said, judge_probes
from harness.workflow.keys import files_of, kit_folder
from harness.workflow.naming import without_places
from harness.workflow.preparing import Prepared, provisioned
from harness.workflow.request import write_request

SEED = 20240
EPOCHS = 4
_C_LIBRARY = ("libc-bin", "libc6")
BUILD_LOG = "build.log"
"""What the build of a bridge printed, in the cell's folder, where it failed."""
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Measurement(msgspec.Struct, frozen=True, kw_only=True):
    """What is needed to measure one cell.

    ``control`` is the record of the cell's control where there is one; ``folder`` gets the
    logs; ``on_phase`` is told of each phase as it is entered.  ``variables`` are set for this
    cell beside those of its path, and ``unset`` taken away.  ``request`` are further fields of
    what the driver is asked, and ``shared`` is a folder that it may write to beside its own.
    """

    cell: Cell
    path: IntegrationPath
    prepared: Prepared
    control: CellRecord | None
    folder: Path
    cancel: threading.Event
    on_phase: Callable[[str], None]
    variables: dict[str, str] = {}
    unset: tuple[str, ...] = ()
    request: dict[str, str] = {}
    shared: Path | None = None


def refused(cell: Cell, path: IntegrationPath) -> CellRecord | None:
    """Return the record of a cell that need not be tried, or ``None``.

    Such a cell asks for what its path cannot do, or for a GPU where there is none and
    nothing is to be installed without one.
    """
    reasons = [path.why_not(probe, cell.axes) for probe in cell.probes]
    if all(reason is not None for reason in reasons):
        return _record(cell, status=Status.UNSUPPORTED, message=reasons[0])
    if cell.axes.cuda != "cpu" and cell.without_gpu == "skip":
        lacking = why_unavailable(cell.axes.cuda, gpu())
        if lacking is not None:
            return _record(cell, status=Status.UNAVAILABLE, phase=Phase.DEVICE, message=lacking)
    return None


def measure(measurement: Measurement) -> CellRecord:
    """Run a cell, for Keras once with each backend, and judge what came of it.

    Raises
    ------
    MachineFault
        The cell's folder cannot be written.
    """
    cell, prepared = measurement.cell, measurement.prepared
    started_at = datetime.now(UTC).isoformat(timespec="milliseconds")
    times: dict[str, Any] = {
        "resolve_s": round(prepared.resolve_s, 3),
        "provision_s": round(prepared.provision_s, 3),
        "started_at": started_at,
    }
    tree = prepared.bridge_tree
    if prepared.refusal is not None:
        refusal = prepared.refusal
        if refusal.log:
            _emptied(measurement.folder)
            measurement.folder.mkdir(parents=True, exist_ok=True)
            (measurement.folder / BUILD_LOG).write_text(refusal.log, encoding="utf-8")
        return _record(
            cell,
            status=refusal.status,
            phase=refusal.phase,
            message=refusal.message,
            evidence={"detail": refusal.detail} if refusal.detail else {},
            identity={} if tree is None else {"bridge_tree": identity_of(tree)},
            **times,
        )
    ready = provisioned(prepared)
    _emptied(measurement.folder)
    measurement.folder.mkdir(parents=True, exist_ok=True)
    lock = ready.python.lock.text
    if ready.python.overlay_lock is not None:
        lock += f"# laid over it, for the path\n{ready.python.overlay_lock.text}"
    (measurement.folder / "requirements.lock").write_text(lock, encoding="utf-8")
    framework = cell.axes.framework
    variants = (None,) if framework is None or not framework.backends else framework.backends
    record = _record(cell, status=Status.PASS, lock=ready.python.lock.digest, **times)
    for variant in variants:
        starts = (True, False) if cell.cold else (False,)
        for cold in starts:
            part = _run_variant(measurement, ready, variant, many=len(variants) > 1, cold=cold)
            record = _joined(record, part)
        if measurement.cancel.is_set():
            break
    # Whoever looks for a probe by its name is to find the one that was asked for.
    probes = tuple(sorted(record.probes, key=lambda probe: probe.cold))
    record = msgspec.structs.replace(record, probes=probes)
    identity = {**record.identity, "comes_from": _sources_of(ready)}
    if tree is not None:
        identity["bridge_tree"] = identity_of(tree)
    further = (*_findings(ready), *_without_control(record))
    record = msgspec.structs.replace(
        record, identity=identity, findings=(*record.findings, *further)
    )
    return without_places(record, ready, measurement.folder)


class _Part(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one process tree of a cell."""

    probes: tuple[ProbeRecord, ...]
    verdict: Verdict
    outcome: Outcome
    said: Said


def _run_variant(
    measurement: Measurement,
    ready: Provisioned,
    variant: str | None,
    *,
    many: bool,
    cold: bool = False,
) -> _Part:
    cell, path, folder = measurement.cell, measurement.path, measurement.folder
    suffix = (f".{variant}" if many else "") + (".cold" if cold else "")
    if cold:
        cell = msgspec.structs.replace(cell, probes=("init",))
    work = folder / f"work{suffix}"
    (work / "home").mkdir(parents=True)
    events = work / "events.jsonl"
    further = measurement.request
    write_request(work, cell, ready, variant, seed=SEED, epochs=EPOCHS, further=further)
    launch = path.launch(cell.axes, ready, path.files)
    source = ready.bridge_source
    env = {
        **base_environment(os.environ),
        "PATH": SYSTEM_PATH,
        "HOME": str(work / "home"),
        "TMPDIR": "/tmp",  # noqa: S108 - the cell's own, empty and its alone
        "HARNESS_KIT": str(kit_folder()),
        "HARNESS_PATH_FILES": str(path.files),
        "HARNESS_CELL": str(work),
        "HARNESS_REQUEST": str(work / "request.json"),
        "HARNESS_EVENTS": str(events),
        **({} if ready.python.overlay is None else {"PYTHONPATH": str(ready.python.overlay)}),
        **({} if source is None else {"HARNESS_BRIDGE_SOURCE": str(source)}),
        **{name: str(folder) for name, folder in files_of(cell).items()},
        **({} if ready.r is None else ready.r.env),
        **launch.env,
        **measurement.variables,
    }
    env = {name: value for name, value in env.items() if name not in measurement.unset}
    binds = [*ready.python.binds, kit_folder(), path.files, *files_of(cell).values()]
    binds += () if source is None else (source,)
    binds += () if ready.r is None else ready.r.binds
    shared = measurement.shared
    writable = [Bind(place, writable=True) for place in (work, shared) if place is not None]
    job = Job(
        argv=launch.argv,
        env=env,
        cwd=work,
        root=ready.root,
        binds=(*(Bind(bind) for bind in binds), *writable),
        events=events,
        stdout=folder / f"stdout{suffix}",
        stderr=folder / f"stderr{suffix}",
        limits=cell.limits,
        network=cell.network,
    )
    _keep_what_is_run(folder, suffix, job, path)
    pages = put_out_of_memory(_files_of(ready)) if cold else None
    outcome = run_job(
        job,
        measurement.cancel,
        devices=() if cell.axes.cuda == "cpu" else devices(),
        on_phase=measurement.on_phase,
    )
    log = read_events(events)
    heard = with_teardown(log.events, outcome)
    stderr = job.stderr.read_bytes()[-20_000:].decode("utf-8", errors="replace")
    verdict = classify(outcome, log.events, stderr)
    said = Said.of(heard, stderr)
    probes = judge_probes(
        cell,
        path,
        ready,
        control=measurement.control,
        heard=said,
        verdict=verdict,
        variant=variant,
    )
    probes = tuple(_seen_from_outside(probe, outcome) for probe in probes)
    if pages is not None:
        probes = tuple(_started_cold(probe, pages) for probe in probes)
    with suppress(OSError):
        # The cell may have put a link there, to a file that it was not shown.
        if stat.S_ISREG(events.lstat().st_mode):
            events.replace(folder / f"events{suffix}.jsonl")
    _emptied(work)
    return _Part(probes=probes, verdict=verdict, outcome=outcome, said=said)


def _emptied(folder: Path) -> None:
    """Remove what a cell left, which may have closed folders behind it, or very deep ones."""
    with suppress(OSError):
        remove_tree(folder)


def with_teardown(
    events: Sequence[Mapping[str, Any]], outcome: Outcome
) -> tuple[Mapping[str, Any], ...]:
    """Add the stage ``teardown`` of ``init``: from where the driver said so to the process's end.

    Only the harness sees that end.  There is none where the process was ended, or did not say
    when its last phase began.
    """
    began = [event.get("at") for event in events if event.get("phase") == Phase.TEARDOWN.value]
    if outcome.end is not End.EXITED or not began or not isinstance(began[-1], int | float):
        return tuple(events)
    wall_s = max(outcome.ended_at - began[-1], 0.0)
    stage = {"event": "stage", "probe": "init", "name": "teardown", "wall_s": wall_s, "n": 1}
    return (*events, stage)


def _seen_from_outside(probe: ProbeRecord, outcome: Outcome) -> ProbeRecord:
    reason = of_memory(probe.status, probe.message, outcome)
    if reason is None:
        return probe
    return msgspec.structs.replace(probe, status=Status.OOM, message=reason)


def _files_of(ready: Provisioned) -> tuple[Path, ...]:
    """Return the folders whose files a cell reads while it starts."""
    r = () if ready.r is None else ready.r.binds
    root = () if ready.root is None else (ready.root,)
    return (*ready.python.binds, *r, *root)


def _started_cold(probe: ProbeRecord, pages: Pages) -> ProbeRecord:
    details = {**probe.details, "pages": msgspec.to_builtins(pages)}
    return msgspec.structs.replace(probe, cold=True, details=details)


def _joined(record: CellRecord, part: _Part) -> CellRecord:
    """Add one process tree's result to a cell's record; the first worst says what is wrong."""
    worst = Status.worst([part.verdict.status, *(probe.status for probe in part.probes)])
    known = Status.worst([record.status, worst]) if record.probes else worst
    changes: dict[str, Any] = {}
    if known is not Status.PASS and (known is not record.status or not record.message):
        culprit = next((probe for probe in part.probes if probe.status is worst), None)
        phase, message = part.verdict.phase, part.verdict.message
        if culprit is not None and (culprit.message or part.verdict.status is not worst):
            phase, message = culprit.phase, culprit.message
        changes = {
            "status": known,
            "phase": phase,
            "message": message,
            "evidence": part.said.evidence,
        }
    outcome = part.outcome
    return msgspec.structs.replace(
        record,
        **changes,
        wall_s=round(record.wall_s + outcome.wall_s, 3),
        max_rss_mb=round(max(record.max_rss_mb, outcome.max_rss_mb), 1),
        processes=_peaks(record.processes, outcome.processes),
        identity=part.said.identity or record.identity,
        findings=tuple(dict.fromkeys((*record.findings, *part.said.findings))),
        probes=(*record.probes, *part.probes),
        ending=Ending(
            exit_code=outcome.exit_code,
            signal=outcome.signal,
            stdout_cut=record.ending.stdout_cut + outcome.stdout_cut,
            stderr_cut=record.ending.stderr_cut + outcome.stderr_cut,
            leftovers=record.ending.leftovers + outcome.leftovers,
        ),
    )


def _peaks(*trees: tuple[ProcessPeak, ...]) -> tuple[ProcessPeak, ...]:
    """Return the largest of each program's peaks over several process trees."""
    found: dict[tuple[str, str], ProcessPeak] = {}
    for one in (process for tree in trees for process in tree):
        known = found.get((one.role, one.program))
        if known is None or one.peak_mb > known.peak_mb:
            found[one.role, one.program] = one
    return tuple(found.values())


def _sources_of(ready: Provisioned) -> dict[str, str]:
    """Return where the languages come from: ``debian:sid``, ``machine``."""
    found = {"python": ready.python.interpreter.source}
    if ready.r is not None:
        found["r"] = ready.r.source
        if ready.r.lent is not None:
            found["libraries"] = f"debian:{ready.r.lent.suite}"
    return found


def _findings(ready: Provisioned) -> tuple[str, ...]:
    """Return what was done so that the cell could run, beside what it found itself."""
    if ready.r is None or ready.r.lent is None:
        return ()
    lent = ready.r.lent
    others = ", ".join(name for name in lent.packages if name not in _C_LIBRARY)
    said = (
        f"R {ready.r.version} of {ready.r.source} ran with the C library ({lent.libc}) and "
        f"{others} of debian:{lent.suite}: the cell's Python needs newer ones than the suite has"
    )
    return (said,)


def _without_control(record: CellRecord) -> tuple[str, ...]:
    """Return that a training was compared with none, because the matrix has no control for it."""
    trained = [
        probe
        for probe in record.probes
        if probe.name == "train" and probe.status is Status.PASS
        if "max_relative_difference" not in probe.details
    ]
    if not trained or record.axes.get("path") == "native":
        return ()
    return ("no control trained in the same environment, so the losses were compared with none",)


def _record(cell: Cell, **values: Any) -> CellRecord:
    return CellRecord(
        id=cell.id,
        axes=cell.axes.as_dict(),
        control=cell.control,
        implied=cell.implied,
        **values,
    )


def _keep_what_is_run(folder: Path, suffix: str, job: Job, path: IntegrationPath) -> None:
    """Keep the command, its variables and the driver beside the output that they gave."""
    lines = ["#!/bin/sh", "# What this cell ran, inside its sandbox."]
    lines += [f"export {name}={shlex.quote(value)}" for name, value in sorted(job.env.items())]
    lines.append(f"exec {shlex.join(job.argv)}")
    (folder / f"command{suffix}.sh").write_text("\n".join(lines) + "\n", encoding="utf-8")
    shutil.copy(job.cwd / "request.json", folder / f"request{suffix}.json")
    for file in path.files.iterdir():
        if file.suffix in {".R", ".py"} and file.name != "__init__.py":
            shutil.copy(file, folder / file.name)

"""What a cell's events and its end come to, probe by probe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

import msgspec

from harness.execute.classify import Verdict
from harness.model.cell import Cell
from harness.model.environment import Provisioned
from harness.model.record import CellRecord, ProbeRecord
from harness.model.status import Status
from harness.paths.base import IntegrationPath
from harness.probes.base import Probe, last_phase, merged_identity, said, stages_of
from harness.workflow.registry import probe as find_probe

_STDERR_TAIL = 4000

Event = Mapping[str, Any]


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """What one process tree said of itself."""

    events: tuple[Event, ...]
    identity: dict[str, Any]
    findings: tuple[str, ...]
    evidence: dict[str, str]
    """``traceback``, ``hidden`` (what the bridge threw away) and ``stderr`` (its end)."""

    @classmethod
    def of(cls, events: Sequence[Event], stderr: str) -> Self:
        """Read a driver's events, and the end of its standard error."""
        evidence: dict[str, str] = {}
        for event in events:
            if event.get("event") == "error":
                for key in ("traceback", "hidden"):
                    if event.get(key) and key not in evidence:
                        evidence[key] = str(event[key])
        if stderr.strip():
            evidence["stderr"] = stderr[-_STDERR_TAIL:]
        findings = (event.get("text") for event in events if event.get("event") == "finding")
        return cls(
            events=tuple(events),
            identity=merged_identity(events),
            findings=tuple(str(text) for text in findings if text),
            evidence=evidence,
        )


def judge_probes(  # noqa: PLR0913 - what is judged, and what it is judged by
    cell: Cell,
    path: IntegrationPath,
    ready: Provisioned,
    *,
    control: CellRecord | None,
    heard: Said,
    verdict: Verdict,
    variant: str | None,
) -> tuple[ProbeRecord, ...]:
    """Return a record for each probe that the cell was asked for, in that order.

    How the process tree ended outranks what it said: the probe that was under way when it
    crashed or was stopped has the ending's status, and those after it never ran.
    """
    records: list[ProbeRecord] = []
    interrupted = False
    for name in cell.probes:
        reason = path.why_not(name, cell.axes)
        if reason is not None:
            records.append(
                ProbeRecord(name=name, status=Status.UNSUPPORTED, variant=variant, message=reason)
            )
            continue
        if said(heard.events, name) is None and verdict.status is not Status.PASS:
            records.append(_stopped(name, heard, verdict, variant, never_ran=interrupted))
            interrupted = True
            continue
        probe = find_probe(name)
        record = probe.judge(
            heard.events,
            axes=cell.axes,
            provisioned=ready,
            control=_same_probe(control, name, variant),
            variant=variant,
        )
        records.append(msgspec.structs.replace(record, version=version_of(probe)))
    return tuple(records)


def version_of(probe: Probe) -> int:
    """Return the version of a probe; one that states none has its first."""
    return int(getattr(probe, "version", 1))


def _stopped(
    name: str, heard: Said, verdict: Verdict, variant: str | None, *, never_ran: bool
) -> ProbeRecord:
    if never_ran:
        return ProbeRecord(
            name=name,
            status=Status.MISSING,
            variant=variant,
            message="never ran, because the process had ended before it",
        )
    return ProbeRecord(
        name=name,
        status=verdict.status,
        variant=variant,
        phase=verdict.phase or last_phase(heard.events),
        message=verdict.message,
        stages=stages_of(heard.events, name),
    )


def _same_probe(control: CellRecord | None, name: str, variant: str | None) -> ProbeRecord | None:
    """Return a probe of the control; where the control never got to it, its own ending.

    ``None`` where the control was not asked it: that it passed says nothing of what it never did.
    """
    if control is None:
        return None
    for probe in control.probes:
        if (probe.name, probe.variant) == (name, variant):
            return probe
    if control.probes and name not in {probe.name for probe in control.probes}:
        return None
    return ProbeRecord(
        name=name,
        status=control.status,
        variant=variant,
        phase=control.phase,
        message=control.message,
    )

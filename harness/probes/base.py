"""What a probe is to the rest of the harness, and how the events of a cell are read."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Protocol, runtime_checkable

from harness.model.cell import Axes
from harness.model.environment import Provisioned
from harness.model.record import ProbeRecord, Stage
from harness.model.status import Phase, Status

Event = Mapping[str, Any]

FROM_A_DRIVER: Final = frozenset(
    {Status.PASS, Status.FAIL, Status.CRASH, Status.UNSUPPORTED, Status.UNAVAILABLE}
)
"""What a driver may say of a probe.  ``crash`` is for paths whose Python is another process."""


OF_A_FRAMEWORK: Final = frozenset({"framework_import", "device", "first_op", "steady_op"})
"""Stages that a cell without a framework does not have."""


class Probe(Protocol):
    """A fixed piece of work with an oracle.

    To add one: an object of this shape, named by an entry point of the group
    ``harness.probes``; the work itself is done by the drivers of the paths that list it.
    """

    name: str
    stages: tuple[str, ...]
    """Steps that the work goes through, in order; a driver may time others beside them.

    A probe may have a ``version`` as well, 1 where it has none: it counts up where the work of a
    stage becomes another, so that no times of two versions are compared.
    """

    def judge(
        self,
        events: Sequence[Event],
        *,
        axes: Axes,
        provisioned: Provisioned,
        control: ProbeRecord | None = None,
        variant: str | None = None,
    ) -> ProbeRecord:
        """Say what became of the probe.

        A pure function.  ``events`` are all events of the one driver that was to do the
        probe; ``control`` is the same probe and variant on ``native`` in the same Python
        environment, ``None`` where there is none; ``variant`` is the Keras backend.  How the
        process tree ended is not known here: a signal or a time limit outranks the verdict.
        """
        ...


@runtime_checkable
class BringsFiles(Protocol):
    """A probe whose work in a cell reads files of its own.

    The cell sees their folder, read-only, as ``$HARNESS_FILES_OF_`` and the probe's name in
    capitals; they count for the key of a result.
    """

    @property
    def files(self) -> Path:
        """The folder."""
        ...


class Verdict(Exception):
    """An oracle's no, with the phase that is to blame and one sentence.

    A way out of a check, never an error of the harness.
    """

    def __init__(self, phase: Phase, message: str) -> None:
        self.phase, self.message = phase, message
        super().__init__(message)


def merged_identity(events: Iterable[Event]) -> dict[str, Any]:
    """Return the identity that a driver said in parts; what it said last holds."""
    whole: dict[str, Any] = {}
    for event in events:
        part = event.get("identity") if event.get("event") == "identity" else None
        if isinstance(part, dict):
            _merge(whole, part)
    return whole


def _merge(whole: dict[str, Any], part: dict[str, Any]) -> None:
    for key, value in part.items():
        if isinstance(value, dict) and isinstance(whole.get(key), dict):
            _merge(whole[key], value)
        else:
            # A copy: merging on must not change the event that it came from.
            whole[key] = dict(value) if isinstance(value, dict) else value


def stages_of(events: Iterable[Event], probe: str) -> tuple[Stage, ...]:
    """Return the stages that a driver timed in ``probe``, in the order in which they ended."""
    return tuple(
        Stage(
            name=str(event.get("name")),
            wall_s=_seconds(event.get("wall_s")) or 0.0,
            cpu_s=_seconds(event.get("cpu_s")),
            n=int(_seconds(event.get("n")) or 1),
        )
        for event in events
        if event.get("event") == "stage" and event.get("probe") == probe
    )


def _seconds(value: object) -> float | None:
    # The file of events is under the control of what is tested.
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) else None


def last_phase(events: Iterable[Event]) -> Phase | None:
    """Return the phase that a driver entered last."""
    found = [_phase(event.get("phase")) for event in events if event.get("event") == "phase"]
    return found[-1] if found else None


def _phase(name: object) -> Phase | None:
    return Phase(name) if isinstance(name, str) and name in list(Phase) else None


def said(events: Iterable[Event], probe: str) -> Event | None:
    """Return what the driver says of how ``probe`` ended; ``None`` where it says nothing."""
    own = [e for e in events if e.get("event") == "probe" and e.get("name") == probe]
    return own[-1] if own else None


def device_kind(device: object) -> str | None:
    """Return ``gpu`` or ``cpu`` for a device as a framework names it: ``cuda:0``, ``GPU:0``."""
    if not isinstance(device, str) or not device:
        return None
    return "gpu" if any(word in device.lower() for word in ("gpu", "cuda")) else "cpu"


def host_of(identity: Mapping[str, Any]) -> str:
    """Return the language whose process a driver is: ``python`` where it says so, else ``r``."""
    return "python" if identity.get("host") == "python" else "r"


def required_stages(stages: Iterable[str], axes: Axes, host: str = "r") -> tuple[str, ...]:
    """Return those of ``stages`` that a driver must have timed.

    A path without R starts no other language, one without a package loads no bridge, and a
    cell that names no framework has nothing to import and no operation to do.  ``host`` is the
    language whose process it is, and which starts the other.
    """
    absent: set[str] = set()
    if axes.framework is None:
        absent |= OF_A_FRAMEWORK
    if axes.r is None or host == "python":
        absent.add("python_start")
    if axes.r is None or host != "python":
        absent.add("r_start")
    if axes.r is None or axes.path == "system":
        absent.add("bridge_load")
    return tuple(stage for stage in stages if stage not in absent)


def check_stages(timed: Iterable[Stage], required: Iterable[str], phase: Phase) -> None:
    """Raise a verdict where a stage is missing: what was not timed was perhaps not done."""
    names = {stage.name for stage in timed}
    missing = [stage for stage in required if stage not in names]
    if missing:
        raise Verdict(phase, f"the driver did not time {', '.join(missing)}")


def check_device(device: object, cuda: str, phase: Phase) -> None:
    """Raise a verdict where the device read back is not of the kind that the cell asks for."""
    wanted = "cpu" if cuda == "cpu" else "gpu"
    kind = device_kind(device)
    if kind is None:
        raise Verdict(phase, "the driver did not read back the device of the result")
    if kind != wanted:
        raise Verdict(phase, f"the result lies on {device}, but the cell asks for {wanted}")


def with_control(message: str | None, control: ProbeRecord | None) -> str | None:
    """Add to the message of a failed probe that its control fails as well, where it does.

    A failure that the control shares is not the bridge's.
    """
    if control is None or control.status is Status.PASS:
        return message
    reason = control.message or control.status.value
    return "; ".join(part for part in (message, f"the control fails as well: {reason}") if part)


def is_number(value: object) -> bool:
    """Say whether a value of JSON is a finite number."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def refusal(value: object) -> str | None:
    """Return the reason where a driver wrote ``{"unsupported": reason}`` instead of a value."""
    if isinstance(value, Mapping) and "unsupported" in value:
        return str(value["unsupported"])
    return None


def missing_result(events: Sequence[Event], probe: str) -> Verdict:
    """Return the verdict on a probe of which the driver says nothing."""
    phase = last_phase(events)
    where = "before its first phase" if phase is None else f"in the phase {phase.value}"
    return Verdict(
        phase or Phase.START, f"the driver ended {where} without a result of the probe {probe}"
    )


def verdict_of_driver(event: Event) -> tuple[Status, Phase | None, str | None]:
    """Return the driver's own view: status, phase and message."""
    name = str(event.get("status"))
    message = event.get("message")
    phase = _phase(event.get("phase"))
    if name not in {status.value for status in FROM_A_DRIVER}:
        return Status.FAIL, phase, f"the driver says {name!r}, which is no status of a probe"
    return Status(name), phase, None if message is None else str(message)


def judged(
    name: str,
    events: Sequence[Event],
    *,
    variant: str | None,
    control: ProbeRecord | None,
    oracle: Oracle,
) -> ProbeRecord:
    """Return the record of a probe: the driver's no, or else the oracle's word."""
    event = said(events, name)
    details: dict[str, Any] = {}
    status, phase, message = Status.PASS, None, None
    timed = stages_of(events, name)
    try:
        if event is None:
            raise missing_result(events, name)
        if isinstance(event.get("details"), dict):
            details = dict(event["details"])
        status, phase, message = verdict_of_driver(event)
        if status is Status.PASS:
            oracle(details, timed)
            phase, message = None, None
    except Verdict as no:
        status, phase, message = Status.FAIL, no.phase, no.message
    if status.is_problem:
        message = with_control(message, control)
    return ProbeRecord(
        name=name,
        status=status,
        variant=variant,
        phase=phase,
        message=message,
        stages=timed,
        details=details,
    )


class Oracle(Protocol):
    """Raises a :class:`Verdict` where the details of a probe are not what they should be.

    It may add to ``details`` what it measured.
    """

    def __call__(self, details: dict[str, Any], timed: tuple[Stage, ...], /) -> None:
        """Look at the details and the stages of a probe of which the driver says ``pass``."""
        ...

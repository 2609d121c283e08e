"""What a job's outcome and its events say of the cell: a status, a phase and a sentence."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from harness.model.job import End, Outcome
from harness.model.status import Phase, Status

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_REPORTABLE: Final = {
    str(status): status
    for status in (
        *(Status.PASS, Status.FAIL, Status.CRASH),
        *(Status.UNSUPPORTED, Status.UNAVAILABLE),
    )
}
"""What a driver may say of a probe; anything else is its defect and counts as ``fail``.

``crash`` is for a path whose Python is another process than the driver.
"""
_LONGEST_HINT: Final = 300


class Verdict(NamedTuple):
    """How a cell ended, where it got to, and why in a sentence (``None`` for ``pass``)."""

    status: Status
    phase: Phase | None
    message: str | None


class _Probe(NamedTuple):
    name: str
    status: Status
    phase: Phase
    message: str


def classify(outcome: Outcome, events: Sequence[Mapping[str, Any]], stderr: str = "") -> Verdict:
    """Judge one process tree.

    Parameters
    ----------
    outcome
        How it ended.
    events
        What it wrote, in order, as ``events.read_events`` returns them.  A phase counts from
        its event on.
    stderr
        The end of its standard error, for the message of a crash.

    Only what the cell said and how it ended is judged here: whether all planned probes are
    there, and what the oracles say of them, is for others.
    """
    phase = Phase.START if outcome.phase is None else _phase(outcome.phase, Phase.START)
    probes = tuple(_seen_from_outside(probe, outcome) for probe in _probes(events))
    done = any(event.get("event") == "done" for event in events)
    if done:
        # Where the driver says that it is at its end, only the way out is left.
        phase = Phase.TEARDOWN
    before = _before(probes) if done else ""
    match outcome.end:
        case End.CANCELLED:
            return Verdict(Status.MISSING, phase, f"cancelled in phase {phase}")
        case End.NOT_STARTED:
            message = outcome.message or "the command could not be started"
            return Verdict(Status.FAIL, Phase.START, message)
        case End.TIMEOUT:
            reason = outcome.message or f"no end of phase {phase} within its limit"
            return Verdict(Status.TIMEOUT, phase, before + reason)
        case End.OOM:
            reason = outcome.message or "out of memory"
            return Verdict(Status.OOM, phase, f"{before}{reason} (phase {phase})")
        case End.SIGNALLED:
            return _crashed(outcome, phase, before, stderr)
        case End.EXITED:
            return _exited(outcome, events, phase, probes, done=done)


def _crashed(outcome: Outcome, phase: Phase, before: str, stderr: str) -> Verdict:
    if before:
        message = f"{before}{outcome.signal} while ending"
    else:
        message = f"{outcome.signal} in phase {phase}"
    hint = crash_hint(stderr)
    return Verdict(Status.CRASH, phase, f"{message}: {hint}" if hint else message)


def _exited(
    outcome: Outcome,
    events: Sequence[Mapping[str, Any]],
    phase: Phase,
    probes: Sequence[_Probe],
    *,
    done: bool,
) -> Verdict:
    code = outcome.exit_code
    if not done:
        said = _last_complaint(events, probes)
        if said is not None:
            where, reason = said
            return Verdict(Status.FAIL, where, f"{reason} (exit status {code}, not at its end)")
        if code == 0:
            message = f"ended with exit status 0 and no result (silent exit) in phase {phase}"
        else:
            message = f"exit status {code} in phase {phase}"
        return Verdict(Status.FAIL, phase, message)
    if code != 0:
        message = f"{_before(probes)}exit status {code} while ending"
        return Verdict(Status.FAIL, Phase.TEARDOWN, message)
    if not probes:
        message = "came to its end without the result of a single probe"
        return Verdict(Status.FAIL, Phase.TEARDOWN, message)
    status = Status.worst([probe.status for probe in probes])
    if status is Status.PASS:
        return Verdict(status, None, None)
    worst = next(probe for probe in probes if probe.status is status)
    return Verdict(status, worst.phase, f"{worst.name}: {worst.message}")


def crash_hint(stderr: str) -> str:
    """Return the line of ``stderr`` that says most about a crash; empty for none.

    R prints where the fault was (``address (nil), cause 'memory not mapped'``) and a long
    traceback after it; otherwise, it is the last line.
    """
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    for line, following in pairwise(lines):
        if line.startswith("*** caught ") and following.startswith("address "):
            return following[:_LONGEST_HINT]
    return lines[-1][:_LONGEST_HINT] if lines else ""


def of_memory(status: Status, message: str | None, outcome: Outcome) -> str | None:
    """Return why a probe that its driver calls a crash ran out of memory; ``None`` where not.

    A process that the driver started and that was ended by SIGKILL, while the kernel ended one for
    want of memory, is taken for that one.  Neither is enough: the kernel's count is the machine's,
    and anybody can send a signal.
    """
    if (
        status is not Status.CRASH
        or not outcome.kernel_killed
        or "signal SIGKILL" not in str(message)
    ):
        return None
    return f"{message}: the kernel ended a process for want of memory"


def _seen_from_outside(probe: _Probe, outcome: Outcome) -> _Probe:
    reason = of_memory(probe.status, probe.message, outcome)
    return probe if reason is None else probe._replace(status=Status.OOM, message=reason)


def _probes(events: Iterable[Mapping[str, Any]]) -> Iterable[_Probe]:
    phase = Phase.START
    error: tuple[Phase, str] | None = None
    for event in events:
        match event.get("event"):
            case "phase":
                phase = _phase(event.get("phase"), phase)
            case "error":
                error = _error(event, phase)
            case "probe":
                name = _text(event.get("name")) or "a probe without a name"
                status = _REPORTABLE.get(str(event.get("status")))
                message = _text(event.get("message")) or (error[1] if error else "")
                if status is None:
                    message = f"reported the unknown status {event.get('status')!r}"
                    status = Status.FAIL
                where = error[0] if error else phase
                yield _Probe(name, status, where, message or "no reason given")
                error = None


def _last_complaint(
    events: Sequence[Mapping[str, Any]], probes: Sequence[_Probe]
) -> tuple[Phase, str] | None:
    """Return what a cell that did not come to its end said of it: where and why."""
    phase = Phase.START
    found = None
    for event in events:
        if event.get("event") == "phase":
            phase = _phase(event.get("phase"), phase)
        elif event.get("event") == "error":
            found = _error(event, phase)
    if found is not None:
        return found
    failed = next((probe for probe in probes if probe.status is Status.FAIL), None)
    return None if failed is None else (failed.phase, f"{failed.name}: {failed.message}")


def _error(event: Mapping[str, Any], phase: Phase) -> tuple[Phase, str]:
    words = (_text(event.get("class")), _text(event.get("message")))
    message = ": ".join(word for word in words if word) or "an error without a message"
    return _phase(event.get("phase"), phase), message


def _before(probes: Sequence[_Probe]) -> str:
    """Return the start of a sentence on what went wrong after the driver's end."""
    bad = [f"{probe.name} {probe.status}" for probe in probes if probe.status is not Status.PASS]
    if not probes:
        return "no probe had a result, then "
    return f"{', '.join(bad)}, then " if bad else "all probes passed, then "


def _phase(word: object, otherwise: Phase) -> Phase:
    try:
        return Phase(str(word))
    except ValueError:
        return otherwise


def _text(value: object) -> str:
    return value.strip() if isinstance(value, str) else ""

"""The probe ``convert``: what survives of typed values, each way and back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from harness.model.cell import Axes
from harness.model.environment import Provisioned
from harness.model.record import ProbeRecord, Stage
from harness.model.status import Phase
from harness.probes.base import Event, Verdict, check_stages, judged, merged_identity
from harness.probes.convert.compare import (
    ATTRIBUTES,
    SHAPE,
    TYPE,
    Description,
    changes,
    described,
    differences,
    shown,
)
from harness.probes.convert.documented import sources
from harness.probes.convert.fixtures import Fixture, folder, load_fixtures
from harness.probes.init import check_languages

LEGS: Final = ("there", "back")


class Outcome(StrEnum):
    """What became of a value on one way."""

    EXACT = "exact"
    DOCUMENTED = "documented loss"
    WARNED = "warned loss"
    """Not what it was, and a warning said so."""
    SILENT = "silent loss"
    """Not what it was, no documentation tells of it, and no warning was given."""
    ERROR = "error"
    CRASH = "crash"
    """The process that held it was ended, or hung and was ended."""
    UNSUPPORTED = "unsupported"
    """The path says that it cannot carry it."""


NOTHING_ARRIVED: Final = "arrival"
_UNREADABLE: Final = (AttributeError, IndexError, KeyError, RecursionError, TypeError, ValueError)
"""What a description that is none comes to: the file of events is under the cell's control."""


class Convert:
    """Typed values of both languages, each sent to the other and back.

    Passes where every value has an outcome on both ways: a silent loss is what the probe is there
    to find, and no failure.  Only where a value that must survive does not, be it as another type,
    the path is of no use, and the probe fails.
    """

    name = "convert"
    stages: tuple[str, ...] = ("values",)

    @property
    def files(self) -> Path:
        """Folder of the fixtures, which the cell reads."""
        return folder()

    def judge(
        self,
        events: Sequence[Event],
        *,
        axes: Axes,
        provisioned: Provisioned,
        control: ProbeRecord | None = None,
        variant: str | None = None,
    ) -> ProbeRecord:
        """Hold what arrived and what came back against the fixtures, value by value.

        The details get ``values``, by fixture and way an ``outcome`` with what ``differs``, what
        was ``sent`` and ``got`` in words, and the ``source`` of a loss that is documented; and
        ``counts``, by way and outcome.
        """

        def oracle(details: dict[str, Any], timed: tuple[Stage, ...]) -> None:
            check_languages(events, axes, provisioned)
            said = {
                str(event.get("name")): event
                for event in events
                if event.get("event") == "value" and event.get("probe") == self.name
            }
            path = axes.path if axes.transport is None else f"{axes.path}-{axes.transport}"
            bridge = merged_identity(events).get("bridge")
            version = bridge.get("version") if isinstance(bridge, dict) else None
            values: dict[str, Any] = {}
            for fixture in load_fixtures():
                event = said.get(fixture.name)
                if event is None:
                    raise Verdict(Phase.CONVERT, f"the driver did not try the value {fixture.name}")
                try:
                    _check_made(fixture, event)
                    values[fixture.name] = _judged(fixture, event, path, version)
                except _UNREADABLE:
                    message = f"the driver's description of {fixture.name} cannot be read"
                    raise Verdict(Phase.CONVERT, message) from None
            details["values"] = values
            details["counts"] = {
                leg: dict(Counter(value[leg]["outcome"] for value in values.values()))
                for leg in LEGS
            }
            check_stages(timed, self.stages, Phase.CONVERT)
            _check_must(values)

        return judged(self.name, events, variant=variant, control=control, oracle=oracle)


def _check_made(fixture: Fixture, event: Event) -> None:
    """Raise a verdict where a value was made wrongly: what it came to would say nothing."""
    fault = event.get("fault")
    if isinstance(fault, Mapping):
        raise Verdict(
            Phase.CONVERT,
            f"the probe could not tell what became of {fixture.name}: {fault.get('message')}",
        )
    made = event.get("made")
    if made is None:
        there = event.get("there")
        ended = set(there) if isinstance(there, Mapping) else set()
        if ended & {"unsupported", "error", "crash", "unavailable"}:
            return
        raise Verdict(Phase.CONVERT, f"the driver did not say how it made {fixture.name}")
    got = made.get("got") if isinstance(made, Mapping) else None
    wrong = differences(described(fixture.tree), got if isinstance(got, Mapping) else {})
    if wrong:
        raise Verdict(
            Phase.CONVERT,
            f"the value {fixture.name} was made wrongly ({', '.join(sorted(wrong))}): {shown(got)}",
        )


def _judged(fixture: Fixture, event: Event, path: str, version: str | None) -> dict[str, Any]:
    there, back = (event.get(leg) for leg in LEGS)
    first = _leg(fixture, event, there, "there", path, version)
    if "got" not in first and first["outcome"] != Outcome.SILENT:
        # What never got there cannot come back.
        return {"there": first, "back": {"outcome": first["outcome"], "message": "never got there"}}
    return {"there": first, "back": _leg(fixture, event, back, "back", path, version)}


def _leg(
    fixture: Fixture, event: Event, said: object, leg: str, path: str, version: str | None
) -> dict[str, Any]:
    record = said if isinstance(said, Mapping) else {}
    for key, outcome in (
        ("crash", Outcome.CRASH),
        ("error", Outcome.ERROR),
        ("unsupported", Outcome.UNSUPPORTED),
        ("unavailable", Outcome.UNSUPPORTED),
    ):
        if key in record:
            return {"outcome": outcome, "message": str(record[key])}
    got = record.get("got")
    if not isinstance(got, Mapping):
        return {
            "outcome": Outcome.SILENT,
            "differs": [NOTHING_ARRIVED],
            "message": "nothing arrived, and nothing was said",
        }
    aspects = _aspects(fixture, event, record, got, leg)
    found: dict[str, Any] = {"outcome": Outcome.EXACT, "got": shown(got)}
    if not aspects:
        return found
    found.update(
        outcome=Outcome.SILENT, differs=sorted(aspects), sent=shown(described(fixture.tree))
    )
    told = sources(aspects, path=path, version=version, fixture=fixture.name, leg=leg)
    if told:
        found["outcome"] = Outcome.DOCUMENTED
        found["source"] = [entry.source for entry in told]
    elif record.get("warnings"):
        found["outcome"] = Outcome.WARNED
        found["warnings"] = [str(text) for text in record["warnings"]]
    return found


def _aspects(
    fixture: Fixture, event: Event, record: Mapping[str, Any], got: Description, leg: str
) -> frozenset[str]:
    if leg == "there":
        # A reference is to the value itself, which has stayed where it was.
        also = fixture.as_
        return (
            frozenset() if got.get("reference") else differences(described(fixture.tree), got, also)
        )
    made = event.get("made")
    first = made.get("got") if isinstance(made, Mapping) else None
    found = changes(first if isinstance(first, Mapping) else {}, got)
    if record.get("identical") is True:
        return frozenset()
    if record.get("identical") is False and not found:
        return frozenset({ATTRIBUTES})
    return found


def _check_must(values: Mapping[str, Any]) -> None:
    lost = [
        f"{fixture.name} ({leg}): {said['outcome']}, {said.get('message') or said.get('got')}"
        for fixture in load_fixtures()
        if fixture.must
        for leg, said in values[fixture.name].items()
        if _is_gone(said)
    ]
    if lost:
        raise Verdict(Phase.CONVERT, f"what must survive does not: {'; '.join(lost)}")


def _is_gone(said: Mapping[str, Any]) -> bool:
    """Say whether a value itself was lost, not only its type: 42.0 is still 42."""
    outcome = said["outcome"]
    if outcome in {Outcome.SILENT, Outcome.WARNED}:
        return not set(said["differs"]) <= {TYPE, SHAPE}
    return outcome in {Outcome.ERROR, Outcome.CRASH}


PROBE = Convert()
"""The probe ``convert``."""

"""The probe ``seed``: documented examples, as they are written and as corrected."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from harness.model.cell import Axes
from harness.model.environment import Provisioned
from harness.model.record import ProbeRecord, Stage
from harness.model.status import Phase, Status
from harness.probes.base import Event, Verdict, is_number, judged, refusal
from harness.probes.init import check_identity

EXAMPLES: Final[Mapping[str, tuple[str, ...]]] = {
    "reticulate": ("tensorflow-version", "keras-model"),
    "system": ("system-call",),
}
"""The examples of each path, as ``harness/kit/seed/examples.R`` has them."""

TRAINS: Final = "keras-model"
EPOCHS: Final = 10
"""The example that trains, and for how long it says so itself."""

_OF_A_FINDING: Final = ("line", "source", "argument", "cause", "message", "corrected_line")


class Seed:
    """What tutorials tell R users.

    That an example fails as it is written is what the probe is there to find, and no failure
    of the bridge.  It fails where a failure as written is explained by nothing, or where the
    corrected example does not run to its end.
    """

    name = "seed"
    stages: tuple[str, ...] = ()

    def judge(
        self,
        events: Sequence[Event],
        *,
        axes: Axes,
        provisioned: Provisioned,
        control: ProbeRecord | None = None,
        variant: str | None = None,
    ) -> ProbeRecord:
        """Want each failure explained, each corrected example to run, each format to be read."""

        def oracle(details: dict[str, Any], _timed: tuple[Stage, ...]) -> None:
            check_identity(events, axes, provisioned, variant)
            examples = details.get("examples")
            if not isinstance(examples, Mapping):
                examples = {}
            for name in EXAMPLES.get(axes.path, ()):
                _check_example(name, examples.get(name))
            if axes.path == "system":
                _check_formats(details.get("formats"))

        return judged(self.name, events, variant=variant, control=control, oracle=oracle)


def _check_example(name: str, seen: object) -> None:
    if refusal(seen) is not None:
        return
    if not isinstance(seen, Mapping):
        raise Verdict(Phase.TRAIN, f"the driver did not say what became of the example {name}")
    unexplained = seen.get("unexplained")
    if isinstance(unexplained, Mapping):
        raise Verdict(
            Phase.TRAIN,
            f"the example {name} fails in line {unexplained.get('line')}, and no correction "
            f"explains it: {unexplained.get('message')}",
        )
    findings = seen.get("findings")
    findings = findings if isinstance(findings, list) else []
    for finding in findings:
        lacking = [
            key for key in _OF_A_FINDING if not isinstance(finding, Mapping) or not finding.get(key)
        ]
        if lacking:
            raise Verdict(
                Phase.TRAIN, f"a finding in the example {name} lacks {', '.join(lacking)}"
            )
    written, corrected = _status(seen.get("as_written")), _status(seen.get("as_corrected"))
    if written is None or (written is Status.PASS) != (not findings):
        raise Verdict(
            Phase.TRAIN,
            f"the example {name} ended {written or 'in no way'} as it is written, "
            f"with {len(findings)} findings",
        )
    if corrected is not Status.PASS:
        whole = seen.get("as_corrected")
        reason = whole.get("message") if isinstance(whole, Mapping) else "the driver did not say"
        raise Verdict(Phase.TRAIN, f"the example {name} fails even as corrected: {reason}")
    if name == TRAINS:
        _check_training(seen["as_corrected"])


def _status(ended: object) -> Status | None:
    status = ended.get("status") if isinstance(ended, Mapping) else None
    return Status(status) if status in {Status.PASS, Status.FAIL} else None


def _check_training(ended: Mapping[str, Any]) -> None:
    losses, accuracy = ended.get("losses"), ended.get("accuracy")
    if not isinstance(losses, list) or len(losses) != EPOCHS or not all(map(is_number, losses)):
        raise Verdict(
            Phase.TRAIN, f"the example {TRAINS} trains {EPOCHS} epochs, but its losses are {losses}"
        )
    if not losses[-1] < losses[0]:
        raise Verdict(Phase.TRAIN, f"the loss of the example {TRAINS} does not fall: {losses}")
    if not is_number(accuracy):
        raise Verdict(Phase.TRAIN, f"the accuracy of the example {TRAINS} is {accuracy!r}")


def _check_formats(formats: object) -> None:
    if not isinstance(formats, Mapping) or not formats:
        raise Verdict(Phase.CONVERT, "the driver did not say which formats came back")
    for name, seen in formats.items():
        if not isinstance(seen, Mapping):
            raise Verdict(Phase.CONVERT, f"the driver did not say how {name} came back")
        if refusal(seen) is None and seen.get("must") and _status(seen) is not Status.PASS:
            raise Verdict(
                Phase.CONVERT, f"the results could not be read as {name}: {seen.get('message')}"
            )


PROBE = Seed()

"""The probe ``callback``: Python calls a function of the host language."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from harness.model.cell import Axes
from harness.model.environment import Provisioned
from harness.model.record import ProbeRecord, Stage
from harness.model.status import Phase
from harness.probes.base import Event, Verdict, check_stages, is_number, judged
from harness.probes.call import same
from harness.probes.init import check_languages

CALLS: Final = tuple([epoch, 1 / (epoch + 1)] for epoch in range(4))
RESULT: Final = 60
"""The sum of ten times each epoch: what the function returned, as Python added it up."""


class Callback:
    """A function with two arguments, called four times; with Keras from a training as well."""

    name = "callback"
    version = 2
    stages: tuple[str, ...] = ("callback", "steady_callback")

    def judge(
        self,
        events: Sequence[Event],
        *,
        axes: Axes,
        provisioned: Provisioned,
        control: ProbeRecord | None = None,
        variant: str | None = None,
    ) -> ProbeRecord:
        """Hold the arguments that arrived and the sum that came back against what they are."""

        def oracle(details: dict[str, Any], timed: tuple[Stage, ...]) -> None:
            check_languages(events, axes, provisioned)
            _check_calls(details.get("calls"))
            result = details.get("result")
            if not same(result, RESULT):
                raise Verdict(
                    Phase.CALLBACK,
                    f"what the function returned adds up to {RESULT}, but Python has {result!r}",
                )
            if "keras_calls" in details:
                _check_keras(details["keras_calls"])
            check_stages(timed, self.stages, Phase.CALLBACK)

        return judged(self.name, events, variant=variant, control=control, oracle=oracle)


def _check_calls(calls: object) -> None:
    if not isinstance(calls, list) or not calls:
        raise Verdict(Phase.CALLBACK, "the function was never called")
    if not same(calls, list(CALLS)):
        raise Verdict(
            Phase.CALLBACK, f"the function was called with {calls!r}, not with {list(CALLS)!r}"
        )


def _check_keras(calls: object) -> None:
    """Look at the calls from a training, whose losses are whatever they are."""
    epochs = list(range(len(CALLS)))
    pairs = calls if isinstance(calls, list) else []
    if [pair[:1] if isinstance(pair, list) else pair for pair in pairs] != [[n] for n in epochs]:
        raise Verdict(
            Phase.CALLBACK,
            f"Keras trained {len(epochs)} epochs, but its callback was called with {calls!r}",
        )
    if not all(is_number(value) for pair in pairs for value in pair[1:]):
        raise Verdict(Phase.CALLBACK, f"Keras's callback was told a loss that is none: {calls!r}")


PROBE = Callback()

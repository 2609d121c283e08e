"""The probe ``error``: what survives of an error on its way into the other language."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from harness.model.cell import Axes
from harness.model.environment import Provisioned
from harness.model.record import ProbeRecord, Stage
from harness.model.status import Phase
from harness.probes.base import Event, Verdict, check_stages, judged, refusal
from harness.probes.init import check_languages

PLANTED: Final = "planted: naïve 'q\"uote'"
PLANTED_IN_R: Final = "planted in R"
RAISED: Final = "HarnessError"
DEEPEST: Final = "_deeper"
"""The function that raises: a traceback that does not name it ends too early."""


class Error:
    """An exception of Python reaches R, and an error of R reaches Python."""

    name = "error"
    version = 2
    stages: tuple[str, ...] = ("first_error", "error")

    def judge(
        self,
        events: Sequence[Event],
        *,
        axes: Axes,
        provisioned: Provisioned,
        control: ProbeRecord | None = None,
        variant: str | None = None,
    ) -> ProbeRecord:
        """Want both errors heard, with the whole message.

        What else did not arrive, of ``class`` and ``traceback``, is added to the details as
        ``lost``: a path may be poor, but not silent.
        """

        def oracle(details: dict[str, Any], timed: tuple[Stage, ...]) -> None:
            check_languages(events, axes, provisioned)
            there = _heard(details.get("python_to_r"), "Python's exception", PLANTED)
            details["lost"] = [
                name
                for name, sign in (("class", RAISED), ("traceback", DEEPEST))
                if sign not in str(there.get(name))
            ]
            back = details.get("r_to_python")
            if refusal(back) is None:
                _heard(back, "R's error", PLANTED_IN_R)
            check_stages(timed, self.stages, Phase.ERROR)

        return judged(self.name, events, variant=variant, control=control, oracle=oracle)


def _heard(seen: object, what: str, text: str) -> Mapping[str, Any]:
    """Return what the other side saw of an error; raise a verdict where that is too little."""
    if not isinstance(seen, Mapping) or not isinstance(seen.get("raised"), bool):
        raise Verdict(Phase.ERROR, f"the driver did not say what became of {what}")
    message = seen.get("message")
    if not seen["raised"]:
        more = f" ({message})" if message else ""
        raise Verdict(
            Phase.ERROR, f"{what} was swallowed: the call returned as if nothing had happened{more}"
        )
    if text not in str(message):
        raise Verdict(
            Phase.ERROR, f"{what} arrived with the message {message!r}, which lacks {text!r}"
        )
    return seen


PROBE = Error()

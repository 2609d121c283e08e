"""The probe ``call``: the smallest calls into Python, and values that come back unharmed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from harness.model.cell import Axes
from harness.model.environment import Provisioned
from harness.model.record import ProbeRecord, Stage
from harness.model.status import Phase
from harness.probes.base import Event, Verdict, check_stages, judged, refusal
from harness.probes.init import check_languages

SENT: Final[Mapping[str, Any]] = {
    "double": 0.1 + 0.2,
    "integer": 42,
    "logical": True,
    "string": "naïve 'q\"uote'",
    "doubles": [1 / 3, 2 / 3, 1e300],
    "huge": 123456789.123456789,
    "empty": "",
}
"""What ``echo`` is given, so that the host's half of the kit is held to it as well."""

_PAIR: Final = 2


class Call:
    """A call of nothing, and one that returns its argument."""

    name = "call"
    version = 2
    """2: repeated for half a second, and not at most a thousand times."""
    stages: tuple[str, ...] = ("first_call", "noop", "echo")

    def judge(
        self,
        events: Sequence[Event],
        *,
        axes: Axes,
        provisioned: Provisioned,
        control: ProbeRecord | None = None,
        variant: str | None = None,
    ) -> ProbeRecord:
        """Hold what came back against what was sent; no digit and no letter may be lost.

        The names of values that the path cannot carry, with its reasons, are added to the
        details as ``unsupported``.
        """

        def oracle(details: dict[str, Any], timed: tuple[Stage, ...]) -> None:
            check_languages(events, axes, provisioned)
            if details.get("noop", ...) is not None:
                seen = details.get("noop", "not said")
                raise Verdict(Phase.OP, f"noop returns nothing, but what came back is {seen!r}")
            refused = _check_echo(details.get("echo"))
            if refused:
                details["unsupported"] = refused
            stages = self.stages if "double" not in refused else self.stages[:-1]
            check_stages(timed, stages, Phase.OP)

        return judged(self.name, events, variant=variant, control=control, oracle=oracle)


def _check_echo(pairs: object) -> dict[str, str]:
    """Return the reasons of the values that the path cannot carry."""
    if not isinstance(pairs, Mapping):
        raise Verdict(Phase.CONVERT, "the driver did not say what echo gave back")
    refused: dict[str, str] = {}
    harmed: list[str] = []
    for name, wanted in SENT.items():
        pair = pairs.get(name)
        if not isinstance(pair, list) or len(pair) != _PAIR:
            raise Verdict(Phase.CONVERT, f"the driver did not say what echo gave back for {name}")
        sent, got = pair
        if not same(sent, wanted):
            raise Verdict(
                Phase.CONVERT, f"{name} was made wrongly: {sent!r} was sent, not {wanted!r}"
            )
        reason = refusal(got)
        if reason is not None:
            refused[name] = reason
        elif isinstance(got, Mapping) and "error" in got:
            harmed.append(f"{name} did not come back: {got['error']}")
        elif not same(got, sent):
            harmed.append(f"{name} was sent as {sent!r} and came back as {got!r}")
    if harmed:
        raise Verdict(Phase.CONVERT, "; ".join(harmed))
    if len(refused) == len(SENT):
        raise Verdict(Phase.CONVERT, f"echo carries no value at all: {refused['double']}")
    return refused


def same(one: object, other: object) -> bool:
    """Compare two values of JSON; a number is no truth value, and no digit may differ."""
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    return one == other


PROBE = Call()

"""The probe ``upstream``: the bridge's own tests, run inside the cell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from harness.model.cell import Axes
from harness.model.environment import Provisioned
from harness.model.record import ProbeRecord, Stage
from harness.model.status import Phase
from harness.probes.base import Event, Verdict, check_stages, judged
from harness.probes.init import check_languages

COUNTS: Final = ("passed", "failed", "skipped", "errors")
"""What a test comes to; ``total`` is their sum."""
_QUOTED: Final = 3
"""Names of failures that the message has; the others are in the details."""


class Upstream:
    """The bridge's makers say what is right: this counts how much of it holds here.

    Its own tests are the only oracle that is not ours, and their failures are told apart from
    ours: a bridge can pass all of them and still lose a value, and the other way round.
    """

    name = "upstream"
    stages: tuple[str, ...] = ("tests",)

    def judge(
        self,
        events: Sequence[Event],
        *,
        axes: Axes,
        provisioned: Provisioned,
        control: ProbeRecord | None = None,
        variant: str | None = None,
    ) -> ProbeRecord:
        """Pass where every test passed or said itself that it does not apply.

        A control has no bridge, so it takes no part.
        """
        del control

        def oracle(details: dict[str, Any], timed: tuple[Stage, ...]) -> None:
            check_languages(events, axes, provisioned)
            counts = _counts(details)
            check_stages(timed, self.stages, Phase.OP)
            if not counts["passed"] and not counts["failed"] and not counts["errors"]:
                raise Verdict(Phase.OP, f"not one of the bridge's own {_tests(counts)} was run")
            if counts["failed"] or counts["errors"]:
                raise Verdict(Phase.OP, _sentence(counts, details))

        return judged(self.name, events, variant=variant, control=None, oracle=oracle)


def _counts(details: Mapping[str, Any]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for name in ("total", *COUNTS):
        value = details.get(name)
        # R has no other numbers than doubles in what it reads back.
        if not isinstance(value, int | float) or isinstance(value, bool) or value != int(value):
            raise Verdict(Phase.OP, f"the driver did not say how many tests {name}")
        counts[name] = int(value)
    if counts["total"] != sum(counts[name] for name in COUNTS) or min(counts.values()) < 0:
        raise Verdict(Phase.OP, f"the driver's counts do not add up: {counts}")
    if not details.get("source"):
        raise Verdict(Phase.OP, "the driver did not say whose tests these are")
    return counts


def _sentence(counts: Mapping[str, int], details: Mapping[str, Any]) -> str:
    bad = counts["failed"] + counts["errors"]
    failures = details.get("failures")
    known = failures if isinstance(failures, list) else []
    names = [str(one.get("name")) for one in known if isinstance(one, Mapping)][:_QUOTED]
    more = bad - len(names)
    if more and names:
        names.append(f"{more} more")
    listed = f": {', '.join(names)}" if names else ""
    return f"{bad} of the bridge's own {_tests(counts)} failed{listed}"


def _tests(counts: Mapping[str, int]) -> str:
    skipped = f" ({counts['skipped']} skipped)" if counts["skipped"] else ""
    return f"{counts['total']} tests{skipped}"


PROBE = Upstream()

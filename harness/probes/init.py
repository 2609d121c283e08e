"""The probe ``init``: everything starts, and the first operation's result is right."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from harness.model.cell import Axes
from harness.model.environment import Provisioned
from harness.model.record import ProbeRecord, Stage
from harness.model.status import Phase
from harness.probes import identity as identities
from harness.probes.base import (
    Event,
    Verdict,
    check_device,
    check_stages,
    host_of,
    judged,
    merged_identity,
    required_stages,
)

PRODUCT: Final = (19.0, 22.0, 43.0, 50.0)
"""``[[1, 2], [3, 4]]`` times ``[[5, 6], [7, 8]]``, row by row; exact in every float type."""


class Init:
    """From the start of the process to the first operations of the framework.

    In a cell that names no framework, to Python, which then runs.
    """

    name = "init"
    stages: tuple[str, ...] = (
        "process_start",
        "bridge_load",
        "python_start",
        "r_start",
        "identity",
        "framework_import",
        "device",
        "first_op",
        "steady_op",
    )

    def judge(
        self,
        events: Sequence[Event],
        *,
        axes: Axes,
        provisioned: Provisioned,
        control: ProbeRecord | None = None,
        variant: str | None = None,
    ) -> ProbeRecord:
        """Hold the identity, the value, its device and the stages against what they should be."""

        def oracle(details: dict[str, Any], timed: tuple[Stage, ...]) -> None:
            check_identity(events, axes, provisioned, variant)
            phase = Phase.PYTHON
            if axes.framework is not None:
                phase = Phase.OP
                _check_value(details.get("values"))
                check_device(details.get("device"), axes.cuda, phase)
            host = host_of(merged_identity(events))
            check_stages(timed, required_stages(self.stages, axes, host), phase)

        return judged(self.name, events, variant=variant, control=control, oracle=oracle)


def check_identity(
    events: Sequence[Event], axes: Axes, provisioned: Provisioned, variant: str | None
) -> None:
    """Raise a verdict where something else ran than what the cell says."""
    mismatch = identities.check(merged_identity(events), axes, provisioned, variant)
    if mismatch is not None:
        raise Verdict(*mismatch)


def check_languages(events: Sequence[Event], axes: Axes, provisioned: Provisioned) -> None:
    """Raise a verdict where another R, bridge or Python ran; the framework does not matter."""
    mismatch = identities.check_languages(merged_identity(events), axes, provisioned)
    if mismatch is not None:
        raise Verdict(*mismatch)


def _check_value(values: object) -> None:
    if not isinstance(values, list) or not values:
        raise Verdict(Phase.OP, "the first operation gave no value")
    if tuple(values) != PRODUCT:
        wanted = ", ".join(f"{value:g}" for value in PRODUCT)
        seen = ", ".join(str(value) for value in values)
        raise Verdict(Phase.OP, f"the first operation gave {seen}, but the product is {wanted}")


PROBE = Init()

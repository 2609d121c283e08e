"""The probe ``train``: a small network learns, on data that crossed the path unharmed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from harness.model.cell import Axes
from harness.model.environment import Provisioned
from harness.model.record import ProbeRecord, Stage
from harness.model.status import Phase, Status
from harness.probes.base import (
    Event,
    Verdict,
    check_device,
    check_stages,
    is_number,
    judged,
    required_stages,
)
from harness.probes.init import check_identity

LEAST_ACCURACY: Final = 0.9
TOLERANCE: Final = 1e-3
"""Greatest relative difference of a loss from the control's.

Where the arrays reach the framework in another memory order (R's are by columns), its sums are
rounded otherwise: at most 2e-7 was measured with PyTorch, and 0 with the others.
"""
HASHES: Final = {
    "x_sha": "9b1c8b2c695109cfdf5601f45f9c3b73",
    "y_sha": "16e440290b175983a47a7a801b155920",
}
"""MD5 of the data that the protocol describes, so that both languages are held to it."""
_NAMES: Final = {"x_sha": "pixels", "y_sha": "labels"}
_FEWEST_LOSSES: Final = 2


class Train:
    """The classic model, from making the data to its accuracy on what was held back."""

    name = "train"
    stages: tuple[str, ...] = (
        "make_data",
        "transfer",
        "build",
        "first_step",
        "epoch",
        "evaluate",
        "steady_step",
    )
    version = 2
    """2: with steps that are timed apart, after all else."""

    def judge(
        self,
        events: Sequence[Event],
        *,
        axes: Axes,
        provisioned: Provisioned,
        control: ProbeRecord | None = None,
        variant: str | None = None,
    ) -> ProbeRecord:
        """Hold data, losses, accuracy and device against what they should be.

        On every path but ``native`` the losses are compared with the control's, where it trained;
        the greatest relative difference is added to the details.
        """

        def oracle(details: dict[str, Any], timed: tuple[Stage, ...]) -> None:
            check_identity(events, axes, provisioned, variant)
            _check_hashes(details)
            losses = _losses(details)
            _check_learning(losses, details.get("accuracy"))
            check_device(details.get("device"), axes.cuda, Phase.TRAIN)
            check_stages(timed, required_stages(self.stages, axes), Phase.TRAIN)
            if axes.path != "native":
                _compare(losses, details, control)

        return judged(self.name, events, variant=variant, control=control, oracle=oracle)


def _check_hashes(details: dict[str, Any]) -> None:
    for key, right in HASHES.items():
        pair = details.get(key)
        what = _NAMES[key]
        if not isinstance(pair, dict) or not pair.get("made") or not pair.get("arrived"):
            raise Verdict(Phase.CONVERT, f"the {what} were not hashed on both sides")
        if pair["made"] != right:
            raise Verdict(
                Phase.CONVERT,
                f"the {what} were made wrongly: their MD5 is {pair['made']}, not {right}",
            )
        if pair["arrived"] != pair["made"]:
            raise Verdict(
                Phase.CONVERT,
                f"the {what} changed on their way: made as {pair['made']}, "
                f"arrived as {pair['arrived']}",
            )


def _losses(details: dict[str, Any]) -> list[float]:
    losses = details.get("losses")
    if not isinstance(losses, list) or len(losses) < _FEWEST_LOSSES:
        raise Verdict(Phase.TRAIN, "training gave no loss curve")
    if not all(is_number(loss) for loss in losses):
        raise Verdict(Phase.TRAIN, f"a loss is not a finite number: {_curve(losses)}")
    return [float(loss) for loss in losses]


def _check_learning(losses: list[float], accuracy: object) -> None:
    if not losses[-1] < losses[0]:
        raise Verdict(Phase.TRAIN, f"the loss does not fall: {_curve(losses)}")
    if not isinstance(accuracy, int | float) or not is_number(accuracy):
        raise Verdict(Phase.TRAIN, "the accuracy on held-back data is not a number")
    if accuracy < LEAST_ACCURACY:
        raise Verdict(
            Phase.TRAIN,
            f"the accuracy on held-back data is {accuracy:.3f}, below {LEAST_ACCURACY}",
        )


def _compare(losses: list[float], details: dict[str, Any], control: ProbeRecord | None) -> None:
    if control is None:
        # The matrix has none (``controls: false``): what the cell did is then judged alone, and
        # its findings say so.
        return
    if control.status is not Status.PASS:
        # judged() adds that the control fails, and why.
        raise Verdict(Phase.TRAIN, "the losses cannot be compared with the control's")
    others = [float(loss) for loss in control.details["losses"]]
    if len(others) != len(losses):
        raise Verdict(
            Phase.TRAIN, f"{len(losses)} epochs were trained, but {len(others)} by the control"
        )
    difference = max(
        abs(own - other) / max(abs(other), 1e-300)
        for own, other in zip(losses, others, strict=True)
    )
    details["max_relative_difference"] = difference
    if difference > TOLERANCE:
        raise Verdict(
            Phase.TRAIN,
            f"the losses differ from the control's by {difference:.2g} of their size: "
            f"{_curve(losses)} and {_curve(others)}",
        )


def _curve(losses: Sequence[object]) -> str:
    return ", ".join(
        f"{loss:.4g}" if isinstance(loss, int | float) else str(loss) for loss in losses
    )


PROBE = Train()

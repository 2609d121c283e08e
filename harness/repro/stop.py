"""Where a cell stopped, as a step of a script."""

from __future__ import annotations

from typing import Final

import msgspec

from harness.model.record import CellRecord, ProbeRecord
from harness.model.status import Phase, Status

CHAIN: Final = ("bridge", "python", "import", "device", "op", "convert", "train")
"""Steps of the probes ``init`` and ``train``, each of which needs those before it."""
END: Final = "end"
ORDER: Final = (
    "start",
    *CHAIN,
    *("call", "callback", "error", "seed", "upstream"),
    *("run", END),
)
"""All steps, in the order in which a script has them."""
_ALWAYS: Final = ("start", "run", END)
_FIRST: Final = ("start", "bridge", "python")


class Stop(msgspec.Struct, frozen=True, kw_only=True):
    """The step at which a cell stopped, ``end`` where it came to its end.

    ``steps`` are all that the script has.  ``judged`` says that nothing was raised: an oracle
    looked at what came of the step and said no.  ``variant`` is the backend of Keras.
    """

    step: str
    steps: frozenset[str]
    judged: bool = False
    variant: str | None = None


def stop_of(record: CellRecord) -> Stop:
    """Say where the cell stopped; it must have run."""
    culprit = _culprit(record)
    step = _step(record, culprit)
    raised = "traceback" in record.evidence or "hidden" in record.evidence
    return Stop(
        step=step,
        steps=frozenset({*_ALWAYS, *_steps(record, step, culprit)}),
        judged=record.status is Status.FAIL and not raised,
        variant=None if culprit is None else culprit.variant,
    )


def _culprit(record: CellRecord) -> ProbeRecord | None:
    """Return the probe that the record's message is of; of a cell that passes, the first."""
    own = (probe for probe in record.probes if probe.status is record.status)
    named = (probe for probe in record.probes if probe.message == record.message)
    return next(named, None) or next(own, None)


def _step(record: CellRecord, culprit: ProbeRecord | None) -> str:
    if record.status is Status.PASS or record.phase is Phase.TEARDOWN:
        return END
    phase = str(record.phase or Phase.START)
    probe = "init" if culprit is None else culprit.name
    if phase in _FIRST:
        first = "python" if record.axes.get("path") in {"native", "system"} else "bridge"
        return first if phase == "start" else phase
    if probe in {"init", "train"}:
        return phase if phase in CHAIN else END
    return probe


def _steps(record: CellRecord, step: str, culprit: ProbeRecord | None) -> tuple[str, ...]:
    named = bool(record.axes.get("framework"))
    if step in CHAIN:
        return CHAIN[: CHAIN.index(step) + 1]
    if step == END:
        passed = {probe.name for probe in record.probes if probe.status is Status.PASS}
        if not named:
            return (*CHAIN[:2], *(passed & {"call"}))
        return CHAIN if "train" in passed else CHAIN[:5]
    # What is imported may bear on a crash or a hang, and on an error of R or Python it does not.
    alone = record.status is Status.FAIL and step != "seed" and not _is_of_keras(record, culprit)
    return (*CHAIN[:2], *(("import",) if named and not alone else ()), step)


def _is_of_keras(record: CellRecord, culprit: ProbeRecord | None) -> bool:
    framework = record.axes.get("framework") or ""
    return framework.startswith("keras") and culprit is not None and culprit.name == "callback"

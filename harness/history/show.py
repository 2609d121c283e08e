"""What ``harness history`` says: for people, and for programs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from harness.history.model import Key, Step


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What a look at the history came to; ``added`` are readings that were not there before."""

    added: int
    series: int
    readings: int
    watched: int
    """Series with readings enough for a step."""
    steps: tuple[Step, ...]


def as_text(seen: Seen) -> str:
    """Return lines for people: what was added, and each step, the newest first."""
    lines = [
        (
            f"{seen.added} readings added: {seen.readings} in {seen.series} series, "
            f"{seen.watched} of them long enough to have a step"
        )
    ]
    if not seen.steps:
        lines.append("no steps")
    lines.extend(_line(step) for step in newest_first(seen.steps))
    return "\n".join(lines) + "\n"


def as_json(seen: Seen) -> str:
    """Return the same as JSON."""
    document: dict[str, Any] = msgspec.to_builtins(seen)
    document["steps"] = [
        {**msgspec.to_builtins(step), "ratio": step.ratio} for step in newest_first(seen.steps)
    ]
    return msgspec.json.format(msgspec.json.encode(document), indent=1).decode() + "\n"


def newest_first(steps: Sequence[Step]) -> list[Step]:
    """Return the steps in the order in which they are told."""
    return sorted(sorted(steps, key=lambda step: step.key), key=lambda step: step.at, reverse=True)


def _line(step: Step) -> str:
    change = (step.ratio - 1) * 100
    before, after = step.readings
    return (
        f"{step.at[:10]}  {change:+.0f} %  {_name(step.key)}: {_amount(step.key, step.before)} to "
        f"{_amount(step.key, step.after)} ({before} and {after} readings, p {step.p:.1g})"
    )


def _name(key: Key) -> str:
    probe = f"{key.probe} ({key.variant})" if key.variant else key.probe
    return " ".join(part for part in (key.cell, probe, key.stage, key.metric) if part)


def _amount(key: Key, value: float) -> str:
    return f"{value:.0f} MB" if key.metric.endswith("_mb") else f"{value:.3g} s"

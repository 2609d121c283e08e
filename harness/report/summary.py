"""Sentences that several reports have in common."""

from __future__ import annotations

from datetime import UTC, datetime

from harness.model.document import Machine, Results
from harness.report.words import count, megabytes, seconds
from harness.text import one_line


def machine_line(machine: Machine) -> str:
    """Return what a machine is, on one line."""
    words = (
        machine.os,
        machine.arch,
        machine.libc,
        machine.cpu,
        count(machine.cores, "core") if machine.cores else "",
        megabytes(machine.memory_mb) if machine.memory_mb else "",
        ", ".join(machine.gpus) or "no GPU",
        f"driver {machine.driver}" if machine.driver else "",
    )
    return ", ".join(one_line(word) for word in words if word)


def times_line(results: Results) -> str:
    """Return how long the cells took in total, and how much memory the largest needed.

    Provisioning is left out: cells that share an environment each carry its whole time.
    """
    words = [f"cells took {seconds(sum(record.wall_s for record in results.cells))} in total"]
    largest = max(results.cells, key=lambda record: record.max_rss_mb, default=None)
    if largest is not None and largest.max_rss_mb:
        words.append(f"most memory of one {megabytes(largest.max_rss_mb)}")
    return ", ".join(words)


def when_line(results: Results) -> str:
    """Return when the run started and how long after that it ended; empty if unknown."""
    if not results.started_at:
        return ""
    elapsed = _elapsed(results)
    end = "not ended" if elapsed is None else f"ended {seconds(elapsed)} later"
    return f"started {_moment(results.started_at)}, {end}"


def _moment(text: str) -> str:
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo:
            moment = moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return one_line(text)
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def _elapsed(results: Results) -> float | None:
    """Return the seconds from the first start to the last end, or ``None``."""
    try:
        start = datetime.fromisoformat(results.started_at)
        end = datetime.fromisoformat(results.finished_at or "")
        return (end - start).total_seconds()
    except (ValueError, TypeError):  # one with, one without a time zone
        return None

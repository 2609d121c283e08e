"""What the scripts of this folder share: CPU time of a command, and a table with a verdict."""

from __future__ import annotations

import datetime as dt
import json
import os
import statistics
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from tabulate import tabulate

from harness.results.machine import this_machine

RESULTS = Path(__file__).parent / "results"


class Failed(SystemExit):
    """What was to be timed did not run as it should: ends the script, which concludes nothing."""


@dataclass(frozen=True)
class Use:
    """What one command took: seconds, and MB at its peak, its waited-for children included."""

    wall_s: float
    cpu_s: float
    max_rss_mb: float


@dataclass(frozen=True)
class Figure:
    """One line of the table: several readings of one thing, and the most that it may be.

    The verdict is on the median.  ``target`` is ``None`` for what is shown for comparison.
    """

    what: str
    unit: str
    readings: Sequence[float]
    target: float | None = None

    @property
    def median(self) -> float:
        """The median of the readings."""
        return statistics.median(self.readings)

    @property
    def verdict(self) -> str:
        """``met``, ``missed``, or nothing where there is no target."""
        if self.target is None:
            return ""
        return "met" if self.median <= self.target else "missed"


@dataclass(frozen=True)
class Bench:
    """What a script of this folder found."""

    name: str
    question: str
    figures: Sequence[Figure]
    notes: Sequence[str] = field(default_factory=tuple)

    def publish(self, folder: Path = RESULTS) -> int:
        """Print the table, keep it in ``folder``, and return the exit code: 1 for a miss."""
        folder.mkdir(parents=True, exist_ok=True)
        text = self.as_markdown()
        (folder / f"{self.name}.md").write_text(text, encoding="utf-8")
        (folder / f"{self.name}.json").write_text(
            json.dumps(self.as_dict(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
        )
        print(text)
        return int(any(figure.verdict == "missed" for figure in self.figures))

    def as_dict(self) -> dict[str, Any]:
        """Return all readings, for programs."""
        return {
            "bench": self.name,
            "measured_on": _today(),
            "machine": _machine(),
            "figures": [
                {
                    "what": figure.what,
                    "unit": figure.unit,
                    "readings": [round(value, 4) for value in figure.readings],
                    "median": round(figure.median, 4),
                    "target": figure.target,
                    "verdict": figure.verdict or None,
                }
                for figure in self.figures
            ],
        }

    def as_markdown(self) -> str:
        """Return the table, for people."""
        rows = [
            (
                figure.what,
                f"{figure.median:.3g}",
                f"{min(figure.readings):.3g} to {max(figure.readings):.3g}",
                len(figure.readings),
                figure.unit,
                "" if figure.target is None else f"≤ {figure.target:g}",
                figure.verdict,
            )
            for figure in self.figures
        ]
        headers = ["what", "median", "spread", "n", "unit", "target", "verdict"]
        table = tabulate(rows, headers, tablefmt="github", disable_numparse=True)
        notes = "".join(f"- {note}\n" for note in self.notes)
        return (
            f"# {self.question}\n\n{table}\n\n{notes}"
            f"- Measured on {_today()}: {_machine()}. Again: `nox -s bench -- {self.name}`.\n"
        )


def run(
    command: Sequence[str | Path],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    allowed: Sequence[int] = (0,),
    stdout: int | IO[bytes] = subprocess.DEVNULL,
) -> Use:
    """Run a command and say what it took.

    Raises
    ------
    Failed
        It ended with an exit code that is not ``allowed``.
    """
    began = time.perf_counter()
    # Its own wait, not Popen's: wait4 tells what this child alone has used.
    child = subprocess.Popen(command, cwd=cwd, env=env, stdout=stdout, stderr=subprocess.STDOUT)
    try:
        _, status, usage = os.wait4(child.pid, 0)
    except BaseException:
        child.terminate()
        child.wait()
        raise
    wall_s = time.perf_counter() - began
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode not in allowed:
        shown = " ".join(map(str, command))
        raise Failed(f"'{shown}' ended with {child.returncode}; run it by hand to see why")
    return Use(wall_s, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def _today() -> str:
    return dt.datetime.now(tz=dt.UTC).date().isoformat()


def _machine() -> str:
    machine = this_machine()
    return f"{machine.os}, {machine.cpu or machine.arch}, {machine.cores} cores"

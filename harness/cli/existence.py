"""What ``harness plan --resolve`` shows of whether cells can exist."""

from __future__ import annotations

import sys
import time
from collections import defaultdict
from typing import TYPE_CHECKING, Any, Final, Self

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from harness.model.cell import Plan
    from harness.workflow.resolving import Answer, Progress

_HEARTBEAT_S: Final = 30.0
_SHOWN: Final = 3
"""Cells that are named beside the reason that they share; the table has them all."""


class Resolved:
    """The answers for a plan, and what it took to get them."""

    def __init__(self, answers: Mapping[str, Answer], last: Progress) -> None:
        self.answers = answers
        self.last = last

    @property
    def counts(self) -> dict[str, int]:
        """Cells by what is known of them."""
        counts: dict[str, int] = defaultdict(int)
        for answer in self.answers.values():
            counts[answer.status.value] += 1
        return dict(counts)

    def summary(self) -> str:
        """Return ``46 cells: 43 can exist, 3 are unavailable; 19 questions asked in 6.4 s``."""
        counts = self.counts
        able = counts.pop("satisfiable", 0)
        said = [f"{able} can exist"]
        said += [f"{number} {'is' if number == 1 else 'are'} {s}" for s, number in counts.items()]
        cells, asked = len(self.answers), self.last.asked
        return (
            f"{cells} cell{'' if cells == 1 else 's'}: {', '.join(said)}; {asked} "
            f"question{'' if asked == 1 else 's'} asked in {self.last.seconds:.1f} s"
        )

    def reasons(self) -> str:
        """Return each reason once, with the cells that it holds for."""
        cells: dict[tuple[str, str], list[str]] = defaultdict(list)
        for name, answer in self.answers.items():
            if answer.message:
                cells[answer.status.value, answer.message].append(name)
        lines: list[str] = []
        for (status, message), names in cells.items():
            lines.append(f"{status}: {message}")
            more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
            lines.append(f"  {', '.join(names[:_SHOWN])}{more}")
        return "\n".join(lines)

    def as_dict(self) -> dict[str, Any]:
        """Return the summary for programs."""
        return {
            "counts": self.counts,
            "questions": self.last.asked,
            "seconds": round(self.last.seconds, 3),
        }


def ask(plan: Plan) -> Resolved:
    """Ask about every cell of a plan, with progress on standard error."""
    from harness.workflow.resolving import resolve_plan

    with _Shown() as shown:
        answers = resolve_plan(plan, on_progress=shown.show)
    return Resolved(answers, shown.last)


class _Shown:
    """Progress on standard error: one line that changes on a terminal, some lines elsewhere."""

    def __init__(self) -> None:
        from harness.workflow.resolving import Progress

        self.last = Progress(done=0, total=0, asked=0, seconds=0.0)
        self._live = sys.stderr is not None and sys.stderr.isatty()
        self._said = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._live:
            self._write("\r\x1b[K")

    def show(self, progress: Progress) -> None:
        """Show how far it has come."""
        self.last = progress
        said = (
            f"resolving: {progress.done} of {progress.total} cells, {progress.asked} questions, "
            f"{progress.seconds:.0f} s"
        )
        if self._live:
            self._write(f"\r\x1b[K{said}")
        elif time.monotonic() - self._said > _HEARTBEAT_S:
            self._said = time.monotonic()
            self._write(f"{said}\n")

    @staticmethod
    def _write(text: str) -> None:
        try:
            sys.stderr.write(text)
            sys.stderr.flush()
        except (OSError, ValueError):
            return  # a closed standard error ends nothing

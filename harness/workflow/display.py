"""Shows on standard error what a run does: live on a terminal, a line at a time elsewhere.

A display never ends a run: where its stream is closed or cannot be written, it falls silent.
"""

from __future__ import annotations

import io
import os
import sys
import textwrap
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Final, Protocol, Self, TextIO, cast

from harness.model.record import CellRecord
from harness.model.status import Status
from harness.report.words import count, seconds
from harness.text import clean, one_line

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

HEARTBEAT_S: Final = 30.0
"""After so many seconds without a line, a plain display says that the run goes on."""
_REFRESH_HZ: Final = 4  # often enough for whole seconds, and cheap beside the cells
_RUNNING_SHOWN: Final = 12
_REASON_WIDTH: Final = 200

Clock = Callable[[], float]


class Display(Protocol):
    """Takes the events of a run, from any thread; no method raises or waits for long."""

    def started(self, total: int, jobs: int = 1) -> None:
        """``total`` cells are to be run, ``jobs`` of them at a time."""

    def provisioning(self, what: str) -> None:
        """Start to build ``what``: ``R 4.5.0 (debian:trixie)``."""

    def provisioned(self, what: str, took_s: float) -> None:
        """``what`` is there, and took ``took_s`` seconds."""

    def not_provisioned(self, what: str, reason: str) -> None:
        """``what`` cannot be had, for ``reason``, one sentence."""

    def cell_started(self, cell: str) -> None:
        """The cell with the id ``cell`` runs from now on."""

    def cell_phase(self, cell: str, phase: str) -> None:
        """A running cell got to ``phase``."""

    def cell_finished(self, record: CellRecord) -> None:
        """A cell came to its end, whether it had been started or not."""

    def trying(self, what: str) -> None:
        """Try a remedy: ``numpy1 for <cell id>``."""

    def tried(self, what: str) -> None:
        """A remedy has been tried; what came of it says a note."""

    def note(self, text: str) -> None:
        """Say ``text``, one line."""

    def finished(self) -> None:
        """Leave the terminal as it was; what comes later is ignored.  May be called twice."""


def make_display(
    stream: TextIO | None = None,
    *,
    quiet: bool = False,
    environ: Mapping[str, str] | None = None,
) -> Display:
    """Return the display that suits ``stream``, by default standard error.

    ``quiet`` shows nothing.  A terminal gets the live display, unless ``TERM`` is ``dumb``;
    ``NO_COLOR`` in ``environ`` takes the colour from it.
    """
    stream = stream or sys.stderr
    environ = os.environ if environ is None else environ
    if quiet or stream is None:  # started without a standard error
        return QuietDisplay()
    if _SafeStream(stream).isatty() and environ.get("TERM") != "dumb":
        return LiveDisplay(stream, color=not environ.get("NO_COLOR"))
    return PlainDisplay(stream)


class QuietDisplay:
    """Shows nothing."""

    def started(self, total: int, jobs: int = 1) -> None:
        """Show nothing."""

    def provisioning(self, what: str) -> None:
        """Show nothing."""

    def provisioned(self, what: str, took_s: float) -> None:
        """Show nothing."""

    def not_provisioned(self, what: str, reason: str) -> None:
        """Show nothing."""

    def cell_started(self, cell: str) -> None:
        """Show nothing."""

    def cell_phase(self, cell: str, phase: str) -> None:
        """Show nothing."""

    def cell_finished(self, record: CellRecord) -> None:
        """Show nothing."""

    def trying(self, what: str) -> None:
        """Show nothing."""

    def tried(self, what: str) -> None:
        """Show nothing."""

    def note(self, text: str) -> None:
        """Show nothing."""

    def finished(self) -> None:
        """Show nothing."""


class Progress:
    """What is known of a run at a moment: the state behind every display.

    ``clock`` returns seconds that only grow.  Not thread-safe by itself.
    """

    def __init__(self, clock: Clock = time.monotonic) -> None:
        self.clock = clock
        self.total = 0
        self.jobs = 1
        self.done = 0
        self.counts: Counter[Status] = Counter()
        self.began = clock()
        self.running: dict[str, tuple[str, float]] = {}
        """Phase and start of each running cell, in the order in which they started."""
        self.building: dict[str, float] = {}
        """Start of each thing that is being provisioned."""
        self.trying: dict[str, float] = {}
        """Start of each remedy that is being tried."""
        self._spans: dict[str, float] = {}

    def start(self, total: int, jobs: int) -> None:
        """Take the number of cells and of those that run at a time."""
        self.total, self.jobs, self.began = total, max(jobs, 1), self.clock()

    def cell_started(self, cell: str) -> None:
        """Count ``cell`` as running."""
        self.running[cell] = ("start", self.clock())

    def cell_phase(self, cell: str, phase: str) -> None:
        """Note how far a running cell got."""
        if cell in self.running:
            self.running[cell] = (phase, self.running[cell][1])

    def cell_finished(self, record: CellRecord) -> float:
        """Count a cell as done; return the seconds it took, by the clock where it was started."""
        _, start = self.running.pop(record.id, ("", None))
        took = record.wall_s if start is None else self.clock() - start
        self.done += 1
        self.counts[record.status] += 1
        if start is not None:
            self._spans[record.id] = took
        return took

    @property
    def elapsed_s(self) -> float:
        """Seconds since the run started."""
        return self.clock() - self.began

    def left_s(self) -> float | None:
        """Return about how many seconds are left; ``None`` where nothing is known of that.

        The mean of the cells so far times those to come, less what the running ones have
        behind them, shared among the jobs.
        """
        if not self._spans or self.done >= self.total:
            return None
        mean = sum(self._spans.values()) / len(self._spans)
        now = self.clock()
        behind = sum(min(now - start, mean) for _, start in self.running.values())
        to_come = self.total - self.done
        left = (mean * to_come - behind) / min(self.jobs, to_come)
        # Those that run take longer than those before them: nobody knows how much.
        return left if left >= 1 else None

    def tally(self) -> str:
        """Return ``[12/30] ✓ 10 pass, ✗ 2 fail``; ``preparing`` before the cells are known."""
        if not self.total:
            return "trying remedies" if self.trying else "preparing"
        counts = [f"{s.symbol} {self.counts[s]} {s.value}" for s in Status if self.counts[s]]
        return " ".join([f"[{self.done}/{self.total}]", ", ".join(counts)]).strip()

    def times(self) -> str:
        """Return ``3 min 10 s, about 4 min 0 s left``."""
        left = self.left_s()
        return seconds(self.elapsed_s) + ("" if left is None else f", about {seconds(left)} left")


class _Shared:
    """What the displays have in common: state, locks, and the lines they both print."""

    def __init__(self, stream: _SafeStream, clock: Clock) -> None:
        self._stream = stream
        self._turn = threading.RLock()
        """Held while an event is taken and its line printed, so that lines keep their order."""
        self._state = threading.RLock()
        """Held while the state changes or is drawn, and never while something is printed:
        Rich draws with a lock of its own held, which printing takes, too."""
        self._progress = Progress(clock)
        self._over = False

    def started(self, total: int, jobs: int = 1) -> None:
        """Show that ``total`` cells are to be run."""
        with self._turn:
            with self._state:
                self._progress.start(total, jobs)
            self._changed()

    def provisioning(self, what: str) -> None:
        """Show that ``what`` is being built."""
        with self._turn:
            with self._state:
                self._progress.building[what] = self._progress.clock()
            self._changed()

    def provisioned(self, what: str, took_s: float) -> None:
        """Show that ``what`` is there."""
        with self._turn:
            with self._state:
                self._progress.building.pop(what, None)
            self._say(f"provisioned {what} in {seconds(took_s)}")

    def not_provisioned(self, what: str, reason: str) -> None:
        """Show that ``what`` cannot be had, and why."""
        with self._turn:
            with self._state:
                self._progress.building.pop(what, None)
            self._say(f"not provisioned: {what}: {reason}")

    def cell_started(self, cell: str) -> None:
        """Show that ``cell`` runs."""
        with self._turn:
            with self._state:
                self._progress.cell_started(cell)
            self._changed()

    def cell_phase(self, cell: str, phase: str) -> None:
        """Show how far ``cell`` got."""
        with self._state:
            self._progress.cell_phase(cell, phase)

    def cell_finished(self, record: CellRecord) -> None:
        """Say how a cell ended, and why where it is a problem."""
        with self._turn:
            with self._state:
                took = self._progress.cell_finished(record)
                total, done = self._progress.total, self._progress.done
            at = f" at {record.phase.value}" if record.phase and record.status.is_problem else ""
            status = f"{record.status.symbol} {record.status.value}{at}"
            place = f"[{done:>{len(str(total))}}/{total}]"
            self._say(f"{place} {status}  {record.id}  {seconds(took)}", record.status)
            if record.status.is_problem and record.message:
                self._say(f"{'':{len(place)}} {textwrap.shorten(record.message, _REASON_WIDTH)}")

    def trying(self, what: str) -> None:
        """Show that a remedy is being tried."""
        with self._turn:
            with self._state:
                self._progress.trying[what] = self._progress.clock()
            self._changed()

    def tried(self, what: str) -> None:
        """Show no longer that a remedy is being tried."""
        with self._turn:
            with self._state:
                self._progress.trying.pop(what, None)
            self._changed()

    def note(self, text: str) -> None:
        """Say ``text``."""
        with self._turn:
            self._say(text)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.finished()

    def finished(self) -> None:
        raise NotImplementedError

    def _changed(self) -> None:
        """Take note that there is something new to show."""

    def _say(self, line: str, status: Status | None = None) -> None:
        raise NotImplementedError


class PlainDisplay(_Shared):
    """A line for each thing that happens, and one when nothing has for a while.

    For logs of CI jobs and files: no colour, no cursor movement.
    """

    def __init__(
        self,
        stream: TextIO,
        *,
        clock: Clock = time.monotonic,
        heartbeat_s: float = HEARTBEAT_S,
    ) -> None:
        super().__init__(_SafeStream(stream), clock)
        self._heartbeat_s = heartbeat_s
        self._last = clock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def started(self, total: int, jobs: int = 1) -> None:
        """Say how many cells are to be run."""
        with self._turn:
            super().started(total, jobs)
            much = f"{count(total, 'cell')} to run, {max(jobs, 1)} at a time"
            self._say(much if total else "nothing to run")

    def provisioning(self, what: str) -> None:
        """Say that ``what`` is being built."""
        with self._turn:
            super().provisioning(what)
            self._say(f"provisioning {what}")

    def finished(self) -> None:
        """End the heartbeat."""
        with self._turn:
            self._over = True
            self._stop.set()
            thread = self._thread
        if thread is not None and thread.ident not in {None, threading.get_ident()}:
            thread.join(1.0)

    def beat(self) -> None:
        """Say that the run goes on, if no line was printed for a heartbeat's time."""
        with self._turn:
            if self._progress.clock() - self._last >= self._heartbeat_s:
                with self._state:
                    line = self._state_of_things()
                self._say(line)

    def _state_of_things(self) -> str:
        progress, now = self._progress, self._progress.clock()
        words = [f"... {progress.tally()}", progress.times()]
        words.extend(
            f"building {what} for {seconds(now - start)}"
            for what, start in progress.building.items()
        )
        words.extend(
            f"trying {what} for {seconds(now - start)}" for what, start in progress.trying.items()
        )
        if progress.running:
            cell, (phase, start) = next(iter(progress.running.items()))
            others = len(progress.running) - 1
            more = f" and {others} more" if others else ""
            words.append(f"{cell} at {phase} for {seconds(now - start)}{more}")
        return "; ".join(words)

    def _say(self, line: str, status: Status | None = None) -> None:  # noqa: ARG002
        if self._over:
            return
        self._last = self._progress.clock()
        self._stream.write(_tidy(line) + "\n")
        self._stream.flush()
        if self._thread is None:  # the first line: from here on, silence needs an explanation
            self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)
            with suppress(RuntimeError):  # no more threads: then without
                self._thread.start()

    def _beat(self) -> None:
        # Looks oftener than it speaks, so that a line in between puts the next one off.
        while not self._stop.wait(self._heartbeat_s / 10):
            self.beat()


class LiveDisplay(_Shared):
    """What runs now, how far, and how long it will take, below a line for each finished cell."""

    def __init__(
        self,
        stream: TextIO,
        *,
        color: bool = True,
        clock: Clock = time.monotonic,
        width: int | None = None,
    ) -> None:
        # Rich is for this display alone; `harness --help` must not wait for it.
        from rich.console import Console
        from rich.live import Live

        safe = _SafeStream(stream)
        super().__init__(safe, clock)
        self._console: Console = Console(
            file=cast("TextIO", safe),
            no_color=not color,
            highlight=False,
            width=width,
            force_terminal=True,
        )
        self._live = Live(
            console=self._console,
            get_renderable=self.render,
            refresh_per_second=_REFRESH_HZ,
            transient=True,
            # What the run itself prints goes to standard output, after the display has ended.
            redirect_stdout=False,
            redirect_stderr=False,
        )

    def finished(self) -> None:
        """Take the live part away and show the cursor again."""
        with self._turn:
            if self._over:
                return
            self._over = True
        if self._live.is_started:
            with suppress(Exception):
                self._live.stop()

    def render(self) -> RenderableType:
        """Return the live part: one line in all, one a running cell or build."""
        from rich.table import Table
        from rich.text import Text

        with self._state:
            progress = self._progress
            now = progress.clock()
            rows = [
                ("building", what, seconds(now - start))
                for what, start in progress.building.items()
            ]
            rows.extend(
                ("trying", what, seconds(now - start)) for what, start in progress.trying.items()
            )
            rows.extend(
                (phase, cell, seconds(now - start))
                for cell, (phase, start) in progress.running.items()
            )
            head = Text(f"{progress.tally()}  {progress.times()}", style="bold", no_wrap=True)
        table = Table.grid(padding=(0, 2))
        table.add_column(style="cyan", no_wrap=True)
        table.add_column(overflow="ellipsis", no_wrap=True)
        table.add_column(justify="right", no_wrap=True)
        for row in rows[:_RUNNING_SHOWN]:
            table.add_row(*(Text(one_line(part)) for part in row))
        if len(rows) > _RUNNING_SHOWN:
            table.add_row(Text(""), Text(f"and {len(rows) - _RUNNING_SHOWN} more"), Text(""))
        whole = Table.grid()
        whole.add_row(head)
        whole.add_row(table)
        return whole

    def _changed(self) -> None:
        if not self._over and not self._live.is_started:
            with suppress(Exception):  # a terminal that Rich cannot drive is no reason to stop
                self._live.start()

    def _say(self, line: str, status: Status | None = None) -> None:
        from rich.text import Text

        if self._over:
            return
        self._changed()
        with suppress(Exception):
            self._console.print(Text(_tidy(line), style=_style(status)), soft_wrap=True)


def _style(status: Status | None) -> str:
    if status is None:
        return "dim"
    if status is Status.PASS:
        return "green"
    return "red" if status.is_problem else "yellow"


class _SafeStream:
    """A text stream that loses what it cannot write instead of raising.

    Standard error may be closed, a broken pipe, a full disk, or of an encoding that lacks
    the symbols; none of it may end a run.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._dead = False

    @property
    def encoding(self) -> str:
        return getattr(self._stream, "encoding", None) or "utf-8"

    def isatty(self) -> bool:
        try:
            return self._stream.isatty()
        except (OSError, ValueError, AttributeError):
            return False

    def fileno(self) -> int:
        return self._stream.fileno()

    def write(self, text: str) -> int:
        if not self._dead:
            try:
                self._stream.write(self._writable(text))
            except (OSError, ValueError, AttributeError):
                self._lose()
        return len(text)

    def flush(self) -> None:
        if not self._dead:
            try:
                self._stream.flush()
            except (OSError, ValueError, AttributeError):
                self._lose()

    def _lose(self) -> None:
        self._dead = True
        if self._stream is sys.stderr:
            # What is left in its buffer cannot be written at the end of the process either,
            # and Python would then end with 120, whatever became of the run.
            sys.stderr = io.StringIO()

    def _writable(self, text: str) -> str:
        try:
            text.encode(self.encoding)
        except (UnicodeEncodeError, LookupError):
            return text.encode("ascii", "replace").decode("ascii")
        return text


def _tidy(line: str) -> str:
    """Return ``line`` without what would steer the terminal; its spaces are kept."""
    return clean(line).replace("\n", " ").rstrip()

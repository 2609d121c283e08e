from __future__ import annotations

import io
import os
import re
import subprocess
import sys
import threading
import time

import pytest

from harness.model.record import CellRecord
from harness.model.status import Phase, Status
from harness.workflow.display import (
    LiveDisplay,
    PlainDisplay,
    Progress,
    QuietDisplay,
    make_display,
)

ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class BrokenPipe(io.StringIO):
    def __init__(self, *, tty: bool) -> None:
        super().__init__()
        self._tty = tty

    def isatty(self) -> bool:
        return self._tty

    def write(self, text: str) -> int:
        raise BrokenPipeError(32, "Broken pipe")

    def flush(self) -> None:
        raise BrokenPipeError(32, "Broken pipe")


def record(cell: str, status: str = "pass", **changes: object) -> CellRecord:
    return CellRecord(id=cell, axes={}, status=Status(status), **changes)


def whole_run(display, clock: Clock | None = None) -> None:
    display.provisioning("R 4.5.0 (debian:trixie)")
    display.provisioned("R 4.5.0 (debian:trixie)", 47.2)
    display.provisioning("R 3.6.0")
    display.not_provisioned("R 3.6.0", "No suite carries it.")
    display.started(12, jobs=2)
    display.cell_started("native__py3.12__cpu")
    display.cell_phase("native__py3.12__cpu", "import")
    if clock:
        clock.now += 14.2
    display.cell_finished(record("native__py3.12__cpu"))
    display.cell_finished(
        record("b", "crash", phase=Phase.TEARDOWN, message="Segmentation fault.", wall_s=3.0)
    )
    display.cell_finished(record("c", "unsatisfiable", phase=Phase.RESOLVE))
    display.note("results in .harness/results/smoke")
    display.finished()
    display.finished()
    display.note("too late")


def test_plain_lines():
    stream, clock = io.StringIO(), Clock()
    display = PlainDisplay(stream, clock=clock)
    whole_run(display, clock)
    assert display._progress.building == {}
    assert stream.getvalue().splitlines() == [
        "provisioning R 4.5.0 (debian:trixie)",
        "provisioned R 4.5.0 (debian:trixie) in 47.2 s",
        "provisioning R 3.6.0",
        "not provisioned: R 3.6.0: No suite carries it.",
        "12 cells to run, 2 at a time",
        "[ 1/12] ✓ pass  native__py3.12__cpu  14.2 s",
        "[ 2/12] ! crash at teardown  b  3.0 s",
        "        Segmentation fault.",
        "[ 3/12] ∅ unsatisfiable  c  0.0 ms",
        "results in .harness/results/smoke",
    ]


def test_silence_is_explained_after_a_while():
    stream, clock = io.StringIO(), Clock()
    with PlainDisplay(stream, clock=clock, heartbeat_s=30) as display:
        display.started(3, jobs=2)
        display.cell_started("a")
        display.cell_phase("a", "import")
        display.cell_started("b")
        clock.now = 29
        display.beat()
        assert len(stream.getvalue().splitlines()) == 1
        clock.now = 31
        display.beat()
        clock.now = 40
        display.beat()
    (_, line) = stream.getvalue().splitlines()
    assert line == "... [0/3]; 31.0 s; a at import for 31.0 s and 1 more"


def test_building_is_told_in_silence():
    stream, clock = io.StringIO(), Clock()
    with PlainDisplay(stream, clock=clock) as display:
        display.provisioning("torch")
        clock.now = 45
        display.beat()
    line = stream.getvalue().splitlines()[-1]
    assert line == "... preparing; 45.0 s; building torch for 45.0 s"


def test_the_heart_beats_by_itself_and_stops():
    stream = io.StringIO()
    display = PlainDisplay(stream, heartbeat_s=0.05)
    display.started(1)
    deadline = time.monotonic() + 10
    while "..." not in stream.getvalue() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert "... [0/1]" in stream.getvalue()
    display.finished()
    assert "heartbeat" not in {thread.name for thread in threading.enumerate()}


def test_a_cell_cannot_steer_the_log():
    stream = io.StringIO()
    with PlainDisplay(stream) as display:
        display.started(1)
        display.cell_finished(record("a", "fail", message="\x1b[2Jred\n::error::forged"))
    lines = stream.getvalue().splitlines()
    assert len(lines) == 3
    assert lines[-1] == "      red ::error::forged"


def test_live_lines_stay_and_the_live_part_goes():
    stream, clock = Terminal(), Clock()
    whole_run(LiveDisplay(stream, clock=clock, width=100), clock)
    shown = stream.getvalue()
    plain = ANSI.sub("", shown)
    assert "✓ pass  native__py3.12__cpu  14.2 s" in plain
    assert "Segmentation fault." in plain
    assert "too late" not in plain
    assert shown.rindex("\x1b[?25h") > shown.rindex("\x1b[?25l")  # the cursor is back


def test_the_live_part_tells_what_runs_and_how_long_it_will_take():
    clock = Clock()
    display = LiveDisplay(Terminal(), clock=clock, width=100)
    display.started(5, jobs=2)
    display.provisioning("R 4.5.0")
    display.cell_started("a")
    clock.now = 10
    display.cell_finished(record("a"))
    display.cell_started("b")
    display.cell_phase("b", "train")
    clock.now = 14
    console = display._console
    with console.capture() as capture:
        console.print(display.render())
    display.finished()
    text = ANSI.sub("", capture.get())
    assert "[1/5] ✓ 1 pass  14.0 s, about 18.0 s left" in text
    assert re.search(r"building +R 4\.5\.0 +14\.0 s", text)
    assert re.search(r"train +b +4\.0 s", text)


def test_more_cells_than_fit_are_counted():
    display = LiveDisplay(Terminal(), width=100)
    display.started(40, jobs=40)
    for number in range(40):
        display.cell_started(f"cell-{number}")
    with display._console.capture() as capture:
        display._console.print(display.render())
    display.finished()
    assert "and 28 more" in capture.get()


def test_no_color_takes_the_colour_alone():
    stream = Terminal()
    display = make_display(stream, environ={"NO_COLOR": "1"})
    assert isinstance(display, LiveDisplay)
    whole_run(display)
    assert not re.search(r"\x1b\[3[0-7]", stream.getvalue())
    assert "✓ pass" in stream.getvalue()


@pytest.mark.parametrize(
    ("stream", "environ", "quiet", "kind"),
    [
        (Terminal(), {}, False, LiveDisplay),
        (Terminal(), {"TERM": "dumb"}, False, PlainDisplay),
        (io.StringIO(), {}, False, PlainDisplay),
        (Terminal(), {}, True, QuietDisplay),
    ],
)
def test_the_display_suits_the_stream(stream, environ, quiet, kind):
    display = make_display(stream, quiet=quiet, environ=environ)
    assert isinstance(display, kind)
    display.finished()


def test_quiet_is_quiet(capfd):
    whole_run(make_display(quiet=True))
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("tty", [True, False])
def test_a_broken_pipe_ends_no_run(tty):
    whole_run(make_display(BrokenPipe(tty=tty), environ={}))


@pytest.mark.parametrize("tty", [True, False])
def test_a_closed_stream_ends_no_run(tty):
    stream = Terminal() if tty else io.StringIO()
    display = make_display(stream, environ={})
    display.started(1)
    stream.close()
    whole_run(display)


def test_no_standard_error_at_all(monkeypatch):
    monkeypatch.setattr(sys, "stderr", None)
    whole_run(make_display(environ={}))


def test_a_stream_that_lacks_the_symbols():
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    whole_run(PlainDisplay(stream))
    assert b"? pass  native__py3.12__cpu" in raw.getvalue()


@pytest.mark.parametrize("kind", [LiveDisplay, PlainDisplay])
def test_threads_may_report_at_once(kind):
    stream = Terminal()
    display = kind(stream)
    display.started(200, jobs=8)

    def work(worker: int) -> None:
        for number in range(25):
            cell = f"cell-{worker}-{number}"
            display.cell_started(cell)
            display.cell_phase(cell, "import")
            display.cell_finished(record(cell))

    threads = [threading.Thread(target=work, args=(worker,)) for worker in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert not any(thread.is_alive() for thread in threads)
    display.finished()
    places = [
        int(n) for n in re.findall(r"\[ *(\d+)/200\] ✓ pass", ANSI.sub("", stream.getvalue()))
    ]
    assert places == list(range(1, 201))


def test_time_left_is_unknown_until_a_cell_has_run():
    clock = Clock()
    progress = Progress(clock)
    progress.start(4, jobs=2)
    assert progress.left_s() is None
    progress.cell_finished(record("never-ran", "unsatisfiable"))
    assert progress.left_s() is None
    progress.cell_started("a")
    clock.now = 8
    progress.cell_finished(record("a"))
    assert progress.left_s() == 8.0  # two more at 8 s, two at a time
    progress.cell_started("b")
    clock.now = 100  # far beyond the mean: it may end at any moment
    assert progress.left_s() == 4.0


def test_a_terminal_that_goes_away_leaves_no_traceback():
    code = (
        "import os, sys; from harness.workflow.display import make_display\n"
        "d = make_display(); d.started(2); d.note('x'); os.close(2); d.note('y')\n"
        "d.finished(); os.write(1, b'done')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, check=False, env={**os.environ}
    )
    assert (done.returncode, done.stdout) == (0, b"done")
    assert b"Traceback" not in done.stderr


def test_rich_is_not_needed_to_begin_with():
    code = "import sys, harness.workflow.display; sys.exit('rich' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_remedy_is_shown_for_as_long_as_it_is_tried() -> None:
    clock, stream = Clock(), io.StringIO()
    display = PlainDisplay(stream, clock=clock, heartbeat_s=10)
    display.trying("numpy1 for a")
    clock.now += 11
    display.beat()
    assert "trying remedies" in stream.getvalue()
    assert "trying numpy1 for a for 11.0 s" in stream.getvalue()
    display.tried("numpy1 for a")
    clock.now += 11
    display.beat()
    assert "numpy1" not in stream.getvalue().splitlines()[-1]
    display.finished()
    live = LiveDisplay(Terminal(), clock=clock, width=80)
    live.trying("numpy1 for a")
    with live._console.capture() as capture:
        live._console.print(live.render())
    live.finished()
    assert "numpy1 for a" in capture.get()

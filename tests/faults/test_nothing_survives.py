"""No process of a cell outlives it, whoever is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.errors import MachineFault
from harness.execute.bubblewrap import BubblewrapEnclosure
from harness.execute.sandbox import run
from harness.model.job import End

from .conftest import PYTHON, Cell, wait_for

pytestmark = pytest.mark.faults

DAEMON = (
    "import os, signal, sys, time\n"
    "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    "signal.signal(signal.SIGHUP, signal.SIG_IGN)\n"
    "if os.fork(): os._exit(0)\n"
    "os.setsid()\n"
    "if os.fork(): os._exit(0)\n"
    "time.sleep(300)"
)
"""Does all that a process can do to get away, and holds the cell's output open."""

CALLER = """
import sys
from pathlib import Path
from harness.execute.isolation import Isolation, detect
from harness.execute.sandbox import run
from harness.model.cell import Limits
from harness.model.job import Bind, Job

folder, held, *argv = sys.argv[1:]
folder = Path(folder)
job = Job(
    argv=tuple(argv), env={"PATH": "/usr/bin:/bin"}, cwd=folder, root=None,
    binds=(Bind(folder, writable=True),), events=folder / "events", stdout=folder / "stdout",
    stderr=folder / "stderr", limits=Limits(phase_s=60),
)
run(job, isolation=detect() if held == "bubblewrap" else Isolation(None, "forced"))
"""

BLIND_SUPERVISOR = """
import ctypes, subprocess, sys
from harness.execute import supervisor

ctypes.CDLL(None).prctl(supervisor._PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
subprocess.run(sys.argv[1:], check=True)
look, looks = supervisor._descendants, []
supervisor._descendants = lambda: looks.append(1) or (look() if len(looks) > 3 else [])
supervisor._give_time()
print(supervisor._alone(), supervisor._end_all(), supervisor._alone())
"""
"""A supervisor whose first three looks at the processes below it miss one."""

Marker = Callable[[], list[int]]


def daemon(marker: Marker) -> tuple[str, ...]:
    return (PYTHON, "-I", "-c", DAEMON, marker.word)  # type: ignore[attr-defined]


def quoted(argv: tuple[str, ...]) -> str:
    return " ".join("'" + word.replace("'", "'\\''") + "'" for word in argv)


def test_grandchild_that_stays(cell: Cell, marker: Marker) -> None:
    outcome = cell.sh(f"{quoted(daemon(marker))}; sleep 0.2; echo said; exit 5")
    assert marker() == []
    assert (outcome.end, outcome.exit_code) == (End.EXITED, 5)
    assert outcome.leftovers == 1
    assert outcome.wall_s < 5
    assert cell.stdout == "said\n"


def test_grandchild_of_a_short_command(cell: Cell, marker: Marker) -> None:
    outcome = cell.run(*daemon(marker))
    assert marker() == []
    assert (outcome.exit_code, outcome.leftovers) == (0, 1)


def test_grandchild_that_the_first_looks_miss(
    apart: Cell, marker: Marker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As one does that is born, while the list is read, to a process that ends just then."""
    look, missed = BubblewrapEnclosure.members, []

    def members(self: BubblewrapEnclosure) -> list[int]:
        if self.ended() and len(missed) < 3:
            missed.append(look(self))
            return []
        return look(self)

    monkeypatch.setattr(BubblewrapEnclosure, "members", members)
    outcome = apart.run(*daemon(marker))
    assert len(missed) == 3
    assert (outcome.exit_code, outcome.leftovers) == (0, 1)
    assert marker() == []


def test_grandchild_that_the_supervisor_misses_at_first(marker: Marker) -> None:
    said = subprocess.run(
        [sys.executable, "-c", BLIND_SUPERVISOR, *daemon(marker)],
        check=True, capture_output=True, text=True, timeout=30,
    )  # fmt: skip
    assert said.stdout.split() == ["False", "1", "True"]
    assert marker() == []


def test_grandchild_that_leaves_by_itself_is_not_counted(cell: Cell) -> None:
    # It runs before the command ends, and sees that: nobody else can write to it.
    script = "mkfifo pipe; read _ < pipe & exec 3> pipe; exit 0"
    assert cell.sh(script).leftovers == 0


def test_grandchild_of_a_cell_over_its_time(cell: Cell, marker: Marker) -> None:
    outcome = cell.sh(f"{quoted(daemon(marker))}; sleep 60", limits={"phase_s": 0.6})
    assert outcome.end is End.TIMEOUT
    assert marker() == []


def test_grandchild_of_a_crash(cell: Cell, marker: Marker) -> None:
    outcome = cell.sh(f"{quoted(daemon(marker))}; sleep 0.2; kill -SEGV $$")
    assert (outcome.signal, outcome.leftovers) == ("SIGSEGV", 1)
    assert marker() == []


def test_grandchild_of_a_cell_without_disk(cell: Cell, marker: Marker) -> None:
    script = f"{quoted(daemon(marker))}; sleep 0.2; echo text; sleep 60"
    with pytest.raises(MachineFault):
        run(cell.job("sh", "-c", script, stdout=Path("/dev/full")), isolation=cell.isolation)
    assert marker() == []


def test_many_processes(cell: Cell, marker: Marker) -> None:
    word = marker.word  # type: ignore[attr-defined]
    script = f"for i in 1 2 3 4 5 6 7 8 9 10; do setsid sh -c 'sleep 60; : {word}' & done; exit 0"
    outcome = cell.sh(script)
    assert outcome.leftovers >= 10
    assert marker() == []


def test_harness_is_killed(cell: Cell, marker: Marker) -> None:
    held = "bubblewrap" if cell.isolation.bubblewrap else "supervisor"
    script = f"echo begun; {quoted(daemon(marker))}; sleep 60"
    caller = subprocess.Popen(
        [sys.executable, "-c", CALLER, str(cell.folder), held, "sh", "-c", script]
    )
    try:
        assert wait_for(lambda: any(_is_daemon(pid) for pid in marker()))
        caller.send_signal(signal.SIGKILL)
        caller.wait()
        assert wait_for(lambda: not marker(), 5.0)
    finally:
        caller.kill()
        caller.wait()
    assert cell.stdout == "begun\n", "what was there by then is kept"


def test_supervisor_is_killed(cell: Cell, marker: Marker) -> None:
    if cell.isolation.bubblewrap:
        pytest.skip("bubblewrap's own monitor is covered by the kernel")
    script = f"{quoted(daemon(marker))}; sleep 0.6; kill -9 $PPID; sleep 60"
    outcome = cell.sh(script)
    assert outcome.signal == "SIGKILL"
    assert wait_for(lambda: not marker(), 5.0)


def _is_daemon(pid: int) -> bool:
    try:
        return os.getsid(pid) != pid and Path(f"/proc/{pid}/comm").read_text() == "python3\n"
    except OSError:
        return False

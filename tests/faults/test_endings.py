"""How a command's end is told: exit codes, signals, silence, and no start at all."""

from __future__ import annotations

import os
import select
import signal

import pytest

from harness.execute.bubblewrap import BubblewrapEnclosure
from harness.model.job import End
from harness.model.status import Phase, Status

from .conftest import PYTHON, Cell

pytestmark = pytest.mark.faults


def test_whole_run_passes(cell: Cell) -> None:
    outcome = cell.sh(cell.events("start", "import", probes=("init",), done=True))
    assert outcome.end is End.EXITED
    assert outcome.exit_code == 0
    assert outcome.phase == "teardown"
    assert outcome.leftovers == 0
    assert cell.verdict(outcome) == (Status.PASS, None, None)


def test_segfault(cell: Cell) -> None:
    program = "import ctypes, faulthandler; faulthandler.enable(); ctypes.string_at(0)"
    outcome = cell.sh(cell.events("import") + f"exec {PYTHON} -I -c '{program}'")
    assert outcome.end is End.SIGNALLED
    assert outcome.signal == "SIGSEGV"
    assert outcome.exit_code is None
    status, phase, message = cell.verdict(outcome)
    assert (status, phase) == (Status.CRASH, Phase.IMPORT)
    assert message is not None
    assert message.startswith("SIGSEGV in phase import")


def test_abort(cell: Cell) -> None:
    outcome = cell.python("import os; os.abort()")
    assert outcome.signal == "SIGABRT"
    assert cell.verdict(outcome)[:2] == (Status.CRASH, Phase.START)


def test_signal_of_a_shell_s_child(cell: Cell) -> None:
    outcome = cell.sh("sh -c 'kill -ILL $$'; exit $?")
    assert outcome.signal == "SIGILL"


def test_exit_code_that_is_no_signal(cell: Cell) -> None:
    outcome = cell.sh("exit 255")
    assert (outcome.end, outcome.exit_code, outcome.signal) == (End.EXITED, 255, None)


def test_silent_exit(cell: Cell) -> None:
    outcome = cell.sh(cell.events("start", "import"))
    assert cell.verdict(outcome) == (
        Status.FAIL,
        Phase.IMPORT,
        "ended with exit status 0 and no result (silent exit) in phase import",
    )


def test_exit_3(cell: Cell) -> None:
    outcome = cell.sh(cell.events("bridge") + "exit 3")
    assert outcome.exit_code == 3
    assert cell.verdict(outcome) == (Status.FAIL, Phase.BRIDGE, "exit status 3 in phase bridge")


def test_crash_after_all_passed(cell: Cell) -> None:
    outcome = cell.sh(cell.events("op", probes=("init", "train"), done=True) + "kill -ABRT $$")
    assert cell.verdict(outcome) == (
        Status.CRASH,
        Phase.TEARDOWN,
        "all probes passed, then SIGABRT while ending",
    )


def test_command_that_does_not_exist(cell: Cell) -> None:
    outcome = cell.run("no-such-command")
    assert outcome.end is End.NOT_STARTED
    assert outcome.message == "cannot start no-such-command: No such file or directory"
    assert cell.verdict(outcome)[:2] == (Status.FAIL, Phase.START)


def test_command_that_only_looks_as_if_it_did_not_exist(cell: Cell) -> None:
    outcome = cell.sh("echo 'bwrap: execvp sh: No such file or directory' >&2; exit 1")
    assert (outcome.end, outcome.exit_code) == (End.EXITED, 1)


def test_what_holds_the_cell_is_killed_before_the_command_begins(
    apart: Cell, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill = BubblewrapEnclosure._fill

    def killed(enclosure: BubblewrapEnclosure) -> None:
        assert enclosure._first is not None
        os.kill(enclosure._first, signal.SIGKILL)
        fill(enclosure)

    monkeypatch.setattr(BubblewrapEnclosure, "_fill", killed)
    outcome = apart.sh("sleep 60")
    assert (outcome.end, outcome.signal) == (End.SIGNALLED, "SIGKILL")
    assert apart.verdict(outcome)[:2] == (Status.CRASH, Phase.START)


def test_what_holds_the_cell_is_killed_before_it_says_a_word(
    apart: Cell, monkeypatch: pytest.MonkeyPatch
) -> None:
    let_go = BubblewrapEnclosure._let_go

    def killed(enclosure: BubblewrapEnclosure) -> None:
        enclosure.process.kill()
        os.waitid(os.P_PID, enclosure.process.pid, os.WEXITED | os.WNOWAIT)
        while select.select([enclosure._status], [], [], 0)[0]:
            os.read(enclosure._status, 4096)
        let_go(enclosure)

    monkeypatch.setattr(BubblewrapEnclosure, "_let_go", killed)
    outcome = apart.sh("sleep 60")
    assert (outcome.end, outcome.signal) == (End.SIGNALLED, "SIGKILL")


def test_working_folder_that_does_not_exist(cell: Cell) -> None:
    outcome = cell.sh("true", cwd=cell.folder / "none")
    assert outcome.end is End.NOT_STARTED
    assert "No such file or directory" in (outcome.message or "")


def test_says_when_there_are_no_namespaces(cell: Cell) -> None:
    message = cell.sh("true").message
    expected = None if cell.isolation.bubblewrap else "ran without namespaces: forced by the test"
    assert message == expected

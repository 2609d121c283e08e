"""Time, memory, output and disk that run out."""

from __future__ import annotations

import resource
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.errors import MachineFault
from harness.execute.sandbox import run
from harness.model.job import End
from harness.model.status import Phase, Status

from .conftest import Cell

pytestmark = pytest.mark.faults

MB = 2**20
SOON_S = 15
"""Less than any of the commands would take, and enough for a busy machine to start a cell.

Limits are those of the phases meant, for the same reason: the start has its own.
"""


def test_endless_loop(cell: Cell) -> None:
    script = cell.events("op") + "while :; do :; done"
    outcome = cell.sh(script, limits={"phases_s": {"op": 0.5}})
    assert outcome.end is End.TIMEOUT
    assert outcome.wall_s < SOON_S
    status, phase, message = cell.verdict(outcome)
    assert (status, phase) == (Status.TIMEOUT, Phase.OP)
    assert (message or "").startswith("no end of phase op within 0.5 s")


def test_command_that_ignores_sigterm(cell: Cell) -> None:
    script = "trap '' TERM\n" + cell.events("op") + "while :; do sleep 0.1; done"
    outcome = cell.sh(script, limits={"phases_s": {"op": 0.3}})
    assert outcome.end is End.TIMEOUT
    assert outcome.wall_s < SOON_S


def test_sigterm_leaves_time_for_a_word(cell: Cell) -> None:
    script = (
        "import faulthandler, os, signal, time\nfaulthandler.register(signal.SIGTERM, chain=True)\n"
        "with open(os.environ['HARNESS_EVENTS'], 'a') as file:\n"
        """    file.write('{"event": "phase", "phase": "op"}\\n')\n"""
        "time.sleep(60)"
    )
    cell.python(script, limits={"phases_s": {"op": 0.5}})
    assert "most recent call first" in cell.stderr


def test_each_phase_has_its_own_time(cell: Cell) -> None:
    steps = "".join(cell.events(phase) + "sleep 4\n" for phase in ("bridge", "import"))
    script = steps + cell.events(done=True, probes=("init",))
    outcome = cell.sh(script, limits={"phases_s": {"bridge": 7.5, "import": 7.5}})
    assert outcome.wall_s > 7.5
    assert cell.verdict(outcome).status is Status.PASS


def test_limit_of_one_phase(cell: Cell) -> None:
    script = cell.events("start") + "sleep 0.2\n" + cell.events("import") + "sleep 30"
    outcome = cell.sh(script, limits={"phase_s": 20.0, "phases_s": {"import": 0.3}})
    assert (outcome.end, outcome.phase) == (End.TIMEOUT, "import")
    assert outcome.wall_s < SOON_S


def test_circling_through_phases_does_not_help(cell: Cell) -> None:
    circle = cell.events("op") + "sleep 0.1\n" + cell.events("train") + "sleep 0.1\n"
    outcome = cell.sh(f"while :; do\n{circle}done", limits={"phases_s": {"op": 0.4, "train": 0.4}})
    assert outcome.end is End.TIMEOUT
    assert outcome.wall_s < SOON_S


def test_hang_in_teardown(cell: Cell) -> None:
    script = cell.events("op", probes=("init",), done=True) + "sleep 60"
    outcome = cell.sh(script, limits={"phases_s": {"teardown": 0.4}})
    status, phase, message = cell.verdict(outcome)
    assert (status, phase) == (Status.TIMEOUT, Phase.TEARDOWN)
    assert (message or "").startswith("all probes passed, then no end of phase teardown")


def test_allocation_without_end(cell: Cell) -> None:
    script = "kept = []\nwhile True: kept.append(b'x' * 8_000_000)"
    outcome = cell.python(script, limits={"memory_mb": 512})
    assert outcome.end is End.OOM
    assert 512 <= outcome.max_rss_mb < 1024
    assert outcome.wall_s < SOON_S
    assert cell.verdict(outcome).status is Status.OOM


def test_allocation_in_a_grandchild(cell: Cell) -> None:
    script = "kept = []\nwhile True: kept.append(b'x' * 8_000_000)"
    program = f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {script!r}])"
    outcome = cell.python(program, limits={"memory_mb": 256})
    assert outcome.end is End.OOM


def test_memory_that_forked_processes_share_counts_once(cell: Cell) -> None:
    script = (
        "import os, time\nkept = b'x' * 120_000_000\n"
        "for _ in range(3):\n    if os.fork() == 0:\n        time.sleep(0.6); os._exit(0)\n"
        "for _ in range(3): os.wait()"
    )
    assert cell.python(script, limits={"memory_mb": 300}).end is End.EXITED


def test_kernel_ends_the_cell_first(cell: Cell) -> None:
    cell.sh("cat /proc/self/oom_score_adj; sh -c 'cat /proc/self/oom_score_adj'")
    assert cell.stdout.split() == ["1000", "1000"]


def test_a_gigabyte_of_output(cell: Cell) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Some 2 s of work; the limit is for a machine that is busy with other things.
    script = "echo first; yes | head -c 1G; echo; echo last"
    outcome = cell.sh(script, limits={"phase_s": 90.0})
    assert outcome.exit_code == 0
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 * 1024
    kept = (cell.folder / "stdout").read_bytes()
    assert len(kept) < 65 * 1024
    assert kept.startswith(b"first\ny\ny\n")
    assert kept.endswith(b"y\n\nlast\n")
    assert outcome.stdout_cut == 2**30 + len("first\n\nlast\n") - 64 * 1024
    assert f"[harness: {outcome.stdout_cut} bytes of output cut here]".encode() in kept


def test_endless_output_ends_in_time(cell: Cell) -> None:
    outcome = cell.sh(cell.events("op") + "yes; yes >&2", limits={"phases_s": {"op": 0.5}})
    assert outcome.end is End.TIMEOUT
    assert outcome.wall_s < SOON_S


def test_output_that_is_no_text(cell: Cell) -> None:
    outcome = cell.sh(r"printf '\377\376\000\351t\351'; printf '\300' >&2")
    assert outcome.exit_code == 0
    assert (cell.folder / "stdout").read_bytes() == b"\xff\xfe\x00\xe9t\xe9"
    assert (cell.folder / "stderr").read_bytes() == b"\xc0"


def test_cancel(cell: Cell) -> None:
    cancel = threading.Event()
    said = cell.folder / "events.jsonl"

    def once_it_has_begun() -> None:
        while not (said.is_file() and said.stat().st_size):
            time.sleep(0.05)
        time.sleep(0.2)
        cancel.set()

    watcher = threading.Thread(target=once_it_has_begun, daemon=True)
    watcher.start()
    began = time.monotonic()
    outcome = cell.sh(cell.events("import") + "trap '' TERM; sleep 60", cancel=cancel)
    watcher.join()
    assert time.monotonic() - began < 10, "of 60"
    assert outcome.end is End.CANCELLED
    assert cell.verdict(outcome) == (Status.MISSING, Phase.IMPORT, "cancelled in phase import")


def test_cells_side_by_side(cell: Cell, tmp_path: Path) -> None:
    codes: dict[int, int | None] = {}

    def one(number: int) -> None:
        folder = tmp_path / str(number)
        folder.mkdir()
        beside = Cell(folder, cell.isolation)
        codes[number] = beside.sh(f"sleep 0.2; exit {number}").exit_code

    threads = [threading.Thread(target=one, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert codes == {number: number for number in range(6)}


def test_disk_that_is_filled_by_the_output(cell: Cell, small_disk: Callable[..., Path]) -> None:
    job = cell.job("sh", "-c", "yes", stdout=small_disk() / "stdout", limits={"output_kb": 1024})
    with pytest.raises(MachineFault, match=r"stdout: the disk is full; free some space"):
        run(job, isolation=cell.isolation)


def test_disk_that_is_filled_by_the_cell(cell: Cell, small_disk: Callable[..., Path]) -> None:
    beside = Cell(small_disk(), cell.isolation)
    with pytest.raises(MachineFault, match="the disk is full"):
        beside.sh("cat /dev/zero > filler; " + beside.events("start", done=True))


def test_full_disk_for_an_ordinary_user(cell: Cell) -> None:
    job = cell.job("sh", "-c", "echo text; sleep 30", stdout=Path("/dev/full"))
    began = time.monotonic()
    with pytest.raises(MachineFault, match=r"/dev/full: the disk is full"):
        run(job, isolation=cell.isolation)
    assert time.monotonic() - began < 10


def test_results_folder_that_is_not_there(cell: Cell) -> None:
    job = cell.job("true", stdout=cell.folder / "none" / "stdout")
    with pytest.raises(MachineFault, match="cannot be written"):
        run(job, isolation=cell.isolation)

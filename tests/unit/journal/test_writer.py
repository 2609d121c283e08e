"""The journal: one event a line, whole whatever happens to the process or the disk."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import pytest

from harness.errors import FileFault, MachineFault
from harness.journal.writer import Journal
from harness.model.document import SCHEMA


def lines(folder: Path) -> list[str]:
    return (folder / "journal.jsonl").read_text().splitlines()


def test_events_are_lines_in_order(tmp_path: Path) -> None:
    with Journal(tmp_path / "new" / "folder") as journal:
        journal.append("a", text="é\n", number=1)
        assert len(lines(tmp_path / "new" / "folder")) == 1, "written when append returns"
        journal.append("b")
    found = [json.loads(line) for line in lines(tmp_path / "new" / "folder")]
    first = {"event": "a", "text": "é\n", "number": 1, "schema": SCHEMA}
    assert found == [first, {"event": "b"}]


def test_each_process_says_by_which_schema_it_writes(tmp_path: Path) -> None:
    # A newer one may go on where an older one stopped.
    for _ in range(2):
        with Journal(tmp_path) as journal:
            journal.append("a")
            journal.append("b")
    assert [json.loads(line).get("schema") for line in lines(tmp_path)] == [1, None, 1, None]


def test_a_cut_line_costs_that_line_alone(tmp_path: Path) -> None:
    (tmp_path / "journal.jsonl").write_text('{"event":"a"}\n{"event":"cut')
    with Journal(tmp_path) as journal:
        journal.append("b")
    assert lines(tmp_path) == ['{"event":"a"}', '{"event":"cut', '{"event":"b","schema":1}']


def test_fresh_keeps_the_journal_before(tmp_path: Path) -> None:
    with Journal(tmp_path) as journal:
        journal.append("old")
    with Journal(tmp_path, fresh=True) as journal:
        journal.append("new")
    assert lines(tmp_path) == ['{"event":"new","schema":1}']
    assert "old" in (tmp_path / "journal.previous.jsonl").read_text()


def test_two_runs_cannot_write_to_one_folder(tmp_path: Path) -> None:
    with Journal(tmp_path), pytest.raises(MachineFault, match="another run is writing here"):
        Journal(tmp_path)
    Journal(tmp_path).close()


def test_a_run_that_is_killed_locks_nobody_out(tmp_path: Path) -> None:
    killed = (
        "import os, signal, sys; from pathlib import Path; "
        "from harness.journal.writer import Journal; "
        "journal = Journal(Path(sys.argv[1])); os.kill(os.getpid(), signal.SIGKILL)"
    )
    assert subprocess.run([sys.executable, "-c", killed, tmp_path], check=False).returncode == -9
    Journal(tmp_path).close()


@pytest.mark.usefixtures("without_locks")
def test_a_file_system_without_locks_is_told_and_nothing_takes_their_place(tmp_path: Path) -> None:
    with pytest.raises(
        MachineFault, match=r"keeps no locks; name one on another disk with --results$"
    ):
        Journal(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [".lock"]


def test_threads_do_not_mix_their_lines(tmp_path: Path) -> None:
    with Journal(tmp_path) as journal:

        def write(name: int) -> None:
            for index in range(100):
                journal.append("e", name=name, index=index, text="x" * 5000)

        threads = [threading.Thread(target=write, args=(name,)) for name in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    events = [json.loads(line) for line in lines(tmp_path)]
    assert len(events) == 400


def test_kill_9_keeps_every_event_that_was_appended(tmp_path: Path) -> None:
    code = (
        "import sys, os; from pathlib import Path; from harness.journal.writer import Journal\n"
        "journal = Journal(Path(sys.argv[1]))\n"
        "for i in range(100): journal.append('e', i=i)\n"
        "os.kill(os.getpid(), 9)"
    )
    ended = subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False)
    assert ended.returncode == -9
    assert len(lines(tmp_path)) == 100
    Journal(tmp_path).close()


def test_a_file_in_the_place_of_the_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(MachineFault, match="results cannot be written here"):
        Journal(tmp_path / "file")


def _fill(journal: Journal) -> None:
    for _ in range(100):
        journal.append("e", text="x" * 5000)


def test_a_full_disk_is_told_and_the_journal_stays_whole(small_disk: Callable[..., Path]) -> None:
    disk = small_disk()
    with Journal(disk) as journal, pytest.raises(MachineFault, match="the disk is full"):
        _fill(journal)
    for line in lines(disk):
        json.loads(line)
    assert lines(disk)


def test_what_was_measured_is_on_disk_before_the_run_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    fsync = os.fsync

    def noted(number: int) -> None:
        fsync(number)
        sizes.append((tmp_path / "journal.jsonl").stat().st_size)

    with Journal(tmp_path) as journal:
        monkeypatch.setattr(os, "fsync", noted)
        journal.append("cell-started", id="a")
        assert sizes == []
        for event in ("cell-finished", "pair", "remedy-tried"):
            journal.append(event, id="a")
            assert sizes[-1] == (tmp_path / "journal.jsonl").stat().st_size
    assert len(sizes) == 3


@pytest.mark.parametrize(
    ("code", "said"),
    [(errno.ENOSPC, "the disk is full"), (errno.EIO, "cannot be written here"), (errno.EINVAL, "")],
)
def test_what_cannot_be_brought_to_disk_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, said: str
) -> None:
    def failing(_number: int) -> None:
        raise OSError(code, os.strerror(code))

    with Journal(tmp_path) as journal:
        monkeypatch.setattr(os, "fsync", failing)
        with pytest.raises(MachineFault, match=said) if said else nullcontext():
            journal.append("cell-finished")


@pytest.mark.parametrize("name", ["journal.jsonl", ".lock"])
@pytest.mark.parametrize("is_there", [True, False])
def test_a_link_in_the_place_of_a_file_is_refused(
    tmp_path: Path, name: str, is_there: bool
) -> None:
    results, elsewhere = tmp_path / "results", tmp_path / "elsewhere"
    results.mkdir()
    if is_there:
        elsewhere.write_text("mine")
    (results / name).symlink_to(elsewhere)
    with pytest.raises(FileFault, match="is a link"):
        Journal(results, fresh=True)
    assert elsewhere.exists() == is_there
    assert not is_there or elsewhere.read_text() == "mine"


def test_a_pipe_in_the_place_of_the_journal_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "journal.jsonl")
    with pytest.raises(FileFault, match=r"journal\.jsonl: is no file"):
        Journal(tmp_path)


def test_the_results_folder_itself_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "results").symlink_to(tmp_path / "disk")
    with Journal(tmp_path / "results") as journal:
        journal.append("a")
    assert lines(tmp_path / "disk") == ['{"event":"a","schema":1}']

"""A report that is a folder: whose folder may be written, what stays, and the logs of cells."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import MachineFault, UsageError
from harness.model.document import encode
from harness.report.base import File
from harness.workflow.reporting import CONTENTS, CellFolders, write, write_folder
from tests.unit.site.sample import sample


def files(*paths: str) -> list[File]:
    return [File(path=path, data=path) for path in paths]


def there(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_texts_bytes_and_pieces_are_written(tmp_path):
    made = [
        File(path="a.txt", data="ä"),
        File(path="b/c.bin", data=b"\x00"),
        File(path="b/d", data=iter([b"1", b"2"])),
    ]
    assert write_folder(tmp_path / "out", made) == 3
    assert (tmp_path / "out/a.txt").read_bytes() == "ä".encode()
    assert (tmp_path / "out/b/c.bin").read_bytes() == b"\x00"
    assert (tmp_path / "out/b/d").read_bytes() == b"12"


def test_what_is_no_more_made_is_removed_and_nothing_else(tmp_path):
    write_folder(tmp_path, files("old", "both"))
    (tmp_path / "mine").write_text("kept")
    write_folder(tmp_path, files("both", "new"))
    assert there(tmp_path) == {"both", "new", "mine", CONTENTS}


def test_a_folder_of_somebody_else_is_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(UsageError, match=r"is not empty.*name another folder with --out"):
        write_folder(tmp_path, files("index.html"))
    assert there(tmp_path) == {"thesis.tex"}


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "out").write_text("")
    with pytest.raises(UsageError, match="is a file"):
        write_folder(tmp_path / "out", files("index.html"))


@pytest.mark.parametrize("path", ["../outside", "/etc/passwd", "a/../../outside", ""])
def test_a_list_that_leads_out_of_the_folder_removes_nothing(tmp_path, path):
    outside = tmp_path / "outside"
    outside.write_text("kept")
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / CONTENTS).write_text(f"{path}\n")
    with pytest.raises(UsageError, match="is no file below its folder"):
        write_folder(folder, files("index.html"))
    assert outside.read_text() == "kept"


def test_after_an_interruption_the_folder_is_known(tmp_path):
    def cut():
        yield from files("first", "second")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_folder(tmp_path / "out", cut())
    write_folder(tmp_path / "out", files("other"))
    assert there(tmp_path / "out") == {"other", CONTENTS}


def test_what_cannot_be_written_is_said(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(MachineFault, match="cannot be written"):
        write_folder(tmp_path / "file" / "out", files("index.html"))


def test_the_whole_site_is_written_and_written_again(tmp_path):
    results = tmp_path / "results"
    (results / "cells" / "rpc-zmq__r4.5.0__py3.13__torch2.13.0__cpu__numpy-lt2").mkdir(parents=True)
    (results / "results.json").write_bytes(encode(sample()))
    number = write(results, "html", tmp_path / "out")
    assert number == len(there(tmp_path / "out")) - 1
    assert (tmp_path / "out/results.json").read_bytes() == encode(sample())
    before = there(tmp_path / "out")
    write(results, "html", tmp_path / "out")
    assert there(tmp_path / "out") == before


def test_logs_are_read_with_head_and_tail(tmp_path):
    cell = tmp_path / "cells" / "one"
    cell.mkdir(parents=True)
    (cell / "stderr").write_bytes(b"a" * 10 + b"b" * 100 + b"c" * 10)
    (cell / "stdout").write_bytes(b"short\r\n")
    (cell / "secret").write_text("no log")
    found = {log.name: log for log in CellFolders(tmp_path).of("one", 20)}
    assert set(found) == {"stderr", "stdout"}
    assert found["stderr"].text == "a" * 10 + "c" * 10
    assert (found["stderr"].size, found["stderr"].cut, found["stderr"].cut_at) == (120, 100, 10)
    assert (found["stdout"].text, found["stdout"].cut) == ("short\n", 0)
    assert CellFolders(tmp_path).of("two", 20) == ()
    assert CellFolders(tmp_path / "none").of("one", 20) == ()

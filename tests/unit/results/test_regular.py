"""A folder of results from a stranger, or one in which a cell has planted something."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from harness.folders import remove_tree
from harness.results import regular
from harness.results.regular import (
    DEEPEST,
    LARGEST_FILE,
    LEFT_OUT,
    copy_regular,
    is_folder,
    open_regular,
    read_regular,
)
from harness.workflow.reporting import CellFolders

SECRET = "the caller's own"


@pytest.fixture
def planted(tmp_path: Path) -> Path:
    """Return a folder of results with whatever leads elsewhere, or has no end."""
    secret = tmp_path / "home" / "stdout"
    secret.parent.mkdir()
    secret.write_text(SECRET)
    cell = tmp_path / "results" / "cells" / "one"
    (cell / "below").mkdir(parents=True)
    (cell / "stderr").write_text("said")
    (cell / "below" / "file").write_text("deep")
    (cell / "command.sh").write_text("#!/bin/sh")
    (cell / "command.sh").chmod(0o6755)
    (cell / "stdout").symlink_to(secret)
    (cell / "requirements.lock").symlink_to("/dev/zero")
    os.mkfifo(cell / "driver.py")
    (cell / "loop").symlink_to(".")
    (cell.parent / "two").symlink_to(secret.parent)
    return tmp_path / "results"


def test_only_files_that_are_files_are_copied(planted, tmp_path):
    copy_regular(planted / "cells", tmp_path / "merged")
    found = {path.relative_to(tmp_path / "merged") for path in (tmp_path / "merged").rglob("*")}
    files = {"one/stderr", "one/below/file", "one/command.sh"}
    assert {str(path) for path in found} == {*files, "one", "one/below"}
    assert (tmp_path / "merged/one/command.sh").stat().st_mode & 0o7777 == 0o755


def test_what_is_a_link_in_the_target_gives_way(planted, tmp_path):
    target = tmp_path / "merged" / "one"
    target.mkdir(parents=True)
    (target / "stderr").symlink_to(tmp_path / "home" / "stdout")
    copy_regular(planted / "cells", tmp_path / "merged")
    assert (target / "stderr").read_text() == "said"
    assert (tmp_path / "home" / "stdout").read_text() == SECRET


def test_a_link_to_a_folder_in_the_target_gives_way(planted, tmp_path):
    target = tmp_path / "merged" / "one"
    target.mkdir(parents=True)
    (target / "below").symlink_to(tmp_path / "home")
    copy_regular(planted / "cells", tmp_path / "merged")
    assert (target / "below" / "file").read_text() == "deep"
    assert [path.name for path in (tmp_path / "home").iterdir()] == ["stdout"]


def test_of_a_file_of_gigabytes_the_beginning_is_copied(tmp_path):
    (tmp_path / "cell").mkdir()
    with (tmp_path / "cell" / "stdout").open("wb") as file:
        file.write(b"begin")
        file.truncate(3 * 2**30)
    copy_regular(tmp_path / "cell", tmp_path / "copy")
    assert (tmp_path / "copy" / "stdout").stat().st_size == LARGEST_FILE
    assert read_regular(tmp_path / "copy" / "stdout", 5) == b"begin"
    note = (tmp_path / "copy" / LEFT_OUT).read_text()
    assert note == f"'stdout' has {3 * 2**30} bytes, of which {LARGEST_FILE} are here\n"


def test_of_a_cell_of_gigabytes_the_first_files_are_copied(tmp_path, monkeypatch):
    monkeypatch.setattr(regular, "LARGEST_CELL", 10)
    (tmp_path / "cell").mkdir()
    for name in ("a", "b", "c"):
        (tmp_path / "cell" / name).write_bytes(b"12345678")
    copy_regular(tmp_path / "cell", tmp_path / "copy")
    assert [(tmp_path / "copy" / name).stat().st_size for name in ("a", "b", "c")] == [8, 2, 0]
    assert (tmp_path / "copy" / LEFT_OUT).read_text().splitlines() == [
        "'b' has 8 bytes, of which 2 are here",
        "'c' has 8 bytes, of which 0 are here",
    ]


def test_what_lies_a_thousand_folders_deep_is_left_out(tmp_path):
    folder = tmp_path / "cell"
    folder.mkdir()
    for level in range(1100):
        # One after the other: pathlib calls itself for each that is not there.
        (folder / "/".join("a" * (level + 1))).mkdir()
    (folder / "stdout").write_text("said")
    copy_regular(folder, tmp_path / "copy")
    # Which pytest could not.
    remove_tree(folder)
    assert (tmp_path / "copy" / "stdout").read_text() == "said"
    assert (tmp_path / "copy" / Path(*"a" * DEEPEST)).is_dir()
    assert not (tmp_path / "copy" / Path(*"a" * DEEPEST, "a")).exists()
    (line,) = (tmp_path / "copy" / LEFT_OUT).read_text().splitlines()
    assert line.endswith(" lies deeper than 200 folders")


def test_a_link_to_a_folder_is_none(planted):
    assert is_folder(planted / "cells" / "one")
    assert not is_folder(planted / "cells" / "two")
    assert not is_folder(planted / "nothing")
    copy_regular(planted / "cells" / "two", planted / "copied")
    assert not (planted / "copied").exists()


@pytest.mark.parametrize("name", ["stdout", "requirements.lock", "driver.py", "below", "nothing"])
def test_what_is_no_file_is_not_opened(planted, name):
    with pytest.raises(OSError, match=r"."):
        open_regular(planted / "cells" / "one" / name)


def test_no_more_is_read_than_was_asked(planted):
    assert read_regular(planted / "cells" / "one" / "stderr", 2) == b"sa"


def test_a_report_shows_what_the_cell_left_and_nothing_else(planted):
    logs = CellFolders(planted)
    assert {(log.name, log.text) for log in logs.of("one", 100)} == {
        ("stderr", "said"),
        ("command.sh", "#!/bin/sh"),
    }
    assert logs.of("two", 100) == ()


def test_cells_that_lie_behind_a_link_are_nobodys(planted, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    (other / "cells").symlink_to(planted / "cells")
    assert CellFolders(other).of("one", 100) == ()

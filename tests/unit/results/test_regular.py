"""A folder of results from a stranger, or one in which a cell has planted something."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from harness.results.regular import copy_regular, is_folder, open_regular, read_regular
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

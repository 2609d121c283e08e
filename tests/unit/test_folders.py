"""What is written or cleared in a folder of results stays in it."""

from __future__ import annotations

import errno
import fcntl
import os
from pathlib import Path

import pytest

from harness.errors import FileFault, MachineFault
from harness.folders import lock, real, refuse_links, remove_tree


def test_a_link_on_the_way_is_refused(tmp_path: Path) -> None:
    (tmp_path / "elsewhere" / "a").mkdir(parents=True)
    root = tmp_path / "root"
    root.mkdir()
    refuse_links(root, "cells", "cells/a/b")
    (root / "cells").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(FileFault, match=r"root/cells: is a link, .* remove the link, or name"):
        refuse_links(root, "other", "cells/a/b")


def test_a_link_that_leads_nowhere_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").symlink_to(tmp_path / "gone")
    with pytest.raises(FileFault, match="is a link"):
        refuse_links(tmp_path, "file")


def test_a_file_in_the_place_of_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "cells").write_text("")
    refuse_links(tmp_path, "cells")
    with pytest.raises(FileFault, match=r"cells: is no folder, .* remove it, or name another"):
        refuse_links(tmp_path, "cells/a")


def test_the_folder_itself_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "results").symlink_to(tmp_path / "disk")
    refuse_links(tmp_path / "results", "cells", "n" * 5000)


def deep(folder: Path, levels: int) -> None:
    """Make folders in each other, deeper than a path can name, with a file in the last."""
    folder.mkdir()
    number = os.open(folder, os.O_RDONLY)
    for _ in range(levels):
        os.mkdir("deeper", dir_fd=number)
        below = os.open("deeper", os.O_RDONLY, dir_fd=number)
        os.close(number)
        number = below
    os.close(os.open("file", os.O_CREAT, dir_fd=number))
    os.close(number)


@pytest.mark.parametrize("levels", [0, 3, 1100])
def test_a_folder_is_removed_however_deep(tmp_path: Path, levels: int) -> None:
    deep(tmp_path / "folder", levels)
    remove_tree(tmp_path / "folder")
    assert list(tmp_path.iterdir()) == []


def test_what_links_lead_to_is_not_removed(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "mine").write_text("x")
    folder = tmp_path / "folder"
    (folder / "below").mkdir(parents=True)
    (folder / "link").symlink_to(elsewhere)
    (folder / "below" / "link").symlink_to(elsewhere)
    remove_tree(folder)
    folder.symlink_to(elsewhere)
    remove_tree(folder)
    remove_tree(folder)
    remove_tree(elsewhere / "mine" / "below")
    assert [path.name for path in tmp_path.rglob("*")] == ["elsewhere", "mine"]


def test_closed_folders_are_opened_to_be_removed(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    (folder / "a" / "b" / "c").mkdir(parents=True)
    for place in ("a/b/c", "a/b", "a", ""):
        (folder / place).chmod(0)
    remove_tree(folder)
    assert not folder.exists()


def test_a_lock_is_taken_once(tmp_path: Path) -> None:
    how = fcntl.LOCK_EX | fcntl.LOCK_NB
    with (tmp_path / "file").open("w") as one, (tmp_path / "file").open("w") as two:
        lock(one.fileno(), how, tmp_path, "wait")
        with pytest.raises(BlockingIOError):
            lock(two.fileno(), how, tmp_path, "wait")


@pytest.mark.usefixtures("without_locks")
def test_where_there_are_no_locks_is_said(tmp_path: Path) -> None:
    with pytest.raises(MachineFault, match=f"^{tmp_path}: this file system keeps no locks; wait$"):
        lock(0, fcntl.LOCK_EX, tmp_path, "wait")


def test_what_is_wrong_with_a_file_is_not_put_down_to_locks(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=os.strerror(errno.EBADF)):
        lock(999_999, fcntl.LOCK_EX, tmp_path, "wait")


def test_a_folder_below_one_that_is_gone_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    with pytest.raises(MachineFault, match="started in has been removed"):
        real(Path("results"))
    monkeypatch.chdir(tmp_path)
    assert real(Path("a/../results")) == tmp_path.resolve() / "results"

from __future__ import annotations

import os
from pathlib import Path

import pytest

from harness.execute.pages import put_out_of_memory

SIZE = 4 * 2**20


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Files that are on the disk, and in memory as well."""
    (tmp_path / "inner").mkdir()
    file = tmp_path / "inner" / "file"
    with file.open("wb") as stream:
        stream.write(b"x" * SIZE)
        stream.flush()
        os.fsync(stream.fileno())
    file.read_bytes()
    (tmp_path / "empty").touch()
    (tmp_path / "link").symlink_to(file)
    os.link(file, tmp_path / "same")
    os.mkfifo(tmp_path / "pipe")
    return tmp_path


def test_a_file_is_counted_once_and_what_is_no_file_not_at_all(folder):
    pages = put_out_of_memory([folder, folder / "inner"])
    assert (pages.files, pages.size_mb) == (1, 4.0)


def test_the_kernel_is_asked_what_is_left(folder):
    pages = put_out_of_memory([folder])
    if pages.before_mb == 0:
        pytest.skip("the kernel tells nothing of pages in memory to this user, or keeps none")
    assert pages.before_mb is not None
    assert pages.after_mb is not None
    assert pages.after_mb < pages.before_mb
    assert put_out_of_memory([folder]).before_mb == pages.after_mb
    (folder / "inner" / "file").read_bytes()
    assert put_out_of_memory([folder]).before_mb == pages.before_mb


def test_what_cannot_be_read_is_passed_over(tmp_path):
    pages = put_out_of_memory([tmp_path / "none"])
    assert (pages.files, pages.size_mb, pages.after_mb) == (0, 0.0, 0.0)


def test_a_file_may_be_named_itself(folder):
    assert put_out_of_memory([folder / "inner" / "file"]).files == 1

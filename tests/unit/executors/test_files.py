"""The files of a cell on their way from a worker."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import MachineFault
from harness.executors import files
from harness.executors.files import pack, unpack
from harness.folders import remove_tree


def test_what_is_packed_comes_out_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "one" / "attempt-2").mkdir(parents=True)
    (tmp_path / "one" / "stdout").write_bytes(b"\xff\x00text")
    (tmp_path / "one" / "attempt-2" / "stderr").write_bytes(b"")
    packed = pack(tmp_path / "one")
    assert list(packed) == ["stdout", "attempt-2/stderr"]
    unpack(packed, tmp_path / "two")
    assert pack(tmp_path / "two") == packed


def test_links_do_not_travel(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "cell").mkdir()
    (tmp_path / "cell" / "link").symlink_to(tmp_path / "secret")
    (tmp_path / "cell" / "folder").symlink_to(tmp_path)
    assert pack(tmp_path / "cell") == {}


def test_a_file_that_is_too_large_leaves_a_note(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "LARGEST", 10)
    (tmp_path / "stdout").write_bytes(b"x" * 11)
    (tmp_path / "stderr").write_bytes(b"x" * 10)
    assert pack(tmp_path) == {
        "stderr": b"x" * 10,
        "stdout.left-out": b"11 bytes, left on the worker\n",
    }


@pytest.fixture
def shut(monkeypatch: pytest.MonkeyPatch) -> str:
    """A name of files and folders that cannot be opened, even by root."""
    opened, listed = os.open, os.scandir

    def refuse(path: Any) -> None:
        if os.path.basename(path) == "shut":  # noqa: PTH119 - it may be text
            raise PermissionError(errno.EACCES, "Permission denied", str(path))

    def open_file(path: Any, *arguments: Any, **options: Any) -> int:
        refuse(path)
        return opened(path, *arguments, **options)

    def list_folder(path: Any = ".") -> Any:
        refuse(path)
        return listed(path)

    monkeypatch.setattr(os, "open", open_file)
    monkeypatch.setattr(os, "scandir", list_folder)
    return "shut"


def test_what_cannot_be_read_leaves_a_note(tmp_path: Path, shut: str) -> None:
    (tmp_path / "cell" / "attempt-2" / shut).mkdir(parents=True)
    (tmp_path / "cell" / shut).write_text("secret")
    (tmp_path / "cell" / "stdout").write_text("said")
    why = b"cannot be read (Permission denied), left on the worker\n"
    assert pack(tmp_path / "cell") == {
        "shut.left-out": why,
        "stdout": b"said",
        "attempt-2/shut.left-out": why,
    }


def test_a_name_that_is_no_utf8_leaves_a_note(tmp_path: Path) -> None:
    (tmp_path / "cell" / os.fsdecode(b"d\xff")).mkdir(parents=True)
    for name in (b"caf\xe9", b"d\xff/below", b"\xe9" * 255, "café".encode()):
        (tmp_path / "cell" / os.fsdecode(name)).write_bytes(b"x")
    packed = pack(tmp_path / "cell")
    why = b"its name is no UTF-8, left on the worker\n"
    assert packed == {
        "café": b"x",
        "caf\\xe9.left-out": why,
        "d\\xff.left-out": why,
        "\\xe9" * 50 + ".left-out": why,
    }
    msgspec.json.encode(packed)
    unpack(packed, tmp_path / "two")


def test_a_note_has_a_name_that_can_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "LARGEST", 0)
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / ("é" * 127)).write_bytes(b"x")
    unpack(pack(tmp_path / "one"), tmp_path / "two")
    assert [file.name for file in (tmp_path / "two").iterdir()] == ["é" * 100 + ".left-out"]


def test_a_pipe_holds_nobody_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "later").write_text("a file until it is opened")
    opened = os.open

    def swap(path: Any, *arguments: Any, **options: Any) -> int:
        (tmp_path / "later").unlink()
        os.mkfifo(tmp_path / "later")
        return opened(path, *arguments, **options)

    monkeypatch.setattr(os, "open", swap)
    assert pack(tmp_path) == {}


def test_a_link_that_takes_the_place_of_a_file_is_not_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "cell").mkdir()
    (tmp_path / "cell" / "later").write_text("a file until it is opened")
    opened = os.open

    def swap(path: Any, *arguments: Any, **options: Any) -> int:
        (tmp_path / "cell" / "later").unlink()
        (tmp_path / "cell" / "later").symlink_to(tmp_path / "secret")
        return opened(path, *arguments, **options)

    monkeypatch.setattr(os, "open", swap)
    packed = pack(tmp_path / "cell")
    assert list(packed) == ["later.left-out"]
    assert packed["later.left-out"].startswith(b"cannot be read (")


@pytest.mark.parametrize(
    "name", ["../out", "/etc/passwd", "a/../../out", "", ".", "a\0b", "..", "/", "//out"]
)
def test_a_name_that_leads_out_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(MachineFault, match=r"is refused|cannot be written"):
        unpack({name: b"x"}, tmp_path / "cell")
    assert not (tmp_path / "out").exists()


@given(st.text(alphabet=st.sampled_from(list("./\\ab\0~$ \n")), max_size=12))
def test_whatever_the_name_nothing_is_written_outside(
    tmp_path_factory: pytest.TempPathFactory, name: str
) -> None:
    base = tmp_path_factory.mktemp("base")
    try:
        unpack({name: b"x"}, base / "cell")
    except MachineFault:
        pass
    else:
        assert [file for file in (base / "cell").rglob("*") if file.is_file()]
    assert [path.name for path in base.iterdir()] in ([], ["cell"])


def test_where_nothing_comes_nothing_is_made(tmp_path: Path) -> None:
    unpack({}, tmp_path / "cell")
    assert not (tmp_path / "cell").exists()


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "cell").write_text("a file in its place")
    with pytest.raises(MachineFault, match="cannot be written"):
        unpack({"stdout": b"x"}, tmp_path / "cell")


def test_a_note_takes_the_place_of_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "LARGEST", 30)
    (tmp_path / "one" / "x.left-out").mkdir(parents=True)
    (tmp_path / "one" / "x.left-out" / "file").write_bytes(b"1")
    for name, content in (("x", b"x" * 31), ("y", b"y" * 31), ("y.left-out", b"own")):
        (tmp_path / "one" / name).write_bytes(content)
    packed = pack(tmp_path / "one")
    assert packed == {
        "x.left-out-2": b"31 bytes, left on the worker\n",
        "y.left-out": b"own",
        "y.left-out-2": b"31 bytes, left on the worker\n",
        "x.left-out/file": b"1",
    }
    unpack(packed, tmp_path / "two")
    assert pack(tmp_path / "two") == packed


def test_a_file_that_cannot_lie_here_costs_only_itself(tmp_path: Path) -> None:
    long = "/".join(["d" * 200] * 21) + "/file"
    unpack({"a": b"1", "a/below": b"2", long: b"3", "b": b"4", "n" * 300: b"5"}, tmp_path / "cell")
    assert (tmp_path / "cell" / "a").read_bytes() == b"1"
    assert (tmp_path / "cell" / "b").read_bytes() == b"4"
    told = (tmp_path / "cell" / "files.left-out").read_text().splitlines()
    assert [line.partition(":")[0] for line in told] == ["'a/below'", f"'{long}'", f"'{'n' * 300}'"]
    assert "cannot be written here (File name too long)" in told[1]


def test_what_was_left_on_the_worker_and_here_is_told_in_two_notes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "one").mkdir()
    monkeypatch.setattr(files, "MOST", 2)
    for name in "abc":
        (tmp_path / "one" / name).write_text(name)
    packed = pack(tmp_path / "one")
    rest = b"all but 2 files, left on the worker\n"
    assert (len(packed), packed["files.left-out"]) == (3, rest)
    unpack({**packed, "n" * 300: b"x"}, tmp_path / "two")
    assert (tmp_path / "two" / "files.left-out").read_bytes() == rest
    assert (tmp_path / "two" / "files.left-out-2").exists()


def test_a_full_disk_ends_the_unpacking(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, content: bytes) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(MachineFault, match=r"stdout: cannot be written \(No space left"):
        unpack({"stdout": b"x"}, tmp_path / "cell")


def test_all_files_together_have_a_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "TOTAL", 10)
    (tmp_path / "deeper").mkdir()
    (tmp_path / "deeper" / "file").write_bytes(b"z" * 4)
    for name, size in (("a", 6), ("b", 6), ("c", 4)):
        (tmp_path / name).write_bytes(b"x" * size)
    packed = pack(tmp_path)
    assert list(packed) == ["a", "b.left-out", "c", "deeper/file.left-out"]
    assert packed["b.left-out"] == (
        b"6 bytes, and 10 is what the files of a cell may have together, left on the worker\n"
    )


@pytest.fixture
def deep(tmp_path: Path) -> Iterator[Path]:
    """A folder of more levels than Python calls functions in each other."""
    folder = tmp_path / "deep"
    folder.mkdir()
    place = os.open(folder, os.O_RDONLY)
    for _ in range(1100):
        os.mkdir("a", dir_fd=place)
        os.close(os.open("file", os.O_WRONLY | os.O_CREAT, dir_fd=place))
        below = os.open("a", os.O_RDONLY, dir_fd=place)
        os.close(place)
        place = below
    os.close(place)
    yield folder
    # Which pytest could not.
    remove_tree(folder)


def test_a_folder_without_end_leaves_a_note(tmp_path: Path, deep: Path) -> None:
    packed = pack(deep)
    note = "/".join("a" * files.DEEPEST) + ".left-out"
    assert packed[note] == b"a folder below 49 others, left on the worker\n"
    assert len(packed) == files.DEEPEST + 1
    unpack(packed, tmp_path / "two")
    assert (tmp_path / "two" / note).exists()

"""The files of a cell on their way from a worker."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import MachineFault
from harness.executors import files
from harness.executors.files import pack, unpack


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


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "cell").write_text("a file in its place")
    with pytest.raises(MachineFault, match="cannot be written"):
        unpack({"stdout": b"x"}, tmp_path / "cell")

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.errors import MachineFault
from harness.execute.capture import Capture, last_line, require_space


def kept(path: Path, keep: int, chunks: list[bytes]) -> tuple[bytes, int]:
    capture = Capture(path, keep)
    for chunk in chunks:
        capture.feed(chunk)
    capture.finish()
    capture.close()
    return path.read_bytes(), capture.cut


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(chunks=st.lists(st.binary(max_size=60)), keep=st.integers(0, 100))
def test_head_and_tail_are_kept(tmp_path: Path, chunks: list[bytes], keep: int) -> None:
    data = b"".join(chunks)
    text, cut = kept(tmp_path / "out", keep, chunks)
    assert cut == max(0, len(data) - keep)
    if cut == 0:
        assert text == data
    else:
        head, tail = data[: keep // 2], data[len(data) - (keep - keep // 2) :]
        assert text == head + f"\n[harness: {cut} bytes of output cut here]\n".encode() + tail


def test_head_is_on_disk_before_the_end(tmp_path: Path) -> None:
    capture = Capture(tmp_path / "out", 1000)
    capture.feed(b"said")
    assert (tmp_path / "out").read_bytes() == b"said"
    capture.close()


def test_full_disk() -> None:
    capture = Capture(Path("/dev/full"), 1000)
    with pytest.raises(MachineFault, match="/dev/full: the disk is full; free some space"):
        capture.feed(b"said")
    capture.close()
    capture.close()


def test_folder_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(MachineFault, match=r"cannot be written \(No such file or directory\)"):
        Capture(tmp_path / "none" / "out", 10)


def test_space(tmp_path: Path) -> None:
    require_space(tmp_path / "out")
    with pytest.raises(MachineFault, match="cannot be written"):
        require_space(tmp_path / "none" / "out")


def test_last_line(tmp_path: Path) -> None:
    path = tmp_path / "err"
    assert last_line(path) == ""
    path.write_bytes(b"x" * 10_000 + b"\nsaid \xff last\n \n\n")
    assert last_line(path) == "said \ufffd last"

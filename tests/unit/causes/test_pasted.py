"""Logs as files: encodings, sizes, and what is no log."""

from __future__ import annotations

import io
import time
from pathlib import Path

import pytest

from harness.causes.log import read_log
from harness.causes.pasted import WHOLE, read_pasted
from harness.errors import FileFault

TEXT = "Error in if (x) : missing value\nFehler: größer als 3 \u2018x\u2019\n"


@pytest.mark.parametrize(
    "content",
    [
        TEXT.encode(),
        TEXT.encode("utf-8-sig"),
        TEXT.encode("utf-16"),
        TEXT.encode("utf-16-le"),
        TEXT.encode("utf-16-be"),
        TEXT.encode("cp1252"),
    ],
    ids=["utf-8", "bom", "utf-16", "utf-16-le", "utf-16-be", "cp1252"],
)
def test_encodings(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.log").write_bytes(content)
    assert read_pasted(str(tmp_path / "a.log")).lstrip("\ufeff") == TEXT


def test_undecodable_bytes_are_replaced(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_bytes(b"a long line of plain text " * 100 + b"\xff\xfe\x80 end")
    assert read_pasted(str(tmp_path / "a.log")).endswith(" end")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b" \n\t\n", "is empty"),
        (b"\x7fELF\x02\x01\x01" + bytes(900), "is no text"),
        (bytes(range(256)) * 40, "is no text"),
    ],
)
def test_no_log(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "a.log").write_bytes(content)
    with pytest.raises(FileFault, match=said):
        read_pasted(str(tmp_path / "a.log"))


def test_a_missing_file_and_a_folder(tmp_path: Path) -> None:
    with pytest.raises(FileFault, match="cannot be read: no such file"):
        read_pasted(str(tmp_path / "none.log"))
    with pytest.raises(FileFault, match="is a folder"):
        read_pasted(str(tmp_path))


def test_standard_input() -> None:
    assert read_pasted("standard input", io.BytesIO(TEXT.encode())) == TEXT
    with pytest.raises(FileFault, match="standard input: is empty"):
        read_pasted("standard input", io.BytesIO(b""))


def test_what_has_no_end_is_refused() -> None:
    started = time.perf_counter()
    with pytest.raises(FileFault, match=r"/dev/zero: has more than 500 MB; write its end into"):
        read_pasted("/dev/zero")
    assert time.perf_counter() - started < 20


def test_of_a_long_log_what_matters_is_kept_with_its_line_numbers(tmp_path: Path) -> None:
    line = b"epoch 1: [=====>......] loss: 0.1234\n"
    before = 3 * WHOLE // len(line)
    content = (
        b"the first line\n" + line * before + b"ModuleNotFoundError: No module named 'imp'\n"
        + line * before + b"the last line\n"
    )  # fmt: skip
    (tmp_path / "a.log").write_bytes(content)
    started = time.perf_counter()
    kept = read_pasted(str(tmp_path / "a.log"))
    assert time.perf_counter() - started < 5
    assert len(kept) < WHOLE
    log = read_log(kept)
    assert log.line(0) == (1, "the first line")
    error = log.text.index("ModuleNotFoundError")
    assert log.line(error) == (before + 2, "ModuleNotFoundError: No module named 'imp'")
    assert log.line(log.text.index("the last")) == (2 * before + 3, "the last line")

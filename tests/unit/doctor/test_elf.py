"""Shared libraries as files: whole, cut short, for another machine, or none."""

from __future__ import annotations

import sys
import sysconfig
from pathlib import Path

import pytest

from harness.doctor.elf import facts_of_loader, read_library, who_needs


@pytest.fixture(scope="module")
def library() -> Path:
    """Return a shared library that every Python has: one of its own modules, or msgspec's."""
    import msgspec._core

    return Path(msgspec._core.__file__)


def test_a_whole_library(library: Path) -> None:
    found = read_library(str(library))
    assert found.fault is None
    assert not found.truncated
    assert found.bits == ("64-bit" if sys.maxsize > 2**32 else "32-bit")
    assert any(name.startswith("libc.so") for name in found.needed)
    assert any(version.startswith("GLIBC_") for version in found.versions)
    assert who_needs("libc.so.6", (str(library),)) == (str(library),)


@pytest.mark.parametrize("share", [0.02, 0.5, 0.95])
def test_a_library_that_is_cut_short(library: Path, tmp_path: Path, share: float) -> None:
    data = library.read_bytes()
    cut = tmp_path / "libcut.so"
    cut.write_bytes(data[: int(len(data) * share)])
    found = read_library(str(cut))
    assert found.truncated
    assert "cut short" in str(found.fault)


def test_a_library_of_another_machine(library: Path, tmp_path: Path) -> None:
    data = bytearray(library.read_bytes())
    other = 183 if data[18] != 183 else 62  # aarch64, else x86-64: e_machine of the header
    data[18:20] = other.to_bytes(2, "little")
    odd = tmp_path / "libodd.so"
    odd.write_bytes(data)
    assert "is built for" in str(read_library(str(odd)).fault)


def test_a_library_of_another_word_size_is_not_called_cut_short(
    library: Path, tmp_path: Path
) -> None:
    data = bytearray(library.read_bytes())
    data[4] = 1 if data[4] == 2 else 2  # the class, of the identification
    odd = tmp_path / "libodd.so"
    odd.write_bytes(data)
    found = read_library(str(odd))
    assert not found.truncated
    assert "word size" in str(found.fault)
    assert found.bits == ("32-bit" if sys.maxsize > 2**32 else "64-bit")


def test_a_text_in_the_place_of_a_library(tmp_path: Path) -> None:
    text = tmp_path / "libtext.so"
    text.write_text("#!/bin/sh\n")
    found = read_library(str(text))
    assert found.fault is not None
    assert not found.truncated
    assert read_library(str(tmp_path / "none.so")).fault is not None


def test_what_the_loader_says(tmp_path: Path) -> None:
    assert facts_of_loader("x.so: undefined symbol: _ZN3c104cuda")["elf.undefined_symbol"] == (
        "_ZN3c104cuda"
    )
    missing = "libcudart.so.12: cannot open shared object file: No such file or directory"
    assert facts_of_loader(missing)["elf.missing_library"] == "libcudart.so.12"
    old = "/lib/libc.so.6: version `GLIBC_2.38' not found (required by /opt/python/lib/x.so)"
    assert facts_of_loader(old)["elf.needed_version"] == "GLIBC_2.38"
    cut = tmp_path / "libpython3.11.so.1.0"
    cut.write_bytes(b"\x7fELF")
    facts = facts_of_loader(f"{cut}: file too short")
    assert facts["elf.truncated"] is True
    assert facts["elf.file"] == str(cut)
    assert facts_of_loader("all is well") == {}
    assert sysconfig.get_platform()

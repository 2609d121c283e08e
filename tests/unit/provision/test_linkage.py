"""What files need of shared libraries, and whether a root folder has it."""

from __future__ import annotations

import platform
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.provision.linkage import (
    Linkage,
    Loose,
    RootLibraries,
    linkage_of,
    newest_release,
    release_parts,
)

HERE = RootLibraries(Path("/"))


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="this machine has another C library")
def test_what_runs_here_lacks_nothing_here() -> None:
    linkage = linkage_of([Path(sys.executable).resolve()])
    assert "libc.so.6" in linkage.versions
    assert linkage.libc is not None
    assert HERE.libc == platform.libc_ver()[1]
    assert release_parts(linkage.libc) <= release_parts(platform.libc_ver()[1])
    assert "libc.so.6" not in HERE.lacks(linkage)


def test_a_newer_release_is_lacking() -> None:
    needs = Linkage(versions={"libc.so.6": ("GLIBC_2.2.5", "GLIBC_2.999")})
    assert needs.libc == "2.999"
    assert HERE.lacks(needs) == ("libc.so.6",)


def test_a_library_that_is_not_there_is_lacking(tmp_path: Path) -> None:
    needs = Linkage(versions={"libc.so.6": (), "libnone.so.9": ()})
    assert HERE.lacks(needs) == ("libnone.so.9",)
    empty = RootLibraries(tmp_path)
    assert empty.libc is None
    assert empty.lacks(needs) == ("libc.so.6", "libnone.so.9")


@pytest.fixture
def compiled(tmp_path: Path) -> Path:
    """A library without versions that has ``older``, and a file that asks it for ``newer``."""
    cc = shutil.which("cc")
    if cc is None:
        pytest.skip("there is no compiler here, to make libraries with")
    below = tmp_path / "root" / "usr" / "lib"
    below.mkdir(parents=True)
    for name, text in {
        "libplain.so.1": "int older(void) { return 1; }",
        "uses_older.so": "int older(void); int a(void) { return older(); }",
        "uses_newer.so": "int newer(void); int PyNone(void); int a(void) { return newer() + "
        "PyNone(); }",
    }.items():
        source = tmp_path / f"{name}.c"
        source.write_text(text)
        options = ["-shared", "-fPIC", "-nostdlib", "-Wl,--no-as-needed"]
        options += (
            [f"-Wl,-soname,{name}"]
            if name.startswith("lib")
            else [f"-L{below}", "-l:libplain.so.1"]
        )
        target = (below if name.startswith("lib") else tmp_path) / name
        subprocess.run([cc, *options[:3], source, *options[3:], "-o", target], check=True)
    return tmp_path


def test_where_there_are_no_versions_the_symbols_are_compared(compiled: Path) -> None:
    root = RootLibraries(compiled / "root")
    assert root.lacks(linkage_of([compiled / "uses_older.so"])) == ()
    newer = linkage_of([compiled / "uses_newer.so"])
    # Python's own symbols come from Python.
    assert newer.loose == (Loose(libraries=("libplain.so.1",), symbols=("newer",)),)
    assert root.lacks(newer) == ("libplain.so.1",)
    assert root.lacks(linkage_of([compiled / "uses_newer.so"], loose=False)) == ()


def test_what_is_no_library_is_left_out(tmp_path: Path) -> None:
    text = tmp_path / "a.so"
    text.write_text("GROUP ( libc.so.6 )")
    cut = tmp_path / "b.so"
    cut.write_bytes(b"\x7fELF")
    assert linkage_of([text, cut, tmp_path / "missing.so"]) == Linkage()


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 99)), min_size=1))
def test_releases_are_compared_by_their_numbers(releases: list[tuple[int, int]]) -> None:
    versions = [f"GLIBC_{major}.{minor}" for major, minor in releases]
    major, minor = max(releases)
    assert newest_release([*versions, "GLIBC_PRIVATE", "GLIBC_ABI_DT_RELR"]) == f"{major}.{minor}"

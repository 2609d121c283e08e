"""Interpreters are found by what they say when they are run; shims are passed over."""

from __future__ import annotations

import platform
import sys
from pathlib import Path

import pytest

from harness.errors import Unavailable
from harness.provision.python.interpreters import Interpreters, matches
from harness.provision.store import FolderStore

REAL = Path(sys.executable).resolve()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home whose pyenv has this test's Python, and shims that fail on PATH."""
    shims = tmp_path / ".pyenv" / "shims"
    shims.mkdir(parents=True)
    shim = shims / "python3.9"
    shim.write_text("#!/bin/sh\ntouch $HOME/shim-ran\nexit 127\n")
    shim.chmod(0o755)
    own = tmp_path / ".pyenv" / "versions" / "x" / "bin"
    own.mkdir(parents=True)
    (own / "python3").symlink_to(REAL)
    return tmp_path


def finder(home: Path) -> Interpreters:
    environ = {"HOME": str(home), "PATH": str(home / ".pyenv" / "shims")}
    return Interpreters(FolderStore(home / "store"), environ=environ, fetch=False)


def test_an_interpreter_says_who_it_is(home: Path) -> None:
    mine = [found for found in finder(home).all() if found.executable == REAL]
    assert [found.version for found in mine] == [platform.python_version()]
    assert mine[0].prefix == Path(sys.base_prefix)
    assert mine[0].libpython is None or mine[0].libpython.is_file()


def test_a_shim_is_not_run(home: Path) -> None:
    finder(home).all()
    assert not (home / "shim-ran").exists()


def test_find_takes_two_parts_or_three(home: Path) -> None:
    version = platform.python_version()
    series = ".".join(version.split(".")[:2])
    assert finder(home).find(version).version == version
    assert finder(home).find(series).version.startswith(f"{series}.")


def test_what_is_not_there_is_told_with_what_is(home: Path) -> None:
    with pytest.raises(Unavailable) as caught:
        finder(home).find("3.99")
    assert str(caught.value).startswith("no Python 3.99: this machine has ")
    assert platform.python_version() in str(caught.value)


def test_what_was_said_is_kept(home: Path) -> None:
    finder(home).all()
    store = FolderStore(home / "store")
    kept = [entry for entry in store.entries() if entry.description == str(REAL)]
    assert len(kept) == 1


def test_versions_match_by_parts() -> None:
    assert matches("3.12", "3.12.1")
    assert matches("3.12.1", "3.12.1")
    assert not matches("3.1", "3.12.1")
    assert not matches("3.12.1", "3.12.10")
    assert not matches("3.13.0", "3.13.0rc1")

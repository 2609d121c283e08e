"""How uv is told which Python it resolves for."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from harness.model.environment import Interpreter
from harness.resolve.python import Absent
from harness.resolve.uv import _python_options, platform_words


def interpreter(root: Path | None, libc: str | None) -> Interpreter:
    return Interpreter(
        executable=Path("/usr/bin/python3.9"),
        version="3.9.2",
        prefix=Path("/usr"),
        libpython=None,
        root=root,
        libc=libc,
    )


def test_one_of_this_machine_is_asked_itself() -> None:
    assert _python_options(interpreter(None, None)) == ("--python", "/usr/bin/python3.9")


def test_one_in_a_root_folder_is_told_by_its_version_and_c_library() -> None:
    # On this machine its path is nobody's, or another Python's.
    options = _python_options(interpreter(Path("/roots/bullseye"), "2.31"))
    assert options[:4] == ("--python", sys.executable, "--python-version", "3.9.2")
    assert options[4:] == ("--python-platform", platform_words("2.31"))


def test_one_that_is_not_here_is_told_by_its_version() -> None:
    options = _python_options(Absent(version="3.9.2"))
    assert options == ("--python", sys.executable, "--python-version", "3.9.2")


@pytest.mark.parametrize(
    ("libc", "known"), [("2.31", "2_31"), ("2.30", "2_28"), ("2.43", "2_40"), ("2.5", "2_17")]
)
def test_uv_knows_some_releases_of_the_c_library(libc: str, known: str) -> None:
    assert platform_words(libc).endswith(f"-manylinux_{known}")

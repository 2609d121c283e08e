from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from harness.execute.isolation import detect

Plant = Callable[[str], Path]


@pytest.fixture
def plant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Plant]:
    """Puts a program named bwrap on a PATH that has nothing else of the kind."""

    def planted(script: str) -> Path:
        program = tmp_path / "bwrap"
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        return program

    monkeypatch.setenv("PATH", str(tmp_path))
    detect.cache_clear()
    yield planted
    detect.cache_clear()


def test_not_installed(plant: Plant) -> None:
    assert detect().bubblewrap is None
    assert "apt-get install bubblewrap" in detect().why


def test_installed_but_without_namespaces(plant: Plant) -> None:
    plant("echo 'bwrap: No permissions to create new namespace' >&2; exit 1")
    assert detect().bubblewrap is None
    assert detect().why.endswith("bwrap: No permissions to create new namespace")


@pytest.mark.parametrize("which", ["--help", "--unshare-all"])
def test_a_trial_that_was_killed_is_made_again(plant: Plant, which: str) -> None:
    """Whoever kills what holds cells may meet it twice before the first cell."""
    program = plant(
        f'[ "$1" = {which} ] && for n in 1 2 3; do\n'
        '[ -e "$0.$n" ] || { : >"$0.$n"; kill -9 $$; }\n'
        "done\necho '    --size BYTES   --perms OCTAL '"
    )
    found = detect()
    assert (found.bubblewrap, found.tools.sizes) == (program, True)


def test_one_that_is_killed_each_time(plant: Plant) -> None:
    plant("kill -9 $$")
    assert detect().bubblewrap is None
    assert detect().why.endswith("it is killed each time")


def test_installed_setuid(plant: Plant) -> None:
    program = plant("exit 0")
    program.chmod(0o4755)
    if not program.stat().st_mode & 0o4000:
        pytest.skip("this disk takes no setuid")
    assert "setuid" in detect().why


def test_cannot_be_run(plant: Plant) -> None:
    plant("").write_bytes(b"\x7fELF nonsense")
    assert "cannot be run" in detect().why


def test_version_with_all_tools(plant: Plant) -> None:
    program = plant("echo '    --size BYTES   --perms OCTAL '")
    found = detect()
    assert (found.bubblewrap, found.why) == (program, "")
    assert found.tools.sizes
    assert found.tools.modes


def test_old_version(plant: Plant) -> None:
    plant("echo '    --tmpfs DEST'")
    assert not detect().tools.sizes


def test_found_out_once(plant: Plant, tmp_path: Path) -> None:
    plant("exit 0")
    first = detect()
    (tmp_path / "bwrap").unlink()
    assert detect() is first

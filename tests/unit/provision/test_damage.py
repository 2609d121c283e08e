"""Damage is a size that the package's own list does not have, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.provision.python.damage import damaged


@pytest.fixture
def environment(tmp_path: Path) -> Path:
    site = tmp_path / "lib/python3.11/site-packages"
    (site / "some/__pycache__").mkdir(parents=True)
    (site / "some_name-1.0.dist-info").mkdir()
    (site / "some/module.py").write_text("x = 1\n")
    (site / "some/__pycache__/module.cpython-311.pyc").write_bytes(b"compiled here")
    (site / "some_name-1.0.dist-info/RECORD").write_text(
        "some/module.py,sha256=x,6\n"
        "some/__pycache__/module.cpython-311.pyc,sha256=x,99\n"
        "some_name-1.0.dist-info/RECORD,,\n"
    )
    return tmp_path


def test_a_whole_package_whose_byte_code_was_compiled_anew(environment: Path) -> None:
    """numpy 1.26.4 lists byte code, which the harness's own compilation replaces."""
    assert damaged(environment) == ()


def test_a_file_of_another_size(environment: Path) -> None:
    (environment / "lib/python3.11/site-packages/some/module.py").write_text("x")
    assert damaged(environment) == ("some-name",)


def test_a_file_that_is_gone(environment: Path) -> None:
    (environment / "lib/python3.11/site-packages/some/module.py").unlink()
    assert damaged(environment) == ("some-name",)

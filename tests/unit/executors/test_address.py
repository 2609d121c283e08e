"""The value of ``--executor``."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from harness.errors import UsageError
from harness.executors.address import read_executor


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("local", None),
        ("dask://head:8786", "tcp://head:8786"),
        ("dask://10.0.0.1:1", "tcp://10.0.0.1:1"),
        ("dask://[::1]:8786", "tcp://[::1]:8786"),
        ("dask://tls://head:8786", "tls://head:8786"),
        ("dask:///shared/scheduler.json", "/shared/scheduler.json"),
    ],
)
def test_what_is_meant(text: str, address: str | None) -> None:
    assert read_executor(text) == address


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", r"write 'local', dask://HOST:PORT"),
        ("slurm", r"--executor 'slurm': write 'local', dask://HOST:PORT"),
        ("dask://", r"write 'local', dask://HOST:PORT"),
        ("dask:head:8786", r"write 'local', dask://HOST:PORT"),
        ("dask://head", r"named with its port; write dask://head:8786"),
        ("dask://head:http", r"'http' is no port; write dask://head:8786"),
    ],
)
def test_what_is_none_is_told_with_what_to_write(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        read_executor(text)


def test_the_recipes_for_a_cluster_do_without_a_folder_that_slurm_does_not_name() -> None:
    page = Path(__file__).parents[3] / "docs" / "how-to" / "run-on-a-cluster.md"
    uses = re.findall(r"\$\{?TMPDIR[^\s\"]*", page.read_text(encoding="utf-8"))
    assert uses == ["${TMPDIR:-/tmp}"] * 2

"""Puts a reproducer into a folder, and never over anything else."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from harness.errors import MachineFault, UsageError
from harness.repro.readme import MARK


def write(files: Mapping[str, str], folder: Path) -> None:
    """Write ``files`` into ``folder``, which is made where it is not there.

    Raises
    ------
    UsageError
        The folder has something in it, and is no reproducer that was made before.
    MachineFault
        It cannot be written.
    """
    try:
        if folder.exists() and not folder.is_dir():
            raise UsageError(f"{folder} is a file; name a folder with --out")
        if folder.is_dir() and any(folder.iterdir()) and not _is_ours(folder):
            raise UsageError(
                f"{folder} is not empty, and no reproducer that was made before: name another "
                "folder with --out"
            )
        folder.mkdir(parents=True, exist_ok=True)
        for name in _NAMES - files.keys():
            (folder / name).unlink(missing_ok=True)
        for name, text in files.items():
            (folder / name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise MachineFault(f"{folder} cannot be written: {error.strerror or error}") from error


_NAMES = frozenset(
    {
        "Dockerfile",
        "constraints.txt",
        "control.py",
        "repro.R",
        "repro.py",
        "repro.sh",
        "requirements.in",
        "requirements.lock",
        "server.py",
        "setup.sh",
        "work.py",
    }
)
"""What a reproducer of another kind may have left in its folder."""


def _is_ours(folder: Path) -> bool:
    try:
        return MARK in (folder / "README.md").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False

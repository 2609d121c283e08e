"""Packages of an environment whose files are not what their own list says.

uv links files from its cache without looking at them, so that a cache from which a file was
lost, or in which one was cut short, gives an environment that fails at some later import.
"""

from __future__ import annotations

import csv
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def damaged(environment: Path) -> tuple[str, ...]:
    """Names of packages with a file that is missing or has another size than ``RECORD`` says.

    Sizes alone, not hashes: some milliseconds instead of seconds, and what a disk or a broken
    download does to a file nearly always shows in its size.
    """
    return tuple(
        sorted(
            record.parent.name.split("-")[0].replace("_", "-").lower()
            for record in environment.glob("lib/python*/site-packages/*.dist-info/RECORD")
            if not _is_whole(record)
        )
    )


def _is_whole(record: Path) -> bool:
    site = str(record.parent.parent)
    with record.open(encoding="utf-8", newline="") as file:
        for row in csv.reader(file):
            # Without a size stand the list itself and what is compiled at installation.
            if len(row) < 3 or not row[2].isdigit():  # noqa: PLR2004 - path, hash, size
                continue
            # Some wheels (numpy 1.26.4) carry a compiled file, which ours replaces.
            if row[0].endswith(".pyc"):
                continue
            try:
                size = os.stat(os.path.join(site, row[0])).st_size  # noqa: PTH116, PTH118 - speed
            except OSError:
                return False
            if size != int(row[2]):
                return False
    return True

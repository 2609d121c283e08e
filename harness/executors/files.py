"""The files of a cell's folder as they travel between machines.

What comes from another machine is written below one folder and nowhere else: a name that leads
out of it is refused, links are neither packed nor followed.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Final

from harness.errors import MachineFault

LARGEST: Final = 32 * 2**20
"""Bytes of one file that travels; of a larger one, a note in its place tells the size."""
LEFT_OUT: Final = ".left-out"


def pack(folder: Path) -> dict[str, bytes]:
    """Return what the regular files below a folder hold, by their names relative to it."""
    found: dict[str, bytes] = {}
    for place, folders, files in os.walk(folder):
        folders.sort()
        for name in sorted(files):
            file = Path(place, name)
            if file.is_symlink() or not file.is_file():
                continue
            relative = file.relative_to(folder).as_posix()
            size = file.stat().st_size
            if size > LARGEST:
                found[relative + LEFT_OUT] = f"{size} bytes, left on the worker\n".encode()
            else:
                found[relative] = file.read_bytes()
    return found


def unpack(files: Mapping[str, bytes], folder: Path) -> None:
    """Write files below a folder, which is emptied of what was there by those who ask.

    Raises
    ------
    MachineFault
        A name leads out of the folder, or the folder cannot be written.
    """
    for name, content in files.items():
        path = PurePosixPath(name)
        if path.is_absolute() or not path.parts or ".." in path.parts or "\0" in name:
            raise MachineFault(
                f"{folder}: a worker sent a file named {name!r}, which is refused, because it "
                "would lie outside of the cell's folder; what runs on that worker is not the "
                "harness"
            )
        target = folder.joinpath(*path.parts)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise MachineFault(
                f"{target}: cannot be written ({reason}); free space or name another folder with "
                "--results"
            ) from None

"""The files of a cell's folder as they travel between machines.

What comes from another machine is written below one folder and nowhere else: a name that leads
out of it is refused, links are neither packed nor followed.  What a cell leaves behind is its own
affair: a file that cannot travel costs no measurement.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Final

from harness.errors import MachineFault

LARGEST: Final = 32 * 2**20
"""Bytes of one file that travels; of a larger one, a note in its place tells the size."""
LEFT_OUT: Final = ".left-out"
_NAME: Final = 200
"""Bytes of a file's name that its note keeps: more than 255 is no name with the ending."""
_NO_UTF8: Final = "its name is no UTF-8"
_FLAGS: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def pack(folder: Path) -> dict[str, bytes]:
    """Return what the regular files below a folder hold, by their names relative to it.

    In place of what is too large, cannot be read, or has a name that is no UTF-8, there is a note.
    """
    found: dict[str, bytes] = {}

    def leave(path: Path, why: str) -> None:
        found[_note_name(path.relative_to(folder).as_posix())] = (
            f"{why}, left on the worker\n".encode()
        )

    def unread(error: OSError) -> None:
        leave(Path(error.filename), _unreadable(error))

    for place, folders, files in os.walk(folder, onerror=unread):
        for name in [name for name in folders if not _is_utf8(name)]:
            folders.remove(name)
            leave(Path(place, name), _NO_UTF8)
        folders.sort()
        for name in sorted(files):
            path = Path(place, name)
            content = _content(path) if _is_utf8(name) else _NO_UTF8
            if isinstance(content, bytes):
                found[path.relative_to(folder).as_posix()] = content
            elif content is not None:
                leave(path, content)
    return found


def _content(path: Path) -> bytes | str | None:
    """Return what a file holds, or why it stays behind; ``None`` for a link, a pipe, a device."""
    try:
        if not stat.S_ISREG(path.lstat().st_mode):
            return None
        # Looked at once more, as something else may be in its place by now.
        with open(os.open(path, _FLAGS), "rb") as stream:  # noqa: PTH123 - by its number
            status = os.fstat(stream.fileno())
            if not stat.S_ISREG(status.st_mode):
                return None
            if status.st_size > LARGEST:
                return f"{status.st_size} bytes"
            content = stream.read(LARGEST + 1)
    except OSError as error:
        return _unreadable(error)
    return content if len(content) <= LARGEST else f"more than {LARGEST} bytes"


def _unreadable(error: OSError) -> str:
    return f"cannot be read ({error.strerror or error})"


def _is_utf8(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _note_name(path: str) -> str:
    """Return the name of the note in place of a file: one that any file system takes."""
    folder, slash, name = path.rpartition("/")
    name = os.fsencode(name).decode("utf-8", "backslashreplace")
    return folder + slash + name.encode()[:_NAME].decode("utf-8", "ignore") + LEFT_OUT


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

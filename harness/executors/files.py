"""The files of a cell's folder as they travel between machines.

What comes from another machine is written below one folder and nowhere else: a name that leads
out of it is refused, links are neither packed nor followed.  What a cell leaves behind is its own
affair: a file that cannot travel costs no measurement.
"""

from __future__ import annotations

import os
import stat
from collections import deque
from collections.abc import Container, Mapping
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Final

from harness.errors import MachineFault, disk_fault

LARGEST: Final = 32 * 2**20
"""Bytes of one file that travels; of a larger one, a note in its place tells the size."""
TOTAL: Final = 256 * 2**20
"""Bytes of all files of a cell that travel: they are held in memory, here and there."""
MOST: Final = 10_000
"""Files and folders of a cell that are looked at."""
DEEPEST: Final = 50
"""Parts that the path of a file may have at most."""
LEFT_OUT: Final = ".left-out"
_REST: Final = "files"
"""What the note is named after that stands for many files."""
_NAME: Final = 200
"""Bytes of a file's name that its note keeps: more than 255 is no name with the ending."""
_NO_UTF8: Final = "its name is no UTF-8"
_FLAGS: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def pack(folder: Path) -> dict[str, bytes]:
    """Return what the regular files below a folder hold, by their names relative to it.

    In place of what is too large, lies too deep, cannot be read, or has a name that is no UTF-8,
    there is a note; of files beyond :data:`MOST`, one for all.  Those that lie less deep come
    first, as the harness's own do.
    """
    found: dict[str, bytes] = {}
    room, places, seen = TOTAL, deque([PurePosixPath()]), 0
    while places:
        place = places.popleft()
        try:
            files, folders = _listed(folder / place, MOST - seen + 1)
        except OSError as error:
            beside = place if place.name else PurePosixPath(_REST)
            found[_note_name(beside, found)] = _note(_unreadable(error))
            continue
        taken = {str(place / name) for name in (*files, *folders)}
        for name in (*files, *folders):
            if (seen := seen + 1) > MOST:
                found[_note_name(PurePosixPath(_REST), found)] = _note(f"all but {MOST} files")
                return found
            path = place / name
            content: bytes | str | None
            if not _is_utf8(name):
                content = _NO_UTF8
            elif name not in folders:
                content = _content(folder / path, room)
            elif len(path.parts) >= DEEPEST:
                content = f"a folder below {DEEPEST - 1} others"
            else:
                places.append(path)
                continue
            if isinstance(content, bytes):
                found[str(path)] = content
                room -= len(content)
            elif content is not None:
                found[_note_name(path, taken | found.keys())] = _note(content)
    return found


def _listed(folder: Path, most: int) -> tuple[list[str], dict[str, None]]:
    """Return the names of what is no folder, and of folders, each in order; so many at most."""
    files: list[str] = []
    folders: list[str] = []
    with os.scandir(folder) as entries:
        for entry in islice(entries, most):
            try:
                is_folder = entry.is_dir(follow_symlinks=False)
            except OSError:
                is_folder = False
            (folders if is_folder else files).append(entry.name)
    return sorted(files), dict.fromkeys(sorted(folders))


def _content(path: Path, room: int) -> bytes | str | None:
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
            content = stream.read(min(LARGEST, room) + 1)
    except OSError as error:
        return _unreadable(error)
    if len(content) > LARGEST:
        return f"more than {LARGEST} bytes"
    if len(content) > room:
        return f"{status.st_size} bytes, and {TOTAL} is what the files of a cell may have together"
    return content


def _unreadable(error: OSError) -> str:
    return f"cannot be read ({error.strerror or error})"


def _is_utf8(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _note(why: str) -> bytes:
    return f"{why}, left on the worker\n".encode()


def _note_name(path: PurePosixPath, taken: Container[str]) -> str:
    """Return the name of the note in place of a file: one that any file system takes, and free."""
    name = os.fsencode(path.name).decode("utf-8", "backslashreplace")
    name = name.encode()[:_NAME].decode("utf-8", "ignore") + LEFT_OUT
    free, number = str(path.with_name(name)), 1
    while free in taken:
        number += 1
        free = str(path.with_name(f"{name}-{number}"))
    return free


def unpack(files: Mapping[str, bytes], folder: Path) -> None:
    """Write files below a folder, which is emptied of what was there by those who ask.

    A file that cannot lie here (its path is too long, another is in its place) is left out, and a
    note says so.

    Raises
    ------
    MachineFault
        A name leads out of the folder, or the folder or its disk cannot be written.
    """
    left_out: list[str] = []
    if not files:
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(folder, error) from None
    for name, content in files.items():
        path = PurePosixPath(name)
        if path.is_absolute() or not path.parts or ".." in path.parts or "\0" in name:
            raise MachineFault(
                f"{folder}: a worker sent a file named {name!r}, which is refused, because it "
                "would lie outside of the cell's folder; what runs on that worker is not the "
                "harness"
            )
        why = _written(folder.joinpath(*path.parts), content)
        if why:
            left_out.append(f"{name!r}: cannot be written here ({why})")
    if left_out:
        note = _free(folder)
        if note is not None:
            _written(note, ("\n".join(left_out) + "\n").encode())


def _written(target: Path, content: bytes) -> str:
    """Write a file; return why that is not possible, where it is only this one's fault."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    except OSError as error:
        if disk_fault(error, "", "") is not None:
            raise _unwritable(target, error) from None
        return error.strerror or str(error)
    except ValueError as error:
        return str(error)
    return ""


def _free(folder: Path) -> Path | None:
    """Return a place for the note on what could not be written."""
    names = (f"{_REST}{LEFT_OUT}", *(f"{_REST}{LEFT_OUT}-{n}" for n in range(2, 10)))
    return next((folder / name for name in names if not os.path.lexists(folder / name)), None)


def _unwritable(place: Path, error: OSError) -> MachineFault:
    return MachineFault(
        f"{place}: cannot be written ({error.strerror or error}); free space or name another "
        "folder with --results"
    )

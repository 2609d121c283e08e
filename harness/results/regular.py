"""Files of a folder of results that may come from a stranger, or have been planted by a cell.

A link in it may lead anywhere, and a pipe or a device has no end: only files that are files are
read, and none that lies behind a link.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import IO, Final

_FLAGS: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
LARGEST_FILE: Final = 64 * 2**20
LARGEST_CELL: Final = 2**30
"""Bytes that are copied of a cell's file, and of all: a file of gigabytes can take no room on the
disk that it comes from.  What the harness keeps of a cell's output is a megabyte or two."""
DEEPEST: Final = 200
LEFT_OUT: Final = "not-copied.txt"
_PIECE: Final = 2**20
_MOST_NOTES: Final = 1000
_LONGEST_NAME: Final = 200
_READABLE: Final = 0o644
_MODE: Final = stat.S_IRWXU | stat.S_IRGRP | stat.S_IXGRP | stat.S_IROTH | stat.S_IXOTH


def open_regular(file: Path) -> IO[bytes]:
    """Open a file for reading.  Raises ``OSError`` where it is a link, a pipe or a device."""
    number = os.open(file, _FLAGS)
    if not stat.S_ISREG(os.fstat(number).st_mode):
        os.close(number)
        raise OSError(errno.EINVAL, "it is no regular file", str(file))
    return os.fdopen(number, "rb")


def read_regular(file: Path, most: int) -> bytes:
    """Return up to ``most`` bytes of a file.  Raises ``OSError`` as ``open_regular`` does."""
    with open_regular(file) as stream:
        return stream.read(most)


def is_folder(path: Path) -> bool:
    """Tell whether ``path`` is a folder itself, and no link to one."""
    try:
        return stat.S_ISDIR(path.lstat().st_mode)
    except (OSError, ValueError):
        return False


def copy_regular(source: Path, target: Path) -> None:
    """Copy the files below a cell's folder; links, pipes and devices stay where they are.

    Files of ``target`` are replaced, and what cannot be read is left out.  So is what no cell of
    the harness leaves: of a file what is behind ``LARGEST_FILE``, of all what is behind
    ``LARGEST_CELL``, and what lies deeper than ``DEEPEST`` folders.  ``target`` then has a file
    ``LEFT_OUT`` that says so.

    Raises
    ------
    OSError
        ``target`` cannot be written.
    """
    if is_folder(source):
        _Copy(source, target).run()


class _Copy:
    """One folder's copy: what there is still room for, and what was left out."""

    def __init__(self, source: Path, target: Path) -> None:
        self._source, self._target = source, target
        self._room = LARGEST_CELL
        self._left_out: list[str] = []

    def run(self) -> None:
        # A list and no recursion: a folder may lie deeper than Python calls.
        waiting: list[tuple[str, ...]] = [()]
        while waiting:
            parts = waiting.pop()
            try:
                folders, files = _listed(self._source.joinpath(*parts))
            except OSError:
                self._leave_out(parts, "cannot be read")
                continue
            _make_folder(self._target.joinpath(*parts))
            for name in files:
                self._file((*parts, name))
            for name in folders:
                if len(parts) < DEEPEST:
                    waiting.append((*parts, name))
                else:
                    self._leave_out((*parts, name), f"lies deeper than {DEEPEST} folders")
        if self._left_out:
            lines = sorted(self._left_out[:_MOST_NOTES])
            more = len(self._left_out) - len(lines)
            lines += [f"and {more} more"] if more else []
            with _created(self._target / LEFT_OUT, _READABLE) as out:
                out.write("".join(f"{line}\n" for line in lines).encode("utf-8", "replace"))

    def _file(self, parts: tuple[str, ...]) -> None:
        try:
            stream = open_regular(self._source.joinpath(*parts))
        except OSError:
            return
        with stream:
            status = os.fstat(stream.fileno())
            most = min(LARGEST_FILE, self._room)
            with _created(self._target.joinpath(*parts), status.st_mode) as out:
                left = most
                while left > 0 and (piece := stream.read(min(left, _PIECE))):
                    out.write(piece)
                    left -= len(piece)
            self._room -= most - left
            if status.st_size > most:
                self._leave_out(parts, f"has {status.st_size} bytes, of which {most} are here")

    def _leave_out(self, parts: tuple[str, ...], why: str) -> None:
        name = "/".join(parts)
        shown = name if len(name) <= _LONGEST_NAME else f"{name[:_LONGEST_NAME]}..."
        self._left_out.append(f"{shown!r} {why}")


def _listed(folder: Path) -> tuple[list[str], list[str]]:
    """Return the names of the folders in a folder, and of what else there is."""
    folders: list[str] = []
    files: list[str] = []
    with os.scandir(folder) as children:
        for child in children:
            (folders if child.is_dir(follow_symlinks=False) else files).append(child.name)
    return sorted(folders), sorted(files)


def _make_folder(folder: Path) -> None:
    """Make a folder, also in the place of a link to one."""
    if not is_folder(folder):
        if folder.is_symlink():
            folder.unlink()
        folder.mkdir(parents=True)


def _created(file: Path, mode: int) -> IO[bytes]:
    """Return a new file in place of whatever is there."""
    file.unlink(missing_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    return os.fdopen(os.open(file, flags, mode & _MODE), "wb")

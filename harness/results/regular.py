"""Files of a folder of results that may come from a stranger, or have been planted by a cell.

A link in it may lead anywhere, and a pipe or a device has no end: only files that are files are
read, and none that lies behind a link.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
from pathlib import Path
from typing import IO, Final

_FLAGS: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
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
    """Copy the files below a folder; links, pipes and devices stay where they are.

    Files of ``target`` are replaced, and what cannot be read is left out.

    Raises
    ------
    OSError
        ``target`` cannot be written.
    """
    if not is_folder(source):
        return
    for place, folders, files in os.walk(source):
        below = target / Path(place).relative_to(source)
        below.mkdir(parents=True, exist_ok=True)
        folders[:] = [name for name in folders if is_folder(Path(place, name))]
        for name in files:
            try:
                stream = open_regular(Path(place, name))
            except OSError:
                continue
            with stream, _created(below / name, os.fstat(stream.fileno()).st_mode) as out:
                shutil.copyfileobj(stream, out)


def _created(file: Path, mode: int) -> IO[bytes]:
    """Return a new file in place of whatever is there."""
    file.unlink(missing_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    return os.fdopen(os.open(file, flags, mode & _MODE), "wb")

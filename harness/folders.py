"""What holds for every folder of results: nothing leads out of it, and what is in it stays.

A stranger may have laid it out, and a link in it leads to what was never meant.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import uuid
from contextlib import suppress
from itertools import accumulate
from pathlib import Path
from typing import Final

from harness.errors import FileFault, MachineFault

_NO_SYNC: Final = frozenset({errno.EINVAL, errno.ENOSYS, errno.ENOTSUP})
"""What a file system says that keeps files in no other way than its own."""
_NO_LOCKS: Final = frozenset({errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP})
"""What one says that keeps no locks: Lustre that is mounted without, NFS without its daemon."""


def real(folder: Path) -> Path:
    """Return a folder's path from the top, without links and ``..`` in it.

    A cell sees what is shown to it at the same path, in a file system in which what is beside it,
    a link on the way or the folder that ``..`` leaves, need not be there.

    Raises
    ------
    MachineFault
        It is relative to a folder that is gone.
    """
    try:
        return Path(os.path.realpath(folder))
    except FileNotFoundError:
        raise MachineFault(
            "the folder that this command was started in has been removed; change to another"
        ) from None


def refuse_links(root: Path, *names: str) -> None:
    """Refuse links in ``root``, which may be one itself, where something is to be written.

    Parameters
    ----------
    names
        Places below ``root``, such as ``cells/ID``; each part of them is looked at.

    Raises
    ------
    FileFault
        One of them is a link: what is written there would land elsewhere.  Or what should hold
        others is no folder.
    """
    seen: set[str] = set()
    for name in names:
        for part in accumulate(name.split("/"), "{}/{}".format):
            if part not in seen and _is_link(root / part):
                raise FileFault(
                    str(root / part),
                    "is a link, and what a run writes or clears there would be elsewhere; remove "
                    "the link, or name another folder with --results",
                )
            if part not in seen and part != name and _is_no_folder(root / part):
                raise FileFault(
                    str(root / part),
                    "is no folder, and a run makes one there; remove it, or name another folder "
                    "with --results",
                )
            seen.add(part)


def remove_tree(folder: Path) -> None:
    """Remove a folder with all that is in it, however deep, and without following a link.

    A link in its place is removed itself.  Folders that may not be looked into or written to (a
    root folder of Debian has some, and a cell may leave others) are opened first.  Nothing
    happens where nothing is there.

    Raises
    ------
    OSError
        Something cannot be removed.
    """
    try:
        is_folder = stat.S_ISDIR(folder.lstat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return
    if not is_folder:
        folder.unlink()
        return
    top = _entered(str(folder))
    try:
        _clear(top)
    finally:
        os.close(top)
    folder.rmdir()


def _clear(top: int) -> None:
    """Remove what is in an open folder.

    What lies deeper is moved up before it is looked into, so that neither the longest path nor
    the number of open files bounds how deep that may be; so does calling oneself.
    """
    token, moved = uuid.uuid4().hex, 0
    waiting = _unlinked(top)
    while waiting:
        name = waiting.pop()
        number = _entered(name, top)
        try:
            for child in _unlinked(number):
                above = f"{token}-{moved}"
                moved += 1
                _moved_up(child, number, above, top)
                waiting.append(above)
        finally:
            os.close(number)
        os.rmdir(name, dir_fd=top)


def _unlinked(number: int) -> list[str]:
    """Remove the files in an open folder; return the names of the folders in it."""
    folders = []
    with os.scandir(number) as children:
        for child in list(children):
            if child.is_dir(follow_symlinks=False):
                folders.append(child.name)
            else:
                os.unlink(child.name, dir_fd=number)
    return folders


def _entered(name: str, above: int | None = None) -> int:
    """Open a folder, which may then be read and written to."""
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        number = os.open(name, flags, dir_fd=above)
    except PermissionError:
        os.chmod(name, stat.S_IRWXU, dir_fd=above)
        number = os.open(name, flags, dir_fd=above)
    if os.fstat(number).st_mode & stat.S_IRWXU != stat.S_IRWXU:
        # Of another owner's, it may be removable all the same.
        with suppress(PermissionError):
            os.fchmod(number, stat.S_IRWXU)
    return number


def _moved_up(name: str, below: int, to: str, above: int) -> None:
    try:
        os.rename(name, to, src_dir_fd=below, dst_dir_fd=above)
    except PermissionError:
        # To be moved, a folder must be its owner's to write to.
        os.chmod(name, stat.S_IRWXU, dir_fd=below)
        os.rename(name, to, src_dir_fd=below, dst_dir_fd=above)


def lock(number: int, how: int, place: Path, instead: str) -> None:
    """Take the kernel's lock on an open file, which ends with its process, however that ends.

    Parameters
    ----------
    how
        As ``flock`` has it.
    place, instead
        The folder, and what to do where its file system keeps no locks.

    Raises
    ------
    BlockingIOError
        Another holds it, and ``how`` is not to wait.
    MachineFault
        There are no locks.
    """
    try:
        fcntl.flock(number, how)
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        raise MachineFault(f"{place}: this file system keeps no locks; {instead}") from error


def sync(number: int) -> None:
    """Bring an open file or folder to disk, where its file system knows how.

    Raises
    ------
    OSError
        It is not there: the disk is full or broken.
    """
    try:
        os.fsync(number)
    except OSError as error:
        if error.errno not in _NO_SYNC:
            raise


def _is_no_folder(path: Path) -> bool:
    try:
        return not stat.S_ISDIR(path.lstat().st_mode)
    except (OSError, ValueError):
        return False


def _is_link(path: Path) -> bool:
    try:
        return stat.S_ISLNK(path.lstat().st_mode)
    except (OSError, ValueError):
        return False

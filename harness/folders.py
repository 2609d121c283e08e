"""What holds for every folder of results: nothing leads out of it, and what is in it stays.

A stranger may have laid it out, and a link in it leads to what was never meant.
"""

from __future__ import annotations

import errno
import os
import stat
from itertools import accumulate
from pathlib import Path
from typing import Final

from harness.errors import FileFault

_NO_SYNC: Final = frozenset({errno.EINVAL, errno.ENOSYS, errno.ENOTSUP})
"""What a file system says that keeps files in no other way than its own."""


def refuse_links(root: Path, *names: str) -> None:
    """Refuse links in ``root``, which may be one itself, where something is to be written.

    Parameters
    ----------
    names
        Places below ``root``, such as ``cells/ID``; each part of them is looked at.

    Raises
    ------
    FileFault
        One of them is a link: what is written there would land elsewhere.
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
            seen.add(part)


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


def _is_link(path: Path) -> bool:
    try:
        return stat.S_ISLNK(path.lstat().st_mode)
    except (OSError, ValueError):
        return False

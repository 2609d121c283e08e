"""Folders that a stranger may have laid out: a link in one leads to what was never meant."""

from __future__ import annotations

import stat
from itertools import accumulate
from pathlib import Path

from harness.errors import FileFault


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


def _is_link(path: Path) -> bool:
    try:
        return stat.S_ISLNK(path.lstat().st_mode)
    except (OSError, ValueError):
        return False

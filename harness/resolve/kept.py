"""Answers of the resolver as they are kept in the store."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Final

import msgspec

MAX_AGE_S: Final = 86_400.0
"""What a new release can change is asked again after a day."""
FILE: Final = "answer.json"


class Kept(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An answer: pins, one ``name==version`` a line, or why there are none.

    ``asked`` is when, in seconds since the epoch.
    """

    asked: float
    pins: str | None = None
    message: str = ""
    detail: str = ""
    in_conflict: tuple[str, ...] = ()


def read(folder: Path) -> Kept | None:
    """Return the answer in a folder; ``None`` where there is none that can be read."""
    try:
        return msgspec.json.decode((folder / FILE).read_bytes(), type=Kept)
    except (OSError, ValueError, RecursionError, msgspec.MsgspecError):
        return None


def write(folder: Path, kept: Kept) -> None:
    """Put an answer into a folder; whoever reads meanwhile finds the old one or the new one."""
    draft = folder / f".{os.getpid()}-{threading.get_ident()}"
    draft.write_bytes(msgspec.json.encode(kept))
    draft.replace(folder / FILE)

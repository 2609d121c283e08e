"""Packages that a suite turned out not to have: to find out costs mmdebstrap a minute each time."""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from harness.model.environment import Store
    from harness.provision.r.suites import Suite

_KIND: Final = "r-absent"
_FILE: Final = "absent.json"
_DAY_S: Final = 86_400.0
_RELEASED_DAYS: Final = 30
"""A released suite gets no new packages, but may be made anew or come from another archive."""


class Absent:
    """What is known of one suite; two processes that write at once may lose one's note."""

    def __init__(self, suite: Suite, mirror: str, store: Store) -> None:
        self._lasts_s = _DAY_S if suite.rolling else _RELEASED_DAYS * _DAY_S
        self._folder = store.ensure(
            _KIND,
            hashlib.sha256(f"{suite.name}\0{mirror}".encode()).hexdigest(),
            _nothing,
            description=f"packages that Debian {suite.name} turned out not to have",
        )

    def among(self, packages: Iterable[str], now: float | None = None) -> tuple[str, ...]:
        """Return those of ``packages`` that the suite did not have not long ago."""
        since = (time.time() if now is None else now) - self._lasts_s
        known = _read(self._folder)
        return tuple(sorted(name for name in packages if known.get(name, 0.0) > since))

    def add(self, packages: Iterable[str]) -> None:
        """Remember that the suite has not got ``packages``."""
        known = {**_read(self._folder), **dict.fromkeys(packages, time.time())}
        draft = self._folder / f".{os.getpid()}-{threading.get_ident()}"
        # Where the store cannot be written, it is found out again the next time.
        with suppress(OSError):
            draft.write_bytes(msgspec.json.encode(known))
            draft.replace(self._folder / _FILE)


def _nothing(folder: Path) -> None:
    (folder / _FILE).write_bytes(b"{}")


def _read(folder: Path) -> dict[str, float]:
    try:
        return msgspec.json.decode((folder / _FILE).read_bytes(), type=dict[str, float])
    except (OSError, msgspec.DecodeError):
        return {}

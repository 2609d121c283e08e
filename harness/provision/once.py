"""What is made once for each name, however many threads ask for it at the same time."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Generic, TypeVar

from harness.errors import HarnessError

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

Made = TypeVar("Made")


class Once(Generic[Made]):
    """Remembers what was made, and why something could not be made."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._locks: dict[Hashable, threading.Lock] = {}
        self._made: dict[Hashable, Made | HarnessError] = {}

    def __call__(self, key: Hashable, make: Callable[[], Made]) -> Made:
        """Return what ``make`` gave for ``key``; raise again what it raised, if it was an error."""
        with self._guard:
            lock = self._locks.setdefault(key, threading.Lock())
        with lock:
            known = self._made.get(key)
            if known is None:
                try:
                    known = make()
                except HarnessError as error:
                    known = error
                self._made[key] = known
        if isinstance(known, HarnessError):
            raise known
        return known

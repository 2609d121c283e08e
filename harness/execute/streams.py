"""Moves what a process tree writes into its captures, both streams at once."""

from __future__ import annotations

import os
import selectors
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.execute.capture import Capture

_CHUNK: Final = 2**18


class Streams:
    """Reads descriptors as soon as they have something, and can be woken by one more.

    Parameters
    ----------
    captures
        Where the bytes of each descriptor go.  The descriptors stay the caller's.
    """

    def __init__(self, captures: Mapping[int, Capture]) -> None:
        self._captures = dict(captures)
        self._selector = selectors.DefaultSelector()
        self._alarm: int | None = None
        for descriptor in self._captures:
            os.set_blocking(descriptor, False)
            self._selector.register(descriptor, selectors.EVENT_READ)

    def pump(self, seconds: float, alarm: int | None = None) -> None:
        """Wait for output or for ``alarm``, at most ``seconds``, and take what is there."""
        if alarm != self._alarm:
            self._set_alarm(alarm)
        if not self._selector.get_map():
            time.sleep(seconds)
            return
        for key, _ in self._selector.select(seconds):
            descriptor = key.fd
            if descriptor == self._alarm:
                continue
            try:
                data = os.read(descriptor, _CHUNK)
            except BlockingIOError:
                continue
            if data:
                self._captures[descriptor].feed(data)
            else:
                self._selector.unregister(descriptor)

    def drain(self, seconds: float) -> None:
        """Take what is left in the pipes, until they end or ``seconds`` are over."""
        self._set_alarm(None)
        deadline = time.monotonic() + seconds
        while self._selector.get_map() and (left := deadline - time.monotonic()) > 0:
            self.pump(left)

    def close(self) -> None:
        """Stop watching."""
        self._selector.close()

    def _set_alarm(self, alarm: int | None) -> None:
        if self._alarm is not None:
            self._selector.unregister(self._alarm)
        if alarm is not None:
            self._selector.register(alarm, selectors.EVENT_READ)
        self._alarm = alarm

"""One measurement at a time on a machine: two at once would measure each other."""

from __future__ import annotations

import errno
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_NAME = "\0r-python-harness-measures"
"""A name of Linux's own, no file: of the whole machine, and free as soon as its holder is gone,
however that ends."""
_LOOK_S = 0.5


@contextmanager
def alone(notify: Callable[[str], None]) -> Iterator[None]:
    """Wait until no other harness on this machine measures latency, and keep others waiting.

    What else the machine does is not held back.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as held:
        waited = False
        while not _take(held):
            if not waited:
                notify("another harness measures on this machine; waiting for its end")
            waited = True
            time.sleep(_LOOK_S)
        yield


def _take(held: socket.socket) -> bool:
    try:
        held.bind(_NAME)
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        return False
    return True

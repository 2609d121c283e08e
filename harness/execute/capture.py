"""Bounded capture of a stream: the head and the tail are kept, the middle is counted.

The head is written as it comes, so that it is there when the harness itself is killed; the
tail waits in memory, at most twice its size, until the stream ends.
"""

from __future__ import annotations

import errno
import os
import shutil
from typing import TYPE_CHECKING, Final

from harness.errors import MachineFault

if TYPE_CHECKING:
    from pathlib import Path

_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
_LEAST_FREE: Final = 4096
_LAST: Final = 4096


class Capture:
    """One stream on its way into one file.

    Parameters
    ----------
    path
        The file; written over.
    keep
        Bytes that are kept: half of them from the head, half from the tail.

    Raises
    ------
    MachineFault
        Where the file cannot be written, from any method; the message names the file and
        whether its disk is full.
    """

    def __init__(self, path: Path, keep: int) -> None:
        self._path = path
        self._head_left = keep // 2
        self._tail_size = keep - keep // 2
        self._tail = bytearray()
        self.cut = 0
        """Bytes that were thrown away so far, less those that still wait for it in memory."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
        try:
            self._descriptor = os.open(path, flags, 0o644)
        except OSError as error:
            raise unwritable(path, error) from error

    def feed(self, data: bytes) -> None:
        """Take the next bytes of the stream."""
        if self._head_left:
            head, data = data[: self._head_left], data[self._head_left :]
            self._head_left -= len(head)
            self._write(head)
        if data:
            self._tail += data
            # Cut only when twice the size is there: each byte is then moved once at most.
            if len(self._tail) > 2 * self._tail_size:
                self._cut_tail()

    def finish(self) -> None:
        """Write the mark and the tail."""
        self._cut_tail()
        if self.cut:
            mark = f"\n[harness: {self.cut} bytes of output cut here]\n"
            self._write(mark.encode())
        self._write(bytes(self._tail))
        self._tail.clear()

    def close(self) -> None:
        """Close the file as it is."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _cut_tail(self) -> None:
        surplus = len(self._tail) - self._tail_size
        if surplus > 0:
            self.cut += surplus
            del self._tail[:surplus]

    def _write(self, data: bytes) -> None:
        view = memoryview(data)
        try:
            while view:
                view = view[os.write(self._descriptor, view) :]
        except OSError as error:
            raise unwritable(self._path, error) from error


def last_line(path: Path) -> str:
    """Return the last line of a kept stream that is not blank, as text; empty for none."""
    try:
        with path.open("rb") as stream:
            stream.seek(0, os.SEEK_END)
            stream.seek(max(0, stream.tell() - _LAST))
            lines = stream.read(_LAST).decode("utf-8", errors="replace").split("\n")
    except OSError:
        return ""
    return next((line.strip() for line in reversed(lines) if line.strip()), "")


def unwritable(path: Path, error: OSError) -> MachineFault:
    """Return the sentence for a file of the results that cannot be written."""
    if error.errno in _FULL:
        return disk_full(path)
    return MachineFault(
        f"{path}: cannot be written ({error.strerror}); give a results folder that can be"
        " written with --results"
    )


def disk_full(path: Path) -> MachineFault:
    """Return the sentence for a disk that has no room for the results."""
    return MachineFault(
        f"{path}: the disk is full; free some space or give another folder with --results,"
        " and run the same command again: what is done stays done"
    )


def require_space(path: Path) -> None:
    """Raise where the disk of ``path`` is full.

    A child that could not write its events looks like one that ended without a result; this
    keeps the machine's fault from being told as the cell's.
    """
    try:
        free = shutil.disk_usage(path.parent).free
    except OSError as error:
        raise unwritable(path, error) from error
    if free < _LEAST_FREE:
        raise disk_full(path)

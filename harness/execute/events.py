"""Reading what a cell wrote to its events file, which is under the cell's control.

Nothing here trusts the file: it can be cut in the middle of a line, hold bytes that are no
text, grow without end, or be replaced by a pipe that never answers.
"""

from __future__ import annotations

import json
import os
import stat
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path

MAX_BYTES: Final = 16 * 2**20
"""What is read of an events file at most."""
MAX_LINES: Final = 100_000
MAX_LINE_BYTES: Final = 2**20
"""A longer line is junk: the longest honest one holds a traceback."""
_CHUNK: Final = 2**18


class EventLog(NamedTuple):
    """What could be read of an events file.

    ``events`` are the objects with a textual ``event``, in the order of the file.  ``junk``
    counts the lines that are anything else, a last line cut short among them.
    ``truncated`` says that the file was longer than what is read of one.
    """

    events: tuple[dict[str, Any], ...]
    junk: int = 0
    truncated: bool = False


def read_events(path: Path) -> EventLog:
    """Read an events file; never raises, and a missing file is one without events."""
    descriptor = _open_regular(path)
    if descriptor is None:
        return EventLog(())
    tail = EventTail(path, descriptor)
    events: list[dict[str, Any]] = []
    lines = 0
    junk = 0
    truncated = False
    try:
        while True:
            found, at_end = tail.read_lines()
            for line in found:
                lines += 1
                event = parse_line(line)
                if event is not None:
                    events.append(event)
                elif line.strip():
                    junk += 1
            if at_end:
                break
            if lines >= MAX_LINES or tail.offset >= MAX_BYTES:
                truncated = True
                break
    finally:
        tail.close()
    if not truncated and tail.rest:
        # A line without its end is whole when only the line feed is missing.
        event = parse_line(tail.rest)
        if event is None:
            junk += 1
        else:
            events.append(event)
    return EventLog(tuple(events), junk + tail.dropped, truncated)


def parse_line(line: bytes) -> dict[str, Any] | None:
    """Return the event on one line, or ``None`` where there is none; never raises."""
    try:
        value = json.loads(line.decode("utf-8", errors="replace"))
    # RecursionError: a line of opening brackets only.
    except (ValueError, RecursionError):
        return None
    if isinstance(value, dict) and isinstance(value.get("event"), str):
        return value
    return None


class EventTail:
    """Follows an events file while it grows, with little memory whatever is written to it."""

    def __init__(self, path: Path, descriptor: int | None = None, *, offset: int = 0) -> None:
        self._path = path
        self._descriptor = descriptor
        self.offset = offset
        """Bytes of the file that were read."""
        self.rest = b""
        """The start of a line whose end was not written yet."""
        self.dropped = 0
        """Lines that were too long to keep."""
        self._dropping = False

    @classmethod
    def from_end(cls, path: Path) -> EventTail:
        """Follow only what is written from now on."""
        try:
            size = path.lstat().st_size
        except OSError:
            size = 0
        return cls(path, offset=size)

    def read_lines(self) -> tuple[list[bytes], bool]:
        """Return the lines of at most 256 KiB more, and whether that was all there is."""
        data = self._read()
        if not data:
            return [], True
        self.offset += len(data)
        *lines, rest = (self.rest + data).split(b"\n")
        if self._dropping and lines:
            lines.pop(0)
            self._dropping = False
        if self._dropping or len(rest) > MAX_LINE_BYTES:
            self.dropped += not self._dropping
            self._dropping, rest = True, b""
        self.rest = rest
        return lines, len(data) < _CHUNK

    def close(self) -> None:
        """Close the file; what was read stays."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _read(self) -> bytes:
        if self._descriptor is None:
            self._descriptor = _open_regular(self._path)
        if self._descriptor is None:
            return b""
        try:
            return os.pread(self._descriptor, _CHUNK, self.offset)
        except OSError:
            return b""


def _open_regular(path: Path) -> int | None:
    # The cell owns the folder: a pipe in the file's place would block for ever, and a
    # symbolic link would make the harness read a file for the cell that the cell cannot see.
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        descriptor = os.open(path, flags)
    except OSError:
        return None
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return descriptor
    os.close(descriptor)
    return None

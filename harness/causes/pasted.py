"""A pasted log as text: whatever its encoding, and however long it is.

Of a log that is longer than what a person would read, the beginning, the end, and the
surroundings of each word of trouble in between are kept; the rest is progress bars.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final

from harness.causes.log import LEFT_OUT
from harness.errors import FileFault

WHOLE: Final = 1_000_000
"""Bytes up to which a log is read whole."""
_MOST: Final = 500_000_000
"""Bytes that are read of what has no size, such as a pipe, which may have no end either."""
_HEAD: Final = 250_000
_TAIL: Final = 500_000
_AROUND: Final = 3_000
"""Bytes kept on each side of a word of trouble."""
_PER_WORD: Final = 20
_WORDS: Final = (
    *(b"Error", b"ERROR", b"Traceback", b"caught ", b"Fatal", b"Fehler", b"Erreur"),
    *(b"undefined symbol", b"Could not", b"not found", b"Killed", b"core dumped", b"Illegal"),
)
_BINARY: Final = 0.02
"""Share of NUL bytes from which on a file that is no UTF-16 is no text."""


def read_pasted(name: str, stream: IO[bytes] | None = None) -> str:
    """Return the log in a file, or in ``stream`` where one is given.

    Bytes that are no text are replaced, never refused.

    Raises
    ------
    FileFault
        The file is missing, empty, a folder, without an end, or no text at all.
    """
    if stream is not None:
        return _text(name, _shortened(_read(name, stream)))
    path = Path(name)
    try:
        if path.is_dir():
            raise FileFault(name, "is a folder; name a file with a log, or - for standard input")
        with path.open("rb") as opened:
            size = path.stat().st_size
            if size <= WHOLE:
                return _text(name, _shortened(_read(name, opened)))
            with mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
                return _text(name, _shortened(mapped))
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise FileFault(
            name, f"cannot be read: {reason}; name a file with a log, or - for standard input"
        ) from None


def _read(name: str, stream: IO[bytes]) -> bytes:
    content = stream.read(_MOST + 1)
    if len(content) > _MOST:
        raise FileFault(
            name, f"has more than {_MOST // 10**6} MB; write its end into a file, and name that"
        )
    return content


def _text(name: str, pieces: list[bytes]) -> str:
    start = pieces[0][:100_000] if pieces else b""
    if not any(piece.strip() for piece in pieces):
        raise FileFault(name, "is empty; paste what was printed when it failed")
    encoding = _encoding(start)
    if encoding is None:
        raise FileFault(name, "is no text; name a file with what was printed")
    return "".join(piece.decode(encoding, errors="replace") for piece in pieces)


def _encoding(start: bytes) -> str | None:
    """Return the encoding of a log by its first bytes; ``None`` for what is no text.

    Windows PowerShell writes UTF-16 where ``>`` sends output to a file.
    """
    if start.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    even, odd = start[::2].count(0), start[1::2].count(0)
    if even + odd > len(start) * _BINARY:
        most = len(start) * 0.2
        if odd > most and even < most / 10:
            return "utf-16-le"
        if even > most and odd < most / 10:
            return "utf-16-be"
        return None
    try:
        # The last character may be cut in two.
        start[:-4].decode("utf-8")
    except UnicodeDecodeError:
        # As many errors as an old locale makes; latin-1 takes every byte.
        wrong = start.decode("utf-8", errors="replace").count("\ufffd")
        control = sum(start.count(bytes([code])) for code in (*range(1, 7), *range(14, 27)))
        if control > len(start) * 0.05:
            return None
        return "cp1252" if wrong > len(start) * 0.001 else "utf-8"
    return "utf-8"


def _shortened(whole: bytes | mmap.mmap) -> list[bytes]:
    """Return the parts of a log that are looked at, in order, with marks between them."""
    size = len(whole)
    if size <= WHOLE:
        return [whole[:]]
    kept = sorted([(0, _HEAD), (size - _TAIL, size), *_surroundings(whole, _HEAD, size - _TAIL)])
    pieces: list[bytes] = []
    reached = 0
    for begin, end in kept:
        if begin > reached:
            gap = LEFT_OUT.format(whole[reached:begin].count(b"\n"))
            pieces.append(f"\n{gap}\n".encode())
        if end > reached:
            pieces.append(whole[max(begin, reached) : end])
            reached = end
    return pieces


def _surroundings(whole: bytes | mmap.mmap, begin: int, end: int) -> Iterator[tuple[int, int]]:
    for word in _WORDS:
        position = begin
        for _ in range(_PER_WORD):
            position = whole.find(word, position, end)
            if position < 0:
                break
            yield max(position - _AROUND, 0), position + _AROUND
            position += _AROUND

"""A file of an index, read in parts: the metadata of a wheel of 500 MB are some kilobytes.

uv does the same where an index serves no metadata beside its wheels.  Of the libraries,
remotezip does it over requests, which knows nothing of the settings of pip and uv.
"""

from __future__ import annotations

import io

from harness.errors import Unavailable
from harness.registry.disk import metadata_in
from harness.registry.fetch import Fetcher
from harness.registry.places import Place

_PART = 1 << 16


def metadata_of_remote(fetcher: Fetcher, place: Place, address: str) -> str | None:
    """Return the core metadata inside a wheel of an index.

    ``None`` where the server does not give parts of files, or it is no whole wheel.
    """
    try:
        raw = _Parts(fetcher, place, address)
    except _NoPartsError:
        return None
    with raw, io.BufferedReader(raw, _PART) as stream:
        try:
            return metadata_in(stream)
        except OSError as error:
            if isinstance(error.__cause__, Unavailable):
                raise error.__cause__ from None
            return None


class _NoPartsError(Exception):
    """The server does not give parts of a file."""


class _Parts(io.RawIOBase):
    """A remote file; each read is a request."""

    def __init__(self, fetcher: Fetcher, place: Place, address: str) -> None:
        self._fetcher, self._place, self._address = fetcher, place, address
        self._at = 0
        found = fetcher.part(place, address, 0, 1)
        if found is None:
            raise _NoPartsError
        self._size = found[1]

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = max(start + offset, 0)
        return self._at

    def readinto(self, buffer: bytearray | memoryview, /) -> int:  # type: ignore[override]
        length = min(len(buffer), self._size - self._at)
        if length <= 0:
            return 0
        try:
            found = self._fetcher.part(self._place, self._address, self._at, length)
        except Unavailable as error:
            raise OSError("out of reach") from error
        if found is None:
            raise OSError("a part is missing")
        body = found[0][:length]
        buffer[: len(body)] = body
        self._at += len(body)
        return len(body)

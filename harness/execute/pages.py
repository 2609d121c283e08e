"""Putting files out of the page cache, so that the next process has to read them from the disk.

No rights are needed for it: ``posix_fadvise`` with ``POSIX_FADV_DONTNEED`` drops the clean pages
of a file that no process has mapped.  What some process has mapped stays (the C library, where a
cell uses the machine's own), and so does what was never written to the disk: how much of the
files is in memory afterwards is therefore asked of the kernel (``mincore``) and not assumed.
"""

from __future__ import annotations

import contextlib
import ctypes
import mmap
import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import msgspec

_PAGE: Final = mmap.PAGESIZE
_MB: Final = 2**20


class Pages(msgspec.Struct, frozen=True, kw_only=True):
    """How much of some files was in memory before and after, in MiB, of how much in all.

    ``None`` where the kernel does not tell.
    """

    files: int
    size_mb: float
    before_mb: float | None
    after_mb: float | None


def put_out_of_memory(folders: Iterable[Path]) -> Pages:
    """Have the kernel forget the pages of every file below ``folders``.

    Files that cannot be opened are passed over.
    """
    resident = _Resident()
    files, size = 0, 0
    before, after = 0, 0
    for path in _files(folders):
        with contextlib.suppress(OSError), _opened(path) as descriptor:
            length = os.fstat(descriptor).st_size
            if not length:
                continue
            files, size = files + 1, size + length
            before += resident.pages(descriptor, length)
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            after += resident.pages(descriptor, length)
    return Pages(
        files=files,
        size_mb=round(size / _MB, 1),
        before_mb=round(before * _PAGE / _MB, 1) if resident.known else None,
        after_mb=round(after * _PAGE / _MB, 1) if resident.known else None,
    )


def _files(folders: Iterable[Path]) -> Iterator[str]:
    """Yield every regular file once, hard links and folders inside each other apart."""
    seen: set[tuple[int, int]] = set()
    for top in folders:
        if top.is_file():
            yield str(top)
        for folder, _, names in os.walk(top):
            for name in names:
                path = f"{folder}/{name}"
                try:
                    found = os.lstat(path)
                except OSError:
                    continue
                # A pipe would be waited for, and a device is none of ours.
                if stat.S_ISREG(found.st_mode) and (key := _key(found)) not in seen:
                    seen.add(key)
                    yield path


def _key(found: os.stat_result) -> tuple[int, int]:
    return found.st_dev, found.st_ino


@contextlib.contextmanager
def _opened(path: str) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


class _Resident:
    """Asks how many pages of a file are in memory; ``known`` turns false where nobody says."""

    def __init__(self) -> None:
        self.known = True
        library = ctypes.CDLL(None, use_errno=True)
        self._map, self._unmap, self._incore = library.mmap, library.munmap, library.mincore
        size, pointer = ctypes.c_size_t, ctypes.c_void_p
        self._map.restype = pointer
        self._map.argtypes = [pointer, size, ctypes.c_int, ctypes.c_int, ctypes.c_int, size]
        self._unmap.argtypes = [pointer, size]
        self._incore.argtypes = [pointer, size, ctypes.c_char_p]

    def pages(self, descriptor: int, length: int) -> int:
        """Return the number of pages; 0 where it is not known."""
        # The mapping of the module mmap has no address to ask with unless it can be written to.
        address = self._map(None, length, mmap.PROT_READ, mmap.MAP_SHARED, descriptor, 0)
        if address in (None, ctypes.c_void_p(-1).value):
            self.known = False
            return 0
        count = -(-length // _PAGE)
        found = ctypes.create_string_buffer(count)
        try:
            if self._incore(address, length, found) != 0:
                self.known = False
                return 0
            return sum(byte & 1 for byte in found.raw)
        finally:
            self._unmap(address, length)

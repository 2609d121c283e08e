"""Appends events to ``journal.jsonl`` so that a kill costs at most the line being written.

What took a measurement to know is on disk before the run goes on, so that a crash of the machine
does not cost it either; other events are with the kernel, and follow with the next such.

The first event that a process writes says by which version of the schema it does: an older harness
that goes on with the file, or reads it, is to say that it is too old, and not that it is damaged.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import threading
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec

from harness.errors import FileFault, MachineFault
from harness.folders import lock, refuse_links, sync
from harness.model.document import SCHEMA

FILE_NAME = "journal.jsonl"
PREVIOUS = "journal.previous.jsonl"
"""The journal before, where a run was begun anew with ``--fresh``."""
_LOCK = ".lock"
_MEASURED = frozenset({"cell-finished", "pair", "remedy-tried"})
"""Events that cannot be had again without measuring again."""


class Journal:
    """The journal of one results folder, open for appending by one process alone.

    Parameters
    ----------
    folder
        The results folder; made where it is not there.
    fresh
        Put a journal that says anything aside (``PREVIOUS``) and begin a new one.

    Raises
    ------
    MachineFault
        The folder cannot be written, or another run is writing to it.
    FileFault
        What should be the journal is a link, or no file.
    """

    def __init__(self, folder: Path, *, fresh: bool = False) -> None:
        self.path = folder / FILE_NAME
        # What a link leads to would be written to, or made.
        refuse_links(folder, FILE_NAME, _LOCK)
        self._mutex = threading.Lock()
        self._encoder = msgspec.json.Encoder()
        self._is_begun = False
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._lock = _locked(folder)
            try:
                # One that was just begun anew takes the place of none that tells of a run.
                if fresh and self.path.exists() and self.path.stat().st_size:
                    self.path.replace(folder / PREVIOUS)
                self._file = _opened(self.path)
                self._end_cut_line()
                _sync_folder(folder)
            except BaseException:
                os.close(self._lock)
                raise
        except OSError as error:
            raise _fault(self.path, error) from None

    def _end_cut_line(self) -> None:
        """End a line that a kill cut short, so that the next event has a line of its own."""
        size = os.fstat(self._file).st_size
        if size and os.pread(self._file, 1, size - 1) != b"\n":
            os.write(self._file, b"\n")

    def append(self, event: str, **values: Any) -> None:
        """Write one event; it is with the kernel when this returns, and a measured one on disk.

        Raises
        ------
        MachineFault
            The disk is full or the folder went away; what was written before is whole.
        """
        self._write({"event": event, **values})
        if event in _MEASURED:
            try:
                # Others may write meanwhile: a busy disk takes its time.
                sync(self._file)
            except OSError as error:
                raise _fault(self.path, error) from None

    def _write(self, event: Mapping[str, Any]) -> None:
        with self._mutex:
            if not self._is_begun:
                event = {**event, "schema": SCHEMA}
            line = self._encoder.encode(event) + b"\n"
            size = os.fstat(self._file).st_size
            try:
                written = 0
                while written < len(line):
                    written += os.write(self._file, line[written:])
            except OSError as error:
                # Half a line would be read as damage: take it back, which frees space, too.
                os.ftruncate(self._file, size)
                raise _fault(self.path, error) from None
            self._is_begun = True

    def close(self) -> None:
        """Let others write here."""
        os.close(self._file)
        os.close(self._lock)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _locked(folder: Path) -> int:
    """Return the open lock of a results folder, which nobody else can have meanwhile."""
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    number = os.open(folder / _LOCK, flags, 0o644)
    try:
        lock(
            number, fcntl.LOCK_EX | fcntl.LOCK_NB, folder, "name one on another disk with --results"
        )
    except BaseException as error:
        os.close(number)
        if isinstance(error, BlockingIOError):
            raise MachineFault(
                f"{folder}: another run is writing here; wait for it or name another folder "
                "with --results"
            ) from None
        raise
    return number


def _opened(path: Path) -> int:
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    file = os.open(path, flags, 0o644)
    if not stat.S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        raise FileFault(str(path), "is no file; remove it, or name another folder with --results")
    return file


def _sync_folder(folder: Path) -> None:
    """Bring to disk that a file is in a folder."""
    number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        sync(number)
    finally:
        os.close(number)


def _fault(path: Path, error: OSError) -> MachineFault:
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return MachineFault(
            f"{path.parent}: the disk is full; free some space and run the same command again, "
            "which goes on where this run stopped"
        )
    reason = (error.strerror or str(error)).lower()
    return MachineFault(
        f"{path.parent}: results cannot be written here ({reason}); name another folder "
        "with --results"
    )

"""Reports of a results folder."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Final
from urllib.parse import urlsplit

import msgspec

from harness.errors import MachineFault, UsageError
from harness.report.base import (
    DEFAULTS,
    BinaryReport,
    File,
    FolderReport,
    Log,
    Options,
    TextReport,
    options_for,
)
from harness.report.registry import find
from harness.results.load import load
from harness.results.regular import is_folder, open_regular

CONTENTS: Final = "contents.txt"
"""The file of a written folder that lists the others: what may be removed the next time."""
_TEXTS: Final = (
    "stderr",
    "stdout",
    "requirements.lock",
    "command.sh",
    "driver.R",
    "driver.py",
    "request.json",
)
"""What is shown of a cell's folder, in this order."""


def options_of(since: Sequence[Path] = (), site: str = "") -> Options:
    """Return the options of a report that looks back, or whose pages are published.

    ``since`` are folders of earlier results, in any order; ``site`` is the address of the pages.

    Raises
    ------
    UsageError
        A folder holds no results, or the address is none.
    """
    if site and (urlsplit(site).scheme not in {"http", "https"} or not urlsplit(site).netloc):
        raise UsageError(f"--site {site} is no address of web pages: write https://HOST/PATH/")
    earlier = sorted(map(load, since), key=lambda one: (one.started_at, one.finished_at or ""))
    return Options(since=tuple(earlier), site=f"{site.rstrip('/')}/" if site else "")


def render(folder: Path, form: str, *, to_terminal: bool, options: Options = DEFAULTS) -> str:
    """Return the report of the results in ``folder``, in a format that is a text.

    ``to_terminal`` adapts colour and width to standard output.

    Raises
    ------
    UsageError
        There is no such format, or it is no text, or ``folder`` holds no results.
    """
    report = find(form)
    if not isinstance(report, TextReport):
        kind = "a folder of files" if isinstance(report, FolderReport) else "no text"
        where = "DIR" if isinstance(report, FolderReport) else "FILE"
        raise UsageError(f"the format {form} is {kind}: say where to write it, --out {where}")
    if to_terminal:
        width = shutil.get_terminal_size((100, 24)).columns
        shown = options_for(sys.stdout, os.environ, width=width)
        options = msgspec.structs.replace(
            options, color=shown.color, width=shown.width, logs=_as_typed(folder / "cells")
        )
    return report.render(load(folder), options=options)


def write(folder: Path, form: str, out: Path, options: Options = DEFAULTS) -> int:
    """Write the report of the results in ``folder`` to ``out``; return the number of files.

    ``out`` is a folder where the format has several files, and a file otherwise.

    Raises
    ------
    UsageError
        There is no such format, ``folder`` holds no results, or ``out`` is a folder with
        something else in it.
    MachineFault
        It cannot be written, or the format lacks a package.
    """
    report = find(form)
    if isinstance(report, FolderReport):
        # Before the work, so that a wrong folder is said at once.
        _check_folder(out)
        files = report.files(load(folder), logs=CellFolders(folder), options=options)
        return write_folder(out, files)
    make = report.encode if isinstance(report, BinaryReport) else report.render
    data = make(load(folder), options=options)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_bytes(data if isinstance(data, bytes) else data.encode())
    except OSError as error:
        raise _cannot(out, error) from None
    return 1


def write_folder(folder: Path, files: Iterable[File]) -> int:
    """Write the files of a report into ``folder``; return their number.

    What an earlier report left there is removed where this one does not have it.

    Raises
    ------
    UsageError
        The folder has something in it that no report has written.
    MachineFault
        It cannot be written.
    """
    _check_folder(folder)
    old = set(_contents(folder))
    new: list[str] = []
    made: set[Path] = set()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # Names first, so that what an interruption leaves is known the next time.
        with (folder / CONTENTS).open("a", encoding="utf-8") as contents:
            for file in files:
                contents.write(f"{file.path}\n")
                target = folder / _inside(file.path)
                if target.parent not in made:
                    target.parent.mkdir(parents=True, exist_ok=True)
                    made.add(target.parent)
                with target.open("wb") as out:
                    for piece in _pieces(file):
                        out.write(piece)
                new.append(file.path)
        for path in old - set(new):
            (folder / _inside(path)).unlink(missing_ok=True)
        (folder / CONTENTS).write_text("".join(f"{path}\n" for path in new), encoding="utf-8")
    except OSError as error:
        raise _cannot(folder, error) from None
    return len(new)


class CellFolders:
    """The texts that lie in the folders of the cells below a folder of results."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "cells"
        self._cells: frozenset[str] = frozenset()
        # One look, since most documents that are published have no such folders; a link is none.
        with suppress(OSError):
            if is_folder(self._folder):
                with os.scandir(self._folder) as found:
                    own = (one.name for one in found if one.is_dir(follow_symlinks=False))
                    self._cells = frozenset(own)

    def of(self, cell: str, most: int) -> tuple[Log, ...]:
        """Return the texts of a cell, of each at most ``most`` bytes; none where it has none."""
        if cell not in self._cells:
            return ()
        found = (_text(self._folder / cell / name, name, most) for name in _TEXTS)
        return tuple(log for log in found if log is not None)


def _text(file: Path, name: str, most: int) -> Log | None:
    """Return a text, its head and its tail where it is longer; ``None`` where it is not there."""
    try:
        with open_regular(file) as stream:
            size = os.fstat(stream.fileno()).st_size
            if size <= most:
                return Log(name=name, text=_decoded(stream.read(most)), size=size)
            head = _decoded(stream.read(most // 2))
            stream.seek(size - most // 2)
            tail = _decoded(stream.read(most // 2))
    except OSError:
        return None
    cut = size - most // 2 * 2
    return Log(name=name, text=head + tail, size=size, cut=cut, cut_at=len(head))


def _decoded(data: bytes) -> str:
    return data.decode("utf-8", "replace").replace("\r\n", "\n")


def _check_folder(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is a file; name a folder with --out")
    if folder.is_dir() and any(folder.iterdir()) and not (folder / CONTENTS).is_file():
        raise UsageError(
            f"{folder} is not empty, and no report that was written before: name another folder "
            "with --out"
        )


def _contents(folder: Path) -> list[str]:
    try:
        return (folder / CONTENTS).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return []


def _inside(path: str) -> PurePosixPath:
    """Return a path of the report's own list, which must not lead out of the folder."""
    parts = PurePosixPath(path)
    if parts.is_absolute() or ".." in parts.parts or not parts.parts:
        raise UsageError(f"{CONTENTS} names '{path}', which is no file below its folder")
    return parts


def _pieces(file: File) -> Iterator[bytes]:
    if isinstance(file.data, str):
        yield file.data.encode()
    elif isinstance(file.data, bytes):
        yield file.data
    else:
        yield from file.data


def _cannot(path: Path, error: OSError) -> MachineFault:
    reason = (error.strerror or str(error)).lower()
    return MachineFault(f"{path}: cannot be written ({reason})")


def _as_typed(path: Path) -> str:
    """Return a path as one would type it from here."""
    try:
        return str(path.absolute().relative_to(Path.cwd()))
    except ValueError:
        return str(path)

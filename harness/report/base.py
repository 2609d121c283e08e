"""What a report format is to the rest of the harness."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final, Protocol, TextIO, TypeAlias, runtime_checkable

import msgspec

from harness.model.document import Results


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """How a report looks; a format heeds what applies to it.

    ``width`` is that of the terminal in characters.  ``logs`` is the folder of the cells'
    logs, as links of the report reach it.  ``since`` are earlier results, the oldest first, to
    say what has changed; ``site`` is the address at which the web pages are published, with a
    stroke at its end, or empty where links are to be relative.
    """

    color: bool = False
    width: int = 100
    logs: str = "cells"
    since: tuple[Results, ...] = ()
    site: str = ""


DEFAULTS = Options()


class Log(msgspec.Struct, frozen=True, kw_only=True):
    """A text of a cell's folder: its standard error, the lock of what was installed.

    ``text`` is its head and its tail where it is longer than was asked for; ``cut`` says how
    many bytes lie between them, at the character ``cut_at`` of the text.  ``size`` is that of
    the whole file in bytes.
    """

    name: str
    text: str
    size: int
    cut: int = 0
    cut_at: int = 0


class Logs(Protocol):
    """The texts of the cells' folders, where the results have such folders."""

    def of(self, cell: str, most: int) -> tuple[Log, ...]:
        """Return the texts of a cell, of each at most ``most`` bytes; none where it has none."""
        ...


class _NoLogs:
    def of(self, cell: str, most: int) -> tuple[Log, ...]:  # noqa: ARG002
        return ()


NO_LOGS: Final[Logs] = _NoLogs()
"""Those of results that are a document alone."""


class File(msgspec.Struct, frozen=True, kw_only=True):
    """A file of a report that is a folder.

    ``path`` is below that folder, its parts joined by ``/``.  ``data`` is what the file holds: a
    text, which is written as UTF-8, or bytes, or pieces, so that no large file is whole in memory.
    """

    path: str
    data: str | bytes | Iterable[bytes]


@runtime_checkable
class TextReport(Protocol):
    """A format that is one text.

    The output of every format depends on the results and the options alone, on nothing else.
    """

    name: str
    """As ``--format`` has it."""

    def render(self, results: Results, *, options: Options = DEFAULTS) -> str:
        """Return the whole report, ending in a newline."""
        ...


@runtime_checkable
class BinaryReport(Protocol):
    """A format that is one file and no text."""

    name: str

    def encode(self, results: Results, *, options: Options = DEFAULTS) -> bytes:
        """Return the whole file.  Raises ``MachineFault`` where a package is missing."""
        ...


@runtime_checkable
class FolderReport(Protocol):
    """A format of several files; with the results, it depends on the logs of the cells."""

    name: str

    def files(
        self, results: Results, *, logs: Logs = NO_LOGS, options: Options = DEFAULTS
    ) -> Iterator[File]:
        """Yield every file once, in an order that depends on nothing else either."""
        ...


Report: TypeAlias = TextReport | BinaryReport | FolderReport
"""A format is what it has a method for."""


def options_for(stream: TextIO, environ: Mapping[str, str], *, width: int = 100) -> Options:
    """Return the options that suit ``stream``: colour on a terminal, unless ``NO_COLOR`` is set.

    ``environ`` is the process's environment; ``width`` that of the terminal in characters.
    """
    color = stream.isatty() and not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"
    return Options(color=color, width=width)

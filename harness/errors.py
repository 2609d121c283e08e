"""Errors that a user can cause.

Each class has its own exit code, and each message is one sentence that says what is wrong,
where, and what to write or do instead.  The command line prints the message and nothing
else: a traceback is always a defect of the harness.
"""

from __future__ import annotations

import errno
from enum import IntEnum
from typing import Final


class ExitCode(IntEnum):
    """What a ``harness`` process tells its caller when it ends."""

    OK = 0
    """All as expected."""
    PROBLEM = 1
    """A regression, an unexpected result, or a problem found."""
    USAGE = 2
    """Wrong usage or a faulty file."""
    NOT_MEASURED = 3
    """Nothing, or not everything that was planned, was measured."""
    MACHINE = 4
    """This machine could not do it: no R, no network, disk full."""
    INTERRUPTED = 130
    """Ctrl-C."""


class HarnessError(Exception):
    """Base of all errors that end a run with a sentence instead of a traceback."""

    exit_code: ExitCode = ExitCode.MACHINE


class UsageError(HarnessError):
    """The caller asked for something that cannot be, or a file is faulty."""

    exit_code = ExitCode.USAGE


class FileFault(UsageError):
    """A fault in a file, with its place.

    Parameters
    ----------
    source
        The file as the user named it.
    line, column
        Counted from 1; ``None`` where the fault has no place (the file is missing).
    message
        What is wrong and what to write instead, without the place.
    """

    def __init__(
        self, source: str, message: str, *, line: int | None = None, column: int | None = None
    ) -> None:
        self.source, self.line, self.column = source, line, column
        place = ":".join(str(part) for part in (source, line, column) if part is not None)
        # What it quotes of the file may have lines of its own, hundreds of them.
        lines = (line.strip() for line in message.splitlines())
        super().__init__(f"{place}: {' '.join(filter(None, lines))}")


class NotMeasured(HarnessError):
    """What was planned was not run, so nothing may be concluded from it."""

    exit_code = ExitCode.NOT_MEASURED


class MachineFault(HarnessError):
    """This machine lacks something: the message names it and the command that brings it."""

    exit_code = ExitCode.MACHINE


class Unavailable(HarnessError):
    """A cell could exist, but not here; ends that cell alone, as ``unavailable``."""


class NotShipped(Unavailable):
    """A distribution has no package of that name; ``packages`` are its names for them."""

    def __init__(self, message: str, packages: tuple[str, ...]) -> None:
        self.packages = packages
        super().__init__(message)


class Unsatisfiable(HarnessError):
    """No set of packages can exist for a cell; ends that cell alone, as ``unsatisfiable``."""


class BuildFailure(HarnessError):
    """The source of a bridge does not build for a cell; ends that cell alone, as ``fail``.

    ``detail`` is the end of what the build printed, ``log`` all of it.
    """

    def __init__(self, message: str, detail: str = "", log: str = "") -> None:
        self.detail = detail
        self.log = log
        super().__init__(message)


_DISK: Final = {
    errno.ENOSPC: "the disk is full; free some space",
    errno.EDQUOT: "no more may be written here by this user (a quota); free some space",
    errno.EROFS: "this disk can be read only; have it mounted for writing",
    errno.EIO: "this disk does not work (input/output error); have it mended",
    errno.ESTALE: "this network drive has lost its server's files; have it mounted anew",
}
"""What is wrong with a disk, whatever was to be written, and the first half of what to do."""


def disk_fault(error: OSError, place: str, instead: str) -> MachineFault | None:
    """Return the sentence for an error that is a disk's and no defect; ``None`` for another.

    Parameters
    ----------
    place
        Where it was, if the error does not name the file.
    instead
        The second half of what to do: ``and run the same command again``.
    """
    what = _DISK.get(error.errno or 0)
    if what is None:
        return None
    return MachineFault(f"{error.filename or place}: {what}{instead}")

"""Whether two failures are the same one."""

from __future__ import annotations

import re
from typing import Final

from harness.model.record import CellRecord

# From the most specific down: what is different in each run of the same failure.
_VARIES: Final = (
    (re.compile(r"0x[0-9a-fA-F]+"), "0x0"),
    (re.compile(r"(?<![\w.])/(?:[\w.+@~-]+/)+[\w.+@~-]*"), "/path"),
    (re.compile(r"\d+(?:\.\d+)*"), "0"),
    (re.compile(r"\s+"), " "),
)


def normalised(text: str | None) -> str:
    """Return a message without what varies from run to run: addresses, paths, numbers, blanks.

    >>> normalised("no /tmp/x1/libpython3.11.so  at 0x7f00")
    'no /path at 0x0'
    """
    text = text or ""
    for pattern, instead in _VARIES:
        text = pattern.sub(instead, text)
    return text.strip()


def same_text(text: str | None) -> str:
    """Return a text without addresses and paths, whose numbers are what it says.

    >>> same_text("int -2147483648 at 0x7f00")
    'int -2147483648 at 0x0'
    """
    text = text or ""
    for pattern, instead in _VARIES[:2]:
        text = pattern.sub(instead, text)
    return " ".join(text.split())


def head_of(text: str | None, width: int = 160) -> str:
    """Return the start of a message on one line."""
    line = " ".join((text or "").split())
    return line if len(line) <= width else line[: width - 3].rstrip() + "..."


def same_failure(one: CellRecord, other: CellRecord) -> bool:
    """Tell whether two records of a cell fail in the same way.

    The status, the phase, the cause and the words of the message have to agree: a message that
    users search for is a part of how a bridge fails.
    """
    return (
        one.status is other.status
        and one.phase is other.phase
        and one.cause == other.cause
        and normalised(one.message) == normalised(other.message)
    )

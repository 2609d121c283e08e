"""Text of others, made fit to be shown or to be written: messages may hold anything."""

from __future__ import annotations

import re
from typing import Final

# Escape sequences first, so that no half of one is left, then every other control character.
_STEERS: Final = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"
    r"|[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]"
)
"""What steers a terminal or turns the reading direction."""
_SEPARATORS: Final = str.maketrans("", "", "\u2028\u2029")
"""What ends a line for some readers, and for others does not."""


def clean(text: str) -> str:
    """Return ``text`` as it is shown: without what would steer a terminal or deceive its reader.

    Line ends are kept, those of other systems made the same; a tab is four spaces.
    """
    return _STEERS.sub("", text.replace("\r\n", "\n").replace("\r", "\n")).replace("\t", "    ")


def one_line(text: str) -> str:
    """Return ``text`` on one line, without control characters."""
    return " ".join(clean(text).split())


def inert(text: str) -> str:
    """Return ``text`` as it is written into a script: as `clean`, but no line is made of one.

    Where a comment holds a carriage return, what follows it must stay in the comment.
    """
    return _STEERS.sub("", text).translate(_SEPARATORS)

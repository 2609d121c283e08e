"""Which line of many says what is wrong."""

from __future__ import annotations

import re
from typing import Final

_TELLING: Final = re.compile(
    r"^[\w.]*(?:Error|Exception|Exit|Interrupt)\b|^Fatal |undefined symbol|not found|cannot open"
    r"|No such file|[Ee]rror:"
)


def innermost(traceback: str) -> str:
    """Return the error of the first traceback of a chain: where it all began."""
    first = re.split(
        r"\n(?:The above exception was the direct|During handling of the above)", traceback
    )[0]
    return telling(first)


def telling(text: str) -> str:
    """Return the line of a text that says what is wrong: the last error, else the last line."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if _TELLING.search(line)]
    return (errors or lines or [""])[-1]


def first_of(message: str) -> str:
    """Return the line of an error's message that is worth showing alone."""
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    if not lines:
        return ""
    shouting = lines[0].isupper() or lines[0].startswith(("IMPORTANT", "====", "----"))
    bare = lines[0].endswith("Error:")
    return telling(message) if shouting or bare else lines[0]

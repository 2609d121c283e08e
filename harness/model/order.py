"""One order of names for every report: numbers inside a name count as numbers."""

from __future__ import annotations

import re
from functools import lru_cache

_DIGITS = re.compile(r"([0-9]+)")


# A large table has few different versions, and each report sorts all of its cells by them.
@lru_cache(maxsize=65536)
def natural_key(text: str) -> tuple[str | tuple[int, str], ...]:
    """Return a sort key by which ``py3.9`` comes before ``py3.10``.

    Runs of digits are compared by length and then as text rather than as ``int``, which
    refuses very long ones.
    """
    parts = _DIGITS.split(text)
    key: list[str | tuple[int, str]] = []
    for position, part in enumerate(parts):
        if position % 2:
            number = part.lstrip("0")
            key.append((len(number), number))
        else:
            key.append(part)
    # The text itself decides where only leading zeros differ, so that the order is total.
    return (*key, (0, ""), text)

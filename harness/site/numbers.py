"""Numbers of the pages, each with where it is from.

What is shown by these pages is derived from cells: counted, or a median; its address is the view
of just those cells.  The numbers that stand in ``results.json`` as they are, each with its line,
are on the pages of the cells, which a script makes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final
from urllib.parse import quote

import msgspec

from harness.published.figure import Figure
from harness.report.words import count
from harness.site.columns import ranges

SAFE: Final = ":/,;@[]*!$'()"
"""What stays as it is in the part of an address behind ``#``."""


class Number(msgspec.Struct, frozen=True, kw_only=True):
    """A number as it is shown: ``text``, and the address of what it is from.

    ``how`` (``count``, ``median``) says what is made of the cells that the address shows.
    """

    text: str
    href: str
    title: str
    how: str


Derived = Callable[[Figure], Number]


def view(state: Mapping[str, str | None]) -> str:
    """Return the state of the first screen as its address has it."""
    return "&".join(
        f"{key}={quote(value, safe=SAFE).replace('%20', '+')}"
        for key, value in state.items()
        if value
    )


def counted(text: str, cells: Iterable[int], *, how: str = "count") -> Number:
    """Return a number that is derived from the cells at these positions of the document."""
    places = list(cells)
    return _derived(text, f"of={ranges(places)}" if places else "of=none", len(places), how)


def selected(text: str, state: Mapping[str, str | None], size: int) -> Number:
    """Return how many cells a view has: ``size`` of them."""
    return _derived(text, view(state), size, "count")


def _derived(text: str, fragment: str, size: int, how: str) -> Number:
    words = {"count": "counted from", "median": "a median over", "sum": "the sum over"}
    return Number(
        text=text,
        href=f"index.html#{fragment}",
        title=f"{words.get(how, how)} {count(size, 'cell')}: show them",
        how=how,
    )

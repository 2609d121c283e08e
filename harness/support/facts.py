"""The facts themselves, as values."""

from __future__ import annotations

import msgspec


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """Who says it: a public address, or ``run: ...`` for what was tried; read or run on ``date``.

    ``date`` is ISO 8601, of a day or of a month.
    """

    text: str
    date: str

    def __str__(self) -> str:
        return f"{self.text}, {self.date}"


class Fact(msgspec.Struct, frozen=True, kw_only=True):
    """One range that is documented.

    Versions ``of`` the subject go with versions ``range`` of ``axis``: a range, where all
    outside it is said not to go, or where ``named`` is true versions separated by commas that
    are said to go, with nothing said of any other.  ``given`` are ranges of other axes that the
    fact holds for.  ``place`` is file and line.
    """

    subject: str
    of: str
    axis: str
    range: str
    named: bool = False
    given: tuple[tuple[str, str], ...] = ()
    source: Source
    note: str | None = None
    place: str

    def __str__(self) -> str:
        words = [f"{self.subject} {self.of}", f"with {self.axis} {self.range}"]
        words += [f"where {axis} is {range_}" for axis, range_ in self.given]
        return " ".join(words)


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """All facts of one file.

    ``packages`` are what a package index has of it: the first is the subject itself, and a
    Python has to be one that all of them are for.  Empty where no index has it.
    """

    name: str
    packages: tuple[str, ...]
    facts: tuple[Fact, ...]

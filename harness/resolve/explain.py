"""uv's account of why no set of packages exists, cut down to one clear sentence."""

from __future__ import annotations

import re
from typing import Final

from harness.errors import Unsatisfiable

_CONCLUSION: Final = re.compile(r",? we can conclude that .*$", re.DOTALL)
_TAGS: Final = re.compile(r" with a matching Python ABI tag \(e\.g\., `[^`]*`\)")
_REQUIRED: Final = re.compile(r"(?P<fact>.+) and you require (?P<asked>\S+)")


class NoSolution(Unsatisfiable):
    """No set of packages exists; ``detail`` is the resolver's account in full."""

    def __init__(self, message: str, *, detail: str) -> None:
        super().__init__(message)
        self.detail = detail


def condense(stderr: str, python: str) -> str:
    """The smallest set of requirements in conflict that uv names, as a clause.

    uv derives its conclusion step by step, from the premises that conflict; the first premise
    is the fact, the rest is arithmetic on it, so that the first is what a reader needs.

    Parameters
    ----------
    stderr
        What ``uv pip compile`` printed.
    python
        Version of the Python that was resolved for.
    """
    body = stderr.split("hint:", maxsplit=1)[0]
    body = body.split("cause:", 1)[-1]
    text = " ".join(body.split())
    first = re.split(r"(?<=[.]) (?=And |Because )", text)[0]
    premise = _CONCLUSION.sub("", first).removeprefix("Because ").rstrip(". ")
    premise = _TAGS.sub(f" for Python {python}", premise)
    if found := _REQUIRED.fullmatch(premise):
        fact, asked = found["fact"], found["asked"]
        premise = fact if asked in fact else f"{fact}, while {asked} is asked for"
    return premise or "the requirements conflict"

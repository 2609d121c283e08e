"""What a report format is to the rest of the harness."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, TextIO

import msgspec

from harness.model.document import Results


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """How a report looks; a format heeds what applies to it.

    ``width`` is that of the terminal in characters.  ``logs`` is the folder of the cells'
    logs, as links of the report reach it.
    """

    color: bool = False
    width: int = 100
    logs: str = "cells"


DEFAULTS = Options()


class Report(Protocol):
    """A format.  Its output depends on the results and the options alone, on nothing else."""

    name: str
    """As ``--format`` has it."""

    def render(self, results: Results, *, options: Options = DEFAULTS) -> str:
        """Return the whole report, ending in a newline."""
        ...


def options_for(stream: TextIO, environ: Mapping[str, str], *, width: int = 100) -> Options:
    """Return the options that suit ``stream``: colour on a terminal, unless ``NO_COLOR`` is set.

    ``environ`` is the process's environment; ``width`` that of the terminal in characters.
    """
    color = stream.isatty() and not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"
    return Options(color=color, width=width)

"""Reports of a results folder."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import msgspec

from harness.errors import MachineFault
from harness.report.base import Options, options_for
from harness.report.registry import find
from harness.results.load import load


def render(folder: Path, form: str, *, to_terminal: bool) -> str:
    """Return the report of the results in ``folder``.

    ``to_terminal`` adapts colour and width to standard output.

    Raises
    ------
    UsageError
        There is no such format, or ``folder`` holds no results.
    """
    report = find(form)
    options = Options()
    if to_terminal:
        width = shutil.get_terminal_size((100, 24)).columns
        options = options_for(sys.stdout, os.environ, width=width)
        options = msgspec.structs.replace(options, logs=_as_typed(folder / "cells"))
    return report.render(load(folder), options=options)


def _as_typed(path: Path) -> str:
    """Return a path as one would type it from here."""
    try:
        return str(path.absolute().relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def write_report(path: Path, text: str) -> None:
    """Write a report to a file.

    Raises
    ------
    MachineFault
        It cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise MachineFault(f"{path}: cannot be written ({reason})") from None

"""``harness gate``: results, a baseline and expectations into a verdict, and how it is told."""

from __future__ import annotations

import datetime as dt
import os
import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec

from harness.gate import (
    Judgement,
    aligned,
    judge,
    load_expectations,
    side_by_side,
    unfinished,
)
from harness.gate.show import as_document, as_markdown, as_text, commands
from harness.results.load import load
from harness.text import clean

SUMMARY: Final = "GITHUB_STEP_SUMMARY"
"""Names the file to which a step of GitHub's writes what the page of its job shows."""


def gate(
    folder: Path,
    *,
    baseline: Path | None = None,
    expect: Path | None = None,
    cut_off: str | None = None,
) -> Judgement:
    """Judge the results in ``folder``; ``cut_off`` says why they are not those of a whole run.

    Raises
    ------
    FileFault
        Results or expectations cannot be read, or are faulty.
    """
    results = load(folder)
    before = None if baseline is None else load(baseline)
    judgement = judge(
        results,
        baseline=None if before is None else aligned(before, results),
        expectations=None if expect is None else load_expectations(expect),
        today=dt.datetime.now(dt.UTC).date(),
        side_by_side=before is not None and side_by_side(before, results),
    )
    return unfinished(judgement, cut_off) if cut_off else judgement


def shown(
    judgement: Judgement,
    form: str,
    *,
    folder: Path,
    expect: Path | None = None,
    environ: Mapping[str, str] = os.environ,
) -> str:
    """Return the judgement as ``form`` has it; ``github`` adds to the summary of its job too."""
    if form == "json":
        encoded = msgspec.json.encode(as_document(judgement))
        return msgspec.json.format(encoded, indent=1).decode() + "\n"
    # What a cell said may steer a terminal.
    text = clean(as_text(judgement, str(folder)))
    if form == "text":
        return text
    if environ.get(SUMMARY):
        # A summary that cannot be written is no reason to change the verdict.
        with suppress(OSError), Path(environ[SUMMARY]).open("a", encoding="utf-8") as summary:
            summary.write(as_markdown(judgement))
    source = None if expect is None else _in_repository(expect, environ)
    # In a job's log, a line that begins so is a command to GitHub: ours only.
    plain = re.sub(r"(?m)^(\s*)::", r"\1: :", text)
    return clean("".join(f"{line}\n" for line in commands(judgement, source))) + plain


def _in_repository(file: Path, environ: Mapping[str, str]) -> str:
    """Return a file's path as GitHub knows it: from the root of the repository."""
    root = Path(environ.get("GITHUB_WORKSPACE") or Path.cwd())
    with suppress(ValueError):
        return file.absolute().relative_to(root).as_posix()
    return file.as_posix()

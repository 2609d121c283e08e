"""The results in other forms, beside the pages: for spreadsheets, programs, READMEs, readers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from harness.model.document import Results
from harness.published.badges import REPORT as BADGES
from harness.published.feed import REPORT as FEED
from harness.report.base import File, Options, TextReport
from harness.report.compat import REPORT as COMPAT
from harness.report.csv import REPORT as CSV
from harness.report.markdown import REPORT as MARKDOWN

FORMS: Final[tuple[tuple[str, str, TextReport], ...]] = (
    ("compat.json", "what became of each combination, for other programs", COMPAT),
    ("table.csv", "every cell and probe as a row", CSV),
    ("feed.xml", "what changed, as an Atom feed", FEED),
    ("results.md", "the tables as Markdown", MARKDOWN),
)
"""File, what it is, and the format."""
MANY: Final = 2000
"""Cells of which no Markdown is made: nobody reads that many, and groups of them take minutes."""


def offered(results: Results) -> list[tuple[str, str, TextReport]]:
    """Return the forms that these results have."""
    return [form for form in FORMS if len(results.cells) <= MANY or form[2] is not MARKDOWN]


def forms(results: Results, options: Options) -> Iterator[File]:
    """Yield each form, and the badges."""
    beside = msgspec.structs.replace(options, color=False, logs="logs")
    for path, _, report in offered(results):
        yield File(path=path, data=report.render(results, options=beside))
    for file in BADGES.files(results, options=beside):
        yield msgspec.structs.replace(file, path=f"badges/{file.path}")

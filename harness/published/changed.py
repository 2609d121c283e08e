"""What changed since the last run, as Markdown: for the summary of a job, or a message."""

from __future__ import annotations

from typing import Final

from harness.model.document import Results
from harness.published.changes import Change, Kind, changes
from harness.report.base import DEFAULTS, Options
from harness.report.links import cause_link, cell_link
from harness.report.markdown import code, table, text
from harness.report.words import count

_LISTED: Final = 200
"""Cells that are listed; the rest is counted, for a summary has a limit."""


class _Changed:
    name = "changes"

    def render(self, results: Results, *, options: Options = DEFAULTS) -> str:
        """Return what changed since the newest of ``options.since``.

        Cells and causes are links where there is an ``options.site``.
        """
        if not options.since:
            return "There are no earlier results to hold these against.\n"
        found = changes(options.since[-1], results)
        blocks = [f"Since {found.before or 'the last time'}: {found.summary}."]
        rows = [_row(change, options.site) for change in found.changed[:_LISTED]]
        if rows:
            heads = ("cell", "", "was", "is", "cause", "why")
            blocks.append(table(heads, rows))
        if len(found.changed) > _LISTED:
            blocks.append(f"And {count(len(found.changed) - _LISTED, 'cell')} more.")
        return "\n\n".join(blocks) + "\n"


def _row(change: Change, site: str) -> tuple[str, ...]:
    name = code(change.cell)
    cause = _cause(change.cause_after, site)
    if change.kind is Kind.CAUSE:
        cause = f"{_cause(change.cause_before, '') or 'none'} → {cause or 'none'}"
    why = [
        text(change.message),
        *(text(f"{package} {was} → {now}") for package, was, now in change.versions),
    ]
    return (
        f"[{name}]({cell_link(change.cell, site)})" if site else name,
        change.kind.value,
        change.before.value if change.before else "",
        change.after.value if change.after else "",
        cause,
        "<br>".join(word for word in why if word),
    )


def _cause(cause: str | None, site: str) -> str:
    shown = code(cause or "")
    return f"[{shown}]({cause_link(cause, site)})" if cause and site else shown


REPORT = _Changed()

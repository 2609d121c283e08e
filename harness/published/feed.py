"""What changed from run to run, as an Atom feed (RFC 4287)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from html import escape
from itertools import pairwise
from typing import Final
from xml.etree import ElementTree as ET

from harness.model.document import Results
from harness.published.changes import Change, Changes, Kind, changes
from harness.report.base import DEFAULTS, Options
from harness.report.links import FIRST_PAGE, cause_link, cell_link
from harness.report.summary import machine_line
from harness.report.words import count
from harness.text import one_line

_ATOM: Final = "http://www.w3.org/2005/Atom"
_NAME: Final = "r-python-harness"
_FILE: Final = "feed.xml"
_ENTRIES: Final = 50
"""The newest entries that a feed has; a reader has seen the others."""
_LISTED: Final = 100
"""Cells that an entry lists; the rest it counts."""
_NEVER: Final = datetime(1970, 1, 1, tzinfo=UTC)
_NOT_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_NOT_URN: Final = re.compile(r"[^A-Za-z0-9.:_-]+")
_HEADS: Final = {
    Kind.BROKEN: "Broken",
    Kind.FIXED: "Fixed",
    Kind.STATUS: "With another status",
    Kind.CAUSE: "With another cause",
    Kind.NEW: "New",
    Kind.GONE: "Gone",
}


class _Feed:
    name = "feed"

    def render(self, results: Results, *, options: Options = DEFAULTS) -> str:
        """Return the feed: an entry a run that changed something, the newest first.

        ``options.since`` are the earlier runs; without them there is one entry, of this run.
        Links begin with ``options.site``, or are relative to the folder of the feed.
        """
        runs = (*options.since, results)
        # By id: of runs that ended at the same time, the last alone.
        entries = {_id(runs[0]): _first(runs[0], options.site)}
        for before, after in pairwise(runs):
            found = changes(before, after)
            if not found.is_empty:
                entries[_id(after)] = _changed(after, found, options.site)
        feed = ET.Element("feed", xmlns=_ATOM)
        _add(feed, "id", _urn(results.matrix))
        _add(feed, "title", f"{results.matrix}: what works with what")
        _add(feed, "updated", max(_updated(run) for run in runs).isoformat())
        _add(_sub(feed, "author"), "name", _NAME)
        _add(feed, "generator", _NAME, version=results.harness or "unknown")
        if options.site:
            _sub(feed, "link", rel="self", href=f"{options.site}{_FILE}")
        _sub(feed, "link", rel="alternate", type="text/html", href=f"{options.site}{FIRST_PAGE}")
        feed.extend(reversed(list(entries.values())[-_ENTRIES:]))
        ET.indent(feed)
        text: str = ET.tostring(feed, encoding="us-ascii", xml_declaration=True).decode()
        return text + "\n"


def _first(run: Results, site: str) -> ET.Element:
    """Return the entry of the oldest run, which has none to be held against."""
    words = f"{count(len(run.cells), 'cell')} on {machine_line(run.machine)}."
    title = f"First results: {count(len(run.cells), 'cell')}"
    return _entry(run, title, f"<p>{escape(words)}</p>", site)


def _changed(run: Results, found: Changes, site: str) -> ET.Element:
    title = found.summary[:1].upper() + found.summary[1:]
    return _entry(run, title, "\n".join(_html(found, site)), site)


def _entry(run: Results, title: str, content: str, site: str) -> ET.Element:
    entry = ET.Element("entry")
    _add(entry, "id", _id(run))
    _add(entry, "title", title)
    _add(entry, "updated", _updated(run).isoformat())
    _sub(entry, "link", rel="alternate", type="text/html", href=f"{site}{FIRST_PAGE}")
    _add(entry, "content", content, type="html")
    return entry


def _html(found: Changes, site: str) -> Iterator[str]:
    yield f"<p>Since {escape(found.before or 'the last run')}.</p>"
    listed = found.changed[:_LISTED]
    for kind, head in _HEADS.items():
        items = [_item(change, site) for change in listed if change.kind is kind]
        if items:
            yield f"<h3>{head}</h3>\n<ul>\n" + "\n".join(items) + "\n</ul>"
    if len(found.changed) > _LISTED:
        yield f"<p>And {count(len(found.changed) - _LISTED, 'cell')} more.</p>"


def _item(change: Change, site: str) -> str:
    """Return one change as a list item; texts come from inside cells and are shown as text."""
    link = cell_link(change.cell, site)
    words = [f'<a href="{escape(link)}"><code>{escape(change.cell)}</code></a>']
    before, after = (status.value if status else "no result" for status in
                     (change.before, change.after))  # fmt: skip
    if before != after:
        words.append(f": {escape(before)}, now {escape(after)}")
    if change.kind is Kind.CAUSE:
        words.append(f": cause {escape(change.cause_before or 'not named')}, now")
        words.append("" if change.cause_after else " not named")
    elif change.cause_after:
        words.append(", cause")
    if change.cause_after:
        address = escape(cause_link(change.cause_after, site))
        words.append(f' <a href="{address}">{escape(change.cause_after)}</a>')
    if change.message:
        words.append(f". {escape(change.message)}")
    for name, was, now in change.versions:
        words.append(f". {escape(name)} was {escape(was)} and is {escape(now)}")
    return f"<li>{''.join(words)}</li>"


def _add(parent: ET.Element, name: str, text: str, **attributes: str) -> None:
    _sub(parent, name, **attributes).text = _NOT_XML.sub("", text)


def _sub(parent: ET.Element, name: str, **attributes: str) -> ET.Element:
    clean = {key: _NOT_XML.sub("", value) for key, value in attributes.items()}
    return ET.SubElement(parent, name, clean)


def _updated(run: Results) -> datetime:
    """Return when a run ended, or else the last of its cells began."""
    begun = filter(None, (_moment(one.started_at) for one in run.cells))
    return _moment(run.finished_at or "") or max(begun, default=_NEVER)


def _moment(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def _id(run: Results) -> str:
    return _urn(run.matrix, _updated(run).isoformat())


def _urn(matrix: str, *parts: str) -> str:
    """Return a name that stays the same wherever the feed is published."""
    words = (_NOT_URN.sub("-", one_line(part)) or "-" for part in (matrix, *parts))
    return ":".join(("urn:r-python-harness:feed", *words))


REPORT = _Feed()

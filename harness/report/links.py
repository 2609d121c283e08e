"""Where the published pages have a thing: what other formats link to."""

from __future__ import annotations

from urllib.parse import quote

FIRST_PAGE = "index.html"


def cell_link(cell: str, site: str = "") -> str:
    """Return the address of a cell's page; relative to the folder of the pages without ``site``."""
    return f"{site}cell.html#cell={quote(cell)}"


def cause_link(cause: str, site: str = "") -> str:
    """Return the address of a cause's page."""
    return f"{site}causes/{quote(cause)}.html"

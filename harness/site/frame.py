"""What every page has: the template, the menu, and how a number says where it is from."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from itertools import groupby
from typing import Any, Final

import msgspec
from jinja2 import Environment, PackageLoader, StrictUndefined

from harness.model.document import Results
from harness.published.figure import Figure
from harness.report.base import File
from harness.report.links import cell_link
from harness.report.summary import when_line
from harness.site.columns import Cells
from harness.site.grid import Row
from harness.site.numbers import Number, counted
from harness.text import one_line

MENU: Final = (
    ("What works", "index.html", "first"),
    ("Which path", "paths.html", "paths"),
    ("Conversions", "conversions.html", "conversions"),
    ("Latency", "latency.html", "latency"),
    ("Causes", "causes/index.html", "causes"),
    ("Documented", "documented.html", "documented"),
    ("About", "about.html", "about"),
)
"""Name, file and key of each page of the menu."""


class Site(msgspec.Struct, frozen=True, kw_only=True):
    """What every page says of the results."""

    matrix: str
    when: str
    harness: str


class Frame:
    """Renders the pages of one results document."""

    def __init__(self, results: Results, cells: Cells) -> None:
        self.results, self.cells = results, cells
        self._position = cells.position
        self.site = Site(
            matrix=one_line(results.matrix),
            when=when_line(results),
            harness=one_line(results.harness),
        )

    def page(self, name: str, template: str, key: str, title: str, **context: Any) -> File:
        """Return the page ``name``; ``key`` is that of the menu, ``context`` for its template."""
        description = context.pop("description", title)
        text = (
            _environment()
            .get_template(template)
            .render(
                page=key,
                title=f"{title} - R and Python: what works together",
                description=description,
                root="../" * name.count("/"),
                menu=MENU,
                site=self.site,
                **context,
            )
        )
        return File(path=name, data=text)

    def of(self, text: str, ids: Iterable[str], *, how: str = "count") -> Number:
        """Return a number that is derived from the cells with these ids."""
        places = [self._position[name] for name in ids if name in self._position]
        return counted(text, places, how=how)

    def figure(self, figure: Figure) -> Number:
        """Return a figure as a number of the site."""
        how = "median" if figure.unit == "s" else "count"
        return self.of(figure.text, figure.cells, how=how)


@lru_cache(maxsize=1)
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("harness.site"),
        autoescape=True,  # texts come from inside cells
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["groupby_r"] = _by_r
    environment.filters["cell_link"] = cell_link
    return environment


def _by_r(rows: Iterable[Row]) -> list[tuple[str | None, list[Row]]]:
    return [(r, list(group)) for r, group in groupby(rows, key=lambda row: row.r)]

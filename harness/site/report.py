"""``--format html``: the site, file by file."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files as resources
from typing import Final

from harness.model.document import Results
from harness.report.base import DEFAULTS, NO_LOGS, File, Logs, Options
from harness.site.causes import causes
from harness.site.columns import cells_of, table
from harness.site.details import chunks, logs_of, script
from harness.site.first import cell, first
from harness.site.forms import forms
from harness.site.frame import Frame
from harness.site.latency import latency
from harness.site.people import people
from harness.site.source import pieces, source_of

ASSETS: Final = ("site.css", "site.js", "charts.js", "licences.txt")


class _Html:
    name = "html"

    def files(
        self,
        results: Results,
        *,
        logs: Logs = NO_LOGS,
        options: Options = DEFAULTS,
    ) -> Iterator[File]:
        """Yield the pages, their data and their scripts; and the results in other forms."""
        cells = cells_of(results)
        frame = Frame(results, cells)
        yield first(frame)
        yield cell(frame)
        yield from people(frame)
        yield from latency(frame)
        yield from causes(frame)
        yield from _assets()
        yield from forms(results, options)
        yield from _data(frame, logs)


def _assets() -> Iterator[File]:
    for name in ASSETS:
        path = resources("harness.site") / "assets" / name
        yield File(path=f"assets/{name}", data=path.read_bytes())


def _data(frame: Frame, logs: Logs) -> Iterator[File]:
    with_logs = {}
    for file in logs_of(frame.cells, logs):
        if file.path.startswith("data/"):
            with_logs[file.path.removeprefix("data/logs/").removesuffix(".js")] = 1
        yield file
    data = table(frame.results, frame.cells, source_of(frame.results)) | {"logs": with_logs}
    yield File(path="data/cells.js", data=script("cells", data))
    yield from chunks(frame.results)
    yield File(path="results.json", data=pieces(frame.results))


REPORT = _Html()

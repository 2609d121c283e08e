"""Badges: small SVG pictures that say of a bridge, or of one combination, what works.

Each says it in words, and once more in its title for those who do not see it; nothing is told by
colour alone, and nothing is loaded from anywhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import escape
from typing import Final

from harness.model.document import Results
from harness.model.record import CellRecord
from harness.model.status import Status
from harness.published.advice import VersionAdvice, versions
from harness.published.figure import Figure
from harness.published.ranges import Claim, ranges
from harness.report.base import DEFAULTS, NO_LOGS, File, Logs, Options
from harness.report.view import framework_label, label, ordered, path_label
from harness.text import clean, one_line

_GREEN: Final = "#1a7f37"
_RED: Final = "#b42318"
_AMBER: Final = "#8a5300"
_GREY: Final = "#57606a"
_LABEL: Final = "#32383f"
"""Behind white text each has a contrast of at least 4.5 to 1."""
_COLOURS: Final = {
    Status.PASS: _GREEN,
    Status.FAIL: _RED,
    Status.CRASH: _RED,
    Status.TIMEOUT: _RED,
    Status.OOM: _RED,
    Status.UNSATISFIABLE: _AMBER,
}
_NARROW: Final = frozenset("iljtfrI.,:;!|'()[] ")
_WIDE: Final = frozenset("mwMW@%")
_PAD: Final = 6
_UNSAFE: Final = re.compile(r"[^a-z0-9._\-]+")


class _Badges:
    name = "badges"

    def files(
        self,
        results: Results,
        *,
        logs: Logs = NO_LOGS,  # noqa: ARG002
        options: Options = DEFAULTS,  # noqa: ARG002
    ) -> Iterator[File]:
        """Yield the badges of bridges, of their versions, and of every cell."""
        claims = ranges(results)
        day = (results.finished_at or results.started_at)[: len("2026-11-22")]
        for path, found in versions(results).items():
            yield from _of_path(path, found, claims, day)
        for record in ordered(results):
            yield File(path=f"cells/{_slug(record.id)}.svg", data=_of_cell(record))


def badge(left: str, right: str, colour: str, more: str = "") -> str:
    """Return a badge as SVG; ``more`` stands in its title after the two texts."""
    left, right = _xml(left), _xml(right)
    said = f"{left}: {right}{f', {_xml(more)}' if more else ''}"
    first, second = _width(left), _width(right)
    whole = first + second
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{whole}" height="20" role="img" '
        f'viewBox="0 0 {whole} 20" aria-label="{escape(said)}">\n'
        f"<title>{escape(said)}</title>\n"
        f'<path fill="{_LABEL}" d="M3 0h{first - 3}v20H3a3 3 0 0 1-3-3V3a3 3 0 0 1 3-3z"/>\n'
        f'<path fill="{colour}" d="M{first} 0h{second - 3}a3 3 0 0 1 3 3v14a3 3 0 0 1-3 3'
        f'H{first}z"/>\n'
        '<g fill="#fff" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11" '
        'aria-hidden="true">'
        f"{_text(left, _PAD, first)}{_text(right, first + _PAD, second)}</g>\n"
        "</svg>\n"
    )


def _of_path(
    path: str, found: tuple[VersionAdvice, ...], claims: tuple[Claim, ...], day: str
) -> Iterator[File]:
    told = [one.works for one in found if one.works.cells]
    cells = tuple(cell for figure in told for cell in figure.cells)
    good = sum(round(figure.value * len(figure.cells)) for figure in told)
    whole = Figure(
        value=good / len(cells) if cells else 0.0,
        unit="share",
        text=f"{good} of {len(cells)}",
        cells=cells,
    )
    slug = _slug(path)
    yield File(path=f"bridges/{slug}.svg", data=_of_share(path, whole, day))
    for version in found:
        if not version.version:
            continue
        name = f"{path} {version.version}"
        place = f"bridges/{slug}-{_slug(version.version)}"
        yield File(path=f"{place}.svg", data=_of_share(name, version.works, day))
        for claim in claims:
            if (claim.subject, claim.along, claim.given) == (
                path,
                "python",
                ("bridge", version.version),
            ):
                yield File(path=f"{place}-python.svg", data=_of_claim(name, claim))


def _of_share(name: str, works: Figure, day: str) -> str:
    if not works.cells:
        return badge(name, "not measured", _GREY, day)
    colour = _GREEN if works.value == 1 else _AMBER if works.value else _RED
    return badge(name, f"{works.text} work", colour, day)


def _of_claim(name: str, claim: Claim) -> str:
    """Return the Pythons that start behind a bridge, as they were tried."""
    spans = [
        one.first if one.first == one.last else f"{one.first} to {one.last}" for one in claim.ranges
    ]
    right = f"Python {', '.join(spans)}" if spans else "no Python that was tried"
    return badge(name, right, _GREEN if spans else _RED, claim.last_seen[: len("2026-11-22")])


def _of_cell(record: CellRecord) -> str:
    axes = record.axes
    words = [
        path_label(record),
        f"R {axes['r']}" if axes.get("r") else "",
        f"Python {axes['python']}" if axes.get("python") else "",
        framework_label(axes.get("framework") or ""),
    ]
    left = ", ".join(word for word in words if word)
    return badge(
        left,
        label(record.status),
        _COLOURS.get(record.status, _GREY),
        record.started_at[: len("2026-11-22")],
    )


def _text(text: str, x: int, width: int) -> str:
    # The length is given, so that a reader's font cannot make the text leave its field.
    return f'<text x="{x}" y="14" textLength="{width - 2 * _PAD}">{escape(text)}</text>'


def _width(text: str) -> int:
    """Return the width of a field in pixels, near enough for Verdana at 11 pixels."""
    return 2 * _PAD + round(
        sum(4.2 if one in _NARROW else 10.5 if one in _WIDE else 7.0 for one in text)
    )


def _xml(text: str) -> str:
    """Return a text on one line, without what XML cannot hold."""
    return re.sub("[^\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "", one_line(clean(text)))


def _slug(text: str) -> str:
    return _UNSAFE.sub("-", text.lower()).strip("-.") or "unnamed"


REPORT = _Badges()

"""A log as it was pasted, made fit for patterns: one form of quotes, no colours, no prefixes.

Each line of the text that is searched remembers the line of the log that it comes from, so
that evidence can be shown as it stands there.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Final, NamedTuple

from harness.causes.entries import Notice
from harness.causes.patterns import OTHER_QUOTES, compile_pattern

_ESCAPES: Final = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # colours and movements
    r"|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)"  # titles and links
    r"|\x1b[@-Z\\-_]"
    # The escape character alone as well: half of a sequence may have been lost when pasted.
    r"|[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f]"
    r"|[\u200b-\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]"
    r"|\[(?:\d{1,3};)*\d{1,3}m"  # colours whose escape character was lost when pasted
)
# R, Python, pip and uv quote in many ways, and so do R's translations.
_QUOTES: Final = str.maketrans(
    dict.fromkeys(OTHER_QUOTES, "'") | dict.fromkeys("\xa0\u2007\u202f\u3000\t\v\f", " ")
)
_STAMP: Final = (
    r"(?:\d{4}[-/]\d\d[-/]\d\d[T ]\d\d:\d\d(?::\d\d)?(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?:?)"
)
_PREFIX: Final = re.compile(
    r"^[ ]*(?:"
    rf"\[?{_STAMP}\]?[ ]*"  # 2024-01-31T12:00:00.123Z
    r"|\[\d{1,2}:\d\d:\d\d(?:\.\d+)?\][ ]*|\d{1,2}:\d\d:\d\d(?:[.,]\d+)?[ ]+"
    r"|[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \S+ [\w./-]+(?:\[\d+\])?:[ ]"  # syslog
    r"|[A-Za-z][\w.-]*-\d+[ ]+\|[ ]?|[\w.-]+[ ]{1,30}\|[ ](?=\S)"  # docker compose
    r"|\#\d+ (?:\d+\.\d+ )?(?=\D)"  # docker buildx
    r"|\#\#\[\w+\]|::(?:error|warning|group|notice)[^:\n]*::"  # CI services
    r"|\#>[ ]?|\#\#(?=[ ])[ ]?|>[ ](?=\S)"  # reprex, knitr, quoted mail, R's prompt
    r"|[│┃|](?=[ ]|$)[ ]?|[╰└├][─>]*[ ]*"  # frames of pip, uv and rlang
    r"|E[ ]{3,}(?=\S)"  # pytest
    r")"
)
LEFT_OUT: Final = "[harness: {} lines left out]"
"""What stands in a text in the place of lines that are not looked at."""
_GAP: Final = re.compile(r"\[harness: (\d+) lines left out\]")
_WIDEST: Final = 40
_WIDE: Final = re.compile(f" {{{_WIDEST},}}")
"""More white space than that takes patterns long, and says nothing."""
_LONGEST_RUN, _LONGEST_LINE = 600, 4_000
"""Letters without a space, and of a line, that are searched: patterns with several gaps take a
time that grows with powers of them."""
_LONG_RUN: Final = re.compile(rf"\S{{{_LONGEST_RUN + 1},}}")
_MIN_WIDTH: Final = 60
_USUAL_WIDTHS: Final = frozenset({72, 76, 78, 79, 80, 100, 120, 132})
_MOST_WRAPPED: Final = 200_000
"""Characters up to which a log may have been copied from a terminal."""
_LONGEST_SHOWN: Final = 240


class _Line(NamedTuple):
    """One line: as it is searched, its number from 1, and as it was pasted."""

    text: str
    number: int
    shown: str


class Log(NamedTuple):
    """What is searched, and where it comes from."""

    text: str
    """Lines joined by line breaks, made uniform."""
    starts: tuple[int, ...]
    """Offset in ``text`` of each line."""
    numbers: tuple[int, ...]
    """Number of each line in the log as it was pasted, from 1."""
    shown: tuple[str, ...]
    """Each line as it was, without colours."""
    passed_over: tuple[tuple[str, int], ...] = ()
    """Benign notices: id and line number, the first of each."""

    def line(self, offset: int) -> tuple[int, str]:
        """Return number and text of the line at an offset."""
        position = max(bisect_right(self.starts, offset) - 1, 0)
        return self.numbers[position], self.shown[position].strip()[:_LONGEST_SHOWN]


def read_log(
    text: str,
    notices: Iterable[Notice] = (),
    needles: Mapping[str, tuple[str, ...]] | None = None,
) -> Log:
    """Make a log uniform and empty its lines of benign noise.

    ``needles`` are those of ``harness.causes.entries.Catalogue``.
    """
    lines = _without_voids(_uniform(text))
    passed_over = _silence(lines, notices, needles or {})
    return _log(_without_voids(lines), passed_over)


def unwrapped(log: Log) -> Log | None:
    """Return the log with lines that were cut at one width joined; ``None`` for none such.

    Terminals and mail cut in the middle of words, where no pattern can follow.
    """
    if len(log.text) > _MOST_WRAPPED:
        return None
    widths = Counter(len(shown) for shown in log.shown)
    width = max(widths, default=0)
    # One long line is no margin, unless it is as long as a terminal is wide.
    if width < _MIN_WIDTH or (widths[width] == 1 and width not in _USUAL_WIDTHS):
        return None
    joined: list[_Line] = []
    before = 0
    for text, number, shown in zip(log.text.split("\n"), log.numbers, log.shown, strict=True):
        if before == width and joined and text and len(joined[-1].text) < _LONGEST_RUN:
            joined[-1] = joined[-1]._replace(text=joined[-1].text + text)
        else:
            joined.append(_Line(text, number, shown))
        before = len(shown)
    return _log(joined, log.passed_over)


def _log(lines: Sequence[_Line], passed_over: tuple[tuple[str, int], ...]) -> Log:
    return Log(
        "\n".join(line.text for line in lines),
        tuple(_starts(lines)),
        tuple(line.number for line in lines),
        tuple(line.shown for line in lines),
        passed_over,
    )


def _starts(lines: Sequence[_Line]) -> Iterator[int]:
    yield 0
    yield from accumulate(len(line.text) + 1 for line in lines[:-1])


def _uniform(text: str) -> Iterator[_Line]:
    text = _unescaped(_ESCAPES.sub("", text).replace("\r\n", "\n"))
    if "\n" not in text.rstrip("\n"):  # an old Mac's line ends
        text = text.replace("\r", "\n")
    number = 0
    for line in text.split("\n"):
        number += 1
        gap = _GAP.fullmatch(line)
        if gap is not None:
            number += int(gap.group(1)) - 2
            continue
        for part in line.split("\r"):
            plain = _WIDE.sub(" " * _WIDEST, part.translate(_QUOTES))
            yield _Line(_without_prefix(_of_bounded_length(plain)), number, part)


def _of_bounded_length(line: str) -> str:
    """Return a line with the middle of what is too long taken out; nobody reads it either."""
    if len(line) <= _LONGEST_RUN:
        return line
    line = _LONG_RUN.sub(lambda run: f"{run[0][:400]} {run[0][-200:]}", line)
    if len(line) <= _LONGEST_LINE:
        return line
    return f"{line[:2800]} {line[-1200:]}"


def _without_voids(lines: Iterable[_Line]) -> list[_Line]:
    """Leave at most one empty line in a row, for patterns that begin with white space."""
    kept: list[_Line] = []
    for line in lines:
        if not line.text.strip():
            if kept and not kept[-1].text:
                continue
            kept.append(line._replace(text=""))
        else:
            kept.append(line)
    return kept


def _unescaped(text: str) -> str:
    r"""Return the text of a log that was pasted as a JSON string, with ``\n`` for line ends."""
    few = 5
    if text.count("\\n") > few and text.count("\n") < few:
        return text.replace("\\r\\n", "\n").replace("\\n", "\n").replace('\\"', '"')
    return text


def _without_prefix(line: str) -> str:
    for _ in range(3):
        found = _PREFIX.match(line)
        if found is None or not found.group():
            break
        line = line[found.end() :]
    return line


def _silence(
    lines: list[_Line], notices: Iterable[Notice], needles: Mapping[str, tuple[str, ...]]
) -> tuple[tuple[str, int], ...]:
    """Empty the lines that a benign notice fits; return which notices, and where first."""
    whole = "\n".join(line.text for line in lines)
    lowered = whole.lower()
    starts = list(_starts(lines))
    first: dict[str, int] = {}
    for notice in notices:
        for pattern in notice.lines:
            wanted = needles.get(pattern, ())
            if wanted and not any(needle in lowered for needle in wanted):
                continue
            for found in compile_pattern(pattern).finditer(whole):
                begin = bisect_right(starts, found.start()) - 1
                end = bisect_right(starts, max(found.end() - 1, found.start())) - 1
                for position in range(begin, end + 1):
                    lines[position] = lines[position]._replace(text="")
                first.setdefault(notice.id, lines[begin].number)
    return tuple(sorted(first.items(), key=lambda item: item[1]))

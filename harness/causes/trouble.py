"""Signs that something failed, whatever it was: for logs that no cause explains."""

from __future__ import annotations

import re
from typing import Final

from harness.causes.log import Log

_SIGNS: Final = re.compile(
    r"^\s*(?:Error|Fehler|Erreur|Errore|Fel|Błąd|Ошибка|错误|エラー)\b.*"
    r"|^\s*Traceback \(most recent call last\)"
    r"|^\s*(?:\w+\.)*\w+(?:Error|Exception)(?::.*|$)"
    r"|\*\*\* caught \w+ \*\*\*"
    r"|\b(?:Segmentation fault|Illegal instruction|core dumped|Fatal Python error)\b"
    r"|^\s*(?:ERROR|FATAL|fatal|error)\b[:\s].*"
    r"|\b(?:exit(?:ed)?(?: with)?|returned)(?: a)?(?: non-zero)?"
    r" (?:code|status|exit status):? [1-9]\d*",
    re.MULTILINE,
)
_LAST: Final = re.compile(r"^\s*(?:\w+\.)*\w+(?:Error|Exception|Interrupt)\b.*", re.MULTILINE)


def first_trouble(log: Log) -> str | None:
    """Return the line that tells of a failure, with its number; ``None`` where none does.

    Of a traceback, that is the line at its end, which names the error.
    """
    found = _SIGNS.search(log.text)
    if found is None:
        return None
    offset = found.start() + len(found.group()) - len(found.group().lstrip())
    if found.group().lstrip().startswith("Traceback"):
        last = _LAST.search(log.text, found.end())
        if last is not None:
            offset = last.start()
    number, line = log.line(offset)
    return f"line {number}: {line}"

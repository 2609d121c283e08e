"""Patterns of the catalogue: regular expressions that survive wrapped lines.

A space stands for any white space, case does not count, ``^`` and ``$`` are those of a line.
Most patterns cannot fit most logs, so each is compiled only when a piece of text that it
cannot do without is there.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Final

_FLAGS: Final = re.IGNORECASE | re.MULTILINE
OTHER_QUOTES: Final = (
    '"`\u00b4\u2018\u2019\u201a\u201b\u201c\u201d\u201e\u201f\u00ab\u00bb\u2039\u203a'
)
"""Characters that R, Python, pip, uv and R's translations quote with, other than ``'``."""
_SPECIAL: Final = frozenset(".^$*+?{}[]|()")
_COMMON: Final = frozenset(
    (
        *("cannot", "could", "error", "errors", "failed", "file", "found", "import", "missing"),
        *("module", "needs", "other", "package", "python", "required", "requires", "version"),
    )
)
"""Words that stand in most logs, and so rule out hardly any pattern."""


@cache
def compile_pattern(pattern: str) -> re.Pattern[str]:
    """Return the regular expression that a pattern of the catalogue stands for.

    Raises
    ------
    re.error
        It is none.
    """
    return re.compile(_LEADING.sub(_from_its_start, "".join(_widened(pattern))), _FLAGS)


_LEADING: Final = re.compile(
    r"\A(?P<before>'\?)?(?P<group>\((?:\?P<\w+>|\?:)?)?"
    r"(?P<letters>\\[SwW]|\[(?:\\.|[^\]\\])+\])(?P<times>[*+]\??)"
)
"""A pattern that begins with any number of letters of one kind, perhaps in a group."""


def _from_its_start(found: re.Match[str]) -> str:
    """Have a run of letters be taken from its first one only.

    Whatever fits from a later one fits from the first, too; but where nothing fits, trying each
    takes a time that grows with the square of the run's length.
    """
    letters = found["letters"]
    start = f"(?<!{letters})"
    return f"{found['before'] or ''}{found['group'] or ''}{start}{letters}{found['times']}"


def _widened(pattern: str) -> list[str]:
    """Return the pattern in pieces, each space outside of a class as any white space."""
    out: list[str] = []
    behind: list[bool] = []
    """Of each open group, whether it looks behind, where all must be of one width."""
    position = 0
    while position < len(pattern):
        letter = pattern[position]
        width = 1
        if letter == "\\":
            width = 2
        elif letter == "[":
            width = _class_end(pattern, position) - position
        elif letter == "(":
            behind.append(pattern.startswith(("(?<!", "(?<="), position) or any(behind[-1:]))
        elif letter == ")" and behind:
            behind.pop()
        if letter == " ":
            following = pattern[position + 1 : position + 2]
            once = any(behind[-1:]) or following in {"*", "+", "{"}
            out.append(r"\s*" if following == "?" else r"\s" if once else r"\s+")
            width = 2 if following == "?" else 1
        else:
            out.append(pattern[position : position + width])
        position += width
    return out


def _class_end(pattern: str, position: int) -> int:
    """Return where the class that begins at ``position`` ends; a bracket may stand first in it."""
    opening = re.match(r"\[\^?\]?", pattern[position:])
    assert opening is not None
    position += opening.end()
    while position < len(pattern) and pattern[position] != "]":
        position += 2 if pattern[position] == "\\" else 1
    return position + 1


# --- what must be there --------------------------------------------------------------------------


def needles(pattern: str) -> tuple[str, ...]:
    r"""Return texts in lower case of which whatever fits the pattern holds at least one.

    Empty where no such texts are known: then only the pattern itself can tell.

    >>> needles(r"undefined symbol: Py\w+")
    ('undefined',)
    >>> needles(r"(refused|rejected) the x?")
    ('refused', 'rejected')
    >>> needles(r"(?-i:NaN|Inf) in JSON")
    ('json',)
    """
    found, _ = _alternatives(pattern, 0)
    return tuple(sorted(found)) if found else ()


def _alternatives(pattern: str, position: int) -> tuple[frozenset[str] | None, int]:
    """Read branches up to the end of the group; return their needles and where it ends."""
    union: frozenset[str] | None = frozenset()
    while True:
        branch, position = _sequence(pattern, position)
        union = None if branch is None or union is None else union | branch
        if position >= len(pattern) or pattern[position] == ")":
            return union, position
        position += 1  # past |


def _sequence(pattern: str, position: int) -> tuple[frozenset[str] | None, int]:
    """Read one branch; return the best of the sets of needles that its parts have."""
    best: frozenset[str] | None = None
    run = ""
    while position < len(pattern) and pattern[position] not in "|)":
        atom, literal, position = _atom(pattern, position)
        least, position = _quantifier(pattern, position)
        if literal and least == 1:
            run += literal
            continue
        if run:
            best, run = _better(best, frozenset({run.lower()})), ""
        if least > 0:
            best = _better(best, frozenset({literal.lower()}) if literal else atom)
    if run:
        best = _better(best, frozenset({run.lower()}))
    return best, position


def _atom(pattern: str, position: int) -> tuple[frozenset[str] | None, str, int]:
    """Read one atom: the needles of a group, or the letter that it is."""
    letter = pattern[position]
    if letter == "\\":
        following = pattern[position + 1]
        return None, "" if following.isalnum() else following, position + 2
    if letter == "[":
        return None, "", _class_end(pattern, position)
    if letter == "(":
        opening = re.match(
            r"\((?:\?P<\w+>|\?P=\w+|\?[aimsux]*(?:-[imsx]+)?:|\?<?[=!]|\?)?", pattern[position:]
        )
        assert opening is not None
        inner, end = _alternatives(pattern, position + opening.end())
        looks = re.fullmatch(r"\(\?(?:P=\w+|<?[=!])", opening.group())
        return None if looks else inner, "", end + 1
    return None, "" if letter in _SPECIAL or letter == " " else letter, position + 1


def _quantifier(pattern: str, position: int) -> tuple[int, int]:
    """Read what follows an atom; return 1 for nothing, 2 for once or more, 0 for perhaps."""
    following = pattern[position : position + 1]
    if following in {"?", "*", "+"}:
        least, position = (2 if following == "+" else 0), position + 1
    elif following == "{":
        end = pattern.index("}", position)
        least, position = (0 if pattern[position + 1] in "0," else 2), end + 1
    else:
        return 1, position
    return least, position + (pattern[position : position + 1] == "?")


def _better(one: frozenset[str] | None, other: frozenset[str] | None) -> frozenset[str] | None:
    """Return the set that more logs lack: the one whose least telling text tells more."""
    if not one or not other:
        return one or other
    return max((one, other), key=lambda texts: (min(map(_telling, texts)), -len(texts)))


def _telling(text: str) -> int:
    return 2 if text in _COMMON else len(text)

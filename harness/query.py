"""The one small grammar in which cells are selected, everywhere.

``path:reticulate r:>=4.2 framework:torch status:crash`` with ``and`` (or nothing), ``or``,
``not`` or ``!``, and parentheses.  A term is ``key:pattern``; a word without a colon is
looked for in the cell id.  A pattern is

* a comparison of versions, ``>=4.2`` or ``>=3.10,<3.13``, where a framework's name may stand
  before it (``framework:torch>=2.5``);
* a version, which covers all that begin with it (``r:4.2`` covers 4.2.2);
* anything else: a shell pattern without regard to case (``torch*``).

``none`` is what an axis that does not apply has for a value.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Collection, Mapping
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import NoReturn

from packaging.specifiers import SpecifierSet
from packaging.version import Version

from harness.errors import UsageError

Predicate = Callable[[Mapping[str, str | None]], bool]

KEYS = frozenset(
    {"id", "path", "transport", "r", "bridge", "python", "framework", "cuda"}
    | {"status", "phase", "cause", "message", "probe"}
)
"""Keys that every cell has; further ones are the names of pinned packages."""

_TOKEN = re.compile(
    r"""\s*(?:(?P<paren>[()])|(?P<not>!)(?=[^=])|"(?P<quoted>[^"]*)"|"""
    r"""(?P<word>(?:[^\s()"]|"[^"]*")+))"""
)
_COMPARISON = re.compile(r"^(?P<name>[A-Za-z][\w.\-]*)?\s*(?P<specifier>(?:[<>!=~]=?|===).*)$")
_VERSION = re.compile(r"^\d+(\.\d+)*$")
_REQUIREMENT = re.compile(
    r"^(?P<name>[A-Za-z][\w\-]*)(\[(?P<extras>[^\]]*)\])?(==(?P<version>.+))?$"
)
_MAX_DEPTH = 50
_QUOTED = 300


def compile_query(text: str, further_keys: Collection[str] = ()) -> Predicate:
    """Turn a query into a predicate over a cell's values by key.

    ``further_keys`` are the names of the packages that some cell pins.

    Raises
    ------
    UsageError
        With the position of the fault, counted from 1.
    """
    return _Parser(text, KEYS | set(further_keys)).parse()


def matches(pattern: str, value: str | None) -> bool:
    """Whether one value of an axis is covered by one pattern."""
    return _matches(pattern.strip(), value)


@lru_cache(maxsize=65536)
def _matches(pattern: str, value: str | None) -> bool:
    if value is None:
        return pattern.lower() in {"none", ""}
    if pattern == value:
        return True
    name, extras, version = _taken_apart(value)
    comparison = _COMPARISON.match(pattern)
    if comparison is not None:
        wanted = comparison["name"]
        if wanted is not None and wanted.lower() != (name or "").lower():
            return False
        return version is not None and _in_range(version, comparison["specifier"])
    if _VERSION.match(pattern) and version is not None:
        return version == pattern or version.startswith(pattern + ".")
    folded = pattern.lower()
    if name is not None and folded in {name.lower(), *(extra.lower() for extra in extras)}:
        return True
    # Brackets are part of a framework's name here (keras[jax]), not a set of characters.
    return fnmatchcase(value.lower(), folded.replace("[", "[[]"))


def _taken_apart(value: str) -> tuple[str | None, tuple[str, ...], str | None]:
    """Name, extras and version of a value: ``keras[jax]==3.15.1``, ``==1.26``, ``4.5.0``."""
    if _VERSION.match(value):
        return None, (), value
    if value.startswith("==") and "," not in value:
        return None, (), value[2:]
    requirement = _REQUIREMENT.match(value)
    if requirement is None:
        return None, (), None
    extras = tuple(part for part in (requirement["extras"] or "").split(",") if part)
    return requirement["name"], extras, requirement["version"]


def _in_range(version: str, specifier: str) -> bool:
    try:
        return SpecifierSet(specifier, prereleases=True).contains(Version(version))
    except ValueError:
        return False


def check_pattern(pattern: str) -> str | None:
    """Say in one sentence what is wrong with a pattern, or ``None``."""
    comparison = _COMPARISON.match(pattern.strip())
    if comparison is None:
        return None
    try:
        SpecifierSet(comparison["specifier"])
    except ValueError:  # no specifier, or a number of thousands of digits
        return f"'{_shown(pattern)}' is no comparison of versions; write '>=4.2' or '>=3.10,<3.13'"
    return None


def _shown(text: str) -> str:
    """Return a query on one line, as far as a message quotes it."""
    line = " ".join(text.split())
    return line if len(line) <= _QUOTED else f"{line[:_QUOTED]}..."


class _Parser:
    """Recursive descent over ``or`` < ``and`` < ``not`` < term."""

    def __init__(self, text: str, keys: Collection[str]) -> None:
        self.text = text
        self.shown = _shown(text)
        self.keys = keys
        self.tokens = self._tokens(text)
        self.index = 0
        self.depth = 0

    @staticmethod
    def _tokens(text: str) -> list[tuple[str, str, int]]:
        tokens: list[tuple[str, str, int]] = []
        position = 0
        while position < len(text.rstrip()):
            found = _TOKEN.match(text, position)
            if found is None:
                raise UsageError(
                    f"query '{_shown(text)}', character {position + 1}: "
                    "a quotation mark is not closed"
                )
            kind = found.lastgroup or "word"
            word, start = found[kind], found.start(kind) + 1
            if kind == "word" and word.lower() in {"and", "or", "not"}:
                kind = word.lower()
            tokens.append((kind, word, start))
            position = found.end()
        return tokens

    def parse(self) -> Predicate:
        if not self.tokens:
            raise UsageError("the query is empty; write, for instance, 'path:reticulate r:>=4.2'")
        predicate = self._or()
        if self.index < len(self.tokens):
            self._fail("is out of place here")
        return predicate

    def _kind(self) -> str | None:
        if self.index >= len(self.tokens):
            return None
        kind, word, _ = self.tokens[self.index]
        return word if kind == "paren" else kind

    def _fail(self, what: str) -> NoReturn:
        if self.index < len(self.tokens):
            _, word, position = self.tokens[self.index]
            word = _shown(word)
            raise UsageError(f"query '{self.shown}', character {position}: '{word}' {what}")
        raise UsageError(f"query '{self.shown}' ends where a term should follow")

    def _or(self) -> Predicate:
        terms = [self._and()]
        while self._kind() == "or":
            self.index += 1
            terms.append(self._and())
        return lambda cell: any(term(cell) for term in terms)

    def _and(self) -> Predicate:
        terms = [self._not()]
        while self._kind() not in {None, "or", ")"}:
            if self._kind() == "and":
                self.index += 1
            terms.append(self._not())
        return lambda cell: all(term(cell) for term in terms)

    def _not(self) -> Predicate:
        negated = False
        while self._kind() == "not":
            self.index += 1
            negated = not negated
        term = self._term()
        return (lambda cell: not term(cell)) if negated else term

    def _term(self) -> Predicate:
        kind = self._kind()
        if kind == "(":
            self.depth += 1
            if self.depth > _MAX_DEPTH:
                raise UsageError(f"the query has more than {_MAX_DEPTH} parentheses in each other")
            self.index += 1
            inner = self._or()
            if self._kind() != ")":
                self._fail("stands where ')' should")
            self.index += 1
            self.depth -= 1
            return inner
        if kind not in {"word", "quoted"}:
            self._fail("stands where a term should")
        _, word, position = self.tokens[self.index]
        self.index += 1
        return self._of_word(word, position, quoted=kind == "quoted")

    def _of_word(self, word: str, position: int, *, quoted: bool) -> Predicate:
        key, colon, pattern = word.partition(":")
        if quoted or not colon:
            needle = word.lower()
            return lambda cell: needle in (cell.get("id") or "").lower()
        key, pattern = key.lower(), pattern.replace('"', "")
        fault = check_pattern(pattern)
        word = _shown(word)
        if key not in self.keys:
            near = difflib.get_close_matches(key, self.keys, n=1)
            every = f"keys are {', '.join(sorted(self.keys))}"
            meant = f"did you mean '{near[0]}:'?" if near else every
            fault = f"'{word}' has no known key; {meant}"
        elif not pattern:
            fault = f"'{word}' has no pattern behind the colon"
        if fault is not None:
            raise UsageError(f"query '{self.shown}', character {position}: {fault}")
        if key in {"id", "message"}:
            folded = pattern.lower()
            wanted = folded if any(sign in folded for sign in "*?") else f"*{folded}*"
            return lambda cell: fnmatchcase((cell.get(key) or "").lower(), wanted)
        return lambda cell: matches(pattern, cell.get(key))

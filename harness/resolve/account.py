"""uv's account of why no set of packages exists, taken apart into the facts that it rests on.

uv derives its conclusion step by step: *because* of two facts something follows, *and because* of
that and a third something else, until no version is left.  The facts that it did not derive are
the conflict; everything else is arithmetic on them.  The sentences are those of uv 0.13.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator

_LIST: Final = re.compile(r":\n((?:[ ]{12,}\S.*\n?)+)")
"""Several versions, one a line, indented deeper than the sentence that they belong to."""
_HINT: Final = re.compile(r"^hint: ", re.MULTILINE)
_BECAUSE: Final = re.compile(r"(?:^|(?<=[\s.)]))(?:And because|Because) ")
_CONCLUSION: Final = re.compile(r",? we can conclude that .*$", re.DOTALL)
_SEPARATOR: Final = " | "

_MARKER: Final = re.compile(r"\{[^}]*\}")
"""Behind a package's name: when a requirement holds, which is known where it is named."""
_SUBJECT: Final = r"(?P<subject>\S.*?)"
_PYTHON: Final = re.compile(r"the (?:current|requested) Python version .* does not satisfy .*")
_KNOWN: Final = "we know from ("
_CONCLUDED: Final = (" are incompatible", " cannot be used", " are unsatisfiable")


class Kind(StrEnum):
    """What a fact says."""

    NEEDS = "needs"
    """``subject`` needs one of ``object``; Python itself is called ``Python``."""
    NO_WHEELS = "no wheels"
    """``subject`` has none for this Python (``why``: ``python``), or for this platform."""
    NO_VERSION = "no version"
    """There is no version like ``subject``."""
    NO_PACKAGE = "no package"
    """``subject`` is not in the configured places at all."""
    NOT_CACHED = "not cached"
    """``subject`` was not asked for, because the network is switched off."""
    YANKED = "yanked"
    """``subject`` was taken back by its makers; ``why`` is their reason, where they gave one."""
    ONLY = "only"
    """No other versions than those of ``subject`` are available."""
    ASKED = "asked"
    """``subject`` is a requirement."""
    HELD = "held"
    """``subject`` is what a constraint allows."""
    OTHER = "other"
    """uv's own words of ``subject``, in ``why``."""


class Fact(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is so, and that the conflict rests on.

    ``subject`` and ``object`` are requirements as uv writes them (``jax>=0.7.0,<=0.10.2``), of
    which any one is meant where there are several.
    """

    kind: Kind
    subject: tuple[str, ...] = ()
    object: tuple[str, ...] = ()
    why: str = ""


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """The facts in uv's order, each once; and the tags of Python that wheels were found for."""

    facts: tuple[Fact, ...]
    tags: dict[str, tuple[str, ...]] = {}

    @property
    def asked(self) -> tuple[str, ...]:
        """The requirements that are part of the conflict."""
        return tuple(
            spec for fact in self.facts if fact.kind is Kind.ASKED for spec in fact.subject
        )


def parse_account(stderr: str) -> Account:
    """Take apart what ``uv pip compile`` printed on finding no solution."""
    body, *hints = _HINT.split(stderr)
    body = _MARKER.sub("", body.split("cause:", 1)[-1])
    facts: dict[Fact, None] = {}
    for premises in _steps(body):
        for premise in _premises(premises):
            facts.update(dict.fromkeys(_facts(premise)))
    return Account(facts=tuple(facts), tags=_tags(hints))


def _steps(body: str) -> Iterator[str]:
    """Yield what comes before each conclusion, as one line."""
    body = _LIST.sub(lambda found: ": " + _SEPARATOR.join(_lines(found[1])) + _SEPARATOR, body)
    text = " ".join(body.split())
    for step in _BECAUSE.split(text)[1:]:
        yield _CONCLUSION.sub("", step).strip().rstrip(",.")


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]


def _premises(text: str) -> Iterator[str]:
    """Yield the premises of a step, which stand joined by ``and``, as their own lists do."""
    premise = ""
    for part in text.split(" and "):
        if premise and _begins_premise(part, premise):
            yield premise
            premise = part
        else:
            premise = f"{premise} and {part}" if premise else part
    if premise:
        yield premise


def _begins_premise(part: str, before: str) -> bool:
    if part.startswith((_KNOWN, "you require ", "only ", "there is no ", "there are no ", "the ")):
        return True
    if before.startswith(_KNOWN) and part.endswith(_CONCLUDED):
        return False  # the second half of what was derived before
    return _VERB.search(part) is not None


_VERB: Final = re.compile(r" (?:depends? on|requires? Python|ha(?:s|ve)|was|were|needs?|is|are) ")

_NEEDS: Final = re.compile(
    _SUBJECT + r" depends? on (?P<object>.+?)(?:, which does not allow any versions)?"
)
_NEEDS_PYTHON: Final = re.compile(_SUBJECT + r" requires? Python (?P<python>\S.*)")
_NO_WHEELS: Final = re.compile(
    _SUBJECT + r" ha(?:s|ve) no (?:usable )?wheels"
    r"(?: with a matching (?P<what>[\w ]+) tag(?: \(e\.g\., `[^`]*`\))?)?"
)
_NO_VERSION: Final = re.compile(r"there (?:is|are) no versions? of " + _SUBJECT)
_YANKED: Final = re.compile(_SUBJECT + r" (?:was|were) yanked(?: \(reason: (?P<why>.*)\))?")
_NOT_FOUND: Final = re.compile(_SUBJECT + r" (?:was|were) not found in (?P<where>the .+)")
_ONLY: Final = re.compile(
    r"only (?:the following versions of \S+ are available: )?"
    + _SUBJECT
    + r"(?: (?:is|are) available)?"
)


def _facts(premise: str) -> Iterator[Fact]:
    """Yield what a premise says; nothing for what was derived before, or is known anyway."""
    premise = premise.strip().rstrip(",")
    if premise.startswith(_KNOWN) or _PYTHON.fullmatch(premise):
        return
    if premise.startswith("you require "):
        for spec in _specs(premise.removeprefix("you require ")):
            yield Fact(kind=Kind.ASKED, subject=(spec,))
        return
    for pattern, read in _FORMS:
        found = pattern.fullmatch(premise)
        if found is not None:
            yield from read(found)
            return
    said = premise.replace(_SEPARATOR, ", ").strip(" ,")
    yield Fact(kind=Kind.OTHER, subject=_many(said.split(" ", 1)[0]), why=said)


def _needs(found: re.Match[str]) -> Iterator[Fact]:
    # What a constraint allows stands behind what is needed, joined by `and`.
    needed, *held = found["object"].split(" and ")
    yield Fact(kind=Kind.NEEDS, subject=_many(found["subject"]), object=_many(needed))
    for spec in held:
        yield Fact(kind=Kind.HELD, subject=_many(spec))


def _needs_python(found: re.Match[str]) -> Iterator[Fact]:
    python = f"Python{found['python'].replace(' ', '')}"
    yield Fact(kind=Kind.NEEDS, subject=_many(found["subject"]), object=(python,))


def _no_wheels(found: re.Match[str]) -> Iterator[Fact]:
    why = "platform" if found["what"] == "platform" else "python"
    yield Fact(kind=Kind.NO_WHEELS, subject=_many(found["subject"]), why=why)


def _not_found(found: re.Match[str]) -> Iterator[Fact]:
    kind = Kind.NOT_CACHED if found["where"] == "the cache" else Kind.NO_PACKAGE
    yield Fact(kind=kind, subject=_many(found["subject"]))


def _no_version(found: re.Match[str]) -> Iterator[Fact]:
    yield Fact(kind=Kind.NO_VERSION, subject=_many(found["subject"]))


def _yanked(found: re.Match[str]) -> Iterator[Fact]:
    yield Fact(kind=Kind.YANKED, subject=_many(found["subject"]), why=found["why"] or "")


def _only(found: re.Match[str]) -> Iterator[Fact]:
    yield Fact(kind=Kind.ONLY, subject=_many(found["subject"]))


_FORMS: Final = (
    (_NEEDS, _needs),
    (_NEEDS_PYTHON, _needs_python),
    (_NO_WHEELS, _no_wheels),
    (_NO_VERSION, _no_version),
    (_NOT_FOUND, _not_found),
    (_YANKED, _yanked),
    (_ONLY, _only),
)


def _specs(text: str) -> tuple[str, ...]:
    """``a, b, and c`` as its parts; the commas inside a requirement have no blank behind them."""
    parts = re.split(r",? and |, ", text)
    return tuple(part for part in map(_bare, parts) if part)


def _many(text: str) -> tuple[str, ...]:
    text = re.sub(r"^(?:(?:all|any|one) of: |all versions of )", "", text)
    return tuple(part for part in map(_bare, text.split("|")) if part)


def _bare(spec: str) -> str:
    return spec.strip().rstrip(",.")


_FOUND: Final = re.compile(
    r"we only found wheels for `(?P<name>[^`]+)` \((?P<version>v[^)]+)\) with the following "
    r"Python [\w ]+ tags?: (?P<tags>.+)"
)


def _tags(hints: list[str]) -> dict[str, tuple[str, ...]]:
    """Return the tags by package: ``{"torch 1.13.1": ("cp310", "cp311")}``."""
    found = (_FOUND.search(" ".join(hint.split())) for hint in hints)
    return {
        f"{one['name']} {one['version'].removeprefix('v')}": tuple(
            re.findall(r"`([^`]+)`", one["tags"])
        )
        for one in found
        if one is not None
    }

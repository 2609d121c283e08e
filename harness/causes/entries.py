"""Entries of the catalogue as its files write them, checked and still templates."""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

import msgspec

from harness.causes.model import Change

Axis: TypeAlias = Literal["r", "python", "framework", "numpy"]
Word: TypeAlias = Literal["certain", "likely", "possible"]

CONFIDENCE: Final[dict[Word, float]] = {"certain": 0.95, "likely": 0.8, "possible": 0.5}
"""What a rule's word is worth as a number."""


class Rule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One way to recognise a cause: conditions on facts, patterns in the text, or both."""

    when: dict[str, str | tuple[str, ...]] = {}
    text: tuple[str, ...] = ()
    """Any one must be found."""
    all: tuple[str, ...] = ()
    """Each must be found besides."""
    unless: tuple[str, ...] = ()
    """None may be found."""
    confidence: Word = "likely"
    wrapper: bool = False
    """What it finds wraps other failures, which win."""


class RemedyEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A remedy whose texts have names in braces."""

    id: str
    text: str
    command: str | None = None
    apply: Change | None = None
    touches_system: bool = False
    when: dict[str, str | tuple[str, ...]] = {}
    """Conditions on facts, as those of a rule; where one does not hold, it is not offered."""


class Cause(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One cause."""

    id: str
    means: str
    phase: str | tuple[str, ...]
    summary: str
    why: str
    sources: tuple[str, ...]
    rules: tuple[Rule, ...]
    remedies: tuple[RemedyEntry, ...]
    yields_to: tuple[str, ...] = ()
    """Ids of causes that win where both fit."""
    about: Axis | None = None
    """The axis that it is a matter of beside the bridge, where it is one alone: what is said of
    the versions of another one leaves its cells out."""
    group: str = ""
    """The heading that it stands under; set by the loader."""

    @property
    def phases(self) -> tuple[str, ...]:
        """Where it shows; the usual place first."""
        return (self.phase,) if isinstance(self.phase, str) else self.phase


class Group(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One file of the catalogue."""

    group: str
    causes: tuple[Cause, ...]


class Notice(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A line that looks like a failure and is none."""

    id: str
    means: str
    lines: tuple[str, ...]
    """Patterns; the whole line in which one is found is passed over."""
    sources: tuple[str, ...] = ()


class Notices(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The file ``noise.yaml``."""

    notices: tuple[Notice, ...]


class Catalogue(msgspec.Struct, frozen=True, kw_only=True):
    """Every cause and every benign notice, in the order of the files."""

    causes: tuple[Cause, ...]
    notices: tuple[Notice, ...]
    needles: dict[str, tuple[str, ...]] = {}
    """Of each pattern, texts of which a log that it fits holds at least one."""

    def cause(self, name: str) -> Cause | None:
        """Return the cause with this id."""
        return next((cause for cause in self.causes if cause.id == name), None)

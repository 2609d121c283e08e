"""What is known of a failure, and what follows from it: values only.

``Evidence`` goes into ``harness.causes.diagnose`` and a ``Diagnosis`` comes out.
"""

from __future__ import annotations

from typing import Final, TypeAlias

import msgspec

Fact: TypeAlias = str | bool | int | float | tuple[str, ...]
"""The value of one fact; which type a fact has says ``harness.causes.facts.VOCABULARY``."""


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """All that is known of one failure.

    ``text`` is everything that was printed, as it was printed: standard output, standard
    error, tracebacks, noise.  ``facts`` are named pieces of evidence out of the closed list
    ``harness.causes.facts``; a fact that is not known is not there.
    """

    text: str = ""
    facts: dict[str, Fact] = {}


class Change(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the harness can change by itself, in a fresh environment, to try a remedy.

    Nothing here touches the user's system.  Keys that are left out stay as they are.
    """

    env: dict[str, str] = {}
    """Variables to set before R starts."""
    unset: tuple[str, ...] = ()
    """Variables to take away before R starts."""
    requirements: tuple[str, ...] = ()
    """pip's words (``numpy<2``); each replaces what was asked of the same package."""
    python: str | None = None
    """Another version of Python, as a specifier: ``<=3.11``, ``3.12``."""
    r: str | None = None
    """Another version of R, as a specifier."""
    bridge: str | None = None
    """Another version of the bridge, as a specifier."""
    path: dict[str, str] = {}
    """Arguments of the integration path, by name (``transport: zmq``)."""


TOGETHER: Final = 3
"""Remedies that are laid on top of each other, where each takes away what the last one left."""


class Remedy(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that makes it work."""

    id: str
    text: str
    """One sentence, in the imperative."""
    command: str | None = None
    """What to type, in R or in a shell; ``None`` where there is nothing to type."""
    apply: Change | None = None
    """How the harness tries it; ``None`` where it cannot."""
    touches_system: bool = False
    """True where it changes the user's system: shown, never done unasked."""
    verified: bool | None = None
    """True: applied, and it passed.  False: applied, and it did not.  None: not tried."""

    @property
    def can_be_tried(self) -> bool:
        """Tell whether the harness knows how to apply it, and may."""
        return self.apply is not None and not self.touches_system


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """A cause that fits the evidence."""

    id: str
    confidence: float
    """0 to 1; how it comes about says ``harness.causes.match``."""
    summary: str
    """One sentence with the names and versions of this very failure."""
    evidence: tuple[str, ...] = ()
    """``line 12: No module named 'imp'`` and ``python.version = 3.12.4``."""
    remedies: tuple[Remedy, ...] = ()
    phase: str | None = None
    why: str = ""
    sources: tuple[str, ...] = ()


class RuledOut(msgspec.Struct, frozen=True, kw_only=True):
    """A cause that was looked at and does not hold, with the reason."""

    id: str
    reason: str


class Diagnosis(msgspec.Struct, frozen=True, kw_only=True):
    """What the evidence says, best cause first; no causes where nothing known fits."""

    causes: tuple[Finding, ...] = ()
    phase: str | None = None
    ruled_out: tuple[RuledOut, ...] = ()
    unexplained: str | None = None
    """A line that tells of a failure which no cause explains; ``None`` where all is well."""
    examined: int = 0
    """How many causes were looked for."""

"""What the bridges' own documentation says is lost, as data with its source."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Final, Literal

import msgspec
import yaml
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version

FILE: Final = Path(__file__).parent / "documented.yaml"


class Documented(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A loss that a bridge's documentation tells of.

    ``paths`` are path or path and transport (``rpc-rserve``), ``versions`` those of the bridge,
    ``fixtures`` patterns of names, ``aspects`` what differs (:mod:`.compare`), ``leg`` the way
    there or back where it is said of one alone.  ``says`` is the documentation's own wording.
    """

    paths: tuple[str, ...]
    fixtures: tuple[str, ...]
    aspects: tuple[str, ...]
    says: str
    source: str
    versions: str = ""
    leg: Literal["there", "back", ""] = ""

    def __post_init__(self) -> None:
        """Refuse versions that are none."""
        try:
            SpecifierSet(self.versions)
        except InvalidSpecifier as error:
            raise ValueError(str(error)) from None

    def speaks_of(self, path: str, version: str | None, fixture: str, leg: str) -> bool:
        """Say whether this is about a value on one way over a bridge."""
        return (
            any(fnmatchcase(path, pattern) for pattern in self.paths)
            and (not self.leg or self.leg == leg)
            and self._has(version)
            and any(fnmatchcase(fixture, pattern) for pattern in self.fixtures)
        )

    def _has(self, version: str | None) -> bool:
        if not self.versions:
            return True
        try:
            # R's versions may have a dash, and a fourth part.
            known = Version((version or "").replace("-", "."))
        except InvalidVersion:
            return False
        return SpecifierSet(self.versions).contains(known, prereleases=True)


@cache
def load_documented(file: Path = FILE) -> tuple[Documented, ...]:
    """Return what is documented."""
    entries = yaml.safe_load(file.read_text(encoding="utf-8"))
    return tuple(msgspec.convert(entry, Documented) for entry in entries)


def sources(
    aspects: Iterable[str], *, path: str, version: str | None, fixture: str, leg: str
) -> tuple[Documented, ...]:
    """Return the entries that together tell of every one of ``aspects``; none where one is not."""
    entries = [entry for entry in load_documented() if entry.speaks_of(path, version, fixture, leg)]
    found: list[Documented] = []
    for aspect in sorted(aspects):
        told = next((entry for entry in entries if aspect in entry.aspects), None)
        if told is None:
            return ()
        if told not in found:
            found.append(told)
    return tuple(found)

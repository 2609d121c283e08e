"""Releases of a package, out of the files that indexes and folders have of it.

Pure.  File names are read by ``packaging``, which knows what they may be.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from functools import cache
from typing import Final

import msgspec
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.tags import Tag, platform_tags
from packaging.utils import (
    InvalidSdistFilename,
    InvalidWheelFilename,
    canonicalize_name,
    parse_sdist_filename,
    parse_wheel_filename,
)
from packaging.version import Version

PYTHONS: Final = tuple(f"3.{minor}" for minor in range(6, 16))
"""The minors of CPython that can be told of; a pure wheel has no upper end of its own."""


class File(msgspec.Struct, frozen=True, kw_only=True):
    """One file of a project, as an index or a folder lists it.

    ``address`` is where it lies, without credentials; ``published`` is ISO 8601, and ``None``
    where the index does not say it.
    """

    name: str
    address: str
    requires_python: str | None = None
    published: str | None = None
    yanked: bool = False


class Release(msgspec.Struct, frozen=True, kw_only=True):
    """One version of a package.

    ``published`` is the day on which its first file was; ``None`` where no index says it.
    ``yanked`` is true where every file is: it is there for whoever names it exactly, and no
    resolver takes it by itself.  ``wheels`` are file names, for any platform.
    """

    version: str
    published: date | None = None
    yanked: bool = False
    requires_python: str | None = None
    wheels: tuple[str, ...] = ()
    sdist: bool = False

    @property
    def pythons(self) -> tuple[str, ...]:
        """The minors of CPython (``3.11``) that have a wheel for this machine's platform.

        Builds without the interpreter's lock (``cp313t``) count for none of them.
        """
        tags = [tag for name in self.wheels for tag in _tags(name)]
        here = _platforms()
        tags = [tag for tag in tags if tag.platform == "any" or tag.platform in here]
        return tuple(
            python
            for python in PYTHONS
            if allows(self.requires_python, python) and any(_fits(tag, python) for tag in tags)
        )

    @property
    def is_pure(self) -> bool:
        """True where every wheel is for any platform: one that names no end of Pythons."""
        return bool(self.wheels) and all(
            tag.platform == "any" and tag.interpreter.startswith("py")
            for name in self.wheels
            for tag in _tags(name)
        )

    @property
    def is_prerelease(self) -> bool:
        """True for alphas, betas, candidates and development builds."""
        return Version(self.version).is_prerelease


def allows(requires_python: str | None, python: str) -> bool:
    """Say whether any patch of a minor of Python meets ``requires_python``.

    What cannot be read allows all, as pip and uv have it.
    """
    if not requires_python:
        return True
    try:
        asked = SpecifierSet(requires_python)
    except InvalidSpecifier:
        return True
    return any(asked.contains(f"{python}.{patch}", prereleases=True) for patch in (0, 9, 99))


def releases(project: str, files: Iterable[File]) -> tuple[Release, ...]:
    """Return the releases that ``files`` make, the oldest version first.

    Files whose names are no wheel's and no source's of the project are passed over.
    """
    found: dict[Version, list[tuple[File, bool]]] = {}
    for file in files:
        read = read_name(project, file.name)
        if read is not None:
            version, is_wheel = read
            found.setdefault(version, []).append((file, is_wheel))
    return tuple(_release(version, found[version]) for version in sorted(found))


def read_name(project: str, filename: str) -> tuple[Version, bool] | None:
    """Return the version of a file of ``project`` and whether it is a wheel."""
    try:
        if filename.endswith(".whl"):
            name, version, _, _ = parse_wheel_filename(filename)
            is_wheel = True
        else:
            name, version = parse_sdist_filename(filename)
            is_wheel = False
    except (InvalidWheelFilename, InvalidSdistFilename):
        return None
    return (version, is_wheel) if name == canonicalize_name(project) else None


def _release(version: Version, files: list[tuple[File, bool]]) -> Release:
    # One file may be in several places: it is one file.
    wheels = sorted({file.name for file, is_wheel in files if is_wheel})
    days = [day for file, _ in files if (day := _day(file.published)) is not None]
    # A wheel's word goes before that of the source, which nobody has built yet.
    said = [file.requires_python for file, _ in sorted(files, key=lambda f: not f[1])]
    return Release(
        version=str(version),
        published=min(days, default=None),
        yanked=all(file.yanked for file, _ in files),
        requires_python=next((text for text in said if text), None),
        wheels=tuple(wheels),
        sdist=any(not is_wheel for _, is_wheel in files),
    )


def _day(text: str | None) -> date | None:
    try:
        return None if text is None else datetime.fromisoformat(text).date()
    except ValueError:
        return None


def _tags(filename: str) -> frozenset[Tag]:
    return parse_wheel_filename(filename)[3]


@cache
def _platforms() -> frozenset[str]:
    return frozenset(platform_tags())


def _fits(tag: Tag, python: str) -> bool:
    major, _, minor = python.partition(".")
    if tag.interpreter in {f"py{major}", f"py{major}{minor}"}:
        return tag.abi == "none"
    if not tag.interpreter.startswith(f"cp{major}"):
        return False
    named = tag.interpreter.removeprefix(f"cp{major}")
    if tag.abi.startswith("abi"):
        return named.isdigit() and int(named) <= int(minor)
    # Until 3.7 the name of the binary interface had an m: cp36-cp36m.
    return named == minor and tag.abi in {"none", tag.interpreter, f"{tag.interpreter}m"}

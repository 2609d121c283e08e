"""What programs ask of shared libraries, and what a root folder has: read from the files.

A library's symbols carry the version of the library that brought them (``GLIBC_2.34``), so that
a file states how old a C library it can run with.  Some libraries have no such versions (SQLite):
there, the names of the symbols themselves must do.
"""

from __future__ import annotations

import errno
import platform
import re
from typing import TYPE_CHECKING, Any, Final

import msgspec
from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

C_LIBRARY: Final = frozenset(
    {"libc.so.6", "libm.so.6", "libdl.so.2", "libpthread.so.0", "librt.so.1", "libutil.so.1",
     "libresolv.so.2", "libnsl.so.1", "libanl.so.1", "ld-linux-x86-64.so.2",
     "ld-linux-aarch64.so.1"}
)  # fmt: skip
"""Names of the C library's own files."""

_MAIN: Final = "libc.so.6"
_RELEASE: Final = re.compile(r"GLIBC_(\d+\.\d+)(\.\d+)?$")
_PYTHONS_OWN: Final = ("Py", "_Py")
_UNVERSIONED: Final = ("VER_NDX_LOCAL", "VER_NDX_GLOBAL")
"""What a file's table of symbol versions has for a symbol without one."""


class Loose(msgspec.Struct, frozen=True, kw_only=True):
    """Symbols that a file takes from any of ``libraries``, of no version."""

    libraries: tuple[str, ...]
    symbols: tuple[str, ...]


class Linkage(msgspec.Struct, frozen=True, kw_only=True):
    """What files need: versions by the name of the library, and symbols without one."""

    versions: dict[str, tuple[str, ...]] = {}
    loose: tuple[Loose, ...] = ()

    @property
    def libc(self) -> str | None:
        """The oldest release of the GNU C library that will do: ``2.35``."""
        return newest_release(
            version for name in C_LIBRARY for version in self.versions.get(name, ())
        )


def linkage_of(files: Iterable[Path], *, loose: bool = True) -> Linkage:
    """Read what ``files`` need; what is no program or library of this machine's kind is left out.

    Parameters
    ----------
    loose
        Read the symbols without a version as well, which takes longer.
    """
    versions: dict[str, set[str]] = {}
    found: dict[Loose, None] = {}
    for file in files:
        with _Opened(file) as elf:
            if elf is None:
                continue
            needed = [tag.needed for tag in _dynamic(elf, "DT_NEEDED")]
            for name in needed:
                versions.setdefault(name, set())
            for name, asked in _asked(elf):
                versions.setdefault(name, set()).update(asked)
            symbols = _wanted(elf) if loose else ()
            others = tuple(name for name in needed if name not in C_LIBRARY)
            if symbols and others:
                found[Loose(libraries=others, symbols=symbols)] = None
    return Linkage(
        versions={name: tuple(sorted(asked)) for name, asked in sorted(versions.items())},
        loose=tuple(found),
    )


class RootLibraries:
    """The shared libraries of a root folder.

    Parameters
    ----------
    root
        The folder.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._known: dict[str, tuple[frozenset[str], frozenset[str]] | None] = {}

    @property
    def libc(self) -> str | None:
        """Release of the C library: ``2.31``; ``None`` where there is none."""
        found = self._read(_MAIN)
        return None if found is None else newest_release(found[0])

    def lacks(self, linkage: Linkage) -> tuple[str, ...]:
        """Return the names of libraries that are missing or too old for ``linkage``."""
        short = {
            name
            for name, asked in linkage.versions.items()
            if (found := self._read(name)) is None or (found[0] and not set(asked) <= found[0])
        }
        for one in linkage.loose:
            read = {name: self._read(name) for name in one.libraries}
            # A library with versions would have been asked by them.
            plain = {name: found[1] for name, found in read.items() if found and not found[0]}
            has = frozenset[str]().union(*plain.values())
            if plain and not has.issuperset(one.symbols):
                short.update(plain)
        return tuple(sorted(short))

    def _read(self, name: str) -> tuple[frozenset[str], frozenset[str]] | None:
        """Return the versions that a library defines, and where it has none, its symbols."""
        if name not in self._known:
            self._known[name] = next(self._found(name), None)
        return self._known[name]

    def _found(self, name: str) -> Iterator[tuple[frozenset[str], frozenset[str]]]:
        triplet = f"{platform.machine()}-linux-gnu"
        for folder in (f"usr/lib/{triplet}", f"lib/{triplet}", "usr/lib", "lib", "lib64"):
            with _Opened(self._root / folder / name) as elf:
                if elf is not None:
                    versions = frozenset(_defined(elf))
                    yield versions, frozenset() if versions else frozenset(_exported(elf))


def defined_in(file: Path) -> frozenset[str]:
    """Return the versions of symbols that a library has: empty for one without, or for none."""
    with _Opened(file) as elf:
        return frozenset() if elf is None else frozenset(_defined(elf))


def newest_release(versions: Iterable[str]) -> str | None:
    """Return the newest release of the C library among versions of symbols.

    >>> newest_release(["GLIBC_2.2.5", "GLIBC_2.34", "GLIBC_2.4", "GLIBC_PRIVATE"])
    '2.34'
    """
    found = [match[1] for version in versions if (match := _RELEASE.match(version))]
    return max(found, key=release_parts, default=None)


def release_parts(release: str) -> tuple[int, ...]:
    """Return the numbers of a release, by which it is compared."""
    return tuple(int(part) for part in release.split("."))


class _Opened:
    """An ELF file for reading, or ``None`` for what is none."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: Any = None

    def __enter__(self) -> ELFFile | None:
        try:
            self._file = self._path.open("rb")
            return ELFFile(self._file)
        except (OSError, ELFError) as error:
            if getattr(error, "errno", None) in (errno.EMFILE, errno.ENFILE, errno.EIO):
                raise
            return None

    def __exit__(self, *_raised: object) -> None:
        if self._file is not None:
            self._file.close()


def _section(elf: ELFFile, name: str) -> Any:
    """Return a section, of the kind that its name says; ``None`` for none."""
    return elf.get_section_by_name(name)


def _dynamic(elf: ELFFile, tag: str) -> Iterator[Any]:
    section = _section(elf, ".dynamic")
    return iter(()) if section is None else section.iter_tags(tag)


def _asked(elf: ELFFile) -> Iterator[tuple[str, set[str]]]:
    section = _section(elf, ".gnu.version_r")
    if section is not None:
        for library, versions in section.iter_versions():
            # A weak one is done without where it is missing.
            yield library.name, {one.name for one in versions if not one["vna_flags"] & 2}


def _defined(elf: ELFFile) -> Iterator[str]:
    section = _section(elf, ".gnu.version_d")
    if section is not None:
        for version, names in section.iter_versions():
            first = next(names)
            # The first is the name of the library itself.
            if not version["vd_flags"] & 1:
                yield first.name


def _wanted(elf: ELFFile) -> tuple[str, ...]:
    """Names of symbols that must come from elsewhere, of no version, and not Python's own."""
    symbols = _section(elf, ".dynsym")
    versions = _section(elf, ".gnu.version")
    if symbols is None:
        return ()
    found = []
    for index, symbol in enumerate(symbols.iter_symbols()):
        if symbol["st_shndx"] != "SHN_UNDEF" or symbol["st_info"]["bind"] != "STB_GLOBAL":
            continue
        if symbol.name.startswith(_PYTHONS_OWN):
            continue
        if versions is None or versions.get_symbol(index)["ndx"] in _UNVERSIONED:
            found.append(symbol.name)
    return tuple(sorted(found))


def _exported(elf: ELFFile) -> Iterator[str]:
    symbols = _section(elf, ".dynsym")
    if symbols is not None:
        for symbol in symbols.iter_symbols():
            if symbol["st_shndx"] != "SHN_UNDEF" and symbol["st_info"]["bind"] != "STB_LOCAL":
                yield symbol.name

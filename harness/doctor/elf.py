"""Shared libraries as files: what they are built for, what they need, whether they are whole.

pyelftools reads them; ``ldd`` would run them, and what is broken is not to be run.
"""

from __future__ import annotations

import platform
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.causes.model import Fact

_MACHINES: Final = {"EM_X86_64": "x86_64", "EM_386": "i386", "EM_AARCH64": "aarch64"}
_BITS: Final = {b"\x01": "32-bit", b"\x02": "64-bit"}
_WORD_SIZE: Final = "it is built for another word size ({})"
_UNDEFINED: Final = re.compile(r"(?:(?P<file>/\S+?): )?undefined symbol: (?P<symbol>[\w@.]+)")
_MISSING: Final = re.compile(
    r"(?:(?P<file>/\S+): )?(?P<library>lib[\w.+-]+\.so[\w.]*): cannot open shared object"
)
_VERSION: Final = re.compile(
    r"version [`'\"](?P<version>[A-Z]+(?:_[\w.]+)+)['`\"] not found"
    r"(?: \(required by (?P<file>[^)]+)\))?"
)
_FILE: Final = re.compile(
    r"(?P<file>/\S+\.so[\w.]*):? (?:file too short|invalid ELF header|wrong ELF class"
    r"|ELF (?:load command|file)|cannot)"
)


class Library(msgspec.Struct, frozen=True, kw_only=True):
    """What a file's headers say; ``fault`` is set where it cannot be a library of this machine."""

    path: str
    bits: str = "none"
    machine: str = ""
    soname: str | None = None
    needed: tuple[str, ...] = ()
    versions: tuple[str, ...] = ()
    truncated: bool = False
    fault: str | None = None


def read_library(path: str) -> Library:
    """Read the headers of a shared library; never raises for what is in the file."""
    from elftools.common.exceptions import ELFError

    try:
        size = Path(path).stat().st_size
        with Path(path).open("rb") as file:
            return _read(path, file, size)
    except OSError as error:
        return Library(path=path, fault=f"it cannot be read: {error.strerror}")
    except (ELFError, ValueError, KeyError, AttributeError, AssertionError, UnicodeError) as error:
        head = _head(path)
        bits = _BITS.get(head[4:5], "none") if head.startswith(b"\x7fELF") else "none"
        if bits not in {"none", _own_bits()}:
            # The loader looks at this first, too: what comes after it cannot be judged here.
            return Library(path=path, bits=bits, fault=_WORD_SIZE.format(bits))
        truncated = head.startswith(b"\x7fELF") or not head
        fault = "it is cut short" if truncated else f"it is no shared library: {error}"
        return Library(path=path, bits=bits, truncated=truncated, fault=fault)


def _own_bits() -> str:
    return platform.architecture()[0].replace("bit", "-bit")


def _head(path: str) -> bytes:
    with Path(path).open("rb") as file:
        return file.read(5)


def _read(path: str, file: Any, size: int) -> Library:
    from elftools.elf.elffile import ELFFile

    elf = ELFFile(file)
    bits = f"{elf.elfclass}-bit"
    machine = _MACHINES.get(elf["e_machine"], str(elf["e_machine"]))
    if machine == platform.machine() and bits != _own_bits():
        # Its other headers are not where they would be read.
        return Library(path=path, bits=bits, machine=machine, fault=_WORD_SIZE.format(bits))
    end = max((s["p_offset"] + s["p_filesz"] for s in elf.iter_segments()), default=0)
    end = max(end, elf["e_shoff"] + elf["e_shnum"] * elf["e_shentsize"])
    fault = None
    if end > size:
        fault = f"it is cut short: {size} bytes, and its headers tell of {end}"
    elif machine != platform.machine():
        fault = f"it is built for {machine} ({bits}), and this machine is {platform.machine()}"
    soname, needed = None, []
    for tag in _dynamic(elf) if end <= size else ():
        if tag.entry.d_tag == "DT_NEEDED":
            needed.append(str(tag.needed))
        elif tag.entry.d_tag == "DT_SONAME":
            soname = str(tag.soname)
    return Library(
        path=path,
        bits=bits,
        machine=machine,
        soname=soname,
        needed=tuple(needed),
        versions=tuple(_versions(elf)) if end <= size else (),
        truncated=end > size,
        fault=fault,
    )


def _dynamic(elf: Any) -> Iterator[Any]:
    from elftools.elf.dynamic import DynamicSegment

    for segment in elf.iter_segments():
        if isinstance(segment, DynamicSegment):
            yield from segment.iter_tags()


def _versions(elf: Any) -> Iterator[str]:
    """Symbol versions that the library asks of others: ``GLIBC_2.34``."""
    from elftools.elf.gnuversions import GNUVerNeedSection

    for section in elf.iter_sections():
        if isinstance(section, GNUVerNeedSection):
            for _, entries in section.iter_versions():
                yield from (str(entry.name) for entry in entries)


def facts_of_loader(text: str) -> dict[str, Fact]:
    """Return what the dynamic loader's words say, and what the file that they name is."""
    facts: dict[str, Fact] = {}
    file = None
    for pattern, group, name in (
        (_UNDEFINED, "symbol", "elf.undefined_symbol"),
        (_MISSING, "library", "elf.missing_library"),
        (_VERSION, "version", "elf.needed_version"),
    ):
        found = pattern.search(text)
        if found is not None:
            facts[name] = found[group]
            file = file or found["file"]
    if file is None and (found := _FILE.search(text)) is not None:
        file = found["file"]
    if file is not None and Path(file).is_file():
        facts |= facts_of_library(read_library(file))
    return facts


def facts_of_library(library: Library) -> dict[str, Fact]:
    """Return what a library's headers say, as facts."""
    facts: dict[str, Fact] = {
        "elf.file": library.path,
        "elf.class": library.bits,
        "elf.truncated": library.truncated,
    }
    if library.machine:
        facts["elf.machine"] = library.machine
    return facts


def who_needs(soname: str, files: tuple[str, ...]) -> tuple[str, ...]:
    """Return those of ``files`` that name ``soname`` in their DT_NEEDED."""
    return tuple(path for path in files if soname in read_library(path).needed)

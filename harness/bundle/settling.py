"""What is put right in an unpacked bundle, where it lies now and on the machine that it is on."""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import IO, Final

import msgspec

from harness.bundle import start
from harness.bundle.elf import Libraries, will_do
from harness.bundle.manifest import Manifest
from harness.bundle.moving import LIBRARIES
from harness.errors import MachineFault
from harness.folders import lock
from harness.provision.listing import FILES, list_files
from harness.provision.process import run

_SETTLED: Final = ".settled"
_SETTLING: Final = ".settling"
_SPARE: Final = "spare"
"""Folder of libraries for which the machine has others that will do."""
_PLACES: Final = re.compile(r"'(LIBDIR|LIBPL)': '[^'\n]*'")
_PATIENCE_S: Final = 900.0
_IN_USE: Final[list[IO[bytes]]] = []
"""Bundles that this process runs cells from: held until it ends, however that is."""


class _Stamp(msgspec.Struct, frozen=True):
    """What the settling depends on; where it differs, it is done anew."""

    folder: str
    system: str
    libc: str


def settle(folder: Path, manifest: Manifest, notify: Callable[[str], None]) -> None:
    """Make an unpacked bundle ready to be used; does nothing where that was done.

    Environments are told where their Python is, and Pythons where their library is.  Where the
    machine has a shared library that can do all that the bundle's can, the machine's is used:
    its Python may need what only that has.  Modules of Python are compiled.

    Raises
    ------
    MachineFault
        On another machine that shares this folder, cells run that need it as it is.
    """
    stamp = msgspec.json.encode(_stamp(folder))
    marker = folder / _SETTLED
    with (folder / _SETTLING).open("ab") as settling:
        _lock(settling, fcntl.LOCK_EX, folder)
        # On NFS, a lock that is shared takes a file that is open for reading.
        use = (folder / start.IN_USE).open("a+b")
        _IN_USE.append(use)
        if marker.is_file() and marker.read_bytes() == stamp:
            _lock(use, fcntl.LOCK_SH, folder)
            return
        try:
            _lock(use, fcntl.LOCK_EX | fcntl.LOCK_NB, folder)
        except BlockingIOError:
            raise MachineFault(
                f"{folder}: a run on a machine with another system uses this bundle, whose "
                "libraries would change under it; set HARNESS_CACHE to a folder of this machine's"
            ) from None
        # A run that was cut short left nothing that looks whole.
        marker.unlink(missing_ok=True)
        (folder / FILES).unlink(missing_ok=True)
        notify("making the bundle ready for this machine, once")
        for part in manifest.parts:
            place = folder / part.folder
            if part.kind in {"r", "python"}:
                _choose_libraries(place)
            if part.kind == "python":
                _tell_where(place)
        _join_environments(folder, manifest)
        # From now on it is looked at whenever it is used: nobody changes it.
        list_files(folder, but=(_SETTLING, _SETTLED, start.IN_USE, start.MARKER))
        marker.write_bytes(stamp)
        _lock(use, fcntl.LOCK_SH, folder)


def _lock(file: IO[bytes], how: int, folder: Path) -> None:
    lock(file.fileno(), how, folder, "set HARNESS_CACHE to a folder on a local disk")


def _stamp(folder: Path) -> _Stamp:
    try:
        system = Path("/etc/os-release").read_text(encoding="utf-8", errors="replace")
    except OSError:
        system = ""
    return _Stamp(str(folder), system, os.confstr("CS_GNU_LIBC_VERSION") or "")


def _choose_libraries(place: Path) -> None:
    own, spare = place / LIBRARIES, place / _SPARE
    spare.mkdir(exist_ok=True)
    for path in spare.iterdir():
        path.rename(own / path.name)
    machine = Libraries(Path("/"))
    for path in sorted(own.glob("lib*.so*")):
        theirs = None if path.is_symlink() else machine.find(path.name)
        if theirs is not None and will_do(theirs, path):
            path.rename(spare / path.name)


def _tell_where(place: Path) -> None:
    """Write into a Python where its library is, for those who embed it."""
    own = str(place / LIBRARIES)
    for path in (place / LIBRARIES).glob("python*/_sysconfigdata*.py"):
        text = path.read_text(encoding="utf-8")
        path.write_text(_PLACES.sub(lambda found: f"'{found[1]}': {own!r}", text), encoding="utf-8")


def _join_environments(folder: Path, manifest: Manifest) -> None:
    compiled: set[Path] = set()
    for prepared in manifest.cells.values():
        python = prepared.python
        if python is None:
            continue
        environment = python.executable.parent.parent
        lines = {
            "home": str(python.interpreter.executable.parent),
            "include-system-site-packages": "false",
            "version_info": python.interpreter.version,
        }
        text = "".join(f"{name} = {value}\n" for name, value in lines.items())
        (environment / "pyvenv.cfg").write_text(text, encoding="utf-8")
        todo = {environment, *(() if python.overlay is None else (python.overlay,))} - compiled
        for place in sorted(todo):
            # Cells see it read-only, and would compile it anew at each start.
            command = [python.executable, "-m", "compileall", "-q", "-j", "0", place]
            run(command, env={"PATH": os.defpath}, cwd=folder, limit_s=_PATIENCE_S)
        compiled |= todo

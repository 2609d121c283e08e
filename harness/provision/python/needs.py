"""Which shared libraries a Python and its packages need, read from their files once."""

from __future__ import annotations

import hashlib
from functools import partial
from typing import TYPE_CHECKING, Final

import msgspec

from harness.provision.linkage import C_LIBRARY, Linkage, linkage_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from harness.model.environment import Interpreter, PythonEnvironment, Store

_KIND: Final = "linkage"
_LAYOUT: Final = "1"
_FILE: Final = "linkage.json"
# Made here, by one thread: where several are the first to decode a type at once, msgspec 0.22
# reads what it has half made, and the process dies.
_LINKAGES: Final = msgspec.json.Decoder(Linkage)
_SYSTEMS: Final = C_LIBRARY | {"libstdc++.so.6", "libgcc_s.so.1"}
"""What a wheel takes from the system, as the rules for wheels allow; the rest it brings along."""


def libraries_needed(environment: PythonEnvironment, store: Store) -> Linkage:
    """Return what the interpreter and the packages of ``environment`` need.

    Of the packages, what they need of the C and C++ libraries.  Kept in the store: the
    thousands of files of a framework take some seconds to read.
    """
    interpreter = environment.interpreter
    own = _kept(
        store,
        (str(interpreter.executable), interpreter.version, _changed(interpreter.executable)),
        partial(_of_interpreter, interpreter),
        description=f"libraries that Python {interpreter.version} needs",
    )
    folders = [environment.executable.parents[1]]
    folders += () if environment.overlay is None else (environment.overlay,)
    versions = {name: set(asked) for name, asked in own.versions.items()}
    for folder in folders:
        found = _kept(
            store,
            (str(folder), _changed(folder)),
            partial(_of_packages, folder),
            description=f"libraries that packages of Python {interpreter.version} need",
        )
        for name, asked in found.versions.items():
            versions.setdefault(name, set()).update(asked)
    return Linkage(
        versions={name: tuple(sorted(asked)) for name, asked in versions.items()}, loose=own.loose
    )


def _of_interpreter(interpreter: Interpreter) -> Linkage:
    libraries = [] if interpreter.libpython is None else [interpreter.libpython]
    modules = interpreter.prefix.glob("lib/python*/lib-dynload/*.so")
    linkage = linkage_of([interpreter.executable, *libraries, *modules])
    own = {file.name for file in interpreter.prefix.glob("lib/*.so*")}
    versions = {name: asked for name, asked in linkage.versions.items() if name not in own}
    return msgspec.structs.replace(linkage, versions=versions)


def _of_packages(folder: Path) -> Linkage:
    linkage = linkage_of(_libraries_in(folder), loose=False)
    versions = {name: asked for name, asked in linkage.versions.items() if name in _SYSTEMS}
    return Linkage(versions=versions)


def _libraries_in(folder: Path) -> Iterator[Path]:
    # A wheel's programs are not looked at: they are few, and no path starts them.
    for file in folder.rglob("*.so*"):
        if not file.is_symlink() and file.is_file():
            yield file


def _changed(path: Path) -> str:
    return str(path.stat().st_mtime_ns)


def _kept(
    store: Store, parts: Iterable[str], read: partial[Linkage], *, description: str
) -> Linkage:
    def write(folder: Path) -> None:
        (folder / _FILE).write_bytes(msgspec.json.encode(read()))

    key = hashlib.sha256("\0".join((_LAYOUT, *parts)).encode()).hexdigest()
    folder = store.ensure(_KIND, key, write, description=description)
    return _LINKAGES.decode((folder / _FILE).read_bytes())

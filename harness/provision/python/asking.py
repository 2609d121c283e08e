"""What a Python says of itself when it is run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from pathlib import Path

    from harness.provision.process import Ran

_FILE: Final = "interpreter.json"

# Runs on whatever was found, Python 2.7 too.  PREFIX/lib first: a relocated installation's
# own variables may still name the folder where it was built.
QUESTION: Final = r"""
import json, os, platform, sys, sysconfig
get = sysconfig.get_config_var
names = [n for n in (get("INSTSONAME"), get("LDLIBRARY")) if n]
names = [n for n in names if ".so" in n or ".dylib" in n]
folders = [os.path.join(sys.prefix, "lib"), get("LIBDIR"), get("LIBPL")]
if get("LIBDIR") and get("MULTIARCH"):
    folders.append(os.path.join(get("LIBDIR"), get("MULTIARCH")))
found = [os.path.join(f, n) for n in names for f in folders if f]
found = [p for p in found if os.path.isfile(p)]
print("said:" + json.dumps({
    "version": platform.python_version(),
    "implementation": platform.python_implementation(),
    "prefix": sys.prefix,
    "virtual": getattr(sys, "base_prefix", sys.prefix) != sys.prefix,
    "free_threaded": bool(get("Py_GIL_DISABLED")),
    "libpython": os.path.realpath(found[0]) if found else None,
}))
"""


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """What an interpreter said; empty for one that could not be run."""

    version: str = ""
    implementation: str = ""
    prefix: str = ""
    virtual: bool = False
    free_threaded: bool = False
    libpython: str | None = None


def heard(ran: Ran | None) -> Said:
    """Return what the interpreter said that was run with :data:`QUESTION`."""
    for line in ran.stdout.splitlines() if ran is not None and ran.ok else ():
        if line.startswith("said:"):
            return msgspec.json.decode(line.removeprefix("said:"), type=Said)
    return Said()


def write_said(said: Said, folder: Path) -> None:
    """Keep what was said in an entry of the store."""
    (folder / _FILE).write_bytes(msgspec.json.encode(said))


def said_in(folder: Path) -> Said:
    """Return what was said, of an entry of the store."""
    return msgspec.json.decode((folder / _FILE).read_bytes(), type=Said)

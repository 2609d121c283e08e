"""Newer libraries for an R whose suite is older than the Python that is to run beside it.

A Python that was built on this machine may need a newer C library than an old suite has.  The
suite's R does not mind: a C library keeps what older programs use.  So the root folder is made
anew, with the C library of a newer suite and all else its own; but only where that is needed.
"""

from __future__ import annotations

import platform
import threading
from typing import TYPE_CHECKING, Final

from harness.provision.linkage import C_LIBRARY, RootLibraries, release_parts
from harness.provision.python.needs import libraries_needed
from harness.provision.r import providers
from harness.provision.r.provider import LendsLibraries

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from harness.model.environment import PythonEnvironment, RToolchain, Store

_DONE_WITHOUT: Final = ("libtk", "libtcl", "libX", "libnsl", "libtirpc", "libgdbm", "libdb")
"""Libraries of modules that no cell imports: windows, NIS, old databases."""


class Lending:
    """Gives toolchains newer libraries; may be used by several threads.

    Parameters
    ----------
    store
        Keeps the root folders, and what Pythons need.
    notify
        Takes one-line messages for the user.
    """

    def __init__(self, store: Store, notify: Callable[[str], None]) -> None:
        self._store = store
        self._notify = notify
        self._guard = threading.Lock()
        self._roots: dict[Path, RootLibraries] = {}

    def __call__(
        self, toolchain: RToolchain, packages: Sequence[str], python: PythonEnvironment
    ) -> RToolchain:
        """Return the toolchain, or the same with newer libraries where ``python`` needs them.

        ``packages`` are the R packages that the toolchain was asked for.  Where no suite has
        them so new, the toolchain is returned as it is.

        Raises
        ------
        Unavailable
            If the libraries cannot be brought here.
        MachineFault
            If this machine lacks a program, or room.
        """
        if toolchain.root is None or python.interpreter.root is not None:
            return toolchain
        # What runs on this machine needs no newer C library than the machine's.
        kind, newest = platform.libc_ver()
        with self._guard:
            root = self._roots.setdefault(toolchain.root, RootLibraries(toolchain.root))
            has = root.libc
        if kind != "glibc" or has is None or release_parts(newest) <= release_parts(has):
            return toolchain
        needs = libraries_needed(python, self._store)
        with self._guard:
            lacks = root.lacks(needs)
        if C_LIBRARY.isdisjoint(lacks):
            return toolchain
        wanted = max(needs.libc or has, _after(has), key=release_parts)
        libraries = [name for name in lacks if not name.startswith(_DONE_WITHOUT)]
        name = toolchain.source.partition(":")[0]
        lender: object = next((one for one in providers() if one.name == name), None)
        if not isinstance(lender, LendsLibraries):
            return toolchain
        lent = lender.with_libraries_of(
            toolchain,
            wanted,
            libraries,
            store=self._store,
            packages=packages,
            notify=self._notify,
        )
        return lent or toolchain


def _after(release: str) -> str:
    """Return the release after ``release``: some marks of versions carry no number of theirs."""
    major, minor = release_parts(release)[:2]
    return f"{major}.{minor + 1}"

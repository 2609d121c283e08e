"""The Pythons that Debian's suites ship, each in a root folder of its suite.

They are what a suite's R was released beside.  Such a Python runs with its own suite's C library
and lies in ``/usr``, so that it goes with the R of that suite alone.
"""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from harness.errors import MachineFault, Unavailable
from harness.model.environment import Interpreter
from harness.provision.linkage import RootLibraries
from harness.provision.process import run
from harness.provision.python.asking import QUESTION, heard, said_in, write_said
from harness.provision.r.root import Recipe, enter, make_root
from harness.provision.r.suites import Suite, suites

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.model.environment import Store

_KIND: Final = "python-debian"
_ROOT: Final = "root"
_LOG: Final = "mmdebstrap.log"
_LIMIT_S: Final = 60.0
_WITH_OLD: Final = {"3.9": ("python3-distutils",)}
"""What Debian keeps apart of a Python, without which uv does not use it."""


def suite_of_python(version: str) -> Suite | None:
    """Return the newest suite that ships the Python ``version``; ``None`` for none.

    ``3.14`` is any 3.14, ``3.14.10`` that one alone.  A suite that moves on may have a later
    patch by now than is known of it.
    """
    wanted = version.split(".")
    for suite in reversed(suites()):
        has = suite.python.split(".")
        if has[: len(wanted)] == wanted:
            return suite
        if suite.rolling and has[:2] == wanted[:2] and _number(wanted[2:]) > _number(has[2:]):
            return suite
    return None


def suite_python(
    suite: Suite, version: str, *, store: Store, notify: Callable[[str], None]
) -> Interpreter:
    """Return the Python of a suite, brought where it is not there yet.

    Raises
    ------
    Unavailable
        If it cannot be brought here, or the suite has moved on to another version.
    MachineFault
        If this machine lacks a program, or room.
    """
    series = ".".join(suite.python.split(".")[:2])
    packages = {"python3", suite.libpython, *_WITH_OLD.get(series, ())}
    recipe = Recipe(suite=suite, packages=tuple(sorted(packages)))
    folder = store.ensure(
        _KIND,
        recipe.key,
        partial(_build, recipe, notify),
        description=f"Python {suite.python} of Debian {suite.name}",
    )
    said = said_in(folder)
    wanted = version.split(".")
    if said.version.split(".")[: len(wanted)] != wanted:
        raise Unavailable(
            f"Debian {suite.name} now ships Python {said.version}, not {version}; ask for "
            f"{said.version}"
        )
    series = ".".join(said.version.split(".")[:2])
    return Interpreter(
        executable=Path(f"/usr/bin/python{series}"),
        version=said.version,
        prefix=Path(said.prefix),
        libpython=Path(said.libpython) if said.libpython else None,
        root=folder / _ROOT,
        libc=RootLibraries(folder / _ROOT).libc,
        source=f"debian:{suite.name}",
    )


def _build(recipe: Recipe, notify: Callable[[str], None], folder: Path) -> None:
    suite = recipe.suite
    notify(f"bringing Python {suite.python} from Debian {suite.name}: about a minute, once")
    started = time.monotonic()
    root = folder / _ROOT
    make_root(recipe, root, folder / _LOG, "Python", notify)
    # The series may have changed since the table was written.
    ran = run([*enter(root), "/usr/bin/python3", "-c", QUESTION], limit_s=_LIMIT_S)
    said = heard(ran)
    if not said.version:
        raise MachineFault(
            f"the Python of Debian {suite.name} was brought, but does not run here under "
            f"bubblewrap: {ran.tail()}"
        )
    write_said(said, folder)
    notify(
        f"Python {said.version} from Debian {suite.name} is there "
        f"({time.monotonic() - started:.0f} s)"
    )


def _number(parts: list[str]) -> int:
    return int(parts[0]) if parts and parts[0].isdigit() else -1

"""Packages of a path, laid over the environment of a framework without changing it.

A cell and its control share the environment below: what differs between them is the path.
"""

from __future__ import annotations

import hashlib
from functools import partial
from typing import TYPE_CHECKING, Final

import msgspec

from harness.errors import Unavailable
from harness.provision.pipconfig import redact
from harness.provision.python.uv import run_uv, with_variables

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from harness.model.environment import Lock, PackageSources, PythonEnvironment, Store
    from harness.provision.python.wheels import Wheels

_KIND: Final = "overlay"
_LIMIT_S: Final = 600.0
_FOLDER: Final = "site"


def with_overlay(
    store: Store,
    environment: PythonEnvironment,
    lock: Lock,
    sources: PackageSources,
    variables: Mapping[str, str] | None = None,
    wheels: Wheels | None = None,
) -> PythonEnvironment:
    """Return ``environment`` with the packages of ``lock`` that it does not have laid over it.

    Parameters
    ----------
    lock
        Resolved together with the environment's own lock, so that both fit.
    variables
        For a package that is built from its source: what it is to be built as.
    wheels
        Packages that were built from a source tree; they come instead of those of the lock
        that have their names.

    Raises
    ------
    Unavailable
        A package cannot be fetched or built here.
    MachineFault
        There is no room for it.
    """
    files = () if wheels is None else wheels.files
    names = frozenset[str]() if wheels is None else wheels.names
    lines = [
        line
        for line in lock.text.splitlines()
        if "==" in line and _name_of(line) not in {*environment.lock.versions, *names}
    ]
    if not lines and not files:
        return environment
    text = "".join(f"{line}\n" for line in lines)
    # Named, but no requirement: an index may have another of this version.
    text += "".join(f"# {file.name}, built from its source tree\n" for file in files)
    stamp = "\0".join((environment.lock.digest, text, *map(str, files)))
    digest = hashlib.sha256(stamp.encode()).hexdigest()
    own = msgspec.structs.replace(lock, text=text, digest=digest)
    what = [*lines, *(file.name for file in files)]
    folder = store.ensure(
        _KIND,
        digest,
        partial(_build, environment, own, files, sources, dict(variables or {})),
        description=f"Python {environment.interpreter.version}: {', '.join(what)}",
    )
    return msgspec.structs.replace(
        environment,
        overlay=folder / _FOLDER,
        overlay_lock=own,
        binds=(*environment.binds, folder),
    )


def _name_of(line: str) -> str:
    return line.split("==", maxsplit=1)[0].strip().lower().replace("_", "-")


def _build(
    environment: PythonEnvironment,
    lock: Lock,
    wheels: tuple[Path, ...],
    sources: PackageSources,
    variables: dict[str, str],
    folder: Path,
) -> None:
    requirements = folder / "requirements.lock"
    requirements.write_text(lock.text, encoding="utf-8")
    ran = run_uv(
        environment.interpreter,
        with_variables(sources, variables),
        [
            *("pip", "install", "--no-deps", "--compile-bytecode"),
            *("--python", environment.executable, "--target", folder / _FOLDER),
            *("--requirement", requirements),
            *wheels,
            *sources.options,
            *lock.options,
        ],
        folder=folder,
        readable=[*environment.binds, *wheels],
        limit_s=_LIMIT_S,
    )
    if not ran.ok:
        what = ", ".join(lock.text.split())
        raise Unavailable(f"installing {what} for the path: {redact(ran.tail())}")

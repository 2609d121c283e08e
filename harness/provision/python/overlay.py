"""Packages of a path, laid over the environment of a framework without changing it.

A cell and its control share the environment below: what differs between them is the path.
"""

from __future__ import annotations

import hashlib
from functools import partial
from typing import TYPE_CHECKING, Final

import msgspec

from harness.errors import Unavailable
from harness.programs import uv_program
from harness.provision.pipconfig import redact
from harness.provision.process import run

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from harness.model.environment import Lock, PackageSources, PythonEnvironment, Store

_KIND: Final = "overlay"
_LIMIT_S: Final = 600.0
_FOLDER: Final = "site"


def with_overlay(
    store: Store,
    environment: PythonEnvironment,
    lock: Lock,
    sources: PackageSources,
    variables: Mapping[str, str] | None = None,
) -> PythonEnvironment:
    """Return ``environment`` with the packages of ``lock`` that it does not have laid over it.

    Parameters
    ----------
    lock
        Resolved together with the environment's own lock, so that both fit.
    variables
        For a package that is built from its source: what it is to be built as.

    Raises
    ------
    Unavailable
        A package cannot be fetched or built here.
    MachineFault
        There is no room for it.
    """
    below = environment.lock.versions
    lines = [
        line
        for line in lock.text.splitlines()
        if "==" in line and line.split("==")[0].strip().lower().replace("_", "-") not in below
    ]
    if not lines:
        return environment
    text = "".join(f"{line}\n" for line in lines)
    digest = hashlib.sha256(f"{environment.lock.digest}\0{text}".encode()).hexdigest()
    own = msgspec.structs.replace(lock, text=text, digest=digest)
    folder = store.ensure(
        _KIND,
        digest,
        partial(_build, environment, own, sources, dict(variables or {})),
        description=f"Python {environment.interpreter.version}: {', '.join(lines)}",
    )
    return msgspec.structs.replace(
        environment,
        overlay=folder / _FOLDER,
        overlay_lock=own,
        binds=(*environment.binds, folder),
    )


def _build(
    environment: PythonEnvironment,
    lock: Lock,
    sources: PackageSources,
    variables: dict[str, str],
    folder: Path,
) -> None:
    requirements = folder / "requirements.lock"
    requirements.write_text(lock.text, encoding="utf-8")
    ran = run(
        [
            *(uv_program(), "pip", "install", "--no-deps", "--compile-bytecode"),
            *("--python", environment.executable, "--target", folder / _FOLDER),
            *("--requirement", requirements),
            *sources.options,
            *lock.options,
        ],
        env={**sources.env, **variables},
        limit_s=_LIMIT_S,
    )
    if not ran.ok:
        what = ", ".join(lock.text.split())
        raise Unavailable(f"installing {what} for the path: {redact(ran.tail())}")

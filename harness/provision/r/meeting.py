"""Whether a Python of this machine runs inside a root folder: found by running it there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from harness.provision.process import run
from harness.provision.r.debian import enter

if TYPE_CHECKING:
    from pathlib import Path

    from harness.model.environment import PythonEnvironment

_LIMIT_S: Final = 60.0
_QUESTION: Final = "import ctypes, json, sys; print('said:' + sys.version.split()[0])"


def why_not_together(python: PythonEnvironment, root: Path) -> str | None:
    """Return one clause on why the environment's Python fails in ``root``, or ``None``.

    A Python built here needs a C library at least as new as this machine's; one in ``/usr``
    cannot be bound over the root folder's own ``/usr`` at all.
    """
    ran = run(
        [*enter(root, python.binds), python.executable, "-c", _QUESTION],
        limit_s=_LIMIT_S,
    )
    if ran.ok and f"said:{python.interpreter.version}" in ran.stdout:
        return None
    if "GLIBC" in ran.stderr:
        return "it was built against a newer C library than that of the root folder"
    if python.interpreter.prefix.is_relative_to("/usr"):
        return "it lies in /usr, where the root folder has its own files"
    return ran.tail()

"""Whether a Python runs beside an R: by where both live, and by running it there."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Final

from harness.provision.process import run
from harness.provision.r.root import enter
from harness.provision.r.suites import suites

if TYPE_CHECKING:
    from pathlib import Path

    from harness.model.environment import Interpreter, PythonEnvironment, RToolchain

_LIMIT_S: Final = 60.0
_KILLED: Final = frozenset({-signal.SIGKILL, 128 + signal.SIGKILL})
_QUESTION: Final = "import ctypes, json, sys; print('said:' + sys.version.split()[0])"


def why_not_together(python: PythonEnvironment, r: RToolchain) -> str | None:
    """Return one clause on why the environment's Python fails beside ``r``, or ``None``.

    A Python of a suite runs in a root folder of that suite alone.  One that was built here needs
    a C library as new as it was built with; one in ``/usr`` cannot be bound over the root
    folder's own ``/usr`` at all.
    """
    interpreter = python.interpreter
    if interpreter.root is not None and interpreter.source != r.source:
        return _goes_with(interpreter)
    if r.root is None:
        return None
    question: list[str | Path] = [*enter(r.root, python.binds), python.executable, "-c", _QUESTION]
    ran = run(question, limit_s=_LIMIT_S)
    if ran.code in _KILLED:
        # By somebody else, or for want of memory: that says nothing of the two.
        ran = run(question, limit_s=_LIMIT_S)
    if ran.ok and f"said:{interpreter.version}" in ran.stdout:
        return None
    if ran.ok and interpreter.root is not None:
        has = ran.stdout.strip().removeprefix("said:")
        return f"the suite moved on between the two, and has Python {has} beside that R"
    if "GLIBC" in ran.stderr:
        return "it was built against a newer C library than that of the root folder"
    if interpreter.prefix.is_relative_to("/usr"):
        return "it lies in /usr, where the root folder has its own files"
    return ran.tail()


def _goes_with(interpreter: Interpreter) -> str:
    name = interpreter.source.removeprefix("debian:")
    suite = next((one for one in suites() if one.name == name), None)
    which = f"R {suite.r} of " if suite is not None else "the R of "
    return f"it lives in a root folder of Debian {name}, and goes with {which}that suite alone"

"""The paths on which Python is a process of its own, and those of other bridges."""

from __future__ import annotations

import shutil
from pathlib import Path

from harness.doctor.interpreter import examine_interpreter
from harness.doctor.reticulate import adopt, r_or_nothing, swapped
from harness.doctor.session import INSIDE, Examined, Session

_IMPORTS = {"framework", "device", "op", "train"}


def examine_calls(session: Session) -> Examined:
    """Go through the layers of ``system`` and ``rpc``: R starts a Python and talks to it."""
    return _from_r(session, "calls.R")


def examine_rpython(session: Session) -> Examined:
    """Go through the layers of ``rpython``."""
    return _from_r(session, "rpython.R")


def examine_rpy2(session: Session) -> Examined:
    """Go through the layers of ``rpy2``: Python starts R in its own process."""
    examined = Examined()
    request = session.request
    named = request.python or "python3"
    python = shutil.which(named, path=request.environ.get("PATH", ""))
    if python is None:
        examined.layer = "python"
        examined.facts |= {"path": request.path, "status": "fail", "python.exists": False}
        examined.message = f"{named}: command not found"
        examined.texts.append(examined.message)
        return examined
    environ = dict(request.environ)
    if request.rscript is not None:
        # rpy2 takes R_HOME, or asks the R on PATH.
        folder = str(Path(request.rscript).parent)
        environ["PATH"] = f"{folder}:{environ.get('PATH', '')}"
    account = session.run("rpy2", (python, INSIDE / "native.py", "rpy2"), environ=environ)
    adopt(session, examined, account)
    _closer(session, examined, python)
    return examined


def _from_r(session: Session, program: str) -> Examined:
    examined = Examined()
    rscript = r_or_nothing(session, examined)
    if rscript is None:
        return examined
    path = session.request.path
    account = session.run(path, (rscript, INSIDE / program), ask={"path": path})
    adopt(session, examined, account)
    python = account.last("config").get("python") or session.request.python
    _closer(session, examined, None if python is None else str(python))
    return examined


def _closer(session: Session, examined: Examined, python: str | None) -> None:
    """Look closer where a layer failed, and whether Python is the one that was named."""
    if examined.layer is None:
        if session.request.path != "rpy2":
            swapped(session, examined, python)
        return
    if examined.layer == "command":
        examined.facts["python.exists"] = False
        return
    if python is None:
        return
    modules: tuple[str, ...] = ()
    if examined.layer == "numpy":
        modules = ("numpy",)
    elif examined.layer in _IMPORTS and examined.framework:
        modules = (examined.framework,)
    examine_interpreter(session, examined, python, modules, examined.seen or None)

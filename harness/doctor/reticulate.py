"""The path ``reticulate``: which Python it would take and why, and how far that gets."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import msgspec

from harness.doctor.elf import facts_of_loader
from harness.doctor.events import Account
from harness.doctor.interpreter import examine_interpreter, examine_library
from harness.doctor.model import FRAMEWORKS, Note, Rung
from harness.doctor.places import find_rscript
from harness.doctor.session import INSIDE, Examined, Session
from harness.doctor.words import innermost, telling

_FORCED: Final = (
    ("the current process", "current-process"),
    ("PYTHON_SESSION_INITIALIZED", "PYTHON_SESSION_INITIALIZED"),
    ("RETICULATE_PYTHON_FALLBACK", "RETICULATE_PYTHON_FALLBACK"),
    ("RETICULATE_PYTHON_ENV", "RETICULATE_PYTHON_ENV"),
    ("RETICULATE_PYTHON", "RETICULATE_PYTHON"),
    ("required = FALSE", "hint"),
    ("use_python", "use_python"),
    ("VIRTUAL_ENV", "VIRTUAL_ENV"),
    ("current working directory", "here"),
    ("import(", "module-environment"),
    ("py_require", "py_require"),
    ("PATH", "PATH"),
)
"""What reticulate writes of the rung that it took, and that rung."""
_INSIDE: Final = ("bin/python", "bin/python3", "Scripts/python.exe", "python.exe")
"""Where the Python of an environment's folder lies, on Linux, macOS and Windows."""
_ASKING: Final = ("RETICULATE_PYTHON", "RETICULATE_PYTHON_ENV", "use_python", "VIRTUAL_ENV")
"""Rungs with which somebody asks for one Python in particular."""
_CLASH: Final = re.compile(
    r"/lib(stdc\+\+|ssl|crypto|openblas|mkl_\w+|iomp5|gomp|omp|torch\w*|python3?\.?\d*|cudart"
    r"|cudnn\w*|cublas\w*|R|Rblas)\.so"
)


def examine_reticulate(session: Session) -> Examined:
    """Go through the layers of the path ``reticulate``."""
    examined = Examined()
    rscript = r_or_nothing(session, examined)
    if rscript is None:
        return examined
    account = session.run("reticulate", (rscript, INSIDE / "reticulate.R"))
    adopt(session, examined, account)
    config = account.last("config")
    examined.rungs = discovery(account)
    _ask_facts(session, examined, account, config)
    _other_than_asked(examined, account, config)
    if examined.layer is None:
        python = config.get("python")
        loaded = {os.path.realpath(one) for one in examined.identity.get("libpython") or ()}
        if loaded != {os.path.realpath(str(config.get("libpython")))}:
            swapped(session, examined, None if python is None else str(python))
    if examined.layer is not None:
        _investigate(session, examined, account, rscript, config)
        return examined
    return _others(session, examined, account, config)


def _others(
    session: Session, examined: Examined, account: Account, config: dict[str, Any]
) -> Examined:
    """Look at the frameworks that are there beside the first, each in an R of its own.

    Two in one process would be another experiment: they share libraries, and may clash.
    """
    request = session.request
    installed = account.last("installed").get("modules") or ()
    seen = {examined.framework, examined.facts.get("keras.backend")}
    for name in FRAMEWORKS:
        if request.framework is not None or name in seen or name not in installed:
            continue
        # Of this very Python: a module's name has a say in which one reticulate takes.
        asked = msgspec.structs.replace(request, framework=name, python=str(config["python"]))
        other = examine_reticulate(session.asking(asked))
        if other.layer is not None:
            return other
        version = other.facts.get("framework.version", "")
        examined.notes.append(Note(id=name, text=f"{name} {version} works, too"))
    return examined


def r_or_nothing(session: Session, examined: Examined) -> Path | None:
    """Return the Rscript to start; say it where there is none that can be."""
    request = session.request
    rscript = find_rscript(request.rscript, request.environ, request.folder)
    if rscript is not None and os.access(rscript, os.X_OK):
        return rscript
    examined.layer = "r"
    examined.facts |= {"path": request.path, "status": "fail", "r.found": False}
    named = request.rscript or "Rscript"
    where = "there" if request.rscript else "on PATH, in $R_HOME, in /opt/R or in conda"
    what = "cannot be run" if rscript is not None else f"is not {where}"
    examined.message = f"R cannot be started: {named} {what}"
    examined.texts.append(examined.message)
    return None


def adopt(session: Session, examined: Examined, account: Account) -> None:
    """Take over what a main child said of itself."""
    ended = account.ended
    examined.account = account
    examined.facts |= account.facts
    examined.facts["path"] = session.request.path
    examined.seen = session.theirs(account.last("variables").get("values") or {})
    examined.r_home = str(account.facts["r.home"]) if "r.home" in account.facts else None
    installed = account.last("installed")
    examined.framework = session.request.framework or installed.get("framework")
    examined.identity = dict(account.last("identity").get("identity") or {})
    if examined.identity:
        identity = examined.identity
        examined.facts["python.executable"] = str(identity["executable"])
        examined.facts["python.version"] = str(identity["version"])
        examined.facts["maps.libpython"] = tuple(identity["libpython"])
    _device_facts(examined, account)
    for kind, text in (account.last("silent").get("lost") or {}).items():
        cause = "int64-wraps" if kind == "int64" else "na-becomes-value"
        examined.notes.append(Note(id=cause, text=text))
    failure = account.failure
    if failure is None:
        return
    examined.layer = failure.layer
    examined.message = failure.message.strip()
    examined.texts += [ended.text, failure.message, failure.traceback]
    if not failure.told:
        examined.facts["exit.code"] = ended.code if ended.code >= 0 else 128 - ended.code
    if ended.signal:
        examined.facts["exit.signal"] = ended.signal
    if ended.hung:
        examined.facts["hang"] = True
    if account.events.get("done"):
        examined.facts["after_success"] = True
    examined.facts["status"] = "timeout" if ended.hung else "crash" if ended.signal else "fail"
    libraries = tuple(map(str, account.last("libraries").get("files") or ()))
    if libraries:
        examined.facts["maps.libraries"] = libraries
    examined.facts |= facts_of_loader(f"{failure.message}\n{failure.traceback}\n{ended.errors}")
    if failure.traceback:
        examined.show(innermost(failure.traceback))


def _device_facts(examined: Examined, account: Account) -> None:
    device = account.last("device").get("device") or {}
    if device.get("got"):
        examined.facts["device.got"] = str(device["got"])
    if device.get("build"):
        examined.facts["cuda.runtime"] = str(device["build"])
    if device.get("backend"):
        examined.facts["keras.backend"] = str(device["backend"])


def discovery(account: Account) -> tuple[Rung, ...]:
    """Return the order of discovery, with what each rung answers and why it lost."""
    config = account.last("config")
    taken = _taken(account)
    rungs: list[Rung] = []
    reached = True
    for event in account.events.get("rung", ()):
        mine = event["id"] == taken
        python = event.get("python")
        if mine:
            outcome = "taken" if config else "would be taken"
        elif not reached:
            outcome = "not asked: an earlier rung was taken"
        elif python is not None:
            outcome = _why_lost(account, str(python))
        else:
            outcome = "says nothing"
        rungs.append(
            Rung(
                id=str(event["id"]),
                what=str(event["what"]),
                answer=str(event["answer"]),
                outcome=outcome,
                python=None if python is None else str(python),
                taken=mine,
            )
        )
        reached = reached and not mine
    return tuple(rungs)


def _taken(account: Account) -> str | None:
    """Return the rung that reticulate took: as it says itself, or the first with its Python."""
    config = account.last("config")
    if not config:
        foreseen = [event["what"] for event in account.events.get("foreseen", ())]
        if "uv" in foreseen:
            return "py_require"
        return None
    forced = config.get("forced")
    if forced is not None:
        for words, rung in _FORCED:
            if words in str(forced):
                return rung
    wanted = _real(str(config["python"]))
    for event in account.events.get("rung", ()):
        if event.get("python") is not None and _real(str(event["python"])) == wanted:
            return str(event["id"])
    return None


def _real(python: str) -> str:
    # The folder, not the file: the Python of each virtual environment is a link to another's.
    path = Path(python)
    if path.is_dir():
        return str(path.resolve())
    return str(path.parent.resolve())


def _why_lost(account: Account, python: str) -> str:
    for probe in account.events.get("probe", ()):
        if _real(str(probe["command"])) == _real(python) and int(probe["status"]) != 0:
            said = telling(str(probe["errors"] or probe["output"]))
            return f"lost: it failed with {said or 'no word'}"
    if not Path(python).exists():
        return "lost: it is not there"
    return "lost: reticulate did not take it"


def _ask_facts(
    session: Session, examined: Examined, account: Account, config: dict[str, Any]
) -> None:
    """Say which Python was asked for, by what, and which the bridge looked at."""
    request = session.request
    seen = examined.seen or request.environ
    asked, by = request.python, "use_python"
    if asked is None and (rung := _asking(examined.rungs)) is not None:
        asked, by = rung.python, rung.id
    if asked is None and not examined.rungs and "RETICULATE_PYTHON" in seen:
        asked, by = seen["RETICULATE_PYTHON"], "RETICULATE_PYTHON"
    if by == "RETICULATE_PYTHON" and asked and Path(asked).is_dir():
        # As reticulate does; in an environment's folder it lies one deeper.
        folder, asked = Path(asked), str(Path(asked) / "python")
        inside = next((one for one in map(folder.joinpath, _INSIDE) if one.is_file()), None)
        if inside is not None and not Path(asked).is_file():
            examined.facts["python.inside"] = str(inside)
            examined.show(f"{folder} is a folder, and its Python is {inside}")
    if asked is not None:
        examined.facts |= {
            "python.requested": asked,
            "python.requested_by": by,
            "python.required": by not in {"VIRTUAL_ENV", "hint"},
            "python.exists": Path(asked).is_file(),
        }
    if config:
        examined.facts["python.found"] = True
        if config.get("libpython"):
            examined.facts["python.libpython"] = str(config["libpython"])
        if config.get("numpy"):
            examined.facts.setdefault("numpy.version", str(config["numpy"]))
        examined.facts.setdefault("python.version", str(config["version"]))
        examined.facts.setdefault("python.executable", str(config["python"]))
    elif account.events.get("rung") and asked is None:
        examined.facts["python.found"] = False


def _asking(rungs: Iterable[Rung]) -> Rung | None:
    return next((rung for rung in rungs if rung.id in _ASKING and rung.python is not None), None)


def _other_than_asked(examined: Examined, account: Account, config: dict[str, Any]) -> None:
    """Say it where a Python was asked for and another was taken, which newer versions do."""
    rung = _asking(examined.rungs)
    if rung is None or rung.taken or rung.python is None:
        return
    if not config and "foreseen" not in account.events:
        return
    if config and _real(rung.python) == _real(str(config["python"])):
        return
    taken = next((one for one in examined.rungs if one.taken), None)
    goes_on = f"; reticulate goes on to {taken.what}" if taken else ""
    got = f", which takes {config['python']}" if config else ""
    examined.layer = "identity" if config else "discovery"
    examined.message = (
        f"{rung.id} asks for {rung.python}, and it is not taken ({rung.outcome}){goes_on}{got}"
    )
    examined.texts.insert(0, examined.message)


def swapped(session: Session, examined: Examined, python: str | None) -> None:
    """Say it where R runs another Python than the same file is in the caller's shell.

    R puts the folders of its own libraries first, and one of them may hold another libpython of
    the same minor version.
    """
    runs = str(examined.identity.get("version", ""))
    if not runs or python is None:
        return
    code = "import sys; print('.'.join(map(str, sys.version_info[:3])))"
    ended = session.plain((python, "-S", "-c", code))
    named = ended.output.strip()
    if ended.code != 0 or not named or named == runs:
        return
    loaded = ", ".join(examined.identity.get("libpython") or ())
    examined.layer = "identity"
    examined.message = f"{python} is Python {named}, and under R it is {runs}, out of {loaded}"
    examined.facts["python.requested_version"] = named
    examined.facts.setdefault("python.requested", python)
    examined.texts.append(examined.message)


# --- after a failure ----------------------------------------------------------------------------


def _investigate(
    session: Session, examined: Examined, account: Account, rscript: Path, config: dict[str, Any]
) -> None:
    """Look closer at what failed, each look in a child of its own."""
    layer = examined.layer
    assert layer is not None
    for probe in account.events.get("probe", ()):
        if int(probe["status"]) != 0 or (layer == "discovery" and probe["errors"]):
            command = " ".join((str(probe["command"]), *map(str, probe["args"])))
            examined.texts.append(f"{probe['errors']}\n{probe['output']}")
            if last := telling(str(probe["errors"])):
                examined.show(f"{command}: {last}  (reticulate throws this away)")
    if layer in {"r", "bridge"}:
        _without_startup_files(session, examined, rscript)
        return
    python = _python_in_question(examined, config)
    modules: tuple[str, ...] = ()
    if layer == "numpy":
        modules = ("numpy",)
    elif layer in {"framework", "device", "op", "train"} and examined.framework:
        modules = ("numpy", examined.framework)
        examined.facts["framework.name"] = examined.framework
    environ = examined.seen or None
    if python is not None:
        found = examine_interpreter(session, examined, python, modules, environ)
        if found is not None:
            _swapped_child(session, examined, python, found)
    else:
        _nothing_found(session, examined, account)
    library = examined.facts.get("python.libpython")
    if layer in {"discovery", "python"} and isinstance(library, str):
        examine_library(session, examined, rscript, library, session.request.environ)
    _clashes(examined)


def _python_in_question(examined: Examined, config: dict[str, Any]) -> str | None:
    if config.get("python"):
        return str(config["python"])
    requested = examined.facts.get("python.requested")
    if isinstance(requested, str):
        return requested
    taken = next((rung for rung in examined.rungs if rung.taken), None)
    return taken.python if taken is not None else None


def _swapped_child(session: Session, examined: Examined, python: str, as_r: dict[str, Any]) -> None:
    """Say where R's children load another libpython than the caller's do."""
    if examined.identity:
        return
    mine, _ = session.look(python)
    if mine is not None and mine["version"] != as_r["version"]:
        examined.facts["python.requested_version"] = str(mine["version"])
        examined.facts["python.version"] = str(as_r["version"])
        examined.show(
            f"{python} is Python {mine['version']} in a shell and {as_r['version']} under R: "
            f"R's LD_LIBRARY_PATH has another libpython first"
        )


def _nothing_found(session: Session, examined: Examined, account: Account) -> None:
    foreseen = [event for event in account.events.get("foreseen", ()) if event["what"] == "uv"]
    if not foreseen:
        return
    from harness.doctor.network import INSTALLER, PYTHONS, reach

    uv = foreseen[-1].get("uv")
    if uv:
        examined.facts["uv.file"] = str(uv)
    # A uv that is there has no installer to fetch, and a Python to fetch all the same.
    network = reach(session.request.environ, PYTHONS if uv else INSTALLER)
    examined.facts["machine.network"] = network.reached
    if not network.reached:
        examined.texts.append(network.text)
        examined.show(network.text)
        return
    packages = ", ".join(map(str, foreseen[-1].get("packages") or ("numpy",)))
    text = (
        "no Python is set up: at its first use reticulate fetches "
        f"{'a Python' if uv else 'uv, a Python'} and {packages}, "
        "which the doctor does not do"
    )
    examined.notes.append(Note(id="py_require", text=text))
    wanted = session.request.framework
    named = foreseen[-1].get("packages") or ()
    if wanted is None or any(str(one).startswith(wanted) for one in named):
        examined.layer = None
    else:
        examined.message = f"{text}; {wanted} is not among them"
        examined.texts.append(examined.message)
        examined.facts["packages.missing"] = (wanted,)


def _without_startup_files(session: Session, examined: Examined, rscript: Path) -> None:
    """Say whether R starts when its startup files are left out."""
    ended = session.plain((rscript, "--vanilla", "-e", "cat('started')"))
    if "started" in ended.output:
        if examined.layer == "r":
            examined.show("R starts with --vanilla: what stops it is in a startup file")
    else:
        examined.texts.append(ended.text)
        examined.facts |= facts_of_loader(ended.text)
        examined.show("R does not start with --vanilla either")


def _clashes(examined: Examined) -> None:
    """Name libraries that are loaded twice, from two places."""
    libraries = examined.facts.get("maps.libraries")
    if not isinstance(libraries, tuple):
        return
    seen: dict[str, str] = {}
    for path in libraries:
        found = _CLASH.search(path)
        if found is None:
            continue
        first = seen.setdefault(found[1], path)
        if Path(first).resolve() != Path(path).resolve():
            examined.facts["maps.loaded_first"] = first
            examined.show(f"loaded twice: {first} and {path}")

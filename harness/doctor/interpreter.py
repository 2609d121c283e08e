"""What a Python is that a bridge was to start: the file, its environment, its library.

Nothing of this runs where all is well; each question is asked in a child of its own.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from harness.causes.model import Fact
from harness.doctor.child import Ended
from harness.doctor.elf import facts_of_library, facts_of_loader, read_library
from harness.doctor.session import Examined, Session
from harness.doctor.words import telling

_PLAIN: Final = {
    "version": "python.version",
    "shared": "python.shared",
    "free_threaded": "python.free_threaded",
    "debug": "python.debug",
    "has_pip": "python.has_pip",
    "has_venv": "python.has_venv",
    "has_ssl": "python.has_ssl",
    "externally_managed": "python.externally_managed",
    "encoding": "python.encoding",
    "libpython": "python.libpython",
}
_LISTS: Final = {
    "twice": "packages.twice",
    "user_site": "user_site.packages",
    "pythonpath": "pythonpath.packages",
    "shadows": "cwd.shadows",
}
_SPEAKS: Final = re.compile(r"Fatal Python error|Traceback \(most recent|Python path config")
"""What only a Python prints."""
_KERAS: Final = ("tensorflow", "torch", "jax")


def file_facts(python: str) -> dict[str, Fact]:
    """Return what the file itself tells, without running it."""
    path = Path(python)
    facts: dict[str, Fact] = {"python.requested": python, "python.exists": path.is_file()}
    for folder in (path.parent.parent, path) if path.is_dir() else (path.parent.parent,):
        config = folder / "pyvenv.cfg"
        if config.is_file():
            facts["python.is_venv"] = True
            facts["python.environment"] = str(folder)
            home = _home_of(config)
            if home is not None:
                facts["python.venv_base"] = home
                facts["python.venv_base_exists"] = any(
                    os.access(Path(home) / name, os.X_OK) for name in ("python3", "python")
                )
            break
    else:
        facts["python.is_venv"] = False
    if path.is_file():
        with path.open("rb") as file:
            head = file.read(4096)
        shim = head.startswith(b"#!") and bool(
            re.search(rb"pyenv|asdf|mise|shims", head + os.fsencode(python))
        )
        facts["python.is_shim"] = shim
    return facts


def _home_of(config: Path) -> str | None:
    for line in config.read_text(encoding="utf-8", errors="replace").splitlines():
        name, _, value = line.partition("=")
        if name.strip() == "home":
            return value.strip()
    return None


def examine_interpreter(
    session: Session,
    examined: Examined,
    python: str,
    modules: tuple[str, ...] = (),
    environ: Mapping[str, str] | None = None,
) -> dict[str, Any] | None:
    """Gather facts of an interpreter into ``examined``; return what it said of itself.

    Parameters
    ----------
    python
        The file that the bridge was to start.
    modules
        Modules whose import is to be tried, without the bridge.
    environ
        Variables as the bridge's host gives them to its children.
    """
    facts = file_facts(python)
    examined.facts |= facts
    if not facts["python.exists"]:
        gone = Path(python).is_symlink()
        examined.show(f"{python} {'is a link to nothing' if gone else 'is not there'}")
        return None
    found, ended = session.look(python, environ)
    starts = found is not None or (ended.code == 0 and not ended.hung)
    examined.facts["python.starts"] = starts
    if found is not None or _SPEAKS.search(ended.text):
        examined.facts["python.is_python"] = True
    elif starts or not ended.text.strip():
        # What prints an error and ends may be a Python that cannot start; what is silent is not.
        examined.facts["python.is_python"] = ended.hung or bool(ended.signal)
    if found is None:
        _no_python(examined, python, ended)
        return None
    _keep(examined, found)
    if found.get("libpython"):
        library = read_library(str(found["libpython"]))
        if library.fault is not None:
            examined.facts |= facts_of_library(library)
            examined.show(f"{library.path}: {library.fault}")
    missing = [one for one in modules if _import(session, examined, python, one, environ)]
    if missing:
        examined.facts["packages.missing"] = tuple(missing)
    return found


def _no_python(examined: Examined, python: str, ended: Ended) -> None:
    """Keep what is known of a program that does not answer as a Python does."""
    examined.texts.append(ended.text)
    examined.facts["python.start_error"] = ended.text[-2000:]
    examined.facts |= facts_of_loader(ended.text)
    if ended.hung:
        examined.facts["hang"] = True
        examined.show(f"{python} does nothing when it is started")
    elif ended.signal:
        examined.facts["exit.signal"] = ended.signal
        examined.show(f"{python}, started by itself, is ended by {ended.signal}")
    elif ended.code != 0:
        said = telling(ended.text) or "no word"
        examined.show(f"{python}, started by itself, ends with {ended.code}: {said}")
    else:
        examined.show(f"{python} runs, and does not answer as a Python does")


def _import(
    session: Session,
    examined: Examined,
    python: str,
    module: str,
    environ: Mapping[str, str] | None,
) -> bool:
    """Import a module without the bridge, in a child; return whether it is not there at all."""
    ended = session.plain((python, "-X", "faulthandler", "-c", f"import {module}"), environ)
    if ended.code == 0 and not ended.hung:
        examined.show(f"without the bridge, {python} can import {module}")
        return False
    examined.texts.append(ended.text)
    examined.facts |= facts_of_loader(ended.text)
    how = "hangs" if ended.hung else ended.signal or telling(ended.text)
    examined.show(f"without the bridge, {python} cannot import {module} either: {how}")
    absent = rf"No module named ['\"]?{re.escape(module)}['\"]?\s*$"
    return bool(re.search(absent, ended.text, re.MULTILINE))


def _keep(examined: Examined, found: dict[str, Any]) -> None:
    facts = examined.facts
    for name, fact in _PLAIN.items():
        if found.get(name) not in {None, ""} and fact not in facts:
            facts[fact] = found[name]
    for name, fact in _LISTS.items():
        if found.get(name):
            facts[fact] = tuple(map(str, found[name]))
    if found.get("libc"):
        facts["machine.libc"] = str(found["libc"])
    facts.setdefault("python.executable", str(found["executable"]))
    packages: dict[str, str] = found["packages"]
    facts |= {f"package.{name}": version for name, version in packages.items()}
    facts["numpy.installed"] = "numpy" in packages
    if "numpy" in packages:
        facts["numpy.version"] = packages["numpy"]
    facts["keras.backends"] = tuple(
        name for name in _KERAS if name in packages or f"{name}-cpu" in packages
    )


def examine_library(
    session: Session, examined: Examined, rscript: Path, library: str, environ: Mapping[str, str]
) -> None:
    """Load a libpython into an R that does nothing else, and keep what the loader says."""
    read = read_library(library)
    examined.facts["python.libpython"] = library
    if read.fault is not None:
        examined.facts |= facts_of_library(read)
        examined.show(f"{library}: {read.fault}")
        return
    code = "dyn.load(commandArgs(TRUE)[[1L]], local = FALSE)"
    ended = session.plain((rscript, "--vanilla", "-e", code, library), environ)
    if ended.code != 0 or ended.hung:
        examined.texts.append(ended.text)
        examined.facts |= facts_of_loader(ended.text)
        examined.show(f"R cannot load {library}")
    else:
        examined.show(f"R can load {library}")

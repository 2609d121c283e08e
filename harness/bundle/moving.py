"""An R and a Python taken out of the folders that they were made for.

An R of a Debian suite is made for ``/usr/lib/R`` of a root folder, which only namespaces can
enter.  What is needed of it is copied into a folder of its own, its start scripts find that folder
by where they lie, and each of its files looks beside itself for its libraries: so it runs on a
machine where nobody may make namespaces, with the machine's own C library and Python.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from harness.bundle.elf import Libraries, Patcher, elf_files, inside, is_elf
from harness.errors import Unavailable
from harness.model.environment import Interpreter, RToolchain
from harness.provision.process import run

R_HOME: Final = "R"
LIBRARIES: Final = "lib"
"""Folder of the libraries of an R, and of a Python, in their own folder."""
_RSCRIPT: Final = """\
#!/bin/sh
# Rscript itself knows the folder that it was built for alone.
here=$(cd "$(dirname "$0")" && pwd -P)
RHOME=$(dirname "$here")
export RHOME
exec "$here/Rscript.bin" "$@"
"""
_LDPATHS: Final = """\
: ${R_LD_LIBRARY_PATH=${R_HOME}/lib}
LD_LIBRARY_PATH="${R_LD_LIBRARY_PATH}${LD_LIBRARY_PATH:+:${LD_LIBRARY_PATH}}"
export LD_LIBRARY_PATH
"""
_FIND_HOME: Final = 'R_HOME_DIR=$(cd "$(dirname "$0")/.." && pwd -P)\n'
_ALWAYS: Final = frozenset(
    {"base", "compiler", "datasets", "graphics", "grDevices", "grid", "methods", "parallel",
     "splines", "stats", "stats4", "tools", "utils", "jsonlite"}
)  # fmt: skip
"""R's own packages, without those that draw on a screen, and what the drivers write JSON with."""
_NOT_RUN: Final = frozenset(
    {"help", "html", "doc", "demo", "include", "tests", "tinytest", "unitTests", "po", "man",
     "examples"}
)  # fmt: skip
"""Folders of an R package that running code does not read."""
_SCREEN: Final = frozenset({"R_X11.so", "R_de.so", "cairo.so"})
_PROGRAMS: Final = ("R", "Rscript", "Rcmd", "exec", "config", "pager")
_NOT_IN_CELLS: Final = frozenset(
    {"test", "tests", "idlelib", "turtledemo", "tkinter", "ensurepip", "site-packages",
     "dist-packages", "pydoc_data", "lib2to3", "__pycache__"}
)  # fmt: skip
"""Folders of Python's standard library that no cell imports."""
_PATIENCE_S: Final = 120.0
_FIELDS: Final = re.compile(r"(?m)^(Depends|Imports):((?:.*\n(?:[ \t].*\n)*))")


def move_r(
    toolchain: RToolchain,
    wanted: Iterable[str],
    libraries: Sequence[Path],
    into: Path,
    patcher: Patcher,
) -> dict[Path, Path]:
    """Copy an R with the packages that are wanted, and what they need, into a new folder.

    Return where its ``Rscript`` came to, and each of ``libraries``, which were built for it.

    Raises
    ------
    Unavailable
        It is an R of this machine, which may be made of anything.
    MachineFault
        A library is missing, or a file cannot be changed.
    """
    root = toolchain.root
    if root is None:
        raise Unavailable(
            f"the R of this machine ({toolchain.rscript}) cannot be taken along; ask for one of "
            "Debian's suites by its version"
        )
    source, home = inside(root, Path("/usr/lib/R")), into / R_HOME
    own = [source / "library", source / "site-library"]
    moved: dict[Path, Path] = {}
    for number, folder in enumerate(libraries):
        moved[folder] = into / f"library-{number}"
        shutil.copytree(folder, moved[folder], symlinks=True, ignore=_not_run)
    home.mkdir(parents=True)
    for name in ("lib", "modules"):
        shutil.copytree(source / name, home / name, ignore=_no_screen)
    (home / "bin").mkdir()
    for name in _PROGRAMS:
        path = source / "bin" / name
        if path.is_dir():
            shutil.copytree(path, home / "bin" / name)
        elif path.is_file():
            shutil.copy2(path, home / "bin" / name)
    shutil.copytree(inside(root, Path("/etc/R")), home / "etc")
    shares = inside(root, Path("/usr/share/R/share"))
    shutil.copytree(shares, home / "share", ignore=shutil.ignore_patterns("texmf", "java"))
    for name in sorted(_with_needs({*wanted, *_ALWAYS}, [*libraries, *own])):
        found = next((one / name for one in own if (one / name).is_dir()), None)
        if found is not None:
            target = home / found.parent.name / name
            shutil.copytree(found, target, symlinks=True, ignore=_not_run)
    (home / "site-library").mkdir(exist_ok=True)
    _rewrite(home)
    _with_libraries(into, [home / "lib"], Libraries(root), patcher)
    return {toolchain.rscript: home / "bin" / "Rscript", **moved}


def move_python(interpreter: Interpreter, into: Path, patcher: Patcher) -> Interpreter:
    """Copy a Python with its standard library into a new folder; return it as it is there.

    Raises
    ------
    MachineFault
        A library is missing, or a file cannot be changed.
    """
    root = interpreter.root or Path("/")
    series = ".".join(interpreter.version.split(".")[:2])
    prefix = inside(root, interpreter.prefix)
    target = into / "bin" / f"python{series}"
    target.parent.mkdir(parents=True)
    shutil.copy2(inside(root, interpreter.executable), target)
    own = into / LIBRARIES
    shutil.copytree(prefix / "lib" / f"python{series}", own / f"python{series}",
                    symlinks=True, ignore=_not_in_cells)  # fmt: skip
    libpython = None
    if interpreter.libpython is not None:
        found = inside(root, interpreter.libpython)
        libpython = own / found.name
        shutil.copy2(found, libpython)
        # A program asks for it by this name.
        if libpython.name != f"libpython{series}.so.1.0":
            shutil.copy2(found, own / f"libpython{series}.so.1.0")
            (own / f"libpython{series}.so").symlink_to(libpython.name)
    _strip(into)
    _with_libraries(into, [own], Libraries(root, [prefix / "lib"]), patcher)
    return Interpreter(
        executable=target,
        version=interpreter.version,
        prefix=into,
        libpython=libpython,
        source=interpreter.source,
    )


def _strip(folder: Path) -> None:
    """Take out what only a debugger reads: three quarters of a libpython that was built here."""
    program = shutil.which("strip")
    if program is not None:
        # What it cannot do stays as large as it was.
        run([program, "--strip-debug", *elf_files(folder)], limit_s=_PATIENCE_S)


def _with_libraries(into: Path, first: list[Path], libraries: Libraries, patcher: Patcher) -> None:
    """Put beside the programs of a folder all libraries that they need, and have them look."""
    programs = list(elf_files(into))
    own = into / LIBRARIES
    has = {path.name for folder in first for path in folder.iterdir()}
    own.mkdir(exist_ok=True)
    for name, path in libraries.closure(programs, has).items():
        shutil.copy2(path, own / name)
        programs.append(own / name)
    for program in programs:
        patcher.look_in(program, [*first, own])


def _rewrite(home: Path) -> None:
    """Have the start scripts of an R find it by where they lie."""
    start = home / "bin" / "R"
    text = start.read_text(encoding="utf-8")
    text = text.replace("R_HOME_DIR=/usr/lib/R\n", _FIND_HOME, 1)
    text = text.replace("=/usr/share/R/", '="${R_HOME_DIR}"/')
    start.write_text(text, encoding="utf-8")
    script = home / "bin" / "Rscript"
    script.rename(home / "bin" / "Rscript.bin")
    script.write_text(_RSCRIPT, encoding="utf-8")
    script.chmod(0o755)
    (home / "etc" / "ldpaths").write_text(_LDPATHS, encoding="utf-8")
    environ = home / "etc" / "Renviron"
    lines = environ.read_text(encoding="utf-8").splitlines()
    kept = [line for line in lines if not line.startswith(("R_LIBS_SITE=", "TAR=", "SED="))]
    environ.write_text(
        "\n".join((*kept, "R_LIBS_SITE=${R_HOME}/site-library", "TAR=tar", "SED=sed", "")),
        encoding="utf-8",
    )


def _with_needs(wanted: set[str], libraries: list[Path]) -> set[str]:
    """Return R packages with those that they load."""
    found: set[str] = set()
    todo = set(wanted)
    while todo:
        name = todo.pop()
        description = next(
            (one for folder in libraries if (one := folder / name / "DESCRIPTION").is_file()), None
        )
        if name in found or description is None:
            continue
        found.add(name)
        text = description.read_text(encoding="utf-8", errors="replace")
        for _field, names in _FIELDS.findall(text):
            todo |= {one.split("(")[0].strip() for one in names.split(",")} - found - {"R", ""}
    return found


def _not_run(folder: str, names: list[str]) -> set[str]:
    # Below a package's own folder, these names may be anything.
    top = (Path(folder) / "DESCRIPTION").is_file()
    left = {name for name in names if name in _SCREEN or name.endswith((".a", ".o"))}
    return left | (_NOT_RUN & set(names) if top else set())


def _no_screen(_folder: str, names: list[str]) -> set[str]:
    return set(names) & _SCREEN


def _not_in_cells(folder: str, names: list[str]) -> set[str]:
    left = {name for name in names if name in _NOT_IN_CELLS or name.endswith((".a", ".exe"))}
    left |= {name for name in names if name.startswith("config-") and "." in name}
    if Path(folder).name == "lib-dynload":
        left |= {name for name in names if name.startswith(("_test", "_tkinter", "_ctypes_test"))}
        # What a Python was built with and this machine has lost runs nowhere else either.
        left |= {name for name in names if not is_elf(Path(folder, name)) and name not in left}
    return left

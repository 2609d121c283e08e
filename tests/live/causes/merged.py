"""An environment in the home, made of the files of several others."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from harness.model.environment import PythonEnvironment

SITE = "lib/python3.11/site-packages"
PYTHON = "{home}/env/bin/python"


def merged(environment: PythonEnvironment, *others: tuple[Path, str]) -> Callable[[Path], None]:
    """Return what makes an environment in the home out of links to the files of others.

    It has what ``environment`` has.  Of each other folder of packages, what begins with a name
    comes instead, or all of it where the name is empty: as an install leaves it that was broken
    off, or that did not look at what is there.
    """

    def prepare(home: Path) -> None:
        place = home / "env" / SITE
        place.mkdir(parents=True)
        (home / "env" / "bin").mkdir()
        base = environment.interpreter.executable
        (home / "env" / "bin" / "python").symlink_to(base)
        (home / "env" / "pyvenv.cfg").write_text(f"home = {base.parent}\nversion = 3.11\n")
        taken = _entries(site_of(environment), "")
        for other, start in others:
            if start:
                taken = {name: path for name, path in taken.items() if not _is_of(name, start)}
            taken |= _entries(other, start)
        for name, path in taken.items():
            (place / name).symlink_to(path)

    return prepare


def site_of(environment: PythonEnvironment) -> Path:
    """Return the folder of an environment's packages."""
    return environment.executable.parents[1] / SITE


def _entries(folder: Path, start: str) -> dict[str, Path]:
    return {entry.name: entry for entry in folder.iterdir() if _is_of(entry.name, start)}


def _is_of(name: str, start: str) -> bool:
    return not start or name == start or name.startswith((f"{start}-", f"{start}."))

"""Where R is, and where a variable that R sees was set."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

from harness.doctor.model import Variable

_RELEVANT: Final = re.compile(
    r"RETICULATE_.*|PYTHON.*|LD_LIBRARY_PATH|LD_PRELOAD|VIRTUAL_ENV|WORKON_HOME|CONDA_.*|PYENV_.*"
    r"|KERAS_.*|TF_(?!CLI_|VAR_|LOG|DATA_DIR|WORKSPACE|PLUGIN).*|XLA_.*|JAX_.*|CUDA_.*|NVIDIA_.*|OMP_.*|MKL_.*|KMP_.*|OPENBLAS_.*"
    r"|R_HOME|R_LIBS.*|R_ENVIRON.*|R_PROFILE.*|RPYTHON_.*|UV_.*|PIP_.*|(?i:(?:https?|all|no)_proxy)"
    r"|SSL_CERT_.*|REQUESTS_CA_BUNDLE|LC_ALL|LC_CTYPE|LANG|WANDB_.*|PROTOCOL_BUFFERS_.*"
)
_QUIET: Final = re.compile(
    r"R_LIBS_SITE|CONDA_(?!PREFIX|DEFAULT_ENV|EXE).*|LANG|LC_.*|PYTHONUNBUFF.*"
)
"""Relevant to a diagnosis and dull to read."""
_OF_R: Final = re.compile(r"R_HOME|R_LIBS_USER")
"""What R sets itself, unless it is told otherwise."""
_PROFILES: Final = (
    *(".bashrc", ".bash_profile", ".profile", ".zshrc", ".zshenv", ".zprofile", ".pam_environment"),
    *("/etc/environment", "/etc/profile", "/etc/bash.bashrc"),
)


def find_rscript(named: str | None, environ: Mapping[str, str], folder: Path) -> Path | None:
    """Return the Rscript to take: the one named, else the first that a user would get."""
    if named is not None:
        found = shutil.which(named, path=environ.get("PATH", ""))
        path = Path(found or named)
        path = path if path.is_absolute() else folder / path
        if path.stem == "R" and (beside := path.with_name("Rscript" + path.suffix)).is_file():
            return beside
        return path if path.is_file() else None
    if (found := shutil.which("Rscript", path=environ.get("PATH", ""))) is not None:
        return Path(found)
    from harness.provision.r.machine import rscripts

    return next(iter(rscripts(environ)), None)


def relevant(values: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that a diagnosis may ask for, free of credentials."""
    from harness.provision.pipconfig import redact

    return {
        name: redact(value) for name, value in sorted(values.items()) if _RELEVANT.fullmatch(name)
    }


def variables(
    seen: Mapping[str, str], caller: Mapping[str, str], r_home: str | None, folder: Path
) -> tuple[Variable, ...]:
    """Return the variables that matter, each with its origin.

    Parameters
    ----------
    seen
        All variables that R sees.
    caller
        Those that R was started with.
    r_home
        R's home, for its own startup files.
    """
    return tuple(
        Variable(name=name, value=value, origin=origin(name, seen, caller, r_home, folder))
        for name, value in relevant(seen).items()
        if not _QUIET.fullmatch(name) and (name in caller or not _OF_R.fullmatch(name))
    )


def origin(
    name: str, seen: Mapping[str, str], caller: Mapping[str, str], r_home: str | None, folder: Path
) -> str:
    """Say where the value of a variable comes from, as far as files tell."""
    home = Path(caller.get("HOME") or "/nonexistent")
    if seen.get(name) == caller.get(name):
        place = _assignment(name, (home / file for file in _PROFILES), r"(?:export\s+)?{}\s*=")
        return f"inherited; {place} sets it" if place else "inherited"
    place = _assignment(name, _environ_files(caller, r_home, home, folder), r"(?:export\s+)?{}\s*=")
    place = place or _assignment(name, _profile_files(caller, r_home, home, folder), r".*\b{}\b")
    if place:
        return place
    if name == "LD_LIBRARY_PATH":
        return "R's own start script, which puts its libraries first"
    return "R's startup files"


def _environ_files(
    caller: Mapping[str, str], r_home: str | None, home: Path, folder: Path
) -> Iterator[Path]:
    """R's files of variables; the later one wins, so it comes first here."""
    if named := caller.get("R_ENVIRON_USER"):
        yield Path(named).expanduser()
    elif (folder / ".Renviron").is_file():
        yield folder / ".Renviron"
    else:
        yield home / ".Renviron"
    if named := caller.get("R_ENVIRON"):
        yield Path(named).expanduser()
    if r_home:
        yield Path(r_home) / "etc" / "Renviron.site"
        yield Path(r_home) / "etc" / "Renviron"


def _profile_files(
    caller: Mapping[str, str], r_home: str | None, home: Path, folder: Path
) -> Iterator[Path]:
    if named := caller.get("R_PROFILE_USER"):
        yield Path(named).expanduser()
    elif (folder / ".Rprofile").is_file():
        yield folder / ".Rprofile"
    else:
        yield home / ".Rprofile"
    if r_home:
        yield Path(r_home) / "etc" / "Rprofile.site"


def _assignment(name: str, files: Iterable[Path], pattern: str) -> str | None:
    """Return ``file:line`` of the last assignment in the first file that has one."""
    wanted = re.compile(r"\s*" + pattern.format(re.escape(name)))
    for file in files:
        try:
            lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            continue
        numbers = [at for at, line in enumerate(lines, 1) if wanted.match(line)]
        if numbers:
            return f"{file}:{numbers[-1]}"
    return None

"""A bridge that is a Python package, built from its own source tree for a cell's Python.

A tree may hold several projects: rpy2 is made of rpy2-rinterface and rpy2-robjects since 3.6, each
in a folder of its own.  All of them are built, and none of them is taken from an index.
"""

from __future__ import annotations

import email
import hashlib
import re
import shutil
import tomllib
import zipfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name, parse_wheel_filename

from harness.errors import BuildFailure, Unavailable
from harness.provision.pipconfig import redact
from harness.provision.process import Ran
from harness.provision.python.uv import run_uv, with_variables

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from harness.model.environment import Interpreter, PackageSources, SourceTree, Store

_KIND: Final = "wheels"
_LAYOUT: Final = "1"
_LIMIT_S: Final = 1200.0
_KEPT: Final = 6000
"""Characters of a build's output that are kept with a failure: the end."""
_PROJECT: Final = ("pyproject.toml", "setup.py")
_MADE: Final = ("build", "dist")
"""Folders of an earlier build, which setuptools would take old files from."""
_UNREACHED: Final = re.compile(
    r"error sending request|dns error|tcp connect error|failed to fetch|request failed after"
    r"|operation timed out|network is unreachable|connection (refused|reset)"
    r"|network connectivity is disabled",
    re.IGNORECASE,
)
_WHY: Final = (
    r"[^\s:]+:\d+:(?:\d+:)? (?:fatal )?error: [^\n]+",
    r"\w*Error: [^\n]+",
    r"(?:fatal )?error: [^\n]+",
)
"""What a build's output says of its failure, the most telling first."""


class Wheels(msgspec.Struct, frozen=True, kw_only=True):
    """What was built: the files, and what they need beside each other, as requirements.

    ``tree`` is what they were built from, with the version that the build gave it.
    """

    files: tuple[Path, ...]
    requires: tuple[str, ...]
    tree: SourceTree

    @property
    def names(self) -> frozenset[str]:
        """Normalised names of the packages."""
        return frozenset(parse_wheel_filename(file.name)[0] for file in self.files)


def projects(folder: Path, package: str) -> tuple[Path, ...]:
    """Return the folders of a tree that hold Python projects: its own, then its parts.

    A part lies in a folder of the tree, and is named like the package: ``rpy2-robjects``.
    """
    parts = sorted(
        child
        for child in folder.iterdir()
        if child.is_dir()
        and canonicalize_name(child.name).startswith(f"{canonicalize_name(package)}-")
        and _is_project(child)
    )
    return (*((folder,) if _is_project(folder) else ()), *parts)


def version_of_project(folder: Path) -> str:
    """Return the version that a project's ``pyproject.toml`` states; empty where it is computed."""
    try:
        text = (folder / "pyproject.toml").read_text(encoding="utf-8")
        said: dict[str, Any] = tomllib.loads(text)
    except (OSError, ValueError):
        return ""
    project = said.get("project")
    version = project.get("version") if isinstance(project, dict) else None
    return version if isinstance(version, str) else ""


def build_wheels(
    tree: SourceTree,
    interpreter: Interpreter,
    sources: PackageSources,
    variables: Mapping[str, str],
    *,
    store: Store,
    notify: Callable[[str], None],
) -> Wheels:
    """Return the wheels of all projects of a tree, built for a Python.

    Parameters
    ----------
    variables
        What they are to be built as.

    Raises
    ------
    BuildFailure
        If a project does not build: with what its build says of why.
    Unavailable
        If what builds it cannot be fetched.
    MachineFault
        If there is no room.
    """
    asked = msgspec.json.encode(sorted(variables.items())).decode()
    where = (interpreter.version, str(interpreter.executable), str(interpreter.root or ""))
    parts = (_LAYOUT, tree.digest, *where, asked)
    folder = store.ensure(
        _KIND,
        hashlib.sha256("\0".join(parts).encode()).hexdigest(),
        partial(_build, tree, interpreter, sources, dict(variables), notify),
        description=f"{tree.name} of a source tree for Python {interpreter.version}",
    )
    files = tuple(sorted(folder.glob("*.whl")))
    versions = {str(name): str(version) for name, version in map(_name_of, files)}
    own = canonicalize_name(tree.name)
    version = versions.get(own) or tree.version or next(iter(versions.values()))
    return Wheels(
        files=files,
        requires=tuple(sorted(set(_requires(files, frozenset(versions), own)))),
        tree=msgspec.structs.replace(tree, version=version),
    )


def why(said: str) -> str:
    """Return what the output of a build says of its failure, in one clause."""
    for pattern in _WHY:
        if found := re.search(pattern, said):
            return found.group().strip()
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return lines[-1] if lines else "it ended without a word"


def _is_project(folder: Path) -> bool:
    return any((folder / name).is_file() for name in _PROJECT)


def _name_of(file: Path) -> tuple[str, str]:
    name, version, *_rest = parse_wheel_filename(file.name)
    return name, str(version)


def _requires(files: tuple[Path, ...], built: frozenset[str], own: str) -> Iterator[str]:
    for file in files:
        with zipfile.ZipFile(file) as opened:
            (inner,) = (n for n in opened.namelist() if n.endswith(".dist-info/METADATA"))
            metadata = email.message_from_bytes(opened.read(inner))
        for text in metadata.get_all("Requires-Dist") or ():
            try:
                requirement = Requirement(text)
            except InvalidRequirement:
                continue
            is_extra = requirement.marker is not None and "extra" in str(requirement.marker)
            if not is_extra and canonicalize_name(requirement.name) not in built:
                yield str(requirement)
    if own not in built:
        # A tree of one part: the others come from the index.
        yield own


def _build(
    tree: SourceTree,
    interpreter: Interpreter,
    sources: PackageSources,
    variables: dict[str, str],
    notify: Callable[[str], None],
    folder: Path,
) -> None:
    notify(f"building {tree.name} from its source tree for Python {interpreter.version}")
    scratch = folder / "scratch"
    shutil.copytree(tree.place, scratch, symlinks=True)
    for project in projects(scratch, tree.name):
        for made in _MADE:
            if not (project / made / "__init__.py").exists():
                shutil.rmtree(project / made, ignore_errors=True)
        ran = run_uv(
            interpreter,
            with_variables(sources, variables),
            [
                *("build", "--wheel", "--no-config", "--no-create-gitignore"),
                *("--python", interpreter.executable, "--out-dir", folder, project),
                *sources.options,
            ],
            folder=folder,
            limit_s=_LIMIT_S,
        )
        if not ran.ok:
            raise _failure(tree, interpreter, ran, folder)
    shutil.rmtree(scratch)


def _failure(
    tree: SourceTree, interpreter: Interpreter, ran: Ran, folder: Path
) -> BuildFailure | Unavailable:
    what = f"{tree.name} of the source tree does not build for Python {interpreter.version}"
    # The same failure reads the same on every machine.
    said = redact(ran.stdout + ran.stderr).replace(str(folder / "scratch"), "BUILD")
    said = said.replace(str(Path.home()), "~")
    if _UNREACHED.search(said):
        return Unavailable(
            f"{what}: what builds it could not be fetched; check the network, then run again"
        )
    if ran.timed_out:
        return BuildFailure(f"{what} within {_LIMIT_S / 60:.0f} minutes", said[-_KEPT:], said)
    return BuildFailure(f"{what}: {why(said)}", said[-_KEPT:], said)

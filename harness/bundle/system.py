"""The Python of the machine that a bundle came to, with what is installed for it."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from harness.errors import UsageError
from harness.model.cell import Axes
from harness.model.cuda import satisfies
from harness.model.environment import Interpreter, Lock, PythonEnvironment
from harness.provision.process import Ran, run
from harness.provision.python.asking import QUESTION, heard
from harness.provision.python.interpreters import matches
from harness.resolve.frameworks import CPU, request

_PATIENCE_S: Final = 120.0
_INSTALLED: Final = """
import json
try:
    from importlib.metadata import distributions
except ImportError:
    from importlib_metadata import distributions
found = {}
for one in distributions():
    name = one.metadata["Name"]
    if name:
        found.setdefault(name, one.version)
print("said:" + json.dumps(found))
"""
_OTHER_NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    "tensorflow-cpu": ("tensorflow", "tensorflow-gpu"),
    "tensorflow": ("tensorflow-cpu", "tensorflow-gpu"),
}
"""Packages that are as good as that of a requirement."""
_BUILDS: Final[Mapping[str, tuple[str, ...]]] = {
    "jax": ("jaxlib",),
    "tensorflow": ("tensorflow", "tensorflow-cpu", "tensorflow-gpu"),
    "torch": ("torch",),
}
"""Packages of which one holds the framework's own programs."""
_PLUGIN: Final = re.compile(r"jax-cuda(\d+)-plugin")
_LABEL: Final = re.compile(r"cu(?:(?P<digits>\d{2,3})|da(?P<major>\d{2}))(?!\d)")
"""Of a build for CUDA: torch 2.7.1+cu126, jaxlib 0.4.23+cuda12.cudnn89."""


class SystemPython(msgspec.Struct, frozen=True, kw_only=True):
    """A Python of this machine with the versions of what is installed for it, by name."""

    environment: PythonEnvironment
    versions: dict[str, str]

    def lacks(self, axes: Axes, needs: tuple[str, ...]) -> str | None:
        """Return why a cell cannot have this Python, as a sentence; ``None`` where it can.

        ``needs`` are what the path needs beside the framework.
        """
        interpreter = self.environment.interpreter
        named = "the Python of this machine"
        if not matches(axes.python, interpreter.version):
            return f"{named} is {interpreter.version}, and the cell asks for {axes.python}"
        asked = request(axes, needs)
        pinned = {canonicalize_name(name) for name, _specifier in axes.pins}
        wrong: list[str] = []
        for line in asked.requirements:
            try:
                requirement = Requirement(line)
            except InvalidRequirement:
                continue
            # The data of most probes are made with it, but a cell without them does not ask.
            if canonicalize_name(requirement.name) == "numpy" and not (
                pinned or axes.framework is not None
            ):
                continue
            said = self._why_not(requirement)
            if said is not None:
                wrong.append(said)
        if not wrong and axes.cuda != CPU:
            others = (self._other_cuda(name, axes.cuda) for name in sorted(asked.uses))
            wrong = [said for said in others if said is not None]
        if not wrong:
            return None
        return f"{named} does not fit the cell: {'; '.join(wrong)}"

    def _other_cuda(self, framework: str, asked: str) -> str | None:
        """Return why a framework is for another CUDA, or none, where its packages tell that."""
        major = asked.partition(".")[0]
        plugins = [found for name in self.versions if (found := _PLUGIN.fullmatch(name))]
        if framework == "jax" and plugins:
            has = ", ".join(sorted(plugin[0] for plugin in plugins))
            fits = any(plugin[1] == major for plugin in plugins)
            return None if fits else f"it has {has}, and CUDA {asked} is asked for"
        names = [name for name in _BUILDS[framework] if name in self.versions]
        # Of several, which one is imported is not known.
        if len(names) != 1:
            return None
        version = self.versions[names[0]]
        has, label = f"it has {names[0]} {version}", version.partition("+")[2]
        if names[0].endswith("-cpu") or label.startswith(("cpu", "rocm")):
            return f"{has}, built without CUDA, and CUDA {asked} is asked for"
        if (found := _LABEL.match(label)) is None:
            return None
        digits = found["digits"]
        if digits:
            fits = satisfies(asked, f"{digits[:-1]}.{digits[-1]}")
        else:
            fits = found["major"] == major
        return None if fits else f"{has}, and CUDA {asked} is asked for"

    def _why_not(self, requirement: Requirement) -> str | None:
        if requirement.marker is not None and not requirement.marker.evaluate():
            return None
        own = canonicalize_name(requirement.name)
        names = (own, *_OTHER_NAMES.get(own, ()))
        has = next((self.versions[name] for name in names if name in self.versions), None)
        if has is None:
            return f"it has no {requirement.name}, and {requirement} is asked for"
        try:
            fits = requirement.specifier.contains(Version(has), prereleases=True)
        except InvalidVersion:
            fits = not requirement.specifier
        return None if fits else f"it has {own} {has}, and {requirement} is asked for"


def ask_python(executable: Path) -> Interpreter:
    """Return what a Python says of itself.  Raises ``UsageError`` where it does not run."""
    said = heard(_run(executable, QUESTION))
    if not said.version or said.implementation != "CPython":
        raise UsageError(f"{executable} is no Python that can be asked; name another with --python")
    return Interpreter(
        executable=executable,
        version=said.version,
        prefix=Path(said.prefix),
        libpython=Path(said.libpython) if said.libpython else None,
    )


def system_python(named: str | None) -> SystemPython:
    """Return the Python that the user named, or the first ``python3`` on ``PATH``.

    Raises
    ------
    UsageError
        There is none, or it does not run.
    """
    found = shutil.which(named or "python3")
    if found is None:
        raise UsageError(
            f"there is no {named}; name a Python with --python"
            if named
            else "there is no python3 on PATH; name one with --python"
        )
    # Not the real path: an environment's Python finds its packages by the link.
    executable = Path(os.path.abspath(found))  # noqa: PTH100 - which does not follow links
    interpreter = ask_python(executable)
    ran = _run(executable, _INSTALLED)
    try:
        lines = [line for line in ran.stdout.splitlines() if line.startswith("said:")]
        installed = msgspec.json.decode(lines[-1].removeprefix("said:"), type=dict[str, str])
    except (IndexError, msgspec.MsgspecError):
        raise UsageError(f"{executable} cannot say what is installed: {ran.tail(1)}") from None
    versions = {str(canonicalize_name(name)): version for name, version in installed.items()}
    text = "".join(f"{name}=={version}\n" for name, version in sorted(versions.items()))
    stamp = f"{executable}\0{interpreter.version}\0{text}"
    folders = {interpreter.prefix, executable.parent, executable.resolve().parents[1]}
    if interpreter.libpython is not None:
        folders.add(interpreter.libpython.parent)
    return SystemPython(
        environment=PythonEnvironment(
            executable=executable,
            interpreter=interpreter,
            lock=Lock(text=text, digest=hashlib.sha256(stamp.encode()).hexdigest()),
            # All else of the machine is visible as it is.
            binds=tuple(sorted(folder for folder in folders if _is_hidden(folder))),
        ),
        versions=versions,
    )


def _is_hidden(folder: Path) -> bool:
    return folder.is_dir() and folder.parts[1:2] in (("tmp",), ("run",))


def _run(executable: Path, question: str) -> Ran:
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return run([executable, "-c", question], env=env, cwd=Path("/"), limit_s=_PATIENCE_S)

"""The Python of the machine that a bundle came to, with what is installed for it."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from harness.bundle.start import CALLERS
from harness.errors import UsageError
from harness.execute.environment import base_environment
from harness.model.cell import Axes
from harness.model.cuda import satisfies
from harness.model.environment import Interpreter, Lock, PythonEnvironment
from harness.provision.process import Ran, run
from harness.provision.python.asking import QUESTION, heard
from harness.provision.python.interpreters import matches
from harness.resolve.frameworks import CPU, request
from harness.workflow.measuring import SYSTEM_PATH

_PATIENCE_S: Final = 120.0
_INSTALLED: Final = """
import json, os, site, sys
try:
    from importlib.metadata import distributions
except ImportError:
    from importlib_metadata import distributions
def real(folder):
    return os.path.realpath(str(folder))
named = {real(one) for one in os.environ.get("PYTHONPATH", "").split(os.pathsep) if one}
found = {}
for one in distributions():
    name = one.metadata["Name"]
    if name and name not in found:
        place = real(one.locate_file(""))
        is_users = place == real(site.getusersitepackages())
        found[name] = [one.version, "user" if is_users else "named" if place in named else ""]
print("said:" + json.dumps(found))
"""
_PLACES: Final = {"user": "in your user site", "named": "on PYTHONPATH"}
"""Where a cell does not look for packages."""
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
    """A Python of this machine with the versions of what is installed for it, by name.

    ``unseen`` is what only its user finds, with version and place: cells do not.
    """

    environment: PythonEnvironment
    versions: dict[str, str]
    unseen: dict[str, tuple[str, str]] = {}

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
        if has is not None and _fits(requirement, has):
            return None
        said = f"it has {f'no {requirement.name}' if has is None else f'{own} {has}'}"
        return f"{said}, and {requirement} is asked for{self._hint(requirement, names)}"

    def _hint(self, requirement: Requirement, names: tuple[str, ...]) -> str:
        """Return what to say of a package that would do, had it been installed elsewhere."""
        for name in names:
            version, place = self.unseen.get(name, ("", ""))
            if place and _fits(requirement, version):
                return (
                    f" ({name} {version} is {place}, which cells do not see: install it in a "
                    "virtual environment, and name that one's Python with --python)"
                )
        return ""


def ask_python(executable: Path, env: Mapping[str, str] | None = None) -> Interpreter:
    """Return what a Python says of itself with the variables ``env``; by default the caller's.

    Raises ``UsageError`` where it does not run.
    """
    said = heard(_run(executable, QUESTION, _plain() if env is None else env))
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
        There is none, or it does not run as cells run it.
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
    with tempfile.TemporaryDirectory(prefix="harness-") as home:
        env = {**base_environment(os.environ), "PATH": SYSTEM_PATH, "HOME": home}
        interpreter = _ask_as_cells(executable, env)
        ran = _run(executable, _INSTALLED, env)
    installed = _installed(ran)
    if installed is None:
        raise UsageError(f"{executable} cannot say what is installed: {ran.tail(1)}")
    versions = {name: version for name, (version, _place) in installed.items()}
    callers = _installed(_run(executable, _INSTALLED, _callers())) or {}
    unseen = {
        name: (version, _PLACES[place])
        for name, (version, place) in callers.items()
        if place and versions.get(name) != version
    }
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
        unseen=unseen,
    )


def _ask_as_cells(executable: Path, env: Mapping[str, str]) -> Interpreter:
    """Return what a Python says of itself in a cell; says what it lacks there."""
    try:
        return ask_python(executable, env)
    except UsageError:
        # Not where it runs for nobody.
        ask_python(executable)
    libraries = {"LD_LIBRARY_PATH": os.environ.get("LD_LIBRARY_PATH", "")}
    if heard(_run(executable, QUESTION, {**env, **libraries})).version:
        raise UsageError(
            f"{executable} finds its libraries by LD_LIBRARY_PATH, which cells do not see; name "
            "one with --python that finds them by itself (of the system, of conda, or uv's)"
        )
    raise UsageError(
        f"{executable} runs with variables of yours that cells do not see; name with --python the "
        "program itself that it starts"
    )


def _installed(ran: Ran) -> dict[str, tuple[str, str]] | None:
    """Return version and place of each package that a Python said to be there."""
    lines = [line for line in ran.stdout.splitlines() if line.startswith("said:")]
    try:
        said = msgspec.json.decode(lines[-1].removeprefix("said:"), type=dict[str, tuple[str, str]])
    except (IndexError, msgspec.MsgspecError):
        return None
    return {str(canonicalize_name(name)): found for name, found in said.items()}


def _fits(requirement: Requirement, version: str) -> bool:
    try:
        return requirement.specifier.contains(Version(version), prereleases=True)
    except InvalidVersion:
        return not requirement.specifier


def _is_hidden(folder: Path) -> bool:
    return folder.is_dir() and folder.parts[1:2] in (("tmp",), ("run",))


def _plain() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}


def _callers() -> dict[str, str]:
    """Return the variables that a Python has which the user starts."""
    named = os.environ.get(CALLERS, os.environ.get("PYTHONPATH", ""))
    return {**_plain(), **({"PYTHONPATH": named} if named else {})}


def _run(executable: Path, question: str, env: Mapping[str, str]) -> Ran:
    return run([executable, "-c", question], env=env, cwd=Path("/"), limit_s=_PATIENCE_S)

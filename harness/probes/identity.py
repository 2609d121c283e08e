"""Did the cell run what it says it ran?  The identity read back, against what was provisioned.

R exports ``LD_LIBRARY_PATH`` to its children, a bridge picks a Python by rules of its own, and a
resolver may install another version than the matrix names: a result counts only for what ran.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from packaging.version import InvalidVersion, Version

from harness.model.cell import Axes
from harness.model.cuda import runtime_of, satisfies
from harness.model.environment import Interpreter, Lock, Provisioned
from harness.model.status import Phase
from harness.probes.base import host_of

DISTRIBUTIONS: Final[Mapping[str, tuple[str, ...]]] = {
    "tensorflow": ("tensorflow", "tensorflow-cpu", "tensorflow-intel", "tensorflow-macos"),
}
"""Names under which a module is installed, where they are not its own."""

Mismatch = tuple[Phase, str]
Identity = Mapping[str, Any]


def check(
    identity: Identity, axes: Axes, provisioned: Provisioned, variant: str | None = None
) -> Mismatch | None:
    """Return the phase to blame and one sentence, or ``None`` where all is as the cell says.

    ``variant`` is the Keras backend, whose module must then have been imported.
    """
    return (
        check_languages(identity, axes, provisioned)
        or _modules(identity, axes, provisioned, variant)
        or _device(identity, axes, provisioned.python.lock)
    )


def check_languages(identity: Identity, axes: Axes, provisioned: Provisioned) -> Mismatch | None:
    """Look at R, the bridge and Python alone, for a probe that needs no framework."""
    return (
        _r(identity, axes, provisioned)
        or _bridge(identity, axes, provisioned)
        or _python(identity, axes, provisioned)
    )


def same_version(seen: str, wanted: str) -> bool:
    """Compare two Python versions; a local part (``+cpu``) counts only where both have one."""
    try:
        left, right = Version(seen), Version(wanted)
    except InvalidVersion:
        return seen == wanted
    if left.local is None or right.local is None:
        return Version(left.public) == Version(right.public)
    return left == right


def version_begins(seen: str, wanted: str) -> bool:
    """Say whether ``seen`` is ``wanted`` or a version below it: 1.41.0.1 is of 1.41, not of 1.4."""
    parts, prefix = (text.replace("-", ".").split(".") for text in (seen, wanted))
    return parts[: len(prefix)] == prefix


def _r(identity: Identity, axes: Axes, provisioned: Provisioned) -> Mismatch | None:
    if axes.r is None or provisioned.r is None:
        return None
    seen = _text(identity, "r", "version")
    if seen is None:
        return Phase.START, "the driver did not say which R it runs in"
    if seen != provisioned.r.version:
        return Phase.START, f"R {seen} ran, but R {provisioned.r.version} was provisioned"
    if axes.r != "system" and not version_begins(seen, axes.r):
        return Phase.START, f"R {seen} ran, but the cell is for R {axes.r}"
    return None


def _bridge(identity: Identity, axes: Axes, provisioned: Provisioned) -> Mismatch | None:
    if axes.bridge is None:
        return None
    seen = _text(identity, "bridge", "version")
    if seen is None:
        return Phase.BRIDGE, "the driver did not say which version of the bridge it loaded"
    name = _text(identity, "bridge", "name") or axes.path
    tree = provisioned.bridge_tree
    if tree is None:
        # What follows a plus is the way in which it was built, of which the package knows nothing.
        wanted = axes.bridge.partition("+")[0]
        if not version_begins(seen, wanted):
            return Phase.BRIDGE, f"{name} {seen} was loaded, but the cell is for {axes.bridge}"
        return None
    if not version_begins(seen, tree.version) and not same_version(seen, tree.version):
        return Phase.BRIDGE, f"{name} {seen} was loaded, but {tree.version} was built for the cell"
    home = _text(identity, "bridge", "home")
    libraries = () if provisioned.r is None else provisioned.r.binds
    # The version alone does not tell a changed source from the one that the R comes with.
    if home is not None and not any(Path(home).is_relative_to(folder) for folder in libraries):
        return Phase.BRIDGE, f"{name} was loaded from {home}, not from where it was built to"
    return None


def _python(identity: Identity, axes: Axes, provisioned: Provisioned) -> Mismatch | None:
    environment = provisioned.python
    executable, version, prefix = (
        _text(identity, "python", key) for key in ("executable", "version", "prefix")
    )
    if executable is None or version is None or prefix is None:
        return Phase.PYTHON, "the driver did not say which Python it runs"
    wanted = environment.interpreter.version
    if version != wanted or not version_begins(version, axes.python):
        asked = wanted if version != wanted else axes.python
        return Phase.PYTHON, f"Python {version} ran, but the cell is for Python {asked}"
    folder = environment.executable.parent
    # An embedded Python can make its prefix with one slash too many: //usr.
    prefix = f"/{prefix.lstrip('/')}"
    if Path(executable).parent != folder or not Path(executable).name.startswith("python"):
        return Phase.PYTHON, f"{executable} ran, but the cell is for {environment.executable}"
    if Path(prefix) != folder.parent:
        return Phase.PYTHON, f"Python ran with the prefix {prefix}, not with {folder.parent}"
    # A bridge that R holds embeds Python, and then there is a library to name.
    return _libpython(
        _text(identity, "python", "libpython"),
        environment.interpreter,
        embedded=bool(axes.bridge) and host_of(identity) == "r",
    )


def _libpython(seen: str | None, interpreter: Interpreter, *, embedded: bool) -> Mismatch | None:
    if seen is None:
        if embedded:
            return Phase.PYTHON, "Python is embedded, but no libpython is in the memory map"
        # The executable of an interpreter with a shared library may still be linked statically.
        return None
    # The map names the file behind any link; what was provisioned may lie behind one.
    prefix, own = (
        None if path is None else os.path.realpath(path)
        for path in (interpreter.prefix, interpreter.libpython)
    )
    if seen == own or Path(seen).is_relative_to(str(prefix)):
        return None
    wanted = own or f"one below {interpreter.prefix}"
    return Phase.PYTHON, f"{seen} was loaded, but the libpython of the cell is {wanted}"


def _modules(
    identity: Identity, axes: Axes, provisioned: Provisioned, variant: str | None
) -> Mismatch | None:
    modules = identity.get("modules")
    if not isinstance(modules, Mapping):
        modules = {}
    framework = axes.framework
    expected = [name for name in (framework and framework.name, variant) if name]
    for name in expected:
        if name not in modules:
            return Phase.IMPORT, f"the driver did not say which version of {name} it imported"
    if framework is not None and framework.version is not None:
        seen = str(modules[framework.name])
        if not same_version(seen, framework.version) and not version_begins(
            seen, framework.version
        ):
            return (
                Phase.IMPORT,
                f"{framework.name} {seen} was imported, but the cell is for {framework.version}",
            )
    locked = provisioned.python.lock.versions
    for name, seen in modules.items():
        wanted = {locked[d] for d in DISTRIBUTIONS.get(name, (name,)) if d in locked}
        if wanted and not any(same_version(str(seen), version) for version in wanted):
            return (
                Phase.IMPORT,
                f"{name} {seen} was imported, but {', '.join(sorted(wanted))} is locked",
            )
    return None


def _device(identity: Identity, axes: Axes, lock: Lock) -> Mismatch | None:
    if axes.framework is None:
        return None
    asked = _text(identity, "device", "requested")
    kind = _text(identity, "device", "kind")
    if asked is None or kind is None:
        return Phase.DEVICE, "the driver did not say which device it uses"
    wanted = "cpu" if axes.cuda == "cpu" else "gpu"
    if asked != axes.cuda or kind != wanted:
        return Phase.DEVICE, f"the driver used a {kind} for {asked}, but the cell asks for {wanted}"
    runtime = _text(identity, "device", "runtime")
    if wanted == "gpu" and runtime is not None and not _is_cuda(axes.cuda, runtime, lock):
        said = f"{axes.framework.name} used CUDA {runtime}, but the cell is for CUDA {axes.cuda}"
        return Phase.DEVICE, said
    return None


def _is_cuda(asked: str, runtime: str, lock: Lock) -> bool:
    """Hold the CUDA that a framework says against the one that was asked for.

    TensorFlow says what it was built for, and runs with whatever else of that major is installed.
    """
    if satisfies(asked, runtime):
        return True
    major = asked.partition(".")[0]
    return satisfies(major, runtime) and satisfies(asked, runtime_of(lock))


def _text(identity: Identity, part: str, key: str) -> str | None:
    fields = identity.get(part)
    value = fields.get(key) if isinstance(fields, Mapping) else None
    return None if value is None else str(value)

"""Virtual environments: an interpreter and a lock, made by uv, kept in the store."""

from __future__ import annotations

import hashlib
import re
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from harness.errors import MachineFault, Unavailable
from harness.model.environment import Interpreter, Lock, PackageSources, PythonEnvironment
from harness.provision.pipconfig import redact
from harness.provision.process import Ran, run
from harness.provision.python.damage import damaged
from harness.provision.python.uv import run_uv, uv_cache

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.model.environment import Store

LOCK_FILE: Final = "harness.lock"
_KIND: Final = "python"
_LIMIT_S: Final = 1800.0
"""For the whole of a download: a CUDA framework is 4.5 GB."""

_NETWORK: Final = re.compile(
    r"error sending request|dns error|tcp connect error|request failed after"
    r"|operation timed out|connection (refused|reset)|network connectivity is disabled",
    re.IGNORECASE,
)
_SPOILT: Final = re.compile(
    r"zip|archive|corrupt|invalid (metadata|wheel|cache|data)|metadata|RECORD|deserializ|hash"
    r"|unexpected end|failed to (read|extract|unpack|install|hardlink|link|clone|copy)"
    r"|stream did not contain|decompress",
    re.IGNORECASE,
)
_NAMED: Final = re.compile(r"\(([\w.-]+)==")
_SHOWN: Final = ("torch", "tensorflow", "tensorflow-cpu", "jax", "keras", "numpy", "rpy2")


def provide_environment(
    store: Store,
    interpreter: Interpreter,
    lock: Lock,
    sources: PackageSources,
    *,
    compile_bytecode: bool = True,
    notify: Callable[[str], None] | None = None,
) -> PythonEnvironment:
    """Return the environment of ``lock`` on ``interpreter``, made where it is not there yet.

    Parameters
    ----------
    compile_bytecode
        Compile every module once, now: cells see the environment read-only, and would
        compile it anew at each start (``import torch``: 5.1 s instead of 2.3 s).

    Raises
    ------
    Unavailable
        If a package cannot be fetched or built here, or uv cannot use the interpreter.
    MachineFault
        If the disk is full or the store cannot be written to.
    """
    folder = store.ensure(
        _KIND,
        _key(interpreter, lock, compile_bytecode=compile_bytecode),
        partial(
            _build, interpreter, lock, sources, compile_bytecode, notify or (lambda _message: None)
        ),
        description=_description(interpreter, lock),
    )
    return PythonEnvironment(
        executable=folder / "bin" / "python",
        interpreter=interpreter,
        lock=lock,
        binds=_binds(folder, interpreter, sources),
    )


def _build(
    interpreter: Interpreter,
    lock: Lock,
    sources: PackageSources,
    compile_bytecode: bool,  # noqa: FBT001 - bound by partial()
    notify: Callable[[str], None],
    folder: Path,
) -> None:
    uv = partial(_uv, interpreter, sources, folder)
    made = uv(
        "venv",
        "--no-project",
        "--allow-existing",
        "--no-python-downloads",
        "--python",
        interpreter.executable,
        folder,
    )
    if not made.ok:
        raise Unavailable(
            f"uv cannot make an environment for Python {interpreter.version} "
            f"({interpreter.executable}): {_said(made)}"
        )
    lock_file = folder / LOCK_FILE
    lock_file.write_text(lock.text)
    if not lock.text.strip():
        return
    # The lock is whole: nothing is left to be resolved.
    install = (
        "pip",
        "install",
        "--no-deps",
        "--python",
        folder / "bin" / "python",
        "--requirement",
        lock_file,
        *(("--link-mode", mode) if (mode := _link_mode(interpreter, sources, folder)) else ()),
        *sources.options,
        *lock.options,
    )
    compiling = ("--compile-bytecode",) if compile_bytecode else ()
    ran = uv(*install, *compiling)
    if "bytecode-compile" in ran.stderr and interpreter.root is None:
        # uv's own compiler does not run on the oldest Pythons; theirs does.  It says no where
        # a package carries a file of another Python's syntax, which is no fault of ours.
        ran = uv(*install)
        if ran.ok:
            compiler = (folder / "bin" / "python", "-m", "compileall", "-q", folder / "lib")
            run(compiler, env=sources.env, cwd=folder, limit_s=_LIMIT_S)
    mended: set[str] = set()
    while names := _damaged_in_cache(ran, lock, folder) - mended:
        # One by one, because uv stops at the first; each once, because a place may give what
        # is damaged again.
        mended |= names
        notify(f"uv's cache has damaged files of {', '.join(sorted(names))}: fetching them again")
        uv("cache", "clean", *sorted(names))
        again = (part for name in sorted(names) for part in ("--reinstall-package", name))
        ran = uv(*install, *compiling, *again)
    if not ran.ok:
        raise _fault(ran, interpreter, lock)
    if still := damaged(folder):
        raise Unavailable(
            f"the files of {', '.join(still)} are not what the package's own list says, even when "
            "fetched again"
        )


def _uv(
    interpreter: Interpreter, sources: PackageSources, folder: Path, *arguments: str | Path
) -> Ran:
    return run_uv(interpreter, sources, [*arguments, "--quiet"], folder=folder, limit_s=_LIMIT_S)


def _damaged_in_cache(ran: Ran, lock: Lock, folder: Path) -> set[str]:
    """Packages that uv's cache has damaged files of: uv says so, or linked them as they are."""
    if ran.ok:
        return set(damaged(folder))
    if ran.timed_out or _NETWORK.search(ran.stderr) or not _SPOILT.search(ran.stderr):
        return set()
    return set(_NAMED.findall(ran.stderr)) & set(lock.versions) or set(lock.versions)


def _fault(ran: Ran, interpreter: Interpreter, lock: Lock) -> Unavailable | MachineFault:
    what = _description(interpreter, lock)
    if ran.timed_out:
        return Unavailable(f"installing {what} took longer than {_LIMIT_S / 60:.0f} minutes")
    if _NETWORK.search(ran.stderr):
        return Unavailable(
            f"installing {what}: a package could not be fetched, the place that it comes from is "
            "out of reach; check the network, then run again"
        )
    return Unavailable(f"installing {what}: {_said(ran)}")


def _said(ran: Ran) -> str:
    """First lines of uv's error: it states the fault first, and its causes after."""
    lines = [line.strip() for line in ran.stderr.splitlines() if line.strip()]
    return redact("; ".join(lines[:3])) or ran.tail()


def _link_mode(interpreter: Interpreter, sources: PackageSources, folder: Path) -> str | None:
    """How files come from uv's cache: shared with it where one file system holds both."""
    if sources.env.get("UV_LINK_MODE") or interpreter.root is not None:
        # In a root folder uv reaches its cache through another mount: see `run_uv`.
        return None
    cache = uv_cache(sources)
    same = cache.exists() and cache.stat().st_dev == folder.stat().st_dev
    return "hardlink" if same else "copy"


def _binds(folder: Path, interpreter: Interpreter, sources: PackageSources) -> tuple[Path, ...]:
    """Folders that the environment needs, each once, none inside another of them."""
    needed = [folder, interpreter.prefix, interpreter.prefix.resolve()]
    needed.append(interpreter.executable.parent)
    if interpreter.libpython is not None:
        needed.append(interpreter.libpython.parent)
    if sources.env.get("UV_LINK_MODE") == "symlink":
        needed.append(uv_cache(sources))
    kept: list[Path] = []
    for path in needed:
        # What lies in /usr cannot be bound over another system's /usr; such an interpreter
        # works with the machine's own file system only.
        inside = any(path.is_relative_to(other) for other in kept)
        if not inside and not _is_systems(path):
            kept.append(path)
    return tuple(kept)


def _is_systems(path: Path) -> bool:
    if path.is_relative_to("/usr/local"):
        return path == Path("/usr/local")
    return path == Path("/") or path.is_relative_to("/usr") or path.parent == Path("/")


def _outside(interpreter: Interpreter) -> Path:
    """Return the program's path as this machine has it; links are followed."""
    if interpreter.root is None:
        return interpreter.executable
    return interpreter.root / interpreter.executable.relative_to("/")


def _key(interpreter: Interpreter, lock: Lock, *, compile_bytecode: bool) -> str:
    parts = (
        "1",
        lock.digest,
        *lock.options,
        str(interpreter.executable),
        interpreter.version,
        str(_outside(interpreter).stat().st_mtime_ns),
        str(compile_bytecode),
        *((interpreter.source,) if interpreter.root is not None else ()),
    )
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _description(interpreter: Interpreter, lock: Lock) -> str:
    versions = lock.versions
    shown = [f"{name} {versions[name]}" for name in _SHOWN if name in versions]
    return ", ".join([f"Python {interpreter.version}", *shown])

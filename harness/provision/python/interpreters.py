"""Which Pythons this machine has, each by what it says of itself when it is run.

pyenv's shims, and scripts of that kind, are passed over: what they start depends on the
folder they are started in, so that a result could name a Python that did not run.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import threading
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec
from packaging.version import InvalidVersion, Version

from harness.errors import Unavailable
from harness.model.environment import Interpreter
from harness.programs import uv_program
from harness.provision.pipconfig import clean_environment
from harness.provision.process import run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from harness.model.environment import Store

_NAME: Final = re.compile(r"python(\d(\.\d+)?)?")
_SAID: Final = "interpreter.json"
_ASK_LIMIT_S: Final = 30.0
_FETCH_LIMIT_S: Final = 300.0

# Runs on whatever was found, Python 2.7 too.  PREFIX/lib first: a relocated installation's
# own variables may still name the folder where it was built.
_QUESTION: Final = r"""
import json, os, platform, sys, sysconfig
get = sysconfig.get_config_var
names = [n for n in (get("INSTSONAME"), get("LDLIBRARY")) if n]
names = [n for n in names if ".so" in n or ".dylib" in n]
folders = [os.path.join(sys.prefix, "lib"), get("LIBDIR"), get("LIBPL")]
if get("LIBDIR") and get("MULTIARCH"):
    folders.append(os.path.join(get("LIBDIR"), get("MULTIARCH")))
found = [os.path.join(f, n) for n in names for f in folders if f]
found = [p for p in found if os.path.isfile(p)]
print("said:" + json.dumps({
    "version": platform.python_version(),
    "implementation": platform.python_implementation(),
    "prefix": sys.prefix,
    "virtual": getattr(sys, "base_prefix", sys.prefix) != sys.prefix,
    "libpython": os.path.realpath(found[0]) if found else None,
}))
"""


class _Said(msgspec.Struct, frozen=True, kw_only=True):
    version: str = ""
    implementation: str = ""
    prefix: str = ""
    virtual: bool = False
    libpython: str | None = None


class Interpreters:
    """Finds interpreters by version; may be used by several threads.

    Parameters
    ----------
    store
        Keeps what each interpreter said, by its path, size and time of change.
    environ
        The environment; that of this process by default.
    notify
        Takes one-line messages for the user.
    fetch
        Whether uv may bring an interpreter that this machine has not.
    """

    def __init__(
        self,
        store: Store,
        *,
        environ: Mapping[str, str] | None = None,
        notify: Callable[[str], None] | None = None,
        fetch: bool = True,
    ) -> None:
        self._store = store
        self._environ = dict(os.environ if environ is None else environ)
        self._notify = notify or (lambda _message: None)
        self._fetch = fetch
        self._guard = threading.Lock()
        self._found: tuple[Interpreter, ...] | None = None
        self._not_fetched: set[str] = set()

    def all(self) -> tuple[Interpreter, ...]:
        """Every CPython of this machine, the most suitable first."""
        with self._guard:
            if self._found is None:
                said = (self._ask(path) for path in _executables(self._environ))
                found = [interpreter for interpreter in said if interpreter is not None]
                self._found = tuple(sorted(found, key=_suitability, reverse=True))
            return self._found

    def find(self, version: str) -> Interpreter:
        """Return the interpreter for ``version``, fetched by uv where it is not here.

        Parameters
        ----------
        version
            ``3.12`` is the newest 3.12 that is here, ``3.12.1`` that one alone.

        Raises
        ------
        Unavailable
            If there is none and uv cannot bring it; the sentence lists what there is.
        """
        matching = [found for found in self.all() if matches(version, found.version)]
        own = [found for found in matching if not _is_systems(found)]
        if own:
            return own[0]
        # An interpreter in /usr is the last choice: a cell with another system's root folder
        # has a /usr of its own, where it cannot be bound.
        fetched = self._fetched(version)
        if fetched is not None:
            return fetched
        if matching:
            return matching[0]
        raise Unavailable(self._sentence(version))

    def _sentence(self, version: str) -> str:
        versions = sorted({found.version for found in self.all()}, key=_ordered)
        have = f"this machine has {', '.join(versions)}" if versions else "this machine has none"
        why = (
            "uv could not fetch its managed interpreter"
            if self._fetch
            else "fetching interpreters is switched off"
        )
        return (
            f"no Python {version}: {have}, and {why}; install it (for example with pyenv) or ask "
            "for one of these"
        )

    def _ask(self, path: Path) -> Interpreter | None:
        status = path.stat()
        stamp = f"{path}\0{status.st_mtime_ns}\0{status.st_size}\0{_QUESTION}"
        try:
            folder = self._store.ensure(
                "interpreter",
                hashlib.sha256(stamp.encode()).hexdigest(),
                partial(_write_said, path, clean_environment(self._environ)),
                description=str(path),
            )
        except TimeoutError:
            return None
        said = msgspec.json.decode((folder / _SAID).read_bytes(), type=_Said)
        if said.implementation != "CPython" or said.virtual or not said.version:
            return None
        return Interpreter(
            executable=path,
            version=said.version,
            prefix=Path(said.prefix),
            libpython=Path(said.libpython) if said.libpython else None,
        )

    def _fetched(self, version: str) -> Interpreter | None:
        if not self._fetch:
            return None
        with self._guard:
            if version in self._not_fetched:
                return None
            self._notify(f"Python {version} is not on this machine: asking uv for it")
            env = clean_environment(self._environ)
            # A place that is out of reach is not less so at the third try.
            env.setdefault("UV_HTTP_RETRIES", "0")
            ran = run(
                [uv_program(), "python", "install", "--no-bin", version],
                env=env,
                cwd=Path("/"),
                limit_s=_FETCH_LIMIT_S,
            )
            if not ran.ok:
                self._not_fetched.add(version)
                return None
            self._found = None
        matching = [found for found in self.all() if matches(version, found.version)]
        return next((found for found in matching if not _is_systems(found)), None)


def matches(asked: str, version: str) -> bool:
    """Tell whether ``version`` is what ``asked`` names: the same parts, as far as it has them.

    >>> matches("3.1", "3.12.1"), matches("3.12", "3.12.1"), matches("3.13", "3.13.0rc1")
    (False, True, True)
    """
    if asked == version:
        return True
    parts = asked.split(".")
    return len(parts) < 3 and version.split(".")[: len(parts)] == parts  # noqa: PLR2004


def _executables(environ: Mapping[str, str]) -> tuple[Path, ...]:
    """Python executables by their real path, each once, in the order of discovery."""
    found: dict[Path, None] = {}
    for folder in _folders(environ):
        for path in _pythons_in(folder):
            real = path.resolve()
            if real not in found and _is_program(real):
                found[real] = None
    return tuple(found)


def _folders(environ: Mapping[str, str]) -> Iterator[Path]:
    home = Path(environ.get("HOME") or Path.home())
    for root in dict.fromkeys(
        (Path(environ.get("PYENV_ROOT") or home / ".pyenv"), home / ".pyenv")
    ):
        yield from _each(root / "versions", "*/bin")
    yield from _each(_uv_folder(environ), "*/bin")
    yield from _each(Path("/opt/python"), "*/bin")
    for part in environ.get("PATH", "").split(os.pathsep):
        if part and Path(part).is_absolute():
            yield Path(part)
    yield Path("/usr/local/bin")
    yield Path("/usr/bin")


def _uv_folder(environ: Mapping[str, str]) -> Path:
    """Where uv keeps the interpreters that it manages, as its documentation has it."""
    if named := environ.get("UV_PYTHON_INSTALL_DIR"):
        return Path(named)
    home = Path(environ.get("HOME") or Path.home())
    return Path(environ.get("XDG_DATA_HOME") or home / ".local/share") / "uv" / "python"


def _each(folder: Path, pattern: str) -> Iterable[Path]:
    return sorted(folder.glob(pattern)) if folder.is_dir() else ()


def _pythons_in(folder: Path) -> Iterator[Path]:
    try:
        names = sorted(child.name for child in folder.iterdir())
    except OSError:
        return
    for name in names:
        if _NAME.fullmatch(name):
            yield folder / name


def _is_program(path: Path) -> bool:
    """True for a program of machine code; false for scripts, pyenv's shims among them."""
    try:
        with path.open("rb") as file:
            return os.access(path, os.X_OK) and file.read(2) not in (b"#!", b"")
    except OSError:
        return False


def _write_said(path: Path, env: Mapping[str, str], folder: Path) -> None:
    """Write down what the interpreter says; one that cannot be run says nothing.

    Raises ``TimeoutError`` where it took too long: that may be the machine's load, so that it
    must not be kept as an answer.
    """
    said = _Said()
    try:
        ran = run([path, "-c", _QUESTION], env=env, cwd=Path("/"), limit_s=_ASK_LIMIT_S)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise
        ran = None
    if ran is not None and ran.timed_out:
        raise TimeoutError(path)
    if ran is not None and ran.ok:
        for line in ran.stdout.splitlines():
            if line.startswith("said:"):
                said = msgspec.json.decode(line.removeprefix("said:"), type=_Said)
    (folder / _SAID).write_bytes(msgspec.json.encode(said))


def _is_systems(interpreter: Interpreter) -> bool:
    return interpreter.prefix == Path("/usr")


def _suitability(found: Interpreter) -> tuple[bool, bool, Version]:
    version = _ordered(found.version)
    return (not version.is_prerelease, found.libpython is not None, version)


def _ordered(version: str) -> Version:
    try:
        # A Python built from a checkout calls itself 3.14.0a0+.
        return Version(version.rstrip("+"))
    except InvalidVersion:
        return Version("0")

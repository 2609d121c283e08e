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

from packaging.version import InvalidVersion, Version

from harness.errors import MachineFault, Unavailable
from harness.model.environment import Interpreter
from harness.programs import uv_program
from harness.provision.pipconfig import clean_environment, redact
from harness.provision.process import run
from harness.provision.python.asking import QUESTION, heard, said_in, write_said
from harness.provision.python.suite import suite_of_python
from harness.provision.r.suites import suites

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from harness.model.environment import Store
    from harness.provision.process import Ran
    from harness.provision.r.suites import Suite

_NAME: Final = re.compile(r"python(\d(\.\d+)?)?")
_ASK_LIMIT_S: Final = 30.0
_FETCH_LIMIT_S: Final = 300.0
_PARTS: Final = 3
"""Of a version that names one release."""
_FREE_THREADED: Final = re.compile(r"\d+(\.\d+)*t")
_UNREACHED: Final = re.compile(
    r"error sending request|dns error|tcp connect error|connection (refused|reset)|timed out"
    r"|network is unreachable|network connectivity is disabled",
    re.IGNORECASE,
)


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
    bring
        Brings the Python of a suite, given that and the version asked for; ``None`` leaves the
        suites out.
    """

    def __init__(
        self,
        store: Store,
        *,
        environ: Mapping[str, str] | None = None,
        notify: Callable[[str], None] | None = None,
        fetch: bool = True,
        bring: Callable[[Suite, str], Interpreter] | None = None,
    ) -> None:
        self._store = store
        self._environ = dict(os.environ if environ is None else environ)
        self._notify = notify or (lambda _message: None)
        self._fetch = fetch
        self._bring = bring
        self._guard = threading.Lock()
        self._found: tuple[Interpreter, ...] | None = None
        self._not_fetched: dict[str, str] = {}

    def all(self) -> tuple[Interpreter, ...]:
        """Every CPython of this machine, the most suitable first."""
        with self._guard:
            if self._found is None:
                said = (self._ask(path) for path in _executables(self._environ))
                found = [interpreter for interpreter in said if interpreter is not None]
                self._found = tuple(sorted(found, key=_suitability, reverse=True))
            return self._found

    def find(self, version: str) -> Interpreter:
        """Return the interpreter for ``version``, brought where it is not here.

        One of this machine comes first.  A version that names the patch is then a suite's,
        where one ships it; after that uv's.  A series is what uv has newest, for that goes with
        any R; where uv has none, what lies in ``/usr``, and a suite's.

        Parameters
        ----------
        version
            ``3.12`` is the newest 3.12 that is here, ``3.12.1`` that one alone.

        Raises
        ------
        Unavailable
            If there is none and none can be brought; the sentence lists what there is.
        MachineFault
            If there is no room for one.
        """
        if _FREE_THREADED.fullmatch(version):
            raise Unavailable(
                f"Python {version} is the build without the global lock, which the harness does "
                f"not measure: ask for {version.removesuffix('t')}"
            )
        matching = [found for found in self.all() if matches(version, found.version)]
        own = [found for found in matching if not _is_systems(found)]
        if own:
            return own[0]
        # An interpreter in /usr is nearly the last choice: a cell with another system's root
        # folder has a /usr of its own, where it cannot be bound.
        is_exact = len(version.split(".")) >= _PARTS
        why: list[str] = []
        places = (
            (self._of_suite, self._fetched, partial(_first, matching))
            if is_exact
            else (self._fetched, partial(_first, matching), self._of_suite)
        )
        for place in places:
            found = place(version)
            if isinstance(found, Interpreter):
                return found
            why.append(found)
        raise Unavailable(self._sentence(version, [reason for reason in why if reason]))

    def _sentence(self, version: str, why: list[str]) -> str:
        versions = sorted({found.version for found in self.all()}, key=_ordered)
        have = f"this machine has {', '.join(versions)}" if versions else "this machine has none"
        return (
            f"no Python {version}: {have}; {'; '.join(why)}; install it (for example with pyenv) "
            "or ask for one of these"
        )

    def _of_suite(self, version: str) -> Interpreter | str:
        """Return the Python of a suite, or why there is none."""
        suite = suite_of_python(version)
        if self._bring is None:
            return ""
        if suite is None:
            shipped = ", ".join(f"{one.python} ({one.name})" for one in suites())
            return f"Debian's suites ship {shipped}"
        try:
            return self._bring(suite, version)
        except (Unavailable, MachineFault) as error:
            return str(error)

    def _ask(self, path: Path) -> Interpreter | None:
        status = path.stat()
        stamp = f"{path}\0{status.st_mtime_ns}\0{status.st_size}\0{QUESTION}"
        try:
            folder = self._store.ensure(
                "interpreter",
                hashlib.sha256(stamp.encode()).hexdigest(),
                partial(_write_said, path, clean_environment(self._environ)),
                description=str(path),
            )
        except TimeoutError:
            return None
        said = said_in(folder)
        # One without the global lock is another Python by the same number: it has its own
        # wheels, and no bridge knows it.
        is_another = said.implementation != "CPython" or said.virtual or said.free_threaded
        if is_another or not said.version:
            return None
        return Interpreter(
            executable=path,
            version=said.version,
            prefix=Path(said.prefix),
            libpython=Path(said.libpython) if said.libpython else None,
        )

    def _fetched(self, version: str) -> Interpreter | str:
        """Return the interpreter that uv brought, or why it could not."""
        if not self._fetch:
            return "fetching interpreters is switched off"
        with self._guard:
            if version in self._not_fetched:
                return self._not_fetched[version]
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
                self._not_fetched[version] = _why_not_fetched(ran)
                return self._not_fetched[version]
            self._found = None
        matching = [found for found in self.all() if matches(version, found.version)]
        own = (found for found in matching if not _is_systems(found))
        return next(own, "uv says that it has fetched it, but it does not run here")


def _first(found: list[Interpreter], _version: str) -> Interpreter | str:
    return found[0] if found else ""


def _why_not_fetched(ran: Ran) -> str:
    said = ran.stderr
    if ran.timed_out:
        return f"uv did not fetch it within {_FETCH_LIMIT_S / 60:.0f} minutes"
    if "No download found" in said:
        return "uv knows none to fetch"
    if "downloads are not allowed" in said:
        return "uv's settings forbid it to fetch one"
    if _UNREACHED.search(said):
        return (
            "uv could not reach the place that it fetches Pythons from (UV_PYTHON_INSTALL_MIRROR "
            "names another)"
        )
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    causes = [line.removeprefix("cause: ") for line in lines if line.startswith("cause: ")]
    return f"uv could not fetch it: {redact((causes or lines or ['it said nothing'])[-1])}"


def matches(asked: str, version: str) -> bool:
    """Tell whether ``version`` is what ``asked`` names: the same parts, as far as it has them.

    >>> matches("3.1", "3.12.1"), matches("3.12", "3.12.1"), matches("3.13", "3.13.0rc1")
    (False, True, True)
    """
    if asked == version:
        return True
    parts = asked.split(".")
    return len(parts) < _PARTS and version.split(".")[: len(parts)] == parts


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
    try:
        ran = run([path, "-c", QUESTION], env=env, cwd=Path("/"), limit_s=_ASK_LIMIT_S)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise
        ran = None
    if ran is not None and ran.timed_out:
        raise TimeoutError(path)
    write_said(heard(ran), folder)


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

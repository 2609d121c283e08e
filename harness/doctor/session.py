"""One examination: the user's environment, a scratch folder, and the children that are started."""

from __future__ import annotations

import re
import resource
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import msgspec

import harness
from harness.causes.model import Fact
from harness.doctor.child import IDLE_S, LONGEST_S, Ended, run_child
from harness.doctor.events import Account, account
from harness.doctor.model import FRAMEWORKS, Note, Request, Rung

INSIDE: Final = Path(harness.__file__).parent / "doctor" / "inside"
KIT: Final = Path(harness.__file__).parent / "kit"
LOOK: Final = INSIDE / "look.py"
_MARK: Final = "@harness@"
_OURS: Final = "HARNESS_"


class Examined(msgspec.Struct, kw_only=True):
    """What a path's examination gathers; ``account`` is that of its main child."""

    account: Account | None = None
    layer: str | None = None
    """The layer that failed; ``None`` where all is well."""
    message: str = ""
    texts: list[str] = []
    facts: dict[str, Fact] = {}
    rungs: tuple[Rung, ...] = ()
    identity: dict[str, Any] = {}
    notes: list[Note] = []
    shown: list[str] = []
    """Evidence in words, beyond what a cause quotes."""
    seen: dict[str, str] = {}
    """The variables as R, or Python, sees them."""
    r_home: str | None = None
    framework: str | None = None

    def show(self, line: str) -> None:
        """Add a line of evidence, once."""
        if line and line not in self.shown:
            self.shown.append(line)


class Session:
    """Starts children in the user's environment; each has a folder of its own in ``scratch``."""

    def __init__(self, request: Request, scratch: Path) -> None:
        self.request = request
        self._scratch = scratch
        self._count = 0

    def folder(self) -> Path:
        """Return a new folder."""
        self._count += 1
        folder = self._scratch / str(self._count)
        folder.mkdir()
        return folder

    def asking(self, request: Request) -> Session:
        """Return a session for another question in the same scratch folder."""
        return Session(request, self.folder())

    def environ(self, changed: Mapping[str, str] | None = None) -> dict[str, str]:
        """Return the user's variables with the doctor's own added.

        What a framework would write into the user's folders goes into the scratch folder, and
        no byte code is written.
        """
        environ = dict(self.request.environ if changed is None else changed)
        environ = {name: value for name, value in environ.items() if not name.startswith(_OURS)}
        environ |= {
            "HARNESS_KIT": str(KIT),
            "HARNESS_DOCTOR": str(INSIDE),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        if "KERAS_HOME" not in environ and not _has_keras_file(environ):
            # Keras would write its file of settings.
            environ["KERAS_HOME"] = str(self._scratch / "keras")
        return environ

    def theirs(self, seen: Mapping[str, str]) -> dict[str, str]:
        """Return variables that a child saw, without those that the doctor added."""
        added = self.environ()
        return {
            name: value
            for name, value in seen.items()
            if not name.startswith(_OURS)
            and (name in self.request.environ or added.get(name) != value)
        }

    def run(
        self,
        path: str,
        command: Sequence[str | Path],
        *,
        ask: Mapping[str, str] | None = None,
        environ: Mapping[str, str] | None = None,
        idle_s: float = IDLE_S,
        longest_s: float = LONGEST_S,
    ) -> Account:
        """Run one of the doctor's own programs and read its account.

        ``ask`` are further fields of its request; ``idle_s`` and ``longest_s`` as for
        :func:`run_child`.
        """
        folder = self.folder()
        request = self.request
        fields = {
            "framework": request.framework or "",
            "python": request.python or "",
            "frameworks": ",".join(FRAMEWORKS),
            "until": "",
            **(ask or {}),
        }
        file = folder / "request.dcf"
        file.write_text("".join(f"{name}: {_field(value)}\n" for name, value in fields.items()))
        (folder / "request.json").write_bytes(msgspec.json.encode(fields))
        try:
            ended = run_child(
                command,
                env={**self.environ(environ), "HARNESS_REQUEST": str(file)},
                folder=request.folder,
                scratch=folder,
                idle_s=idle_s,
                longest_s=longest_s,
            )
        except OSError as error:
            ended = _not_started(command, error)
        installed = any(event.get("event") == "installed" for event in ended.events)
        chosen = next(
            (event.get("framework") for event in ended.events if event.get("event") == "installed"),
            None,
        )
        return account(path, ended, frameworks=bool(chosen or request.framework or not installed))

    def plain(
        self, command: Sequence[str | Path], environ: Mapping[str, str] | None = None
    ) -> Ended:
        """Run a program in the user's environment, or in ``environ``; never raises for it."""
        try:
            return run_child(
                command,
                env=self.environ(environ),
                folder=self.request.folder,
                scratch=self.folder(),
            )
        except OSError as error:
            return _not_started(command, error)

    def look(
        self, python: str, environ: Mapping[str, str] | None = None
    ) -> tuple[dict[str, Any] | None, Ended]:
        """Ask an interpreter what it is; ``None`` where it does not answer as a Python does."""
        ended = self.plain((python, LOOK), environ)
        _, mark, text = ended.output.rpartition(_MARK)
        if mark:
            with suppress(msgspec.DecodeError):
                found = msgspec.json.decode(text)
                if isinstance(found, dict):
                    return found, ended
        return None, ended


def _not_started(command: Sequence[str | Path], error: OSError) -> Ended:
    return Ended(
        code=127,
        signal=None,
        hung=False,
        output="",
        errors=f"{command[0]}: {error.strerror}",
        events=(),
        wall_s=0.0,
    )


def _field(value: str) -> str:
    """A value on one line, which R's read.dcf takes as it is."""
    return re.sub(r"\s*\n\s*", " ", value)


def _has_keras_file(environ: Mapping[str, str]) -> bool:
    home = environ.get("HOME")
    return home is not None and (Path(home) / ".keras" / "keras.json").is_file()


def memory_limit_mb() -> float | None:
    """Return the smallest limit on memory that holds for this process, in MB."""
    limits: list[float] = []
    for kind in (resource.RLIMIT_AS, resource.RLIMIT_DATA):
        soft = resource.getrlimit(kind)[0]
        if soft != resource.RLIM_INFINITY:
            limits.append(soft / 1e6)
    with suppress(OSError, ValueError):
        limits.append(int(Path("/sys/fs/cgroup/memory.max").read_text()) / 1e6)
    return min(limits, default=None)


def cpu_flags() -> tuple[str, ...]:
    """Return what instructions the processor has, as Linux names them."""
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith(("flags", "Features")):
                return tuple(line.partition(":")[2].split())
    return ()

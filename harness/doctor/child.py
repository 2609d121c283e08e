"""One child that may do anything: crash, hang, print garbage.  It is ended with all of its tree."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

import msgspec

if TYPE_CHECKING:
    import psutil

IDLE_S: Final = 10.0
"""A tree that has used no processor and read nothing for so long does not wait: it hangs."""
LONGEST_S: Final = 240.0
_LOOK_S: Final = 0.5
_LEAST_WORK: Final = 0.02
"""Seconds of processor that are work: what is less, a program spends by waiting."""
_SHARE: Final = 0.001
"""The same as a share of the time waited: R that waits for a child looks after it now and then."""
_MOMENT_S: Final = 0.005
_ENDED_S: Final = 5.0
_INSIDE: Final = "harness/doctor/inside/"
"""Programs that the doctor itself starts in R."""
_KEPT: Final = 400_000


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """How a child ended: by itself (``code``), by a signal, or because it hung."""

    code: int
    signal: str | None
    hung: bool
    output: str
    errors: str
    events: tuple[dict[str, object], ...]
    wall_s: float
    waiting: str = ""
    """The innermost program of its tree when it hung."""

    @property
    def text(self) -> str:
        """All that it printed."""
        return "\n".join(part for part in (self.output, self.errors) if part.strip())


def run_child(
    command: Sequence[str | Path],
    *,
    env: Mapping[str, str],
    folder: Path,
    scratch: Path,
    idle_s: float = IDLE_S,
    longest_s: float = LONGEST_S,
) -> Ended:
    """Run ``command`` in ``folder``; what it says of itself goes into ``scratch``.

    Raises
    ------
    OSError
        If the program cannot be started.
    """
    scratch.mkdir(parents=True, exist_ok=True)
    events = scratch / "events"
    began = time.monotonic()
    # Files, not pipes: a grandchild that lives on would keep a pipe open.
    with (scratch / "output").open("w+b") as output, (scratch / "errors").open("w+b") as errors:
        process = subprocess.Popen(
            [os.fspath(part) for part in command],
            env={**env, "HARNESS_EVENTS": str(events)},
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=errors,
            start_new_session=True,
        )
        try:
            hung = _wait(process, began, idle_s, longest_s)
            waiting = _innermost(process.pid) if hung else ""
            if hung and scratch.joinpath("watching").exists():
                # Python tells where it is; see watch() in harness_doctor.py.
                with suppress(ProcessLookupError):
                    process.send_signal(signal.SIGUSR2)
                time.sleep(_LOOK_S)
        finally:
            _end(process)
        took = time.monotonic() - began
        said = [_tail(file) for file in (output, errors)]
    code = process.returncode
    return Ended(
        code=code,
        signal=_signal(code) if not hung else None,
        hung=hung,
        output=said[0],
        errors=said[1],
        events=read_events(events),
        wall_s=took,
        waiting=waiting,
    )


def _wait(process: subprocess.Popen[bytes], began: float, idle_s: float, longest_s: float) -> bool:
    """Wait for its end; return True where it does nothing any more, or takes too long."""
    last, since = 0.0, began
    enough = max(_LEAST_WORK, idle_s * _SHARE)
    while True:
        with suppress(subprocess.TimeoutExpired):
            process.wait(_LOOK_S)
            return False
        now = time.monotonic()
        work = _work(process.pid)
        if work > last + enough:
            last, since = work, now
        if now - since > idle_s or now - began > longest_s:
            return True


def _work(pid: int) -> float:
    """Work that a process tree has done: seconds of processor, and reading (a unit a MB)."""
    # Imported while the child is at work already, since it takes a while itself.
    import psutil

    total = 0.0
    with suppress(psutil.Error):
        parent = psutil.Process(pid)
        for process in (parent, *parent.children(recursive=True)):
            with suppress(psutil.Error):
                times = process.cpu_times()
                total += times.user + times.system + times.children_user + times.children_system
                with suppress(AttributeError, OSError):
                    total += process.io_counters().read_chars / 1e6
    return total


def _innermost(pid: int) -> str:
    """Return the command of the process in a tree that has no child: what all others wait for."""
    import psutil

    with suppress(psutil.Error):
        process = psutil.Process(pid)
        while children := process.children():
            process = children[-1]
        command = " ".join(process.cmdline())
        # That it waits for itself, in a program of the doctor's own, says nothing.
        return "" if _INSIDE in command else command
    return ""


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill a process with its tree, and wait until none of it runs any more."""
    tree = [] if process.poll() is not None else _below(process.pid)
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    # A kill is carried out when the kernel next looks at a process, not before it returns; and
    # what began a session of its own is not in the group.
    until = time.monotonic() + _ENDED_S
    for member in tree:
        _kill(member, until)


def _below(pid: int) -> list[psutil.Process]:
    import psutil

    with suppress(psutil.Error):
        return psutil.Process(pid).children(recursive=True)
    return []


def _kill(process: psutil.Process, until: float) -> None:
    import psutil

    with suppress(psutil.Error):
        process.kill()
        # A zombie runs no more: it stays where nobody waits for the children of others.
        while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
            if time.monotonic() > until:
                return
            time.sleep(_MOMENT_S)


def _tail(file: BinaryIO) -> str:
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - _KEPT))
    return file.read().decode("utf-8", "replace")


def _signal(code: int) -> str | None:
    """Name the signal that ended a process, by Python's or a shell's exit status."""
    number = -code if code < 0 else code - 128 if code > 128 else 0  # noqa: PLR2004
    with suppress(ValueError):
        return signal.Signals(number).name if number else None
    return None


def read_events(file: Path) -> tuple[dict[str, object], ...]:
    """Return the events in ``file``; a line cut short by a crash costs that line alone."""
    try:
        lines = file.read_bytes().splitlines()
    except OSError:
        return ()
    events: list[dict[str, object]] = []
    for line in lines:
        with suppress(msgspec.DecodeError):
            event = msgspec.json.decode(line)
            if isinstance(event, dict):
                events.append(event)
    return tuple(events)

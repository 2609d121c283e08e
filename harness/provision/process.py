"""Running the programs that provisioning is made of, with a time limit and their output kept."""

from __future__ import annotations

import contextvars
import errno
import os
import signal
import subprocess
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

_GRACE_S: Final = 10.0
"""How long a program may tidy up after SIGTERM (mmdebstrap takes its mounts down)."""
_KEPT_CHARACTERS: Final = 200_000

_HELD: contextvars.ContextVar[tuple[int, ...]] = contextvars.ContextVar("held", default=())
_LIVE: set[subprocess.Popen[bytes]] = set()
_GUARD = threading.Lock()


class Ran(msgspec.Struct, frozen=True, kw_only=True):
    """How a program ended; ``timed_out`` where it ran past its limit and was ended."""

    code: int
    stdout: str
    stderr: str
    timed_out: bool = False

    @property
    def ok(self) -> bool:
        """True where the program said that all is well."""
        return self.code == 0 and not self.timed_out

    def tail(self, lines: int = 3) -> str:
        """Last lines of what it said, in one line: what a message quotes."""
        text = self.stderr.strip() or self.stdout.strip()
        kept = [line.strip() for line in text.splitlines() if line.strip()][-lines:]
        return "; ".join(kept) or f"exit status {self.code} without a word"


@contextmanager
def holding(*descriptors: int) -> Iterator[None]:
    """Let every program that is run meanwhile inherit ``descriptors`` (of locks)."""
    token = _HELD.set((*_HELD.get(), *descriptors))
    try:
        yield
    finally:
        _HELD.reset(token)


def run(
    command: Sequence[str | Path],
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    limit_s: float = 60.0,
    stdin: int | None = None,
) -> Ran:
    """Run ``command`` in a session of its own, so that all of it can be ended.

    Parameters
    ----------
    env
        The whole environment; the caller's own where it is ``None``.
    limit_s
        Seconds after which the program and its children are ended.
    stdin
        A file descriptor; nothing to read by default.

    Raises
    ------
    OSError
        If the program cannot be started, or if it failed because the disk is full
        (``errno`` ``ENOSPC``): a store turns that into a sentence.
    """
    process = start(
        command, env=env, cwd=cwd, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    try:
        stdout, stderr = process.communicate(timeout=limit_s)
        timed_out = False
    except subprocess.TimeoutExpired:
        end(process)
        stdout, stderr = process.communicate()
        timed_out = True
    finally:
        end(process)
    ran = Ran(
        code=process.returncode,
        stdout=_text(stdout),
        stderr=_text(stderr),
        timed_out=timed_out,
    )
    raise_if_full(ran)
    return ran


def raise_if_full(ran: Ran) -> None:
    """Raise ``OSError`` (``ENOSPC``) where a program failed for want of room on the disk."""
    if not ran.ok and "No space left on device" in ran.stderr:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def start(
    command: Sequence[str | Path],
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    stdin: int | None = None,
    stdout: int | None = None,
    stderr: int | None = None,
) -> subprocess.Popen[bytes]:
    """Start ``command`` in a session of its own; :func:`end` must be called in the end."""
    process = subprocess.Popen(
        [str(part) for part in command],
        env=None if env is None else dict(env),
        cwd=cwd,
        stdin=subprocess.DEVNULL if stdin is None else stdin,
        stdout=stdout,
        stderr=stderr,
        start_new_session=True,
        pass_fds=_HELD.get(),
    )
    with _GUARD:
        _LIVE.add(process)
    return process


def end(process: subprocess.Popen[bytes]) -> None:
    """End ``process`` and its session where it still runs: asked first, then killed."""
    with _GUARD:
        _LIVE.discard(process)
    if process.poll() is not None:
        return
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(_GRACE_S)
    except subprocess.TimeoutExpired:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def cancel_all() -> None:
    """Ask every program that still runs to end: for Ctrl-C, where other threads wait for them."""
    with _GUARD:
        live = list(_LIVE)
    for process in live:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)


def _text(data: bytes) -> str:
    text = data.decode("utf-8", "replace")
    return text if len(text) <= _KEPT_CHARACTERS else text[-_KEPT_CHARACTERS:]

"""A process tree held by a supervisor, for machines without namespaces.

Every process is ended as surely as with bubblewrap, but the cell sees the machine's own
file system, other processes and the network; the sandbox says so in the outcome.  What it must
not see, the caller's variables, is taken out of reach, and so is to write outside of its own
folders: see ``concealment`` and ``supervisor``.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from harness.execute import tree
from harness.execute.concealment import conceal
from harness.execute.enclosure import PATIENCE_S, Ending

if TYPE_CHECKING:
    from harness.model.job import Job

_SCRIPT: Final = Path(__file__).with_name("supervisor.py")


class SupervisedEnclosure:
    """A started command; see ``enclosure.Enclosure``.

    Parameters
    ----------
    job
        Its ``root`` must be ``None`` and its binds at their own paths: without namespaces a
        cell sees the machine as it is.
    env
        The whole environment of the command.
    """

    def __init__(self, job: Job, env: dict[str, str]) -> None:
        conceal()
        self._job = job
        self._said: dict[str, Any] = {}
        self._unread = b""
        self._at_end = False
        self._seen: list[int] = []
        asked = {
            "argv": job.argv,
            "env": env,
            "cwd": str(job.cwd),
            "writable": [str(bind.source) for bind in job.binds if bind.writable],
        }
        self._status, status_for_child = os.pipe()
        request = os.memfd_create("harness-cell")
        try:
            with open(request, "w", encoding="utf-8", closefd=False) as stream:
                json.dump(asked, stream)
            os.lseek(request, 0, os.SEEK_SET)
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-I", "-S", str(_SCRIPT)),
                    *(str(request), str(status_for_child), str(os.getpid())),
                ],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                bufsize=0,
                # The command's variables could keep the supervisor's Python from starting.
                env={},
                pass_fds=(request, status_for_child),
                start_new_session=True,
            )
        except BaseException:
            os.close(self._status)
            raise
        finally:
            os.close(request)
            os.close(status_for_child)
        os.set_blocking(self._status, False)

    def alarm(self) -> int | None:
        """Return the descriptor on which the supervisor speaks."""
        return None if self._at_end else self._status

    def ended(self) -> bool:
        """Tell whether the command has ended, or never started."""
        self._listen()
        return (
            not self._said.keys().isdisjoint({"exit", "signal", "error"})
            or self.process.poll() is not None
        )

    def members(self) -> list[int]:
        """Return the processes below the supervisor."""
        if "pid" in self._said:
            self._seen = tree.descendants(self.process.pid) or self._seen
        return self._seen if self.process.poll() is None else []

    def kill(self) -> None:
        """Have the supervisor end all."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)

    def finish(self) -> Ending:
        """Wait for the supervisor, which has ended all when it ends itself."""
        try:
            self.process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            tree.send(signal.SIGKILL, self.members())
            self.process.kill()
            self.process.wait()
        self._listen()
        if "error" in self._said:
            return Ending(started=False)
        if "pid" not in self._said:
            return Ending(started=self.process.returncode < 0, signal=_signal(self.process))
        if self._said.keys().isdisjoint({"exit", "signal"}):
            # The supervisor was told to end all, or was ended itself and could not.
            tree.send(signal.SIGKILL, filter(tree.is_alive, self._seen))
            return Ending(signal=_signal(self.process) or int(signal.SIGKILL))
        return Ending(
            code=self._said.get("exit"),
            signal=self._said.get("signal"),
            leftovers=self._said.get("leftovers", 0),
        )

    def why_not(self) -> str:
        """Say why the command could not be started."""
        reason = self._said.get("error", "the supervisor of the cell ended at once")
        return f"cannot start {self._job.argv[0]}: {reason}"

    def close(self) -> None:
        """Close every descriptor."""
        with contextlib.suppress(OSError):
            os.close(self._status)
        for stream in (self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()

    def _listen(self) -> None:
        try:
            while data := os.read(self._status, 65536):
                self._unread += data
            self._at_end = True
        except BlockingIOError:
            pass
        *lines, self._unread = self._unread.split(b"\n")
        for line in lines:
            self._said |= json.loads(line)


def _signal(process: subprocess.Popen[bytes]) -> int | None:
    return -process.returncode if process.returncode < 0 else None

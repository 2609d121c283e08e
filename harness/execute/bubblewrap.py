"""A process tree in namespaces of its own, held by bubblewrap.

Bubblewrap is three processes: a monitor (the child of the harness), the first process of
the cell's process namespace, and the command.  The kernel ends the whole namespace with its
first process, and that one dies with the monitor, which dies with the harness: nothing can
get away, whoever is killed.

Two of bubblewrap's options are put to a further use:

- ``--block-fd`` holds the command back until the kernel was told to end this tree first
  when memory runs out, so that no process of the tree can be born without that mark.
- ``--json-status-fd`` is a pipe to which the monitor writes the exit status before it
  leaves.  The pipe is kept full, so that the monitor waits: this is the moment to count
  what the command left behind, which would otherwise be gone with the monitor.  The exit
  status is only written for a command that could be started, which tells "not found" from
  a command that ended with status 1 itself.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import select
import signal
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from harness.execute import tree
from harness.execute.capture import last_line
from harness.execute.enclosure import LEAVE_TAKING_S, PATIENCE_S, Ending
from harness.execute.isolation import NAMESPACES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.model.job import Job

_COMMAND_PID: Final = b"2"
"""Of the command in its namespace: bubblewrap makes it right after the first process."""
_KILLED: Final = 128 + signal.SIGKILL
_OOM_FIRST: Final = b"1000"
_PREFIX: Final = "bwrap: "


class BubblewrapEnclosure:
    """A started command; see ``enclosure.Enclosure``.

    Parameters
    ----------
    program
        Bubblewrap.
    mounts
        Its options for the file system.
    env
        The whole environment of the command; bubblewrap adds ``PWD``.
    """

    def __init__(self, program: Path, mounts: Sequence[str], job: Job, env: dict[str, str]) -> None:
        self._job = job
        self._first: int | None = None
        self._command: int | None = None
        self._command_fd: int | None = None
        self._released = False
        self._said = b""
        self._status, status_for_child = os.pipe()
        self._status_writer: int | None = status_for_child
        blocked_for_child, gate = os.pipe()
        self._block: int | None = gate
        options = [
            *NAMESPACES,
            *(("--share-net",) if job.network else ()),
            *mounts,
            *(word for name, value in env.items() for word in ("--setenv", name, value)),
            *("--chdir", str(job.cwd)),
            *("--json-status-fd", str(status_for_child), "--block-fd", str(blocked_for_child)),
        ]
        # In memory instead of on the command line, so that lists of processes stay legible
        # and show nobody the environment.
        arguments = os.memfd_create("harness-cell")
        try:
            _write_all(arguments, b"".join(os.fsencode(word) + b"\0" for word in options))
            os.lseek(arguments, 0, os.SEEK_SET)
            with contextlib.suppress(OSError):
                fcntl.fcntl(status_for_child, fcntl.F_SETPIPE_SZ, 4096)
            self.process = subprocess.Popen(
                [program, "--args", str(arguments), "--", *job.argv],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                bufsize=0,
                # The command's variables may name libraries that are not for this machine's
                # bubblewrap, so it gets them with --setenv and has none itself.
                env={},
                pass_fds=(status_for_child, blocked_for_child, arguments),
                # Ctrl-C on the terminal is for the harness, which then ends its cells.
                start_new_session=True,
            )
        except BaseException:
            for descriptor in (self._status, status_for_child, gate):
                os.close(descriptor)
            raise
        finally:
            os.close(arguments)
            os.close(blocked_for_child)
        try:
            self._let_go()
        except BaseException:
            # Closing the gate would open it, so whoever waits at it goes first.
            self.process.kill()
            self.process.wait()
            self.close()
            raise

    def alarm(self) -> int | None:
        """Return a descriptor of the command that can be read when it has ended."""
        return self._command_fd

    def ended(self) -> bool:
        """Tell whether the command has ended, or never started."""
        if self._released or self.process.poll() is not None:
            return True
        if self._first is None or not tree.is_alive(self._first):
            return True
        if self._command is not None:
            return not tree.is_alive(self._command)
        found = tree.children(self._first)
        self._command = next((pid for pid in found if _is_command(pid)), None)
        if self._command is None:
            # Children, but not the command: it was so short that it was never seen.
            return bool(found)
        with contextlib.suppress(OSError):
            self._command_fd = os.pidfd_open(self._command)
        return False

    def members(self) -> list[int]:
        """Return the processes in the namespace, without the first one."""
        return [] if self._first is None else tree.descendants(self._first)

    def kill(self) -> None:
        """End the namespace."""
        self._release()
        if self.process.poll() is None:
            if self._first is None:
                self.process.kill()
            else:
                tree.send(signal.SIGKILL, [self._first])

    def finish(self) -> Ending:
        """Count what is left, let the monitor go and the rest with it."""
        leftovers = 0 if self._released else self._leftovers()
        self._release()
        try:
            self.process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.kill()
            self.process.wait()
        if self._first is not None:
            tree.wait_gone(self._first, PATIENCE_S)
        self._listen()
        code = _exit_code(self._said)
        if code is not None:
            return Ending(code=code, leftovers=leftovers)
        if self.process.returncode < 0:
            return Ending(signal=-self.process.returncode, leftovers=leftovers)
        if self.process.returncode == _KILLED:
            # The first process of the namespace was killed before the command began.
            return Ending(signal=signal.SIGKILL, leftovers=leftovers)
        return Ending(started=False)

    def why_not(self) -> str:
        """Say why the command could not be started, from what bubblewrap wrote."""
        said = last_line(self._job.stderr)
        command = self._job.argv[0]
        where = "" if self._job.root is None else f" in {self._job.root}"
        reason = said.removeprefix(_PREFIX) if said.startswith(_PREFIX) else "no reason given"
        execution = f"execvp {command}: "
        if reason.startswith(execution):
            return f"cannot start {command}{where}: {reason.removeprefix(execution)}"
        return f"bubblewrap could not set up the cell{where}: {reason}"

    def close(self) -> None:
        """Close every descriptor."""
        self._stop_filling()
        for descriptor in (self._block, self._status, self._command_fd):
            if descriptor is not None:
                with contextlib.suppress(OSError):
                    os.close(descriptor)
        self._block = self._command_fd = None
        for stream in (self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()

    def _let_go(self) -> None:
        """Wait for the namespace, prepare it, and let the command start."""
        said = b""
        deadline = time.monotonic() + PATIENCE_S
        while not said.endswith(b"\n"):
            if select.select([self._status], [], [], 0.02)[0]:
                said += os.read(self._status, 4096)
            elif self.process.poll() is not None or time.monotonic() > deadline:
                self.process.kill()
                self._released = True
                # Nobody writes to it any more but this process, which must not wait for itself.
                self._stop_filling()
                os.set_blocking(self._status, False)
                return
        self._first = int(json.loads(said)["child-pid"])
        with contextlib.suppress(OSError):
            Path(f"/proc/{self._first}/oom_score_adj").write_bytes(_OOM_FIRST)
        self._fill()
        if self._block is not None:
            # Nobody waits at the gate where bubblewrap has failed already: finish() says so.
            with contextlib.suppress(BrokenPipeError):
                os.write(self._block, b"\n")
            os.close(self._block)
            self._block = None

    def _fill(self) -> None:
        """Fill the pipe for the exit status, to which nobody writes before the end."""
        if self._status_writer is not None:
            size = fcntl.fcntl(self._status_writer, fcntl.F_GETPIPE_SZ)
            _write_all(self._status_writer, b"\n" * size)
            self._stop_filling()
        os.set_blocking(self._status, False)

    def _stop_filling(self) -> None:
        if self._status_writer is not None:
            os.close(self._status_writer)
            self._status_writer = None

    def _leftovers(self) -> int:
        """Count what runs on after the command; 0 only where the kernel says so.

        A list of the members is read one process after another: one that is born to a process
        which ends just then stands in none of them.  The first process leaves when it has no
        child any more, so its end, and no empty list, is what proves that nothing is left.
        """
        begun = time.monotonic()
        while self._first is not None and tree.is_alive(self._first):
            left = [pid for pid in self.members() if tree.is_alive(pid)]
            waited = time.monotonic() - begun
            if waited > (LEAVE_TAKING_S if left else PATIENCE_S):
                return len(left)
            time.sleep(0.01 if left else 0.001)
        return 0

    def _release(self) -> None:
        """Make room in the pipe, so that the monitor can write to it and leave."""
        self._released = True
        self._listen()

    def _listen(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while data := os.read(self._status, 65536):
                self._said += data


def _is_command(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/status").read_bytes()
    except OSError:
        return False
    pids = status.partition(b"\nNSpid:")[2].split(b"\n", 1)[0].split()
    return pids[-1:] == [_COMMAND_PID]


def _exit_code(said: bytes) -> int | None:
    for line in said.split(b"\n"):
        if b"exit-code" in line:
            return int(json.loads(line)["exit-code"])
    return None


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]

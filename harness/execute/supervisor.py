"""Holds one process tree where there are no namespaces; run by ``fallback``, never imported.

A script of the standard library alone: ``python -I -S supervisor.py REQUEST STATUS PARENT``.
It reads from descriptor ``REQUEST`` an object with ``argv``, ``env``, ``cwd`` and ``writable``
(places), starts the command in a session of its own, and writes to descriptor ``STATUS`` one
object a line: ``{"pid": ...}``, then ``{"error": ...}``, ``{"exit": ...}`` or
``{"signal": ...}``, then ``{"leftovers": ...}``.  It becomes the parent of every process whose
own parent ends, so that a daemon cannot get away; when the command has ended, when it is told to
with SIGTERM, or when the harness (``PARENT``) is gone, it ends all of them.

As far as the kernel can keep it from that, the command cannot look into a process that is not of
its own tree (the environment of what its user runs besides is none of its business), and changes
no file but below ``writable``, ``/tmp`` and ``/dev``.  The second takes Landlock, and the first
does where the user is not root.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import stat
import sys
import time

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_LEAVE_TAKING_S = 0.3
_KILLING_S = 5.0
_SPAWNED_AT = "HARNESS_SPAWNED_AT"
_PR_CAPBSET_DROP = 24
_PR_SET_NO_NEW_PRIVS = 38
_CAPABILITIES = (19, 21, 38, 8)
"""SYS_PTRACE, SYS_ADMIN, PERFMON, and SETPCAP, which is needed to drop them and so comes last.

Root that has fewer of them than another process of root may not look into it.
"""
_CAPABILITY_VERSION = 0x20080522
# Numbers that system calls have on every architecture.
_LANDLOCK_CREATE_RULESET, _LANDLOCK_ADD_RULE, _LANDLOCK_RESTRICT_SELF = 444, 445, 446
_LANDLOCK_ASK_VERSION = 1
_LANDLOCK_PATH_BENEATH = 1
_LANDLOCK_SINCE = 2
"""Before that (Linux 5.19), Landlock forbids to move a file to another folder."""
_TRUNCATES_SINCE = 3
_WRITE_FILE, _REFER, _TRUNCATE = 1 << 1, 1 << 13, 1 << 14
_CHANGES = sum(1 << bit for bit in range(4, 13)) | _WRITE_FILE | _REFER | _TRUNCATE
"""To write, make, move and remove files of every kind."""
_WRITABLE = ("/tmp", "/var/tmp", "/dev/shm")  # noqa: S108 - as in a cell with namespaces
_INTO = ("/dev", "/proc")
"""What is there can be written into: a device, a process's own settings."""


def main(request: int, status: int, parent: int) -> int:
    """Run the command; return 0 whatever became of it."""
    libc = ctypes.CDLL(None, use_errno=True)
    # Both signals end in the same way: to wait for them is the main loop's only business.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGCHLD})
    libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    libc.prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0)
    if os.getppid() != parent:
        return 0
    with os.fdopen(request, encoding="utf-8") as stream:
        job = json.load(stream)
    os.set_inheritable(status, False)  # noqa: FBT003 - takes no keyword
    # A harness that is gone must not keep the supervisor from its work.
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    command = _start(job, libc)
    if isinstance(command, str):
        _say(status, error=command)
        return 0
    _say(status, pid=command)
    ended = _wait(command)
    if ended is not None:
        code = os.waitstatus_to_exitcode(ended)
        _say(status, **({"exit": code} if code >= 0 else {"signal": -code}))
        _give_time()
    _say(status, leftovers=_end_all())
    return 0


def _start(job: dict[str, object], libc: ctypes.CDLL) -> int | str:
    """Start the command; return its process, or why there is none."""
    argv = [str(word) for word in job["argv"]]  # type: ignore[attr-defined]
    env = {str(name): str(value) for name, value in job["env"].items()}  # type: ignore[attr-defined]
    if _SPAWNED_AT in env:
        # Later than the harness's own time by the start of this script.
        env[_SPAWNED_AT] = repr(time.time())
    failure, said = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.setsid()
            libc.prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
            signal.pthread_sigmask(signal.SIG_SETMASK, set())
            signal.signal(signal.SIGPIPE, signal.SIG_DFL)
            with (
                contextlib.suppress(OSError),
                open(  # noqa: PTH123
                    "/proc/self/oom_score_adj", "w", encoding="ascii"
                ) as score,
            ):
                score.write("1000")
            _confine(libc, [str(folder) for folder in job["writable"]])  # type: ignore[attr-defined]
            os.chdir(str(job["cwd"]))
            os.execvpe(argv[0], argv, env)  # noqa: S606
        except OSError as error:
            os.write(said, f"{error.strerror}".encode())
        finally:
            os._exit(127)
    os.close(said)
    # The pipe closes by itself when the command has started.
    with os.fdopen(failure, "rb") as stream:
        reason = stream.read().decode()
    if reason:
        os.waitpid(pid, 0)
        return reason
    return pid


def _confine(libc: ctypes.CDLL, writable: list[str]) -> None:
    """Keep this process, and all that it starts, from what is none of its business."""
    _drop_capabilities(libc)
    # Without it only root may restrict itself; cells in namespaces have no setuid programs either.
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0:
        _restrict(libc, writable)


def _drop_capabilities(libc: ctypes.CDLL) -> None:
    """Give up what lets root look into everything; of other users nothing is taken."""

    class Header(ctypes.Structure):
        _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))

    for capability in _CAPABILITIES:
        libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)
    header = Header(_CAPABILITY_VERSION, 0)
    # Effective, permitted and inheritable ones: 32 of each, and then the others.
    sets = (ctypes.c_uint32 * 6)()
    if libc.capget(ctypes.byref(header), sets) != 0:
        return
    for capability in _CAPABILITIES:
        for kind in range(3):
            sets[capability // 32 * 3 + kind] &= ~(1 << capability % 32)
    libc.capset(ctypes.byref(header), sets)


def _restrict(libc: ctypes.CDLL, writable: list[str]) -> None:
    """Enter a Landlock domain.

    No process outside of it can be looked into, and no file outside of ``writable`` be changed.
    """

    class Ruleset(ctypes.Structure):
        _fields_ = (("handled", ctypes.c_uint64),)

    class Beneath(ctypes.Structure):
        _pack_ = 1
        _fields_ = (("allowed", ctypes.c_uint64), ("folder", ctypes.c_int32))

    def call(*arguments: object) -> int:
        whole = (ctypes.c_long(one) if isinstance(one, int) else one for one in arguments)
        return int(libc.syscall(*whole))

    version = call(_LANDLOCK_CREATE_RULESET, None, 0, _LANDLOCK_ASK_VERSION)
    if version < _LANDLOCK_SINCE:
        return
    handled = _CHANGES if version >= _TRUNCATES_SINCE else _CHANGES & ~_TRUNCATE
    ruleset = Ruleset(handled)
    rules = call(_LANDLOCK_CREATE_RULESET, ctypes.byref(ruleset), ctypes.sizeof(ruleset), 0)
    if rules < 0:
        return
    places = [(place, handled) for place in (*_WRITABLE, *writable)]
    places += [(place, handled & (_WRITE_FILE | _TRUNCATE)) for place in _INTO]
    try:
        for place, allowed in places:
            try:
                folder = os.open(place, os.O_PATH | os.O_CLOEXEC)
            except OSError:
                continue
            try:
                # Of a file, nothing else can be allowed.
                is_folder = stat.S_ISDIR(os.fstat(folder).st_mode)
                mine = allowed if is_folder else allowed & (_WRITE_FILE | _TRUNCATE)
                rule = ctypes.byref(Beneath(mine, folder))
                call(_LANDLOCK_ADD_RULE, rules, _LANDLOCK_PATH_BENEATH, rule, 0)
            finally:
                os.close(folder)
        call(_LANDLOCK_RESTRICT_SELF, rules, 0)
    finally:
        os.close(rules)


def _wait(command: int) -> int | None:
    """Wait for the command; return how it ended, or ``None`` where it is to be ended."""
    while True:
        number = signal.sigwait({signal.SIGTERM, signal.SIGCHLD})
        if number == signal.SIGTERM:
            return None
        ended = _reap().get(command)
        if ended is not None:
            return ended


def _reap() -> dict[int, int]:
    """Wait for every child that has ended; return their states."""
    ended: dict[int, int] = {}
    with contextlib.suppress(ChildProcessError):
        while (found := os.waitpid(-1, os.WNOHANG))[0]:
            ended[found[0]] = found[1]
    return ended


def _alone() -> bool:
    """Tell whether no process is left below this one, and wait for those that have ended.

    The kernel's own word: whoever loses its parent becomes a child of this process, so that it
    has one as long as anything runs.  A list read from ``/proc`` proves nothing when it is empty:
    a process that is born, while it is read, to one that ends just then stands in none.
    """
    _reap()
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return True
    return False


def _give_time() -> None:
    """Let processes leave that notice by themselves that the command has ended."""
    deadline = time.monotonic() + _LEAVE_TAKING_S
    while not _alone() and time.monotonic() < deadline:
        if signal.sigtimedwait({signal.SIGTERM}, 0.01) is not None:
            return


def _end_all() -> int:
    """End every process below this one; return how many there were."""
    ended: set[int] = set()
    deadline = time.monotonic() + _KILLING_S
    # Again and again, because a process can make another one while the list is read.
    while not _alone() and time.monotonic() < deadline:
        left = _descendants()
        ended.update(left)
        for pid in left:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.002)
    return len(ended)


def _descendants() -> list[int]:
    """Return every process below this one that runs."""
    below: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):  # noqa: PTH208 - without the cost of importing pathlib
        if name.isdecimal():
            with contextlib.suppress(OSError), open(f"/proc/{name}/stat", "rb") as stream:  # noqa: PTH123
                state, parent = stream.read().rpartition(b") ")[2].split()[:2]
                if state not in (b"Z", b"X"):
                    below.setdefault(int(parent), []).append(int(name))
    found = list(below.get(os.getpid(), []))
    for pid in found:
        found.extend(below.get(pid, []))
    return found


def _say(status: int, **words: int | str) -> None:
    with contextlib.suppress(OSError):
        os.write(status, json.dumps(words).encode() + b"\n")


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))

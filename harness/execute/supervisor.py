"""Holds one process tree where there are no namespaces; run by ``fallback``, never imported.

A script of the standard library alone: ``python -I -S supervisor.py REQUEST STATUS PARENT``.
It reads from descriptor ``REQUEST`` an object with ``argv``, ``env`` and ``cwd``, starts the
command in a session of its own, and writes to descriptor ``STATUS`` one object a line:
``{"pid": ...}``, then ``{"error": ...}``, ``{"exit": ...}`` or ``{"signal": ...}``, then
``{"leftovers": ...}``.  It becomes the parent of every process whose own parent ends, so
that a daemon cannot get away; when the command has ended, when it is told to with SIGTERM,
or when the harness (``PARENT``) is gone, it ends all of them.

The command cannot look into a process that is not of its own tree, as far as the kernel can keep
it from that: the environment of what its user runs besides is none of its business.  Of a user who
is not root, that takes Landlock.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
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
_LANDLOCK_REFER = 1 << 13
_LANDLOCK_SINCE = 2
"""Before that (Linux 5.19), Landlock forbids to move a file to another folder."""


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
            _look_away(libc)
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


def _look_away(libc: ctypes.CDLL) -> None:
    """Keep this process, and all that it starts, from looking into processes of others."""
    _drop_capabilities(libc)
    # Without it only root may restrict itself; cells in namespaces have no setuid programs either.
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0:
        _restrict(libc)


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


def _restrict(libc: ctypes.CDLL) -> None:
    """Enter a Landlock domain, from which no process outside of it can be looked into.

    It restricts nothing else: the one right to files that a domain takes without being told is
    given for all of them.
    """

    class Ruleset(ctypes.Structure):
        _fields_ = (("handled", ctypes.c_uint64),)

    class Beneath(ctypes.Structure):
        _pack_ = 1
        _fields_ = (("allowed", ctypes.c_uint64), ("folder", ctypes.c_int32))

    def call(*arguments: object) -> int:
        whole = (ctypes.c_long(one) if isinstance(one, int) else one for one in arguments)
        return int(libc.syscall(*whole))

    if call(_LANDLOCK_CREATE_RULESET, None, 0, _LANDLOCK_ASK_VERSION) < _LANDLOCK_SINCE:
        return
    ruleset = Ruleset(_LANDLOCK_REFER)
    rules = call(_LANDLOCK_CREATE_RULESET, ctypes.byref(ruleset), ctypes.sizeof(ruleset), 0)
    if rules < 0:
        return
    try:
        folder = os.open("/", os.O_PATH | os.O_CLOEXEC)
        try:
            rule = ctypes.byref(Beneath(_LANDLOCK_REFER, folder))
            added = call(_LANDLOCK_ADD_RULE, rules, _LANDLOCK_PATH_BENEATH, rule, 0)
        finally:
            os.close(folder)
        if added == 0:
            call(_LANDLOCK_RESTRICT_SELF, rules, 0)
    finally:
        os.close(rules)


def _wait(command: int) -> int | None:
    """Wait for the command; return how it ended, or ``None`` where it is to be ended."""
    while True:
        number = signal.sigwait({signal.SIGTERM, signal.SIGCHLD})
        if number == signal.SIGTERM:
            return None
        ended = _reap(command)
        if ended is not None:
            return ended


def _reap(command: int | None = None) -> int | None:
    """Wait for every process that has ended; return the state of ``command``, if among them."""
    found = None
    while True:
        try:
            pid, state = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return found
        if pid == 0:
            return found
        if pid == command:
            found = state


def _give_time() -> None:
    """Let processes leave that notice by themselves that the command has ended."""
    deadline = time.monotonic() + _LEAVE_TAKING_S
    while _descendants() and time.monotonic() < deadline:
        if signal.sigtimedwait({signal.SIGTERM}, 0.01) is not None:
            return
        _reap()


def _end_all() -> int:
    """End every process below this one; return how many there were."""
    ended: set[int] = set()
    deadline = time.monotonic() + _KILLING_S
    # Again and again, because a process can make another one while the list is read.
    while (left := _descendants()) and time.monotonic() < deadline:
        ended.update(left)
        for pid in left:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.002)
        _reap()
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

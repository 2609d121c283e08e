"""Keeps the caller's variables from cells that share the machine's list of processes with us.

Without namespaces a cell finds the harness in ``/proc``, and the kernel shows each process's
environment, as it was at its start, to the other processes of its user.  So that block of memory
is emptied, once what points into it points to copies, and the process is closed to others of its
user.  The supervisor does the third thing: a cell may not look into processes outside of its own
tree, where the kernel has Landlock.

A debugger that root runs reads a process's memory all the same, where there is no Landlock.
"""

from __future__ import annotations

import ctypes
import threading
from pathlib import Path
from typing import Final

_PR_SET_DUMPABLE: Final = 4
_ENV_START, _ENV_END = 47, 48
"""Fields of ``/proc/self/stat``, counted from the one behind the name."""
_PASSES: Final = 8
_GUARD: Final = threading.Lock()
_SELF: Final = Path("/proc/self")


def conceal() -> None:
    """Hide this process's environment from other processes; ``os.environ`` stays as it is.

    May be called again, and in several threads.  Where it cannot be done (no ``/proc``, another
    system), nothing happens.
    """
    with _GUARD:
        try:
            libc = ctypes.CDLL(None)
            block = _initial_block()
            if block is not None and _detach(libc, *block):
                ctypes.memset(block[0], 0, block[1] - block[0])
            # Last: a process that is closed may not open its own memory.
            libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
        except (OSError, AttributeError, ValueError):
            # No libc by that name, or none with these functions.
            return


def _initial_block() -> tuple[int, int] | None:
    """Return where the environment lies that the process was started with.

    ``None`` where that is not known for sure: what is there is held against what the kernel shows.
    """
    try:
        fields = (_SELF / "stat").read_bytes().rpartition(b") ")[2].split()
        start, end = int(fields[_ENV_START]), int(fields[_ENV_END])
        shown = (_SELF / "environ").read_bytes()
        # Unlike a look by address, this cannot end the process.
        with (_SELF / "mem").open("rb", buffering=0) as memory:
            memory.seek(start)
            held = memory.read(end - start)
    except (OSError, IndexError, ValueError, OverflowError):
        return None
    return (start, end) if shown.strip(b"\0") and held == shown else None


def _detach(libc: ctypes.CDLL, start: int, end: int) -> bool:
    """Have no variable of the C library's lie in the block; tell whether that is so.

    Variables that were never changed do, and the environment of child processes, ``getenv`` of
    other libraries and ``os.environ`` when it is changed would find them empty.  Each pointer is
    replaced in one store, so that other threads read the old text or the same one's copy.
    """
    libc.strdup.restype = ctypes.c_void_p
    libc.strdup.argtypes = [ctypes.c_void_p]
    variables = ctypes.POINTER(ctypes.c_void_p).in_dll(libc, "environ")
    # Until nothing is left to do: another thread may have moved the list meanwhile.
    for _ in range(_PASSES):
        found, number = False, 0
        # A list that was cleared is no list: the pointer is null.
        while variables and (text := variables[number]) is not None:  # type: ignore[truthy-bool]
            if start <= text < end:
                found = True
                copy = libc.strdup(text)
                if copy is None:
                    return False
                variables[number] = copy
            number += 1
        if not found:
            return True
    return False

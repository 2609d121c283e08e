"""Processes and their memory, read from ``/proc``.

Only what the sandbox asks several times a second stands here, so it reads the few files
that it needs, and not each process of the machine.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from functools import cache
from typing import TYPE_CHECKING, Final, NamedTuple

import psutil

if TYPE_CHECKING:
    from collections.abc import Iterable

_KB_IN_MB: Final = 1024


class Seen(NamedTuple):
    """One process: its program's name, as the kernel has it, and its peak so far, in MB."""

    pid: int
    program: str
    peak_mb: float


class Memory(NamedTuple):
    """Resident memory of several processes, in MB: the sum now, and the largest single peak."""

    total_mb: float
    largest_peak_mb: float
    processes: tuple[Seen, ...] = ()


def children(pid: int) -> list[int]:
    """Return the processes that ``pid`` is the parent of; empty where it is gone."""
    if not _kernel_lists_children():
        try:
            return [child.pid for child in psutil.Process(pid).children()]
        except psutil.Error:
            return []
    found: list[int] = []
    try:
        threads = os.listdir(f"/proc/{pid}/task")  # noqa: PTH208 - done all day, see _read
    except OSError:
        return []
    for thread in threads:
        # A thread may end between the listing and the reading.
        with contextlib.suppress(OSError):
            found.extend(map(int, _read(f"/proc/{pid}/task/{thread}/children").split()))
    return found


def descendants(pid: int) -> list[int]:
    """Return the processes below ``pid``, parents before their children, without itself."""
    found = children(pid)
    seen = set(found)
    for process in found:
        # The list grows while it is walked.  A pid can appear twice where a process was
        # handed to another parent in between.
        new = [child for child in children(process) if child not in seen]
        seen.update(new)
        found.extend(new)
    return found


def memory(pids: Iterable[int]) -> Memory:
    """Return the resident memory of ``pids``; those that are gone count nothing."""
    total = 0
    seen: list[Seen] = []
    for pid in pids:
        with contextlib.suppress(OSError, ValueError, IndexError):
            status = _read(f"/proc/{pid}/status")
            # A zombie has no such lines: the partition leaves an empty string, hence ValueError.
            total += int(status.partition(b"VmRSS:")[2].split(maxsplit=1)[0])
            peak = int(status.partition(b"VmHWM:")[2].split(maxsplit=1)[0])
            name = status[len(b"Name:\t") : status.index(b"\n")].decode("utf-8", "replace")
            seen.append(Seen(pid, name, peak / _KB_IN_MB))
    largest = max((one.peak_mb for one in seen), default=0.0)
    return Memory(total / _KB_IN_MB, largest, tuple(seen))


def proportional_mb(pids: Iterable[int]) -> float:
    """Return the memory of ``pids`` in MB with every shared page counted once.

    Far dearer than ``memory``: the kernel walks each page table.
    """
    total = 0
    for pid in pids:
        try:
            rollup = _read(f"/proc/{pid}/smaps_rollup")
            total += int(rollup.partition(b"\nPss:")[2].split(maxsplit=1)[0])
        except (OSError, ValueError, IndexError):
            total += int(memory([pid]).total_mb * _KB_IN_MB)
    return total / _KB_IN_MB


def is_alive(pid: int) -> bool:
    """Tell whether ``pid`` runs; one that has ended and was not waited for does not."""
    try:
        # The name of the program stands in parentheses and may hold any character.
        state = _read(f"/proc/{pid}/stat").rpartition(b") ")[2][:1]
    except OSError:
        return False
    return state not in (b"Z", b"X", b"")


def wait_gone(pid: int, seconds: float) -> bool:
    """Wait until ``pid`` has ended; ``False`` where it has not after ``seconds``."""
    deadline = time.monotonic() + seconds
    while is_alive(pid):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.002)
    return True


def send(number: signal.Signals, pids: Iterable[int]) -> None:
    """Send a signal to each of ``pids`` that is there."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)


def kernel_oom_kills() -> int | None:
    """Return how many processes the kernel has ended for want of memory since it started."""
    try:
        return int(_read("/proc/vmstat").partition(b"\noom_kill ")[2].split(maxsplit=1)[0])
    except (OSError, ValueError, IndexError):
        return None


@cache
def _kernel_lists_children() -> bool:
    return os.path.exists(f"/proc/self/task/{os.getpid()}/children")  # noqa: PTH110


def _read(path: str) -> bytes:
    # Half the cost of Path.read_bytes, and this is what the sandbox does all day.
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(descriptor, 65536)
    finally:
        os.close(descriptor)

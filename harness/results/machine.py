"""Reads what this machine is: all that bears on results, and nothing that names it."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from pathlib import Path

from harness.model.document import Machine

_NVIDIA_SMI_LIMIT_S = 10.0


def this_machine() -> Machine:
    """Describe this machine; what cannot be read is left empty.  Never raises.

    No host name, user name or path is read.  Takes some milliseconds, or up to a few
    seconds where a GPU driver has to wake up.
    """
    gpus, driver = _gpus()
    return Machine(
        os=_os(),
        kernel=platform.release(),
        libc=_libc(),
        arch=platform.machine(),
        cpu=_cpu(_text("/proc/cpuinfo")),
        cores=_cores(),
        memory_mb=_memory_mb(),
        gpus=gpus,
        driver=driver,
    )


def _text(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _os() -> str:
    try:
        release = platform.freedesktop_os_release()
    except OSError:
        return f"{platform.system()} {platform.mac_ver()[0]}".strip()
    return release.get("PRETTY_NAME", "") or release.get("NAME", "")


def _libc() -> str:
    # ``platform.libc_ver`` reads the interpreter's file, which tells what it was built for.
    try:
        return os.confstr("CS_GNU_LIBC_VERSION") or ""
    except (AttributeError, OSError, ValueError):
        return ""


def _cpu(cpuinfo: str) -> str:
    found = re.search(r"^(?:model name|Model|cpu model)\s*:\s*(.+)$", cpuinfo, re.MULTILINE)
    # ``platform.processor`` is not asked: on some systems it answers with more than the model.
    return found.group(1).strip() if found else ""


def _cores() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except (AttributeError, OSError):
        return os.cpu_count() or 0


def _memory_mb() -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20
    except (AttributeError, OSError, ValueError):
        return 0


def _gpus() -> tuple[tuple[str, ...], str | None]:
    try:
        done = subprocess.run(
            # Found on PATH, as its place differs from one distribution to the next.
            ["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"],  # noqa: S607
            capture_output=True,
            check=False,
            timeout=_NVIDIA_SMI_LIMIT_S,
        )
    except (OSError, subprocess.SubprocessError):
        return (), _driver(_text("/proc/driver/nvidia/version"))
    if done.returncode != 0:
        return (), _driver(_text("/proc/driver/nvidia/version"))
    return parse_nvidia_smi(done.stdout.decode("utf-8", errors="replace"))


def parse_nvidia_smi(text: str) -> tuple[tuple[str, ...], str | None]:
    """Return the GPUs' models and the driver's version from nvidia-smi's two columns."""
    rows = [line.rsplit(",", 1) for line in text.splitlines() if line.count(",")]
    return tuple(row[0].strip() for row in rows), rows[0][1].strip() if rows else None


def _driver(text: str) -> str | None:
    found = re.search(r"Kernel Module\D*([0-9][0-9.]*)", text)
    return found.group(1) if found else None

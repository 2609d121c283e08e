"""Which GPU this machine has, and what a CUDA runtime needs of its driver."""

from __future__ import annotations

import csv
import ctypes
import shutil
from contextlib import suppress
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Final

import msgspec

from harness.provision.process import run

_LIMIT_S: Final = 20.0


class Gpu(msgspec.Struct, frozen=True, kw_only=True):
    """NVIDIA GPUs of this machine.

    ``driver`` is the driver's version (``535.161.08``); ``None`` where its library is there
    and finds devices but does not say.  ``names`` has one name a device.
    """

    driver: str | None
    names: tuple[str, ...]


def gpu() -> Gpu | None:
    """Return the machine's GPUs, or ``None`` where there is no device that could be used."""
    return _by_smi() or _by_library()


def devices() -> tuple[Path, ...]:
    """Return the device files that a process needs to compute on this machine's GPUs."""
    return tuple(sorted(Path("/dev").glob("nvidia*")))


def least_driver(cuda: str) -> int | None:
    """Least major version of the Linux driver for a CUDA runtime; ``None`` if not known.

    >>> least_driver("12.6"), least_driver("13")
    (525, 580)
    """
    return _least_drivers().get(cuda.split(".", maxsplit=1)[0])


def why_unavailable(cuda: str, found: Gpu | None) -> str | None:
    """One sentence on what this machine lacks for a CUDA runtime, or ``None``.

    Parameters
    ----------
    cuda
        ``12`` or ``12.6``; ``cpu`` lacks nothing.
    found
        What :func:`gpu` returned.
    """
    if cuda == "cpu":
        return None
    least = least_driver(cuda)
    needs = f"CUDA {cuda} needs an NVIDIA driver of at least {least}" if least else f"CUDA {cuda}"
    if found is None:
        have_driver = shutil.which("nvidia-smi") is not None or _library() is not None
        lacking = "no NVIDIA device" if have_driver else "no NVIDIA device and no NVIDIA driver"
        return f"this machine has {lacking}; {needs}" + ("" if least else " needs both")
    if least is not None and found.driver is not None and _major(found.driver) < least:
        return f"this machine's NVIDIA driver is {found.driver}; {needs}"
    return None


def _by_smi() -> Gpu | None:
    program = shutil.which("nvidia-smi")
    if program is None:
        return None
    command = [program, "--query-gpu=driver_version,name", "--format=csv,noheader"]
    with suppress(OSError):
        ran = run(command, limit_s=_LIMIT_S)
        rows = [line.split(",", 1) for line in ran.stdout.splitlines() if "," in line]
        if ran.ok and rows:
            return Gpu(driver=rows[0][0].strip(), names=tuple(row[1].strip() for row in rows))
    return None


def _by_library() -> Gpu | None:
    """Ask the driver's own library: a container may have it without ``nvidia-smi``."""
    library = _library()
    if library is None or library.cuInit(0) != 0:
        return None
    count = ctypes.c_int(0)
    if library.cuDeviceGetCount(ctypes.byref(count)) != 0 or count.value < 1:
        return None
    names = []
    for index in range(count.value):
        name = ctypes.create_string_buffer(256)
        said = library.cuDeviceGetName(name, len(name), index) == 0
        names.append(name.value.decode("utf-8", "replace") if said else "an NVIDIA device")
    return Gpu(driver=None, names=tuple(names))


@cache
def _library() -> ctypes.CDLL | None:
    with suppress(OSError):
        return ctypes.CDLL("libcuda.so.1")
    return None


@cache
def _least_drivers() -> dict[str, int]:
    text = resources.files("harness.provision").joinpath("data/cuda-drivers.csv").read_text()
    rows = csv.DictReader(line for line in text.splitlines() if not line.startswith("#"))
    return {row["cuda"]: int(row["driver_min"]) for row in rows}


def _major(driver: str) -> int:
    head = driver.split(".", maxsplit=1)[0]
    return int(head) if head.isdigit() else 0

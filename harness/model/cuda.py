"""Which CUDA runtime packages bring, and whether it is the one that was asked for."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from harness.model.environment import Lock

_RUNTIME: Final = re.compile(r"nvidia-cuda-runtime(-cu\d+)?|cuda-toolkit")
_SUFFIX: Final = re.compile(r"nvidia-[a-z0-9-]+-cu(\d+)|jax-cuda(\d+)-(?:plugin|pjrt)")
_LABEL: Final = re.compile(r"\+cu(\d{2,3})\b")


def runtime_of(lock: Lock) -> str | None:
    """CUDA version of a lock's packages: ``12.9``, or ``12`` where only the major is said.

    ``None`` for a lock without CUDA.
    """
    versions = lock.versions
    for name in sorted(versions):
        if _RUNTIME.fullmatch(name):
            parts = versions[name].split(".")
            return ".".join(parts[:2])
    for name in sorted(versions):
        if found := _SUFFIX.fullmatch(name):
            return found.group(1) or found.group(2)
    if found := _LABEL.search(versions.get("torch", "")):
        digits = found.group(1)
        return f"{digits[:-1]}.{digits[-1]}"
    return None


def satisfies(asked: str, runtime: str | None) -> bool:
    """Tell whether ``runtime`` is the CUDA that was asked for, as far as that has parts.

    >>> satisfies("12", "12.9"), satisfies("12.6", "12.9"), satisfies("13", None)
    (True, False, False)
    """
    if runtime is None:
        return False
    wanted, parts = asked.split("."), runtime.split(".")
    return parts[: len(wanted)] == wanted

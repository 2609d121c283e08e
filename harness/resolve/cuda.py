"""What a resolver is told so that a lock brings the CUDA that is asked for, or none."""

from __future__ import annotations

import platform
from functools import cache
from typing import TYPE_CHECKING, Final

from packaging.version import Version

from harness.model.cuda import runtime_of, satisfies
from harness.support import load_support

if TYPE_CHECKING:
    from harness.model.environment import Lock

_OLDEST_SPLIT: Final = Version("1.13")
"""The first torch whose CUDA libraries are packages of their own and so appear in a lock."""

# What a CUDA build cannot do without.  A resolver that may not take these backtracks to a
# build without CUDA, wherever the configured places have one.
FORBIDDEN_ON_CPU: Final = tuple(
    f"{name}<0"
    for name in (
        "cuda-bindings",
        "cuda-toolkit",
        "jax-cuda12-plugin",
        "jax-cuda13-plugin",
        "nvidia-cublas",
        "nvidia-cublas-cu11",
        "nvidia-cublas-cu12",
        "nvidia-cublas-cu13",
        "nvidia-cuda-runtime",
        "nvidia-cuda-runtime-cu11",
        "nvidia-cuda-runtime-cu12",
        "nvidia-cuda-runtime-cu13",
        "nvidia-cudnn-cu11",
        "nvidia-cudnn-cu12",
        "nvidia-cudnn-cu13",
    )
)


def has_cuda(lock: Lock) -> bool:
    """True where a lock brings CUDA libraries, some of them inside an old torch's own wheel."""
    versions = lock.versions
    if runtime_of(lock) is not None or any(name.startswith("nvidia-") for name in versions):
        return True
    torch = versions.get("torch")
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        return False
    return torch is not None and "+" not in torch and Version(torch) < _OLDEST_SPLIT


def exactly(asked: str) -> tuple[str, ...]:
    """Constraints that hold the CUDA packages to ``asked``, a version of two parts."""
    major = asked.split(".", maxsplit=1)[0]
    return (f"nvidia-cuda-runtime-cu{major}=={asked}.*", f"nvidia-cuda-runtime=={asked}.*")


def torch_backends(asked: str, torch: str | None) -> tuple[str, ...]:
    """uv's names of the PyTorch builds for the CUDA asked for, the most stable first.

    Parameters
    ----------
    asked
        ``12`` or ``12.6``.
    torch
        Version of torch; builds of every version where ``None`` or not in the table.
    """
    table = _builds()
    series = ".".join((torch or "").split(".")[:2])
    builds = table.get(series) or tuple(dict.fromkeys(b for row in table.values() for b in row))
    return tuple("cu" + build.replace(".", "") for build in builds if satisfies(asked, build))


@cache
def _builds() -> dict[str, tuple[str, ...]]:
    """CUDA runtimes by series of torch, stable ones first: what PyTorch documents.

    The build that the Python package index carries is read from the resolved lock, never from
    here.
    """
    facts = (fact for subject in load_support() if subject.name == "torch"
             for fact in subject.facts if fact.axis == "cuda")  # fmt: skip
    table: dict[str, tuple[str, ...]] = {}
    for fact in facts:
        series = fact.of.removeprefix("==").removesuffix(".*")
        table[series] = (*table.get(series, ()), *fact.range.split(", "))
    return table

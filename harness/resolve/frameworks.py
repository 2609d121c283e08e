"""A cell's framework, CUDA and pins as requirements.

Pure: what the resolver answers is looked at in :mod:`harness.resolve.resolver`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import msgspec
from packaging.version import InvalidVersion, Version

from harness.errors import UsageError
from harness.resolve.uv import requirement, sorted_requirements

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.model.cell import Axes, Framework

CPU: Final = "cpu"
KERAS_BACKENDS: Final = ("tensorflow", "jax", "torch", "openvino", "numpy")
_JAX_NEEDS_JAXLIB: Final = Version("0.5")
"""From here on jax requires its own jaxlib; before, only its extra ``cpu`` does."""
_NAME: Final = re.compile(r"[A-Za-z0-9._-]+")


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """What a cell needs installed.

    ``uses`` are the frameworks whose build depends on the CUDA axis (``torch``,
    ``tensorflow``, ``jax``); ``cuda`` is that axis; ``label`` is the framework as messages
    name it, and ``torch`` the version of torch that was asked for.
    """

    requirements: tuple[str, ...]
    uses: frozenset[str]
    cuda: str
    label: str
    torch: str | None = None


def request(axes: Axes, extra: Sequence[str] = ()) -> Request:
    """Put a cell's axes as requirements.

    ``numpy`` is always among them, because the data of the probes are made with it.  A
    version of two parts names a series (``torch==2.13`` is ``==2.13.*``).

    Parameters
    ----------
    extra
        Further requirements: those of the path, and its bridge where that is for Python.

    Raises
    ------
    UsageError
        If the framework is not known, or Keras is asked for with an unknown backend.
    """
    framework = axes.framework
    wanted: list[str] = []
    uses: set[str] = set()
    if framework is not None:
        wanted, uses = _of_framework(framework, axes.cuda)
    # A pin is joined to what is required already: the resolver takes both.
    pins = [requirement(name, specifier) for name, specifier in axes.pins]
    every = [*wanted, *pins, *extra]
    if "numpy" not in {_name(line) for line in every}:
        every.append("numpy")
    return Request(
        requirements=sorted_requirements(every),
        uses=frozenset(uses),
        cuda=axes.cuda,
        label="" if framework is None else _label(framework),
        torch=framework.version if framework is not None and framework.name == "torch" else None,
    )


def _of_framework(framework: Framework, cuda: str) -> tuple[list[str], set[str]]:
    name, version = framework.name, framework.version
    if name == "keras":
        return _keras(framework, cuda)
    if name == "torch":
        return [requirement("torch", version)], {"torch"}
    if name == "tensorflow":
        return [_tensorflow(version, cuda)], {"tensorflow"}
    if name == "jax":
        return [_jax(version, cuda)], {"jax"}
    known = "keras, tensorflow, torch, jax"
    raise UsageError(f"framework {name}: not known; write one of {known}")


def _keras(framework: Framework, cuda: str) -> tuple[list[str], set[str]]:
    version = framework.version
    if version is not None and _is_below(version, Version("3")):
        if set(framework.backends) - {"tensorflow"}:
            raise UsageError(
                f"{framework}: Keras before 3 runs on tensorflow alone; leave the backends out"
            )
        # Keras 2 is released together with the TensorFlow of the same number.
        series = ".".join(version.split(".")[:2])
        return [requirement("keras", version), _tensorflow(series, cuda)], {"tensorflow"}
    lines, uses = [requirement("keras", version) if version else "keras>=3"], set[str]()
    for backend in framework.backends or ("tensorflow",):
        if backend not in KERAS_BACKENDS:
            raise UsageError(
                f"{framework}: {backend} is no backend of Keras; write one of "
                f"{', '.join(KERAS_BACKENDS)}"
            )
        if backend in ("tensorflow", "torch", "jax"):
            uses.add(backend)
        lines.append(
            {
                "tensorflow": _tensorflow(None, cuda),
                "jax": _jax(None, cuda),
                "torch": "torch",
            }.get(backend, backend)
        )
    return lines, uses


def _tensorflow(version: str | None, cuda: str) -> str:
    return requirement("tensorflow-cpu" if cuda == CPU else "tensorflow[and-cuda]", version)


def _jax(version: str | None, cuda: str) -> str:
    if cuda != CPU:
        return requirement(f"jax[cuda{cuda.split('.', maxsplit=1)[0]}]", version)
    if version is None:
        # Without a floor, a Python that the wheels have left behind gets a jax of 2019, which
        # requires no jaxlib and cannot be imported.
        return "jax[cpu]>=0.4"
    return requirement("jax[cpu]" if _is_below(version, _JAX_NEEDS_JAXLIB) else "jax", version)


def _label(framework: Framework) -> str:
    return f"{framework.name} {framework.version}" if framework.version else framework.name


def _name(line: str) -> str:
    found = _NAME.match(line)
    return found.group().lower().replace("_", "-") if found else ""


def _is_below(version: str, limit: Version) -> bool:
    try:
        return Version(version) < limit
    except InvalidVersion:
        return False

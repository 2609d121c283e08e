"""A cell: one point of the matrix, its name, and what is asked of it."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

import msgspec

NO_BRIDGE_PATHS: Final = frozenset({"native", "system"})
"""Paths that are made of no package, so that they have no ``bridge`` axis."""
SOURCE: Final = "source"
"""The value of the axis ``bridge`` where the run was given the bridge's own source tree."""


class Framework(msgspec.Struct, frozen=True, order=True, gc=False, cache_hash=True):
    """A framework with its version, as a requirement: ``keras[jax]==3.15.1``.

    ``version`` is ``None`` where the newest that can be had is asked for.  ``backends`` are
    those that Keras is to find installed; empty for every other framework.
    """

    name: str
    version: str | None = None
    backends: tuple[str, ...] = ()

    def __str__(self) -> str:
        extras = f"[{','.join(self.backends)}]" if self.backends else ""
        return f"{self.name}{extras}" + (f"=={self.version}" if self.version else "")

    @property
    def slug(self) -> str:
        """The part of a cell id that names the framework: ``keras3.15.1-jax``."""
        return "-".join((self.name + (self.version or ""), *self.backends))


class Axes(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One value for each axis.

    ``None`` says that the axis does not apply (``r`` and ``bridge`` of a ``native`` cell).
    ``r`` is a version (``4.5.0``) or ``system``, the R of this machine.  ``bridge`` is a version
    or ``source``, the tree that the run was given.  ``python`` is a
    version of two or three parts.  ``cuda`` is ``cpu`` or the version of a CUDA runtime.
    ``pins`` are further packages with their specifier, sorted by name.
    """

    path: str
    transport: str | None = None
    r: str | None = None
    bridge: str | None = None
    python: str
    framework: Framework | None = None
    cuda: str = "cpu"
    pins: tuple[tuple[str, str], ...] = ()

    def as_dict(self) -> dict[str, str | None]:
        """The axes by name, as ``results.json`` and the selection grammar have them."""
        return {
            "path": self.path,
            "transport": self.transport,
            "r": self.r,
            "bridge": self.bridge,
            "python": self.python,
            "framework": None if self.framework is None else str(self.framework),
            "cuda": self.cuda,
            **dict(self.pins),
        }


class Limits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How much a cell may take; time is counted for each phase apart.

    ``phase_s`` is the limit of every phase that ``phases_s`` does not name, in seconds;
    ``memory_mb`` is for the whole process tree; ``output_kb`` is kept of each of standard
    output and standard error, half from the head and half from the tail.
    """

    phase_s: float = 120.0
    phases_s: dict[str, float] = {}
    memory_mb: int = 8192
    output_kb: int = 1024


class Cell(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One point of the matrix with what is asked of it.

    ``control`` is the id of the ``native`` cell in the same Python environment; ``None``
    for a cell that is a control itself.  ``implied`` marks a control that the matrix did
    not list and that was added because another cell needs it.
    """

    id: str
    axes: Axes
    probes: tuple[str, ...] = ("init", "train")
    limits: Limits = Limits()
    network: bool = False
    control: str | None = None
    implied: bool = False
    without_gpu: str = "skip"
    """What a CUDA cell does on a machine without a GPU: ``skip`` or ``import``."""
    cold: bool = False
    """Whether the cell is started once more before, with its files put out of the memory."""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """The cells of one run, in the order in which the matrix file yields them.

    ``whole`` is how many cells the matrix has without a selection; 0 where that is not known.
    ``others`` are the cells that other shards of the same plan run.
    """

    matrix: str
    source: str
    cells: tuple[Cell, ...]
    whole: int = 0
    others: tuple[Cell, ...] = ()


_UNSAFE = re.compile(r"[^a-z0-9.\-]+")
_PIN_WORDS = (("==", ""), ("<=", "-le"), (">=", "-ge"), ("!=", "-ne"), ("~=", "-compat"))


def cell_id(axes: Axes) -> str:
    """The one name of a cell, everywhere.

    A pure function of the axes, so it is stable when the matrix file is re-ordered; lower
    case, free of ``/`` and of characters that a shell, a URL or a file system minds:
    ``reticulate-1.41__r4.5.0__py3.12__torch2.13.0__cpu``.
    """
    parts = [_head(axes.path, axes.transport, axes.bridge)]
    if axes.r is not None:
        parts.append(_slug("r" + axes.r))
    parts.append(_slug("py" + axes.python))
    if axes.framework is not None:
        parts.append(_slug(axes.framework.slug))
    parts.append("cpu" if axes.cuda == "cpu" else _slug("cuda" + axes.cuda))
    parts.extend(_slug_of_pin(name, specifier) for name, specifier in axes.pins)
    return "__".join(parts)


LONGEST_ID: Final = 240
"""Characters of a cell's id: its folder has it for a name, to which file systems set a limit."""


def is_folder_name(text: str) -> bool:
    """Tell whether ``text`` may be the name of a cell's folder, and leads nowhere else.

    Every id that :func:`cell_id` makes is one, up to the length that file systems take; what a
    results document from elsewhere has may be anything.
    """
    return (
        0 < len(text.encode("utf-8", "surrogatepass")) <= LONGEST_ID
        and text not in {".", ".."}
        and not any(sign in "/\\" or not sign.isprintable() for sign in text)
    )


# A matrix has few different values and up to a million cells: each value is spelled once.
@lru_cache(maxsize=4096)
def _slug(text: str) -> str:
    return _UNSAFE.sub("-", text.lower())


@lru_cache(maxsize=4096)
def _head(*parts: str | None) -> str:
    return "-".join(_slug(part) for part in parts if part)


@lru_cache(maxsize=4096)
def _slug_of_pin(name: str, specifier: str) -> str:
    text = specifier.replace(" ", "")
    for sign, word in _PIN_WORDS:
        text = text.replace(sign, word)
    return _slug(name + text.replace("<", "-lt").replace(">", "-gt").replace(",", ""))

"""What a matrix file says, once it is known to be right."""

from __future__ import annotations

import msgspec

from harness.model.cell import Limits

AXES = ("path", "transport", "r", "bridge", "python", "framework", "cuda")
"""The axes that every matrix has; any other name is that of a package to pin."""


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked of a cell, beside its axes."""

    probes: tuple[str, ...] = ("init", "train")
    limits: Limits = Limits()
    network: bool = False
    without_gpu: str = "skip"
    cold: bool = False


class Block(msgspec.Struct, frozen=True, kw_only=True):
    """A product of axes: the matrix's own, or one entry of ``include``."""

    axes: dict[str, tuple[str, ...]]
    """Values by axis, in the file's order; canonical text."""
    asked: Asked
    line: int


class Exclusion(msgspec.Struct, frozen=True, kw_only=True):
    """Cells of the product that are not wanted: those that match every pattern."""

    patterns: dict[str, tuple[str, ...]]
    """Patterns of ``harness.query`` by axis; one of them has to match."""
    reason: str | None
    line: int


class Matrix(msgspec.Struct, frozen=True, kw_only=True):
    """A matrix file."""

    name: str
    source: str
    question: str | None
    product: Block | None
    include: tuple[Block, ...]
    exclude: tuple[Exclusion, ...]
    controls: bool

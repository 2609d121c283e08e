"""A ``Matrix`` into cells: product, exclude, include, and the controls that they need."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from typing import Final

import msgspec

from harness.errors import FileFault
from harness.matrix.frameworks import parse_framework
from harness.matrix.model import AXES, Block, Exclusion, Matrix
from harness.model.cell import Axes, Cell, Framework, Plan, cell_id
from harness.query import matches

MAX_CELLS: Final = 1_000_000
CONTROL_PATH: Final = "native"


class PathTraits(msgspec.Struct, frozen=True, kw_only=True):
    """What the axes of a cell depend on, of its path."""

    uses_r: bool
    has_bridge: bool
    transports: tuple[str, ...] = ()


BridgeOf = Callable[[str, str], str | None]
"""The version of a path's bridge that comes with an R; ``None`` where that is not known."""


def expand(matrix: Matrix, paths: dict[str, PathTraits], bridge_of: BridgeOf) -> Plan:
    """Return the cells of a matrix, in the order of the file, each once.

    Axes that do not apply to a path fall away (``native`` has no R), so cells that differ
    only in them become one.  Where a cell is yielded twice, the first one counts.

    Raises
    ------
    FileFault
        The matrix has more than a million cells, or none.
    """
    builder = _Builder(matrix, paths, bridge_of)
    blocks: list[tuple[Block, tuple[Exclusion, ...]]] = []
    if matrix.product is not None:
        blocks.append((matrix.product, matrix.exclude))
    blocks.extend((block, ()) for block in matrix.include)
    cells: dict[str, Cell] = {}
    for block, exclude in blocks:
        for axes in builder.axes(block, exclude):
            name = cell_id(axes)
            if name not in cells:
                cells[name] = builder.cell(name, axes, block)
    if not cells:
        raise FileFault(matrix.source, "'exclude' takes every cell out; nothing is left to run")
    if matrix.controls:
        _add_controls(cells)
    return Plan(matrix=matrix.name, source=matrix.source, cells=tuple(cells.values()))


class _Builder:
    def __init__(self, matrix: Matrix, paths: dict[str, PathTraits], bridge_of: BridgeOf) -> None:
        self.matrix = matrix
        self.paths = paths
        self.bridge_of = bridge_of
        self.frameworks: dict[str, Framework] = {}
        self.verdicts: dict[tuple[object, ...], bool] = {}
        self.controls: dict[tuple[object, ...], str] = {}

    def axes(self, block: Block, exclude: tuple[Exclusion, ...]) -> Iterator[Axes]:
        """Yield the points of one block; the same point may come more than once."""
        pins = sorted(name for name in block.axes if name not in AXES)
        for path in block.axes["path"]:
            traits = self.paths[path]
            optional = (
                self._transports(block, traits),
                block.axes.get("r", ("system",)) if traits.uses_r else (None,),
                block.axes.get("bridge", ("default",)) if traits.has_bridge else (None,),
                block.axes.get("framework", (None,)),
            )
            always = (
                block.axes["python"],
                block.axes.get("cuda", ("cpu",)),
                *(block.axes[name] for name in pins),
            )
            self._bound(block, math.prod(len(values) for values in (*optional, *always)))
            for (transport, r, bridge, framework), (python, cuda, *pinned) in itertools.product(
                itertools.product(*optional), itertools.product(*always)
            ):
                axes = Axes(
                    path=path,
                    transport=transport,
                    r=r,
                    bridge=self.bridge_of(path, r) if bridge == "default" and r else bridge,
                    python=python,
                    framework=None if framework is None else self._framework(framework),
                    cuda=cuda,
                    pins=tuple(
                        (name, pin) for name, pin in zip(pins, pinned, strict=True) if pin != "any"
                    ),
                )
                if not exclude or not self._excluded(axes, exclude):
                    yield axes

    def _bound(self, block: Block, count: int) -> None:
        if count > MAX_CELLS:
            raise FileFault(
                self.matrix.source,
                f"this product has {count:,} cells, more than {MAX_CELLS:,}; name fewer values",
                line=block.line,
            )

    @staticmethod
    def _transports(block: Block, traits: PathTraits) -> tuple[str | None, ...]:
        if not traits.transports:
            return (None,)
        asked = block.axes.get("transport", traits.transports)
        return tuple(name for name in asked if name in traits.transports) or traits.transports

    def _framework(self, text: str) -> Framework:
        if text not in self.frameworks:
            self.frameworks[text] = parse_framework(text)
        return self.frameworks[text]

    def _excluded(self, axes: Axes, exclude: tuple[Exclusion, ...]) -> bool:
        pins = dict(axes.pins)
        for exclusion in exclude:
            # Few axes stand in an exclusion, so few different questions are asked of it.
            asked = (
                exclusion.line,
                *[
                    getattr(axes, axis) if axis in AXES else pins.get(axis)
                    for axis in exclusion.patterns
                ],
            )
            if asked not in self.verdicts:
                values = axes.as_dict()
                self.verdicts[asked] = all(
                    any(matches(pattern, values.get(axis)) for pattern in patterns)
                    for axis, patterns in exclusion.patterns.items()
                )
            if self.verdicts[asked]:
                return True
        return False

    def cell(self, name: str, axes: Axes, block: Block) -> Cell:
        """Make one cell; the control's id is spelled once for each Python environment."""
        control = None
        if axes.path != CONTROL_PATH:
            environment = (axes.python, axes.framework, axes.cuda, axes.pins)
            control = self.controls.get(environment) or self.controls.setdefault(
                environment, cell_id(control_axes(axes))
            )
        return Cell(
            id=name,
            axes=axes,
            probes=block.asked.probes,
            limits=block.asked.limits,
            network=block.asked.network,
            without_gpu=block.asked.without_gpu,
            control=control,
        )


def control_axes(axes: Axes) -> Axes:
    """Return the axes of the native cell in the same Python environment."""
    return Axes(
        path=CONTROL_PATH,
        python=axes.python,
        framework=axes.framework,
        cuda=axes.cuda,
        pins=axes.pins,
    )


def _add_controls(cells: dict[str, Cell]) -> None:
    """Add the controls that are needed and not listed, before all others."""
    needed: dict[str, Cell] = {}
    for cell in cells.values():
        if cell.control is None or cell.control in cells or cell.control in needed:
            continue
        needed[cell.control] = msgspec.structs.replace(
            cell, id=cell.control, axes=control_axes(cell.axes), control=None, implied=True
        )
    if needed:
        listed = dict(cells)
        cells.clear()
        cells.update(needed)
        cells.update(listed)

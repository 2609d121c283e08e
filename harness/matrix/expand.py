"""A ``Matrix`` into cells: product, exclude, include, and the controls that they need."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Iterator
from typing import Final

import msgspec

from harness.errors import FileFault
from harness.matrix.frameworks import parse_framework
from harness.matrix.model import AXES, Asked, Block, Exclusion, Matrix
from harness.matrix.words import pick, read_word
from harness.model.cell import LONGEST_ID, Axes, Cell, Framework, Limits, Plan, cell_id
from harness.query import matches

MAX_CELLS: Final = 1_000_000
CONTROL_PATH: Final = "native"


class PathTraits(msgspec.Struct, frozen=True, kw_only=True):
    """What the axes of a cell depend on, of its path."""

    uses_r: bool
    has_bridge: bool
    transports: tuple[str, ...] = ()
    probes: frozenset[str] | None = None
    """What may be asked of it; ``None`` where that is not known."""


BridgeOf = Callable[[str, str], str | None]
"""The version of a path's bridge that comes with an R; ``None`` where that is not known."""

VersionsOf = Callable[[str, str], Iterable[str]]
"""The versions that there are, by axis and name: of a framework, of a path's bridge, of a package.

Raises ``HarnessError`` where that cannot be found out now.
"""


def no_versions(axis: str, name: str) -> Iterable[str]:
    """Know of no version at all: for a matrix without the words ``newest`` and ``every``."""
    del axis, name
    return ()


def expand(
    matrix: Matrix,
    paths: dict[str, PathTraits],
    bridge_of: BridgeOf,
    versions_of: VersionsOf = no_versions,
) -> Plan:
    """Return the cells of a matrix, in the order of the file, each once.

    Axes that do not apply to a path fall away (``native`` has no R), so cells that differ
    only in them become one.  A control is asked all that its cells are asked and it can do.

    Raises
    ------
    FileFault
        The matrix has more than a million cells, or none, or asks for versions of which
        there is none, or asks different things of one cell, or has one whose id is too long.
    """
    builder = _Builder(matrix, paths, bridge_of, versions_of)
    blocks: list[tuple[Block, tuple[Exclusion, ...]]] = []
    if matrix.product is not None:
        blocks.append((matrix.product, matrix.exclude))
    blocks.extend((block, ()) for block in matrix.include)
    cells: dict[str, Cell] = {}
    origins: dict[str, Block] = {}
    for block, exclude in blocks:
        for axes in builder.axes(block, exclude):
            name = cell_id(axes)
            if len(name) > LONGEST_ID:
                raise FileFault(
                    matrix.source,
                    f"the cell {name[:80]}... would have an id of {len(name)} characters, and a "
                    f"folder's name has up to {LONGEST_ID}; pin fewer packages, or write shorter "
                    "ranges",
                    line=block.line,
                )
            if name not in cells:
                cells[name] = builder.cell(name, axes, block)
                origins[name] = block
            elif origins[name].asked != block.asked:
                # One of the two would silently not be done.
                raise FileFault(
                    matrix.source,
                    f"the cell {name} is there already, from line {origins[name].line}, and other "
                    f"{_differing(origins[name].asked, block.asked)} are asked of it here; take it "
                    "out of one of them, or write the same in both",
                    line=block.line,
                )
    if not cells:
        raise FileFault(matrix.source, "'exclude' takes every cell out; nothing is left to run")
    if matrix.controls:
        _add_controls(cells, paths[CONTROL_PATH].probes if CONTROL_PATH in paths else None)
    return Plan(matrix=matrix.name, source=matrix.source, cells=tuple(cells.values()))


class _Builder:
    def __init__(
        self,
        matrix: Matrix,
        paths: dict[str, PathTraits],
        bridge_of: BridgeOf,
        versions_of: VersionsOf,
    ) -> None:
        self.matrix = matrix
        self.paths = paths
        self.bridge_of = bridge_of
        self.versions_of = versions_of
        self.opened: dict[tuple[str, str, str], tuple[str, ...]] = {}
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
                self._values(block, "r", ("system",)) if traits.uses_r else (None,),
                self._values(block, "bridge", ("default",), path) if traits.has_bridge else (None,),
                self._values(block, "framework") if "framework" in block.axes else (None,),
            )
            always = (
                self._values(block, "python"),
                block.axes.get("cuda", ("cpu",)),
                *(self._values(block, name) for name in pins),
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
                if not exclude or not self._excluded(axes, exclude, by_default=bridge == "default"):
                    yield axes

    def _values(
        self, block: Block, axis: str, absent: tuple[str, ...] = (), path: str = ""
    ) -> tuple[str, ...]:
        """Return the values of an axis, those that stand for versions replaced by them."""
        values: dict[str, None] = {}
        for text in block.axes.get(axis, absent):
            asked = (axis, path, text)
            if asked not in self.opened:
                self.opened[asked] = self._open(block, axis, path, text)
            values |= dict.fromkeys(self.opened[asked])
        return tuple(values)

    def _open(self, block: Block, axis: str, path: str, text: str) -> tuple[str, ...]:
        word = read_word(axis, text)
        if word is None:
            return (text,)
        is_pin = axis not in AXES
        framework = parse_framework(word.name) if word.name is not None else None
        name = path if axis == "bridge" else axis if is_pin else str(getattr(framework, "name", ""))
        found = pick(word, self.versions_of("package" if is_pin else axis, name))
        if not found:
            what = f"{axis} of {path}" if path else axis
            raise FileFault(
                self.matrix.source,
                f"there is no version of '{what}' that '{text}' stands for; widen the range",
                line=block.line,
            )
        if framework is not None:
            return tuple(
                str(msgspec.structs.replace(framework, version=version)) for version in found
            )
        if axis == "python":
            # Of two parts: a cell has the newest patch that can be had.
            return tuple(dict.fromkeys(".".join(version.split(".")[:2]) for version in found))
        return tuple(f"=={version}" for version in found) if is_pin else found

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

    def _excluded(self, axes: Axes, exclude: tuple[Exclusion, ...], *, by_default: bool) -> bool:
        pins = dict(axes.pins)
        for exclusion in exclude:
            # Few axes stand in an exclusion, so few different questions are asked of it.
            asked = (
                exclusion.line,
                by_default,
                *[
                    getattr(axes, axis) if axis in AXES else pins.get(axis)
                    for axis in exclusion.patterns
                ],
            )
            if asked not in self.verdicts:
                values = axes.as_dict()
                self.verdicts[asked] = all(
                    (axis == "bridge" and by_default and "default" in patterns)
                    or any(matches(pattern, values.get(axis)) for pattern in patterns)
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
            cold=block.asked.cold,
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


def _differing(one: Asked, other: Asked) -> str:
    """Return the keys of a matrix file in which two blocks ask different things."""
    return " and ".join(
        f"'{name}'" for name in one.__struct_fields__ if getattr(one, name) != getattr(other, name)
    )


def _add_controls(cells: dict[str, Cell], able: frozenset[str] | None) -> None:
    """Add the controls that are needed and not listed, before all others.

    What a control is not asked, its cells cannot be held against: it is asked what any of them
    is, as far as it is ``able``, and one that is not listed gets what the greediest of them has.
    """
    needed: dict[str, Cell] = {}
    asked: dict[str, dict[str, None]] = {}
    for cell in cells.values():
        if cell.control is None:
            continue
        asked.setdefault(cell.control, {}).update(dict.fromkeys(cell.probes))
        if cell.control in cells:
            continue
        control = needed.get(cell.control)
        if control is None:
            needed[cell.control] = msgspec.structs.replace(
                cell, id=cell.control, axes=control_axes(cell.axes), control=None, implied=True
            )
        else:
            needed[cell.control] = _generous(control, cell)
    for name, probes in asked.items():
        control = needed.get(name) or cells[name]
        further = [
            probe
            for probe in probes
            if probe not in control.probes and (able is None or probe in able)
        ]
        if further:
            (needed if name in needed else cells)[name] = msgspec.structs.replace(
                control, probes=(*control.probes, *further)
            )
    if needed:
        listed = dict(cells)
        cells.clear()
        cells.update(needed)
        cells.update(listed)


def _generous(control: Cell, cell: Cell) -> Cell:
    """Return a control that may do whatever ``cell`` may, too."""
    mine, its = control.limits, cell.limits
    if mine == its and (control.network, control.without_gpu, control.cold) == (
        (cell.network, cell.without_gpu, cell.cold)
    ):
        return control
    phase_s = max(mine.phase_s, its.phase_s)
    phases_s = {
        phase: max(each.phases_s.get(phase, each.phase_s) for each in (mine, its))
        for phase in (*mine.phases_s, *its.phases_s)
    }
    return msgspec.structs.replace(
        control,
        limits=Limits(
            phase_s=phase_s,
            phases_s=phases_s,
            memory_mb=max(mine.memory_mb, its.memory_mb),
            output_kb=max(mine.output_kb, its.output_kb),
        ),
        network=control.network or cell.network,
        without_gpu="import" if "import" in {control.without_gpu, cell.without_gpu} else "skip",
        cold=control.cold or cell.cold,
    )

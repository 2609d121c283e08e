"""What an order needs of the machine that carries it out."""

from __future__ import annotations

import msgspec
import pytest

from harness.executors.base import need
from harness.model.cell import Axes, Cell, Limits

CPU = Cell(id="cpu", axes=Axes(path="native", python="3.11"))
CUDA = Cell(id="cuda", axes=Axes(path="native", python="3.11", cuda="12"))


@pytest.mark.parametrize(
    ("cell", "other", "is_same"),
    [
        (CPU, Cell(id="r", axes=Axes(path="system", python="3.12", r="4.5.0")), True),
        (CPU, CUDA, False),
        (CPU, msgspec.structs.replace(CPU, limits=Limits(memory_mb=65536)), False),
        (CPU, msgspec.structs.replace(CPU, limits=Limits(phase_s=1)), True),
        # These go anywhere as long as nobody has a GPU.
        (CUDA, msgspec.structs.replace(CUDA, without_gpu="import"), False),
    ],
)
def test_cells_that_may_wait_for_different_machines(cell: Cell, other: Cell, is_same: bool) -> None:
    assert (need(cell) == need(other)) is is_same

"""The results document: what ``results.json`` holds.

The keys that other programs read are fixed in ``docs/reference/results.md``, which is
generated from these types; ``SCHEMA`` counts up when one of them changes its meaning.
"""

from __future__ import annotations

from typing import Annotated, Final

import msgspec
from msgspec import Meta

from harness.model.record import CellRecord
from harness.model.status import Status

SCHEMA: Final = 1
"""Version of the document, and of the journal that it is derived from and shares its records with;
a reader refuses a greater one than it knows."""

NEVER_RUN: Final = "Planned, never run."
"""The reason of a cell of which no result is known."""

OTHER_SHARD: Final = "Planned for another shard, whose results are not here."
"""The reason of a cell of a shard that was lost."""


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """Where cells were measured: what bears on results, and nothing that names a person or host."""

    os: Annotated[str, Meta(description="Operating system with its version.")] = ""
    kernel: Annotated[str, Meta(description="Release of the kernel.")] = ""
    libc: Annotated[str, Meta(description="C library with its version: `glibc 2.36`.")] = ""
    arch: Annotated[str, Meta(description="Architecture: `x86_64`.")] = ""
    cpu: Annotated[str, Meta(description="Model of the processor.")] = ""
    cores: Annotated[int, Meta(description="Cores that the run could use; 0 if unknown.")] = 0
    memory_mb: Annotated[int, Meta(description="Main memory in MiB; 0 if unknown.")] = 0
    gpus: Annotated[
        tuple[str, ...], Meta(description="Models of the GPUs; empty where there is none.")
    ] = ()
    driver: Annotated[
        str | None, Meta(description="Version of the GPU driver; null where there is none.")
    ] = None


class Elsewhere(msgspec.Struct, frozen=True, kw_only=True):
    """Cells that were measured on another machine than the document's ``machine``."""

    machine: Annotated[Machine, Meta(description="The other machine.")]
    cells: Annotated[tuple[str, ...], Meta(description="Ids of the cells measured there.")]


class Other(msgspec.Struct, frozen=True, kw_only=True):
    """A cell that another shard of the same plan runs."""

    id: Annotated[str, Meta(description="The cell's id.")]
    axes: Annotated[dict[str, str | None], Meta(description="Its axes, as a record has them.")]
    control: Annotated[str | None, Meta(description="Id of its control; null for a control.")] = (
        None
    )
    implied: Annotated[
        bool, Meta(description="True for a control that was added because others need it.")
    ] = False


class Results(msgspec.Struct, frozen=True, kw_only=True, weakref=True):
    """The results of one matrix: a record for every planned cell, whether it ran or not."""

    schema: Annotated[int, Meta(ge=1, description="Version of this document's schema.")] = SCHEMA
    harness: Annotated[str, Meta(description="Version of the harness that measured.")] = ""
    matrix: Annotated[
        str, Meta(description="Name of the matrix; `a+b` where results of several were merged.")
    ]
    machine: Annotated[Machine, Meta(description="Where most of the cells were measured.")]
    elsewhere: Annotated[
        tuple[Elsewhere, ...],
        Meta(
            description="Cells that were measured on other machines: their times must not be "
            "compared with those of the rest."
        ),
    ] = ()
    started_at: Annotated[
        str, Meta(description="When the first run started: UTC, ISO 8601; empty if unknown.")
    ] = ""
    finished_at: Annotated[
        str | None,
        Meta(description="When the last run ended: UTC, ISO 8601; null if it was cut short."),
    ] = None
    whole: Annotated[
        dict[str, int],
        Meta(
            description="How many cells each matrix has without a selection, where that is known: "
            "where there are more than `planned` has, this is a part of it."
        ),
    ] = {}
    planned: Annotated[
        tuple[str, ...],
        Meta(description="Ids of all cells that were planned; each has a record in `cells`."),
    ]
    cells: Annotated[
        tuple[CellRecord, ...],
        Meta(description="One record a cell; a cell that never ran has the status `missing`."),
    ]
    others: Annotated[
        tuple[Other, ...],
        Meta(
            description="Cells that other shards of the plan run: `harness merge` makes those "
            "`missing` that none of the merged shards has."
        ),
    ] = ()

    @property
    def is_part(self) -> bool:
        """Say whether the plan was a selection or a shard, and others have not been added."""
        return len(self.planned) < sum(self.whole.values())

    def machine_of(self, cell: str) -> Machine:
        """Say where the cell with the id ``cell`` was measured."""
        for other in self.elsewhere:
            if cell in other.cells:
                return other.machine
        return self.machine


def encode(results: Results) -> bytes:
    """Return ``results.json`` as it is written: UTF-8, indented, ending in a newline."""
    return msgspec.json.format(msgspec.json.encode(results), indent=1) + b"\n"


def canonical(value: object) -> bytes:
    """Return JSON that is equal for equal values, whatever the order of their keys."""
    return msgspec.json.encode(value, order="sorted")


def missing(
    cell: str,
    axes: dict[str, str | None],
    why: str,
    *,
    key: str = "",
    control: str | None = None,
    implied: bool = False,
) -> CellRecord:
    """Return the record of a planned cell that has no result, with the reason ``why``."""
    return CellRecord(
        id=cell,
        axes=axes,
        status=Status.MISSING,
        message=why,
        key=key,
        control=control,
        implied=implied,
    )

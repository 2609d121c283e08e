"""The keys of a matrix file, each described once.

``load`` reads by this table and ``schema`` publishes it, so that what an editor completes
is what the loader takes.
"""

from __future__ import annotations

import re
from typing import Final, Literal

import msgspec

Kind = Literal["text", "texts", "number", "integer", "flag", "mapping", "list", "axis"]


class Field(msgspec.Struct, frozen=True, kw_only=True):
    """One key: what it takes, and what to say of it."""

    kind: Kind
    doc: str
    example: str
    choices: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    pattern: str | None = None
    fields: str | None = None
    """Name of the table in ``TABLES`` that the keys of a mapping follow."""


_VERSION = r"\d+(\.\d+)*([abrc]+\d+)?"
# R's versions have a dash as well (0.0-6); after a plus, the way in which a bridge is built.
_BRIDGE = rf"{_VERSION}(-\d+(\.\d+)*)?(\+[a-z][a-z0-9]*)?"
_PYTHON = r"\d\.\d+(\.\d+)?t?"
# Versions that are published later: see harness.matrix.words.
_WORDS = r"newest|every( .*)?"
# What a clock and a kernel can count: beyond it, a cell would end by its limit itself.
_LONGEST_S: Final = 100_000_000
_MOST: Final = 1_000_000_000

AXIS_FIELDS: Final[dict[str, Field]] = {
    "path": Field(
        kind="axis",
        doc="Integration paths: ways for R and Python to work together; `native` is the control.",
        example="[native, reticulate, system]",
    ),
    "transport": Field(
        kind="axis",
        doc="Transports of the path `rpc`; other paths ignore them.",
        example="[socket, zmq]",
    ),
    "r": Field(
        kind="axis",
        doc=(
            "Versions of R; `system` is the R of this machine, `newest` and `every` are those that "
            "can be had."
        ),
        example="[4.2.2, 4.5.0]",
        pattern=rf"system|{_VERSION}|{_WORDS}",
    ),
    "bridge": Field(
        kind="axis",
        doc=(
            "Versions of the bridge; `default` is the one that comes with the R.  A bridge that is "
            "built from its source may be built in several ways: `0.0-6+remedies`."
        ),
        example="[default]",
        pattern=rf"default|{_BRIDGE}|{_WORDS}",
    ),
    "python": Field(
        kind="axis",
        doc=(
            "Versions of Python, of two parts (the newest patch found) or three; `newest`, or "
            "`every >=3.12`."
        ),
        example='["3.11", "3.12.1"]',
        pattern=rf"{_PYTHON}|{_WORDS}",
    ),
    "framework": Field(
        kind="axis",
        doc=(
            "Frameworks, as requirements: `torch==2.13.0`; Keras with the backends to install "
            "in brackets: `keras[jax,torch]==3.15.1`.  Without a version: the newest that the "
            "Python can have.  `torch==newest` and `every torch>=2.10` are read at each plan."
        ),
        example="- keras[jax]==3.15.1",
    ),
    "cuda": Field(
        kind="axis",
        doc="`cpu`, or the version of a CUDA runtime.",
        example='[cpu, "12"]',
        pattern=r"cpu|\d+(\.\d+)?",
    ),
}
PIN = Field(
    kind="axis",
    doc=(
        "A package to pin: versions, specifiers, `newest` or `every >=1.24`; `any` leaves it to "
        "the resolver."
    ),
    example='["<2", "2.4.6", any]',
)

_ASKED: Final[dict[str, Field]] = {
    "probes": Field(kind="texts", doc="What is asked of each cell.", example="[init, train]"),
    "limits": Field(
        kind="mapping",
        doc="How much a cell may take.",
        example="{memory_mb: 4096}",
        fields="limits",
    ),
    "network": Field(
        kind="flag", doc="Whether the cells may use the network; by default not.", example="true"
    ),
    "without_gpu": Field(
        kind="text",
        doc=(
            "What a CUDA cell does on a machine without a GPU: `skip` installs nothing, "
            "`import` installs the CUDA build and imports it."
        ),
        example="import",
        choices=("skip", "import"),
    ),
    "cold": Field(
        kind="flag",
        doc=(
            "Whether each cell is started once more before, cold: with the files of its "
            "environment put out of the memory, for the probe `init` alone; by default not."
        ),
        example="true",
    ),
}

TABLES: Final[dict[str, dict[str, Field]]] = {
    "matrix": {
        "matrix": Field(kind="text", doc="Name; by default, the file's.", example="smoke"),
        "question": Field(
            kind="text", doc="The question that this matrix answers.", example="What works today?"
        ),
        "axes": Field(
            kind="mapping",
            doc="The product of these axes.",
            example="{path: [native], python: ['3.11']}",
            fields="axes",
        ),
        "include": Field(
            kind="list",
            doc="Further products, added after `exclude` was applied; one value or several each.",
            example="- {path: reticulate, r: 4.2.2, numpy: '<2'}",
            fields="include",
        ),
        "exclude": Field(
            kind="list",
            doc="Cells of the product that are not wanted: those that match every key.",
            example="- {path: reticulate, r: '<4.5', python: '>=3.12'}",
            fields="exclude",
        ),
        "defaults": Field(
            kind="mapping",
            doc="Values of the axes that `axes` or an entry of `include` does not name.",
            example="{python: '3.11', cuda: cpu}",
            fields="axes",
        ),
        "controls": Field(
            kind="flag",
            doc="Whether the native control of each cell is added where it is not listed.",
            example="true",
        ),
        **_ASKED,
    },
    "axes": AXIS_FIELDS,
    "include": {**AXIS_FIELDS, **_ASKED},
    "exclude": {
        **AXIS_FIELDS,
        "reason": Field(kind="text", doc="Why they are not wanted.", example="not published"),
    },
    "limits": {
        "phase_s": Field(
            kind="number",
            doc="Seconds that a phase may take where `phases_s` does not name it.",
            example="120",
            minimum=0.001,
            maximum=_LONGEST_S,
        ),
        "phases_s": Field(
            kind="mapping",
            doc="Seconds by phase.",
            example="{import: 300}",
            fields="phases",
        ),
        "memory_mb": Field(
            kind="integer",
            doc="Memory of the whole process tree, in MB.",
            example="8192",
            minimum=16,
            maximum=_MOST,
        ),
        "output_kb": Field(
            kind="integer",
            doc="How much is kept of standard output and of standard error, in kB each.",
            example="1024",
            minimum=1,
            maximum=_MOST,
        ),
    },
    "phases": {
        phase: Field(
            kind="number",
            doc=f"Seconds for the phase `{phase}`.",
            example="60",
            minimum=0.001,
            maximum=_LONGEST_S,
        )
        for phase in (
            *("start", "bridge", "python", "import", "device", "op", "convert", "train"),
            *("callback", "error", "teardown"),
        )
    },
}
OPEN_TABLES: Final = frozenset({"axes", "include", "exclude"})
"""Tables that take further keys: the names of packages to pin."""

PACKAGE_NAME: Final = re.compile(r"^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$")

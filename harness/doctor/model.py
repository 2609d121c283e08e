"""What is asked of the doctor, and what it found: values only."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Any, Final

import msgspec

from harness.causes.model import Fact, Finding, RuledOut


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """What to examine.

    ``python`` is asked for as a user would with ``use_python(required = TRUE)``; ``environ``
    is the environment that everything starts in, ``folder`` the working folder.
    """

    path: str = "reticulate"
    framework: str | None = None
    python: str | None = None
    rscript: str | None = None
    script: Path | None = None
    environ: dict[str, str] = {}
    folder: Path = Path()


class State(StrEnum):
    """How a layer ended."""

    OK = "ok"
    FAILED = "failed"
    CRASHED = "crashed"
    HUNG = "hung"
    NOT_REACHED = "not reached"


class Layer(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that must work before the next can.

    ``said`` is what is worth knowing of it: a version, a folder, or what went wrong.
    """

    name: str
    title: str
    phase: str
    state: State
    said: str = ""
    wall_s: float | None = None


class Rung(msgspec.Struct, frozen=True, kw_only=True):
    """One place where the bridge looks for a Python, in its own order.

    ``answer`` is what is found there, ``outcome`` whether it was taken, or why not.
    """

    id: str
    what: str
    answer: str
    outcome: str
    python: str | None = None
    taken: bool = False


class Variable(msgspec.Struct, frozen=True, kw_only=True):
    """A variable that R sees, and where it comes from."""

    name: str
    value: str
    origin: str


class Note(msgspec.Struct, frozen=True, kw_only=True):
    """Something that is worth knowing and no problem by itself; ``id`` may be a cause's."""

    id: str
    text: str


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """A place in a user's script: counted from 1, with the text that stands there.

    ``cause`` is an id of the catalogue where the place itself shows it, ``instead`` what to write
    there.
    """

    file: str
    line: int
    column: int | None
    source: str
    cause: str | None = None
    argument: str | None = None
    written: str | None = None
    instead: str | None = None


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """All that the doctor found.

    ``summary`` is one sentence.  ``causes`` is empty where nothing is wrong, or where nothing
    known fits: then ``ok`` is false and ``unexplained`` is what was seen.
    """

    ok: bool
    summary: str
    path: str
    framework: str | None
    phase: str | None = None
    causes: tuple[Finding, ...] = ()
    layers: tuple[Layer, ...] = ()
    discovery: tuple[Rung, ...] = ()
    identity: dict[str, Any] = {}
    variables: tuple[Variable, ...] = ()
    evidence: tuple[str, ...] = ()
    notes: tuple[Note, ...] = ()
    place: Place | None = None
    facts: dict[str, Fact] = {}
    ruled_out: tuple[RuledOut, ...] = ()
    unexplained: str | None = None
    wall_s: float = 0.0


class Kind(msgspec.Struct, frozen=True):
    """A layer as such: its title for people, the phase of the vocabulary, and its contrary."""

    title: str
    phase: str
    fails: str


LAYERS: Final[dict[str, Kind]] = {
    "r": Kind("R starts", "start", "R does not start"),
    "command": Kind("the Python command is found", "start", "the Python command is not found"),
    "bridge": Kind("the bridge loads", "bridge", "the bridge does not load"),
    "discovery": Kind("a Python is found", "python", "looking for a Python fails"),
    "connect": Kind(
        "both sides reach each other", "bridge", "the two sides do not reach each other"
    ),
    "python": Kind("Python starts", "python", "Python does not start"),
    "identity": Kind(
        "it is the Python that was asked for",
        "python",
        "it is another Python than the one asked for",
    ),
    "numpy": Kind("numpy can be imported", "import", "numpy cannot be imported"),
    "convert": Kind("a matrix crosses both ways", "convert", "a matrix does not cross"),
    "framework": Kind(
        "the framework can be imported", "import", "the framework cannot be imported"
    ),
    "device": Kind("a device is found", "device", "asking for the device fails"),
    "op": Kind("a first operation is right", "op", "the first operation fails"),
    "train": Kind("a training step works", "train", "a training step fails"),
    "script": Kind("the script runs to its end", "train", "the script fails"),
    "end": Kind(
        "everything ends in peace",
        "teardown",
        "all work is done, and then the process does not end well",
    ),
}
"""Every layer, in the order in which they are reached."""

ORDER: Final[dict[str, tuple[str, ...]]] = {
    "reticulate": (
        *("r", "bridge", "discovery", "python", "identity", "numpy", "convert"),
        *("framework", "device", "op", "train", "end"),
    ),
    "script": ("r", "script", "end"),
    "rpython": (
        *("r", "bridge", "python", "identity", "numpy", "convert"),
        *("framework", "device", "op", "train", "end"),
    ),
    "system": (
        *("r", "command", "python", "identity", "numpy", "framework"),
        *("device", "op", "train", "end"),
    ),
    "rpc": (
        *("r", "command", "python", "identity", "connect", "numpy", "framework"),
        *("device", "op", "train", "end"),
    ),
    "rpy2": (
        *("python", "identity", "bridge", "r", "numpy", "convert"),
        *("framework", "device", "op", "train", "end"),
    ),
}
"""The layers of each path."""

PATHS: Final = ("reticulate", "rpy2", "system", "rpc", "rpython")
FRAMEWORKS: Final = ("keras", "tensorflow", "torch", "jax")

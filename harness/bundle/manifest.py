"""What a bundle says of itself: the plan, what each cell gets, and where that lies.

A path that begins with ``{bundle}`` is below the folder that the bundle is unpacked into.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import msgspec

from harness.errors import FileFault
from harness.model.cell import Plan, cell_id, is_folder_name
from harness.workflow.preparing import Prepared

HERE: Final = "{bundle}"
"""Stands for the folder that a bundle is unpacked into."""
_DEPTH: Final = 3
"""``ENVIRONMENT/bin/python``: what is done to an environment is done to a folder of its own."""


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """One thing in a bundle.

    ``kind`` is ``r``, ``python``, ``environment``, ``overlay``, ``source`` or ``harness``;
    ``folder`` is below the bundle's; ``size`` is in bytes before it was compressed; ``digest`` is
    SHA-256 of the names, modes and contents of its files.  ``libc`` is the oldest release of the
    GNU C library that its programs run with; ``None`` where it has none of machine code.
    """

    kind: str
    folder: str
    version: str
    source: str
    size: int
    files: int
    digest: str
    libc: str | None = None


class Payload(msgspec.Struct, frozen=True, kw_only=True):
    """The archive: its bytes and digest, and what it comes to unpacked."""

    size: int
    sha256: str
    unpacked: int
    files: int


class Start(msgspec.Struct, frozen=True, kw_only=True):
    """The Python that runs the harness, and the folder of the harness; below the bundle's."""

    python: str
    site: str
    libc: str | None = None
    """The oldest release of the C library that this Python runs with."""


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """``manifest.json``.

    ``cells`` has what was prepared for each cell of the plan, by its id; with ``system_site`` its
    Python is missing there, and is that of the machine that the bundle comes to.
    """

    schema: int
    harness: str
    matrix: str
    machine: str
    """What its programs are made for: ``x86_64 Linux``."""
    system_site: bool
    plan: Plan
    cells: dict[str, Prepared]
    parts: tuple[Part, ...]
    start: Start
    payload: Payload


def encode(manifest: Manifest) -> bytes:
    """Return the manifest as it is written into the file."""
    return msgspec.json.format(msgspec.json.encode(manifest, enc_hook=str), indent=1)


def decode(text: bytes, file: str, folder: Path) -> Manifest:
    """Read a manifest; its paths become those of ``folder``.

    Raises
    ------
    FileFault
        It is none, or names a path outside of the bundle.
    """

    def path(kind: type, value: Any) -> Any:
        if kind is not Path:
            raise NotImplementedError
        if not isinstance(value, str):
            raise TypeError("a path is a text")
        first, *others = value.split("/")
        if first != HERE or any(part in {"", ".", ".."} or "\0" in part for part in others):
            raise ValueError(f"{value[:100]!r} is no path of a bundle")
        return folder.joinpath(*others)

    try:
        manifest = msgspec.json.decode(text, type=Manifest, dec_hook=path)
    except (msgspec.MsgspecError, ValueError, TypeError, RecursionError) as error:
        raise FileFault(file, f"the manifest of this bundle is none: {error}") from None
    _check_places(manifest, file)
    _check_cells(manifest, file, folder)
    cells = {name: _placed(prepared, folder) for name, prepared in manifest.cells.items()}
    return msgspec.structs.replace(manifest, cells=cells)


def _placed(prepared: Prepared, folder: Path) -> Prepared:
    """Return what a cell has, with the bundle's folder in the variables of its R."""
    if prepared.r is None:
        return prepared
    env = {name: value.replace(HERE, str(folder)) for name, value in prepared.r.env.items()}
    return msgspec.structs.replace(prepared, r=msgspec.structs.replace(prepared.r, env=env))


def _check_places(manifest: Manifest, file: str) -> None:
    """Raise ``FileFault`` where a text that becomes a place is none of the bundle."""
    places = [manifest.start.python, manifest.start.site]
    for place in (*places, *(part.folder for part in manifest.parts)):
        if any(part in {"", ".", ".."} or "\0" in part for part in place.split("/")):
            raise FileFault(file, f"{place[:100]!r} is no place in this bundle")
    for name in (manifest.plan.matrix, manifest.matrix):
        # Results lie in a folder of this name.
        if not is_folder_name(name):
            raise FileFault(file, f"{name[:100]!r} is the name of no matrix")


def _check_cells(manifest: Manifest, file: str, folder: Path) -> None:
    """Raise ``FileFault`` where a cell of the plan has a wrong name, or nothing."""
    for cell in manifest.plan.cells:
        # The name becomes that of a folder.
        if cell.id != cell_id(cell.axes):
            raise FileFault(file, f"the cell {cell.id[:100]!r} of this bundle has a wrong name")
        if cell.id not in manifest.cells:
            raise FileFault(file, f"this bundle has nothing for the cell {cell.id!r} of its plan")
        python = manifest.cells[cell.id].python
        if python is not None and len(python.executable.relative_to(folder).parts) < _DEPTH:
            raise FileFault(file, f"the Python of {cell.id!r} is in no environment of this bundle")

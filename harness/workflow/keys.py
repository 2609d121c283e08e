"""What a result depends on: a result counts only for the question that it answers."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

import msgspec

import harness
from harness.model.cell import SOURCE, Cell
from harness.paths.base import BuildsForR, IntegrationPath
from harness.probes.base import BringsFiles
from harness.workflow.planning import bridge_of
from harness.workflow.registry import probe as find_probe


def cell_key(cell: Cell, path: IntegrationPath, cran: str = "", tree: str = "") -> str:
    """Return a digest of what is asked of a cell and of the code that asks it inside.

    Where the bridge is built, the repository ``cran`` that its source comes from counts as well:
    what one has not got, another may have.  ``tree`` is the digest of the source tree that the
    bridge is built from, where the run was given one: an edit of the tree asks anew.

    Limits do not count: a cell that ended within them ends the same within wider ones, and of
    one that did not the journal has the limits, so that a run with others runs it again.
    """
    asked = (cell.axes, cell.probes, cell.network, cell.without_gpu, cell.cold)
    digest = hashlib.blake2b(msgspec.json.encode(asked), digest_size=8)
    digest.update(_digest_of(kit_folder()).encode())
    digest.update(_digest_of(path.files).encode())
    for folder in files_of(cell).values():
        digest.update(_digest_of(folder).encode())
    if isinstance(path, BuildsForR) or _is_built(cell, path):
        digest.update(cran.encode())
    digest.update(tree.encode())
    return digest.hexdigest()


def files_of(cell: Cell) -> dict[str, Path]:
    """Return the folders that the probes of a cell read, by the variable that names each to it."""
    found = {name: find_probe(name) for name in cell.probes}
    return {
        f"HARNESS_FILES_OF_{name.upper()}": probe.files
        for name, probe in found.items()
        if isinstance(probe, BringsFiles)
    }


def _is_built(cell: Cell, path: IntegrationPath) -> bool:
    """Tell whether a cell has another version of its bridge than comes with its R."""
    bridge, r = cell.axes.bridge, cell.axes.r
    if path.bridge_package not in path.r_packages or None in (bridge, r) or bridge == SOURCE:
        return False
    return bridge != bridge_of(path.name, r or "")


def kit_folder() -> Path:
    """Return the folder of the code that runs inside every cell."""
    return Path(harness.__file__).parent / "kit"


@cache
def _digest_of(folder: Path) -> str:
    digest = hashlib.blake2b(digest_size=8)
    for file in sorted(folder.rglob("*")):
        if file.suffix in {".py", ".R", ".yaml"}:
            digest.update(file.relative_to(folder).as_posix().encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()

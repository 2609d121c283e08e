"""The catalogue as it was read the last time: reading YAML takes longer than the whole diagnosis.

What is kept is named for the content of the catalogue's files, so it can never be stale; where
the cache cannot be written, the files are read each time.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path
from typing import Final

import msgspec

from harness import __version__
from harness.causes.entries import Catalogue

FOLDER: Final = Path(__file__).parent
_FORMAT: Final = "5"
"""Counts up when the entries' types change, or how needles are found."""


def cached_catalogue(folder: Path = FOLDER) -> Catalogue:
    """Return the catalogue in ``folder``, read once for each content.

    Raises
    ------
    FileFault
        One sentence on the first fault, with file and line.
    """
    files = (*sorted((folder / "catalogue").glob("*.yaml")), folder / "noise.yaml")
    digest = hashlib.sha256(f"{__version__} {_FORMAT}".encode())
    for file in files:
        if file.is_file():
            digest.update(file.name.encode() + b"\0" + file.read_bytes())
    kept = _cache() / "causes" / f"{digest.hexdigest()[:32]}.msgpack"
    try:
        return msgspec.msgpack.decode(kept.read_bytes(), type=Catalogue)
    except (OSError, msgspec.MsgspecError):
        pass
    from harness.causes.load import read_catalogue

    catalogue = read_catalogue(folder, check_patterns=False)
    _keep(kept, msgspec.msgpack.encode(catalogue))
    return catalogue


def _cache() -> Path:
    named = os.environ.get("HARNESS_CACHE")
    if named:
        return Path(named).expanduser()
    import platformdirs

    return platformdirs.user_cache_path("r-python-harness", appauthor=False)


def _keep(file: Path, content: bytes) -> None:
    """Write a file whole or not at all; a cache that cannot be written is no failure."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        handle, partial = tempfile.mkstemp(dir=file.parent, prefix=".")
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
        Path(partial).replace(file)
        for other in file.parent.glob("*.msgpack"):
            if other != file:
                other.unlink(missing_ok=True)
    except OSError:
        return

"""Indexes and folders of packages that lie on this machine."""

from __future__ import annotations

import re
import zipfile
import zlib
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Final
from urllib.parse import unquote, urlsplit

from harness.registry.pages import read_page
from harness.registry.release import File

_METADATA: Final = re.compile(r"[^/]+\.dist-info/METADATA")


def path_of(address: str) -> Path | None:
    """Return the path of a ``file://`` address; ``None`` for any other."""
    parts = urlsplit(address)
    return Path(unquote(parts.path)) if parts.scheme == "file" else None


def files_of(folder: Path) -> tuple[File, ...]:
    """Return the files that lie in a folder or that the page in it lists; none without it."""
    page = folder / "index.html" if folder.is_dir() else folder
    listed: tuple[File, ...] = ()
    if page.suffix in {".html", ".htm"} and page.is_file():
        with suppress(OSError):
            listed = read_page(page.read_bytes(), "text/html", page.as_uri())
    try:
        paths = sorted(path for path in folder.iterdir() if path.is_file())
    except OSError:
        paths = []
    # What lies there says nothing of the Python that it requires, but its tags say most.
    return (*listed, *(File(name=path.name, address=path.as_uri()) for path in paths))


def metadata_of_wheel(path: Path) -> str | None:
    """Return the core metadata inside a wheel; ``None`` where it is no whole wheel."""
    try:
        with path.open("rb") as stream:
            return metadata_in(stream)
    except OSError:
        return None


def metadata_in(stream: BinaryIO) -> str | None:
    """Return the core metadata of an open wheel; ``None`` where it is no whole wheel."""
    try:
        with zipfile.ZipFile(stream) as wheel:
            names = [name for name in wheel.namelist() if _METADATA.fullmatch(name)]
            return wheel.read(names[0]).decode("utf-8", errors="replace") if names else None
    except (zipfile.BadZipFile, zlib.error, EOFError):
        return None

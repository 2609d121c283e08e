"""Writes the results document, whole or not at all."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from harness.errors import MachineFault
from harness.folders import sync
from harness.model.document import Results, encode
from harness.results.load import DOCUMENT


def save(results: Results, folder: Path) -> Path:
    """Write ``results.json`` into ``folder`` and return its path.

    The file is replaced in one step, so that a reader sees the old or the new one.  Raises
    ``MachineFault`` where it cannot be written.
    """
    target = folder / DOCUMENT
    draft = folder / f".{DOCUMENT}.{os.getpid()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # Not through a link that lies there.
        draft.unlink(missing_ok=True)
        with draft.open("xb") as stream:
            stream.write(encode(results))
            stream.flush()
            # Else a crash of the machine could leave the new name with nothing in it.
            sync(stream.fileno())
        draft.replace(target)
    except OSError as error:
        with suppress(OSError):
            draft.unlink()
        raise MachineFault(
            f"{target}: cannot be written ({error.strerror or error}); "
            "free space or name another folder with --results"
        ) from None
    return target

"""What several processes measured for one folder of results, into its journal."""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from harness.folders import refuse_links, remove_tree
from harness.journal.writer import FILE_NAME, Journal
from harness.results.load import load, read_events
from harness.results.regular import copy_regular, is_folder
from harness.results.save import save

_SEED: Final = ".seed"


def seed(folder: Path, own: Path) -> None:
    """Give a process's ``own`` folder what ``folder`` knows, so that nothing is run twice."""
    journal = folder / FILE_NAME
    below = own.relative_to(folder).as_posix()
    refuse_links(folder, f"{below}/{FILE_NAME}", f"{below}/{_SEED}")
    if own.joinpath(_SEED).exists():
        return
    own.mkdir(parents=True, exist_ok=True)
    if journal.exists():
        shutil.copy(journal, own / FILE_NAME)
    size = (own / FILE_NAME).stat().st_size if (own / FILE_NAME).exists() else 0
    (own / _SEED).write_text(str(size), encoding="ascii")


def absorb(folder: Path, parts: Path) -> int:
    """Move what the folders below ``parts`` have learnt into ``folder``; return how many did.

    Raises
    ------
    MachineFault
        ``folder`` cannot be written, or a run is writing there.
    """
    owns = sorted(own for own in parts.iterdir() if own.is_dir()) if parts.is_dir() else []
    if not owns:
        return 0
    refuse_links(folder, "cells")
    with Journal(folder) as journal:
        for own in owns:
            for event in _learnt(own):
                journal.append(str(event.pop("event")), **event)
            # The logs are a help to people; results do not depend on them.
            for cell in sorted(own.glob("cells/*")) if is_folder(own / "cells") else []:
                with suppress(OSError):
                    copy_regular(cell, folder / "cells" / cell.name)
    save(load(folder), folder)
    with suppress(OSError):
        remove_tree(parts)
    return len(owns)


def _learnt(own: Path) -> list[dict[str, Any]]:
    """Return the events of a process's own journal that it was not given."""
    journal = own / FILE_NAME
    if not journal.exists():
        return []
    try:
        given = int((own / _SEED).read_text(encoding="ascii"))
    except (OSError, ValueError):
        given = 0
    with journal.open("rb") as stream:
        known = stream.read(given).count(b"\n")
    return [event for number, event in read_events(journal) if number > known and event is not None]

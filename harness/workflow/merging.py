"""Shards into one results folder."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from harness.errors import UsageError
from harness.folders import refuse_links
from harness.model.document import Results
from harness.results.load import load
from harness.results.merge import merge
from harness.results.regular import copy_regular, is_folder
from harness.results.save import save


def merge_folders(folders: Sequence[Path], target: Path) -> Results:
    """Merge results and the cells' logs into ``target``; return the merged results.

    Raises
    ------
    UsageError
        A folder holds no results, or ``target`` is that of a run.
    MachineFault
        ``target`` cannot be written.
    """
    if (target / "journal.jsonl").exists():
        raise UsageError(
            f"{target}: a run has its journal here, which would outrank the merged results; "
            "name another folder with --results"
        )
    refuse_links(target, "cells")
    parts = [load(folder) for folder in folders]
    merged = merge(parts)
    save(merged, target)
    winners = {cell.id: (cell.started_at, cell.key) for cell in merged.cells}
    for folder, part in zip(folders, parts, strict=True):
        for cell in part.cells:
            logs = folder / "cells" / cell.id
            if winners[cell.id] == (cell.started_at, cell.key) and is_folder(logs.parent):
                # The logs are a help to people; results do not depend on them.
                with suppress(OSError):
                    copy_regular(logs, target / "cells" / cell.id)
    return merged

"""What provisioning keeps, shown and pruned."""

from __future__ import annotations

import time

from tabulate import tabulate

from harness.provision.store import FolderStore, default_root

_DAY_S = 86_400.0


def show_cache() -> str:
    """Return a table of what is kept, the largest first, with the total size."""
    with FolderStore(default_root()) as store:
        entries = sorted(store.entries(), key=lambda entry: -entry.size)
    if not entries:
        return f"{default_root()} is empty"
    now = time.time()
    rows = [
        (entry.kind, entry.description or entry.key, _size(entry.size), _ago(now - entry.used))
        for entry in entries
    ]
    table = tabulate(
        rows,
        headers=("kind", "what", "size", "last used"),
        colalign=("left", "left", "right", "left"),
        disable_numparse=True,
    )
    total = _size(sum(entry.size for entry in entries))
    return f"{table}\n\n{total} in {len(entries)} entries under {default_root()}"


def prune_cache(older_than_days: float | None) -> str:
    """Remove what no run is using; return what was freed.

    Raises
    ------
    MachineFault
        Something cannot be removed.
    """
    older_than_s = None if older_than_days is None else older_than_days * _DAY_S
    with FolderStore(default_root()) as store:
        pruned = store.prune(older_than_s=older_than_s, everything=older_than_s is None)
    freed = _size(sum(entry.size for entry in pruned.removed))
    kept = f"; {len(pruned.in_use)} are in use and were kept" if pruned.in_use else ""
    half = "".join(f"\nremoved {folder}, which was half built" for folder in pruned.half_built)
    return f"removed {len(pruned.removed)} entries, {freed}{kept}{half}"


def _size(size: float) -> str:
    for unit in ("B", "kB", "MB"):
        if size < 1000:  # noqa: PLR2004 - of one unit in the next
            return f"{size:.0f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"


def _ago(seconds: float) -> str:
    for unit, length in (("day", _DAY_S), ("hour", 3600.0), ("minute", 60.0)):
        count = int(seconds // length)
        if count:
            return f"{count} {unit}{'s' * (count > 1)} ago"
    return "just now"

"""A bundle that was made, in words."""

from __future__ import annotations

from pathlib import Path

from tabulate import tabulate

from harness.bundle.making import Made

_MB = 1e6


def summary(made: Made, file: Path) -> str:
    """Return what is in a bundle, how large it is, its digest, and what it cannot run."""
    manifest = made.manifest
    rows = [
        (part.kind, part.version, part.source, f"{part.size / _MB:.1f}", part.libc or "")
        for part in manifest.parts
    ]
    headers = ("part", "what", "from", "MB", "needs glibc")
    table = tabulate(rows, headers=headers, disable_numparse=True, maxcolwidths=[None, 60])
    cells, unpacked = len(manifest.cells), manifest.payload.unpacked
    lines = [
        table,
        "",
        f"{file}: {cells} cells, {made.size / _MB:.1f} MB; unpacked {unpacked / _MB:.1f} MB",
        f"SHA-256 {made.sha256}",
    ]
    if made.refused:
        lines += ["", "These cells cannot run from it:"]
        lines += [f"  {name}: {why}" for name, why in made.refused.items()]
    lines += ["", f"On the other machine: python3 {file.name} --results DIR"]
    return "\n".join(lines)

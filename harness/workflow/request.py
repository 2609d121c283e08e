"""The request that a cell's driver reads, as JSON and in the format of ``read.dcf()``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from harness.model.cell import Cell
from harness.model.environment import Provisioned


def write_request(  # noqa: PLR0913 - each is a part of the request
    folder: Path,
    cell: Cell,
    provisioned: Provisioned,
    backend: str | None,
    *,
    seed: int,
    epochs: int,
    further: Mapping[str, str] | None = None,
) -> None:
    """Write ``request.json`` and ``request.dcf``, whose fields are all texts.

    ``further`` are fields beside those that every request has.
    """
    framework = cell.axes.framework
    versions = provisioned.python.lock.versions
    name = "" if framework is None else framework.name
    fields = {
        "cell": cell.id,
        "path": cell.axes.path,
        "transport": cell.axes.transport or "",
        "probes": ",".join(cell.probes),
        "framework": name,
        "framework_version": versions.get(name, versions.get(f"{name}-cpu", "")),
        "backends": "" if framework is None else ",".join(framework.backends),
        "backend": backend or "",
        "cuda": cell.axes.cuda,
        "python": str(provisioned.python.executable),
        "python_version": provisioned.python.interpreter.version,
        "r_version": "" if provisioned.r is None else provisioned.r.version,
        "bridge": cell.axes.bridge or "",
        "seed": str(seed),
        "epochs": str(epochs),
        # The cell's environment holds none: what R adds to it is what the path must deal with.
        "caller_ld_library_path": "",
        "plant": "",
        **(further or {}),
    }
    (folder / "request.json").write_text(json.dumps(fields, indent=1) + "\n", encoding="utf-8")
    record = "".join(f"{key}: {value}\n" for key, value in fields.items() if value)
    (folder / "request.dcf").write_text(record, encoding="utf-8")

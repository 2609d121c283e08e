"""Takes this machine out of what is recorded: its paths say nothing to others.

The same failure in two environments must read the same, so that it is told as one; and what
is published must not name the folders of whoever measured.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from harness.model.environment import Provisioned
from harness.model.record import CellRecord


def without_places(record: CellRecord, ready: Provisioned, work: Path) -> CellRecord:
    """Return a record in which the cell's folders have short names.

    ``ENV`` is the Python environment, ``CELL`` the working folder, ``PYTHON`` the prefix of
    the interpreter, ``R_LIBRARY`` a library that was built for the cell's R, ``~`` the home
    folder.
    """
    environment = ready.python.executable.parent.parent
    places = {
        str(environment): "ENV",
        str(work): "CELL",
        str(ready.python.interpreter.prefix): "PYTHON",
        **({} if ready.r is None else dict.fromkeys(map(str, ready.r.binds), "R_LIBRARY")),
        str(Path.home()): "~",
    }
    # The longest first: the environment may lie in the home folder.  A system's own prefix
    # (/usr) is no secret, and taking it out would spoil every other path.
    ordered = [
        (place, name)
        for place, name in sorted(places.items(), key=lambda item: -len(item[0]))
        if len(Path(place).parts) > 2 or name == "~"  # noqa: PLR2004 - "/" and one folder
    ]
    plain = _replaced(msgspec.to_builtins(record), ordered)
    return msgspec.convert(plain, CellRecord)


def _replaced(value: Any, places: list[tuple[str, str]]) -> Any:
    if isinstance(value, str):
        for place, name in places:
            if place != "/":
                value = value.replace(place, name)
        return value
    if isinstance(value, dict):
        return {key: _replaced(item, places) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_replaced(item, places) for item in value]
    return value

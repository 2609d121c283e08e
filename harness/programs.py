"""Programs that come with the harness's own dependencies."""

from __future__ import annotations

import threading

from uv import find_uv_bin

_GUARD = threading.Lock()
_found: list[str] = []


def uv_program() -> str:
    """Return the path of uv, which its wheel carries; may be called from several threads.

    Looking for it reads ``sysconfig``, whose first use is not safe in two threads at once: one
    of them sees variables that are not there yet (seen with Python 3.11).
    """
    with _GUARD:
        if not _found:
            _found.append(find_uv_bin())
        return _found[0]

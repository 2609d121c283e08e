"""Programs that come with the harness's own dependencies."""

from __future__ import annotations

import threading

from uv import find_uv_bin

from harness.errors import MachineFault

_GUARD = threading.Lock()
_found: list[str] = []


def uv_program() -> str:
    """Return the path of uv, which its wheel carries; may be called from several threads.

    Looking for it reads ``sysconfig``, whose first use is not safe in two threads at once: one
    of them sees variables that are not there yet (seen with Python 3.11).

    Raises
    ------
    MachineFault
        If its wheel was installed without it.
    """
    with _GUARD:
        if not _found:
            try:
                _found.append(find_uv_bin())
            except FileNotFoundError:
                raise MachineFault(
                    "the program uv, which comes with the harness, is not there: run "
                    "python -m pip install --force-reinstall uv"
                ) from None
        return _found[0]

"""Reads the value of ``--executor``."""

from __future__ import annotations

from typing import Final

from harness.errors import UsageError

LOCAL: Final = "local"
SCHEME: Final = "dask://"


def read_executor(text: str) -> str | None:
    """Return the address of a Dask scheduler, or ``None`` for this machine.

    The address is ``tcp://HOST:PORT``, another of Dask's own (``tls://HOST:PORT``), or the
    absolute path of a scheduler's file.

    >>> read_executor("dask://head:8786")
    'tcp://head:8786'

    Raises
    ------
    UsageError
        The text is neither.
    """
    if text == LOCAL:
        return None
    address = text.removeprefix(SCHEME)
    if not text.startswith(SCHEME) or not address:
        raise UsageError(
            f"--executor '{text}': write 'local', dask://HOST:PORT for a Dask scheduler, or "
            "dask:///PATH/scheduler.json for the file that it wrote"
        )
    if address.startswith("/") or "://" in address:
        return address
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit():
        raise UsageError(
            f"--executor '{text}': a scheduler is named with its port; write dask://{address}:8786 "
            "if it has the usual one"
            if not host
            else f"--executor '{text}': '{port}' is no port; write dask://{host}:8786 if the "
            "scheduler has the usual one"
        )
    return f"tcp://{address}"

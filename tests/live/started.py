"""Programs that a test starts, and that may not outlive it."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Sequence
from typing import Any


class Started:
    """Programs, each in a session of its own; what is left of them ends with ``close``."""

    def __init__(self) -> None:
        self._all: list[subprocess.Popen[Any]] = []

    def __call__(self, command: Sequence[str], **options: Any) -> subprocess.Popen[Any]:
        """Start a program, with options of ``subprocess.Popen``."""
        process = subprocess.Popen(command, start_new_session=True, **options)
        self._all.append(process)
        return process

    def close(self) -> None:
        """End every program that still runs with all of its session, and wait for it."""
        for process in reversed(self._all):
            with process:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)

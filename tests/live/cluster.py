"""A Dask cluster on this machine, in processes of its own, for tests."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from .started import Started

DASK = [sys.executable, "-m", "dask"]
WITHOUT_HARNESS = [
    sys.executable,
    "-c",
    "import sys; sys.modules['harness'] = None; from dask.__main__ import main; main()",
]
"""Dask as it is where the harness is not installed."""
LIMIT_S = 240.0


class Cluster:
    """A scheduler, its workers, and runs on them; what is left of all ends with ``close``."""

    def __init__(self, folder: Path, dask: Sequence[str] = DASK) -> None:
        self.folder = folder
        self.file = folder / "scheduler.json"
        self.workers: list[subprocess.Popen[bytes]] = []
        self._logs = 0
        self.begin = Started()
        self.scheduler = self._start(
            "scheduler",
            *("--host", "127.0.0.1", "--port", "0", "--no-dashboard"),
            *("--dashboard-address", "127.0.0.1:0", "--scheduler-file", str(self.file)),
            dask=dask,
        )
        try:
            wait_for(self.file.exists)
            address = json.loads(wait_for_text(self.file))["address"]
        except BaseException:
            # Who has no cluster cannot close it.
            self.close()
            raise
        self.executor = f"dask://{address.removeprefix('tcp://')}"
        self._address = address

    def worker(
        self, *options: str, dask: Sequence[str] = DASK, **environ: str
    ) -> subprocess.Popen[bytes]:
        """Start a worker of one thread, in one process, and wait until it is known."""
        number = self._logs
        worker = self._start(
            "worker",
            *(self._address, "--nthreads", "1", "--no-nanny", "--no-dashboard"),
            *("--local-directory", str(self.folder / "scratch"), *options),
            dask=dask,
            environ=environ,
        )
        log = self.folder / f"{number}.log"
        wait_for(lambda: "Registered to" in log.read_text())
        self.workers.append(worker)
        return worker

    def close(self) -> None:
        """End every process, and wait for it."""
        self.begin.close()

    def _start(
        self,
        kind: str,
        *arguments: str,
        dask: Sequence[str],
        environ: Mapping[str, str] | None = None,
    ) -> subprocess.Popen[bytes]:
        number, self._logs = self._logs, self._logs + 1
        with (self.folder / f"{number}.log").open("wb") as log:
            return self.begin(
                [*dask, kind, *arguments],
                stdout=log,
                stderr=log,
                cwd=self.folder,
                env={**os.environ, **(environ or {})},
            )


def wait_for(condition: Callable[[], object], limit_s: float = LIMIT_S) -> None:
    deadline = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.05)


def wait_for_text(file: Path) -> str:
    wait_for(lambda: file.read_text().strip())
    return file.read_text()


def with_word(word: str) -> list[int]:
    """Return the processes, other than this one, that know of a word."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                seen = (entry / "cmdline").read_bytes() + (entry / "environ").read_bytes()
                state = (entry / "stat").read_bytes().rpartition(b") ")[2][:1]
            except OSError:
                continue
            if word.encode() in seen and state != b"Z":
                found.append(int(entry.name))
    return found

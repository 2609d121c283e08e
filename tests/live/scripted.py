"""Scripts of a few lines, run as they are with the R, the bridge and the Python of a cell."""

from __future__ import annotations

import shlex
import shutil
from pathlib import Path
from typing import Any

from harness.model.cell import Axes
from harness.model.environment import Provisioned
from harness.paths.base import IntegrationPath, Launch
from harness.workflow.registry import paths

from .whole import Whole

SOCKET = "rserve.sock"
_RSERVE = (
    "Rserve::run.Rserve(socket = file.path(getwd(), '{socket}'), remote = 'disable', "
    "encoding = 'utf8', config.file = '/dev/null')"
)


class Scripted:
    """A path like another, whose driver is a script."""

    def __init__(self, path: IntegrationPath, folder: Path, script: str, language: str) -> None:
        self._path = path
        self._language = language
        self.files = folder
        # The path's own files beside it: a script may show what those do.
        shutil.copytree(path.files, folder, ignore=shutil.ignore_patterns("__pycache__"))
        (folder / f"script.{'R' if language == 'r' else 'py'}").write_text(script + "\n")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._path, name)

    def launch(self, axes: Axes, provisioned: Provisioned, files: Path) -> Launch:
        """Run the script, beside an Rserve where it is for one."""
        env = self._path.launch(axes, provisioned, files).env
        python = str(provisioned.python.executable)
        assert provisioned.r is not None
        rscript = str(provisioned.r.rscript)
        if self._language == "r":
            env = {**env, "RETICULATE_PYTHON": python}
            return Launch(argv=(rscript, "--no-init-file", str(files / "script.R")), env=env)
        argv = (python, str(files / "script.py"))
        if axes.transport == "rserve":
            serve = shlex.join([rscript, "-e", _RSERVE.format(socket=SOCKET)])
            wait = f"while [ ! -e {SOCKET} ]; do sleep 0.1; done"
            script = f"{shlex.join(argv)}; status=$?; kill $!; exit $status"
            shell = f"{serve} > /dev/null & {wait}; {script}"
            argv = ("/bin/sh", "-c", shell)
        return Launch(argv=argv, env=env)


_RAN: list[Scripted] = []
"""Kept: a cell that was run is known by its path's identity."""


def output(whole: Whole, axes: Axes, script: str, language: str) -> str:
    """Return what a script writes to standard output, and to standard error where it fails."""
    folder = whole.folder / f"script{len(_RAN)}"
    scripted = Scripted(paths()[axes.path], folder, script, language)
    _RAN.append(scripted)
    record = whole(axes, "init", path=scripted)
    logs = whole.folder / f"cell{len(whole.records) - 1}"
    text = (logs / "stdout").read_text(encoding="utf-8", errors="replace")
    if record.ending.exit_code != 0:
        text += (logs / "stderr").read_text(encoding="utf-8", errors="replace")
    return text

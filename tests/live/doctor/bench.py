"""A user's machine to be examined: a root folder with R, a home, and Pythons at their own paths.

The doctor itself runs inside, with the Python of the tests, which are bound read-only; what it
finds is what a user in a container would have.  A ``Situation`` says what is there, a
``Scenario`` what the doctor is to say of it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

import harness
from harness.errors import HarnessError
from harness.model.cell import Axes, Framework
from harness.model.environment import Interpreter, PythonEnvironment, RToolchain
from harness.provision.provisioner import Provisioner
from harness.provision.r.root import enter
from harness.provision.store import FolderStore
from harness.resolve import Resolver

BULLSEYE, BOOKWORM, TRIXIE = "4.0.4", "4.2.2", "4.5.0"
"""R 4.0.4 with reticulate 1.18, 4.2.2 with 1.28, 4.5.0 with 1.41."""
RUN = "import sys; sys.path[:0] = {paths}; from harness.cli import main; main(sys.argv[1:])"


@dataclass(frozen=True, kw_only=True)
class Situation:
    """What a machine is like.

    ``files`` go into the home by their path there; what begins with ``#!`` can be run.
    ``masks`` are folders of the root that are empty here.  ``folder`` is the working folder,
    below the home.
    """

    r: str = TRIXIE
    arguments: tuple[str, ...] = ()
    env: dict[str, str] = field(default_factory=dict)
    binds: tuple[Path, ...] = ()
    files: dict[str, str] = field(default_factory=dict)
    masks: tuple[str, ...] = ()
    folder: str = "."
    network: bool = False


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What the doctor said: its exit code and its document."""

    code: int
    report: dict[str, Any]
    errors: str
    wall_s: float

    @property
    def cause(self) -> str | None:
        """The first cause."""
        return self.report["causes"][0]["id"] if self.report["causes"] else None

    @property
    def remedies(self) -> dict[str, bool | None]:
        """The first cause's remedies by id, each with whether it was verified."""
        causes = self.report["causes"]
        return {one["id"]: one["verified"] for one in causes[0]["remedies"]} if causes else {}

    def layer(self, name: str) -> dict[str, Any]:
        """Return a layer by its name."""
        (found,) = (layer for layer in self.report["layers"] if layer["name"] == name)
        return dict(found)


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """A situation that is made for real, and what is to be said of it.

    ``cause`` is ``None`` where nothing is wrong.  ``layer`` is the one that is to fail.
    ``remedy`` must be among the remedies; with ``proven`` it must be verified by ``--fix``.
    """

    name: str
    make: Callable[[Bench], Situation]
    cause: str | None = None
    layer: str | None = None
    remedy: str | None = None
    proven: bool = False

    def __str__(self) -> str:
        return self.name


class Bench:
    """Brings what situations are made of, and has the doctor look at them."""

    def __init__(self, store: FolderStore, folder: Path) -> None:
        self.provisioner = Provisioner(store)
        self._resolver = Resolver(store, self.provisioner.sources)
        self._folder = folder
        self._homes: list[Path] = []

    def python(self, version: str) -> Interpreter:
        """Return an interpreter without any packages."""
        try:
            return self.provisioner.interpreter(version)
        except HarnessError as error:
            pytest.skip(str(error))

    def environment(
        self, version: str, *requirements: str, framework: Framework | None = None
    ) -> PythonEnvironment:
        """Return a virtual environment with packages."""
        try:
            interpreter = self.python(version)
            axes = Axes(path="native", python=version, framework=framework)
            lock = self._resolver.cell(axes, interpreter, requirements)
            return self.provisioner.python(interpreter, lock)
        except HarnessError as error:
            pytest.skip(str(error))

    def r(self, version: str) -> RToolchain:
        """Return a root folder with this R and reticulate."""
        try:
            axes = Axes(path="reticulate", r=version, python="3.11")
            toolchain = self.provisioner.r(axes, ("reticulate",), "reticulate")
        except HarnessError as error:
            pytest.skip(str(error))
        assert toolchain is not None
        return toolchain

    def jax(self) -> Situation:
        """Return a situation in which everything works."""
        environment = self.environment("3.11", "numpy", "jax")
        return Situation(
            env={"RETICULATE_PYTHON": str(environment.executable)}, binds=environment.binds
        )

    def homes(self) -> tuple[Path, ...]:
        """Return the homes that were made, the last one last."""
        return tuple(self._homes)

    def doctor(
        self, situation: Situation, *arguments: str, writable: tuple[Path, ...] = ()
    ) -> Answer:
        """Run the doctor in a situation; ``writable`` are further folders that it may write to."""
        home = self._folder / f"home {len(self._homes)}"
        home.mkdir()
        self._homes.append(home)
        for name, text in situation.files.items():
            file = home / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
            if text.startswith("#!"):
                file.chmod(0o755)
        folder = home / situation.folder
        folder.mkdir(parents=True, exist_ok=True)
        own = self.python(f"{sys.version_info[0]}.{sys.version_info[1]}")
        paths = [str(Path(harness.__file__).parents[1]), sysconfig.get_paths()["purelib"]]
        asked = (*situation.arguments, *arguments, "--format", "json")
        began = time.monotonic()
        ran = subprocess.run(
            [
                *self._inside(situation, (home, *writable), (own.prefix, *map(Path, paths))),
                *("env", "-C", str(folder), str(own.executable), "-I"),
                *("-c", RUN.format(paths=paths), "doctor", *asked),
            ],
            env=self._environ(situation, home),
            capture_output=True,
            text=True,
            check=False,
            timeout=900,
        )
        took = time.monotonic() - began
        assert ran.returncode in {0, 1}, ran.stderr
        assert "Traceback" not in ran.stderr, ran.stderr
        report = json.loads(ran.stdout)
        return Answer(code=ran.returncode, report=report, errors=ran.stderr, wall_s=took)

    def _inside(
        self, situation: Situation, writable: tuple[Path, ...], needed: tuple[Path, ...]
    ) -> tuple[str, ...]:
        root = self.r(situation.r).root
        assert root is not None
        # What lies below another is bound after it.
        binds = sorted({*situation.binds, *needed})
        env = {"HOME": str(writable[0]), **situation.env}
        command = list(enter(root, binds, writable=writable, env=env, network=situation.network))
        masks = [part for folder in situation.masks for part in ("--tmpfs", folder)]
        at = command.index("--unshare-all")
        return (*command[:at], *masks, *command[at:])

    def _environ(self, situation: Situation, home: Path) -> dict[str, str]:
        if not situation.network:
            return dict(os.environ)
        # With a network the program has the environment of its caller: the user's own.
        kept = {name: value for name, value in os.environ.items() if not name.startswith("R")}
        inside = {"HOME": str(home), "PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"}
        return {**kept, **inside, **situation.env}


__all__ = ["BOOKWORM", "BULLSEYE", "TRIXIE", "Answer", "Bench", "Scenario", "Situation"]

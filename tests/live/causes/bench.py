"""A user's machine to be examined: a root folder with R, a home, and Pythons at their own paths.

The doctor itself runs inside, with the Python of the tests, which are bound read-only; what it
finds is what a user in a container would have.  A ``Situation`` says what is there.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from uv import find_uv_bin

import harness
from harness.errors import HarnessError
from harness.model.cell import Axes, Framework
from harness.model.environment import Interpreter, PythonEnvironment, RToolchain
from harness.paths.rpy2 import PATH as RPY2
from harness.provision.provisioner import Provisioner
from harness.provision.r.root import enter
from harness.provision.store import FolderStore, default_root
from harness.resolve import Resolver
from harness.workflow.resolving import overlay_lock

BULLSEYE, BOOKWORM, TRIXIE = "4.0.4", "4.2.2", "4.5.0"
"""R 4.0.4 with reticulate 1.18, 4.2.2 with 1.28, 4.5.0 with 1.41."""
RUN = "import sys; sys.path[:0] = {paths}; from harness.cli import main; main(sys.argv[1:])"


@dataclass(frozen=True, kw_only=True)
class Situation:
    """What a machine is like.

    ``files`` go into the home by their path there; what begins with ``#!`` can be run.
    ``{home}`` in them, in ``env`` and in ``arguments`` is the home's path.
    ``prepare`` makes what is no text: it is given the home.  ``setup`` is run by a shell inside,
    before anything looks.  ``masks`` are folders of the root that are empty here, ``without`` is
    what a folder of the root has not got here (a pattern), ``covers`` files of the home that stand
    in the place of others, and ``small`` a folder with room for so many bytes.  ``folder`` is the
    working folder, below the home, and ``home`` whether the home can be written to.
    """

    r: str = TRIXIE
    packages: tuple[str, ...] = ("reticulate",)
    arguments: tuple[str, ...] = ()
    env: dict[str, str] = field(default_factory=dict)
    binds: tuple[Path, ...] = ()
    files: dict[str, str] = field(default_factory=dict)
    prepare: Callable[[Path], None] | None = None
    setup: str = ""
    masks: tuple[str, ...] = ()
    without: dict[str, str] = field(default_factory=dict)
    covers: dict[str, str] = field(default_factory=dict)
    small: tuple[str, int] | None = None
    folder: str = "."
    home: bool = True
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
class Ran:
    """How a program ended, all that it printed, and how long it took."""

    code: int
    text: str
    wall_s: float


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

    def free_threaded(self, version: str) -> Path:
        """Return a Python without the global lock, which uv brings; it is kept for another time."""
        folder = default_root() / "free-threaded"
        env = {**os.environ, "UV_PYTHON_INSTALL_DIR": str(folder)}
        uv = find_uv_bin()
        asked = f"{version}t"
        command = [uv, "python", "install", "--no-bin", asked]
        ran = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
        if ran.returncode != 0:
            why = (ran.stderr.strip().splitlines() or ["without a word"])[-1].strip()
            pytest.skip(f"uv cannot bring Python {asked}: {why}")
        found = [uv, "python", "find", "--managed-python", asked]
        said = subprocess.run(found, env=env, capture_output=True, text=True, check=True)
        return Path(said.stdout.strip())

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

    def rpy2(self, version: str, r: str) -> PythonEnvironment:
        """Return an environment with numpy and this rpy2, as the path ``rpy2`` has it."""
        axes = Axes(path="rpy2", r=r, bridge=version, python="3.11")
        try:
            below = self.environment("3.11", "numpy<2")
            wanted = RPY2.requirements(axes)
            lock = overlay_lock(self._resolver, below.interpreter, below.lock, wanted)
            assert lock is not None
            return self.provisioner.overlay(below, lock, RPY2.build_env)
        except HarnessError as error:
            pytest.skip(str(error))

    def r(self, version: str, packages: tuple[str, ...] = ("reticulate",)) -> RToolchain:
        """Return a root folder with this R and these packages."""
        try:
            axes = Axes(path="reticulate", r=version, python="3.11")
            toolchain = self.provisioner.r(axes, packages, "reticulate")
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
        home = self._home(situation)
        own = self.python(f"{sys.version_info[0]}.{sys.version_info[1]}")
        paths = [str(Path(harness.__file__).parents[1]), sysconfig.get_paths()["purelib"]]
        asked = (*situation.arguments, *arguments, "--format", "json")
        program = (str(own.executable), "-I", "-c", RUN.format(paths=paths), "doctor")
        needed = (own.prefix, *map(Path, paths), Path(find_uv_bin()).parent)
        began = time.monotonic()
        ran = self._run(situation, (home, *writable), (*program, *asked), needed)
        took = time.monotonic() - began
        assert ran.returncode in {0, 1}, ran.stderr
        assert "Traceback" not in ran.stderr, ran.stderr
        report = json.loads(ran.stdout)
        return Answer(code=ran.returncode, report=report, errors=ran.stderr, wall_s=took)

    def program(self, situation: Situation) -> Ran:
        """Run the situation's ``arguments`` as a program, and return what it printed."""
        home = self._home(situation)
        began = time.monotonic()
        ran = self._run(situation, (home,), situation.arguments)
        took = time.monotonic() - began
        return Ran(code=ran.returncode, text=f"{ran.stdout}\n{ran.stderr}", wall_s=took)

    def _home(self, situation: Situation) -> Path:
        home = self._folder / f"home {len(self._homes)}"
        home.mkdir()
        self._homes.append(home)
        for name, text in situation.files.items():
            file = home / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text.replace("{home}", str(home)), encoding="utf-8")
            if text.startswith("#!"):
                file.chmod(0o755)
        (home / situation.folder).mkdir(parents=True, exist_ok=True)
        if situation.prepare is not None:
            situation.prepare(home)
        if situation.setup:
            ran = self._run(replace(situation, home=True), (home,), ("sh", "-c", situation.setup))
            assert ran.returncode == 0, ran.stdout + ran.stderr
        return home

    def _run(
        self,
        situation: Situation,
        writable: tuple[Path, ...],
        program: tuple[str, ...],
        needed: tuple[Path, ...] = (),
    ) -> subprocess.CompletedProcess[str]:
        home = writable[0]
        env = {name: text.replace("{home}", str(home)) for name, text in situation.env.items()}
        placed = replace(situation, env=env)
        return subprocess.run(
            [
                *self._inside(placed, writable, needed),
                *("/usr/bin/env", "-C", str(home / situation.folder)),
                *(part.replace("{home}", str(home)) for part in program),
            ],
            env=self._environ(placed, home),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=900,
        )

    def _inside(
        self, situation: Situation, writable: tuple[Path, ...], needed: tuple[Path, ...]
    ) -> tuple[str, ...]:
        root = self.r(situation.r, situation.packages).root
        assert root is not None
        # What lies below another is bound after it.
        read = () if situation.home else writable[:1]
        binds = sorted({*situation.binds, *needed, *read})
        env = {"HOME": str(writable[0]), **situation.env}
        written = writable[0 if situation.home else 1 :]
        command = list(enter(root, binds, writable=written, env=env, network=situation.network))
        masks = [part for folder in situation.masks for part in ("--tmpfs", folder)]
        for folder, pattern in situation.without.items():
            masks += _without(root, folder, re.compile(pattern))
        for file, own in situation.covers.items():
            masks += ["--ro-bind", str(writable[0] / own), file]
        if situation.small is not None:
            folder, size = situation.small
            masks += ["--size", str(size), "--tmpfs", folder]
        at = command.index("--unshare-all")
        return (*command[:at], *masks, *command[at:])

    def _environ(self, situation: Situation, home: Path) -> dict[str, str]:
        if not situation.network:
            return dict(os.environ)
        # With a network the program has the environment of its caller: the user's own.
        kept = {name: value for name, value in os.environ.items() if not name.startswith("R")}
        inside = {"HOME": str(home), "PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"}
        return {**kept, **inside, **situation.env}


def _without(root: Path, folder: str, pattern: re.Pattern[str]) -> Iterator[str]:
    """Show a folder of a root, or of the machine, as it is, but for what fits a pattern."""
    inside = root / folder.lstrip("/")
    yield from ("--tmpfs", folder)
    for entry in sorted((inside if inside.is_dir() else Path(folder)).iterdir()):
        if pattern.search(entry.name):
            continue
        if entry.is_symlink():
            yield from ("--symlink", str(entry.readlink()), f"{folder}/{entry.name}")
        else:
            yield from ("--ro-bind", str(entry), f"{folder}/{entry.name}")


__all__ = ["BOOKWORM", "BULLSEYE", "TRIXIE", "Answer", "Bench", "Ran", "Situation"]

"""Pythons of the machine beside an old R, the suites' own, and those that uv brings.

The first run brings six root folders, some 2.5 GB; a suite that is out of reach skips its tests.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from harness.errors import Unavailable
from harness.model.cell import Axes, Framework
from harness.model.environment import PythonEnvironment
from harness.model.record import CellRecord
from harness.model.status import Phase, Status
from harness.provision.provisioner import Provisioner
from harness.provision.python.interpreters import Interpreters
from harness.provision.r.root import enter
from harness.provision.r.suites import suite_named
from harness.provision.store import FolderStore, default_root
from harness.resolve import Resolver
from harness.workflow.registry import paths

from .relocated import relocated
from .whole import Whole

# Root folders of three more suites: half an hour on a machine that has none of them.
pytestmark = [pytest.mark.live, pytest.mark.long]

SUITES = {name: suite_named(name) for name in ("bullseye", "trixie", "sid")}
IMPORTED = "_bz2 _ctypes _hashlib _lzma _sqlite3 _ssl _uuid pyexpat zlib"
"""Modules of the standard library that are linked with libraries of the system."""


@pytest.fixture(scope="module")
def store() -> Iterator[FolderStore]:
    with FolderStore(default_root()) as store:
        yield store


@pytest.fixture(scope="module")
def cell(store: FolderStore, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., CellRecord]:
    return Whole(store, tmp_path_factory.mktemp("pythons"))


@pytest.fixture(scope="module")
def environment(store: FolderStore) -> Callable[[str], PythonEnvironment]:
    """Make an environment without packages for a version of Python."""
    provisioner = Provisioner(store, print)
    resolver = Resolver(store, provisioner.sources)

    def environment(version: str) -> PythonEnvironment:
        try:
            interpreter = provisioner.interpreter(version)
            return provisioner.python(interpreter, resolver.lock([], interpreter))
        except Unavailable as error:
            pytest.skip(str(error))

    return environment


def reticulate(r: str, python: str, framework: Framework | None = None) -> Axes:
    return Axes(path="reticulate", r=r, python=python, framework=framework)


@pytest.mark.parametrize("python", ["3.8", "3.9", "3.11"])
def test_an_old_r_runs_beside_a_python_of_this_machine(
    cell: Callable[..., CellRecord], python: str
) -> None:
    record = cell(reticulate("4.0.4", python), "init", "call")
    assert record.status is Status.PASS, record.message
    assert (record.identity["r"]["version"], record.identity["bridge"]["version"]) == (
        "4.0.4",
        "1.18",
    )
    assert record.identity["comes_from"]["python"] == "machine"
    assert record.identity["comes_from"]["r"] == "debian:bullseye"
    # What was changed so that it could run is said; nothing is where nothing was.
    lent = record.identity["comes_from"].get("libraries")
    said = [text for text in record.findings if "ran with the C library" in text]
    assert len(said) == (1 if lent else 0)
    if platform.libc_ver()[0] == "glibc" and lent:
        assert f"of {lent}:" in said[0]


def test_an_old_reticulate_does_not_know_a_python_without_imp(
    cell: Callable[..., CellRecord],
) -> None:
    record = cell(reticulate("4.0.4", "3.12"), "init", "call")
    assert (record.status, record.phase) == (Status.FAIL, Phase.PYTHON)
    assert "No module named 'imp'" in (record.message or "")


@pytest.mark.parametrize("python", ["3.8", "3.12"])
def test_the_standard_library_is_whole_in_the_old_root(
    store: FolderStore, environment: Callable[[str], PythonEnvironment], python: str
) -> None:
    made = environment(python)
    here = subprocess.run([made.executable, "-c", _imports()], check=False)
    if here.returncode != 0:
        pytest.skip("the Python of this machine was built without some of them")
    provisioner = Provisioner(store, print)
    # As cells have it, so that they share one root folder.
    shared = {name for path in paths().values() for name in path.r_packages}
    axes = reticulate("4.0.4", python)
    toolchain = provisioner.r(axes, ["reticulate"], python=made, shared=tuple(shared))
    assert toolchain is not None
    assert toolchain.root is not None
    inside = [*enter(toolchain.root, made.binds), str(made.executable), "-c", _imports()]
    ran = subprocess.run(inside, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr


def _imports() -> str:
    return f"import {', '.join(IMPORTED.split())}"


@pytest.mark.parametrize("name", ["bullseye", "trixie", "sid"])
def test_a_suites_own_python_runs_beside_its_own_r(
    cell: Callable[..., CellRecord], name: str
) -> None:
    suite = SUITES[name]
    # A suite that moves on is asked for the series: the patch may be another by now.
    python = ".".join(suite.python.split(".")[:2]) if suite.rolling else suite.python
    record = cell(reticulate(suite.r, python), "init", "call")
    assert record.status is Status.PASS, record.message
    found = record.identity["comes_from"]
    if found["python"] == "machine":
        pytest.skip(f"this machine, or uv, has a Python {python} of its own")
    assert found == {"python": f"debian:{name}", "r": f"debian:{name}"}
    assert record.identity["python"]["version"].startswith(python)


def test_a_framework_is_installed_inside_the_root_and_trains(
    cell: Callable[..., CellRecord],
) -> None:
    record = cell(reticulate("4.6.2", "3.14", Framework("jax")), "init", "train")
    assert record.status is Status.PASS, record.message
    assert record.identity["python"]["version"].startswith("3.14.")


def test_a_suites_python_does_not_go_with_the_r_of_another(
    store: FolderStore, environment: Callable[[str], PythonEnvironment]
) -> None:
    python = environment("3.9.2")
    provisioner = Provisioner(store, print)
    shared = {name for path in paths().values() for name in path.r_packages}
    axes = reticulate("4.5.0", "3.9.2")
    r = provisioner.r(axes, ["reticulate"], python=python, shared=tuple(shared))
    with pytest.raises(Unavailable, match=r"goes with R 4.0.4 of that suite alone"):
        provisioner.together(python, r)


def test_a_python_that_uv_brings_from_a_mirror(tmp_path: Path, store: FolderStore) -> None:
    """The mirror is a folder, with an archive of the shape that uv expects."""
    try:
        own = Interpreters(store, fetch=False).find("3.12")
    except Unavailable as error:
        pytest.skip(str(error))
    place = tmp_path / "mirror" / "20240101"
    place.mkdir(parents=True)
    with tarfile.open(place / "python.tar.gz", "w:gz", compresslevel=1) as archive:
        for part in ("bin", "lib"):
            archive.add(own.prefix / part, f"python/{part}", filter=_without_tests)
    major, minor, patch = own.version.split(".")
    build = {
        "name": "cpython",
        "arch": {"family": platform.machine(), "variant": None},
        "os": "linux",
        "libc": "gnu",
        "major": int(major),
        "minor": int(minor),
        "patch": int(patch),
        "prerelease": "",
        "url": "https://github.com/astral-sh/python-build-standalone/releases/download/20240101/"
        "python.tar.gz",
        "sha256": None,
        "variant": None,
        "build": "20240101",
    }
    listed = tmp_path / "downloads.json"
    listed.write_text(json.dumps({"cpython": build}))
    said: list[str] = []
    environ = {
        "HOME": str(tmp_path),
        "PATH": "/usr/bin:/bin",
        "UV_PYTHON_DOWNLOADS_JSON_URL": str(listed),
        "UV_PYTHON_INSTALL_MIRROR": (tmp_path / "mirror").as_uri(),
    }
    found = Interpreters(FolderStore(tmp_path / "store"), environ=environ, notify=said.append)
    brought = found.find("3.12")
    assert said == ["Python 3.12 is not on this machine: asking uv for it"]
    assert brought.version == own.version
    assert brought.prefix.is_relative_to(tmp_path)
    with pytest.raises(Unavailable, match="uv knows none to fetch"):
        found.find("3.8")


def _without_tests(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    return None if {"test", "__pycache__"} & set(Path(member.name).parts) else member


@pytest.fixture(scope="module")
def own_r(store: FolderStore) -> Iterator[Path]:
    """An R that is installed on this machine, in a folder of the shape of rig's."""
    provisioner = Provisioner(store, print)
    # With the packages of reticulate alone, as people have it.
    brought = provisioner.r(reticulate("4.2.2", "3.11"), ["reticulate"])
    assert brought is not None
    assert brought.root is not None
    # Not below /tmp: a cell has one of its own.
    base = Path(tempfile.mkdtemp(prefix="harness-own-r-", dir="/var/tmp"))
    try:
        yield relocated(brought.root, base / "opt" / "R" / "4.2.2")
    finally:
        shutil.rmtree(base)


@pytest.mark.parametrize("path", ["reticulate", "system", "rpy2"])
def test_an_r_of_this_machine_runs_with_the_packages_of_the_path_alone(
    cell: Callable[..., CellRecord], own_r: Path, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = subprocess.run(
        [own_r, "-e", "cat(requireNamespace('Rserve', quietly = TRUE))"],
        capture_output=True,
        text=True,
        check=False,
    )
    if asked.returncode != 0:
        pytest.skip(f"bookworm's R does not run on this machine: {asked.stderr}")
    assert asked.stdout == "FALSE"
    monkeypatch.setenv("PATH", f"{own_r.parent}{os.pathsep}{os.environ['PATH']}")
    bridge = "3.5.17" if path == "rpy2" else None
    axes = Axes(path=path, r="system", python="3.11", bridge=bridge)
    record = cell(axes, "init", "call")
    assert record.status is Status.PASS, record.message
    assert record.identity["r"]["version"] == "4.2.2"
    assert record.identity["comes_from"]["r"] == "machine"

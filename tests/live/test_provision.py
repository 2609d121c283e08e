"""Provisioning for real: mmdebstrap, bubblewrap, uv and the frameworks' own wheels.

The first run brings some 2 GB.  What is asserted of torch holds where PyTorch's own index is
out of reach and a folder has the CPU build for Python 3.11 alone; elsewhere it is skipped.
"""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.errors import MachineFault, Unavailable, Unsatisfiable
from harness.model.cell import Axes, Framework
from harness.model.environment import RToolchain
from harness.provision.provisioner import Provisioner
from harness.provision.python.damage import damaged
from harness.provision.r.machine import Machine
from harness.provision.r.root import enter
from harness.provision.store import FolderStore
from harness.resolve import Resolver

pytestmark = pytest.mark.live


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FolderStore]:
    folder = tmp_path_factory.mktemp("provision") / "store"
    with FolderStore(folder) as store:
        yield store
    # 2 GB each, of which pytest would keep those of three runs.
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def provisioner(store: FolderStore) -> Provisioner:
    return Provisioner(store, print)


@pytest.fixture(scope="module")
def resolver(store: FolderStore, provisioner: Provisioner) -> Resolver:
    return Resolver(store, provisioner.sources)


def axes(python: str, framework: Framework | None = None, **more: str) -> Axes:
    return Axes(path="reticulate", python=python, framework=framework, **more)


@pytest.fixture(scope="module")
def trixie(provisioner: Provisioner) -> RToolchain:
    toolchain = provisioner.r(axes("3.12", r="4.5.0"), ["jsonlite"], "reticulate")
    assert toolchain is not None
    return toolchain


def test_r_of_trixie_says_who_it_is(trixie: RToolchain) -> None:
    assert (trixie.version, trixie.source) == ("4.5.0", "debian:trixie")
    assert trixie.packages["reticulate"] == "1.41.0.1"
    assert trixie.root is not None
    assert list((trixie.root / "usr/lib/x86_64-linux-gnu").glob("libpython3.13.so*"))
    assert not list((trixie.root / "dev").iterdir())


def test_two_threads_get_the_same_root(provisioner: Provisioner, trixie: RToolchain) -> None:
    found: list[RToolchain | None] = []
    asked = axes("3.12", r="4.5")
    threads = [
        threading.Thread(
            target=lambda: found.append(provisioner.r(asked, ["jsonlite"], "reticulate"))
        )
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [trixie] * 3


def test_a_bridge_that_nobody_has_is_unavailable(
    provisioner: Provisioner, trixie: RToolchain
) -> None:
    if "HARNESS_CRAN" in os.environ:
        pytest.skip("a repository is named here, which may have it")
    with pytest.raises(Unavailable, match=r"comes with reticulate 1.41.0.1, and there is no"):
        provisioner.r(axes("3.12", r="4.5.0", bridge="1.28"), ["jsonlite"], "reticulate")


@pytest.mark.parametrize("place", ["path", "r-home", "opt/R/4.5.0", "opt/homebrew", "conda/envs/r"])
def test_a_real_r_is_found_wherever_it_lies(
    tmp_path: Path, store: FolderStore, trixie: RToolchain, place: str
) -> None:
    # This machine may have no R: trixie's, behind a script, is a real one.
    assert trixie.root is not None
    rscript = tmp_path / place / "bin" / "Rscript"
    rscript.parent.mkdir(parents=True)
    rscript.write_text(f'#!/bin/sh\nexec {shlex.join(enter(trixie.root))} Rscript "$@"\n')
    rscript.chmod(0o755)
    path = f"{tmp_path}/path/bin:/usr/bin:/bin"
    environ = {"PATH": path, "HOME": str(tmp_path), "MAMBA_ROOT_PREFIX": str(tmp_path / "conda")}
    environ |= {"R_HOME": str(rscript.parents[1])} if place == "r-home" else {}
    machine = Machine(environ, tmp_path)
    offer = next(one for one in machine.versions() if one.description == str(rscript))
    assert (offer.version, offer.system) == ("4.5.0", True)
    toolchain = machine.provide(offer, store=store, packages=["reticulate"], notify=print)
    assert toolchain.packages == trixie.packages
    with pytest.raises(Unavailable, match="no package keras3"):
        machine.provide(offer, store=store, packages=["keras3"], notify=print)


@pytest.mark.parametrize("python", ["3.11", "3.12"])
def test_jax_is_installed_compiled_and_runs_inside_the_root(
    provisioner: Provisioner, resolver: Resolver, trixie: RToolchain, python: str
) -> None:
    interpreter = provisioner.interpreter(python)
    lock = resolver.cell(axes(python, Framework("jax")), interpreter)
    environment = provisioner.python(interpreter, lock)
    folder = environment.executable.parents[1]
    assert (folder / "harness.lock").read_text() == lock.text
    assert damaged(folder) == ()
    sources = list(folder.glob("lib/*/site-packages/jax/*.py"))
    compiled = list(folder.glob("lib/*/site-packages/jax/__pycache__/*.pyc"))
    assert len(compiled) >= len(sources) > 10
    both = provisioner.together(environment, trixie)
    assert both.r is trixie
    assert trixie.root is not None
    ran = subprocess.run(
        [
            *enter(trixie.root, environment.binds),
            str(environment.executable),
            "-c",
            "import jax, sys; print(jax.__version__, sys.version.split()[0], jax.numpy.ones(3))",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.stdout.split() == [
        lock.versions["jax"],
        interpreter.version,
        "[1.",
        "1.",
        "1.]",
    ], ran.stderr


def test_a_second_time_starts_no_program(
    provisioner: Provisioner, resolver: Resolver, monkeypatch: pytest.MonkeyPatch
) -> None:
    interpreter = provisioner.interpreter("3.12")
    first = provisioner.python(
        interpreter, resolver.cell(axes("3.12", Framework("jax")), interpreter)
    )

    def refuse(command: object, *_: object, **__: object) -> None:
        raise AssertionError(f"{command} was started")

    monkeypatch.setattr(subprocess, "Popen", refuse)
    lock = resolver.cell(axes("3.12", Framework("jax")), interpreter)
    assert provisioner.python(interpreter, lock) == first


def test_the_cpu_build_of_torch(provisioner: Provisioner, resolver: Resolver) -> None:
    interpreter = provisioner.interpreter("3.11")
    try:
        lock = resolver.cell(axes("3.11", Framework("torch", "2.13.0")), interpreter)
    except Unavailable as error:
        pytest.skip(str(error))
    environment = provisioner.python(interpreter, lock)
    ran = subprocess.run(
        [environment.executable, "-c", "import torch; print(torch.__version__)"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.stdout.strip() == "2.13.0+cpu", ran.stderr


def test_a_cpu_build_that_is_out_of_reach_is_unavailable(
    provisioner: Provisioner, resolver: Resolver
) -> None:
    interpreter = provisioner.interpreter("3.12")
    try:
        resolver.cell(axes("3.12", Framework("torch", "2.13.0")), interpreter)
    except Unavailable as error:
        assert str(error).startswith(  # noqa: PT017 - success is right elsewhere
            f"no CPU build of torch 2.13.0 for Python {interpreter.version} within reach: "
        )
    else:
        pytest.skip("PyTorch's own index can be reached here")


def test_a_tensorflow_that_never_knew_the_python_is_unsatisfiable(
    provisioner: Provisioner, resolver: Resolver
) -> None:
    interpreter = provisioner.interpreter("3.13")
    with pytest.raises(Unsatisfiable) as caught:
        resolver.cell(axes("3.13", Framework("tensorflow", "2.15.0")), interpreter)
    assert str(caught.value) == (
        f"no set of packages exists for Python {interpreter.version}: tensorflow-cpu 2.15.0 has "
        f"no wheels for Python {interpreter.version} (only for 3.9, 3.10 and 3.11)"
    )


def test_keras_with_torch_for_cuda_13_is_resolved_and_read_from_the_lock(
    provisioner: Provisioner, resolver: Resolver
) -> None:
    lock = resolver.cell(
        axes("3.12", Framework("torch", "2.13.0"), cuda="13"), provisioner.interpreter("3.12")
    )
    assert lock.versions["torch"] == "2.13.0"
    assert "nvidia-cudnn-cu13" in lock.versions


@pytest.mark.long
@pytest.mark.parametrize("seconds", [3, 15])
def test_a_killed_build_leaves_nothing_and_is_done_again(tmp_path: Path, seconds: float) -> None:
    script = f"""
from pathlib import Path
from harness.provision.provisioner import Provisioner
from harness.provision.store import FolderStore
from harness.model.cell import Axes
store = FolderStore(Path({str(tmp_path / "store")!r}))
r = Provisioner(store, print).r(Axes(path="system", python="3.11", r="4.2.2"))
print(r.version, r.packages["reticulate"])
"""
    command = [sys.executable, "-c", script]
    process = subprocess.Popen(command)
    time.sleep(seconds)
    process.send_signal(signal.SIGKILL)
    process.wait()
    store = FolderStore(tmp_path / "store")
    assert [entry for entry in store.entries() if entry.kind == "r-debian"] == []
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.stdout.splitlines()[-1:] == ["4.2.2 1.28"], ran.stderr
    assert len([entry for entry in store.entries() if entry.kind == "r-debian"]) == 1
    assert len(store.prune(everything=True).in_use) == 0


@pytest.mark.parametrize("what", ["python", "r"])
def test_a_full_disk_is_told_and_leaves_nothing(tmp_path: Path, what: str) -> None:
    script = f"""
from pathlib import Path
from harness.errors import MachineFault
from harness.model.cell import Axes
from harness.provision.provisioner import Provisioner
from harness.provision.store import FolderStore
from harness.resolve import Resolver
root = Path({str(tmp_path)!r}) / "store"
store = FolderStore(root)
provisioner = Provisioner(store)
try:
    if {what!r} == "r":
        provisioner.r(Axes(path="system", python="3.11", r="4.5.0"))
    else:
        interpreter = provisioner.interpreter("3.12")
        lock = Resolver(store, provisioner.sources).lock(["jax"], interpreter)
        provisioner.python(interpreter, lock)
except MachineFault as error:
    print(error)
kind = root / {"r-debian" if what == "r" else "python"!r}
print("left:", [path.name for path in kind.iterdir()])
"""
    mount = f"mount -t tmpfs -o size=30m tmpfs {shlex.quote(str(tmp_path))}"
    user = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    # The disk is full in a mount namespace of its own, and gone with it.
    ran = subprocess.run(
        ["unshare", *user, "--mount", "sh", "-c", f'{mount} && exec "$0" -c "$1"',
         sys.executable, script],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if "unshare" in ran.stderr or "mount" in ran.stderr:
        pytest.skip(ran.stderr)
    told, left = ran.stdout.splitlines()[-2:]
    assert "the disk is full" in told, ran.stderr
    assert left == "left: []"


def test_a_mirror_out_of_reach_is_unavailable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HARNESS_DEBIAN_MIRROR", "http://localhost:9/debian")
    provisioner = Provisioner(FolderStore(tmp_path / "store"))
    with pytest.raises(Unavailable, match="mirror of this machine's apt sources could not be"):
        provisioner.r(Axes(path="system", python="3.11", r="4.5.0"))


def test_a_signature_that_does_not_verify_is_a_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other.gpg"
    other.write_bytes(b"")
    monkeypatch.setattr("harness.provision.r.root.KEYRING", other)
    provisioner = Provisioner(FolderStore(tmp_path / "store"))
    with pytest.raises(MachineFault, match="do not know the suite's signature"):
        provisioner.r(Axes(path="system", python="3.11", r="4.5.0"))


def test_a_damaged_cache_is_mended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = tmp_path / "uv"
    monkeypatch.setenv("UV_CACHE_DIR", str(cache))
    said: list[str] = []
    store = FolderStore(tmp_path / "store")
    provisioner = Provisioner(store, said.append, compile_bytecode=False)
    resolver = Resolver(store, provisioner.sources)
    interpreter = provisioner.interpreter("3.12")
    provisioner.python(interpreter, resolver.lock(["six", "idna"], interpreter))
    (file,) = cache.rglob("six.py")
    os.truncate(file, 10)
    for metadata in cache.rglob("idna*/METADATA"):
        metadata.write_bytes(b"")
    environment = provisioner.python(
        interpreter, resolver.lock(["six", "idna", "attrs"], interpreter)
    )
    assert sorted(said) == [
        "uv's cache has damaged files of idna: fetching them again",
        "uv's cache has damaged files of six: fetching them again",
    ]
    subprocess.run([environment.executable, "-c", "import six, idna, attrs"], check=True)


def test_an_old_python_is_compiled_too(provisioner: Provisioner, resolver: Resolver) -> None:
    try:
        interpreter = provisioner.interpreter("3.6")
    except Unavailable as error:
        pytest.skip(str(error))
    environment = provisioner.python(interpreter, resolver.lock(["numpy"], interpreter))
    assert list(environment.executable.parents[1].rglob("numpy/__pycache__/*.pyc"))

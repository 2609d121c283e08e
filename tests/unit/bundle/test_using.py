"""Cells from a bundle: what its manifest may say, and what a machine's own Python must have."""

from __future__ import annotations

import json
import platform
import sys
from pathlib import Path

import msgspec
import pytest

from harness.bundle import settling, using
from harness.bundle.manifest import HERE, Manifest, Part, Payload, Start, decode, encode
from harness.bundle.settling import settle
from harness.bundle.system import SystemPython, system_python
from harness.bundle.using import FromBundle, Opened, plan_of, preparation_of
from harness.cli import run
from harness.errors import FileFault, MachineFault, UsageError
from harness.model.cell import Axes, Cell, Framework, Plan, cell_id
from harness.model.environment import Interpreter, Lock, PythonEnvironment, RToolchain
from harness.model.status import Phase, Status
from harness.workflow.preparing import Prepared, Refusal
from harness.workflow.registry import paths

AXES = Axes(path="reticulate", r="4.2.2", python="3.11", framework=Framework("torch", "2.13.0"))
BUNDLE = Path(HERE)
R = RToolchain(
    version="4.2.2",
    rscript=BUNDLE / "r/0/R/bin/Rscript",
    root=None,
    packages={"reticulate": "1.28"},
    source="debian:bookworm",
    digest="x",
    binds=(BUNDLE / "r/0",),
    env={"R_LIBS": f"{HERE}/r/0/library-0"},
)


def environment(version: str = "3.11.7") -> PythonEnvironment:
    return PythonEnvironment(
        executable=Path("/usr/bin/python3"),
        interpreter=Interpreter(
            executable=Path("/usr/bin/python3"), version=version, prefix=Path("/usr"),
            libpython=None,
        ),
        lock=Lock(text="", digest=""),
        binds=(),
    )  # fmt: skip


def manifest(*axes: Axes, system_site: bool = True, prepared: Prepared | None = None) -> Manifest:
    cells = tuple(Cell(id=cell_id(one), axes=one) for one in axes or (AXES,))
    return Manifest(
        schema=1,
        harness="0.1.0",
        matrix="m",
        machine="x86_64 Linux",
        system_site=system_site,
        plan=Plan(matrix="m", source="m.yaml", cells=cells),
        cells={cell.id: prepared or Prepared(r=R) for cell in cells},
        parts=(
            Part(
                kind="r", folder="r/0", version="R 4.2.2", source="debian:bookworm", size=1,
                files=1, digest="x", libc="2.36",
            ),
        ),
        start=Start(python="python/0/bin/python3.11", site="harness"),
        payload=Payload(size=1, sha256="x", unpacked=1, files=1),
    )  # fmt: skip


def system(version: str = "3.11.7", **versions: str) -> SystemPython:
    return SystemPython(environment=environment(version), versions=versions)


def opened(found: Manifest, folder: Path = Path("/b")) -> Opened:
    return Opened(folder=folder, manifest=decode(encode(found), "x.pyz", folder))


def test_paths_become_those_of_the_folder():
    found = opened(manifest()).manifest.cells[cell_id(AXES)].r
    assert found is not None
    assert found.rscript == Path("/b/r/0/R/bin/Rscript")
    assert found.binds == (Path("/b/r/0"),)
    assert found.env == {"R_LIBS": "/b/r/0/library-0"}


@pytest.mark.parametrize(
    "path", ["/etc/passwd", f"{HERE}/../../x", f"{HERE}/./x", f"{HERE}//x", "x", "", f"{HERE}/a\0b"]
)
def test_a_path_that_leads_elsewhere_is_refused(path):
    text = encode(manifest()).replace(
        json.dumps(str(R.rscript)).encode(), json.dumps(path).encode()
    )
    with pytest.raises(FileFault, match="no path of a bundle"):
        decode(text, "x.pyz", Path("/b"))


def test_a_cell_with_the_name_of_another_folder_is_refused():
    found = manifest()
    cell = msgspec.structs.replace(found.plan.cells[0], id="../../x")
    plan = msgspec.structs.replace(found.plan, cells=(cell,))
    with pytest.raises(FileFault, match="has a wrong name"):
        decode(encode(msgspec.structs.replace(found, plan=plan)), "x.pyz", Path("/b"))


@pytest.mark.parametrize("place", ["/home/me/miniconda3", "../x", "r/../../x", "", "r//0", "."])
def test_a_part_that_lies_elsewhere_is_refused(place):
    found = manifest()
    parts = (msgspec.structs.replace(found.parts[0], folder=place),)
    with pytest.raises(FileFault, match="no place in this bundle"):
        decode(encode(msgspec.structs.replace(found, parts=parts)), "x.pyz", Path("/b"))
    for field in ("python", "site"):
        begin = msgspec.structs.replace(found.start, **{field: place})
        with pytest.raises(FileFault, match="no place in this bundle"):
            decode(encode(msgspec.structs.replace(found, start=begin)), "x.pyz", Path("/b"))


@pytest.mark.parametrize("name", ["../../reports/smoke", "/srv/data", "", "a\0b", ".."])
def test_results_lie_in_a_folder_of_the_matrix_name_and_nowhere_else(name):
    found = manifest()
    plan = msgspec.structs.replace(found.plan, matrix=name)
    with pytest.raises(FileFault, match="the name of no matrix"):
        decode(encode(msgspec.structs.replace(found, plan=plan)), "x.pyz", Path("/b"))


@pytest.mark.parametrize("place", [HERE, f"{HERE}/python", f"{HERE}/bin/python"])
def test_an_environment_has_a_folder_of_its_own(place):
    python = msgspec.structs.replace(environment(), executable=Path(place))
    inside = msgspec.structs.replace(
        python.interpreter, executable=Path(f"{HERE}/p/bin/python"), prefix=Path(f"{HERE}/p")
    )
    python = msgspec.structs.replace(python, interpreter=inside)
    text = encode(manifest(prepared=Prepared(python=python)))
    if place.count("/") == 2:
        text = text.replace(b"{bundle}/bin/python", b"{bundle}/e/bin/python")
        assert decode(text, "x.pyz", Path("/b"))
        return
    with pytest.raises(FileFault, match="in no environment of this bundle"):
        decode(text, "x.pyz", Path("/b"))


def test_a_bundle_of_a_path_that_is_not_installed_is_named(tmp_path):
    cell = manifest().plan.cells[0]
    for changed, said in (
        (
            msgspec.structs.replace(cell, axes=msgspec.structs.replace(cell.axes, path="julia")),
            "path",
        ),
        (msgspec.structs.replace(cell, probes=("warp",)), "probe"),
    ):
        plan = msgspec.structs.replace(manifest().plan, cells=(changed,))
        found = msgspec.structs.replace(manifest(), plan=plan)
        with pytest.raises(FileFault, match=f"needs the {said} '(julia|warp)', which this one"):
            using._check_known(found, tmp_path / "x.pyz")


def test_a_bundle_is_not_changed_under_a_run_on_another_system(tmp_path):
    """A cache on a shared disk, and two machines of which each would choose other libraries."""
    found = msgspec.structs.replace(manifest(), cells={}, parts=())
    settle(tmp_path, found, print)
    settle(tmp_path, found, print)
    (tmp_path / ".settled").write_bytes(b"of another system")
    with pytest.raises(MachineFault, match="set HARNESS_CACHE to a folder of this machine"):
        settle(tmp_path, found, print)
    assert (tmp_path / ".settled").read_bytes() == b"of another system"
    while settling._IN_USE:
        settling._IN_USE.pop().close()
    settle(tmp_path, found, print)
    assert (tmp_path / ".settled").read_bytes() != b"of another system"


@pytest.mark.usefixtures("without_locks")
def test_a_bundle_on_a_file_system_without_locks_is_refused(tmp_path):
    said = f"{tmp_path}: this file system keeps no locks; set HARNESS_CACHE"
    with pytest.raises(MachineFault, match=said):
        settle(tmp_path, msgspec.structs.replace(manifest(), cells={}, parts=()), print)
    (tmp_path / ".files").write_bytes(b"")
    with pytest.raises(MachineFault, match=said):
        using._is_whole(tmp_path, print)


def test_a_bundle_that_lost_a_file_is_unpacked_anew(tmp_path):
    (tmp_path / "r").mkdir()
    (tmp_path / "r" / "file").write_text("x")
    notes: list[str] = []
    settle(tmp_path, msgspec.structs.replace(manifest(), cells={}, parts=()), notes.append)
    assert using._is_whole(tmp_path, notes.append)
    (tmp_path / "r" / "file").unlink()
    with pytest.raises(MachineFault, match=r"was damaged \(r/file is gone\), and another run"):
        using._is_whole(tmp_path, notes.append)
    while settling._IN_USE:
        settling._IN_USE.pop().close()
    assert not using._is_whole(tmp_path, notes.append)
    assert notes[1:] == [f"{tmp_path} was damaged (r/file is gone): unpacking it anew"]


def test_a_cell_without_anything_is_refused():
    found = msgspec.structs.replace(manifest(), cells={})
    with pytest.raises(FileFault, match="has nothing for the cell"):
        decode(encode(found), "x.pyz", Path("/b"))


@pytest.mark.parametrize(
    ("axes", "versions", "lacks"),
    [
        (AXES, {"torch": "2.13.0", "numpy": "2.0.2"}, None),
        (AXES, {"torch": "2.13.0+cu130", "numpy": "2.0.2"}, None),
        (AXES, {"torch": "2.12.0", "numpy": "2.0.2"}, "it has torch 2.12.0, and torch==2.13.0"),
        (AXES, {"numpy": "2.0.2"}, "it has no torch"),
        (AXES, {"torch": "2.13.0"}, "it has no numpy"),
        (msgspec.structs.replace(AXES, python="3.12"), {}, "is 3.11.7, and the cell asks for 3.12"),
        (msgspec.structs.replace(AXES, framework=None), {}, None),
        (
            msgspec.structs.replace(AXES, framework=None, pins=(("numpy", "<2"),)),
            {"numpy": "2.0.2"},
            "it has numpy 2.0.2, and numpy<2",
        ),
        (
            msgspec.structs.replace(AXES, framework=Framework("tensorflow", "2.21")),
            {"tensorflow-cpu": "2.21.0", "numpy": "2.0.2"},
            None,
        ),
    ],
)
def test_what_a_cell_asks_for_is_held_against_what_is_installed(axes, versions, lacks):
    said = system(**versions).lacks(axes, ())
    assert (said is None) if lacks is None else (said is not None and lacks in said)


@pytest.mark.parametrize(
    ("framework", "cuda", "versions", "lacks"),
    [
        ("torch", "12", {"torch": "2.13.0+cu126"}, None),
        ("torch", "12.6", {"torch": "2.13.0+cu126"}, None),
        ("torch", "12.4", {"torch": "2.13.0+cu126"}, "it has torch 2.13.0+cu126, and CUDA 12.4 is"),
        ("torch", "13", {"torch": "2.13.0+cu126"}, "it has torch 2.13.0+cu126, and CUDA 13 is"),
        ("torch", "13", {"torch": "2.13.0+cpu"}, "torch 2.13.0+cpu, built without CUDA, and CUDA"),
        ("torch", "13", {"torch": "2.13.0+rocm6.4"}, "built without CUDA"),
        ("torch", "13", {"torch": "2.13.0"}, None),
        ("torch", "cpu", {"torch": "2.13.0+cu126"}, None),
        ("jax", "13", {"jax": "0.10.2", "jax-cuda12-plugin": "0.10.2"}, "has jax-cuda12-plugin, "),
        ("jax", "12", {"jax": "0.10.2", "jax-cuda12-plugin": "0.10.2"}, None),
        ("jax", "12", {"jax": "0.10.2", "jaxlib": "0.10.2"}, None),
        ("jax", "12", {"jax": "0.4.23", "jaxlib": "0.4.23+cuda12.cudnn89"}, None),
        ("jax", "12.4", {"jax": "0.4.23", "jaxlib": "0.4.23+cuda12.cudnn89"}, None),
        ("jax", "12", {"jax": "0.4.23", "jaxlib": "0.4.23+cuda11.cudnn86"}, "+cuda11.cudnn86, and"),
        ("tensorflow", "12", {"tensorflow": "2.21.0"}, None),
        ("tensorflow", "12", {"tensorflow-cpu": "2.21.0"}, "tensorflow-cpu 2.21.0, built without"),
        ("tensorflow", "12", {"tensorflow-cpu": "2.21", "tensorflow": "2.21"}, None),
    ],
)
def test_a_build_for_another_cuda_is_refused_before_it_runs(framework, cuda, versions, lacks):
    axes = msgspec.structs.replace(AXES, framework=Framework(framework), cuda=cuda)
    said = system(numpy="2.0.2", **versions).lacks(axes, ())
    assert (said is None) if lacks is None else (said is not None and lacks in said)


def test_what_a_path_needs_beside_is_looked_for_too():
    axes = Axes(path="rpc", transport="zmq", r="4.2.2", python="3.11")
    needs = paths()["rpc"].requirements(axes)
    assert "it has no pyzmq" in (system().lacks(axes, needs) or "")
    assert system(pyzmq="27.0").lacks(axes, needs) is None


def prepared_by(found: Opened, libc: str = "2.39", **versions: str) -> Prepared:
    bundle = FromBundle(found, system(**versions), libc)
    cell = found.manifest.plan.cells[0]
    bundle.resolve(found.manifest.plan, store=None)
    assert not bundle.is_refused(cell)
    assert bundle.has("R 4.2.2")
    return bundle.of_cell(cell, paths()["reticulate"])


def test_a_cell_gets_the_bundles_r_and_the_machines_python():
    found = prepared_by(opened(manifest()), torch="2.13.0", numpy="2.0")
    assert found.refusal is None
    assert found.python == environment()
    assert found.r is not None
    assert found.r.source == "debian:bookworm"


def test_a_cell_that_the_machine_cannot_serve_is_unavailable():
    refusal = prepared_by(opened(manifest())).refusal
    assert refusal is not None
    assert (refusal.status, refusal.phase) == (Status.UNAVAILABLE, Phase.RESOLVE)


@pytest.mark.parametrize(
    ("libc", "said"), [("2.31", "this machine has 2.31"), ("", "has another C library")]
)
def test_an_old_c_library_is_named_before_anything_crashes(libc, said):
    refusal = prepared_by(opened(manifest()), libc, torch="2.13.0", numpy="2.0").refusal
    assert refusal is not None
    assert "R 4.2.2 of the bundle needs the GNU C library 2.36" in refusal.message
    assert said in refusal.message


def test_what_could_not_be_had_when_it_was_made_is_said_again():
    refusal = Refusal(status=Status.UNSATISFIABLE, phase=Phase.RESOLVE, message="no such torch")
    found = opened(manifest(prepared=Prepared(refusal=refusal)))
    assert prepared_by(found).refusal == refusal


def test_cells_of_a_bundle_can_be_selected():
    other = msgspec.structs.replace(AXES, path="system")
    found = opened(manifest(AXES, other))
    assert [c.axes.path for c in plan_of(found, where="path:system").cells] == ["system"]
    assert len(plan_of(found).cells) == 2
    assert sum(len(plan_of(found, shard=f"{n}/2").cells) for n in (1, 2)) == 2
    with pytest.raises(UsageError, match="none of the 2 cells"):
        plan_of(found, only=["nothing"])


def test_a_python_is_named_for_a_bundle_without_one_only():
    with pytest.raises(UsageError, match="made with --system-site"):
        preparation_of(opened(manifest(system_site=False)), "python3")
    with pytest.raises(UsageError, match="there is no nowhere"):
        preparation_of(opened(manifest()), "nowhere")


def test_this_python_says_what_it_has():
    found = system_python(sys.executable)
    assert found.environment.executable == Path(sys.executable)
    assert found.environment.interpreter.version == platform.python_version()
    assert found.versions["msgspec"] == msgspec.__version__
    assert f"msgspec=={msgspec.__version__}\n" in found.environment.lock.text


def wrapped(folder: Path, condition: str) -> str:
    """Make a Python that runs under a condition alone."""
    script = folder / "python3"
    script.write_text(f'#!/bin/sh\n{condition} || exit 127\nexec {sys.executable} "$@"\n')
    script.chmod(0o755)
    return str(script)


def installed(folder: Path, name: str, version: str) -> Path:
    info = folder / f"{name}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    return folder


def in_users_site(tmp_path, monkeypatch):
    # An environment has no user site: the Python that it is made from has one.
    python = Path(sys.executable).resolve()
    monkeypatch.setenv("PYTHONUSERBASE", "/nowhere")
    monkeypatch.setenv("HOME", str(tmp_path))
    minor = f"python{sys.version_info.major}.{sys.version_info.minor}"
    installed(tmp_path / ".local" / "lib" / minor / "site-packages", "torch", "2.13.0")
    return python, "in your user site"


def on_pythonpath(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(installed(tmp_path / "module", "torch", "2.13.0")))
    return Path(sys.executable), "on PYTHONPATH"


def on_pythonpath_of_whoever_started_a_bundle(tmp_path, monkeypatch):
    place = str(installed(tmp_path / "module", "torch", "2.13.0"))
    monkeypatch.setenv("PYTHONPATH", "/bundle/site")
    monkeypatch.setenv("HARNESS_CALLERS_PYTHONPATH", place)
    return Path(sys.executable), "on PYTHONPATH"


@pytest.mark.parametrize(
    "planted", [in_users_site, on_pythonpath, on_pythonpath_of_whoever_started_a_bundle]
)
def test_what_cells_do_not_see_is_not_taken_for_installed(tmp_path, monkeypatch, planted):
    python, place = planted(tmp_path, monkeypatch)
    found = system_python(str(python))
    assert "torch" not in found.versions
    assert "torch" not in found.environment.lock.text
    own = platform.python_version()
    said = found.lacks(msgspec.structs.replace(AXES, python=own), ()) or ""
    assert (
        "it has no torch, and torch==2.13.0 is asked for "
        f"(torch 2.13.0 is {place}, which cells do not see: install it in a virtual environment, "
        "and name that one's Python with --python)"
    ) in said
    other = msgspec.structs.replace(AXES, python=own, framework=Framework("torch", "2.12"))
    assert "cells do not see" not in (found.lacks(other, ()) or ""), "it would not do either"


@pytest.mark.parametrize(
    ("condition", "said"),
    [
        ('[ -n "$LD_LIBRARY_PATH" ]', "finds its libraries by LD_LIBRARY_PATH, which cells do not"),
        ('[ -n "$PYENV_ROOT" ]', "runs with variables of yours that cells do not see; name with"),
    ],
)
def test_a_python_that_runs_for_its_user_alone_is_refused(tmp_path, monkeypatch, condition, said):
    monkeypatch.setenv("LD_LIBRARY_PATH", "/opt/python/lib")
    monkeypatch.setenv("PYENV_ROOT", "/opt/pyenv")
    with pytest.raises(UsageError, match=said):
        system_python(wrapped(tmp_path, condition))


def test_what_is_no_python_is_named(tmp_path):
    script = tmp_path / "python3"
    script.write_text("#!/bin/sh\nexit 1\n")
    script.chmod(0o755)
    with pytest.raises(UsageError, match="no Python that can be asked"):
        system_python(str(script))


def test_what_is_no_bundle_is_a_fault_of_the_file(tmp_path, monkeypatch):
    monkeypatch.setattr(using, "default_root", lambda: tmp_path / "cache")
    file = tmp_path / "x.pyz"
    file.write_bytes(b"none")
    with pytest.raises(FileFault, match="it is no bundle"):
        using.open_bundle(file, notify=print)
    with pytest.raises(FileFault, match="cannot be read"):
        using.open_bundle(tmp_path / "nothing", notify=print)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "name a MATRIX, or a file of cells"),
        (["m.yaml", "--bundle", "x.pyz"], "name a MATRIX, or a file of cells"),
        (["m.yaml", "--python", "python3"], "--python goes with --bundle"),
        (["--bundle", "x.pyz", "--cran", "x"], "have no use with --bundle"),
        (["--bundle", "x.pyz", "--executor", "dask://x:1"], "runs on this machine alone"),
        (["--bundle", "x.pyz"], "x.pyz: cannot be read"),
    ],
)
def test_run_says_what_goes_with_a_bundle(arguments, said, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert run(["run", *arguments]) == 2
    assert said in capsys.readouterr().err

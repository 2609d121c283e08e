"""Reproducers of real cells, run as their README says, without the harness.

Each gets its Python by its own ``setup.sh``, and runs in a root folder with R that has nothing of
the harness.  What it prints is held against what the cell's record says.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from harness.errors import BuildFailure, HarnessError
from harness.execute.environment import base_environment
from harness.execute.sandbox import run as run_job
from harness.model.cell import Axes, Framework, Limits, cell_id
from harness.model.document import Machine, Results, encode
from harness.model.environment import SourcePackage
from harness.model.job import Bind, End, Job, Outcome
from harness.model.record import CellRecord, ProbeRecord
from harness.model.status import Phase, Status
from harness.paths.base import IntegrationPath
from harness.paths.reticulate import PATH as RETICULATE
from harness.paths.rpython import PATH as RPYTHON
from harness.paths.system import PATH as SYSTEM
from harness.programs import uv_program
from harness.provision.provisioner import Provisioner
from harness.provision.r.debian import PROVIDER as DEBIAN
from harness.provision.r.source import Repository
from harness.provision.store import FolderStore, default_root
from harness.repro import Case, Lines
from harness.repro.scripts import scripts
from harness.resolve import Resolver

from .whole import Whole

pytestmark = pytest.mark.live

JAX = Framework(name="jax", version="0.10.2")
BOOKWORM, TRIXIE = "4.2.2", "4.5.0"
CRAN = os.environ.get("HARNESS_CRAN") or None
"""Read now: a test sees no setting of the harness."""
SHORT = Limits(phases_s={"import": 10.0})


class Workbench:
    """Runs cells, leaves their results in a folder, makes reproducers of them and runs those."""

    def __init__(self, store: FolderStore, folder: Path) -> None:
        self.store = store
        self.folder = folder
        self.whole = Whole(store, folder / "ran")
        self.provisioner = Provisioner(store)
        (folder / "ran").mkdir()

    def results(self, axes: Axes, *probes: str, logs: bool = True, **more: Any) -> Path:
        """Run a cell and its control; return a folder of results with both."""
        self.whole(axes, *probes, **more)
        records = list(self.whole.records.values())
        place = self.folder / f"results{len(list(self.folder.iterdir()))}"
        mine = {cell_id(axes), records[-1].control}
        kept = {record.id: record for record in records if record.id in mine}
        save(place, *kept.values())
        for number, record in enumerate(records):
            ran = self.whole.folder / f"cell{number}"
            if logs and kept.get(record.id) is record and ran.is_dir():
                shutil.copytree(ran, place / "cells" / record.id, dirs_exist_ok=True)
        return place

    def setup(self, folder: Path, axes: Axes) -> Path:
        """Do what README.md says first; return the prefix of the Python."""
        interpreter = self.provisioner.interpreter(axes.python)
        bins = (str(interpreter.executable.parent), str(Path(uv_program()).parent))
        env = {**self.provisioner.sources.env, "PATH": ":".join((*bins, "/usr/bin", "/bin"))}
        ran = subprocess.run(
            ["sh", "setup.sh"], cwd=folder, env=env, capture_output=True, text=True, check=False
        )
        assert ran.returncode == 0, ran.stderr
        return interpreter.prefix

    def run(
        self,
        folder: Path,
        command: Sequence[str],
        r: str,
        *,
        readable: Sequence[Path] = (),
        root: Path | None = None,
        limits: Limits = Limits(phase_s=600.0),  # noqa: B008 - frozen
        **env: str,
    ) -> tuple[Outcome, str]:
        """Run a reproducer in the root folder of an R; return how it ended and what it printed."""
        if root is None:
            axes = Axes(path="rpc", r=r, python="3.11", transport="socket")
            root = self.whole.preparation.made(f"R {r}").r.root if self._has(r) else None
            root = root or self._bring(axes)
        job = Job(
            argv=tuple(command),
            env={
                **base_environment({}), "PATH": "/usr/bin:/bin", "HOME": str(folder), **env
            },
            cwd=folder,
            root=root,
            binds=(*map(Bind, readable), Bind(folder, writable=True)),
            events=folder / "none",
            stdout=folder / "stdout",
            stderr=folder / "stderr",
            limits=limits,
        )  # fmt: skip
        outcome = run_job(job)
        said = (job.stdout, job.stderr)
        return outcome, "\n".join(file.read_text(errors="replace") for file in said)

    def _has(self, r: str) -> bool:
        try:
            return self.whole.preparation.made(f"R {r}").r is not None
        except KeyError:
            return False

    def _bring(self, axes: Axes) -> Path:
        toolchain = self.provisioner.r(axes)
        assert toolchain is not None
        assert toolchain.root is not None
        return toolchain.root


def save(place: Path, *records: CellRecord) -> None:
    place.mkdir()
    results = Results(
        matrix="live",
        machine=Machine(os="Debian GNU/Linux 12 (bookworm)", arch="x86_64"),
        planned=tuple(record.id for record in records),
        cells=records,
    )
    (place / "results.json").write_bytes(encode(results))


def repro(place: Path, cell: str, out: Path) -> Path:
    """Make a reproducer as a user does."""
    command = (sys.executable, "-m", "harness", "repro", place, cell, "--out", out)
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    return out


def record_of(place: Path, cell: str) -> CellRecord:
    found = msgspec.json.decode((place / "results.json").read_bytes(), type=Results)
    return next(record for record in found.cells if record.id == cell)


def started(folder: Path) -> tuple[str, ...]:
    """Return how README.md has a reproducer started, with whole paths."""
    if (folder / "repro.R").is_file():
        return ("/usr/bin/Rscript", "repro.R")
    return (f"{folder}/.venv/bin/python", "repro.py")


def plain(text: str) -> str:
    """Return a text in one line, without the places of this machine."""
    text = re.sub(r"\S*/bin/python[\d.]*", "PYTHON", text)
    return " ".join(text.split())


def parts_of(record: CellRecord) -> list[str]:
    """Return what a record's message says that a bridge or a library said itself."""
    said, _, cause = (record.message or "").partition(" (caused by ")
    return [plain(part) for part in (said, cause.removesuffix(")")) if part]


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workbench]:
    with FolderStore(default_root()) as store:
        yield Workbench(store, tmp_path_factory.mktemp("repro"))


NUMPY_2 = Axes(path="reticulate", r=BOOKWORM, bridge="1.28", python="3.11", framework=JAX)
NO_IMP = Axes(path="reticulate", r=BOOKWORM, bridge="1.28", python="3.12", framework=JAX)
NO_SYMBOL = Axes(path="rpy2", r=BOOKWORM, bridge="3.6.9", python="3.11", framework=JAX)
SWALLOWED = Axes(path="rpy2", r=TRIXIE, bridge="3.6.9", python="3.11", framework=JAX)


@pytest.mark.parametrize(
    ("axes", "probes", "phase", "message"),
    [
        (NUMPY_2, ("init", "train"), Phase.CONVERT, "incompatible NumPy binary version"),
        (NO_IMP, ("init", "train"), Phase.PYTHON, "No module named 'imp'"),
        (NO_SYMBOL, ("init", "train"), Phase.BRIDGE, "undefined symbol: R_getVar"),
        (SWALLOWED, ("init", "error"), Phase.ERROR, "Python's exception was swallowed"),
    ],
    ids=["numpy2", "imp", "symbol", "swallowed"],
)
def test_it_fails_as_the_cell_did(bench, tmp_path, axes, probes, phase, message):
    place = bench.results(axes, *probes)
    record = record_of(place, cell_id(axes))
    assert (record.status, record.phase) == (Status.FAIL, phase)
    assert message in (record.message or "")
    folder = repro(place, record.id, tmp_path / "out")
    prefix = bench.setup(folder, axes)
    command = started(folder)
    outcome, said = bench.run(folder, command, axes.r, readable=[prefix])
    assert (outcome.end, outcome.exit_code) == (End.EXITED, 1), said
    for part in parts_of(record):
        # What R_getVar belongs to is found by another path in another environment.
        wanted = part.rpartition("/")[2] if "undefined symbol" in part else part
        assert wanted in plain(said), said
    assert "All done." not in said
    lines = (folder / command[-1]).read_text().splitlines()
    assert len(lines) <= 40
    assert any("expected here" in line for line in lines)


@pytest.mark.parametrize(
    ("path", "transport", "bridge"),
    [("reticulate", None, "1.41"), ("rpc", "socket", None), ("rpc", "rserve", None)],
)
def test_what_passes_is_an_example_that_works(bench, tmp_path, path, transport, bridge):
    pins = (("numpy", "<2"),) if transport == "rserve" else ()
    axes = Axes(
        path=path,
        transport=transport,
        r=TRIXIE,
        bridge=bridge,
        python="3.11",
        framework=JAX if not pins else Framework(name="jax", version="0.4.38"),
        pins=pins,
    )
    place = bench.results(axes, "init", "train")
    assert record_of(place, cell_id(axes)).status is Status.PASS
    folder = repro(place, cell_id(axes), tmp_path / "out")
    prefix = bench.setup(folder, axes)
    outcome, said = bench.run(folder, started(folder), TRIXIE, readable=[prefix])
    assert (outcome.end, outcome.exit_code) == (End.EXITED, 0), said
    assert "All done." in said


def test_from_the_document_alone_it_fails_all_the_same(bench, tmp_path):
    place = bench.results(NUMPY_2, "init", "train", logs=False)
    folder = repro(place, cell_id(NUMPY_2), tmp_path / "out")
    assert "the exact lock was not among the results" in (folder / "README.md").read_text()
    assert "numpy==" in (folder / "requirements.lock").read_text()
    prefix = bench.setup(folder, NUMPY_2)
    outcome, said = bench.run(folder, ("/usr/bin/Rscript", "repro.R"), BOOKWORM, readable=[prefix])
    assert outcome.exit_code == 1
    assert "incompatible NumPy binary version" in said


# --- faults in what is installed: a framework that does as told ----------------------------------

CRASH = "import ctypes\nctypes.string_at(0)\n"
HANG = "import time\nwhile True:\n    time.sleep(60)\n"
ABSENT = "raise ImportError('libplanted.so.7: cannot open shared object file')\n"


class WithJax:
    """A path whose cells find another jax than the one that is installed."""

    def __init__(self, path: IntegrationPath, code: str, folder: Path) -> None:
        self._path = path
        self.files = shutil.copytree(path.files, folder / "files")
        (self.files / "jax").mkdir()
        (self.files / "jax" / "__init__.py").write_text(code)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._path, name)

    def launch(self, *arguments: Any) -> Any:
        launch = self._path.launch(*arguments)
        env = {**launch.env, "PYTHONPATH": str(self.files)}
        return msgspec.structs.replace(launch, env=env)


@pytest.mark.faults
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    ("path", "code", "status", "end"),
    [
        (RETICULATE, CRASH, Status.CRASH, (End.SIGNALLED, "SIGSEGV")),
        (RETICULATE, HANG, Status.TIMEOUT, (End.TIMEOUT, None)),
        (SYSTEM, ABSENT, Status.FAIL, (End.EXITED, None)),
        (SYSTEM, CRASH, Status.CRASH, (End.EXITED, None)),
    ],
    ids=["crash", "hang", "system-fails", "system-crashes"],
)
def test_a_fault_of_what_is_installed(bench, tmp_path, path, code, status, end):
    bridge = "1.41" if path is RETICULATE else None
    axes = Axes(path=path.name, r=TRIXIE, bridge=bridge, python="3.11", framework=JAX)
    planted = WithJax(path, code, tmp_path)
    place = bench.results(axes, "init", path=planted, limits=SHORT)
    record = record_of(place, cell_id(axes))
    assert (record.status, record.phase) == (status, Phase.IMPORT)
    folder = repro(place, record.id, tmp_path / "out")
    prefix = bench.setup(folder, axes)
    outcome, said = bench.run(
        folder,
        ("/usr/bin/Rscript", "repro.R"),
        TRIXIE,
        readable=[prefix, planted.files],
        limits=Limits(phase_s=30.0),
        PYTHONPATH=str(planted.files),
    )
    # Of a time limit, whether SIGTERM was enough is a matter of how busy the machine is.
    signal = None if outcome.end is End.TIMEOUT else outcome.signal
    assert (outcome.end, signal) == end, said
    if outcome.end is End.EXITED:
        assert outcome.exit_code == 1
        assert status is Status.CRASH or "libplanted.so.7" in said
    text = "".join(
        (folder / name).read_text() for name in ("repro.R", "work.py") if (folder / name).is_file()
    )
    after = text.partition("expected here")[2].splitlines()
    assert next(line for line in after[1:] if not line.startswith("#")).startswith(
        ("jax <- import", "import jax")
    )


# --- what never ran -------------------------------------------------------------------------------


def test_uv_says_no_again(bench, tmp_path):
    axes = Axes(
        path="native", python="3.13", framework=Framework(name="jax"), pins=(("numpy", "<2"),)
    )
    resolver = Resolver(bench.store, bench.provisioner.sources)
    interpreter = bench.provisioner.interpreter(axes.python)
    with pytest.raises(HarnessError) as refused:
        resolver.cell(axes, interpreter)
    record = CellRecord(
        id=cell_id(axes),
        axes=axes.as_dict(),
        status=Status.UNSATISFIABLE,
        phase=Phase.RESOLVE,
        message=str(refused.value),
        evidence={"detail": str(getattr(refused.value, "detail", ""))},
    )
    place = tmp_path / "results"
    save(place, record)
    folder = repro(place, record.id, tmp_path / "out")
    env = {
        **bench.provisioner.sources.env,
        "PATH": f"{Path(uv_program()).parent}:/usr/bin:/bin",
    }
    ran = subprocess.run(
        ["sh", "repro.sh"], cwd=folder, env=env, capture_output=True, text=True, check=False
    )
    assert ran.returncode != 0
    assert "No solution found" in ran.stderr
    # The same proof, as far as its first step.
    account = plain(record.evidence["detail"]).partition("cause: ")[2]
    first = account.partition(", we can conclude")[0]
    assert len(first) > 40
    assert first in plain(ran.stderr), ran.stderr


needs_source = pytest.mark.skipif(
    CRAN is None, reason="HARNESS_CRAN names no repository with rPython and RJSONIO"
)


def put_sources(bench: Workbench, folder: Path, root: Path) -> None:
    """Put what CRAN has into a reproducer's folder: a test has no network in a root."""
    (folder / "library").mkdir()
    for name in ("rPython", "RJSONIO"):
        source = Repository(CRAN, bench.store).find(SourcePackage(name=name)).place
        shutil.copy(source, folder / source.name)
    install = f"R CMD INSTALL --no-docs --library=library {source.name}"
    outcome, said = bench.run(folder, ("/bin/sh", "-c", install), BOOKWORM, root=root)
    assert outcome.exit_code == 0, said


@needs_source
def test_rpython_as_published_does_not_build_again(bench, tmp_path):
    provisioner = Provisioner(bench.store, cran=CRAN)
    axes = Axes(path="rpython", r=BOOKWORM, bridge="0.0-6", python="3.11")
    interpreter = provisioner.interpreter(axes.python)
    lock = Resolver(bench.store, provisioner.sources).cell(axes, interpreter)
    python, r = provisioner.python(interpreter, lock), provisioner.r(axes)
    with pytest.raises(BuildFailure) as refused:
        provisioner.with_sources(r, RPYTHON.r_libraries(axes, python))
    record = CellRecord(
        id=cell_id(axes),
        axes=axes.as_dict(),
        status=Status.FAIL,
        phase=Phase.PROVISION,
        message=str(refused.value),
        evidence={"detail": refused.value.detail},
    )
    place = tmp_path / "results"
    save(place, record)
    folder = repro(place, record.id, tmp_path / "out")
    root = DEBIAN.builder(r, store=bench.store, notify=lambda _said: None)
    put_sources(bench, folder, root)
    prefix = bench.setup(folder, axes)
    outcome, said = bench.run(
        folder, ("/bin/sh", "repro.sh"), BOOKWORM, readable=[prefix], root=root
    )
    assert outcome.exit_code == 1, said
    assert (record.message or "").rpartition(": ")[2] == "Py_Initialize"
    assert "undefined symbol: Py_Initialize" in said, said


@needs_source
def test_rpython_with_its_remedies_is_built_and_works(bench, tmp_path):
    axes = Axes(path="rpython", r=BOOKWORM, bridge="0.0-6+remedies", python="3.11", framework=JAX)
    passed = tuple(ProbeRecord(name=name, status=Status.PASS) for name in ("init", "train"))
    record = CellRecord(
        id=cell_id(axes),
        axes=axes.as_dict(),
        status=Status.PASS,
        probes=passed,
        identity={"r": {"version": BOOKWORM}, "python": {"version": "3.11"}},
    )
    place = tmp_path / "results"
    save(place, record)
    folder = repro(place, record.id, tmp_path / "out")
    toolchain = Provisioner(bench.store).r(axes)
    root = DEBIAN.builder(toolchain, store=bench.store, notify=lambda _said: None)
    put_sources(bench, folder, root)
    # With a network and R in one place, as in the image, this is one script.
    of_python, mark, of_r = (folder / "setup.sh").read_text().partition("[ -e ")
    (folder / "setup.sh").write_text(of_python)
    prefix = bench.setup(folder, axes)
    outcome, said = bench.run(
        folder, ("/bin/sh", "-ec", mark + of_r), BOOKWORM, readable=[prefix], root=root
    )
    assert outcome.exit_code == 0, said
    outcome, said = bench.run(folder, ("/usr/bin/Rscript", "repro.R"), BOOKWORM, readable=[prefix])
    assert (outcome.end, outcome.exit_code) == (End.EXITED, 0), said
    assert "All done." in said


def test_every_script_in_r_can_be_parsed(bench, tmp_path):
    """R itself reads every script that can be made: no template is broken."""
    steps = ("bridge", "python", "import", "device", "op", "convert", "train")
    small = dict.fromkeys(("system", "rpython", "rpc"), ("call", "error"))
    small["reticulate"] = ("call", "callback", "error", "seed", "upstream")
    number = 0
    for path in ("reticulate", "system", "rpython", "rpc"):
        for transport in ("socket", "zmq", "http") if path == "rpc" else (None,):
            for framework in ("jax", "keras", "tensorflow", "torch"):
                for step in (*steps[path == "system" :], *small[path]):
                    probe = step if step in small[path] else "init"
                    record = CellRecord(
                        id="cell",
                        axes={"path": path, "transport": transport, "framework": framework,
                              "bridge": "0.0-6+remedies", "cuda": "cpu"},
                        status=Status.CRASH,
                        phase=Phase.OP if step in small[path] else Phase(step),
                        message="it is gone",
                        probes=(ProbeRecord(name=probe, status=Status.CRASH),),
                    )  # fmt: skip
                    lines = Lines(text="")
                    case = Case(
                        record=record, python="3.11", r=TRIXIE, lock=lines, example="x <- 1"
                    )
                    for name, text in scripts(case).items():
                        if name.endswith(".R"):
                            number += 1
                            (tmp_path / f"{number}.R").write_text(text)
    assert number > 200
    code = (
        'read <- 0; for (file in list.files(pattern = "[.]R$")) tryCatch({ parse(file); '
        "read <- read + 1 }, error = print); cat(read)"
    )
    for r in (BOOKWORM, TRIXIE):
        outcome, said = bench.run(tmp_path, ("/usr/bin/Rscript", "-e", code), r)
        assert (outcome.exit_code, said.strip()) == (0, str(number))

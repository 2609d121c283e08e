"""rPython in real cells: built from its source, trained with, and caught where it is silent.

The source comes from the repository that ``HARNESS_CRAN`` names; without it only what needs none
is tested.  A tiny package of the test's own shows that building works.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import harness
from harness.errors import BuildFailure, Unavailable
from harness.execute.environment import base_environment
from harness.execute.events import read_events
from harness.execute.sandbox import run
from harness.model.cell import Axes, Framework, Limits
from harness.model.environment import Provisioned, RToolchain, SourceLibrary, SourcePackage
from harness.model.job import Bind, End, Job
from harness.model.record import ProbeRecord
from harness.model.status import Phase, Status
from harness.paths.native import PATH as NATIVE
from harness.paths.rpython import PATH as RPYTHON
from harness.probes.call import PROBE as CALL
from harness.probes.error import PROBE as ERROR
from harness.probes.init import PROBE as INIT
from harness.probes.train import PROBE as TRAIN
from harness.provision.provisioner import Provisioner
from harness.provision.store import FolderStore, default_root
from harness.resolve import Resolver

from .test_paths import Ran

pytestmark = pytest.mark.live

KIT = Path(harness.__file__).parent / "kit"
CRAN = os.environ.get("HARNESS_CRAN") or None
"""Read now: a test sees no setting of the harness."""
JAX = Framework(name="jax", version="0.10.2")
R, PYTHON = "4.2.2", "3.12"
PUBLISHED, REMEDIES = "0.0-6", "0.0-6+remedies"
needs_source = pytest.mark.skipif(
    CRAN is None, reason="HARNESS_CRAN names no repository with rPython and RJSONIO"
)


class Workshop:
    """Provisions cells with a repository, runs them, and remembers those that were run."""

    def __init__(self, store: FolderStore, folder: Path, cran: str | None) -> None:
        self.folder = folder
        self.provisioner = Provisioner(store, cran=cran)
        self.resolver = Resolver(store, self.provisioner.sources)
        self.ran: dict[tuple[Any, ...], Ran] = {}

    def provisioned(self, axes: Axes) -> Provisioned:
        interpreter = self.provisioner.interpreter(axes.python)
        python = self.provisioner.python(interpreter, self.resolver.cell(axes, interpreter))
        r = self.provisioner.r(axes)
        if r is not None:
            self.provisioner.together(python, r)
            r = self.provisioner.with_sources(r, RPYTHON.r_libraries(axes, python))
        return Provisioned(python=python, r=r)

    def cell(  # the parameters of a cell
        self,
        *,
        path: Any = RPYTHON,
        bridge: str = REMEDIES,
        python: str = PYTHON,
        framework: Framework | None = JAX,
        plant: str = "",
        probes: str = "init,train,call,error",
        limits: Limits = Limits(),  # noqa: B008 - frozen
    ) -> Ran:
        key = (path.name, bridge, python, framework, plant, probes)
        if key not in self.ran:
            of_r = path is RPYTHON
            axes = Axes(
                path=path.name,
                r=R if of_r else None,
                bridge=bridge if of_r else None,
                python=python,
                framework=framework,
            )
            try:
                ready = self.provisioned(axes)
            except Unavailable as error:
                pytest.skip(str(error))
            name = "" if framework is None else framework.name
            asked = {"plant": plant, "probes": probes, "framework": name}
            self.ran[key] = self._run(path, axes, ready, asked, limits)
        return self.ran[key]

    def _run(
        self, path: Any, axes: Axes, ready: Provisioned, asked: dict[str, str], limits: Limits
    ) -> Ran:
        work = self.folder / f"cell{len(self.ran)}"
        work.mkdir()
        fields = {
            "cell": work.name,
            "path": path.name,
            "cuda": "cpu",
            "python": str(ready.python.executable),
            "seed": "20240",
            "epochs": "3",
            **asked,
        }
        (work / "request.json").write_text(json.dumps(fields), encoding="utf-8")
        lines = (f"{key}: {value}\n" for key, value in fields.items() if value)
        (work / "request.dcf").write_text("".join(lines), encoding="utf-8")
        launch = path.launch(axes, ready, path.files)
        r = ready.r
        readable = (*ready.python.binds, *(() if r is None else r.binds), KIT, path.files)
        job = Job(
            argv=launch.argv,
            env={
                **base_environment({}),
                "PATH": "/usr/bin:/bin",
                "HOME": str(work),
                "HARNESS_KIT": str(KIT),
                "HARNESS_PATH_FILES": str(path.files),
                "HARNESS_CELL": str(work),
                "HARNESS_REQUEST": str(work / "request.json"),
                "HARNESS_EVENTS": str(work / "events.jsonl"),
                **({} if r is None else r.env),
                **launch.env,
            },
            cwd=work,
            root=None if r is None else r.root,
            binds=(*(Bind(bind) for bind in readable), Bind(work, writable=True)),
            events=work / "events.jsonl",
            stdout=work / "stdout",
            stderr=work / "stderr",
            limits=limits,
        )
        outcome = run(job)
        stderr = job.stderr.read_text(encoding="utf-8", errors="replace")
        return Ran(axes, ready, read_events(job.events).events, outcome, stderr)


@pytest.fixture(scope="module")
def store() -> Iterator[FolderStore]:
    # What was brought for another test need not come twice.
    with FolderStore(default_root()) as store:
        yield store


@pytest.fixture(scope="module")
def workshop(store: FolderStore, tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    return Workshop(store, tmp_path_factory.mktemp("rpython"), CRAN)


Cell = Callable[..., Ran]


@pytest.fixture
def cell(workshop: Workshop) -> Cell:
    return workshop.cell


@pytest.fixture
def control(cell: Cell) -> ProbeRecord:
    return cell(path=NATIVE, probes="init,train").judge(TRAIN)


def findings(ran: Ran) -> dict[str, str]:
    return {said["id"]: said["text"] for said in ran.of("finding")}


def test_without_a_source_the_cell_is_unavailable_with_that_sentence(
    store: FolderStore, tmp_path: Path
) -> None:
    workshop = Workshop(store, tmp_path, None)
    axes = Axes(path="rpython", r=R, bridge=REMEDIES, python=PYTHON)
    with pytest.raises(Unavailable, match=r"no source of rPython 0\.0-6 here: set HARNESS_CRAN"):
        workshop.provisioned(axes)


@needs_source
def test_with_the_remedies_it_trains_as_the_control_does(cell: Cell, control: ProbeRecord) -> None:
    ran = cell()
    assert (ran.outcome.end, ran.outcome.exit_code) == (End.EXITED, 0), ran.stderr
    started = ran.judge(INIT)
    assert (started.status, started.message) == (Status.PASS, None)
    trained = ran.judge(TRAIN, control)
    assert (trained.status, trained.message) == (Status.PASS, None)
    assert trained.details["max_relative_difference"] < 1e-6
    assert ran.events[-1]["event"] == "done"


@needs_source
def test_the_digits_that_are_lost_are_told_and_fail_the_call(cell: Cell) -> None:
    ran = cell()
    record = ran.judge(CALL)
    assert (record.status, record.phase) == (Status.FAIL, Phase.CONVERT)
    assert "double was sent as 0.30000000000000004 and came back as 0.3" in record.message
    assert "huge was sent as 123456789.12345679 and came back as 123456800" in record.message
    assert record.details["echo"]["integer"] == [42, 42]
    text = findings(ran)["rpython-digits-lost"]
    assert "0.1+0.2 was sent as 0.30000000000000004 and arrived as 0.3;" in text
    assert "cut to 7 digits" in text
    assert "mangled on its way back into R" in findings(ran)["rpython-text-mangled"]
    assert "options(digits = 17) carries them whole" in text


@needs_source
def test_what_is_swallowed_is_found(cell: Cell) -> None:
    ran = cell()
    record = ran.judge(ERROR)
    assert (record.status, record.phase) == (Status.FAIL, Phase.ERROR)
    assert "SyntaxError returned as if nothing had happened" in record.message
    assert "does not exist returned 4711, the value read before" in record.message
    seen = record.details["python_to_r"]
    assert (seen["raised"], seen["class"], seen["traceback"]) == (True, "simpleError", None)
    assert record.details["silence"]["syntax_error"]["raised"] is False
    assert "cannot call back" in record.details["r_to_python"]["unsupported"]
    assert {"rpython-syntax-error-swallowed", "rpython-stale-read"} <= set(findings(ran))


@needs_source
@pytest.mark.parametrize(
    ("plant", "status", "message"),
    [
        ("wrong", Status.FAIL, "but the product is"),
        ("swallow", Status.FAIL, "gave no value"),
        ("unsupported", Status.UNSUPPORTED, "planted"),
    ],
)
def test_it_can_say_no(cell: Cell, plant: str, status: Status, message: str) -> None:
    ran = cell(plant=plant, probes="init")
    assert ran.outcome.exit_code == 0
    record = ran.judge(INIT)
    assert record.status is status
    assert message in record.message


@needs_source
def test_a_crash_a_silent_exit_and_a_hang(cell: Cell) -> None:
    ran = cell(plant="crash", probes="init")
    assert (ran.outcome.end, ran.outcome.signal) == (End.SIGNALLED, "SIGSEGV")
    assert ran.outcome.phase == "op"
    ran = cell(plant="silent", probes="init")
    assert (ran.outcome.exit_code, ran.of("done")) == (0, [])
    assert ran.judge(INIT).status is Status.FAIL
    ran = cell(plant="hang", probes="init", limits=Limits(phases_s={"op": 5.0}))
    assert (ran.outcome.end, ran.outcome.phase) == (End.TIMEOUT, "op")


@needs_source
def test_without_a_framework_the_small_probes_are_done(cell: Cell) -> None:
    ran = cell(framework=None, probes="init,call,error")
    assert ran.judge(INIT).status is Status.PASS
    assert ran.judge(CALL).phase is Phase.CONVERT


@needs_source
def test_as_published_it_does_not_build_for_a_python_of_today(workshop: Workshop) -> None:
    axes = Axes(path="rpython", r=R, bridge=PUBLISHED, python=PYTHON)
    with pytest.raises(BuildFailure, match=r"rPython 0\.0-6 does not build .*Py_Initialize") as no:
        workshop.provisioned(axes)
    assert "ERROR: loading failed" in no.value.detail


def tiny(folder: Path, code: str) -> SourceLibrary:
    """A repository with one package that has C code; what is built of it."""
    source = folder / "src" / "contrib" / "harnesstiny"
    for part in ("R", "src"):
        (source / part).mkdir(parents=True)
    (source / "DESCRIPTION").write_text(
        "Package: harnesstiny\nVersion: 0.1-2\nTitle: Tiny\nDescription: Tiny.\nAuthor: A\n"
        "Maintainer: A <a@example.org>\nLicense: GPL-2\nNeedsCompilation: yes\n"
    )
    (source / "NAMESPACE").write_text("useDynLib(harnesstiny)\nexport(answer)\n")
    (source / "R" / "answer.R").write_text('answer <- function() .C("six", x = 0L)$x\n')
    (source / "src" / "six.c").write_text(code)
    # An object of another machine, which make would take for new.
    (source / "src" / "six.o").write_bytes(b"stale")
    return SourceLibrary(packages=(SourcePackage(name="harnesstiny", version="0.1-2"),))


def test_a_package_is_built_from_a_fresh_copy_and_seen_in_the_cell(
    store: FolderStore, tmp_path: Path
) -> None:
    library = tiny(tmp_path, "void six(int *x) { *x = 6; }\n")
    provisioner = Provisioner(store, cran=f"file://{tmp_path}")
    r = provisioner.r(Axes(path="rpython", r=R, python=PYTHON))
    assert r is not None
    r = provisioner.with_sources(r, [library])
    assert r.packages["harnesstiny"] == "0.1-2"
    job = Job(
        argv=(str(r.rscript), "-e", "cat(harnesstiny::answer())"),
        env={"PATH": "/usr/bin:/bin", **r.env},
        cwd=tmp_path,
        root=r.root,
        binds=(*(Bind(bind) for bind in r.binds), Bind(tmp_path, writable=True)),
        events=tmp_path / "events.jsonl",
        stdout=tmp_path / "stdout",
        stderr=tmp_path / "stderr",
        limits=Limits(),
    )
    assert run(job).exit_code == 0, job.stderr.read_text()
    assert job.stdout.read_text() == "6"


FAKE_R = """#!/bin/sh
# R CMD INSTALL --no-docs --library=LIBRARY SOURCE
library=${4#--library=}
mkdir "$library/harnesstiny" && cp -r "$5" "$library/harnesstiny/source"
(set; cat /proc/net/dev) > "$library/seen"
touch /etc/harness-was-here 2> "$library/refused"
exit 0
"""


def test_an_r_of_this_machine_builds_by_itself_in_a_sandbox(
    store: FolderStore, tmp_path: Path
) -> None:
    library = tiny(tmp_path, f"/* {tmp_path} */ void six(int *x) {{ *x = 6; }}\n")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "R").write_text(FAKE_R)
    (tmp_path / "bin" / "R").chmod(0o755)
    r = RToolchain(
        version="4.4.4",
        rscript=tmp_path / "bin" / "Rscript",
        root=None,
        packages={},
        source="machine",
        digest="",
    )
    provisioner = Provisioner(store, cran=str(tmp_path))
    (folder,) = provisioner.with_sources(r, [library]).binds
    assert (folder / "harnesstiny" / "source" / "src" / "six.c").is_file()
    assert not (folder / "harnesstiny" / "source" / "src" / "six.o").exists()
    seen = (folder / "seen").read_text()
    assert f"R_LIBS='{folder}'" in seen
    assert "HARNESS" not in seen
    assert "eth" not in seen
    assert "Read-only file system" in (folder / "refused").read_text()
    assert sorted(path.name for path in folder.parent.iterdir()) == [
        ".complete", ".files", "build.log", "library", "packages.json",
    ]  # fmt: skip


def test_a_package_that_does_not_compile(store: FolderStore, tmp_path: Path) -> None:
    library = tiny(tmp_path, "void six(int *x) { *x = six_of_nothing; }\n")
    provisioner = Provisioner(store, cran=str(tmp_path))
    r = provisioner.r(Axes(path="rpython", r=R, python=PYTHON))
    assert r is not None
    with pytest.raises(BuildFailure, match=r"harnesstiny 0\.1-2 .*error: .*six_of_nothing"):
        provisioner.with_sources(r, [library])

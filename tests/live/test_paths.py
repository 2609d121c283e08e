"""Each path in real cells: it works, it says what does not, and planted faults do not get by.

Brings R and Python by the harness's own provisioning, into the store of this machine.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import harness
from harness.errors import Unavailable
from harness.execute.environment import base_environment
from harness.execute.events import read_events
from harness.execute.sandbox import run
from harness.model.cell import Axes, Framework, Limits
from harness.model.environment import Provisioned
from harness.model.job import Bind, End, Job, Outcome
from harness.model.record import ProbeRecord
from harness.model.status import Phase, Status
from harness.paths.base import IntegrationPath
from harness.paths.native import PATH as NATIVE
from harness.paths.reticulate import PATH as RETICULATE
from harness.paths.system import PATH as SYSTEM
from harness.probes.init import PROBE as INIT
from harness.probes.train import HASHES
from harness.probes.train import PROBE as TRAIN
from harness.provision.provisioner import Provisioner
from harness.provision.store import FolderStore, default_root
from harness.resolve import Resolver

pytestmark = pytest.mark.live

KIT = Path(harness.__file__).parent / "kit"
PATHS = {path.name: path for path in (NATIVE, RETICULATE, SYSTEM)}
JAX = Framework(name="jax", version="0.10.2")
OLD_JAX = Framework(name="jax", version="0.4.38")
BOOKWORM, TRIXIE = "4.2.2", "4.5.0"


@dataclass(frozen=True)
class Ran:
    """What a driver said, and how it ended."""

    axes: Axes
    provisioned: Provisioned
    events: tuple[dict[str, Any], ...]
    outcome: Outcome
    stderr: str

    def of(self, event: str) -> list[dict[str, Any]]:
        return [said for said in self.events if said["event"] == event]

    def judge(self, probe: Any, control: ProbeRecord | None = None) -> ProbeRecord:
        return probe.judge(
            self.events, axes=self.axes, provisioned=self.provisioned, control=control
        )


class Workshop:
    """Provisions cells, runs them, and remembers those that were run."""

    def __init__(self, store: FolderStore, folder: Path) -> None:
        self.folder = folder
        self.provisioner = Provisioner(store)
        self.resolver = Resolver(store, self.provisioner.sources)
        self.ran: dict[tuple[Any, ...], Ran] = {}

    def cell(
        self,
        path: str,
        *,
        r: str = TRIXIE,
        python: str = "3.11",
        framework: Framework = JAX,
        pins: tuple[tuple[str, str], ...] = (),
        asked: str | None = None,
        plant: str = "",
        probes: str = "init,train",
        limits: Limits = Limits(),  # noqa: B008 - frozen
    ) -> Ran:
        key = (path, r, python, framework, pins, asked, plant, probes)
        if key not in self.ran:
            axes = Axes(
                path=path,
                r=None if path == "native" else r,
                python=python,
                framework=framework,
                pins=pins,
            )
            name = asked or framework.name
            fields = {"plant": plant, "probes": probes, "framework": name}
            self.ran[key] = self._run(PATHS[path], axes, fields, limits)
        return self.ran[key]

    def _provisioned(self, path: IntegrationPath, axes: Axes) -> Provisioned:
        try:
            interpreter = self.provisioner.interpreter(axes.python)
            lock = self.resolver.cell(axes, interpreter)
            python = self.provisioner.python(interpreter, lock)
            r = self.provisioner.r(axes, path.r_packages, path.bridge_package)
        except Unavailable as error:
            pytest.skip(str(error))
        return Provisioned(python=python, r=r)

    def _run(
        self, path: IntegrationPath, axes: Axes, fields: dict[str, str], limits: Limits
    ) -> Ran:
        ready = self._provisioned(path, axes)
        work = self.folder / f"cell{len(self.ran)}"
        work.mkdir()
        fields = {
            "cell": work.name,
            "path": path.name,
            "cuda": axes.cuda,
            "python": str(ready.python.executable),
            "seed": "20240",
            "epochs": "3",
            **fields,
        }
        (work / "request.json").write_text(json.dumps(fields), encoding="utf-8")
        lines = (f"{key}: {value}\n" for key, value in fields.items() if value)
        (work / "request.dcf").write_text("".join(lines), encoding="utf-8")
        launch = path.launch(axes, ready, path.files)
        r_binds = () if ready.r is None else ready.r.binds
        readable = (*ready.python.binds, *r_binds, KIT, path.files)
        job = Job(
            argv=launch.argv,
            env={
                **base_environment(os.environ),
                "PATH": "/usr/bin:/bin",
                "HOME": str(work),
                "HARNESS_KIT": str(KIT),
                "HARNESS_PATH_FILES": str(path.files),
                "HARNESS_CELL": str(work),
                "HARNESS_REQUEST": str(work / "request.json"),
                "HARNESS_EVENTS": str(work / "events.jsonl"),
                **({} if ready.r is None else ready.r.env),
                **launch.env,
            },
            cwd=work,
            root=None if ready.r is None else ready.r.root,
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
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workshop]:
    # The home of a test is its own, but what was brought for another test need not come twice.
    with FolderStore(default_root()) as store:
        yield Workshop(store, tmp_path_factory.mktemp("paths"))


Cell = Callable[..., Ran]


@pytest.fixture
def cell(workshop: Workshop) -> Cell:
    return workshop.cell


@pytest.fixture
def control(cell: Cell) -> ProbeRecord:
    return cell("native").judge(TRAIN)


@pytest.mark.parametrize("path", PATHS)
def test_a_path_starts_the_framework_and_trains_with_it(cell, control, path):
    ran = cell(path)
    assert (ran.outcome.end, ran.outcome.exit_code) == (End.EXITED, 0), ran.stderr
    started = ran.judge(INIT)
    assert (started.status, started.message) == (Status.PASS, None)
    trained = ran.judge(TRAIN, control)
    assert (trained.status, trained.message) == (Status.PASS, None)
    assert trained.details["accuracy"] >= 0.9
    assert ran.events[-1]["event"] == "done"
    assert [said["phase"] for said in ran.of("phase")][-1] == "teardown"


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    ("plant", "status", "message"),
    [
        ("wrong", Status.FAIL, "but the product is"),
        ("swallow", Status.FAIL, "gave no value"),
        ("unsupported", Status.UNSUPPORTED, "planted"),
    ],
)
def test_a_path_can_say_no(cell, path, plant, status, message):
    ran = cell(path, plant=plant, probes="init")
    assert ran.outcome.exit_code == 0
    record = ran.judge(INIT)
    assert record.status is status
    assert message in record.message


@pytest.mark.parametrize("path", PATHS)
def test_a_crash_of_python_is_a_crash(cell, path):
    ran = cell(path, plant="crash", probes="init")
    if path == "system":
        # Python is another process: R lives on, and says what became of it.
        record = ran.judge(INIT)
        assert (record.status, record.phase) == (Status.CRASH, Phase.OP)
        assert "SIGSEGV" in record.message
    else:
        assert (ran.outcome.end, ran.outcome.signal) == (End.SIGNALLED, "SIGSEGV")
        assert ran.outcome.phase == "op"
        assert ran.judge(INIT).status is Status.FAIL


@pytest.mark.parametrize("path", PATHS)
def test_a_silent_exit_is_no_success(cell, path):
    ran = cell(path, plant="silent", probes="init")
    assert ran.outcome.exit_code == 0
    record = ran.judge(INIT)
    assert (record.status, record.phase) == (Status.FAIL, Phase.OP)
    if path == "system":
        assert "exit status 0 and left no result" in record.message
    else:
        assert not ran.of("done")


@pytest.mark.parametrize("path", PATHS)
def test_a_hang_is_blamed_on_its_phase(cell, path):
    limits = Limits(phases_s={"op": 5.0})
    ran = cell(path, plant="hang", probes="init", limits=limits)
    assert (ran.outcome.end, ran.outcome.phase) == (End.TIMEOUT, "op")


@pytest.mark.parametrize("path", PATHS)
def test_a_framework_that_is_not_there(cell, path):
    ran = cell(path, asked="torch")
    record = ran.judge(INIT)
    assert (record.status, record.phase) == (Status.FAIL, Phase.IMPORT)
    assert record.message == "ModuleNotFoundError: No module named 'torch'"
    (error,) = ran.of("error")
    assert error["innermost"] == record.message
    assert "Traceback" in error["traceback"]
    # What stops before the first operation stops training for the same reason.
    assert ran.judge(TRAIN).message == record.message


def test_numpy_2_breaks_the_conversion_of_an_old_reticulate_and_nothing_else(cell, control):
    ran = cell("reticulate", r=BOOKWORM)
    assert ran.judge(INIT).status is Status.PASS
    record = ran.judge(TRAIN, control)
    assert (record.status, record.phase) == (Status.FAIL, Phase.CONVERT)
    assert "incompatible NumPy binary version" in record.message


def test_an_old_reticulate_with_the_numpy_of_its_time(cell):
    asked = {"framework": OLD_JAX, "pins": (("numpy", "<2"),)}
    control = cell("native", **asked).judge(TRAIN)
    record = cell("reticulate", r=BOOKWORM, **asked).judge(TRAIN, control)
    assert (record.status, record.message) == (Status.PASS, None)


def test_what_reticulate_throws_away_when_python_is_too_new_for_it(cell):
    ran = cell("reticulate", r=BOOKWORM, python="3.12")
    record = ran.judge(INIT)
    assert (record.status, record.phase) == (Status.FAIL, Phase.PYTHON)
    assert "Error 1 occurred running" in record.message
    assert "No module named 'imp'" in record.message
    (error,) = ran.of("error")
    assert "config.py" in error["hidden"]


def test_r_swaps_the_libpython_of_its_children_and_the_path_deals_with_it(cell, control):
    ran = cell("system", r=BOOKWORM)
    (finding,) = ran.of("finding")
    assert finding["id"] == "libpython-soname-swap-by-R"
    assert "/usr/lib/x86_64-linux-gnu/libpython3.11.so.1.0 (Python 3.11.2)" in finding["text"]
    assert ran.judge(INIT).status is Status.PASS
    assert ran.judge(TRAIN, control).status is Status.PASS


R_KIT = r"""
kit <- new.env()
sys.source(file.path(Sys.getenv("HARNESS_KIT"), "kit.R"), envir = kit)
hard <- list(
  quote = "a \"b\" \\ \n\t\001", letters = "\u00fc\u4e2d\U0001F389", empty = "",
  bytes = "\xe9t\xe9", missing = NA_character_, number = 0.1, whole = 3L, big = 1e300,
  odd = c(NaN, Inf, -Inf, NA), flags = c(TRUE, NA), none = NULL, nothing = list(),
  object = kit$nothing(), named = c(a = 1, b = 2), nested = list(list(x = list(1, "two")))
)
kit$say("hard", value = hard)
text <- "{\"a\": [1, -2.5e3, null, true], \"b\": {\"c\": \"\\u00fc\\ud83c\\udf89 \\n x\"}}"
again <- kit$from_json(text)
kit$say("again", value = again, same = identical(kit$from_json(kit$json(again)), again))
for (bad in c("{", "[1,]", "{\"a\"}", "[1] 2", "nope", "\"open")) {
  failed <- inherits(tryCatch(kit$from_json(bad), error = function(e) e), "error")
  kit$say("bad", text = bad, failed = failed)
}
path <- tempfile()
for (values in list(matrix(1:6 / 7, 2), array(1:3), array(1:24 / 3, 2:4))) {
  kit$write_array(path, values)
  kit$say("array", same = identical(kit$read_array(path), values))
}
data <- kit$make_data()
kit$say("hashes", x = kit$hash_pixels(data$x), y = kit$hash_labels(data$y))
deep <- function() stop("at the bottom")
ended <- kit$attempt("init", { kit$phase("op"); deep() })
kit$say_probe("init", ended)
kit$say_probe("train", kit$attempt("train", kit$refuse("unavailable", "no GPU")))
kit$phase("teardown")
kit$say("done")
"""


@pytest.mark.parametrize("r", [BOOKWORM, TRIXIE])
@pytest.mark.parametrize("locale", ["C", "C.UTF-8"])
def test_the_kit_in_r(workshop, tmp_path, r, locale):
    path = SYSTEM
    axes = Axes(path="system", r=r, python="3.11", framework=JAX)
    toolchain = workshop.provisioner.r(axes, path.r_packages)
    (tmp_path / "test.R").write_text(R_KIT, encoding="utf-8")
    job = Job(
        argv=(str(toolchain.rscript), str(tmp_path / "test.R")),
        env={
            "PATH": "/usr/bin:/bin",
            "LC_ALL": locale,
            "HARNESS_KIT": str(KIT),
            "HARNESS_EVENTS": str(tmp_path / "events.jsonl"),
            **toolchain.env,
        },
        cwd=tmp_path,
        root=toolchain.root,
        binds=(*(Bind(bind) for bind in toolchain.binds), Bind(KIT), Bind(tmp_path, writable=True)),
        events=tmp_path / "events.jsonl",
        stdout=tmp_path / "stdout",
        stderr=tmp_path / "stderr",
        limits=Limits(),
    )
    assert run(job).exit_code == 0, job.stderr.read_text()
    log = read_events(job.events)
    assert log.junk == 0
    said = {event["event"]: event for event in log.events}
    assert said["hard"]["value"] == {
        "quote": 'a "b" \\ \n\t\x01',
        "letters": "ü中🎉",
        "empty": "",
        "bytes": "<e9>t<e9>",
        "missing": None,
        "number": 0.1,
        "whole": 3,
        "big": 1e300,
        "odd": ["NaN", "Inf", "-Inf", None],
        "flags": [True, None],
        "none": None,
        "nothing": [],
        "object": {},
        "named": {"a": 1, "b": 2},
        "nested": [{"x": [1, "two"]}],
    }
    again = {"a": [1, -2500, None, True], "b": {"c": "ü🎉 \n x"}}
    assert (said["again"]["value"], said["again"]["same"]) == (again, True)
    assert all(event["failed"] for event in log.events if event["event"] == "bad")
    assert all(event["same"] for event in log.events if event["event"] == "array")
    hashes = {"x_sha": said["hashes"]["x"], "y_sha": said["hashes"]["y"]}
    assert hashes == HASHES
    assert said["error"]["message"] == "at the bottom"
    assert said["error"]["traceback"].splitlines()[-2:] == ["deep()", 'stop("at the bottom")']
    failed, unavailable = (event for event in log.events if event["event"] == "probe")
    assert (failed["status"], failed["phase"], failed["details"]) == ("fail", "op", {})
    assert (unavailable["status"], unavailable["message"]) == ("unavailable", "no GPU")

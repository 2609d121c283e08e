"""Each path in real cells: it works, and it says what does not.

What is planted is dealt with in ``test_say_no.py``.
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
from harness.probes.call import PROBE as CALL
from harness.probes.callback import PROBE as CALLBACK
from harness.probes.error import PROBE as ERROR
from harness.probes.init import PROBE as INIT
from harness.probes.seed import PROBE as SEED
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
        framework: Framework | None = JAX,
        pins: tuple[tuple[str, str], ...] = (),
        asked: str | None = None,
        probes: str = "init,train",
    ) -> Ran:
        key = (path, r, python, framework, pins, asked, probes)
        if key not in self.ran:
            axes = Axes(
                path=path,
                r=None if path == "native" else r,
                python=python,
                framework=framework,
                pins=pins,
            )
            name = asked or ("" if framework is None else framework.name)
            self.ran[key] = self._run(PATHS[path], axes, {"probes": probes, "framework": name})
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

    def _run(self, path: IntegrationPath, axes: Axes, fields: dict[str, str]) -> Ran:
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
            limits=Limits(),
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


BARE = "init,train,call,callback,error"


@pytest.mark.parametrize("path", PATHS)
def test_a_cell_without_a_framework(cell, path):
    ran = cell(path, framework=None, probes=BARE)
    assert (ran.outcome.end, ran.outcome.exit_code) == (End.EXITED, 0), ran.stderr
    started = ran.judge(INIT)
    assert (started.status, started.message) == (Status.PASS, None)
    assert "import" not in {said["phase"] for said in ran.of("phase")}
    trained = ran.judge(TRAIN)
    assert (trained.status, trained.message) == (
        Status.UNSUPPORTED,
        "the cell names no framework",
    )


@pytest.mark.parametrize("path", PATHS)
def test_the_smallest_calls_bring_everything_back(cell, path):
    record = cell(path, framework=None, probes=BARE).judge(CALL)
    assert (record.status, record.message) == (Status.PASS, None)
    assert {stage.name for stage in record.stages} == set(CALL.stages)
    assert all(stage.n >= 5 for stage in record.stages if stage.name != "first_call")


@pytest.mark.parametrize("path", ["native", "reticulate"])
def test_python_calls_back(cell, path):
    record = cell(path, framework=None, probes=BARE).judge(CALLBACK)
    assert (record.status, record.message) == (Status.PASS, None)


def test_a_process_of_its_own_cannot_call_back(cell):
    ran = cell("system", framework=None, probes=BARE)
    assert not [said for said in ran.of("probe") if said["name"] == "callback"]
    assert "another process" in (SYSTEM.why_not("callback", ran.axes) or "")


@pytest.mark.parametrize("path", PATHS)
def test_an_error_is_heard_on_the_other_side(cell, path):
    record = cell(path, framework=None, probes=BARE).judge(ERROR)
    assert (record.status, record.message) == (Status.PASS, None)
    assert record.details["lost"] == []
    back = record.details["r_to_python"]
    assert ("unsupported" in back) is (path != "reticulate")


KERAS = Framework(name="keras", version="3.15.1", backends=("tensorflow",))


def test_keras_calls_back_from_a_training(cell):
    record = cell("reticulate", framework=KERAS, probes="init,callback,seed").judge(CALLBACK)
    assert (record.status, record.message) == (Status.PASS, None)
    assert [epoch for epoch, _ in record.details["keras_calls"]] == [0, 1, 2, 3]


def test_documented_examples_as_written_and_as_corrected(cell):
    ran = cell("reticulate", framework=KERAS, probes="init,callback,seed")
    record = ran.judge(SEED)
    assert (record.status, record.message) == (Status.PASS, None)
    findings = record.details["examples"]["keras-model"]["findings"]
    assert [(one["line"], one["argument"], one["cause"]) for one in findings] == [
        (11, "units", "double-not-integer"),
        (12, "units", "double-not-integer"),
        (11, "input_shape", "input-shape-scalar-collapse"),
        (11, "input_shape", "double-not-integer"),
        (16, "metrics", "single-string-not-list"),
        (19, "epochs", "double-not-integer"),
        (22, "summary", "generic-not-method"),
    ]
    (version,) = record.details["examples"]["tensorflow-version"]["findings"]
    assert version["corrected_line"] == "print(tf$`__version__`)"
    # Each is said to whoever reads the report.
    said = [event["id"] for event in ran.of("finding")]
    assert said == [version["cause"], *(one["cause"] for one in findings)]


def test_calls_are_tried_where_the_framework_is_not_there(cell):
    ran = cell("reticulate", asked="torch", probes="init,call,error")
    assert ran.judge(INIT).status is Status.FAIL
    assert ran.judge(CALL).status is Status.PASS
    assert ran.judge(ERROR).status is Status.PASS


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
kit$say("last", none = kit$last_line(NULL))
writeBin(as.raw(c(0x61, 0x0a, 0xe9, 0x74, 0xe9, 0x0a)), "latin")
kit$say("latin", value = kit$last_line(kit$read_text("latin")))
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


def run_r(
    workshop: Workshop,
    folder: Path,
    r: str,
    script: str,
    locale: str = "C.UTF-8",
    shell: str = "dash",
) -> Any:
    """Run a script in an R whose /bin/sh is ``shell``, and return the events that it wrote."""
    axes = Axes(path="system", r=r, python="3.11", framework=JAX)
    toolchain = workshop.provisioner.r(axes, SYSTEM.r_packages)
    assert toolchain is not None
    assert toolchain.root is not None
    (folder / "test.R").write_text(script, encoding="utf-8")
    sh = Bind(toolchain.root / "usr/bin" / shell, target=Path("/usr/bin/dash"))
    job = Job(
        argv=(str(toolchain.rscript), str(folder / "test.R")),
        env={
            "PATH": "/usr/bin:/bin",
            "LC_ALL": locale,
            "HARNESS_KIT": str(KIT),
            "HARNESS_EVENTS": str(folder / "events.jsonl"),
            **toolchain.env,
        },
        cwd=folder,
        root=toolchain.root,
        binds=(*map(Bind, toolchain.binds), Bind(KIT), sh, Bind(folder, writable=True)),
        events=folder / "events.jsonl",
        stdout=folder / "stdout",
        stderr=folder / "stderr",
        limits=Limits(),
    )
    assert run(job).exit_code == 0, job.stderr.read_text()
    log = read_events(job.events)
    assert log.junk == 0
    return log


@pytest.mark.parametrize("r", [BOOKWORM, TRIXIE])
@pytest.mark.parametrize("locale", ["C", "C.UTF-8"])
def test_the_kit_in_r(workshop, tmp_path, r, locale):
    log = run_r(workshop, tmp_path, r, R_KIT, locale)
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
    assert said["latin"]["value"] == "<e9>t<e9>"
    assert said["last"]["none"] == ""
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


R_TRANSFER = r"""
kit <- new.env()
sys.source(file.path(Sys.getenv("HARNESS_KIT"), "kit.R"), envir = kit)
transfer <- new.env()
transfer$kit <- kit
sys.source(file.path(Sys.getenv("HARNESS_KIT"), "transfer.R"), envir = transfer)
transfer$LARGEST[] <- 1e4
transfer$TELLING <- 1
transfer$STEADY_S <- 0.001
slow <- list(once = c(doubles = 1, integers = 9), calls = 0L)
kept <- NULL
crossed <- transfer$transfer_probe(list(
  why_not = function(kind) if (!(kind %in% names(slow$once))) "not here",
  prepare = function(kind, values) values,
  put = function(kind, values) {
    if (length(values) == 1000L) slow$calls <<- slow$calls + 1L
    if (length(values) == 1000L && slow$calls <= slow$once[[kind]]) Sys.sleep(0.6)
    kept <<- values
    if (length(values) == 10000L) slow$calls <<- 0L
  },
  get = function(kind) kept,
  hash = function(kind) transfer$hash_values(kind, kept)
))
for (kind in names(slow$once)) {
  seen <- crossed$kinds[[kind]]
  kit$say(
    "kind", n = as.list(vapply(seen$sizes, function(size) size$n, 0)), ended = seen$ended,
    error = seen$error
  )
}
"""


def test_one_slow_crossing_does_not_decide_how_far_it_goes(workshop, tmp_path):
    log = run_r(workshop, tmp_path, TRIXIE, R_TRANSFER)
    once, always = (event for event in log.events if event["event"] == "kind")
    assert (once["n"], once["ended"], once["error"]) == ([1, 1000, 10000], None, None)
    assert (always["n"], always["error"]) == ([1, 1000], None)
    assert always["ended"].startswith("1e4 would take about ")


R_CHILD = r"""
kit <- new.env()
sys.source(file.path(Sys.getenv("HARNESS_KIT"), "kit.R"), envir = kit)
child <- new.env()
child$kit <- kit
sys.source(file.path(Sys.getenv("HARNESS_KIT"), "child.R"), envir = child)
for (code in c("exit 0", "echo \"it's said\" >&2; exit 3", "kill -9 $$", "kill -11 $$")) {
  status <- child$run("/usr/bin/env", c("sh", "-c", code))
  kept <- child$run("/usr/bin/env", c("sh", "-c", code), "errors of it")
  said <- kit$read_text("errors of it")
  kit$say("ended", status = c(status, kept), words = child$ending(status), said = said)
}
kit$say("shell", is = system("test -z \"$BASH_VERSION\""))
"""


@pytest.mark.parametrize("shell", ["dash", "bash"])
def test_how_a_program_ended_does_not_depend_on_the_shell(workshop, tmp_path, shell):
    log = run_r(workshop, tmp_path, TRIXIE, R_CHILD, shell=shell)
    ended = [event for event in log.events if event["event"] == "ended"]
    assert [(event["status"], event["words"]) for event in ended] == [
        ([0, 0], "exit status 0"),
        ([3, 3], "exit status 3"),
        ([137, 137], "signal SIGKILL"),
        ([139, 139], "signal SIGSEGV"),
    ]
    assert ended[1]["said"] == "it's said"
    assert log.events[-1]["is"] == (1 if shell == "bash" else 0), "the shell is the one asked for"


R_SEED = r"""
kit <- new.env()
sys.source(file.path(Sys.getenv("HARNESS_KIT"), "kit.R"), envir = kit)
seed <- new.env()
sys.source(file.path(Sys.getenv("HARNESS_KIT"), "seed", "seed.R"), envir = seed)
one <- function(id, pattern, replacement) {
  list(id = id, pattern = pattern, replacement = replacement, argument = id, cause = id)
}
search <- list(
  kit = kit,
  example = list(path = "system", trains = FALSE, checks = list(list(
    pattern = "^quiet", holds = function(ran) isTRUE(ran$value), otherwise = "nothing came of it"
  ))),
  known = list(
    one("note", "note = '(\\w)'", "note = '\\1\\1'"),
    one("whole", "n = (\\d+)(?![\\dL])", "n = \\1L"),
    one("list", "v = c\\((\\d+)\\)", "v = list(\\1)"),
    one("quoted", "\\$(_\\w+)", "$`\\1`"),
    one("loud", "quiet\\(FALSE\\)", "quiet(TRUE)")
  )
)
# What an error says changes with the note, which is not what is wrong.
takes <- function(n, v = list(), note = "") {
  if (!is.integer(n)) stop("not whole ", note, ": ", n)
  if (!is.list(v)) stop("no list ", note, ": ", v)
}
quiet <- function(value) value
cases <- list(
  right = "takes(n = 1L)",
  one = c("# a comment", "takes(", "  n = 1", ")"),
  two = "takes(n = 1, v = c(2))",
  same = c("{ takes(n = 1)", "takes(n = 2) }"),
  unneeded = "takes(n = 1, note = 'a')",
  parse = c("x <- list(`_a` = 1)", "x$_a"),
  silent = "quiet(FALSE)",
  unknown = c("takes(n = 1L)", "stop('out of memory')", "takes(n = 1)"),
  unparsed = "x <- )",
  half = "{ takes(n = 1); stop('out of memory') }"
)
for (name in names(cases)) {
  found <- seed$run_on(search, cases[[name]], new.env(parent = globalenv()))
  ids <- vapply(found$accepted, function(accepted) accepted$correction$id, "")
  messages <- vapply(found$accepted, function(accepted) accepted$message, "")
  kit$say(
    "case", name = name, ids = as.list(ids), messages = as.list(messages),
    lines = as.list(found$lines), left = found$unexplained
  )
}
again <- seed$run_whole(search, c("x <- 1", "print(x)", "cat('10%\\r20%\\n')"))
kit$say("whole", status = again$status, output = again$output)
kit$say("broken", status = seed$run_whole(search, "stop('no')")$status)
"""


@pytest.mark.parametrize("r", [BOOKWORM, TRIXIE])
def test_documented_examples_are_corrected_by_as_little_as_will_do(workshop, tmp_path, r):
    log = run_r(workshop, tmp_path, r, R_SEED)
    cases = {event["name"]: event for event in log.events if event["event"] == "case"}
    ids = {name: case["ids"] for name, case in cases.items()}
    assert ids == {
        "right": [],
        "one": ["whole"],
        "two": ["whole", "list"],
        "same": ["whole", "whole"],
        "unneeded": ["whole"],
        "parse": ["quoted"],
        "silent": ["loud"],
        "unknown": [],
        "unparsed": [],
        "half": ["whole"],
    }
    assert cases["one"]["lines"][2] == "  n = 1L"
    assert cases["two"]["messages"] == ["not whole : 1", "no list : 2"]
    assert cases["unneeded"]["lines"] == ["takes(n = 1L, note = 'a')"]
    assert cases["silent"]["messages"] == ["nothing came of it"]
    left = {name: case["left"] for name, case in cases.items() if case["left"] is not None}
    assert {name: (one["line"], one["message"]) for name, one in left.items()} == {
        "unknown": (2, "out of memory"),
        "unparsed": (1, left["unparsed"]["message"]),
        "half": (1, "out of memory"),
    }
    assert "unexpected ')'" in left["unparsed"]["message"]
    said = {event["event"]: event for event in log.events}
    assert (said["whole"]["status"], said["whole"]["output"]) == ("pass", "[1] 1\n20%")
    assert said["broken"]["status"] == "fail"

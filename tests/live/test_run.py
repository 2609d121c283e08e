"""``harness run`` as a user calls it: real R, real bridges, real frameworks, real kills."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from harness.results.schema import schema

from .started import Started

pytestmark = pytest.mark.live

HARNESS = [sys.executable, "-m", "harness"]
FRAMEWORK = "jax==0.10.2"
MATRIX = f"""\
axes:
  path: [native, reticulate, system]
  r: [4.2.2, 4.5.0]
  python: ["3.11"]
  framework: [{FRAMEWORK}]
exclude:
  - {{path: system, r: 4.5.0}}
include:
  - {{path: reticulate, r: 4.2.2, python: "3.12", framework: {FRAMEWORK}}}
  - {{path: native, python: "3.11", framework: {FRAMEWORK}, numpy: "<1.20"}}
  - {{path: native, python: "3.11", framework: {FRAMEWORK}, cuda: "12"}}
"""
NATIVE = "native__py3.11__jax0.10.2__cpu"
RETICULATE = "reticulate-1.41__r4.5.0__py3.11__jax0.10.2__cpu"
OLD_NUMPY_2 = "reticulate-1.28__r4.2.2__py3.11__jax0.10.2__cpu"
OLD_PY312 = "reticulate-1.28__r4.2.2__py3.12__jax0.10.2__cpu"
SYSTEM = "system__r4.2.2__py3.11__jax0.10.2__cpu"
IMPOSSIBLE = "native__py3.11__jax0.10.2__cpu__numpy-lt1.20"
CUDA = "native__py3.11__jax0.10.2__cuda12"


def harness(*arguments: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [*HARNESS, *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """The matrix above, run once; its folder has a space and an umlaut in its name."""
    folder = tmp_path_factory.mktemp("run") / "a földer"
    folder.mkdir()
    (folder / "m.yaml").write_text(MATRIX)
    return folder, harness("run", "m.yaml", "--results", "out", cwd=folder)


@pytest.fixture(scope="module")
def cells(ran: tuple[Path, subprocess.CompletedProcess[str]]) -> dict[str, dict[str, Any]]:
    document = json.loads((ran[0] / "out" / "results.json").read_text())
    jsonschema.validate(document, schema())
    return {cell["id"]: cell for cell in document["cells"]}


def test_everything_planned_was_measured(
    ran: tuple[Path, subprocess.CompletedProcess[str]], cells: dict[str, dict[str, Any]]
) -> None:
    _, done = ran
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert len(cells) == 8, "seven listed, and the control of the cell on Python 3.12"
    assert "✓ pass" in done.stdout


def test_three_paths_pass_and_learn_the_same(cells: dict[str, dict[str, Any]]) -> None:
    losses = {}
    for name in (NATIVE, RETICULATE, SYSTEM):
        cell = cells[name]
        assert cell["status"] == "pass", cell["message"]
        assert [probe["status"] for probe in cell["probes"]] == ["pass", "pass"]
        train = cell["probes"][1]["details"]
        assert train["accuracy"] >= 0.9
        assert train["x_sha"]["made"] == train["x_sha"]["arrived"]
        losses[name] = train["losses"]
    for name in (RETICULATE, SYSTEM):
        assert losses[name] == pytest.approx(losses[NATIVE], rel=1e-3)


def test_identity_is_read_back_from_inside(cells: dict[str, dict[str, Any]]) -> None:
    identity = cells[RETICULATE]["identity"]
    assert identity["r"]["version"] == "4.5.0"
    assert identity["bridge"]["version"].startswith("1.41")
    assert identity["python"]["version"].startswith("3.11.")
    assert "libpython3.11" in identity["python"]["libpython"]
    assert identity["modules"]["jax"] == "0.10.2"
    assert identity["device"]["kind"] == "cpu"


def test_stages_add_up_to_less_than_the_cell(cells: dict[str, dict[str, Any]]) -> None:
    for name in (NATIVE, RETICULATE, SYSTEM):
        cell = cells[name]
        stages = [stage for probe in cell["probes"] for stage in probe["stages"]]
        assert {"process_start", "framework_import", "first_op", "epoch"} <= {
            stage["name"] for stage in stages
        }
        assert 0 < sum(stage["wall_s"] for stage in stages) <= cell["wall_s"]
        assert cell["max_rss_mb"] > 50


def test_an_old_bridge_imports_and_cannot_convert_numpy_2(cells: dict[str, dict[str, Any]]) -> None:
    cell = cells[OLD_NUMPY_2]
    assert [probe["status"] for probe in cell["probes"]] == ["pass", "fail"]
    assert (cell["status"], cell["phase"]) == ("fail", "convert")
    assert "incompatible NumPy binary version" in cell["message"]


def test_the_report_carries_the_traceback_that_the_bridge_throws_away(
    ran: tuple[Path, subprocess.CompletedProcess[str]], cells: dict[str, dict[str, Any]]
) -> None:
    cell = cells[OLD_PY312]
    assert (cell["status"], cell["phase"]) == ("fail", "python")
    assert "No module named 'imp'" in cell["evidence"]["hidden"]
    assert "No module named 'imp'" in " ".join(ran[1].stdout.split())
    markdown = harness("report", "out", "--format", "markdown", cwd=ran[0])
    assert "No module named 'imp'" in markdown.stdout


def test_the_system_path_sees_that_r_swaps_libpython_and_deals_with_it(
    cells: dict[str, dict[str, Any]],
) -> None:
    """Holds where the machine's 3.11 is not Debian bookworm's own 3.11.2."""
    cell = cells[SYSTEM]
    if cell["identity"]["python"]["version"] == "3.11.2":
        pytest.skip("the interpreter found is the same version as bookworm's libpython")
    assert any("LD_LIBRARY_PATH" in finding for finding in cell["findings"])
    assert not cell["identity"]["python"]["libpython"].startswith("/usr/lib/x86_64-linux-gnu")


def test_what_cannot_exist_is_told_without_installing(cells: dict[str, dict[str, Any]]) -> None:
    cell = cells[IMPOSSIBLE]
    assert (cell["status"], cell["phase"]) == ("unsatisfiable", "resolve")
    # Which of two reasons uv finds first depends on what it has in its cache.
    assert "numpy" in cell["message"]


def test_a_cuda_cell_says_what_is_missing(cells: dict[str, dict[str, Any]]) -> None:
    cell = cells[CUDA]
    if cell["status"] == "pass":
        assert cell["identity"]["device"]["kind"] == "gpu"
        return
    assert (cell["status"], cell["phase"]) == ("unavailable", "device")
    assert "525" in cell["message"], "the least driver for CUDA 12"


def test_the_logs_of_a_cell_repeat_it(
    ran: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    folder = ran[0] / "out" / "cells" / RETICULATE
    names = {file.name for file in folder.iterdir()}
    assert {"stdout", "stderr", "requirements.lock", "driver.R", "command.sh"} <= names
    assert "jax==0.10.2" in (folder / "requirements.lock").read_text()


def test_a_second_run_asks_again_for_what_could_not_be_had_and_nothing_else(
    ran: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    folder, _ = ran
    journal = folder / "out" / "journal.jsonl"
    before = _ids(journal, "cell-finished")
    again = harness("run", "m.yaml", "--results", "out", cwd=folder)
    assert again.returncode == 0
    assert "7 cells have a result already" in again.stderr
    assert _ids(journal, "cell-finished") == [*before, CUDA]


def test_a_folder_with_the_document_alone_will_do(
    ran: tuple[Path, subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    (tmp_path / "results.json").write_bytes((ran[0] / "out" / "results.json").read_bytes())
    shown = harness("report", tmp_path, cwd=tmp_path)
    assert shown.returncode == 0
    assert "✓ pass" in shown.stdout


def test_kill_9_in_the_middle_loses_nothing_and_repeats_nothing(
    ran: tuple[Path, subprocess.CompletedProcess[str]], tmp_path: Path, begin: Started
) -> None:
    del ran  # everything is provisioned by now
    (tmp_path / "m.yaml").write_text(MATRIX)
    command = [*HARNESS, "run", "m.yaml", "--results", "out", "--jobs", "1"]
    first = begin(command, cwd=tmp_path, stderr=subprocess.DEVNULL)
    journal = tmp_path / "out" / "journal.jsonl"
    _wait_for(lambda: journal.exists() and journal.read_text().count('"cell-finished"') >= 3)
    time.sleep(1.5)
    first.send_signal(signal.SIGKILL)
    first.wait()
    done = set(_ids(journal, "cell-finished"))
    _wait_for(lambda: not _processes_of(tmp_path))
    again = harness("run", "m.yaml", "--results", "out", cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    finished = [cell for cell in _ids(journal, "cell-finished") if cell != CUDA]
    assert len(finished) == len(set(finished)) == 7, "each cell once"
    started = set(_ids(journal, "cell-started")[len(done) + 1 :])
    assert not done & started - {CUDA}, "nothing done twice"


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_ctrl_c_and_its_like_end_everything_with_130(
    ran: tuple[Path, subprocess.CompletedProcess[str]],
    tmp_path: Path,
    signum: signal.Signals,
    begin: Started,
) -> None:
    del ran
    (tmp_path / "m.yaml").write_text(MATRIX)
    command = [*HARNESS, "run", "m.yaml", "--results", "out"]
    # A shell that runs the tests in the background has its children ignore SIGINT, nohup SIGHUP.
    command = ["env", "--default-signal=INT,HUP", *command]
    run = begin(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    journal = tmp_path / "out" / "journal.jsonl"
    _wait_for(lambda: journal.exists() and '"cell-started"' in journal.read_text())
    time.sleep(1)
    run.send_signal(signum)
    _, errors = run.communicate(timeout=60)
    assert run.returncode == 130, errors
    assert "Traceback" not in errors
    _wait_for(lambda: not _processes_of(tmp_path))
    for line in journal.read_text().splitlines():
        json.loads(line)
    document = json.loads((tmp_path / "out" / "results.json").read_text())
    assert {cell["status"] for cell in document["cells"]} >= {"missing"}


def _ids(journal: Path, event: str) -> list[str]:
    events = [json.loads(line) for line in journal.read_text().splitlines()]
    return [
        found["record"]["id"] if "record" in found else found["id"]
        for found in events
        if found["event"] == event
    ]


def _wait_for(condition: Any, limit_s: float = 120) -> None:
    deadline = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.05)


def _processes_of(folder: Path) -> list[int]:
    """Return the processes, other than this one, that know of a folder."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                text = (entry / "cmdline").read_bytes() + (entry / "environ").read_bytes()
            except OSError:
                continue
            if str(folder).encode() in text:
                found.append(int(entry.name))
    return found

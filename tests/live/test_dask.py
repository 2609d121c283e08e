"""A run on the workers of a real Dask cluster: the same results, and what becomes of losses."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .cluster import WITHOUT_HARNESS, Cluster, wait_for, with_word

pytest.importorskip("distributed", reason="the extra `dask` is not installed")
pytestmark = pytest.mark.live

HARNESS = [sys.executable, "-m", "harness"]
CHEAP = """\
probes: [init, error]
axes:
  path: [native]
  python: ["3.11"]
  six: ["==1.15.0", "==1.16.0", "==1.17.0"]
include:
  - {path: system, r: 4.5.0, python: "3.11", six: "==1.16.0"}
  - {path: reticulate, r: 4.5.0, python: "3.11", six: "==1.17.0"}
  - {path: native, python: "3.11", six: "==0.0.99"}
"""
SLOW = """\
axes:
  path: [native]
  python: ["3.11"]
  framework: [jax==0.10.2]
"""
"""Some seconds at least: time to kill somebody."""
TIMES = {
    *("wall_s", "cpu_s", "resolve_s", "provision_s", "started_at", "finished_at"),
    *("max_rss_mb", "processes", "n"),
}
"""What two runs of one matrix may differ in: times, how often something was done within a time,
and the peaks of memory, which is looked at several times a second."""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    cluster = Cluster(tmp_path_factory.mktemp("cluster"))
    try:
        for _ in range(2):
            cluster.worker()
        yield cluster
    finally:
        cluster.close()


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Cluster]:
    """A cluster of the test's own, to be damaged."""
    (tmp_path / "cluster").mkdir()
    cluster = Cluster(tmp_path / "cluster")
    yield cluster
    cluster.close()


def command(*arguments: str) -> list[str]:
    # A shell that runs the tests in the background has its children ignore SIGINT.
    return ["env", "--default-signal=INT", *HARNESS, *arguments]


def harness(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(command(*arguments), cwd=cwd, capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr, done.stderr
    return done


def document(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "results.json").read_text())
    return found


def without_times(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: without_times(item) for key, item in value.items() if key not in TIMES}
    return [without_times(item) for item in value] if isinstance(value, list) else value


def sorted_cells(found: dict[str, Any]) -> dict[str, Any]:
    """A merged document has its cells in the natural order, a run's in that of its matrix."""
    return {
        **found,
        "planned": sorted(found["planned"]),
        "cells": sorted(found["cells"], key=lambda cell: str(cell["id"])),
    }


def test_one_matrix_four_ways_comes_to_the_same(cluster: Cluster, tmp_path: Path) -> None:
    (tmp_path / "m.yaml").write_text(CHEAP)

    def run(name: str, *options: str) -> dict[str, Any]:
        done = harness(
            *("run", "m.yaml", "--results", name, "--no-remedies", *options), cwd=tmp_path
        )
        assert done.returncode == 0, done.stderr
        return document(tmp_path / name)

    one = run("one", "--jobs", "1")
    assert {cell["status"] for cell in one["cells"]} == {"pass", "unsatisfiable"}
    ways = {
        "two processes": run("two", "--jobs", "2"),
        "a cluster of two workers": run("dask", "--executor", cluster.executor),
    }
    shards = [f"shard-{number}" for number in range(1, 5)]
    for number, name in enumerate(shards, 1):
        run(name, "--shard", f"{number}/4")
    assert harness("merge", *shards, "--results", "merged", cwd=tmp_path).returncode == 0
    ways["four shards"] = document(tmp_path / "merged")
    expected = sorted_cells(without_times(one))
    for way, found in ways.items():
        assert sorted_cells(without_times(found)) == expected, way
    logs = {file.relative_to(tmp_path / "one") for file in (tmp_path / "one/cells").rglob("*")}
    there = {file.relative_to(tmp_path / "dask") for file in (tmp_path / "dask/cells").rglob("*")}
    assert there == logs, "the logs, the lock and what was run come back from the workers"


def test_a_second_run_on_the_cluster_does_nothing_again(cluster: Cluster, tmp_path: Path) -> None:
    (tmp_path / "m.yaml").write_text(CHEAP)
    first = ["run", "m.yaml", "--results", "out", "--only", "native*", "--no-remedies"]
    assert harness(*first, cwd=tmp_path).returncode == 0
    before = (tmp_path / "out/journal.jsonl").read_text().count('"cell-finished"')
    again = harness(*first, "--executor", cluster.executor, cwd=tmp_path)
    assert again.returncode == 0
    assert "4 cells have a result already" in again.stderr
    assert (tmp_path / "out/journal.jsonl").read_text().count('"cell-finished"') == before


def test_a_worker_that_is_killed_has_its_cell_run_elsewhere(own: Cluster, tmp_path: Path) -> None:
    for _ in range(2):
        own.worker()
    run = begun(own, tmp_path)
    kill_the_worker_with_a_cell(own)
    _, errors = run.communicate(timeout=300)
    assert run.returncode == 0, errors
    assert "a worker was lost while it ran" in errors
    (cell,) = document(tmp_path / "out")["cells"]
    assert (cell["status"], cell["lost_workers"]) == ("pass", 1)


def test_a_cell_that_loses_two_workers_is_given_up(own: Cluster, tmp_path: Path) -> None:
    for _ in range(3):
        own.worker()
    run = begun(own, tmp_path)
    kill_the_worker_with_a_cell(own)
    kill_the_worker_with_a_cell(own)
    _, errors = run.communicate(timeout=300)
    assert run.returncode == 3, errors
    (cell,) = document(tmp_path / "out")["cells"]
    assert (cell["status"], cell["lost_workers"]) == ("missing", 2)
    assert "2 workers were lost" in cell["message"]


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_run_that_is_ended_ends_its_cells_on_the_workers(
    own: Cluster, tmp_path: Path, signum: signal.Signals
) -> None:
    own.worker()
    run = begun(own, tmp_path)
    wait_for(lambda: cells_under_way(own))
    run.send_signal(signum)
    _, errors = run.communicate(timeout=60)
    assert run.returncode == (-9 if signum is signal.SIGKILL else 130), errors
    assert "Traceback" not in errors
    wait_for(lambda: not cells_under_way(own), 60)
    # The worker is as good as new.
    again = harness("run", "m.yaml", "--executor", own.executor, "--results", "out", cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    for line in (tmp_path / "out/journal.jsonl").read_text().splitlines():
        json.loads(line)


def test_a_scheduler_that_goes_away_is_told(own: Cluster, tmp_path: Path) -> None:
    own.worker()
    run = begun(own, tmp_path)
    wait_for(lambda: cells_under_way(own))
    own.scheduler.kill()
    _, errors = run.communicate(timeout=120)
    assert run.returncode == 4, errors
    assert "is gone; what was measured is kept" in errors
    assert "Traceback" not in errors
    (cell,) = document(tmp_path / "out")["cells"]
    assert cell["status"] == "missing"


def test_a_cuda_cell_waits_for_a_worker_with_a_gpu(own: Cluster, tmp_path: Path) -> None:
    own.worker()
    (tmp_path / "m.yaml").write_text(SLOW.replace("axes:", 'axes:\n  cuda: ["12"]'))
    run = start(own, tmp_path, "--no-remedies")
    log = tmp_path / "stderr"
    wait_for(lambda: "cells that need it wait until one comes" in log.read_text())
    assert "GPU=1" in log.read_text()
    time.sleep(1)
    assert run.poll() is None, "it waits"
    own.worker("--resources", "GPU=1")
    code = run.wait(timeout=120)
    (cell,) = document(tmp_path / "out")["cells"]
    # Where there is none, the whole run has measured nothing.
    assert code == (0 if cell["status"] == "pass" else 3)
    # The worker says that it has one; whether it has is for the cell to find out.
    assert cell["status"] in {"pass", "unavailable"}
    assert cell["status"] == "pass" or "this machine has no NVIDIA device" in cell["message"]


def test_memory_that_workers_state_is_reserved(own: Cluster, tmp_path: Path) -> None:
    own.worker("--resources", "MEMORY=1000000000")
    (tmp_path / "m.yaml").write_text(CHEAP)
    run = start(own, tmp_path, "--only", "native*six1.17.0", "--no-remedies")
    log = tmp_path / "stderr"
    wait_for(lambda: "MEMORY=8589934592" in log.read_text())
    own.worker("--resources", "MEMORY=9000000000")
    assert run.wait(timeout=120) == 0
    assert document(tmp_path / "out")["cells"][0]["status"] == "pass"


def test_memory_that_no_worker_states_any_more_keeps_no_cell_waiting(
    own: Cluster, tmp_path: Path
) -> None:
    """A job of a batch system comes to its time limit, with orders in its queue."""
    leaves = own.worker("--resources", "MEMORY=9000000000")
    own.worker()
    (tmp_path / "m.yaml").write_text(SLOW + '  six: ["==1.15.0", "==1.16.0", "==1.17.0"]\n')
    run = start(own, tmp_path, "--no-remedies")
    journal = tmp_path / "out" / "journal.jsonl"
    wait_for(lambda: journal.is_file() and '"cell-finished"' in journal.read_text())
    leaves.terminate()
    assert run.wait(timeout=240) == 0, (tmp_path / "stderr").read_text()
    assert [cell["status"] for cell in document(tmp_path / "out")["cells"]] == ["pass"] * 3


def test_memory_of_machines_without_a_gpu_keeps_no_cuda_cell_waiting(
    own: Cluster, tmp_path: Path
) -> None:
    own.worker("--resources", "MEMORY=9000000000")
    own.worker("--resources", "GPU=1")
    (tmp_path / "m.yaml").write_text(SLOW.replace("axes:", 'axes:\n  cuda: ["12"]'))
    run = start(own, tmp_path, "--no-remedies")
    code = run.wait(timeout=120)
    statuses = {cell["status"] for cell in document(tmp_path / "out")["cells"]}
    assert code == (0 if "pass" in statuses else 3)
    assert "wait until one comes" not in (tmp_path / "stderr").read_text()


def test_cells_that_wait_for_a_gpu_hold_up_no_others(own: Cluster, tmp_path: Path) -> None:
    own.worker()
    (tmp_path / "m.yaml").write_text(SLOW.replace("axes:", 'axes:\n  cuda: ["12", cpu]'))
    run = start(own, tmp_path, "--no-remedies", "--jobs", "1")
    journal = tmp_path / "out" / "journal.jsonl"
    wait_for(lambda: journal.is_file() and '"cell-finished"' in journal.read_text())
    assert run.poll() is None, "the other one waits"
    own.worker("--resources", "GPU=1")
    assert run.wait(timeout=120) == 0
    assert len(document(tmp_path / "out")["cells"]) == 2


NO_STORE = "/dev/null/store"
"""Where a worker cannot make anything: its machine is at fault."""


def test_a_machine_at_fault_does_not_end_the_run(own: Cluster, tmp_path: Path) -> None:
    own.worker(HARNESS_CACHE=NO_STORE)
    own.worker()
    (tmp_path / "m.yaml").write_text(CHEAP)
    run = start(own, tmp_path, "--only", "native*", "--no-remedies")
    assert run.wait(timeout=240) == 0, (tmp_path / "stderr").read_text()
    said = (tmp_path / "stderr").read_text()
    assert said.count("(from now on, others are asked first)") == 1, said
    assert "Traceback" not in said
    cells = document(tmp_path / "out")["cells"]
    assert {cell["status"] for cell in cells} == {"pass", "unsatisfiable"}


def test_what_may_go_to_some_workers_alone_outlives_them(own: Cluster, tmp_path: Path) -> None:
    own.worker(HARNESS_CACHE=NO_STORE)
    own.worker()
    (tmp_path / "m.yaml").write_text(SLOW + '  six: ["==1.15.0", "==1.16.0", "==1.17.0"]\n')
    run = start(own, tmp_path, "--no-remedies")
    log = tmp_path / "stderr"
    wait_for(lambda: "others are asked first" in log.read_text())
    own.worker()
    kill_a_worker_with_a_cell(own)
    assert run.wait(timeout=240) == 0, log.read_text()
    cells = document(tmp_path / "out")["cells"]
    assert [cell["status"] for cell in cells] == ["pass"] * 3
    assert sum(cell.get("lost_workers", 0) for cell in cells) <= 1


def test_where_every_machine_is_at_fault_the_run_ends(own: Cluster, tmp_path: Path) -> None:
    for _ in range(2):
        own.worker(HARNESS_CACHE=NO_STORE)
    (tmp_path / "m.yaml").write_text(CHEAP)
    run = start(own, tmp_path, "--only", "native*", "--no-remedies")
    assert run.wait(timeout=120) == 4
    said = (tmp_path / "stderr").read_text()
    assert f"{NO_STORE}" in said
    assert "(no other worker is left)" in said
    assert "Traceback" not in said


def test_a_worker_without_its_scratch_folder_is_at_fault(own: Cluster, tmp_path: Path) -> None:
    own.worker()
    shutil.rmtree(own.folder / "scratch")
    (tmp_path / "m.yaml").write_text(CHEAP)
    run = start(own, tmp_path, "--only", "native*six1.17.0", "--no-remedies")
    assert run.wait(timeout=120) == 4
    said = (tmp_path / "stderr").read_text()
    assert "--local-directory" in said
    assert "the Dask scheduler" not in said


def test_a_worker_without_the_harness_that_comes_later(own: Cluster, tmp_path: Path) -> None:
    own.worker()
    releases = ", ".join(f'"==1.{minor}.0"' for minor in range(13, 18))
    (tmp_path / "m.yaml").write_text(f"{SLOW}  six: [{releases}]\n")
    # Of orders that come one by one, Dask gives every other one to the second of two workers.
    run = start(own, tmp_path, "--no-remedies", "--jobs", "1")
    wait_for(lambda: busy_workers(own))
    own.worker(dask=WITHOUT_HARNESS)
    log = tmp_path / "stderr"
    assert run.wait(timeout=240) == 0, log.read_text()
    said = log.read_text()
    assert said.count("has no harness") == said.count("(it is given no cells)") == 1, said
    assert "Traceback" not in said
    cells = document(tmp_path / "out")["cells"]
    assert [(cell["status"], cell.get("lost_workers", 0)) for cell in cells] == [("pass", 0)] * 5


def test_a_scheduler_without_the_harness(tmp_path: Path) -> None:
    (tmp_path / "cluster").mkdir()
    cluster = Cluster(tmp_path / "cluster", dask=WITHOUT_HARNESS)
    try:
        cluster.worker()
        (tmp_path / "m.yaml").write_text(CHEAP)
        assert start(cluster, tmp_path).wait(timeout=60) == 4
    finally:
        cluster.close()
    said = (tmp_path / "stderr").read_text()
    assert "has no harness, and this is harness" in said
    assert "where it runs, and start it anew" in said
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("executor", "said"),
    [
        ("dask://127.0.0.1:1", "no Dask scheduler answers at 127.0.0.1:1"),
        ("dask:///no/such/file.json", "/no/such/file.json: there is no such file"),
    ],
)
def test_a_scheduler_out_of_reach(tmp_path: Path, executor: str, said: str) -> None:
    (tmp_path / "m.yaml").write_text(CHEAP)
    done = harness("run", "m.yaml", "--executor", executor, "--results", "out", cwd=tmp_path)
    assert done.returncode == 4
    assert said in done.stderr
    assert not (tmp_path / "out" / "journal.jsonl").exists()


def test_the_file_of_a_scheduler_will_do(cluster: Cluster, tmp_path: Path) -> None:
    (tmp_path / "m.yaml").write_text(CHEAP)
    options = ["--only", "native*six1.17.0", "--executor", f"dask://{cluster.file}"]
    done = harness("run", "m.yaml", "--results", "out", *options, cwd=tmp_path)
    assert done.returncode == 0, done.stderr


def start(cluster: Cluster, folder: Path, *options: str) -> subprocess.Popen[str]:
    with (folder / "stderr").open("w") as log:
        return cluster.begin(
            command("run", "m.yaml", "--executor", cluster.executor, "--results", "out", *options),
            cwd=folder,
            stdout=subprocess.DEVNULL,
            stderr=log,
            text=True,
        )


def begun(cluster: Cluster, folder: Path) -> subprocess.Popen[str]:
    (folder / "m.yaml").write_text(SLOW)
    return cluster.begin(
        command("run", "m.yaml", "--executor", cluster.executor, "--results", "out"),
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def cells_under_way(cluster: Cluster) -> list[int]:
    """Processes that know of the workers' scratch folders, beside the workers themselves."""
    workers = {worker.pid for worker in cluster.workers}
    return [
        pid
        for pid in with_word(str(cluster.folder / "scratch" / "dask-scratch-space"))
        if pid not in workers
    ]


def busy_workers(cluster: Cluster) -> list[subprocess.Popen[bytes]]:
    """Workers that have a process below them."""
    return [
        worker
        for worker in cluster.workers
        if any(
            file.read_text().strip() for file in Path(f"/proc/{worker.pid}/task").glob("*/children")
        )
    ]


def kill_a_worker_with_a_cell(cluster: Cluster) -> None:
    wait_for(lambda: cells_under_way(cluster) and busy_workers(cluster))
    busy = busy_workers(cluster)[0]
    busy.kill()
    busy.wait()
    cluster.workers.remove(busy)


def kill_the_worker_with_a_cell(cluster: Cluster) -> None:
    # A cell outlives its worker by a moment: then it is under way, and no worker has it.
    wait_for(lambda: cells_under_way(cluster) and len(busy_workers(cluster)) == 1)
    (busy,) = busy_workers(cluster)
    busy.kill()
    busy.wait()
    cluster.workers.remove(busy)

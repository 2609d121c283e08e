"""What a killed process, a damaged store, a full disk, a lost network and a wrong clock cost."""

from __future__ import annotations

import base64
import errno
import hashlib
import http.server
import json
import os
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.errors import MachineFault
from harness.executors.base import Answer, Order, Watch
from harness.model.cell import Axes, Cell, Plan, cell_id
from harness.model.record import CellRecord
from harness.model.status import Status
from harness.provision.store import FolderStore
from harness.workflow.display import QuietDisplay
from harness.workflow.run import Settings, Workshop, execute

from .conftest import Cell as Commanded

ROOT = Path(__file__).parents[2]
HARNESS = [sys.executable, "-m", "harness"]
NATIVE = """\
probes: [init]
axes:
  path: [native]
  python: ["3.11"]
"""

pytestmark = pytest.mark.faults


# -- kills


@pytest.mark.live
def test_nothing_is_lost_when_processes_are_killed(tmp_path: Path) -> None:
    """The short form of what `python bench/survival.py` does 200 times."""
    kill(tmp_path, 8)


@pytest.mark.live
@pytest.mark.long
@pytest.mark.timeout(4 * 3600)
def test_nothing_is_lost_in_200_kills(tmp_path: Path) -> None:
    kill(tmp_path, 200)


def kill(folder: Path, kills: int) -> None:
    command = [sys.executable, ROOT / "bench" / "survival.py", "--kills", str(kills)]
    done = subprocess.run([*command, "--out", folder], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    accounts = json.loads((folder / "survival.json").read_text())["accounts"]
    assert sum(account["kills"] for account in accounts) == kills
    # Some come when all is done; most must have met somebody, or nothing was shown.
    assert sum(account["hit"] for account in accounts) >= kills * 0.6
    for account in accounts:
        assert account["done"] == account["planned"], account
        assert account["lost"] == account["wrong"] == account["twice"] == account["left"] == 0


def test_the_page_shows_the_account_that_is_kept() -> None:
    file = ROOT / "bench/results/survival.json"
    if not file.exists():
        pytest.skip("no account is kept yet: python bench/survival.py makes it")
    kept = json.loads(file.read_text())
    page = (ROOT / "docs/explanation/survival.md").read_text()
    names = ("kills", "hit", "runs", "planned", "done", "ended", "elsewhere", "lost")
    for account in kept["accounts"]:
        row = " | ".join([account["kind"], *(str(account[name]) for name in names)])
        assert f"| {row} |" in page, row
    assert sum(account["lost"] for account in kept["accounts"]) == 0


# -- the store


@pytest.mark.live
def test_a_damaged_environment_is_noticed_and_made_anew(tmp_path: Path) -> None:
    (tmp_path / "m.yaml").write_text(NATIVE + '  six: ["==1.17.0"]\n')
    env = {**os.environ, "HARNESS_CACHE": str(tmp_path / "store")}

    def run(results: str) -> subprocess.CompletedProcess[str]:
        command = [*HARNESS, "run", "m.yaml", "--results", results, "--no-remedies"]
        return subprocess.run(
            command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False
        )

    assert run("one").returncode == 0
    (module,) = (tmp_path / "store" / "python").rglob("six.py")
    # It is a link to the file in uv's cache, which is to stay as it is.
    text = module.read_bytes()
    module.unlink()
    module.write_bytes(text[:100])
    again = run("two")
    assert again.returncode == 0, again.stderr
    assert "six.py has 100 bytes" in again.stderr
    assert "making it anew" in again.stderr
    assert module.read_bytes() == text
    assert statuses(tmp_path / "two") == ["pass"]
    marker = module.parents[3] / ".complete"
    os.truncate(marker, 5)
    assert run("three").returncode == 0
    assert statuses(tmp_path / "three") == ["pass"]
    assert marker.stat().st_size > 5


@pytest.mark.live
def test_two_runs_on_one_store_make_everything_once(tmp_path: Path) -> None:
    (tmp_path / "m.yaml").write_text(NATIVE + '  six: ["==1.16.0", "==1.17.0"]\n')
    env = {**os.environ, "HARNESS_CACHE": str(tmp_path / "store")}
    runs = [
        subprocess.Popen(
            [*HARNESS, "run", "m.yaml", "--results", name, "--no-remedies"],
            cwd=tmp_path, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        for name in ("one", "two")
    ]  # fmt: skip
    assert [run.wait(120) for run in runs] == [0, 0]
    assert statuses(tmp_path / "one") == statuses(tmp_path / "two") == ["pass", "pass"]
    entries = FolderStore(tmp_path / "store").entries()
    assert sum(entry.kind == "python" for entry in entries) == 2


# -- the network


class Index(http.server.BaseHTTPRequestHandler):
    """A package index with one package, which breaks off in the middle of its file."""

    wheel = b""
    is_whole = False

    def do_GET(self) -> None:
        if self.path.rstrip("/").endswith("/cut-short"):
            page = b'<a href="/cut_short-1.0-py3-none-any.whl">cut_short-1.0-py3-none-any.whl</a>'
            self._say(page, len(page), "text/html")
        elif self.path.endswith(".whl"):
            sent = self.wheel if self.is_whole else self.wheel[: len(self.wheel) // 2]
            self._say(sent, len(self.wheel), "application/octet-stream")
            self.close_connection = True
        else:
            self.send_error(404)

    def do_HEAD(self) -> None:
        # No ranges: whoever wants to know what the wheel needs has to fetch it.
        self._say(b"", len(self.wheel), "application/octet-stream")

    def _say(self, body: bytes, length: int, kind: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(length))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: Any) -> None:
        pass


@pytest.fixture
def index(tmp_path: Path) -> Iterator[str]:
    wheel = tmp_path / "cut_short-1.0-py3-none-any.whl"
    about = "cut_short-1.0.dist-info"
    files = {
        "cut_short.py": "x = 1\n" * 20_000,
        f"{about}/METADATA": "Metadata-Version: 2.1\nName: cut-short\nVersion: 1.0\n",
        f"{about}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    digests = {
        name: base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip("=")
        for name, text in files.items()
    }
    record = [f"{name},sha256={digests[name]},{len(text)}" for name, text in files.items()]
    files[f"{about}/RECORD"] = "\n".join([*record, f"{about}/RECORD,,"]) + "\n"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    Index.wheel, Index.is_whole = wheel.read_bytes(), False
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Index)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/simple"
    server.shutdown()
    server.server_close()


@pytest.mark.live
def test_a_network_that_goes_in_the_middle_costs_the_cells_that_need_it(
    tmp_path: Path, index: str
) -> None:
    (tmp_path / "m.yaml").write_text(
        NATIVE + 'include:\n  - {path: native, python: "3.11", cut-short: "==1.0"}\n'
    )
    # Beside the machine's own indexes, which have what else the cells need.
    env = {
        **os.environ,
        "PIP_EXTRA_INDEX_URL": index,
        "UV_HTTP_RETRIES": "1",
        "NO_PROXY": "127.0.0.1",
        "HARNESS_CACHE": str(tmp_path / "store"),
        "UV_CACHE_DIR": str(tmp_path / "uv"),
    }

    def run(name: str) -> list[str]:
        command = [*HARNESS, "run", "m.yaml", "--results", name, "--no-remedies", "--fresh"]
        done = subprocess.run(
            command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False
        )
        assert "Traceback" not in done.stderr, done.stderr
        assert done.returncode == 0, done.stderr
        return statuses(tmp_path / name)

    assert run("cut") == ["pass", "unavailable"]
    Index.is_whole = True
    assert run("whole") == ["pass", "pass"]


# -- the disk and the clock


class Instant:
    """An executor that answers at once."""

    is_here = False
    jobs = places = 2

    def measure(self, order: Order, folder: Path, watch: Watch) -> Answer:
        watch.on_start()
        cell = order.cell
        return Answer(record=CellRecord(id=cell.id, axes=cell.axes.as_dict(), status=Status.PASS))

    def close(self) -> None:
        pass


def made_up(number: int) -> Plan:
    every = [Axes(path="native", python=f"3.11.{n}") for n in range(number)]
    cells = tuple(Cell(id=cell_id(axes), axes=axes) for axes in every)
    return Plan(matrix="m", source="m.yaml", cells=cells)


def ran(plan: Plan, folder: Path) -> None:
    settings = Settings(results=folder / "out", quiet=True)
    with FolderStore(folder / "store") as store:
        workshop = Workshop(store=store, trees={}, remote=Instant())
        execute(plan, settings, QuietDisplay(), workshop)


def test_a_disk_that_fills_while_the_journal_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was written is whole, the reason is told, and the same command goes on from there."""
    real, left = os.write, [3000]

    def write(file: int, data: bytes) -> int:
        if b'"event"' not in data[:20]:
            return real(file, data)
        if left[0] < len(data):
            # As a real disk does it: some of it is written, then there is no room.
            if left[0] > 0:
                written, left[0] = real(file, data[: left[0]]), 0
                return written
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        left[0] -= len(data)
        return real(file, data)

    plan = made_up(10)
    monkeypatch.setattr(os, "write", write)
    left[0] = 6000
    with pytest.raises(MachineFault, match="the disk is full; free some space and run the same"):
        ran(plan, tmp_path)
    monkeypatch.setattr(os, "write", real)
    journal = tmp_path / "out" / "journal.jsonl"
    events = [json.loads(line) for line in journal.read_text().splitlines()]
    done = [event["record"]["id"] for event in events if event["event"] == "cell-finished"]
    assert 0 < len(done) < 10
    ran(plan, tmp_path)
    events = [json.loads(line) for line in journal.read_text().splitlines()]
    every = [event["record"]["id"] for event in events if event["event"] == "cell-finished"]
    assert sorted(every) == sorted(cell.id for cell in plan.cells), "each once"


@pytest.mark.parametrize("step", [-86_400.0, -1.0, 3600.0])
def test_a_clock_that_is_set_while_a_cell_runs(
    cell: Commanded, monkeypatch: pytest.MonkeyPatch, step: float
) -> None:
    """Limits and durations are of a clock that nobody sets."""
    real, calls = time.time, [0]

    def set_again() -> float:
        calls[0] += 1
        return real() + step * calls[0]

    monkeypatch.setattr(time, "time", set_again)
    script = cell.events("start", "import") + "sleep 0.3\n" + cell.events(done=True)
    outcome = cell.sh(script, limits={"phase_s": 15.0})
    assert calls[0], "it is asked for what a cell is told of its start"
    assert outcome.exit_code == 0
    assert 0.3 <= outcome.wall_s < 14
    assert outcome.message in {None, f"ran without namespaces: {cell.isolation.why}"}


def test_results_of_a_clock_that_was_set_back_are_those_of_the_last_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one folder, the order of the journal counts, not what the clock said."""
    plan = made_up(1)
    ran(plan, tmp_path)
    monkeypatch.setattr("harness.workflow.run._now", lambda: "1999-01-01T00:00:00.000+00:00")
    settings = Settings(results=tmp_path / "out", quiet=True, fresh=True, partial=True)
    with FolderStore(tmp_path / "store") as store:
        workshop = Workshop(store=store, trees={}, remote=Failing())
        execute(plan, settings, QuietDisplay(), workshop)
    assert statuses(tmp_path / "out") == ["fail"]


class Failing(Instant):
    def measure(self, order: Order, folder: Path, watch: Watch) -> Answer:
        record = super().measure(order, folder, watch).record
        return Answer(record=_failed(record))


def _failed(record: CellRecord) -> CellRecord:
    return CellRecord(id=record.id, axes=record.axes, status=Status.FAIL, message="no")


def statuses(folder: Path) -> list[str]:
    document = json.loads((folder / "results.json").read_text())
    return [cell["status"] for cell in document["cells"]]

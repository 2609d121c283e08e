"""The path ``rpc`` in real cells: every transport works, says no, and lets no stranger in."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.execute.environment import base_environment
from harness.execute.events import read_events
from harness.execute.sandbox import run as run_job
from harness.model.cell import Axes, Cell, Framework, Limits, cell_id
from harness.model.environment import Provisioned
from harness.model.job import Bind, Job
from harness.model.record import CellRecord
from harness.model.status import Phase, Status
from harness.paths.base import Launch
from harness.paths.rpc import PATH, Rpc
from harness.provision.store import FolderStore, default_root
from harness.workflow.keys import kit_folder
from harness.workflow.preparing import provisioned

from .whole import Whole, probe_of

pytestmark = pytest.mark.live

BOOKWORM, TRIXIE = "4.2.2", "4.5.0"
JAX = Framework(name="jax", version="0.10.2")
OLD_JAX = Framework(name="jax", version="0.4.38")
PROBES = ("init", "train", "call", "callback", "error")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Whole]:
    with FolderStore(default_root()) as store:
        yield Whole(store, tmp_path_factory.mktemp("rpc"))


def axes(transport: str, r: str = TRIXIE) -> Axes:
    # pyRserve needs a numpy before 2, and so a JAX of that time.
    old = transport == "rserve"
    return Axes(
        path="rpc",
        transport=transport,
        r=r,
        python="3.11",
        framework=OLD_JAX if old else JAX,
        pins=(("numpy", "<2"),) if old else (),
    )


def statuses(record: CellRecord) -> dict[str, Status]:
    return {probe.name: probe.status for probe in record.probes}


@pytest.mark.parametrize("r", [BOOKWORM, TRIXIE])
@pytest.mark.parametrize("transport", PATH.transports)
def test_a_transport_does_every_probe(run, transport, r):
    record = run(axes(transport, r), *PROBES)
    assert statuses(record) == dict.fromkeys(PROBES, Status.PASS), record.message
    assert probe_of(record, "train").details["max_relative_difference"] < 1e-6
    assert probe_of(record, "error").details["lost"] == []
    assert record.ending.leftovers == 0
    door = record.identity["rpc"]
    assert door["transport"] == transport
    assert set(door["listens"]) <= {"tcp 127.0.0.1", "unix socket"}


def test_what_is_read_back_of_both_sides(run):
    for transport, bridge in (("zmq", "pbdZMQ"), ("http", "curl"), ("rserve", "Rserve")):
        identity = run(axes(transport), *PROBES).identity
        assert identity["bridge"]["name"] == bridge
        assert identity["r"]["version"] == TRIXIE
        assert identity["python"]["version"].startswith("3.11")
    assert run(axes("rserve"), *PROBES).identity["modules"]["pyRserve"]


def test_after_a_crash_every_probe_says_so(run):
    record = run(axes("socket"), "init", "train", "call", plant="crash")
    assert statuses(record)["train"] is Status.CRASH
    assert "before the call" in (probe_of(record, "train").message or "")


def test_pyrserve_fails_on_a_numpy_of_today(run):
    record = run(
        Axes(path="rpc", transport="rserve", r=TRIXIE, python="3.11", framework=JAX), "init"
    )
    assert (record.status, record.phase) == (Status.FAIL, Phase.BRIDGE)
    assert "np.string_" in (record.message or "")


class Altered(Rpc):
    """The path with one field of the request changed, behind the harness's back."""

    def __init__(self, field: str, value: str, before: str = "") -> None:
        self.field, self.value, self.before = field, value, before

    def launch(self, axes: Axes, provisioned: Provisioned, files: Path) -> Launch:
        plain = super().launch(axes, provisioned, files)
        code = f"""
          dcf <- readLines("request.dcf")
          dcf <- c(dcf[!grepl("^{self.field}:", dcf)], "{self.field}: {self.value}")
          writeLines(dcf, "request.dcf")
          json <- readLines("request.json")
          old <- "\\"{self.field}\\": \\"[^\\"]*\\""
          json <- sub(old, "\\"{self.field}\\": \\"{self.value}\\"", json)
          writeLines(json, "request.json")
          {self.before}
          source("{plain.argv[-1]}")
        """
        lines = (line.strip() for line in code.splitlines())
        return Launch(argv=(*plain.argv[:-1], "-e", "; ".join(line for line in lines if line)))


@pytest.mark.parametrize("transport", PATH.transports)
def test_a_framework_that_is_not_there(run, transport):
    record = run(axes(transport), "init", "call", path=Altered("framework", "torch"))
    probe = probe_of(record, "init")
    assert (probe.status, probe.phase) == (Status.FAIL, Phase.IMPORT)
    assert probe.message == "ModuleNotFoundError: No module named 'torch'"
    assert statuses(record)["call"] is Status.PASS


# R takes its time between the start of a program and what it says to it: one that ends at once
# has ended by then, unless it is made to wait.
SLOW = "writeLines <- function(...) { Sys.sleep(0.2); base::writeLines(...) }"


@pytest.mark.parametrize("before", ["", SLOW], ids=["", "slow"])
@pytest.mark.parametrize("transport", ["socket", "rserve"])
def test_a_python_that_does_not_start_is_noticed_at_once(run, transport, before):
    record = run(axes(transport), "init", "train", path=Altered("python", "/bin/false", before))
    assert record.wall_s < 30
    for probe in record.probes:
        assert (probe.status, probe.phase) == (Status.FAIL, Phase.PYTHON)
        assert "ended by exit status 1" in (probe.message or "")


# Comes to Rserve, or to ZeroMQ, as anybody on the machine could.
VISITORS = {
    "rserve": r"""
import socket, struct, sys
def ask(peer, command, text):
    data = text.encode() + b"\0"
    data += b"\0" * (-len(data) % 4)
    size = len(data)
    head = struct.pack("<IIIIBBH", command, size + 4, 0, 0, 4, size & 255, size >> 8)
    peer.sendall(head + data)
    try:
        reply = peer.recv(1024)
    except ConnectionResetError:
        return False
    return bool(reply) and struct.unpack("<I", reply[:4])[0] & 0xFFFFFF == 0x10001
token = sys.stdin.readline().strip()
peer = socket.socket(socket.AF_UNIX)
peer.settimeout(10)
peer.connect(sys.argv[1])
assert peer.recv(1024).startswith(b"Rsrv")
if token:
    ask(peer, 1, "r\n" + token)
try:
    if ask(peer, 3, "1 + 1"):
        print("let in")
    else:
        print("refused, closed" if peer.recv(1) == b"" else "refused, open")
except (BrokenPipeError, ConnectionResetError):
    print("refused, closed")
""",
    "zmq": r"""
import sys, zmq
context = zmq.Context()
peer = context.socket(zmq.REQ)
peer.linger = 0
peer.plain_username, peer.plain_password = b"r", sys.stdin.readline().strip().encode()
monitor = peer.get_monitor_socket()
peer.connect(sys.argv[1])
peer.send(b"knock")
seen = set()
while monitor.poll(2000) and zmq.Event.DISCONNECTED not in seen:
    from zmq.utils.monitor import recv_monitor_message
    seen.add(zmq.Event(recv_monitor_message(monitor)["event"]))
print(" ".join(sorted(str(event.name) for event in seen)))
""",
}


@pytest.mark.parametrize("transport", PATH.transports)
def test_a_stranger_is_refused_and_no_port_is_open_to_others(run, tmp_path, transport):
    wanted = axes(transport)
    cell = Cell(id=cell_id(wanted), axes=wanted)
    preparation = run.preparation
    preparation.python(preparation.python_name(cell), wanted)
    preparation.r(preparation.r_name(cell), wanted)
    ready = provisioned(preparation.of_cell(cell, PATH))
    assert ready.r is not None
    fields = {"transport": transport, "python": str(ready.python.executable), "cuda": "cpu"}
    (tmp_path / "request.json").write_text(json.dumps(fields))
    lines = (f"{key}: {value}\n" for key, value in fields.items())
    (tmp_path / "request.dcf").write_text("".join(lines))
    (tmp_path / "visitor.py").write_text(VISITORS.get(transport, ""))
    script = Path(__file__).with_name("rpc_stranger.R")
    overlay = ready.python.overlay
    readable = (*ready.python.binds, *ready.r.binds, kit_folder(), PATH.files, script)
    job = Job(
        argv=(str(ready.r.rscript), "--no-init-file", str(script)),
        env={
            **base_environment(os.environ),
            "PATH": "/usr/bin:/bin",
            "HOME": str(tmp_path),
            "HARNESS_KIT": str(kit_folder()),
            "HARNESS_PATH_FILES": str(PATH.files),
            "HARNESS_CELL": str(tmp_path),
            "HARNESS_REQUEST": str(tmp_path / "request.json"),
            "HARNESS_EVENTS": str(tmp_path / "events.jsonl"),
            **({} if overlay is None else {"PYTHONPATH": str(overlay)}),
            **ready.r.env,
        },
        cwd=tmp_path,
        root=ready.r.root,
        binds=(*(Bind(bind) for bind in readable), Bind(tmp_path, writable=True)),
        events=tmp_path / "events.jsonl",
        stdout=tmp_path / "stdout",
        stderr=tmp_path / "stderr",
        limits=Limits(),
    )
    outcome = run_job(job, threading.Event())
    events = read_events(job.events).events
    assert events[-1]["event"] == "done", job.stderr.read_text()
    assert outcome.leftovers == 0
    visits = {event["who"]: event for event in events if event["event"] == "visit"}
    assert {who: visit["let_in"] for who, visit in visits.items()} == {
        "nobody": False,
        "stranger": False,
        "client": True,
    }
    said = {event["event"]: event for event in events}
    ports = said["ports"]["ports"]
    assert all(port.startswith("tcp 127.0.0.1:") for port in ports)
    assert len(ports) == {"socket": 1, "http": 1}.get(transport, 0)
    reasons = {visits[who]["text"] for who in ("nobody", "stranger")}
    expected = {
        "socket": "the connection to the server is closed, but the server lives",
        "zmq": "has not answered within its time",
        "http": "HTTP 401, no token",
        "rserve": "refused, closed",
    }[transport]
    assert all(expected in reason for reason in reasons), reasons
    if transport == "zmq":
        # The handshake failed and the connection is gone: it is not that nobody listened.
        assert "HANDSHAKE_FAILED_AUTH" in said["handshake"]["text"]
        assert "DISCONNECTED" in said["handshake"]["text"]
    if transport != "rserve":
        assert said["served"]["value"] == 42
        assert said["stopped"]["wrong"] is None
    assert "strangers can reach tcp" in said["open"]["text"]
    assert "which is not loopback" in said["open"]["text"]

"""The path ``rpc`` without R: its object, its wire, and a real server with the socket transport."""

from __future__ import annotations

import ast
import contextlib
import importlib
import json
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import harness
from harness.errors import Unavailable
from harness.model.cell import Axes, Framework
from harness.paths.rpc import PATH

from .test_built_in import FILES, provisioned
from .test_built_in import R as TOOLCHAIN

KIT = Path(harness.__file__).parent / "kit"
IN_CELL = sorted(PATH.files.glob("[!_]*.py"))
R_CODE = sorted(PATH.files.glob("*.R"))
PACKAGES = {
    "over_zmq": {"zmq"},
    "over_http": {"starlette", "uvicorn"},
    "over_rserve": {"pyRserve"},
}
TOKEN = "5f" * 32


def axes(transport: str | None) -> Axes:
    jax = Framework(name="jax")
    return Axes(path="rpc", transport=transport, r="4.5.0", python="3.11", framework=jax)


# --- The object -------------------------------------------------------------------------------


def test_the_path_is_registered():
    (entry,) = entry_points(group="harness.paths", name="rpc")
    assert entry.load() is PATH


@pytest.mark.parametrize("transport", PATH.transports)
def test_every_transport_has_its_code_in_both_languages(transport):
    assert (PATH.files / f"over_{transport}.R").is_file()
    assert (PATH.files / f"over_{transport}.py").is_file()
    launch = PATH.launch(axes(transport), provisioned(TOOLCHAIN), FILES)
    assert launch.argv[-1] == str(FILES / "driver.R")
    assert all(PATH.why_not(probe, axes(transport)) is None for probe in PATH.probes)


def test_what_a_transport_needs():
    needs = {name: PATH.requirements(axes(name)) for name in PATH.transports}
    assert needs == {
        "socket": (),
        "zmq": ("pyzmq",),
        "http": ("starlette", "uvicorn"),
        "rserve": ("pyRserve",),
    }


def test_what_the_path_cannot_do():
    assert "teleport" in (PATH.why_not("teleport", axes("socket")) or "")
    assert "socket, zmq, http, rserve" in (PATH.why_not("init", axes("pigeon")) or "")
    with pytest.raises(Unavailable, match="needs an R"):
        PATH.launch(axes("socket"), provisioned(None), FILES)


# --- The code that runs inside ----------------------------------------------------------------


@pytest.mark.parametrize("file", IN_CELL, ids=lambda file: file.name)
def test_python_of_the_oldest_version_with_no_more_than_the_transport_brings(file):
    tree = ast.parse(file.read_text(encoding="utf-8"), feature_version=(3, 7))
    own = {"harness_kit", "harness_transfer", "wire", "server"}
    allowed = set(sys.stdlib_module_names) | own | {"numpy"}
    allowed |= PACKAGES.get(file.stem, set())
    for node in ast.walk(tree):
        assert not isinstance(node, ast.NamedExpr | ast.Match), node.lineno
        if isinstance(node, ast.Import):
            names = {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names = {(node.module or "").partition(".")[0]}
        else:
            continue
        assert names <= allowed
        # Whoever reads one runs what it says.
        assert not names & {"pickle", "marshal", "shelve", "dill"}


@pytest.mark.parametrize("file", [*IN_CELL, *R_CODE], ids=lambda file: file.name)
def test_nothing_from_the_wire_is_run(file):
    code = re.sub(r"#.*", "", file.read_text(encoding="utf-8"))
    assert not re.search(r"\b(unserialize|parse)\(|(?<![.\w])(eval|exec)\(", code)


def test_both_languages_have_the_same_limits():
    python, r = ((PATH.files / f"wire.{ext}").read_text(encoding="utf-8") for ext in ("py", "R"))
    assert "LARGEST = 256 * 1024 * 1024" in python
    assert f"LARGEST <- {256 * 1024 * 1024}\n" in r
    assert "LARGEST_TEXT = 1024 * 1024" in python
    assert f"LARGEST_TEXT <- {1024 * 1024}\n" in r


# --- The wire ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def modules() -> Iterator[dict[str, Any]]:
    """The modules as a cell has them: beside one another, under their own names."""
    sys.path.insert(0, str(PATH.files))
    before = set(sys.modules)
    yield {name: importlib.import_module(name) for name in ("wire", "over_socket")}
    sys.path.remove(str(PATH.files))
    for name in set(sys.modules) - before:
        if name in {"wire", "over_socket"}:
            del sys.modules[name]


@pytest.fixture(scope="module")
def wire(modules: dict[str, Any]) -> Any:
    return modules["wire"]


TEXTS = st.text(st.characters(exclude_characters="\0", codec="utf-8"))
SCALARS = (
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | TEXTS
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner.filter(lambda item: not isinstance(item, float)), max_size=4)
        | st.dictionaries(TEXTS.filter(lambda key: not key.startswith("$")), inner, max_size=4)
    ),
    max_leaves=8,
)


@given(value=VALUES)
def test_a_message_arrives_as_it_was_sent(wire, value):
    message = {"kind": "answer", "value": value}
    assert wire.unpack(wire.pack(message)) == message


@given(values=st.lists(st.floats(), min_size=1))
def test_numbers_arrive_bit_by_bit(wire, values):
    got = wire.plain(wire.unpack(wire.pack({"kind": "x", "value": values}))["value"])
    assert struct.pack(f"<{len(values)}d", *got) == struct.pack(f"<{len(values)}d", *values)


@given(frame=st.binary(max_size=200))
def test_noise_is_refused(wire, frame):
    with pytest.raises(wire.WireError):
        wire.unpack(wire.MAGIC + frame)


@given(at=st.integers(0, 10_000), byte=st.integers(0, 255), cut=st.integers(0, 10_000))
def test_a_damaged_frame_is_refused_or_read_and_nothing_else(wire, at, byte, cut):
    message = {"kind": "call", "args": [[1.5, 2.5], 7.25, {"a": "b"}], "name": "echo"}
    frame = bytearray(wire.pack(message))
    frame[at % len(frame)] = byte
    with contextlib.suppress(wire.WireError):
        wire.unpack(bytes(frame[: cut % (len(frame) + 1)] if cut % 2 else frame))


def frame_of(wire: Any, text: str, arrays: bytes = b"") -> bytes:
    encoded = text.encode()
    return bytes(wire.MAGIC + struct.pack("<I", len(encoded)) + encoded + arrays)


HUGE = struct.pack("<iiii", 1, 2, 2**31 - 1, 2**31 - 1)


@pytest.mark.parametrize(
    ("text", "arrays", "why"),
    [
        ("[]", b"", "says its kind"),
        ('{"kind": 1}', b"", "says its kind"),
        ('{"kind": "x", "v": NaN}', b"", "no JSON"),
        ("[" * 100_000, b"", "no JSON"),
        ('{"kind": "x", "v": {"$array": 0}}', b"", "does not bring"),
        ('{"kind": "x", "v": {"$array": "0"}}', b"", "does not bring"),
        ('{"kind": "x", "v": {"$callback": "f"}}', b"", "has no place"),
        ('{"kind": "x"}', b"HKARRAY1" + HUGE, "cut short"),
        ('{"kind": "x"}', b"HKARRAY1" + struct.pack("<iii", 1, 1, -1), "negative extent"),
        ('{"kind": "x"}', b"HKARRAY1" + struct.pack("<ii", 3, 0), "unknown kind"),
        ('{"kind": "x"}', b"HKARRAY1" + struct.pack("<ii", 1, 9), "too many extents"),
        ('{"kind": "x"}', b"HKARRAY2" + bytes(16), "no array"),
    ],
)
def test_what_no_message_can_be(wire, text, arrays, why):
    with pytest.raises(wire.WireError, match=why):
        wire.unpack(frame_of(wire, text, arrays))


@pytest.mark.parametrize("value", [2**60, {1, 2}, object(), "a\0b", {1: 2}, ["a\0"]])
def test_what_has_no_place_in_a_message(wire, value):
    with pytest.raises(wire.WireError):
        wire.pack({"kind": "x", "value": value})


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        ([True], "bool"),
        ([1j], "complex128"),
        (["2024-02-29"], "datetime64[ns]"),
        (["a"], "U1"),
        ([None], "object"),
        ([2**31], "int64"),
        ([-(2**31)], "int32"),  # R's NA
        ([2**32 - 1], "uint32"),
        ([2**64 - 1, 1], "uint64"),
    ],
)
def test_what_r_has_no_array_for_is_refused(wire, values, dtype):
    numpy = pytest.importorskip("numpy", reason="the tests' own environment has no numpy")
    with pytest.raises(wire.WireError):
        wire.pack({"kind": "x", "value": numpy.array(values, dtype)})


@pytest.mark.parametrize("dtype", ["int8", "uint16", "int32", "int64", "uint64", "f2", "f4", "f8"])
def test_arrays_that_r_has_arrive_whole(wire, dtype):
    numpy = pytest.importorskip("numpy", reason="the tests' own environment has no numpy")
    sent = numpy.array([[1, 2, 3], [4, 5, 6]], dtype)
    got = wire.unpack(wire.pack({"kind": "x", "value": sent}))["value"].numpy()
    assert (got == sent).all()
    assert got.dtype.kind == ("i" if numpy.dtype(dtype).kind in "iu" else "f")
    empty = wire.unpack(wire.pack({"kind": "x", "value": sent[:0]}))["value"]
    assert empty.shape == (0, 3)


# --- The door ---------------------------------------------------------------------------------


def dial(port: int) -> socket.socket:
    peer = socket.create_connection(("127.0.0.1", port), 5)
    peer.settimeout(5)
    return peer


def put(peer: socket.socket, frame: bytes) -> None:
    peer.sendall(struct.pack("<I", len(frame)) + frame)


def get(peer: socket.socket) -> bytes:
    """Return what comes next: a frame, or nothing where the other side closed."""
    try:
        head = peer.recv(4, socket.MSG_WAITALL)
        return peer.recv(struct.unpack("<I", head)[0], socket.MSG_WAITALL) if head else b""
    except ConnectionResetError:
        return b""


def strangers(wire: Any) -> dict[str, bytes]:
    def greeting(**fields: Any) -> bytes:
        frame = wire.pack({"kind": "hello", **fields})
        return bytes(struct.pack("<I", len(frame)) + frame)

    call = wire.pack({"kind": "call", "name": "noop", "args": []})
    return {
        "no token": greeting(),
        "wrong token": greeting(token="0" * 64),
        "a beginning": greeting(token=TOKEN[:-1]),
        "more": greeting(token=TOKEN + "0"),
        "not a text": greeting(token=[TOKEN]),
        "letters": greeting(token="ü" * 64),
        "a call": struct.pack("<I", len(call)) + call,
        "noise": b"GET / HTTP/1.0\r\n\r\n",
        "a giant": struct.pack("<I", 2**31),
        "nothing": b"",
    }


NAMES = list(strangers(importlib.import_module("harness.paths.rpc.wire")))


@pytest.fixture
def door(modules: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A channel that waits in a thread for whoever may come in, and whom it let in."""
    monkeypatch.setattr(modules["over_socket"], "PATIENCE_S", 0.3)
    channel = modules["over_socket"].Channel(TOKEN)
    channel.frames = []
    thread = threading.Thread(target=lambda: channel.frames.append(channel.receive()))
    thread.start()
    yield channel
    # Whatever a test did, somebody comes in at last, so that the thread ends.
    if thread.is_alive():
        with dial(channel.endpoint()["port"]) as peer:
            put(peer, modules["wire"].pack({"kind": "hello", "token": TOKEN}))
            thread.join(5)
    channel.close()
    assert not thread.is_alive()


@pytest.mark.parametrize("name", NAMES)
def test_a_stranger_is_refused_and_the_door_stays_open_for_the_client(door, wire, name):
    port = door.endpoint()["port"]
    with dial(port) as stranger:
        stranger.sendall(strangers(wire)[name])
        assert get(stranger) == b""
    assert door.frames == []
    with dial(port) as client:
        put(client, wire.pack({"kind": "hello", "token": TOKEN}))
        deadline = time.monotonic() + 5
        while not door.frames and time.monotonic() < deadline:
            time.sleep(0.01)
        assert wire.unpack(door.frames[0])["kind"] == "hello"
        # The client is in: nobody else can even knock.
        with pytest.raises(ConnectionRefusedError):
            dial(port)


def test_the_door_is_on_loopback_alone(door):
    assert door._listener.getsockname()[0] == "127.0.0.1"


# --- The server -------------------------------------------------------------------------------


class Server:
    """A real server, and a client that speaks to it."""

    def __init__(self, wire: Any, folder: Path, **asked: str) -> None:
        self.wire, self.folder = wire, folder
        request = {"transport": "socket", "framework": "", "cuda": "cpu", **asked}
        (folder / "request.json").write_text(json.dumps(request))
        self.process = subprocess.Popen(
            [sys.executable, PATH.files / "server.py"],
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=folder,
            env={
                "PATH": "/usr/bin:/bin",
                "HARNESS_KIT": str(KIT),
                "HARNESS_CELL": str(folder),
                "HARNESS_REQUEST": str(folder / "request.json"),
                "HARNESS_EVENTS": str(folder / "events.jsonl"),
            },
        )
        assert self.process.stdin is not None
        self.process.stdin.write(TOKEN.encode() + b"\n")
        self.process.stdin.flush()
        self.peer: socket.socket | None = None

    def wait_for(self, name: str) -> dict[str, Any]:
        path = self.folder / name
        deadline = time.monotonic() + 20
        while not path.exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        return dict(json.loads(path.read_text()))

    def connect(self) -> None:
        self.peer = dial(self.wait_for("rpc-ready.json")["port"])
        assert self.exchange({"kind": "hello", "token": TOKEN})["value"] == self.process.pid

    def exchange(self, message: dict[str, Any]) -> dict[str, Any]:
        assert self.peer is not None
        put(self.peer, self.wire.pack(message))
        return dict(self.wire.unpack(get(self.peer)))

    def call(self, name: str, *args: Any) -> dict[str, Any]:
        return self.exchange({"kind": "call", "name": name, "args": list(args), "phase": "op"})

    def ended(self) -> int:
        return self.process.wait(10)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        for end in (self.peer, self.process.stdin, self.process.stderr):
            if end is not None:
                end.close()


@pytest.fixture
def serve(wire: Any, tmp_path: Path) -> Iterator[Callable[..., Server]]:
    servers: list[Server] = []

    def start(**asked: str) -> Server:
        servers.append(Server(wire, tmp_path, **asked))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


@pytest.fixture
def served(serve: Callable[..., Server]) -> Server:
    server = serve()
    server.connect()
    return server


def test_a_server_does_what_it_is_called_for(served, wire):
    assert served.call("noop")["value"] is None
    assert served.call("echo", 0.1 + 0.2)["value"] == 0.1 + 0.2
    assert wire.plain(served.call("echo", [1 / 3, 1e300])["value"]) == [1 / 3, 1e300]
    reply = served.call("echo", "naïve 'q\"uote'")
    assert (reply["kind"], reply["value"]) == ("result", "naïve 'q\"uote'")
    assert isinstance(reply["cpu_us"], int)


def test_an_exception_arrives_whole_and_the_server_lives_on(served):
    reply = served.call("raise_error", "naïve")
    assert (reply["kind"], reply["class"], reply["message"]) == ("error", "HarnessError", "naïve")
    assert "_deeper" in reply["traceback"]
    assert reply["phase"] == "op"
    assert served.call("noop")["kind"] == "result"


@pytest.mark.parametrize("name", ["system", "__class__", "os.system", "kit", None, ["noop"]])
def test_a_server_has_no_more_functions_than_it_names(served, name):
    reply = served.call(name)
    assert (reply["kind"], reply["class"]) == ("error", "WireError")


def test_a_function_of_the_client_is_called_during_a_call(served):
    f = {"$callback": "f1"}
    reply, heard = served.call("call_back", f, 3), []
    while reply["kind"] == "callback":
        assert reply["name"] == "f1"
        heard.append(reply["args"])
        reply = served.exchange({"kind": "answer", "value": heard[-1][0] * 10.0})
    assert heard == [[0, 1.0], [1, 0.5], [2, 1 / 3]]
    assert (reply["kind"], reply["value"]) == ("result", 30.0)


def test_an_error_of_the_client_reaches_python(served):
    assert served.call("call_failing", {"$callback": "f1"})["kind"] == "callback"
    reply = served.exchange({"kind": "failed", "class": "simpleError", "message": "planted in R"})
    assert reply["value"] == {"raised": True, "class": "RError", "message": "planted in R"}


def test_a_server_leaves_when_it_is_told_to(served):
    assert served.exchange({"kind": "bye"})["kind"] == "result"
    assert served.ended() == 0


def test_a_server_leaves_when_its_client_hangs_up(served):
    assert served.peer is not None
    served.peer.close()
    assert served.ended() == 0


@pytest.mark.faults
def test_a_server_leaves_when_nobody_holds_its_standard_input(serve):
    server = serve()
    server.wait_for("rpc-ready.json")
    server.process.stdin.close()
    assert server.ended() == 1


@pytest.mark.faults
@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's own doing")
def test_a_server_dies_with_the_process_that_started_it(wire, tmp_path):
    # The parent is killed while somebody else keeps the server's standard input open.
    (tmp_path / "request.json").write_text(json.dumps({"transport": "socket", "cuda": "cpu"}))
    env = {
        "PATH": "/usr/bin:/bin",
        "HARNESS_KIT": str(KIT),
        "HARNESS_CELL": str(tmp_path),
        "HARNESS_REQUEST": str(tmp_path / "request.json"),
        "HARNESS_EVENTS": str(tmp_path / "events.jsonl"),
    }
    ours, theirs = os.pipe()
    try:
        code = (
            "import subprocess, sys, time\n"
            f"subprocess.Popen([sys.executable, {str(PATH.files / 'server.py')!r}], stdin={ours})\n"
            "time.sleep(60)\n"
        )
        parent = subprocess.Popen([sys.executable, "-c", code], env=env, pass_fds=(ours,))
        os.write(theirs, TOKEN.encode() + b"\n")
        deadline = time.monotonic() + 20
        while not (tmp_path / "rpc-ready.json").exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        pid = json.loads((tmp_path / "rpc-ready.json").read_text())["pid"]
        os.kill(parent.pid, signal.SIGKILL)
        parent.wait()
        while is_running(pid) and time.monotonic() < deadline:
            time.sleep(0.01)
        assert not is_running(pid)
    finally:
        os.close(ours)
        os.close(theirs)


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state not in {"Z", "X"}


def test_a_server_that_cannot_start_says_why(serve):
    server = serve(transport="pigeon")
    failed = server.wait_for("rpc-failed.json")
    assert failed["headline"] == "ModuleNotFoundError: No module named 'over_pigeon'"
    assert failed["phase"] == "bridge"
    assert server.ended() == 1


def test_what_a_server_leaves_is_for_its_user_alone_and_the_token_is_nowhere(served):
    ready = served.folder / "rpc-ready.json"
    assert ready.stat().st_mode & 0o777 == 0o600
    process = Path(f"/proc/{served.process.pid}")
    places = [process / "cmdline", process / "environ", *served.folder.iterdir()]
    assert not [place for place in places if TOKEN.encode() in place.read_bytes()]


def test_a_message_out_of_turn_ends_the_server(served):
    served.peer.sendall(struct.pack("<I", 8) + b"no frame")
    assert get(served.peer) == b""
    assert served.ended() == 1

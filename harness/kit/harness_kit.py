"""What every Python inside a cell shares: events, timing, faults, data, identity.

Runs beside the framework under test, on Python 3.7 to 3.14 with the standard library alone
(numpy only where data are made or hashed), so nothing of the harness is imported and no syntax
is newer than 3.7.  The protocol is described in ``docs/reference/cell-protocol.md``; the same
things for R are in ``kit.R``.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import math
import os
import struct
import sys
import time
import traceback
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

KIT = os.path.dirname(os.path.abspath(__file__))
if os.path.join(KIT, "frameworks") not in sys.path:
    # Last: a module of the environment under test must never be shadowed by one of the kit's.
    sys.path.append(os.path.join(KIT, "frameworks"))

ROWS, TRAIN_ROWS, PIXELS, CLASSES = 640, 512, 784, 10
BATCH, RATE = 32, 0.001
STEADY = 100
LEFT, RIGHT = [[1.0, 2.0], [3.0, 4.0]], [[5.0, 6.0], [7.0, 8.0]]
"""Factors of the first operation; the oracle outside knows the product."""

TEXT_LIMIT = 16000
"""Characters of a traceback that are kept: the end, where the cause stands."""

LEAST_DRIVER = {"11": 450, "12": 525, "13": 580}
"""Least major version of NVIDIA's driver by the major version of the CUDA runtime."""


class Unsupported(Exception):
    """The path cannot do what the probe asks."""


class Unavailable(Exception):
    """The machine lacks something that the cell needs."""


# --- Events -----------------------------------------------------------------------------------


def plain(value: Any) -> Any:
    """Return ``value`` as something that any JSON parser takes, whatever the framework gave."""
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, float):
        if math.isnan(value):
            return "NaN"
        if math.isinf(value):
            return "Inf" if value > 0 else "-Inf"
        return float(value)
    if isinstance(value, str):
        # A lone surrogate (an undecodable file name) is legal in Python and in no JSON parser.
        return value.encode("utf-8", "backslashreplace").decode("utf-8")
    if isinstance(value, dict):
        return {plain(str(key)): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return plain(str(value))


def say(event: str, **fields: Any) -> None:
    """Append one event; it is in the file when this returns, whatever happens next."""
    record = {"event": event}  # type: Dict[str, Any]
    record.update(fields)
    line = (json.dumps(plain(record)) + "\n").encode("ascii")
    # Opened anew each time: R appends to the same file, and a framework may close what it
    # does not know when it forks.
    descriptor = os.open(
        os.environ["HARNESS_EVENTS"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644
    )
    try:
        while line:
            line = line[os.write(descriptor, line) :]
    finally:
        os.close(descriptor)


_state = {"phase": "start"}


def phase(name: str) -> None:
    """Say that phase ``name`` is entered, so that a crash or a hang is blamed on it."""
    _state["phase"] = name
    say("phase", phase=name, at=time.time())


def current_phase() -> str:
    """Return the phase that was entered last on this side."""
    return _state["phase"]


_others = {}  # type: Dict[int, float]


def count_in(pid: int) -> None:
    """Count the processor time of another process, which works for this one, as well."""
    _others[pid] = 0.0


def cpu_now() -> float:
    """Return the processor time of this process, and of those counted in, in seconds."""
    for pid in _others:
        # One that has ended has no clock any more, and what it had used stays.
        with contextlib.suppress(OSError):
            # The clock of another process, as clock_getcpuclockid() makes its number (Linux).
            _others[pid] = time.clock_gettime(~pid << 3 | 2)
    return time.process_time() + sum(_others.values())


class Stage:
    """Times a block and says so when it ends well; what raised is no measurement."""

    def __init__(self, probe: str, name: str, n: int = 1) -> None:
        self.probe, self.name, self.n = probe, name, n
        self.wall = self.cpu = 0.0

    def __enter__(self) -> Stage:  # noqa: PYI034 - typing.Self is of 3.11
        begin_turn(self.name)
        self.wall, self.cpu = time.perf_counter(), cpu_now()
        return self

    def __exit__(self, kind: object, value: object, trace: object) -> None:
        if kind is None:
            slow_down(self.name, self.wall, self.cpu)
        wall, cpu = time.perf_counter() - self.wall, cpu_now() - self.cpu
        if kind is None:
            end_turn(self.name)
            say("stage", probe=self.probe, name=self.name, wall_s=wall, cpu_s=cpu, n=self.n)


TURN_LIMIT_S, BATCHES = 100.0, 10
_turns = {}  # type: Dict[str, Any]
"""Where a comparison runs two processes side by side: ``role``, ``folder``, ``clocks`` by stage."""


def take_turns(asked: Dict[str, str]) -> None:
    """Do the measured stages together with another process, where the request says so.

    Whatever the machine does meanwhile hits the two processes of a comparison alike.  The request
    says ``1 bridge_load=cpu,noop=wall FOLDER`` to one and ``2 ...`` to the other; a file in the
    folder says that one of them is ready, or done.  Where the clock is that of the processor,
    which is one for both, they work at once, and the kernel gives each a few milliseconds by
    turns; on the wall the one would wait for the other, and so the first works before the second.
    For a driver whose host is Python: elsewhere R takes the turns.
    """
    if asked.get("turns"):
        # The folder comes last, because its name may have blanks.
        role, stages, folder = asked["turns"].split(" ", 2)
        _turns.update(role=int(role), clocks=_clocks(stages.split(",")), folder=folder)


def _clocks(words: List[str]) -> Dict[str, str]:
    """Return the clocks by stage, of words like ``noop=cpu``."""
    return dict(word.split("=", 1) for word in words)  # type: ignore[misc]


def _in_turns(stage: str) -> bool:
    return stage in _turns.get("clocks", ())


def _at_once(stage: str) -> bool:
    return _turns["clocks"][stage] == "cpu"


def _begins(stage: str, *, swapped: bool) -> bool:
    return _at_once(stage) or (_turns["role"] == 1) != swapped


def _mark(name: str, what: str, role: int) -> str:
    return os.path.join(_turns["folder"], "%s.%s.%d" % (name, what, role))


def begin_turn(stage: str, name: Optional[str] = None, *, swapped: bool = False) -> None:
    """Wait until it is this process's turn to do a stage, or a part of it with its own name."""
    if not _in_turns(stage):
        return
    name, other = name or stage, 3 - _turns["role"]
    with open(_mark(name, "ready", _turns["role"]), "w"):
        pass
    _wait_for_turn(_mark(name, "ready" if _begins(stage, swapped=swapped) else "done", other))


def end_turn(stage: str, name: Optional[str] = None, *, swapped: bool = False) -> None:
    """Leave the turn to the other process; return when both have had theirs."""
    if not _in_turns(stage):
        return
    name, other = name or stage, 3 - _turns["role"]
    with open(_mark(name, "done", _turns["role"]), "w"):
        pass
    if _begins(stage, swapped=swapped):
        _wait_for_turn(_mark(name, "done", other))


def _agreed(name: str, number: int) -> int:
    """Return the smaller of the numbers that the two processes have, so that both do as much."""
    mine, other = (_mark(name, "count", role) for role in (_turns["role"], 3 - _turns["role"]))
    # Under its own name once it is written.
    with open(mine + ".new", "w") as file:
        file.write("%d\n" % number)
    os.replace(mine + ".new", mine)
    _wait_for_turn(other)
    with open(other) as file:
        return min(number, int(file.read()))


def _wait_for_turn(file: str) -> None:
    deadline = time.monotonic() + TURN_LIMIT_S
    while not os.path.exists(file):
        if time.monotonic() > deadline:
            raise TimeoutError("the other process never came to " + os.path.basename(file))
        time.sleep(0.002)


_slow = {}  # type: Dict[str, Any]
"""What is to be slowed down on purpose: ``factor``, and ``clocks`` by stage; empty for nothing."""


def slowed(text: str) -> Dict[str, Any]:
    """Return what the request slows down.

    ``1.2 noop=cpu echo=wall`` makes the stage ``noop`` take 1.2 times its processor time, and
    ``echo`` 1.2 times its time on the clock on the wall.
    """
    if not text:
        return {}
    factor, *stages = text.split(" ")
    return {"factor": float(factor), "clocks": _clocks(stages)}


def slow_down(name: str, wall: float, cpu: float) -> None:
    """Work without use until a stage, which began at those times, has taken what it is to take."""
    kind = _slow.get("clocks", {}).get(name)
    if kind is None:
        return
    clock, began = (time.perf_counter, wall) if kind == "wall" else (cpu_now, cpu)
    until = began + _slow["factor"] * (clock() - began)
    while clock() < until:
        pass


def stages_of(probe: str) -> Callable[..., Stage]:
    """Return ``stage(name, n=1)`` for one probe: what a framework's work is timed with."""

    def stage(name: str, n: int = 1) -> Stage:
        return Stage(probe, name, n)

    return stage


def say_process_start(entered: float, cpu: float) -> None:
    """Say how long the process took to its first line (``time.time``, ``process_time`` there)."""
    wall = entered - float(os.environ["HARNESS_SPAWNED_AT"])
    slow = slowed(request().get("slow", ""))
    if "process_start" in slow.get("clocks", {}):
        # As slow_down(), from the first line on: what was loaded since is no part of the start.
        began = time.process_time()
        until = began + (slow["factor"] - 1.0) * cpu
        while time.process_time() < until:
            pass
        cpu += time.process_time() - began
        wall += time.time() - entered
    say(
        "stage",
        probe="init",
        name="process_start",
        wall_s=max(wall, 0.0),
        cpu_s=cpu,
        n=1,
    )


def request() -> Dict[str, str]:
    """Return the request."""
    with open(os.environ["HARNESS_REQUEST"], encoding="utf-8") as file:
        asked = {str(key): str(value) for key, value in json.load(file).items()}
    _slow.clear()
    _slow.update(slowed(asked.get("slow", "")))
    if asked.get("call_seconds"):
        _state["call_seconds"] = asked["call_seconds"]
    return asked


# --- Errors -----------------------------------------------------------------------------------


def innermost(error: BaseException) -> BaseException:
    """Return the exception that started the chain of ``error``."""
    seen = set()
    while id(error) not in seen:
        seen.add(id(error))
        cause = error.__cause__
        if cause is None and not error.__suppress_context__:
            cause = error.__context__
        if cause is None:
            break
        error = cause
    return error


def headline(error: BaseException) -> str:
    """Return class and message of ``error`` in one line."""
    text = " ".join(str(error).split())
    return type(error).__name__ + (": " + text if text else "")


def sentence(error: BaseException) -> str:
    """Return the headline, and the innermost cause where that is another."""
    first, last = headline(error), headline(innermost(error))
    return first if first == last else first + " (caused by " + last + ")"


def say_error(probe: str, error: BaseException, hidden: Optional[str] = None) -> None:
    """Say what ended ``probe``, with the whole chain of tracebacks."""
    text = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    say(
        "error",
        probe=probe,
        phase=_state["phase"],
        **{"class": type(error).__name__},
        message=str(error),
        innermost=headline(innermost(error)),
        traceback=text[-TEXT_LIMIT:],
        hidden=hidden,
    )


def attempt(
    probe: str,
    work: Callable[[], Dict[str, Any]],
    hidden: Callable[[], Optional[str]] = lambda: None,
) -> Dict[str, Any]:
    """Run ``work``; return ``status``, ``phase``, ``message`` and ``details`` of the probe.

    ``hidden`` is asked, after an exception, for what nobody would see otherwise.
    """
    try:
        details = work()
    except Unsupported as error:
        return _ended("unsupported", str(error), getattr(error, "details", {}))
    except Unavailable as error:
        return _ended("unavailable", str(error), getattr(error, "details", {}))
    except (Exception, SystemExit) as error:
        say_error(probe, error, hidden())
        return _ended("fail", sentence(error), {})
    return _ended("pass", None, details)


def _ended(status: str, message: Optional[str], details: Dict[str, Any]) -> Dict[str, Any]:
    return {"status": status, "phase": _state["phase"], "message": message, "details": details}


def say_probe(name: str, ended: Dict[str, Any]) -> None:
    """Say how probe ``name`` ended, in the driver's own view."""
    say("probe", name=name, **ended)


# --- Environment ------------------------------------------------------------------------------


def prepare(asked: Dict[str, str]) -> None:
    """Set what frameworks read from the environment; to be called before one is imported."""
    for name in ("OMP", "MKL", "OPENBLAS", "NUMEXPR", "VECLIB_MAXIMUM"):
        os.environ.setdefault(name + "_NUM_THREADS", "1")
    os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
    os.environ.setdefault("TF_NUM_INTEROP_THREADS", "1")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1")
    if "xla_cpu_multi_thread_eigen" not in os.environ.get("XLA_FLAGS", ""):
        flags = (os.environ.get("XLA_FLAGS", "") + " --xla_cpu_multi_thread_eigen=false").strip()
        os.environ["XLA_FLAGS"] = flags
    # Without this a framework takes all of a GPU's memory, and two cells cannot share one.
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
    if asked.get("backend"):
        os.environ["KERAS_BACKEND"] = asked["backend"]
    if asked.get("cuda", "cpu") == "cpu":
        # A CPU cell stays on the CPU on a machine that has a GPU.
        os.environ["CUDA_VISIBLE_DEVICES"] = "-1"


def framework(name: str) -> Any:
    """Return the module that does the work of framework ``name``, without importing that."""
    return importlib.import_module(name + "_work")


# --- Identity ---------------------------------------------------------------------------------


def libpython() -> Optional[str]:
    """Return the libpython in this process's memory map; ``None`` for a static one."""
    try:
        with open("/proc/self/maps", encoding="utf-8", errors="replace") as file:
            for line in file:
                path = line.rstrip("\n").split(None, 5)[-1]
                name = os.path.basename(path)
                # libpython3.so is a stub that only forwards to the versioned one.
                if name.startswith("libpython") and name != "libpython3.so":
                    return os.path.realpath(path)
    except OSError:
        return None
    return None


def say_identity_of_python() -> None:
    """Say which Python this is."""
    say(
        "identity",
        identity={
            "python": {
                "executable": sys.executable,
                "version": ".".join(str(part) for part in sys.version_info[:3]),
                "prefix": sys.prefix,
                "base_prefix": sys.base_prefix,
                "libpython": libpython(),
            }
        },
    )


MODULES = ("numpy", "keras", "tensorflow", "torch", "jax", "jaxlib")


def say_identity_of_modules() -> None:
    """Say the versions of the modules that are imported now, as each says itself."""
    versions = {}
    for name in MODULES:
        version = getattr(sys.modules.get(name), "__version__", None)
        if version is not None:
            versions[name] = str(version)
    say("identity", identity={"modules": versions})


def nvidia() -> Dict[str, Any]:
    """Ask NVIDIA's driver library what is here: ``driver`` version, ``devices``, ``why_not``.

    ``driver`` is the version of the kernel module where it is readable, ``cuda`` the newest
    runtime that the driver can serve.
    """
    import ctypes

    found = {"driver": None, "cuda": None, "devices": 0, "why_not": None}  # type: Dict[str, Any]
    try:
        with open("/proc/driver/nvidia/version", encoding="utf-8") as file:
            words = file.readline().split()
        numbers = [word for word in words if word[:1].isdigit() and "." in word]
        found["driver"] = numbers[0] if numbers else None
    except OSError:
        pass
    try:
        library = ctypes.CDLL("libcuda.so.1")
    except OSError:
        found["why_not"] = "no NVIDIA driver (libcuda.so.1 cannot be loaded)"
        return found
    number = ctypes.c_int(0)
    if library.cuDriverGetVersion(ctypes.byref(number)) == 0:
        found["cuda"] = "%d.%d" % (number.value // 1000, number.value % 1000 // 10)
    code = library.cuInit(0)
    if code == 0:
        code = library.cuDeviceGetCount(ctypes.byref(number))
    if code != 0:
        found["why_not"] = "the NVIDIA driver finds no device (CUDA error %d)" % code
    elif number.value == 0:
        found["why_not"] = "the NVIDIA driver finds no device"
    else:
        found["devices"] = number.value
    return found


def describe_device(
    asked: str, actual: Optional[str], runtime: Optional[str], why_not: Optional[str]
) -> Dict[str, Any]:
    """Return the part ``device`` of the identity.

    ``actual`` is the device that the framework will compute on, as it names it; ``runtime`` the
    CUDA runtime that it was built for; ``why_not`` what the framework itself lacks.  ``missing``
    is one sentence on why the cell cannot have the device that it asks for, else ``None``.
    """
    kind = None if actual is None else kind_of(actual)
    found = {"driver": None, "why_not": None} if asked == "cpu" else nvidia()
    missing = None
    if asked != "cpu" and kind != "gpu":
        reasons = [text for text in (found["why_not"], why_not) if text]
        reasons = reasons or ["the framework finds no GPU"]
        missing = "CUDA %s is asked for: %s" % (asked, "; ".join(reasons))
        least = LEAST_DRIVER.get(asked.partition(".")[0])
        if least is not None:
            missing += "; it needs an NVIDIA driver of at least %d" % least
    return {
        "requested": asked,
        "actual": actual,
        "kind": kind,
        "driver": found["driver"],
        "runtime": runtime,
        "missing": missing,
    }


def kind_of(device: str) -> str:
    """Return ``gpu`` or ``cpu`` for a device as any framework names it."""
    low = device.lower()
    return "gpu" if "gpu" in low or "cuda" in low else "cpu"


# --- Work -------------------------------------------------------------------------------------


def values_of(result: Any) -> List[float]:
    """Return the elements of a tensor as plain numbers.

    Only plain lists cross a bridge in ``init``: a bridge whose array conversion is broken must
    still be able to show that importing works.
    """
    if not hasattr(result, "tolist"):
        # TensorFlow's tensors; numpy stays on this side of the bridge.
        result = result.numpy()
    flat = []  # type: List[float]
    waiting = [result.tolist() if hasattr(result, "tolist") else result]
    while waiting:
        item = waiting.pop(0)
        if isinstance(item, (list, tuple)):
            waiting = list(item) + waiting
        else:
            flat.append(float(item))
    return flat


def to_numpy(result: Any) -> Any:
    """Return a tensor as the array that a bridge converts."""
    import numpy as np

    return np.asarray(result)


def convert_module() -> Any:
    """Return the code of the probe ``convert``, which no other probe loads."""
    folder = os.path.join(KIT, "convert")
    if folder not in sys.path:
        sys.path.append(folder)
    return importlib.import_module("harness_convert")


def load_convert() -> None:
    """Have the code of the probe ``convert`` found by whoever imports it."""
    convert_module()


def need_framework(asked: Dict[str, str]) -> None:
    """Refuse what needs a framework in a cell that names none."""
    if not asked.get("framework"):
        raise Unsupported("the cell names no framework")


def can_be_tried(probe: str, ended: Dict[str, Any]) -> bool:
    """Say whether ``init``, which ended as ``ended``, got so far that ``probe`` can be tried.

    The small calls need Python alone, training the framework as well.
    """
    if ended["status"] == "pass":
        return True
    if probe in ("call", "callback", "convert", "error", "transfer", "upstream"):
        return ended["phase"] not in ("start", "bridge", "python")
    return bool(ended["phase"] == "op")


def planted(fault: str, values: Any) -> Any:
    """Do the fault that the request plants into ``init``, else return ``values``.

    Each path shows with these that it can say no; it happens on the Python side, at the place
    where the first operation's value is about to be handed over.
    """
    if fault == "crash":
        import ctypes

        ctypes.string_at(0)
    if fault == "hang":
        while True:
            time.sleep(60)
    if fault == "silent":
        # Neither flushes nor unwinds: what a library does that calls exit() behind one's back.
        os._exit(0)
    if fault == "unsupported":
        raise Unsupported("planted: this path is asked for something that it cannot do")
    if fault == "swallow":
        with contextlib.suppress(RuntimeError):
            raise RuntimeError("planted, and swallowed")
        return None
    if fault == "wrong":
        return [float(value) + 1.0 for value in values]
    return values


def init(asked: Dict[str, str]) -> Dict[str, Any]:
    """Do the probe ``init`` in this Python, from the import on; return its details.

    In a cell without a framework there is nothing more to do.
    """
    if not asked.get("framework"):
        say_identity_of_modules()
        return {}
    stage = stages_of("init")
    work = framework(asked["framework"])
    phase("import")
    try:
        with stage("framework_import"):
            work.import_framework()
    finally:
        # Of an import that failed half-way, too: numpy's version is often the reason.
        say_identity_of_modules()
    phase("device")
    with stage("device"):
        device = work.device(asked["cuda"])
    say("identity", identity={"device": device})
    if device["missing"]:
        raise Unavailable(device["missing"])
    phase("op")
    with stage("first_op"):
        result = work.first_op(device["actual"])
        values = planted(asked.get("plant", ""), values_of(result))
    with stage("steady_op", STEADY):
        for _ in range(STEADY):
            result = work.first_op(device["actual"])
        values_of(result)
    return {"values": values, "device": work.device_of(result)}


def train(asked: Dict[str, str], parts: Sequence[Any]) -> Dict[str, Any]:
    """Train on the four ``parts`` in this Python; return the details without the hashes."""
    need_framework(asked)
    work = framework(asked["framework"])
    device = work.device(asked["cuda"])
    if device["missing"]:
        raise Unavailable(device["missing"])
    phase("train")
    return work.train(  # type: ignore[no-any-return]
        stages_of("train"), parts, int(asked["epochs"]), int(asked["seed"]), device["actual"]
    )


# --- Calls ------------------------------------------------------------------------------------

MOST_CALLS, MOST_ERRORS, FEWEST_CALLS, CALLBACKS = 500000, 2000, 5, 4
"""Repetitions of a small call: at most, and at least."""

CALL_SECONDS, TRIAL_SECONDS, LONG_SECONDS = 0.5, 0.02, 0.5
"""How long the repetitions take, a trial that tells how many those are, and one that is too long
to be made twice."""

PLANTED = "planted: na\u00efve 'q\"uote'"
"""With letters that no locale but UTF-8 has, and both kinds of quotes."""

PLANTED_IN_R = "planted in R"


class HarnessError(ValueError):
    """Raised on purpose, by :func:`raise_error`."""


def noop() -> None:
    """Take nothing and return nothing."""


def echo(value: Any) -> Any:
    """Return the argument."""
    return value


def raise_error(text: str) -> None:
    """Raise a :class:`HarnessError`, two calls deep."""
    _deeper(text)


def _deeper(text: str) -> None:
    raise HarnessError(text)


def call_back(function: Callable[[int, float], Any], epochs: int = CALLBACKS) -> float:
    """Call ``function(epoch, loss)`` as training does; return the sum of what came back."""
    return sum(float(function(epoch, 1.0 / (epoch + 1))) for epoch in range(int(epochs)))


def keras_call_back(function: Callable[[int, float], Any], epochs: int = CALLBACKS) -> None:
    """Have Keras call ``function(epoch, loss)`` at the end of each epoch of a small training."""
    framework("keras").train_small(function, int(epochs))


def call_failing(function: Callable[[], Any]) -> Dict[str, Any]:
    """Call a function that fails in its own language; return what Python sees of it."""
    try:
        function()
    except Exception as error:
        return {"raised": True, "class": type(error).__name__, "message": str(error)}
    return {"raised": False, "class": None, "message": None}


def seen_of_error(error: BaseException) -> Dict[str, Any]:
    """Return what Python sees of an exception of its own."""
    text = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    return {
        "raised": True,
        "class": type(error).__name__,
        "message": str(error),
        "traceback": text[-TEXT_LIMIT:],
    }


def echoed_values() -> Dict[str, Any]:
    """Return the values that ``echo`` must give back unharmed, by the protocol's names."""
    return {
        "double": 0.1 + 0.2,
        "integer": 42,
        "logical": True,
        "string": "na\u00efve 'q\"uote'",
        "doubles": [1 / 3, 2 / 3, 1e300],
        "huge": 123456789.123456789,
        "empty": "",
    }


def _repetitions(several: Callable[[int], Any], most: int) -> int:
    """Return how often to do something that ``several(n)`` does n times."""
    count, seconds = 0, 0.0
    while seconds < TRIAL_SECONDS and count < most:
        count = min(count * 4, most) or 1
        begin = time.perf_counter()
        several(count)
        seconds = time.perf_counter() - begin
    if seconds < LONG_SECONDS:
        # Once more: the first may have been disturbed.
        begin = time.perf_counter()
        several(count)
        seconds = min(seconds, time.perf_counter() - begin)
    whole = float(_state.get("call_seconds", CALL_SECONDS))
    return max(FEWEST_CALLS, min(most, int(whole / max(seconds / count, 1e-9))))


def _repeated(probe: str, name: str, work: Callable[[], Any], most: int) -> None:
    """Time ``work`` as a stage, repeated as often as it may."""

    def several(n: int) -> None:
        for _ in range(n):
            work()

    count = _repetitions(several, most)
    if _in_turns(name):
        count = _agreed(name, count)
    if not _in_turns(name) or _at_once(name):
        with Stage(probe, name, count):
            several(count)
        return
    # In batches that alternate with the other process's: mine, its, its, mine, ...
    each = max(1, count // BATCHES)
    parts = []
    for batch in range(BATCHES):
        part, swapped = "%s%d" % (name, batch), batch % 2 == 1
        begin_turn(name, part, swapped=swapped)
        wall, cpu = time.perf_counter(), cpu_now()
        several(each)
        slow_down(name, wall, cpu)
        parts.append((time.perf_counter() - wall, cpu_now() - cpu))
        end_turn(name, part, swapped=swapped)
    wall, cpu = (sum(part) for part in zip(*parts))
    say("stage", probe=probe, name=name, wall_s=wall, cpu_s=cpu, n=each * BATCHES, parts=parts)


def call_probe(noop: Callable[[], Any], echo: Callable[[Any], Any]) -> Dict[str, Any]:
    """Do the probe ``call`` where Python is the host; return its details.

    ``noop`` and ``echo`` go over the bridge and back.
    """
    phase("op")
    with Stage("call", "first_call"):
        first = noop()
    _repeated("call", "noop", noop, MOST_CALLS)
    values = {}
    for name, sent in echoed_values().items():
        ended = attempt("call", lambda sent=sent: {"got": echo(sent)})  # type: ignore[misc]
        kind = "unsupported" if ended["status"] == "unsupported" else "error"
        got = ended["details"].get("got") if ended["status"] == "pass" else {kind: ended["message"]}
        values[name] = [sent, got]
    if not isinstance(values["double"][1], dict):
        _repeated("call", "echo", lambda: echo(values["double"][0]), MOST_CALLS)
    return {"noop": first, "echo": values}


def callback_probe(
    call: Callable[[Callable[[int, float], Any], int], Any],
    heard: Optional[Callable[[int, float], Any]] = None,
    calls: Optional[Callable[[], List[Any]]] = None,
    in_keras: Optional[Callable[[Callable[[int, float], Any], int], Any]] = None,
    light: Callable[[int, float], Any] = lambda epoch, _loss: epoch,
) -> Dict[str, Any]:
    """Do the probe ``callback`` where Python is the host; return its details.

    ``call(heard, epochs)`` goes into :func:`call_back`; ``heard`` is a function of R, and
    ``calls()`` returns what it was called with, as R saw it.  Without them the listener is a
    function of Python, as on ``native``.  ``in_keras(heard, epochs)``, where the cell has
    Keras, goes into :func:`keras_call_back`; it is for the listener of Python.  ``light`` is
    called over and over: a function that does nothing, of the language of ``heard``.
    """
    phase("callback")
    kept = []  # type: List[Any]

    def own(epoch: int, loss: float) -> int:
        kept.append([epoch, loss])
        return epoch * 10

    with Stage("callback", "callback", CALLBACKS):
        result = call(heard or own, CALLBACKS)
    details = {"calls": list(kept) if calls is None else calls(), "result": result}
    count = _repetitions(lambda n: call(light, n), MOST_CALLS)
    with Stage("callback", "steady_callback", count):
        call(light, count)
    if in_keras is not None:
        del kept[:]
        with Stage("callback", "keras_fit", CALLBACKS):
            in_keras(own, CALLBACKS)
        details["keras_calls"] = kept
    return details


def error_probe(
    python_to_r: Callable[[str], Dict[str, Any]], r_to_python: Callable[[], Dict[str, Any]]
) -> Dict[str, Any]:
    """Do the probe ``error`` where Python is the host; return its details.

    ``python_to_r(text)`` has R catch what :func:`raise_error` raises and returns what R sees
    of it (``raised``, ``class``, ``message``, ``traceback``); ``r_to_python()`` has Python
    catch R's error and returns what :func:`call_failing` does, or raises ``Unsupported``.
    """
    phase("error")
    with Stage("error", "first_error"):
        seen = python_to_r(PLANTED)
    _repeated("error", "error", lambda: python_to_r(PLANTED), MOST_ERRORS)
    ended = attempt("error", r_to_python)
    back = ended["details"]
    if ended["status"] == "unsupported":
        back = {"unsupported": ended["message"]}
    elif ended["status"] != "pass":
        back = {"raised": False, "class": None, "message": ended["message"]}
    return {"python_to_r": seen, "r_to_python": back}


# --- Data -------------------------------------------------------------------------------------


def make_data() -> Tuple[Any, Any]:
    """Return the pixels (640 by 784, doubles from 0 to 1) and the labels (0 to 9)."""
    import numpy as np

    i = np.arange(ROWS, dtype=np.int64)[:, None]
    j = np.arange(PIXELS, dtype=np.int64)[None, :]
    y = i % CLASSES
    noise = (i * 7919 + j * 104729 + (i * j) % 9973 * 31) % 256
    proto = np.where((j * 37 + y * 101) % 10 < 3, 255, 0)
    return (proto * 3 + noise) // 4 / 255.0, y[:, 0].astype(np.int32)


def split(x: Any, y: Any) -> Tuple[Any, Any, Any, Any]:
    """Return pixels and labels to train on, then those held back."""
    return x[:TRAIN_ROWS], y[:TRAIN_ROWS], x[TRAIN_ROWS:], y[TRAIN_ROWS:]


def hash_pixels(*parts: Any) -> str:
    """Return the MD5 of the rows of ``parts`` as little-endian doubles, row by row."""
    return _hash(parts, "<f8")


def hash_labels(*parts: Any) -> str:
    """Return the MD5 of ``parts`` as little-endian 32-bit integers."""
    return _hash(parts, "<i4")


def _hash(parts: Sequence[Any], kind: str) -> str:
    import hashlib

    import numpy as np

    digest = hashlib.md5()
    for part in parts:
        digest.update(np.ascontiguousarray(part, dtype=kind).tobytes())
    return digest.hexdigest()


def hashes(parts: Sequence[Any]) -> Dict[str, str]:
    """Return the hashes of the four ``parts``: pixels and labels, as one whole each."""
    return {"x": hash_pixels(parts[0], parts[2]), "y": hash_labels(parts[1], parts[3])}


MAGIC = b"HKARRAY1"


def read_array(path: str) -> Any:
    """Read an array that R's ``write_array`` wrote: doubles or 32-bit integers, by columns."""
    import numpy as np

    with open(path, "rb") as file:
        if file.read(8) != MAGIC:
            raise ValueError(path + " does not begin with HKARRAY1")
        kind, rank = struct.unpack("<ii", file.read(8))
        shape = struct.unpack("<%di" % rank, file.read(4 * rank))
        values = np.frombuffer(file.read(), dtype={1: "<f8", 2: "<i4"}[kind])
    return values.reshape(shape, order="F")


def write_array(path: str, array: Any) -> None:
    """Write an array for R's ``read_array``."""
    import numpy as np

    array = np.asarray(array)
    kind, dtype = (2, "<i4") if array.dtype.kind in "iu" else (1, "<f8")
    with open(path, "wb") as file:
        file.write(MAGIC + struct.pack("<ii", kind, array.ndim))
        file.write(struct.pack("<%di" % array.ndim, *array.shape))
        file.write(array.astype(dtype).tobytes(order="F"))

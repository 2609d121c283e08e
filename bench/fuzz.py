"""Can anything that a stranger hands over do more than be refused in one sentence?

Every parser gets inputs that are near what it reads: good files with bytes exchanged, parts cut
out, doubled or taken from another, numbers made absurd, nesting without end.  What it may do is
read them or raise a ``HarnessError`` of one sentence; anything else, and whatever takes more than
five seconds of the processor, is a finding.  The same number is the same input again.

    python bench/fuzz.py --inputs 100000            all parsers, kept in bench/results/safety.json
    python bench/fuzz.py --only matrix --first 17 --inputs 1
"""

from __future__ import annotations

import argparse
import gzip
import io
import json
import lzma
import os
import random
import re
import tarfile
import tempfile
import time
import traceback
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime
from functools import cache, partial
from hashlib import sha256
from pathlib import Path
from typing import Any, Final
from zlib import crc32

import msgspec

from harness.errors import HarnessError

RESULTS: Final = Path(__file__).parent / "results" / "safety.json"
REPOSITORY: Final = Path(__file__).parents[1]
SLOW_S: Final = 5.0
LARGEST: Final = 60_000
"""Bytes of an input: longer ones are tried one by one in the tests."""
_WORDS: Final = (
    *(b"{", b"}", b"[", b"]", b":", b",", b'"', b"'", b"\n", b"\t", b" ", b"\\", b"/", b"\0"),
    *(b"null", b"true", b"false", b"-1", b"0", b"1e999", b"NaN", b"99999999999999999999", b"-0.0"),
    *(b"../../x", b"/etc/passwd", b".", b"..", b"\x1b]0;x\x07", b"\x1b[2J", b"\xff\xfe"),
    *(b"&a ", b"*a", b"<<: *a", b"!!python/object:os.system x", b"!!binary", b"---\n", b"? "),
    *(b"- ", b"# ", b"path:", b"r:>=", b"(", b")", b"not ", b" or ", b"!", b"*", b"[!", b"=="),
    *(b"| ", b"~=", b"\xc2"),
    *("\u202e".encode(), "\U0001f600".encode(), b"%s", b"{0}", b"$(x)", b"`x`", b"2024-13-45"),
)  # fmt: skip
"""What means something to one of the parsers."""
_OF_A_SEED: Final = 0.97
_MEMORY: Final = "/dev/shm"  # noqa: S108 - a folder of its own is made in it
_STEERS: Final = re.compile("[\x1b\x80-\x84\x86-\x9f\u202a-\u202e\u2066-\u2069]")
"""What begins a command to a terminal, or turns the reading direction."""
SCRATCH: Final = _MEMORY if os.access(_MEMORY, os.W_OK) else None
"""In memory where there is such a folder: a disk takes a hundred times what most parsers take to
write a file over (ext4 then waits for the disk), and ten times what a database takes."""
_HANDED_ON: Final = 8
"""One in so many results that were read goes through every report as well, which takes longest."""

Parse = Callable[[bytes, Path], object]


@dataclass(frozen=True)
class Parser:
    """What reads an input, and good inputs to begin with."""

    parse: Parse
    seeds: Sequence[bytes]


@dataclass
class Account:
    """What came of the inputs of one parser."""

    inputs: int = 0
    read: int = 0
    refused: int = 0
    seconds: float = 0.0
    slowest_s: float = 0.0
    findings: list[str] = field(default_factory=list)


# --- inputs ------------------------------------------------------------------------------------


def mutated(seeds: Sequence[bytes], number: int) -> bytes:
    """Return the input of this number."""
    dice = random.Random(number)  # noqa: S311 - to be repeated, not to be secret
    data = bytearray(dice.choice(seeds)) if dice.random() < _OF_A_SEED else bytearray()
    for _ in range(1 + int(dice.expovariate(0.5))):
        _change(data, seeds, dice)
    return bytes(data[:LARGEST])


def _change(data: bytearray, seeds: Sequence[bytes], dice: random.Random) -> None:
    at = dice.randint(0, len(data))
    end = min(len(data), at + int(dice.expovariate(1 / 20)))
    match dice.randint(0, 9):
        case 0:
            data[at:end] = b""
        case 1:
            data[at:at] = data[at:end] * dice.randint(1, 50)
        case 2 | 3 | 4:
            data[at:end] = dice.choice(_WORDS)
        case 5:
            other = dice.choice(seeds)
            begin = dice.randint(0, len(other))
            data[at:end] = other[begin : begin + dice.randint(1, 200)]
        case 6:
            data[at:end] = dice.randbytes(dice.randint(1, 8))
        case 7:
            data[at:at] = dice.choice(_WORDS) * dice.choice((3, 100, 2000))
        case 8:
            del data[at:]
        case _:
            _exchange_number(data, dice)


def _exchange_number(data: bytearray, dice: random.Random) -> None:
    found = list(re.finditer(rb"\d+(\.\d+)?", bytes(data[:5000])))
    if found:
        number = dice.choice(found)
        absurd = (b"-1", b"0", b"1e400", b"18446744073709551616", b"1e-320", b"999999999")
        data[number.start() : number.end()] = dice.choice(absurd)


# --- parsers -----------------------------------------------------------------------------------


def _written(data: bytes, folder: Path, name: str) -> Path:
    file = folder / name
    file.write_bytes(data)
    return file


def _texts(pattern: str, most: int = 12) -> list[bytes]:
    found = sorted(REPOSITORY.glob(pattern), key=lambda path: path.stat().st_size)
    read = (path.read_bytes()[:LARGEST] for path in found)
    # Some ask the package index which versions there are.
    return [text for text in read if b"every " not in text and b"newest" not in text][:most]


def _entries(pattern: str, most: int) -> list[bytes]:
    """Return the entries of files of lists, so many at a time: whole files take long to read."""
    found = []
    for text in _texts(pattern):
        entries = re.split(rb"(?m)^(?=- )", text)[1:]
        found += [b"".join(entries[at : at + most]) for at in range(0, len(entries), most)]
    return found


def _record(**changes: Any) -> dict[str, Any]:
    cell = {
        "id": "reticulate-1.41__r4.5.0__py3.12__torch2.13.0__cpu",
        "axes": {
            "path": "reticulate", "transport": None, "r": "4.5.0", "bridge": "1.41",
            "python": "3.12", "framework": "torch==2.13.0", "cuda": "cpu", "numpy": ">=1.24,<2",
        },
        "status": "fail", "phase": "import", "cause": "numpy2-vs-module-built-on-1x",
        "message": "A module that was compiled using NumPy 1.x cannot be run in NumPy 2.0",
        "wall_s": 12.5, "resolve_s": 0.5, "provision_s": 3.0, "max_rss_mb": 512.0,
        "identity": {"r": {"version": "4.5.0"}, "modules": {"numpy": "2.0.2", "torch": "2.13.0"}},
        "findings": ["R ran with the C library 2.41"],
        "evidence": {"traceback": "Traceback (most recent call last):\nImportError: x"},
        "probes": [{
            "name": "init", "status": "pass", "details": {"values": [[19.0, 22.0], [43.0, 50.0]]},
            "stages": [{"name": "framework_import", "wall_s": 1.5, "cpu_s": 1.0, "n": 1}],
        }, {"name": "train", "status": "fail", "phase": "import", "message": "no"}],
        "control": "native__py3.12__torch2.13.0__cpu", "lock": "abc", "key": "def",
        "started_at": "2026-11-22T10:00:00.000+00:00",
        "trials": [{"remedy": "older-numpy", "verified": True, "cell": "x", "logs": "cells/x"}],
        "attempts": ["fail", "pass"],
    }  # fmt: skip
    return {**cell, **changes}


@cache
def _documents() -> list[bytes]:
    control = _record(
        id="native__py3.12__torch2.13.0__cpu", status="pass", phase=None, cause=None,
        message=None, control=None, trials=[], attempts=[],
        axes={"path": "native", "python": "3.12", "framework": "torch==2.13.0", "cuda": "cpu"},
    )  # fmt: skip
    cells = [control, _record()]
    document = {
        "schema": 1, "harness": "0.1.0", "matrix": "smoke",
        "machine": {"os": "Debian", "cores": 2, "gpus": []}, "elsewhere": [],
        "started_at": "2026-11-22T10:00:00+00:00", "finished_at": "2026-11-22T10:01:00+00:00",
        "whole": {"smoke": 2}, "planned": [cell["id"] for cell in cells], "cells": cells,
    }  # fmt: skip
    return [json.dumps(document).encode(), json.dumps(document, indent=1).encode()]


@cache
def _journals() -> list[bytes]:
    document = json.loads(_documents()[0])
    planned = [{"id": c["id"], "axes": c["axes"], "key": c["key"]} for c in document["cells"]]
    events: list[dict[str, Any]] = [
        {"event": "run-started", "at": "x", "matrix": "smoke", "harness": "0.1.0", "machine": {}},
        {"event": "planned", "cells": planned, "partial": False, "whole": 2},
        {"event": "cell-started", "id": planned[0]["id"], "key": "def", "at": "x"},
        *({"event": "cell-finished", "record": cell} for cell in document["cells"]),
        {"event": "remedy-tried", "id": planned[1]["id"], "key": "def",
         "trial": {"remedy": "x", "verified": None, "cell": "y"}},
        {"event": "run-finished", "at": "x"},
    ]  # fmt: skip
    return ["".join(json.dumps(event) + "\n" for event in events).encode()]


def _matrix(data: bytes, folder: Path) -> object:
    from harness.workflow.planning import make_plan

    plan = make_plan(_written(data, folder, "m.yaml"))
    return [cell.id for cell in plan.cells[:100]]


def _query(data: bytes, _folder: Path) -> object:
    from harness.query import compile_query

    predicate = compile_query(data.decode("utf-8", "replace"), {"numpy"})
    return predicate({"id": "a", "path": "reticulate", "r": "4.5.0", "framework": "torch==2.1"})


def _results(name: str, data: bytes, folder: Path) -> object:
    """Load results, and hand them to all that reads results."""
    from harness.gate import judge
    from harness.results.load import load
    from harness.results.merge import merge
    from harness.results.neighbours import nearest_passing
    from harness.workflow.reporting import render
    from harness.workflow.why import account, as_text

    for old in folder.iterdir():
        old.unlink()
    _written(data, folder, name)
    results = load(folder)
    merge([results, results])
    if crc32(data) % _HANDED_ON:
        return results
    judge(results, today=date(2026, 11, 22))
    for form in ("terminal", "markdown", "junit", "csv", "json"):
        render(folder, form, to_terminal=False)
    for record in results.cells[:2]:
        nearest_passing(results, record)
        text = as_text(account(folder, record.id))
        assert not _STEERS.search(text), "an escape sequence is printed"
    return results


def _expectations(data: bytes, folder: Path) -> object:
    from harness.gate import load_expectations

    return load_expectations(_written(data, folder, "expect.yaml"))


def _support(data: bytes, folder: Path) -> object:
    from harness.support.load import load_file

    return load_file(_written(data, folder, "torch.yaml"))


def _fixtures(data: bytes, folder: Path) -> object:
    from harness.probes.convert.fixtures import load_fixtures

    _written(data, folder, "f.yaml")
    return load_fixtures.__wrapped__(folder)


def _log(data: bytes, folder: Path) -> object:
    from harness.causes import Evidence, diagnose
    from harness.causes.pasted import read_pasted
    from harness.causes.show import as_json, as_text

    found = diagnose(Evidence(text=read_pasted(str(_written(data, folder, "x.log")))))
    assert not _STEERS.search(as_text(found)), "an escape sequence is printed"
    return as_json(found)


def _recording(data: bytes, folder: Path) -> object:
    from harness.workflow.calibrating import load

    return load(_written(data, folder, "recording.json.gz"))


def _recording_text(data: bytes, folder: Path) -> object:
    return _recording(gzip.compress(data, 1), folder)


def _events(data: bytes, folder: Path) -> object:
    """Read what a cell said, and judge it."""
    from harness.execute.classify import classify
    from harness.execute.events import read_events
    from harness.model.cell import Axes, Cell, Framework
    from harness.model.environment import Interpreter, Lock, Provisioned, PythonEnvironment
    from harness.model.job import End, Outcome
    from harness.workflow.judging import Said, judge_probes
    from harness.workflow.measuring import with_teardown
    from harness.workflow.registry import paths

    log = read_events(_written(data, folder, "events.jsonl"))
    outcome = Outcome(end=End.EXITED, exit_code=0, signal=None, phase=None, wall_s=1.0,
                      max_rss_mb=1.0)  # fmt: skip
    verdict = classify(outcome, log.events, "")
    said = Said.of(with_teardown(log.events, outcome), "")
    axes = Axes(path="native", python="3.12", framework=Framework("torch", "2.13.0"))
    probes = ("init", "call", "callback", "convert", "error", "transfer", "train")
    python = PythonEnvironment(
        executable=Path("/x/bin/python"),
        interpreter=Interpreter(executable=Path("/x"), version="3.12.1", prefix=Path("/x"),
                                libpython=None),
        lock=Lock(text="torch==2.13.0\nnumpy==2.0.0\n", digest=""), binds=(),
    )  # fmt: skip
    records = judge_probes(
        Cell(id="x", axes=axes, probes=probes), paths()["native"],
        Provisioned(python=python, r=None), control=None, heard=said, verdict=verdict,
        variant=None,
    )  # fmt: skip
    return msgspec.json.encode(records)


def _lock(data: bytes, folder: Path) -> object:
    from harness.model.environment import Lock
    from harness.resolve.kept import FILE, read

    _written(data, folder, FILE)
    kept = read(folder)
    text = data.decode("utf-8", "replace") if kept is None else kept.pins or ""
    return Lock(text=text, digest="").versions


def _history(data: bytes, folder: Path) -> object:
    from harness.history.database import Database

    for old in folder.iterdir():
        old.unlink()
    with Database(_written(data, folder, "history.db")) as database:
        return list(database.series())


def _manifest(data: bytes, folder: Path) -> object:
    from harness.bundle.manifest import decode

    return decode(data, "x.pyz", folder)


def _bundle(data: bytes, folder: Path) -> object:
    """Unpack a bundle whose content is ``data``, and see that nothing lies elsewhere."""
    return unpacked(bundle_of(data), folder)


def _zip(data: bytes, folder: Path) -> object:
    return unpacked(data, folder)


def bundle_of(archive: bytes, **changes: Any) -> bytes:
    """Return a bundle with this archive, whose digest and sizes are right."""
    from harness.bundle import start

    packed = lzma.compress(archive, preset=0)
    payload = {"size": len(packed), "sha256": sha256(packed).hexdigest(), "unpacked": 10**6,
               "files": 100}  # fmt: skip
    manifest = {"schema": start.SCHEMA, "payload": {**payload, **changes}}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as bundle:
        bundle.writestr(start.MANIFEST, json.dumps(manifest))
        bundle.writestr(start.PAYLOAD, packed)
    return buffer.getvalue()


def unpacked(data: bytes, folder: Path) -> int:
    """Unpack a bundle into a folder of ``folder``; fail where anything lies beside it."""
    from harness.bundle import start

    file = _written(data, folder, "x.pyz")
    with tempfile.TemporaryDirectory(dir=folder) as name:
        target = Path(name, "inside")
        target.mkdir()
        try:
            return start.unpack(str(file), str(target))
        except (start.Refused, start.NoRoom) as error:
            raise HarnessError(str(error)) from None
        finally:
            beside = {path.name for path in Path(name).iterdir()} - {"inside"}
            assert not beside, f"written outside of the folder: {beside}"
            for path in target.rglob("*"):
                real = path.resolve()
                assert real.is_relative_to(target.resolve()), f"{path.name} leads outside"
                assert path.is_symlink() or path.is_dir() or path.is_file(), "a device"


@cache
def _archives() -> list[bytes]:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name in ("a", "a/b", "a/b/file", "a/link", "top"):
            member = tarfile.TarInfo(name)
            if name in {"a", "a/b"}:
                member.type = tarfile.DIRTYPE
            elif name == "a/link":
                member.type, member.linkname = tarfile.SYMTYPE, "../top"
            else:
                member.size = 5
            archive.addfile(member, io.BytesIO(b"12345") if member.isreg() else None)
    long = io.BytesIO()
    with tarfile.open(fileobj=long, mode="w", format=tarfile.PAX_FORMAT) as archive:
        member = tarfile.TarInfo("d" * 90 + "/" + "é" * 100)
        member.size = 3
        archive.addfile(member, io.BytesIO(b"123"))
    return [buffer.getvalue(), long.getvalue()]


@cache
def _manifests() -> list[bytes]:
    from harness.bundle.manifest import HERE, Manifest, Part, Payload, Start, encode
    from harness.model.cell import Axes, Cell, Plan, cell_id
    from harness.model.environment import Interpreter, Lock, PythonEnvironment, RToolchain
    from harness.workflow.preparing import Prepared

    axes = Axes(path="reticulate", r="4.2.2", python="3.11")
    here = Path(HERE)
    python = PythonEnvironment(
        executable=here / "environment/0/bin/python",
        interpreter=Interpreter(executable=here / "python/0/bin/python3.11", version="3.11.7",
                                prefix=here / "python/0", libpython=None),
        lock=Lock(text="numpy==2.0.0\n", digest="x"), binds=(here / "python/0",),
    )  # fmt: skip
    r = RToolchain(version="4.2.2", rscript=here / "r/0/R/bin/Rscript", root=None, packages={},
                   source="debian:bookworm", digest="x", binds=(here / "r/0",),
                   env={"R_LIBS": f"{HERE}/r/0/library-0"})  # fmt: skip
    manifest = Manifest(
        schema=1, harness="0.1.0", matrix="m", machine="x86_64 Linux", system_site=False,
        plan=Plan(matrix="m", source="m.yaml", cells=(Cell(id=cell_id(axes), axes=axes),)),
        cells={cell_id(axes): Prepared(python=python, r=r)},
        parts=(Part(kind="r", folder="r/0", version="R 4.2.2", source="debian:bookworm", size=1,
                    files=1, digest="x", libc="2.36"),),
        start=Start(python="python/0/bin/python3.11", site="harness"),
        payload=Payload(size=1, sha256="x", unpacked=1, files=1),
    )  # fmt: skip
    return [encode(manifest)]


@cache
def _databases() -> list[bytes]:
    from harness.history.database import Database
    from harness.results.load import load

    with tempfile.TemporaryDirectory() as name:
        file = Path(name, "h.db")
        _written(_documents()[0], Path(name), "results.json")
        with Database(file) as database:
            database.add(load(Path(name)))
        return [file.read_bytes()]


@cache
def _event_seeds() -> list[bytes]:
    events = [
        {"event": "phase", "phase": "start", "at": 1.0},
        {"event": "identity", "identity": {"python": {"version": "3.12.1"}, "modules": {}}},
        {"event": "stage", "probe": "init", "name": "first_op", "wall_s": 0.1, "cpu_s": 0.1},
        {"event": "probe", "probe": "init", "status": "pass",
         "details": {"values": [[19.0, 22.0], [43.0, 50.0]], "device": "cpu"}},
        {"event": "probe", "probe": "train", "status": "pass",
         "details": {"losses": [2.3, 1.0], "accuracy": 0.9, "x_sha": {"made": "a"}}},
        {"event": "probe", "probe": "transfer", "status": "pass", "details": {"kinds": []}},
        {"event": "error", "probe": "call", "kind": "x", "message": "m", "traceback": "t"},
        {"event": "finding", "text": "noticed"},
        {"event": "done"},
    ]  # fmt: skip
    return ["".join(json.dumps(event) + "\n" for event in events).encode()]


_QUERIES: Final = (
    b"path:reticulate r:>=4.2 framework:torch status:crash",
    b"(path:rpc or not r:4.5) and !bridge:<1.34 id:x*",
    b'"a b" python:>=3.10,<3.13 numpy:==1.26',
)


@cache
def _recorded() -> bytes:
    """Return the beginning of a real recording."""
    file = REPOSITORY / "bench/results/latency-verdict.json.gz"
    recording = json.loads(gzip.decompress(file.read_bytes()))
    series = recording["series"][0]
    recording["series"] = [{**series, "samples": series["samples"][:4]}]
    return json.dumps(recording).encode()


def parsers() -> dict[str, Parser]:
    """Return every parser by name."""
    return {
        "matrix": Parser(_matrix, _texts("matrices/*.yaml")),
        "query": Parser(_query, _QUERIES),
        "results": Parser(partial(_results, "results.json"), _documents()),
        "journal": Parser(partial(_results, "journal.jsonl"), _journals()),
        "expectations": Parser(_expectations, [_EXPECTED]),
        "support": Parser(_support, _texts("matrices/support/*.yaml", 4)),
        "fixtures": Parser(_fixtures, _entries("matrices/fixtures/*.yaml", 8)),
        "log": Parser(_log, _texts("tests/logs/*/*", 40)),
        "recording": Parser(_recording, [gzip.compress(_recorded(), mtime=0)]),
        "recording, unpacked": Parser(_recording_text, [_recorded()]),
        "events of a cell": Parser(_events, _event_seeds()),
        "lock": Parser(_lock, [b"torch==2.13.0\nnumpy==2.0.2 ; x\n# c\n",
                               b'{"asked": 1.0, "pins": "a==1\\n"}']),
        "history": Parser(_history, _databases()),
        "manifest of a bundle": Parser(_manifest, _manifests()),
        "archive of a bundle": Parser(_bundle, _archives()),
        "bundle": Parser(_zip, [bundle_of(one) for one in _archives()]),
    }  # fmt: skip


_EXPECTED: Final = b"""\
expectations:
  - cells: path:reticulate bridge:<1.34 python:>=3.12
    status: fail
    cause: numpy2-vs-old-reticulate
    reason: an old bridge, and no newer one for this R
    owner: somebody
    until: 2027-06-30
"""


# --- the account -------------------------------------------------------------------------------


def attempt(parser: Parser, data: bytes, name: str, folder: Path, account: Account) -> None:
    """Give a parser one input, and count what came of it; ``name`` is how a finding says which."""
    started = time.process_time()
    try:
        parser.parse(data, folder)
        account.read += 1
    except HarnessError as error:
        account.refused += 1
        if "\n" in str(error).strip() or not str(error).strip():
            account.findings.append(f"{name}: not one sentence: {str(error)[:200]!r}")
    except Exception:  # noqa: BLE001 - that is what is looked for
        # Without the places of this machine, which are nobody's business.
        told = traceback.format_exc().replace(f"{REPOSITORY}/", "")
        last = told.strip().splitlines()
        account.findings.append(f"{name}: {' | '.join(last[-4:])[:600]}")
    took = time.process_time() - started
    account.inputs += 1
    account.slowest_s = max(account.slowest_s, took)
    if took > SLOW_S:
        account.findings.append(f"{name}: took {took:.1f} s")


def keep(section: str, found: Mapping[str, Any], **about: Any) -> None:
    """Write accounts into the kept ones; of parsers that were left out, that of before stays."""
    document = json.loads(RESULTS.read_bytes()) if RESULTS.exists() else {}
    known = document.get(section, {}).get("parsers", {})
    now = datetime.now(UTC).isoformat(timespec="seconds")
    document[section] = {"at": now, **about, "parsers": {**known, **found}}
    RESULTS.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def fuzz(parser: Parser, *, first: int, inputs: int, limit_s: float = 1e9) -> Account:
    """Give a parser so many inputs, and return what came of them."""
    account = Account()
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="harness-fuzz-", dir=SCRATCH) as name:
        folder = Path(name)
        for number in range(first, first + inputs):
            attempt(parser, mutated(parser.seeds, number), str(number), folder, account)
            if time.monotonic() - began > limit_s:
                break
    account.seconds = round(time.monotonic() - began, 1)
    account.slowest_s = round(account.slowest_s, 3)
    return account


def show(name: str, account: Account) -> None:
    """Print what came of the inputs of one parser."""
    print(
        f"{name}: {account.inputs} inputs, {account.read} read, {account.refused} refused, "
        f"{len(account.findings)} findings, slowest {account.slowest_s:.2f} s",
        flush=True,
    )
    for line in account.findings[:5]:
        print(f"  {line}")


def main() -> int:
    """Fuzz, keep the account, and return 1 where anything was found."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--inputs", type=int, default=100_000)
    options.add_argument("--first", type=int, default=0)
    options.add_argument("--limit", type=float, default=1e9, help="seconds for each parser")
    options.add_argument("--only", action="append", default=[])
    options.add_argument("--keep", action="store_true", help=f"write {RESULTS.name}")
    given = options.parse_args()
    os.environ["HARNESS_CACHE"] = tempfile.mkdtemp(prefix="harness-fuzz-cache-")
    found: dict[str, Any] = {}
    for name, parser in parsers().items():
        if given.only and name not in given.only:
            continue
        account = fuzz(parser, first=given.first, inputs=given.inputs, limit_s=given.limit)
        found[name] = asdict(account)
        show(name, account)
    if given.keep:
        keep("near misses", found, first=given.first)
    return int(any(one["findings"] for one in found.values()))


if __name__ == "__main__":
    raise SystemExit(main())

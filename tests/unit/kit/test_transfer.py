"""What crosses: the same values as the oracle knows, and a driver that carries them."""

from __future__ import annotations

import importlib
import time
from typing import Any

import pytest

from harness.probes.transfer import HASHES

pytest.importorskip("numpy", reason="the values are numpy's arrays")


@pytest.fixture
def transfer(kit: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    module = importlib.import_module("harness_transfer")
    monkeypatch.setattr(module, "LARGEST", dict.fromkeys(module.KINDS, 1000))
    monkeypatch.setattr(module, "STEADY_S", 0.001)
    monkeypatch.setattr(module, "TELLING", 1)
    # What has no pandas here is told as such; its parts are hashed below.
    monkeypatch.setitem(module.NEEDS, "frame", "no_such_module")
    return module


@pytest.mark.parametrize("n", [1, 1000, 10_000])
@pytest.mark.parametrize("kind", ["doubles", "integers", "strings"])
def test_the_values_are_those_that_the_oracle_knows(transfer, kind, n):
    assert transfer.hash_values(kind, transfer.make_values(kind, n)) == HASHES[kind][n]


@pytest.mark.parametrize("n", [1, 1000])
def test_a_data_frame_is_hashed_by_its_columns(transfer, n):
    parts = {"x": "doubles", "i": "integers", "s": "strings"}
    columns = {name: transfer.make_values(kind, n) for name, kind in parts.items()}
    assert transfer.hash_values("frame", columns) == HASHES["frame"][n]
    columns["i"][0] += 1
    assert transfer.hash_values("frame", columns) != HASHES["frame"][n]


def test_the_probe_where_python_is_the_host(transfer, events):
    kinds = transfer.transfer_probe(transfer.Crossing())["kinds"]
    assert kinds["frame"] == {"unsupported": "the cell's Python has no no_such_module"}
    for kind in ("doubles", "integers", "strings"):
        sizes = kinds[kind]["sizes"]
        assert [size["n"] for size in sizes] == [1, 1000]
        for size in sizes:
            assert size["made"] == size["arrived"] == size["returned"]
    # A copy is no shared memory.
    assert kinds["doubles"]["sizes"][0]["shared"] == {"to_python": False, "to_r": False}
    assert kinds["strings"]["sizes"][0]["shared"] == {"to_python": None, "to_r": None}
    names = [said["name"] for said in events() if said["event"] == "stage"]
    assert names[:2] == ["doubles_to_python_1", "doubles_to_r_1"]
    assert len(names) == 12


def test_the_same_memory_is_seen(transfer):
    class ByReference(transfer.Crossing):
        def to_python(self, kind: str) -> Any:
            return self.made

    shared = transfer.transfer_probe(ByReference())["kinds"]["doubles"]["sizes"][0]["shared"]
    assert shared == {"to_python": True, "to_r": False}


def test_a_harmed_value_is_seen(transfer):
    class Harmful(transfer.Crossing):
        def to_r(self, kind: str, values: Any) -> None:
            super().to_r(kind, values)
            if kind == "integers":
                self.returned[-1] += 1

    kinds = transfer.transfer_probe(Harmful())["kinds"]
    size = kinds["integers"]["sizes"][0]
    assert size["made"] == size["arrived"] != size["returned"]


def test_what_would_take_too_long_is_not_tried(transfer, monkeypatch):
    monkeypatch.setattr(transfer, "LONGEST_S", -1.0)
    seen = transfer.transfer_probe(transfer.Crossing())["kinds"]["doubles"]
    assert [size["n"] for size in seen["sizes"]] == [1]
    assert seen["ended"].startswith("1e3 would take about")


def test_one_slow_measurement_does_not_decide(transfer, monkeypatch):
    monkeypatch.setattr(transfer, "LARGEST", dict.fromkeys(transfer.KINDS, 10_000))

    class Disturbed(transfer.Crossing):
        calls = 0

        def to_python(self, kind: str) -> Any:
            found = super().to_python(kind)
            # Once, of the thousand.
            if kind == "doubles" and len(found) == 1000:
                self.calls += 1
                time.sleep(0.6 if self.calls == 1 else 0)
            return found

    seen = transfer.transfer_probe(Disturbed())["kinds"]["doubles"]
    assert [size["n"] for size in seen["sizes"]] == [1, 1000, 10_000]
    assert seen["ended"] is None


def test_a_limit_ends_a_kind_and_an_error_fails_it(transfer, kit):
    class Narrow(transfer.Crossing):
        def make(self, kind: str, n: int) -> str:
            if kind == "doubles" and n > 1:
                raise kit.Unsupported("one at most")
            if kind == "integers" and n > 1:
                raise MemoryError("no more")
            if kind == "strings":
                raise kit.Unsupported("no texts")
            return super().make(kind, n)

    kinds = transfer.transfer_probe(Narrow())["kinds"]
    assert kinds["doubles"]["ended"] == "one at most"
    assert len(kinds["doubles"]["sizes"]) == 1
    assert kinds["integers"]["error"] == "MemoryError: no more"
    assert kinds["strings"] == {"unsupported": "no texts"}


def test_a_path_that_carries_nothing_says_so(transfer, kit):
    class Mute(transfer.Crossing):
        def why_not(self, kind: str) -> str:
            return "mute"

    with pytest.raises(kit.Unsupported, match="mute"):
        transfer.transfer_probe(Mute())


@pytest.mark.parametrize(
    ("kind", "brought"),
    [
        ("doubles", 0.0),
        ("doubles", [0.0]),
        ("integers", -500000),
        ("strings", "v0000000"),
        ("strings", ("v0000000",)),
    ],
)
def test_one_value_may_arrive_bare(transfer, kind, brought):
    transfer.hold(kind, brought)
    assert transfer.held_hash(kind) == HASHES[kind][1]
    assert len(transfer.give_plainly(kind)) == 1


def test_the_growth_of_this_process(transfer):
    mark = transfer.mark_memory()
    if mark is None:
        pytest.skip("this kernel does not forget the peak of a process")
    kept = bytearray(b"x" * 50_000_000)
    assert 40 < transfer.grown_mb(mark) < 200
    assert len(kept) == 50_000_000
    assert transfer.grown_mb(None) is None


def test_the_time_of_another_process_is_counted_in(kit):
    import subprocess
    import sys

    code = "print('up', flush=True)\nwhile True: pass"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as child:
        try:
            assert child.stdout is not None
            child.stdout.readline()
            before = kit.cpu_now()
            kit.count_in(child.pid)
            assert kit.cpu_now() > before
        finally:
            child.kill()
    # It has ended: what it had used stays, and nothing is raised.
    assert kit.cpu_now() > before

"""Values by the million, teardown, memory and cold starts, in real cells."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from harness.model.cell import Axes, Limits
from harness.model.record import CellRecord
from harness.model.status import Status
from harness.probes.transfer import KINDS
from harness.provision.store import FolderStore, default_root

from .whole import Whole, probe_of

pytestmark = pytest.mark.live

TRIXIE = "4.5.0"
# What every path knows, pyRserve as well.
PINS = (("numpy", "<2"), ("pandas", "<2.3"))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Whole]:
    with FolderStore(default_root()) as store:
        yield Whole(store, tmp_path_factory.mktemp("transfer"))


def axes(path: str, transport: str | None = None, bridge: str | None = None) -> Axes:
    return Axes(
        path=path,
        transport=transport,
        r=None if path == "native" else TRIXIE,
        bridge=bridge,
        python="3.11",
        pins=PINS,
    )


ROUTES = (
    axes("native"),
    axes("reticulate", bridge="1.41"),
    axes("rpy2", bridge="3.6.9"),
    axes("system"),
    axes("rpc", "socket"),
    axes("rpc", "rserve"),
)
# Half a minute each: the others run every night.
QUICK = (ROUTES[0], ROUTES[1], ROUTES[4])
EACH = [one if one in QUICK else pytest.param(one, marks=pytest.mark.long) for one in ROUTES]


def name_of(one: Axes) -> str:
    return f"{one.path}-{one.transport}" if one.transport else one.path


def transferred(run: Whole, one: Axes) -> CellRecord:
    # How long it takes is the machine's business.
    return run(one, "init", "transfer", limits=Limits(phases_s={"convert": 1200.0}))


@pytest.mark.parametrize("one", EACH, ids=name_of)
def test_everything_crosses_unharmed(run, one):
    record = transferred(run, one)
    probe = probe_of(record, "transfer")
    assert (probe.status, probe.message) == (Status.PASS, None)
    assert "unsupported" not in probe.details
    for kind in KINDS:
        largest = probe.details["kinds"][kind]["sizes"][-1]
        assert largest["n"] >= 1000
        assert largest["mb_per_s"]["to_python"] > 0


def test_what_shares_its_memory_and_what_does_not(run):
    def shared(path: str) -> dict[str, bool | None]:
        record = transferred(run, next(one for one in ROUTES if name_of(one) == path))
        sizes = probe_of(record, "transfer").details["kinds"]["doubles"]["sizes"]
        # Of the largest: how large that is depends on the machine.
        return sizes[-1]["shared"]

    # An array that reticulate hands to Python is R's own memory; back, it is a copy.
    assert shared("reticulate") == {"to_python": True, "to_r": False}
    assert shared("rpc-socket") == {"to_python": None, "to_r": None}
    assert shared("native") == {"to_python": False, "to_r": False}


@pytest.mark.parametrize("one", EACH, ids=name_of)
def test_the_end_of_the_process_is_a_stage(run, one):
    stages = {stage.name: stage for stage in probe_of(transferred(run, one), "init").stages}
    assert 0 < stages["teardown"].wall_s < 30
    assert stages["teardown"].cpu_s is None


def test_the_memory_of_each_process_has_a_name(run):
    def peaks(path: str) -> dict[str, float]:
        record = transferred(run, next(one for one in ROUTES if name_of(one) == path))
        assert record.processes[0].role == "host"
        return {one.role: one.peak_mb for one in record.processes}

    # 80 MB were in both.
    rpc = peaks("rpc-socket")
    assert rpc["host"] > 100
    assert rpc["python"] > 100
    rserve = peaks("rpc-rserve")
    assert rserve["python"] > 100
    assert rserve["r"] > 100
    assert peaks("reticulate")["host"] > 100
    assert set(peaks("native")) == {"host"}


def test_the_processor_s_time_is_that_of_both_processes(run):
    record = run(axes("system"), "init", "call")
    noop = next(stage for stage in probe_of(record, "call").stages if stage.name == "noop")
    # Python starts each time: R, which only waits for it, takes a few milliseconds.
    assert noop.cpu_s / noop.n > 0.01


def test_a_cold_start_comes_beside_the_warm_one(run):
    record = run(axes("native"), "init", "call", cold=True)
    assert record.status is Status.PASS
    assert [(probe.name, probe.cold) for probe in record.probes] == [
        ("init", False),
        ("call", False),
        ("init", True),
    ]
    pages = record.probes[-1].details["pages"]
    assert pages["files"] > 100
    if pages["before_mb"]:
        assert pages["after_mb"] < pages["before_mb"]

"""Every installed path proves that it can say no: what is planted is reported as what it is.

A path that a plugin adds is asked the same.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from harness.model.cell import Cell, Limits
from harness.model.record import CellRecord
from harness.model.status import Phase, Status
from harness.provision.provisioner import Provisioner
from harness.provision.store import FolderStore, default_root
from harness.resolve import Resolver
from harness.workflow import measuring
from harness.workflow.display import make_display
from harness.workflow.measuring import Measurement, measure
from harness.workflow.planning import make_plan
from harness.workflow.preparing import Preparation
from harness.workflow.registry import paths
from harness.workflow.request import write_request

pytestmark = pytest.mark.live

WAYS = [
    (name, transport) for name, path in paths().items() for transport in path.transports or (None,)
]
# numpy before 2, and a jax of its time: pyRserve knows no other.
MATRIX = """
axes:
  path: [{path}]
  r: [4.5.0]
  python: ["3.11"]
  framework: [jax==0.4.38]
  numpy: ["<2"]
  {transport}
controls: false
probes: [init]
"""


class Planter:
    """Runs a cell of each path as a run does it, but with a fault planted into the request."""

    def __init__(self, store: FolderStore, folder: Path) -> None:
        provisioner = Provisioner(store)
        resolver = Resolver(store, provisioner.sources)
        display = make_display(quiet=True)
        self.preparation = Preparation(provisioner, resolver, tuple(paths().values()), display)
        self.folder = folder
        self.made: set[str] = set()

    def cell(self, path: str, transport: str | None) -> Cell:
        matrix = self.folder / f"{path}-{transport}.yaml"
        line = "" if transport is None else f"transport: [{transport}]"
        matrix.write_text(MATRIX.format(path=path, transport=line), encoding="utf-8")
        (cell,) = make_plan(matrix).cells
        return cell

    def plant(
        self,
        way: tuple[str, str | None],
        fault: str,
        limits: Limits = Limits(),  # noqa: B008 - frozen
        probes: tuple[str, ...] = ("init",),
    ) -> CellRecord:
        cell = msgspec.structs.replace(self.cell(*way), limits=limits, probes=probes)
        python, r = self.preparation.python_name(cell), self.preparation.r_name(cell)
        for name, make in ((python, self.preparation.python), (r, self.preparation.r)):
            if name is not None and name not in self.made:
                make(name, cell.axes)
                self.made.add(name)
        path = paths()[cell.axes.path]
        prepared = self.preparation.of_cell(cell, path)
        if prepared.refusal is not None:
            pytest.skip(prepared.refusal.message)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(measuring, "write_request", requesting(fault))
            return measure(
                Measurement(
                    cell=cell,
                    path=path,
                    prepared=prepared,
                    control=None,
                    folder=self.folder / cell.id / fault,
                    cancel=threading.Event(),
                    on_phase=lambda _phase: None,
                )
            )


def requesting(fault: str) -> Callable[..., None]:
    """Return what writes a request in which a fault is planted."""

    def write(folder: Path, *args: Any, **kwargs: Any) -> None:
        write_request(folder, *args, **kwargs)
        fields = msgspec.json.decode((folder / "request.json").read_bytes()) | {"plant": fault}
        (folder / "request.json").write_bytes(msgspec.json.encode(fields))
        with (folder / "request.dcf").open("a", encoding="utf-8") as file:
            file.write(f"plant: {fault}\n")

    return write


@pytest.fixture(scope="module")
def planter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Planter]:
    # The home of a test is its own, but what was brought for another test need not come twice.
    with FolderStore(default_root()) as store:
        yield Planter(store, tmp_path_factory.mktemp("planted"))


def each_way(test: Callable[..., None]) -> Callable[..., None]:
    ids = ["-".join(filter(None, way)) for way in WAYS]
    return pytest.mark.parametrize("way", WAYS, ids=ids)(test)


@each_way
@pytest.mark.parametrize(
    ("fault", "status", "message"),
    [
        ("wrong", Status.FAIL, "but the product is"),
        ("swallow", Status.FAIL, "gave no value"),
        ("unsupported", Status.UNSUPPORTED, "planted"),
    ],
)
def test_what_python_says_is_said(planter, way, fault, status, message):
    record = planter.plant(way, fault)
    assert record.status is status
    assert message in record.probes[0].message


@each_way
def test_a_crash_is_a_crash(planter, way):
    record = planter.plant(way, "crash")
    assert (record.status, record.phase) == (Status.CRASH, Phase.OP)
    assert "SIGSEGV" in record.message


@each_way
def test_a_silent_exit_is_no_success(planter, way):
    record = planter.plant(way, "silent")
    assert (record.status, record.phase) == (Status.FAIL, Phase.OP)
    assert record.message


@each_way
def test_a_hang_is_a_hang_and_nothing_of_it_is_left(planter, way):
    record = planter.plant(way, "hang", Limits(phases_s={"op": 10.0}))
    assert (record.status, record.phase) == (Status.TIMEOUT, Phase.OP)


@each_way
def test_what_stops_the_training_is_not_blamed_on_the_start(planter, way):
    # No training takes as little as that; to the harness, one that is too slow is one that hangs.
    limits = Limits(phase_s=1200.0, phases_s={"train": 0.01})
    record = planter.plant(way, "nothing", limits, ("init", "train"))
    _, train = record.probes
    is_ours = type(paths()[way[0]]).__module__.startswith("harness.")
    if train.status is Status.UNSUPPORTED and not is_ours:
        pytest.skip(f"{way[0]} does not train, and says so: {train.message}")
    assert [(probe.name, probe.status) for probe in record.probes] == [
        ("init", Status.PASS),
        ("train", Status.TIMEOUT),
    ]
    assert (record.status, record.phase) == (Status.TIMEOUT, Phase.TRAIN)

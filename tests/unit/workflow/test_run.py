"""A run whose cells are measured elsewhere: what is journalled, merged, and run again."""

from __future__ import annotations

import errno
import json
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest

from harness.errors import FileFault, MachineFault, UsageError
from harness.executors.base import Answer, Order, Watch
from harness.journal.writer import Journal
from harness.model.cell import Axes, Cell, Limits, Plan, cell_id
from harness.model.document import OTHER_SHARD, Machine, Results
from harness.model.record import CellRecord
from harness.model.status import Status
from harness.plan.shard import shard
from harness.provision.store import FolderStore
from harness.results.load import load
from harness.workflow.display import QuietDisplay
from harness.workflow.merging import merge_folders
from harness.workflow.run import Settings, Workshop, execute, exit_code_of, run_plan

FULL = (
    ": the disk is full; free some space and run the same command again, which goes on where this "
    "run stopped"
)
FAR = Machine(os="Debian GNU/Linux 13", cores=64)


def record(cell: Cell, status: Status = Status.PASS, **fields: Any) -> CellRecord:
    return CellRecord(id=cell.id, axes=cell.axes.as_dict(), status=status, **fields)


class Elsewhere:
    """An executor that answers at once, as ``say`` has it."""

    is_here = False
    jobs = places = 2

    def __init__(self, say: Callable[[Order], Answer]) -> None:
        self.say = say
        self.orders: list[Order] = []

    def measure(self, order: Order, folder: Path, watch: Watch) -> Answer:
        self.orders.append(order)
        watch.on_start()
        return self.say(order)

    def close(self) -> None:
        pass


def passing(order: Order) -> Answer:
    return Answer(record=record(order.cell), machine=FAR)


def plan(*pythons: str, cuda: str = "cpu") -> Plan:
    cells = []
    for python in pythons:
        control = Axes(path="native", python=python, cuda=cuda)
        other = Axes(path="system", python=python, r="4.5.0", cuda=cuda)
        cells.append(Cell(id=cell_id(control), axes=control, probes=("init",)))
        cells.append(
            Cell(id=cell_id(other), axes=other, probes=("init",), control=cell_id(control))
        )
    return Plan(matrix="m", source="m.yaml", cells=tuple(cells), whole=len(cells))


def run(
    what: Plan,
    folder: Path,
    say: Callable[[Order], Answer] = passing,
    **settings: Any,
) -> tuple[Results, Elsewhere]:
    executor = Elsewhere(say)
    with FolderStore(folder / "store") as store:
        execute(
            what,
            Settings(results=folder / "out", quiet=True, **settings),
            QuietDisplay(),
            Workshop(store=store, trees={}, remote=executor),
        )
    return load(folder / "out"), executor


def test_every_cell_is_ordered_once_with_what_is_known_of_its_control(tmp_path: Path) -> None:
    results, executor = run(plan("3.11", "3.12"), tmp_path, again=2)
    assert [one.status for one in results.cells] == [Status.PASS] * 4
    orders = {order.cell.id: order for order in executor.orders}
    assert len(orders) == len(executor.orders) == 4
    for order in executor.orders:
        assert order.again == 2
        assert order.key
        assert (None if order.control is None else order.control.id) == order.cell.control
    again, executor = run(plan("3.11", "3.12"), tmp_path)
    assert executor.orders == []
    assert again.cells == results.cells


def test_what_could_not_be_had_is_asked_for_again(tmp_path: Path) -> None:
    def without_network(order: Order) -> Answer:
        had = order.cell.axes.python == "3.11"
        return Answer(record=record(order.cell, Status.PASS if had else Status.UNAVAILABLE))

    whole = plan("3.11", "3.12")
    run(whole, tmp_path, without_network)
    results, executor = run(whole, tmp_path)
    assert {order.cell.axes.python for order in executor.orders} == {"3.12"}
    assert [one.status for one in results.cells] == [Status.PASS] * 4


def test_what_could_not_be_had_stays_so_where_nobody_came_to_ask_again(tmp_path: Path) -> None:
    def say(order: Order) -> Answer:
        return Answer(record=record(order.cell, Status.UNAVAILABLE, message="no network"))

    def ended(order: Order) -> Answer:
        raise KeyboardInterrupt

    run(plan("3.11"), tmp_path, say)
    with pytest.raises(KeyboardInterrupt):
        run(plan("3.11"), tmp_path, ended)
    assert {one.message for one in load(tmp_path / "out").cells} == {"no network"}


@pytest.mark.parametrize("journal", [None, "", '{"kind": "plan"'], ids=["none", "empty", "cut"])
def test_a_run_does_not_write_over_merged_results(tmp_path: Path, journal: str | None) -> None:
    """They are no journal's, which is what a run's results come from."""
    out = tmp_path / "out"
    run(plan("3.11", "3.12"), tmp_path)
    (out / "journal.jsonl").unlink()
    if journal is not None:
        (out / "journal.jsonl").write_text(journal)
    before = (out / "results.json").read_bytes()
    for fresh in (False, True):
        with pytest.raises(UsageError) as told:
            run(plan("3.11"), tmp_path, fresh=fresh, partial=not fresh)
        assert str(told.value) == (
            f"{out} has results.json and no journal of a run, so a run there would write over "
            "these results: name another folder with --results, and then put both together with "
            "`harness merge`"
        )
    assert (out / "results.json").read_bytes() == before
    assert len(load(out).cells) == 4


def test_a_run_is_begun_anew_where_one_has_ended(tmp_path: Path) -> None:
    run(plan("3.11", "3.12"), tmp_path)
    for _ in range(2):
        results, executor = run(plan("3.11", "3.12"), tmp_path, fresh=True)
        assert len(executor.orders) == 4
        assert [one.status for one in results.cells] == [Status.PASS] * 4
    assert (tmp_path / "out" / "journal.previous.jsonl").stat().st_size


def test_a_run_is_begun_anew_beside_a_journal_that_cannot_be_read(tmp_path: Path) -> None:
    run(plan("3.11"), tmp_path)
    (tmp_path / "out" / "journal.jsonl").write_text('{"event":"planned","schema":99}\n')
    results, _ = run(plan("3.11"), tmp_path, fresh=True)
    assert [one.status for one in results.cells] == [Status.PASS] * 2


@pytest.mark.parametrize("fresh", [True, False])
def test_a_run_that_was_killed_as_it_was_begun_anew_goes_on(tmp_path: Path, fresh: bool) -> None:
    run(plan("3.11", "3.12"), tmp_path)
    Journal(tmp_path / "out", fresh=True).close()
    results, executor = run(plan("3.11", "3.12"), tmp_path, fresh=fresh)
    assert len(executor.orders) == 4
    assert [one.status for one in results.cells] == [Status.PASS] * 4


def test_where_a_cell_was_measured_is_kept(tmp_path: Path) -> None:
    def say(order: Order) -> Answer:
        here = order.cell.axes.path == "native"
        return Answer(record=record(order.cell), machine=None if here else FAR)

    results, _ = run(plan("3.11"), tmp_path, say)
    native, system = (cell.id for cell in results.cells)
    assert results.machine_of(system) == FAR
    assert results.machine_of(native) != FAR
    assert results.machine_of(native).kernel


def test_a_cell_that_was_given_up_is_missing_and_the_next_run_s(tmp_path: Path) -> None:
    def lost(order: Order) -> Answer:
        return Answer(record=record(order.cell, Status.MISSING, message="lost", lost_workers=2))

    results, _ = run(plan("3.11"), tmp_path, lost)
    assert [(one.status, one.lost_workers) for one in results.cells] == [(Status.MISSING, 2)] * 2
    results, executor = run(plan("3.11"), tmp_path)
    assert len(executor.orders) == 2
    assert [one.status for one in results.cells] == [Status.PASS] * 2


def test_a_defect_is_one_cell_s_and_a_fault_ends_the_run(tmp_path: Path) -> None:
    def say(order: Order) -> Answer:
        if order.cell.axes.path == "native":
            raise ZeroDivisionError("division by zero")
        return passing(order)

    results, _ = run(plan("3.11"), tmp_path, say)
    assert [one.status for one in results.cells] == [Status.MISSING, Status.PASS]
    assert "ZeroDivisionError: division by zero" in (results.cells[0].message or "")

    def fault(order: Order) -> Answer:
        raise MachineFault("a worker of head:8786: the disk is full")

    with pytest.raises(MachineFault, match="the disk is full"):
        run(plan("3.12"), tmp_path / "other", fault)
    kept = json.loads((tmp_path / "other" / "out" / "results.json").read_text())
    assert {cell["status"] for cell in kept["cells"]} == {"missing"}


def test_a_disk_that_fails_ends_the_run_and_is_no_cell_s(tmp_path: Path) -> None:
    def full(order: Order) -> Answer:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(MachineFault) as told:
        run(plan("3.11"), tmp_path, full)
    assert str(told.value) == f"{tmp_path}/out{FULL}"
    assert "cell-finished" not in (tmp_path / "out" / "journal.jsonl").read_text()
    results, _ = run(plan("3.11"), tmp_path)
    assert [one.status for one in results.cells] == [Status.PASS] * 2


def test_a_results_disk_that_is_full_is_told_by_what_found_it(
    tmp_path: Path, small_disk: Callable[..., Path]
) -> None:
    """And not by the results document, which has no room then either."""
    out = small_disk("out")

    def filling(order: Order) -> Answer:
        with (out / "filler").open("ab", buffering=0) as filler, suppress(OSError):
            while True:
                filler.write(b"x" * 4096)
        (out / "request.json").write_text("no room")
        return passing(order)

    with pytest.raises(MachineFault) as told:
        run(plan("3.11"), tmp_path, filling)
    assert str(told.value) == f"{out}{FULL}"


def test_a_gpu_that_is_not_here_may_be_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.workflow.measuring.gpu", lambda: None)
    results, executor = run(plan("3.11", cuda="12"), tmp_path)
    assert len(executor.orders) == 2
    assert [one.status for one in results.cells] == [Status.PASS] * 2


def test_cells_that_wait_for_a_gpu_hold_up_no_others(tmp_path: Path) -> None:
    whole = plan("3.10", "3.11", "3.12", "3.13", cuda="12")
    cpu = plan("3.11")
    measured = threading.Event()

    def say(order: Order) -> Answer:
        if order.cell.id == cpu.cells[-1].id:
            measured.set()
        elif order.cell.axes.cuda == "12":
            # A worker with a GPU comes when all others have been measured.
            assert measured.wait(5)
        return passing(order)

    both = msgspec.structs.replace(whole, cells=(*whole.cells, *cpu.cells))
    results, executor = run(both, tmp_path, say)
    assert len(executor.orders) == len(both.cells) > executor.jobs
    assert {one.status for one in results.cells} == {Status.PASS}


def test_what_a_path_cannot_do_need_not_be_sent(tmp_path: Path) -> None:
    asked = plan("3.11")
    native = msgspec.structs.replace(asked.cells[0], probes=("seed",))
    results, executor = run(msgspec.structs.replace(asked, cells=(native,)), tmp_path)
    assert executor.orders == []
    assert results.cells[0].status is Status.UNSUPPORTED


def test_a_lost_shard_shows_as_missing_after_the_merge(tmp_path: Path) -> None:
    whole = plan("3.10", "3.11", "3.12")
    parts = []
    for number in (1, 3):
        place = tmp_path / str(number)
        results, _ = run(shard(whole, number, 3), place, partial=True)
        assert len(results.planned) == 2
        assert len(results.others) == 4
        parts.append(place / "out")
    merged = merge_folders(parts, tmp_path / "merged")
    assert set(merged.planned) == {cell.id for cell in whole.cells}
    lost = {one.id: one for one in merged.cells if one.status is Status.MISSING}
    assert lost.keys() == {cell.id for cell in shard(whole, 2, 3).cells}
    for cell in shard(whole, 2, 3).cells:
        assert lost[cell.id].message == OTHER_SHARD
        assert lost[cell.id].axes == cell.axes.as_dict()
        assert lost[cell.id].control == cell.control


def test_shards_that_follow_each_other_in_one_folder_are_the_whole(tmp_path: Path) -> None:
    whole = plan("3.10", "3.11")
    run(shard(whole, 1, 2), tmp_path, partial=True)
    results, _ = run(shard(whole, 2, 2), tmp_path, partial=True)
    assert set(results.planned) == {cell.id for cell in whole.cells}
    assert results.others == ()


def test_an_executor_that_is_none_costs_no_result(tmp_path: Path) -> None:
    run(plan("3.11"), tmp_path)
    settings = Settings(results=tmp_path / "out", quiet=True, fresh=True, executor="slurm")
    with pytest.raises(UsageError, match="write 'local', dask://HOST:PORT"):
        run_plan(plan("3.11"), settings)
    assert [one.status for one in load(tmp_path / "out").cells] == [Status.PASS] * 2


@pytest.mark.parametrize(
    ("native", "system", "code"),
    [
        (Status.PASS, Status.UNAVAILABLE, 0),
        (Status.FAIL, Status.FAIL, 0),
        (Status.PASS, Status.MISSING, 3),
        (Status.UNAVAILABLE, Status.UNAVAILABLE, 3),
        (Status.UNAVAILABLE, Status.SKIPPED, 3),
        (Status.UNAVAILABLE, Status.UNSATISFIABLE, 0),
    ],
)
def test_a_run_that_measured_nothing_is_not_green(
    native: Status, system: Status, code: int, tmp_path: Path
) -> None:
    ends = {"native": native, "system": system}
    what = plan("3.11")
    run(what, tmp_path, lambda order: Answer(record=record(order.cell, ends[order.cell.axes.path])))
    assert exit_code_of(what, tmp_path / "out") == code


@pytest.mark.parametrize("link", ["cells", "cells/native__py3.11__cpu"])
def test_a_link_in_the_place_of_a_cells_folder_is_refused(tmp_path: Path, link: str) -> None:
    # Before anything is run: at the cell itself, hours may have passed.
    (tmp_path / "elsewhere").mkdir()
    place = tmp_path / "out" / link
    place.parent.mkdir(parents=True)
    place.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(FileFault, match="is a link"):
        run(plan("3.11"), tmp_path)
    assert not (tmp_path / "out" / "journal.jsonl").exists()


def test_a_link_in_the_place_of_the_merged_logs_is_refused(tmp_path: Path) -> None:
    run(plan("3.11"), tmp_path)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "merged").mkdir()
    (tmp_path / "merged" / "cells").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(FileFault, match="merged/cells: is a link"):
        merge_folders([tmp_path / "out"], tmp_path / "merged")


def test_a_journal_that_cannot_be_read_is_told_before_anything_is_run(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    newer = '{"event":"run-started","matrix":"m","schema":99}\n'
    (tmp_path / "out" / "journal.jsonl").write_text(newer)

    def never(_order: Order) -> Answer:
        raise AssertionError("its result would be lost")

    with pytest.raises(FileFault, match="update the harness"):
        run(plan("3.11"), tmp_path, never, fresh=True, partial=True)
    assert (tmp_path / "out" / "journal.jsonl").read_text() == newer


@pytest.mark.parametrize("fresh", [True, False])
def test_a_run_that_was_killed_before_its_first_word_is_begun_again(
    tmp_path: Path, fresh: bool
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "journal.jsonl").write_text('{"event":"run-sta')
    results, _ = run(plan("3.11"), tmp_path, fresh=fresh, partial=True)
    assert [one.status for one in results.cells] == [Status.PASS] * 2


@pytest.mark.parametrize("named", ["below/../out", "link", "link/../out"])
def test_a_folder_of_results_is_known_by_its_path_from_the_top(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: str
) -> None:
    """A cell is shown its folder at that path, and below ``/tmp`` nothing of what is beside it."""
    real = tmp_path / "real" / "out"
    real.mkdir(parents=True)
    (tmp_path / "real" / "below").mkdir()
    monkeypatch.chdir(tmp_path / "real")
    Path("link").symlink_to(real)
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "real" / "below" / ".." / "store"))
    seen: list[tuple[Path, Path]] = []

    def note(what: Plan, settings: Settings, display: object, workshop: Workshop) -> None:
        seen.append((settings.results, workshop.store.root))
        run(what, settings.results.parent)

    monkeypatch.setattr("harness.workflow.run.execute", note)
    run_plan(plan("3.11"), Settings(results=Path(named), quiet=True))
    assert seen == [(real, tmp_path / "real" / "store")]


@pytest.mark.parametrize("status", [Status.OOM, Status.TIMEOUT, Status.FAIL])
def test_what_ended_at_a_limit_is_run_again_within_another(tmp_path: Path, status: Status) -> None:
    def within(memory_mb: int) -> Plan:
        whole = plan("3.11")
        limits = Limits(memory_mb=memory_mb, phases_s={"import": 9.0})
        cells = [msgspec.structs.replace(cell, limits=limits) for cell in whole.cells]
        return msgspec.structs.replace(whole, cells=tuple(cells))

    def end(order: Order) -> Answer:
        is_first = order.cell.limits.memory_mb == 100
        ended = status if is_first and order.cell.control else Status.PASS
        return Answer(record=record(order.cell, ended))

    run(within(100), tmp_path, end)
    _, executor = run(within(100), tmp_path, end)
    assert executor.orders == []
    results, executor = run(within(200), tmp_path, end)
    again = [] if status is Status.FAIL else [within(200).cells[1].id]
    assert [order.cell.id for order in executor.orders] == again
    assert results.cells[1].status is (Status.FAIL if status is Status.FAIL else Status.PASS)
    _, executor = run(within(300), tmp_path, end)
    assert executor.orders == []

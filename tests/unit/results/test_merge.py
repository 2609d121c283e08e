from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import UsageError
from harness.model.document import OTHER_SHARD, Machine, Other, Results, encode
from harness.model.record import CellRecord
from harness.model.status import Status
from harness.results.merge import merge

RECORD = st.builds(
    CellRecord,
    id=st.sampled_from(["py3.9", "py3.10", "py3.010", "b", "c"]),
    axes=st.just({"path": "native"}),
    status=st.sampled_from([Status.PASS, Status.FAIL, Status.UNAVAILABLE, Status.MISSING]),
    message=st.sampled_from([None, "x", "y"]),
    started_at=st.sampled_from(["", "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"]),
)
MACHINE = st.builds(Machine, cores=st.integers(0, 2))


@st.composite
def documents(draw) -> Results:
    records = draw(st.lists(RECORD, max_size=4, unique_by=lambda record: record.id))
    planned = [record.id for record in records] + draw(
        st.lists(st.just("only-planned"), max_size=1)
    )
    return Results(
        harness=draw(st.sampled_from(["", "0.9.0", "0.10.0"])),
        matrix=draw(st.sampled_from(["smoke", "gate"])),
        machine=draw(MACHINE),
        started_at=draw(st.sampled_from(["", "2026-01-01", "2026-01-02"])),
        finished_at=draw(st.sampled_from([None, "2026-01-03", "2026-01-04"])),
        planned=tuple(planned),
        cells=tuple(records),
        others=tuple(
            Other(id=cell, axes={"path": "native"})
            for cell in draw(st.lists(st.sampled_from(["b", "c", "d"]), max_size=2, unique=True))
            if cell not in planned
        ),
    )


@settings(deadline=None)  # a shared machine may stall any single example
@given(st.lists(documents(), min_size=1, max_size=4), st.randoms())
def test_neither_order_nor_repetition_matters(shards, random):
    whole = merge(shards)
    again = [*shards, random.choice(shards)]
    random.shuffle(again)
    assert encode(merge(again)) == encode(whole)


@settings(deadline=None)  # a shared machine may stall any single example
@given(st.lists(documents(), min_size=2, max_size=4), st.integers(1, 3))
def test_merging_in_steps_comes_to_the_same(shards, cut):
    head, tail = shards[:cut], shards[cut:]
    stepwise = merge([merge(head), *([merge(tail)] if tail else [])])
    assert encode(stepwise) == encode(merge(shards))


@settings(deadline=None)  # a shared machine may stall any single example
@given(st.lists(documents(), min_size=1, max_size=4))
def test_every_planned_cell_is_there_once(shards):
    merged = merge(shards)
    assert list(merged.planned) == [record.id for record in merged.cells]
    planned = {cell for shard in shards for cell in shard.planned}
    assert set(merged.planned) == planned | {o.id for shard in shards for o in shard.others}
    lost = {record.id for record in merged.cells if record.message == OTHER_SHARD}
    assert not lost & planned


def test_a_measured_record_beats_a_later_missing_one(make_document, make_record):
    measured = make_document(make_record("a", "fail", started_at="2026-01-01"))
    missing = make_document(make_record("a", "missing", started_at="2026-02-01"))
    assert merge([measured, missing]).cells[0].status is Status.FAIL


def test_the_later_measurement_counts(make_document, make_record):
    early = make_document(make_record("a", "pass", started_at="2026-01-01"))
    late = make_document(make_record("a", "fail", started_at="2026-02-01"))
    assert merge([late, early]).cells[0].status is Status.FAIL


def test_cells_stand_in_natural_order(make_document, make_record):
    shards = [make_document(make_record(cell)) for cell in ("py3.10", "py3.9")]
    assert merge(shards).planned == ("py3.9", "py3.10")


def test_each_cell_keeps_its_machine(make_document, make_record):
    small, large = Machine(cores=2), Machine(cores=64)
    one = make_document(make_record("a"), make_record("b"), machine=small)
    other = make_document(make_record("c"), machine=large)
    merged = merge([other, one])
    assert merged.machine == small
    assert {cell: merged.machine_of(cell).cores for cell in "abc"} == {"a": 2, "b": 2, "c": 64}


def test_several_matrices_are_named(make_document):
    both = merge([make_document(matrix="smoke"), make_document(matrix="gate")])
    assert both.matrix == "gate+smoke"
    assert merge([both, make_document(matrix="smoke")]).matrix == "gate+smoke"


def test_nothing_to_merge():
    with pytest.raises(UsageError, match="nothing to merge"):
        merge([])


def test_a_merged_document_can_be_read_back(make_document, make_record):
    merged = merge([make_document(make_record("a")), make_document(make_record("b"))])
    assert msgspec.json.decode(encode(merged), type=Results) == merged


def test_the_cells_of_a_lost_shard_are_missing(make_document, make_record):
    axes = {"path": "native", "python": "3.12"}
    one = make_document(make_record("a"))
    other = Other(id="b", axes=axes, control="c")
    merged = merge([msgspec.structs.replace(one, others=(other,))])
    assert merged.planned == ("a", "b")
    lost = merged.cells[1]
    assert (lost.status, lost.message) == (Status.MISSING, OTHER_SHARD)
    assert (lost.axes, lost.control) == (axes, "c")
    assert merged.others == ()


def test_a_shard_that_comes_late_takes_its_place(make_document, make_record):
    one = msgspec.structs.replace(make_document(make_record("a")), others=(Other(id="b", axes={}),))
    late = msgspec.structs.replace(
        make_document(make_record("b")), others=(Other(id="a", axes={}),)
    )
    merged = merge([merge([one]), late])
    assert [record.status for record in merged.cells] == [Status.PASS, Status.PASS]


def test_a_cell_that_its_own_shard_did_not_get_to_says_why(make_document, make_record):
    one = msgspec.structs.replace(make_document(make_record("a")), others=(Other(id="b", axes={}),))
    cut = make_document(make_record("b", "missing", message="Started, but cut short."))
    assert merge([one, cut]).cells[1].message == "Started, but cut short."


@pytest.mark.parametrize("status", [Status.UNAVAILABLE, Status.SKIPPED])
def test_what_one_machine_could_not_try_leaves_what_another_measured(status: Status) -> None:
    """A laptop without a GPU, or a node without R, takes no result from the one that has it."""

    def of(status: Status, day: int) -> Results:
        record = CellRecord(id="a", axes={}, status=status, started_at=f"2026-01-0{day}T00:00:00Z")
        return Results(matrix="m", machine=Machine(cores=day), planned=("a",), cells=(record,))

    for measured in (Status.PASS, Status.CRASH, Status.UNSATISFIABLE):
        shards = [of(measured, 1), of(status, 2), of(Status.MISSING, 3)]
        assert [cell.status for cell in merge(shards).cells] == [measured]
        assert merge(shards).machine == Machine(cores=1)
    assert [cell.status for cell in merge([of(status, 1), of(Status.MISSING, 2)]).cells] == [status]
    older, newer = of(Status.PASS, 1), of(Status.FAIL, 2)
    assert [cell.status for cell in merge([newer, older]).cells] == [Status.FAIL]

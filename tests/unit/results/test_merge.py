from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import UsageError
from harness.model.document import Machine, Results, encode
from harness.model.record import CellRecord
from harness.model.status import Status
from harness.results.merge import merge

RECORD = st.builds(
    CellRecord,
    id=st.sampled_from(["py3.9", "py3.10", "py3.010", "b", "c"]),
    axes=st.just({"path": "native"}),
    status=st.sampled_from([Status.PASS, Status.FAIL, Status.MISSING]),
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
    assert set(merged.planned) == {cell for shard in shards for cell in shard.planned}


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

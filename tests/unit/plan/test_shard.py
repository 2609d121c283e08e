"""Shards: every cell in one of them, and none that takes much longer than the others."""

from __future__ import annotations

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.cli.plan import command
from harness.errors import UsageError
from harness.model.cell import Axes, Cell, Plan
from harness.plan.shard import MOST, Cost, parse_shard, shard, shards


def plan(*groups: int, implied: bool = False) -> Plan:
    """A plan of groups, each a control and so many cells that need it."""
    cells = []
    for number, size in enumerate(groups):
        python = f"3.{number}"
        control = f"native__py{python}"
        axes = Axes(path="native", python=python)
        cells.append(Cell(id=control, axes=axes, implied=implied and size > 0))
        cells += [
            Cell(
                id=f"reticulate{n}__py{python}",
                axes=Axes(path="reticulate", python=python, r=f"4.{n}"),
                control=control,
            )
            for n in range(size)
        ]
    return Plan(matrix="m", source="m.yaml", cells=tuple(cells))


GROUPS = st.lists(st.integers(0, 4), min_size=1, max_size=8)
SECONDS = st.floats(0.0, 1000.0)


@given(GROUPS, st.integers(1, 6), st.booleans(), st.data())
def test_every_cell_is_in_one_shard_and_the_rest_is_said_to_be_elsewhere(
    groups: list[int], count: int, implied: bool, data: st.DataObject
) -> None:
    whole = plan(*groups, implied=implied)
    known = data.draw(st.sets(st.sampled_from([cell.id for cell in whole.cells])))
    costs = {name: Cost(run_s=data.draw(SECONDS), make_s=data.draw(SECONDS)) for name in known}
    parts = [shard(whole, number, count, costs) for number in range(1, count + 1)]
    own = [cell.id for part in parts for cell in part.cells if not cell.implied]
    assert sorted(own) == sorted(cell.id for cell in whole.cells if not cell.implied)
    for part in parts:
        ids = {cell.id for cell in part.cells}
        assert {cell.control for cell in part.cells if cell.control} <= ids, "controls come along"
        assert {cell.id for cell in part.others} == {cell.id for cell in whole.cells} - ids
    listed = shards(whole, count, costs)
    counts = {f"{number}/{count}": len(part.cells) for number, part in enumerate(parts, 1)}
    assert {one.name: one.cells for one in listed} == {
        name: sum(not cell.implied for cell in parts[number].cells)
        for number, (name, cells) in enumerate(counts.items())
        if cells
    }


@given(GROUPS, st.integers(1, 6), st.data())
def test_no_shard_takes_longer_than_its_share_and_one_group(
    groups: list[int], count: int, data: st.DataObject
) -> None:
    whole = plan(*groups)
    costs = {cell.id: Cost(run_s=data.draw(SECONDS)) for cell in whole.cells}
    of_group = {
        control.id: sum(
            costs[cell.id].run_s for cell in whole.cells if control.id in {cell.id, cell.control}
        )
        for control in whole.cells
        if control.control is None
    }
    longest = max((one.cost_s for one in shards(whole, count, costs)), default=0.0)
    assert longest <= sum(of_group.values()) / count + max(of_group.values()) + 1e-6


def test_times_of_last_time_weigh_more_than_numbers() -> None:
    whole = plan(0, 0, 0, 2)
    costs = {cell.id: Cost(run_s=1.0) for cell in whole.cells}
    costs["native__py3.0"] = Cost(run_s=100.0)
    first, second = (
        {cell.id for cell in shard(whole, number, 2, costs).cells} for number in (1, 2)
    )
    assert first == {"native__py3.0"}
    assert len(second) == 5
    sizes = [len(shard(whole, number, 2).cells) for number in (1, 2)]
    assert sizes == [3, 3], "without times, by numbers"


def test_what_cells_share_is_made_once() -> None:
    whole = plan(3, 0)
    costs = {cell.id: Cost(run_s=1.0, make_s=60.0) for cell in whole.cells}
    assert [one.cost_s for one in shards(whole, 2, costs)] == [64.0, 61.0]


def test_a_control_that_others_need_counts_where_it_runs() -> None:
    whole = plan(1, implied=True)
    costs = {cell.id: Cost(run_s=5.0) for cell in whole.cells}
    assert [one.cost_s for one in shards(whole, 1, costs)] == [10.0]


def test_a_new_cell_costs_what_those_of_its_path_cost() -> None:
    whole = plan(2, 0)
    costs = {
        "reticulate0__py3.0": Cost(run_s=50.0),
        "native__py3.0": Cost(run_s=2.0),
    }
    assert [one.cost_s for one in shards(whole, 2, costs)] == [102.0, 2.0]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "3",
        "0/2",
        "3/2",
        "1/0",
        "a/b",
        "1/2/3",
        "-1/2",
        "1/257",
        "1/99999999999",
        "9" * 5000 + "/" + "9" * 5000,
    ],
)
def test_what_is_no_shard(text: str) -> None:
    with pytest.raises(UsageError, match="write K/N with K from 1 to N"):
        parse_shard(text)


def test_what_is_one() -> None:
    assert parse_shard(" 2/4 ") == (2, 4)
    assert parse_shard("02/04") == (2, 4)
    assert parse_shard(f"{MOST}/{MOST}") == (MOST, MOST)


def test_both_options_have_the_same_limit() -> None:
    (option,) = (one for one in command.params if one.name == "shards")
    assert isinstance(option.type, click.IntRange)
    assert option.type.max == MOST

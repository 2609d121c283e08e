"""Covering selection: what it promises, for any cells; and how few it takes where that is known."""

from __future__ import annotations

import random
from collections.abc import Callable
from itertools import combinations, product

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.matrix.expand import control_axes
from harness.model.cell import Axes, Cell, Framework, Plan, cell_id
from harness.plan.cover import ANY, Covering, cover
from harness.plan.setcover import fewest, greedy, holders_of, without_idle

BRIDGES = {"reticulate": ("1.28", "1.41"), "rpy2": ("3.5", "3.6")}


def cell(axes: Axes) -> Cell:
    control = None if axes.path == "native" else cell_id(control_axes(axes))
    return Cell(id=cell_id(axes), axes=axes, control=control)


def plan_of(cells: list[Cell]) -> Plan:
    """A plan with the controls that its cells need."""
    listed = {cell.id: cell for cell in cells}
    controls = {
        one.control: msgspec.structs.replace(
            one, id=one.control, axes=control_axes(one.axes), control=None, implied=True
        )
        for one in cells
        if one.control is not None and one.control not in listed
    }
    return Plan(matrix="m", source="m.yaml", cells=(*controls.values(), *listed.values()))


def values(one: Cell, pinned: set[str]) -> list[tuple[str, object]]:
    """The axes of a cell that apply, written down apart from the code under test."""
    plain: dict[str, object] = {
        axis: value
        for axis, value in one.axes.as_dict().items()
        if value is not None and axis not in pinned
    }
    plain |= {name: dict(one.axes.pins).get(name, ANY) for name in pinned}
    return sorted(plain.items())


def reached(cells: list[Cell], strength: int, pinned: set[str]) -> set[object]:
    return {
        combination for one in cells for combination in combinations(values(one, pinned), strength)
    }


@st.composite
def some_axes(draw: st.DrawFn) -> Axes:
    path = draw(st.sampled_from(["native", "system", "rpc", "reticulate", "rpy2"]))
    return Axes(
        path=path,
        transport=draw(st.sampled_from(["socket", "http"])) if path == "rpc" else None,
        r=None if path == "native" else draw(st.sampled_from(["4.0.4", "4.2.2", "4.5.0"])),
        bridge=draw(st.sampled_from(BRIDGES[path])) if path in BRIDGES else None,
        python=draw(st.sampled_from(["3.9", "3.10", "3.11"])),
        framework=draw(
            st.sampled_from([None, Framework("jax", "0.10.2"), Framework("torch", "2.13.0")])
        ),
        cuda=draw(st.sampled_from(["cpu", "12"])),
        pins=draw(st.sampled_from([(), (("numpy", "<2"),), (("numpy", ">=2"),)])),
    )


@st.composite
def questions(draw: st.DrawFn) -> tuple[Plan, int, set[str], set[str]]:
    """A plan, a strength, the cells of it that can exist, and those that are required."""
    plan = plan_of([cell(axes) for axes in draw(st.lists(some_axes(), min_size=1, max_size=40))])
    listed = [one.id for one in plan.cells if not one.implied]
    candidates = draw(st.sets(st.sampled_from(listed)))
    required = draw(st.sets(st.sampled_from(listed), max_size=4))
    return plan, draw(st.sampled_from([1, 2, 3])), candidates, required


@given(questions())
def test_what_can_be_covered_is_covered_and_nothing_is_chosen_in_vain(
    question: tuple[Plan, int, set[str], set[str]],
) -> None:
    plan, strength, candidates, required = question
    found = cover(plan, strength, candidates, required)
    pool = [one for one in plan.cells if one.id in candidates]
    pinned = {name for one in pool for name, _ in one.axes.pins}
    whole = reached(pool, strength, pinned)
    chosen = [one for one in pool if one.id in found.chosen]

    assert reached(chosen, strength, pinned) == whole
    assert found.reachable == found.covered == len(whole)
    assert required <= set(found.chosen) <= candidates | required
    assert len(required) <= found.bound <= len(found.chosen) == len(set(found.chosen))
    for one in chosen:
        rest = [other for other in chosen if other is not one]
        assert one.id in required or reached(rest, strength, pinned) != whole


@given(questions())
def test_the_plan_has_the_chosen_cells_with_their_controls_and_no_other(
    question: tuple[Plan, int, set[str], set[str]],
) -> None:
    plan, strength, candidates, required = question
    found = cover(plan, strength, candidates, required)
    chosen = set(found.chosen)
    needed = {one.control for one in plan.cells if one.id in chosen and one.control} - chosen
    assert {one.id for one in found.plan.cells} == chosen | needed
    assert {one.id for one in found.plan.cells if one.implied} == needed
    order = [one.id for one in plan.cells]
    assert [one.id for one in found.plan.cells] == sorted(chosen | needed, key=order.index)


@given(questions(), st.randoms(use_true_random=False))
def test_the_order_of_the_plan_does_not_matter(
    question: tuple[Plan, int, set[str], set[str]], random: random.Random
) -> None:
    plan, strength, candidates, required = question
    shuffled = list(plan.cells)
    random.shuffle(shuffled)
    other = msgspec.structs.replace(plan, cells=tuple(shuffled))
    first = cover(plan, strength, candidates, required)
    second = cover(other, strength, sorted(candidates), sorted(required, reverse=True))
    assert set(first.chosen) == set(second.chosen)
    assert first.bound == second.bound


@given(questions(), st.data())
def test_cells_that_fail_stay_and_do_not_change_the_choice(
    question: tuple[Plan, int, set[str], set[str]], data: st.DataObject
) -> None:
    plan, strength, candidates, required = question
    listed = [one.id for one in plan.cells if not one.implied]
    failed = data.draw(st.sets(st.sampled_from(listed), max_size=5))
    first = cover(plan, strength, candidates, required, failed)
    assert failed | required <= set(first.chosen)
    assert first.covered == first.reachable
    assert first.bound <= len(first.chosen)
    more = data.draw(st.sets(st.sampled_from(first.chosen), max_size=5)) if first.chosen else set()
    second = cover(plan, strength, candidates, required, failed | more)
    assert second.chosen == first.chosen


@given(st.lists(st.sets(st.integers(0, 9), max_size=5), min_size=1, max_size=8))
def test_the_fewest_sets_are_those_that_trying_all_finds(families: list[set[int]]) -> None:
    numbers = {thing: n for n, thing in enumerate(sorted(set().union(*families)))}
    sets = [sorted(numbers[thing] for thing in family) for family in families]
    found = fewest(sets, len(numbers))
    smallest = next(
        size
        for size in range(len(sets) + 1)
        if any(
            set().union(*(sets[n] for n in some)) == set(numbers.values())
            for some in combinations(range(len(sets)), size)
        )
    )
    assert set().union(*(sets[n] for n in found)) == set(numbers.values())
    assert len(found) == smallest


def product_of(*sizes: int, keep: Callable[[tuple[int, ...]], bool] = lambda _: True) -> Plan:
    """Cells of as many packages as there are sizes, each pinned to so many versions."""
    cells = [
        cell(
            Axes(
                path="native",
                python="3.11",
                pins=tuple((f"p{axis}", f"=={value}") for axis, value in enumerate(point)),
            )
        )
        for point in product(*map(range, sizes))
        if keep(point)
    ]
    return Plan(matrix="m", source="m.yaml", cells=tuple(cells))


def covering(plan: Plan, strength: int) -> Covering:
    return cover(plan, strength, [one.id for one in plan.cells])


@pytest.mark.parametrize(
    ("sizes", "strength", "fewest_known"),
    [
        # The least sizes of covering arrays: published, and no smaller ones can be.
        ((2, 2, 2), 2, 4),
        ((3, 3, 3, 3), 2, 9),
        ((2, 2, 2, 2), 3, 8),
        ((4, 4, 4, 4, 4), 2, 16),
        ((5, 4, 3), 2, 20),
        ((5, 5, 5, 5), 2, 25),
        ((2,) * 8, 2, 6),
    ],
)
def test_known_covering_arrays_are_found(
    sizes: tuple[int, ...], strength: int, fewest_known: int
) -> None:
    assert len(covering(product_of(*sizes), strength).chosen) == fewest_known


def test_with_one_path_the_bound_is_the_product_of_the_largest_axes() -> None:
    found = covering(product_of(5, 4, 3), 2)
    assert found.bound == 20
    # Path, Python and CUDA have one value each.
    assert found.reachable == 5 * 4 + 5 * 3 + 4 * 3 + 3 * (5 + 4 + 3) + 3


def test_the_search_improves_on_greed() -> None:
    plan = product_of(5, 5, 5, 5)
    sets = []
    numbers: dict[object, int] = {}
    for one in plan.cells:
        pairs = combinations(sorted(one.axes.pins), 2)
        sets.append([numbers.setdefault(pair, len(numbers)) for pair in pairs])
    greedily = without_idle(sets, greedy(sets, holders_of(sets, len(numbers))), len(numbers))
    assert len(fewest(sets, len(numbers), 25)) == 25 < len(greedily)


def test_one_more_cell_changes_little() -> None:
    """As long as no search is needed, which the bound shows."""
    plan = product_of(12, 7, 4, keep=lambda point: sum(point) % 5 > 0)
    whole = covering(plan, 2)
    assert len(whole.chosen) == whole.bound
    changed = [
        len(set(whole.chosen) ^ set(covering(without(plan, number), 2).chosen))
        for number in range(0, len(plan.cells), 5)
    ]
    assert max(changed) <= len(whole.chosen) / 2
    assert sum(changed) / len(changed) <= len(whole.chosen) / 10


def without(plan: Plan, number: int) -> Plan:
    cells = (*plan.cells[:number], *plan.cells[number + 1 :])
    return msgspec.structs.replace(plan, cells=cells)


def test_what_the_resolver_may_choose_is_a_value_beside_the_pins() -> None:
    cells = [
        cell(Axes(path="native", python=python, pins=pins))
        for python in ("3.11", "3.12")
        for pins in ((), (("numpy", "<2"),))
    ]
    found = cover(plan_of(cells), 2, [one.id for one in cells])
    assert set(found.chosen) == {one.id for one in cells}


def test_a_required_cell_that_cannot_exist_covers_nothing() -> None:
    plan = product_of(2, 2)
    first, *rest = (one.id for one in plan.cells)
    found = cover(plan, 2, rest, [first])
    assert set(found.chosen) == {first, *rest}
    assert (found.candidates, found.listed, found.required) == (3, 4, (first,))


def test_of_nothing_nothing_is_chosen() -> None:
    plan = product_of(2, 2)
    found = cover(plan, 2, [])
    assert (found.chosen, found.bound, found.reachable) == ((), 0, 0)

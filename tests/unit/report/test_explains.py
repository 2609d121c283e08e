"""What explains a group of cells: conditions that hold for it and for no cell that passes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.model.document import Machine, Results
from harness.model.record import CellRecord
from harness.model.status import Status
from harness.report.explains import explanation


def cell(
    status: Status, bridge: str, python: str, numpy: str, *, path: str = "reticulate", **axes: str
) -> CellRecord:
    name = f"{path}-{bridge}-{python}-{numpy}-{'-'.join(axes.values())}"
    identity: dict[str, Any] = {"modules": {"numpy": numpy}}
    if path != "native":
        identity["bridge"] = {"name": path, "version": bridge}
    values: dict[str, str | None] = {"path": path, "python": python, "r": "4.2.2", **axes}
    return CellRecord(id=name, axes=values, status=status, identity=identity)


def results(*cells: CellRecord) -> Results:
    return Results(
        matrix="m", machine=Machine(), planned=tuple(one.id for one in cells), cells=cells
    )


def said(*cells: CellRecord) -> str | None:
    failing = [one for one in cells if one.status is Status.FAIL]
    return explanation(results(*cells), failing)


FAIL, PASS = Status.FAIL, Status.PASS


def test_two_axes_together() -> None:
    grid = [
        cell(FAIL if bridge == "1.28" and numpy > "2" else PASS, bridge, python, numpy)
        for bridge in ("1.28", "1.41", "1.47")
        for python in ("3.10", "3.11")
        for numpy in ("1.26.4", "2.0.2", "2.4.6")
    ]
    assert said(*grid) == "every cell with reticulate <= 1.28 and numpy >= 2.0.2"


def test_one_axis_is_enough_where_it_is() -> None:
    grid = [
        cell(FAIL if python in {"3.12", "3.13"} else PASS, "1.28", python, numpy)
        for python in ("3.9", "3.11", "3.12", "3.13")
        for numpy in ("1.26.4", "2.0.2")
    ]
    assert said(*grid) == "every cell with Python >= 3.12"


def test_versions_count_as_versions_and_not_as_text() -> None:
    grid = [cell(FAIL if p == "3.9" else PASS, "1.47", p, "2.0.2") for p in ("3.9", "3.10")]
    grid.append(cell(FAIL, "1.47", "3.9", "1.26.4"))
    assert said(*grid) == "every cell with Python <= 3.9"


def test_a_bridge_that_never_passes_needs_no_version() -> None:
    grid = [cell(FAIL, bridge, "3.11", "2.0.2", path="rpy2") for bridge in ("3.6.5", "3.6.9")]
    grid.append(cell(PASS, "", "3.11", "2.0.2", path="native"))
    assert said(*grid) == "every cell with rpy2"


def test_a_range_with_passing_cells_on_both_sides() -> None:
    grid = [
        cell(FAIL if bridge in {"1.40", "1.41"} else PASS, bridge, "3.11", "2.0.2")
        for bridge in ("1.28", "1.40", "1.41", "1.47")
    ]
    assert said(*grid) == "every cell with reticulate 1.40 to 1.41"


def test_nothing_is_said_of_one_cell_or_of_what_no_condition_tells_apart() -> None:
    assert said(cell(FAIL, "1.28", "3.11", "2"), cell(PASS, "1.41", "3.11", "2")) is None
    passes = cell(PASS, "1.28", "3.11", "2.0.2", locale="C")
    fails = [cell(FAIL, "1.28", python, "2.0.2") for python in ("3.10", "3.12")]
    assert said(passes, *fails) is None


def test_what_failed_before_it_said_its_versions_has_those_of_its_control() -> None:
    control = cell(PASS, "", "3.12", "2.0.2", path="native")
    cells = []
    for python, numpy, status in (("3.12", "2.0.2", FAIL), ("3.11", "2.0.2", FAIL)):
        mute = cell(status, "1.28", python, numpy)
        cells.append(
            CellRecord(
                id=mute.id,
                axes={**mute.axes, "bridge": "1.28"},
                status=status,
                control=control.id,
            )
        )
    passing = cell(PASS, "1.28", "3.11", "1.26.4")
    found = explanation(results(control, passing, *cells), cells)
    assert found == "every cell with numpy >= 2.0.2 and path reticulate"


VALUES = st.tuples(
    st.sampled_from(["1.28", "1.38", "1.41"]),
    st.sampled_from(["3.9", "3.10", "3.12"]),
    st.sampled_from(["1.26.4", "2.0.2"]),
)


@given(st.dictionaries(VALUES, st.booleans(), min_size=2))
def test_what_is_said_holds_for_the_group_and_for_no_cell_that_passes(
    grid: dict[tuple[str, str, str], bool],
) -> None:
    cells = [cell(PASS if passes else FAIL, *values) for values, passes in grid.items()]
    found = said(*cells)
    if found is None:
        return
    for values, passes in grid.items():
        assert _holds(found, *values) is not passes


def _holds(clause: str, bridge: str, python: str, numpy: str) -> bool:
    has = {"reticulate": bridge, "Python": python, "numpy": numpy, "R": "4.2.2"}
    has["path"] = "reticulate"
    return all(_meets(part, has) for part in clause.removeprefix("every cell with ").split(" and "))


def _meets(condition: str, has: dict[str, str]) -> bool:
    name, *rest = condition.split()
    version = _parts(has[name]) if has[name][0].isdigit() else ()
    match rest:
        case []:
            return True
        case ["<=", most]:
            return version <= _parts(most)
        case [">=", least]:
            return version >= _parts(least)
        case [least, "to", most]:
            return _parts(least) <= version <= _parts(most)
        case [value]:
            return has[name] == value
    raise AssertionError(condition)


def _parts(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


@pytest.mark.parametrize("order", [1, -1])
def test_the_order_of_the_cells_does_not_matter(order: int) -> None:
    grid = [
        cell(FAIL if python > "3.11" else PASS, "1.28", python, "2.0.2")
        for python in ("3.11", "3.12", "3.13")
    ][::order]
    assert said(*grid) == "every cell with Python >= 3.12"

"""The series of a bisection: which cell stands for which value, and one sentence for each slip."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from harness.errors import UsageError
from harness.matrix.expand import control_axes
from harness.model.cell import Plan, cell_id
from harness.workflow.planning import make_plan
from harness.workflow.series import Series, series_of

MATRIX = """\
matrix: m
axes:
  path: [native, reticulate]
  r: [4.2.2, 4.5.0]
  python: ["3.9", "3.10", "3.11"]
  framework: [torch==2.10.0, torch==2.9.1, jax==0.10.2]
include:
  - path: reticulate
    r: 4.2.2
    python: "3.11"
    framework: torch==2.10.0
    numpy: ["2.0.2", "1.26.4", any]
  - {path: reticulate, r: 4.5.0, bridge: [1.47.0, "1.40"], python: "3.11"}
  - {path: rpc, transport: socket, r: 4.2.2, python: "3.11"}
"""
OLD = "reticulate-1.28__r4.2.2__py3.11__torch2.10.0__cpu"


@pytest.fixture
def plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Plan:
    monkeypatch.chdir(tmp_path)
    Path("m.yaml").write_text(MATRIX)
    return make_plan(Path("m.yaml"))


def versions(axis: str, name: str) -> Iterable[str]:
    """What there is: in no order, with pre-releases."""
    return {
        ("package", "numpy"): ["2.0.0", "1.26.4", "1.26.3", "2.1.0rc1", "1.18.0"],
        ("bridge", "reticulate"): ["1.40.0", "1.9", "1.28", "1.41.0.1"],
        ("framework", "torch"): ["2.10.0", "2.9.0", "2.9.1"],
        ("python", "python"): ["3.11.1", "3.10.2", "3.11.9", "3.12.0b1"],
        ("r", "r"): ["4.5.0", "4.0.4", "4.2.2"],
    }[axis, name]


def ids(series: Series) -> list[str]:
    return [cell.id for cell in series.cells]


def test_values_of_the_matrix_in_the_order_of_versions(plan: Plan) -> None:
    series = series_of(plan, OLD, "python")
    assert series.values == ("3.9", "3.10", "3.11")
    assert ids(series)[0] == "reticulate-1.28__r4.2.2__py3.9__torch2.10.0__cpu"


def test_the_bridge_of_an_r_goes_with_the_r(plan: Plan) -> None:
    series = series_of(plan, OLD, "r")
    assert ids(series) == [OLD, "reticulate-1.41__r4.5.0__py3.11__torch2.10.0__cpu"]


def test_a_bridge_that_was_named_stays(plan: Plan) -> None:
    series = series_of(plan, "reticulate-1.47*", "r", ["4.2.2,4.5.0"])
    assert [cell.axes.bridge for cell in series.cells] == ["1.47.0", "1.47.0"]


def test_the_versions_of_the_same_framework_alone(plan: Plan) -> None:
    series = series_of(plan, OLD, "framework")
    assert series.values == ("2.9.1", "2.10.0")
    assert all(cell.axes.framework and cell.axes.framework.name == "torch" for cell in series.cells)


def test_a_pin_is_set_and_taken_away(plan: Plan) -> None:
    series = series_of(plan, f"{OLD}__numpy1.26.4", "numpy", ["2.0.2", "any"])
    assert series.values == ("2.0.2", "any")
    assert ids(series) == [f"{OLD}__numpy2.0.2", OLD]
    assert series_of(plan, OLD, "numpy").values == ("1.26.4", "2.0.2")


def test_a_range_is_one_value_where_each_is_given_by_itself(plan: Plan) -> None:
    series = series_of(plan, OLD, "numpy", ["<2,>=1.24", ">=2"])
    assert [dict(cell.axes.pins)["numpy"] for cell in series.cells] == ["<2,>=1.24", ">=2"]


def test_the_same_version_twice_is_one_value(plan: Plan) -> None:
    assert series_of(plan, OLD, "numpy", ["1.26.4,==1.26.4,2.0.2"]).values == ("1.26.4", "2.0.2")


def test_each_cell_asks_what_the_first_asks_and_has_its_own_control(plan: Plan) -> None:
    series = series_of(plan, OLD, "numpy")
    for cell in series.cells:
        assert cell.control == cell_id(control_axes(cell.axes))
        assert cell.probes == series.base.probes
        assert not cell.implied


def test_a_control_has_no_control(plan: Plan) -> None:
    series = series_of(plan, "native__py3.11__torch2.10.0__cpu", "python")
    assert all(cell.control is None for cell in series.cells)


def test_a_pattern_may_fit_cells_that_differ_on_the_axis_alone(plan: Plan) -> None:
    series = series_of(plan, "reticulate-1.28__*torch2.10.0__cpu", "python")
    assert len(series.cells) == 3
    series = series_of(plan, "reticulate*py3.11__torch2.10.0__cpu", "r")
    assert ids(series)[0] == OLD


@pytest.mark.parametrize(
    ("axis", "word", "found"),
    [
        ("numpy", "every >=1.26", ("1.26.3", "1.26.4", "2.0.0")),
        ("bridge", "every >=1.28", ("1.28", "1.40.0", "1.41.0.1")),
        ("framework", "every >=2.9", ("2.9.0", "2.9.1", "2.10.0")),
        ("framework", "every torch>=2.9.1", ("2.9.1", "2.10.0")),
        # Interpreters are large, so the newest patch of each series will do.
        ("python", "every >=3.9", ("3.10.2", "3.11.9")),
        ("r", "every", ("4.0.4", "4.2.2", "4.5.0")),
    ],
)
def test_every_version_that_there_is(
    plan: Plan, axis: str, word: str, found: tuple[str, ...]
) -> None:
    assert series_of(plan, OLD, axis, [word], versions).values == found


def test_two_cells_that_differ_otherwise_are_named(plan: Plan) -> None:
    with pytest.raises(UsageError) as error:
        series_of(plan, "reticulate-1.28*torch2.10.0__cpu*", "python")
    first = "reticulate-1.28__r4.2.2__py3.9__torch2.10.0__cpu"
    assert f"{first} and {OLD}__numpy" in str(error.value)


@pytest.mark.parametrize(
    ("pattern", "axis", "asked", "said"),
    [
        ("reticulate*", "python", [], "that differ in more than 'python'"),
        ("reticulat-1.28__r4.2.2__py3.11__torch2.10.0__cpu", "r", [], f"did you mean '{OLD}'?"),
        ("nothing", "r", [], "m.yaml: no cell fits 'nothing'; 'harness plan m.yaml' lists them"),
        (OLD, "path", [], "--axis path: its values have no order"),
        (OLD, "pyhton", [], "did you mean 'python'?"),
        ("native__py3.11__torch2.10.0__cpu", "r", [], "has none"),
        (OLD, "cuda", [], "names only one value (cpu) of 'cuda'"),
        (OLD, "scipy", [], "names no value of 'scipy'; give two or more"),
        (OLD, "python", ["3.11"], "--values names only one value (3.11)"),
        (OLD, "python", ["3.11,three"], "--values 3.11,three: 'three' is no value of 'python'"),
        (OLD, "r", ["4.2.2,x"], "'x' is no value of 'r'; write one such as 4.5.0"),
        (OLD, "python", [","], "--values names no value of 'python'"),
        (OLD, "framework", ["jax==0.10.2,jax==0.10.1"], "the cell has torch"),
        (OLD, "numpy", ["1.26.4,new"], "'new' is no version of numpy"),
        (OLD, "numpy", ["every newish"], "--values every newish"),
        (OLD, "cuda", ["every >=12"], "name its values one by one"),
        (OLD, "numpy", ["every >=1.26"], "it is not known which versions there are"),
    ],
)
def test_a_slip_is_one_sentence(
    plan: Plan, pattern: str, axis: str, asked: list[str], said: str
) -> None:
    with pytest.raises(UsageError) as error:
        series_of(plan, pattern, axis, asked)
    assert said in str(error.value)
    assert "\n" not in str(error.value)

"""From ``--base`` and ``--head`` to the cells of both arms."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import UsageError
from harness.model.cell import Plan
from harness.workflow.arms import Duel, duels, read_settings
from harness.workflow.planning import make_plan

MATRIX = """\
matrix: m
probes: [init]
axes: {path: [native, reticulate], r: [4.2.2], python: ["3.11"]}
include:
  - {path: rpc, transport: socket, r: 4.5.0, python: "3.11"}
"""


@pytest.fixture
def plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Plan:
    monkeypatch.chdir(tmp_path)
    Path("m.yaml").write_text(MATRIX)
    return make_plan(Path("m.yaml"))


def arms(plan: Plan, base: str, head: str) -> tuple[Duel, ...]:
    return duels(plan, read_settings([base], "--base"), read_settings([head], "--head"), ("init",))


def test_each_arm_has_its_value_and_all_else_is_the_same(plan):
    [duel] = arms(plan, "bridge=1.28", "bridge=1.40.0")
    assert duel.base.cell.id == "reticulate-1.28__r4.2.2__py3.11__cpu"
    assert duel.head.cell.id == "reticulate-1.40.0__r4.2.2__py3.11__cpu"
    assert duel.id == f"{duel.base.cell.id} vs {duel.head.cell.id}"


def test_cells_without_the_axis_are_left_out(plan):
    assert {duel.base.cell.axes.path for duel in arms(plan, "r=4.2.2", "r=4.5.0")} == {
        "reticulate",
        "rpc",
    }
    assert len(arms(plan, "python=3.11", "python=3.12")) == 3


def test_the_same_value_on_both_sides_is_identical_arms(plan):
    [duel] = arms(plan, "transport=socket", "transport=socket")
    assert duel.base.cell == duel.head.cell
    assert duel.id == duel.base.cell.id


def test_cells_that_become_the_same_are_one(plan):
    duel = arms(plan, "r=4.2.2", "r=4.5.0")[0]
    again = duels(
        Plan(matrix="m", source="m.yaml", cells=(duel.base.cell, duel.head.cell)),
        read_settings(["r=4.2.2"], "--base"),
        read_settings(["r=4.5.0"], "--head"),
        ("init",),
    )
    assert [one.id for one in again] == [duel.id]


def test_a_bridge_that_comes_with_the_r_goes_with_it(plan):
    duel = arms(plan, "r=4.2.2", "r=4.5.0")[0]
    assert duel.head.cell.id == "reticulate-1.41__r4.5.0__py3.11__cpu"


def test_a_package_and_a_variable_can_be_compared_as_well(plan):
    pinned = arms(plan, "numpy=1.26.4", "numpy=2.0.2")[1]
    assert pinned.head.cell.axes.pins == (("numpy", "==2.0.2"),)
    [duel] = [one for one in arms(plan, "env.SPEED=1", "env.SPEED=2") if one.native is None]
    assert (duel.base.variables, duel.head.variables) == ({"SPEED": "1"}, {"SPEED": "2"})


def test_the_control_without_a_bridge_is_of_base_in_both_arms(plan):
    duel = arms(plan, "python=3.11", "python=3.12")[1]
    assert duel.native is not None
    assert duel.native.id == "native__py3.11__cpu"


def test_native_itself_has_no_further_control(plan):
    assert arms(plan, "python=3.11", "python=3.12")[0].native is None


def test_paths_can_be_compared_with_each_other(plan):
    one = next(
        duel
        for duel in arms(plan, "path=reticulate", "path=rpy2")
        if duel.base.cell.axes.r == "4.5.0"
    )
    assert (one.base.cell.axes.path, one.head.cell.axes.path) == ("reticulate", "rpy2")
    assert one.base.cell.axes.bridge == "1.41"


def test_calls_of_two_processes_are_timed_by_the_wall_in_both_arms(plan):
    [duel] = arms(plan, "transport=socket", "transport=zmq")
    assert duel.clocks["noop"] == "wall"
    assert duel.clocks["framework_import"] == "cpu"
    assert arms(plan, "bridge=1.28", "bridge=1.28")[0].clocks["noop"] == "cpu"


def test_a_source_tree_is_a_value_of_the_bridge(plan, tmp_path):
    tree = tmp_path / "reticulate"
    tree.mkdir()
    (tree / "DESCRIPTION").write_text("Package: reticulate\nVersion: 9.9\n")
    [duel] = arms(plan, "bridge=default", f"bridge={tree}")
    assert duel.base.cell.axes.bridge == "1.28"
    assert duel.head.cell.axes.bridge == "source"
    assert [named.place for named in duel.head.bridges] == [str(tree)]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("bridge", "--head bridge: write KEY=VALUE, such as bridge=1.41.0"),
        ("=1", "write KEY=VALUE"),
        ("brigde=1.2", "did you mean 'bridge'?"),
        ("transport=zmqq", "did you mean 'zmq'?"),
        ("path=reticulat", "did you mean 'reticulate'?"),
        ("r=four", "'four' is no value of 'r'"),
        ("numpy=oops", "'oops' is no version of numpy"),
        ("env.1X=1", "'1X' is no variable"),
        ("env.HARNESS_KIT=1", "'HARNESS_KIT' is no variable that can be set"),
        ("cuda=gpu", "'gpu' is no value of 'cuda'"),
        ("bridge=/no/such/place", "/no/such/place"),
        ("framework=2.0", "has no 'framework'"),
    ],
)
def test_a_faulty_value_is_one_clear_sentence(plan, value, said):
    with pytest.raises(UsageError) as error:
        arms(plan, "r=4.2.2", value)
    assert said in str(error.value)
    assert "--head" in str(error.value)
    assert "\n" not in str(error.value)


def test_a_key_that_is_named_twice_is_a_slip():
    with pytest.raises(UsageError, match="'r' is named twice"):
        read_settings(["r=4.2.2", "r=4.5.0"], "--base")

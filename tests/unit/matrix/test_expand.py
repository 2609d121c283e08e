"""Cells of a matrix: each once, controls beside them, names that do not change."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
import yaml

from harness.errors import FileFault, UsageError
from harness.matrix.expand import PathTraits, expand
from harness.matrix.load import load_matrix
from harness.model.cell import Axes, Framework, Plan, cell_id, is_folder_name
from harness.plan.select import select
from harness.plan.shard import parse_shard, shard
from tests.unit.matrix.test_load import KNOWN

TRAITS = {
    "native": PathTraits(uses_r=False, has_bridge=False),
    "reticulate": PathTraits(uses_r=True, has_bridge=True),
    "system": PathTraits(uses_r=True, has_bridge=False),
    "rpc": PathTraits(uses_r=True, has_bridge=False, transports=("socket", "zmq")),
}
MATRIX = {
    "axes": {
        "path": ["native", "reticulate", "system"],
        "r": ["4.2.2", "4.5.0"],
        "python": ["3.11", "3.12"],
        "framework": ["torch==2.13.0", "jax==0.10.2"],
    },
    "exclude": [{"path": "reticulate", "r": "<4.5", "python": ">=3.12"}],
    "include": [{"path": "reticulate", "r": "4.2.2", "python": "3.11", "numpy": "<2"}],
}


def plan_of(tmp_path: Path, document: object) -> Plan:
    file = tmp_path / "m.yaml"
    file.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
    bridges = {"4.2.2": "1.28", "4.5.0": "1.41"}
    return expand(load_matrix(file, KNOWN), TRAITS, lambda _path, r: bridges.get(r))


def test_the_documented_id() -> None:
    axes = Axes(
        path="reticulate",
        bridge="1.41",
        r="4.5.0",
        python="3.12",
        framework=Framework("torch", "2.13.0"),
    )
    assert cell_id(axes) == "reticulate-1.41__r4.5.0__py3.12__torch2.13.0__cpu"


def test_product_include_and_exclude(tmp_path: Path) -> None:
    ids = [cell.id for cell in plan_of(tmp_path, MATRIX).cells]
    assert len(ids) == len(set(ids))
    # native: 2 Pythons x 2 frameworks; reticulate: 8 less the 2 excluded; system: 8.
    assert sum(name.startswith("native") for name in ids) == 4 + 1, "and the control of include"
    assert sum(name.startswith("reticulate") for name in ids) == 6 + 1
    assert sum(name.startswith("system") for name in ids) == 8
    assert not any("r4.2.2__py3.12" in name and "reticulate" in name for name in ids)
    assert "reticulate-1.28__r4.2.2__py3.11__cpu__numpy-lt2" in ids


def test_every_cell_has_its_control_in_the_plan(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, MATRIX)
    cells = {cell.id: cell for cell in plan.cells}
    for cell in plan.cells:
        if cell.axes.path == "native":
            assert cell.control is None
            continue
        assert cell.control is not None
        control = cells[cell.control].axes
        assert (control.python, control.framework, control.pins) == (
            cell.axes.python,
            cell.axes.framework,
            cell.axes.pins,
        )
    assert [cell.id for cell in plan.cells if cell.implied] == ["native__py3.11__cpu__numpy-lt2"]


def test_ids_do_not_depend_on_the_order_of_the_file(tmp_path: Path) -> None:
    expected = {cell.id for cell in plan_of(tmp_path, MATRIX).cells}
    shuffled = {
        key: {
            axis: random.Random(1).sample(values, len(values))
            for axis, values in reversed(part.items())
        }
        if isinstance(part, dict)
        else part
        for key, part in reversed(MATRIX.items())
    }
    assert {cell.id for cell in plan_of(tmp_path, shuffled).cells} == expected


def test_transports_belong_to_rpc_alone(tmp_path: Path) -> None:
    axes = {"path": ["native", "rpc"], "r": "4.5.0", "python": "3.11"}
    ids = [cell.id for cell in plan_of(tmp_path, {"axes": axes}).cells]
    assert ids == [
        "native__py3.11__cpu",
        "rpc-socket__r4.5.0__py3.11__cpu",
        "rpc-zmq__r4.5.0__py3.11__cpu",
    ]


def test_too_many_and_too_few_cells_are_told(tmp_path: Path) -> None:
    versions = [f"{major}.{minor}" for major in range(10) for minor in range(40)]
    wide = {"path": "native", "python": "3.11", "a": versions, "b": versions, "c": versions}
    with pytest.raises(FileFault, match="64,000,000 cells"):
        plan_of(tmp_path, {"axes": wide})
    nothing = {**MATRIX, "include": [{"path": "native", "python": "3.11"}]}
    del nothing["include"]
    nothing["exclude"] = [{"python": ">=3"}]
    with pytest.raises(FileFault, match="takes every cell out"):
        plan_of(tmp_path, nothing)


def test_a_cell_whose_id_is_no_folder_s_name_is_told(tmp_path: Path) -> None:
    """Told before anything is run: results with such an id cannot be read again."""
    pins = {f"a-rather-long-name-{one}": ">=1.2.3,<4.5.6" for one in range(6)}
    axes = {"path": "native", "python": "3.11", **pins}
    (cell,) = plan_of(tmp_path, {"axes": dict(list(axes.items())[:7])}).cells
    assert is_folder_name(cell.id)
    with pytest.raises(FileFault, match=r"would have an id of 2[4-9]\d characters"):
        plan_of(tmp_path, {"axes": axes})


def test_selection_brings_the_controls(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, MATRIX)
    kept = select(plan, where="path:reticulate r:4.5.0 python:3.12 framework:torch")
    assert [(cell.id, cell.implied) for cell in kept.cells] == [
        ("native__py3.12__torch2.13.0__cpu", True),
        ("reticulate-1.41__r4.5.0__py3.12__torch2.13.0__cpu", False),
    ]
    assert len(select(plan, only=["system*", "native*"]).cells) == 13
    with pytest.raises(UsageError, match="none of the 20 cells fits --where 'path:rpc'"):
        select(plan, where="path:rpc")


@pytest.mark.parametrize(
    ("entry", "left"),
    [
        ({"numpy": ">=1.26, <2"}, {"numpy-lt2", "any"}),
        ({"numpy": ">=1.26,<2"}, {"numpy-lt2", "any"}),
        ({"numpy": "< 2"}, {"numpy-lt2-ge1.26", "any"}),
        ({"NumPy": "<2"}, {"numpy-lt2-ge1.26", "any"}),
        ({"numpy": "any"}, {"numpy-lt2", "numpy-lt2-ge1.26"}),
        ({"numpy": ["any", "<2"]}, {"numpy-lt2-ge1.26"}),
    ],
)
def test_exclude_takes_the_pins_that_axes_name_however_they_are_spelled(
    tmp_path: Path, entry: dict[str, str], left: set[str]
) -> None:
    pins = ["<2", ">=1.26,<2", "any"]
    document = {"axes": {"path": "native", "python": "3.11", "numpy": pins}, "exclude": [entry]}
    ids = {cell.id for cell in plan_of(tmp_path, document).cells}
    assert ids == {f"native__py3.11__cpu{'' if name == 'any' else '__' + name}" for name in left}


@pytest.mark.parametrize(
    ("framework", "left"),
    [
        ("torch 2.13.0", ["keras[jax]==3.15.1", "jax"]),
        ("keras[jax]", ["torch==2.13.0", "jax"]),
        ("keras", ["torch==2.13.0", "jax"]),
        ("keras>=3", ["torch==2.13.0", "jax"]),
        ("t*", ["keras[jax]==3.15.1", "jax"]),
    ],
)
def test_exclude_takes_a_framework_as_axes_do(
    tmp_path: Path, framework: str, left: list[str]
) -> None:
    document = {
        "axes": {
            "path": "native",
            "python": "3.11",
            "framework": ["torch==2.13.0", "keras[jax]==3.15.1", "jax"],
        },
        "exclude": [{"framework": framework}],
    }
    cells = plan_of(tmp_path, document).cells
    assert [str(cell.axes.framework) for cell in cells] == left


def test_exclude_takes_the_bridge_that_comes_with_r(tmp_path: Path) -> None:
    axes = {"path": "reticulate", "r": "4.5.0", "python": "3.11", "bridge": ["default", "1.40"]}
    document = {"controls": False, "axes": axes, "exclude": [{"bridge": "default"}]}
    assert [cell.axes.bridge for cell in plan_of(tmp_path, document).cells] == ["1.40"]


def test_a_package_has_one_name(tmp_path: Path) -> None:
    document = {
        "defaults": {"numpy": "<2"},
        "axes": {"path": "native", "python": "3.11", "NumPy": "2.1"},
    }
    (cell,) = plan_of(tmp_path, document).cells
    assert cell.axes.pins == (("numpy", "==2.1"),)


@pytest.mark.parametrize("listed", [True, False])
def test_a_control_is_asked_what_any_of_its_cells_is(tmp_path: Path, listed: bool) -> None:
    """What it did not do, they cannot be held against."""
    here = {"r": "4.5.0", "python": "3.11"}
    native = [{"path": "native", "python": "3.11"}] if listed else []
    document = {
        "probes": ["init"],
        "include": [
            *native,
            {"path": "system", **here},
            {"path": "reticulate", **here, "probes": ["init", "train"]},
        ],
    }
    control, *cells = plan_of(tmp_path, document).cells
    assert (control.id, control.implied) == ("native__py3.11__cpu", not listed)
    assert control.probes == ("init", "train")
    assert [cell.probes for cell in cells] == [("init",), ("init", "train")]
    if listed:
        control, *_ = plan_of(tmp_path, {**document, "controls": False}).cells
        assert control.probes == ("init",)


def test_a_control_is_not_asked_what_it_cannot_do(tmp_path: Path) -> None:
    able = {**TRAITS, "native": PathTraits(uses_r=False, has_bridge=False, probes={"init"})}
    document = {
        "include": [
            {"path": "native", "python": "3.11", "probes": ["init"]},
            {"path": "system", "r": "4.5.0", "python": "3.11"},
        ]
    }
    file = tmp_path / "m.yaml"
    file.write_text(yaml.safe_dump(document), encoding="utf-8")
    control, _ = expand(load_matrix(file, KNOWN), able, lambda _path, _r: None).cells
    assert control.probes == ("init",)


def test_a_control_that_is_not_listed_may_take_what_any_of_its_cells_may(tmp_path: Path) -> None:
    here = {"r": "4.5.0", "python": "3.11"}
    wide = {"memory_mb": 9000, "phases_s": {"train": 10, "import": 300}}
    document = {
        "include": [
            {"path": "system", **here, "limits": {"memory_mb": 1000, "phase_s": 60}},
            {"path": "reticulate", **here, "limits": wide, "network": True},
        ]
    }
    control, *_ = plan_of(tmp_path, document).cells
    assert control.limits.memory_mb == 9000
    assert control.limits.phase_s == 120
    assert control.limits.phases_s == {"train": 60, "import": 300}
    assert control.network


def test_a_cell_of_which_different_things_are_asked_is_told(tmp_path: Path) -> None:
    file = """\
axes: {path: system, r: 4.5.0, python: 3.11}
include:
  - {path: system, r: 4.5.0, python: 3.11, probes: [init], limits: {memory_mb: 99}}
"""
    (tmp_path / "m.yaml").write_text(file, encoding="utf-8")
    with pytest.raises(FileFault) as told:
        plan_of(tmp_path, yaml.safe_load(file))
    assert "system__r4.5.0__py3.11__cpu is there already, from line " in str(told.value)
    assert "other 'probes' and 'limits' are asked of it here" in str(told.value)
    same = {"axes": {"path": "native", "python": "3.11"}}
    twice = {**same, "include": [{"path": "native", "python": "3.11"}]}
    assert len(plan_of(tmp_path, twice).cells) == 1, "the same may be asked twice"


@pytest.mark.parametrize("count", [1, 2, 3, 7, 40])
def test_shards_are_the_whole_plan_each_cell_once(tmp_path: Path, count: int) -> None:
    plan = plan_of(tmp_path, MATRIX)
    shards = [shard(plan, index + 1, count) for index in range(count)]
    own = [cell.id for part in shards for cell in part.cells if not cell.implied]
    assert sorted(own) == sorted(cell.id for cell in plan.cells if not cell.implied)
    for part in shards:
        ids = {cell.id for cell in part.cells}
        assert all(cell.control in ids for cell in part.cells if cell.control)


@pytest.mark.parametrize("text", ["0/2", "3/2", "1", "a/b", "1/0", "-1/2"])
def test_a_faulty_shard_is_told(text: str) -> None:
    with pytest.raises(UsageError, match="write K/N"):
        parse_shard(text)

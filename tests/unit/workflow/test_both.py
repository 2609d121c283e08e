"""Two bridges in the same cells: which cells, in which turns, and what the base is taken for."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import UsageError
from harness.gate.align import place_of
from harness.workflow.both import BASE, HEAD, Request, _base_of, _turns, arms_of
from harness.workflow.bridges import read_bridges

MATRIX = """\
axes: {path: [native, reticulate, rpy2], r: [4.2.2, 4.5.0], python: ["3.11", "3.12"]}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "m.yaml").write_text(MATRIX)
    (tmp_path / "bare.yaml").write_text(f"{MATRIX}controls: false\n")
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "DESCRIPTION").write_text("Package: reticulate\nVersion: 1.0\n")
    return tmp_path


def request(base: str = "released", **values: object) -> Request:
    return Request(
        **{
            "matrix": Path("m.yaml"),
            "bridge": "reticulate=tree",
            "base": base,
            "results": Path("out"),
            **values,
        }
    )


@pytest.mark.parametrize("matrix", ["m.yaml", "bare.yaml"])
@pytest.mark.parametrize("jobs", [1, 3])
def test_each_cell_of_the_bridge_is_in_one_turn_of_both(folder, matrix, jobs) -> None:
    base, head = arms_of(request(matrix=Path(matrix)))
    turns = list(_turns(base, head, jobs))
    own = {
        arm.name: [c for turn in turns for c in turn[arm.name] if arm.has(c)]
        for arm in (base, head)
    }
    assert len(own[HEAD]) == len({cell.id for cell in own[HEAD]}) == 4
    assert [cell.axes.bridge for cell in own[HEAD]] == ["source"] * 4
    assert [place_of(cell.axes.as_dict()) for cell in own[HEAD]] == [
        place_of(cell.axes.as_dict()) for cell in own[BASE]
    ]
    assert not any(cell.axes.path == "rpy2" for turn in turns for cell in turn[HEAD])


def test_what_is_selected_is_the_heads(folder) -> None:
    base, head = arms_of(request(only=("reticulate-source__r4.5.0*",)))
    (turn,) = _turns(base, head, 9)
    assert [cell.id for cell in turn[BASE] if base.has(cell)] == [
        "reticulate-1.41__r4.5.0__py3.11__cpu",
        "reticulate-1.41__r4.5.0__py3.12__cpu",
    ]


def test_a_selection_without_the_bridge_is_one_sentence(folder) -> None:
    with pytest.raises(UsageError, match=r"none of the|no selected cell"):
        arms_of(request(where="r:3.6"))


@pytest.mark.parametrize(
    ("base", "said"),
    [
        ("released", None),
        ("1.40.0", "reticulate=1.40.0"),
        ("main", "reticulate=tree@main"),
        ("feature/x", "reticulate=tree@feature/x"),
        ("./tree", "reticulate=./tree"),
        ("git+https://example.org/r@v1", "reticulate=git+https://example.org/r@v1"),
    ],
)
def test_what_the_base_is_taken_for(folder, base, said) -> None:
    # A folder of a branch's name is no base.
    (folder / "main").mkdir()
    (head,) = read_bridges(["reticulate=tree"])
    assert _base_of(request(base), head) == said

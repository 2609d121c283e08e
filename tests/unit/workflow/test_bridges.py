"""Bridges that the user names: what is read, what becomes of the plan, what a result depends on."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import UsageError
from harness.model.cell import SOURCE, Axes, Cell, Plan, cell_id
from harness.model.environment import SourceTree
from harness.provision.store import FolderStore
from harness.workflow.bridges import (
    Named,
    bring_trees,
    identity_of,
    read_bridges,
    tree_of,
    with_bridges,
)
from harness.workflow.keys import cell_key
from harness.workflow.planning import make_plan
from harness.workflow.registry import paths


@pytest.fixture
def store(tmp_path: Path) -> Iterator[FolderStore]:
    with FolderStore(tmp_path / "store") as store:
        yield store


def r_package(folder: Path, name: str = "reticulate", version: str = "1.43.0.9000") -> Path:
    (folder / "R").mkdir(parents=True)
    (folder / "DESCRIPTION").write_text(f"Package: {name}\nVersion: {version}\n")
    return folder


def python_project(folder: Path, name: str, version: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    text = f'[project]\nname = "{name}"\nversion = "{version}"\n'
    (folder / "pyproject.toml").write_text(text)
    return folder


def axes(path: str = "reticulate", r: str | None = "4.5.0", bridge: str | None = "1.41") -> Axes:
    return Axes(path=path, r=r, bridge=bridge, python="3.12")


def cell(**changes: str | None) -> Cell:
    point = axes(**changes)
    return Cell(id=cell_id(point), axes=point)


# --- what is read ------------------------------------------------------------------------------


def test_a_version_and_the_three_kinds_of_places(tmp_path):
    folder = r_package(tmp_path / "reticulate")
    found = read_bridges(
        ["reticulate=1.40.0", "rPython=0.0-6+remedies", "rpy2=git+https://host/x@main"]
    )
    assert [(one.path, one.package, one.axis, one.place) for one in found] == [
        ("reticulate", "reticulate", "1.40.0", None),
        ("rpython", "rPython", "0.0-6+remedies", None),
        ("rpy2", "rpy2", SOURCE, "git+https://host/x@main"),
    ]
    assert [one.of_r for one in found] == [True, True, False]
    (found_tree,) = read_bridges([f" reticulate = {folder} "])
    assert (found_tree.axis, found_tree.place) == (SOURCE, str(folder))


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        (["native=1.0"], "'native' is no bridge; write NAME=VERSION, NAME=PATH or"),
        (["foo=1.0"], "where NAME is one of reticulate, rpy2, rpython"),
        (["1.40.0"], "no bridge is named; write NAME=VERSION"),
        (["reticulate="], "nothing is said of where reticulate is"),
        (["reticulate=1.40", "reticulate=1.41"], "'reticulate' is named twice; keep one"),
        (["rpython=0.0-6", "rPython=0.0-6"], "'rpython' is named twice"),
        (["reticulate=nowhere"], "nowhere: give a folder, a .tar.gz, PATH@REF"),
        (["reticulate=default"], "there is no"),
    ],
)
def test_what_is_wrong_is_told_in_one_sentence(texts, said):
    with pytest.raises(UsageError) as error:
        read_bridges(texts)
    assert said in str(error.value)
    assert str(error.value).startswith(f"--bridge {texts[-1]}: ")
    assert "\n" not in str(error.value)


def test_a_folder_with_something_else_is_told_what_it_is(tmp_path):
    other = r_package(tmp_path / "other", "other")
    empty = tmp_path / "empty"
    empty.mkdir()
    for text, said in (
        (f"reticulate={other}", "is not the source of the R package reticulate: it is 'other'"),
        (
            f"reticulate={empty}",
            "not the source of the R package reticulate: it has no DESCRIPTION",
        ),
        (f"rpy2={other}", "not the source of the Python package rpy2: it has no pyproject.toml"),
    ):
        with pytest.raises(UsageError, match=said):
            read_bridges([text])


@given(st.text(max_size=30))
def test_whatever_is_given_ends_in_a_sentence_or_a_name(text):
    said = ""
    found: tuple[Named, ...] = ()
    try:
        found = read_bridges([text])
    except UsageError as error:
        said = str(error)
    assert said.startswith("--bridge ") or found[0].path in paths()


# --- the trees ---------------------------------------------------------------------------------


def brought(store: FolderStore, *texts: str) -> dict[str, SourceTree]:
    return bring_trees(read_bridges(texts), store=store, notify=lambda _line: None)


def test_a_tree_is_known_by_what_is_in_it_and_states_its_version(store, tmp_path):
    folder = r_package(tmp_path / "in" / "reticulate")
    tree = brought(store, f"reticulate={folder}")["reticulate"]
    assert (tree.name, tree.version, tree.origin) == ("reticulate", "1.43.0.9000", "folder")
    assert tree.place != folder
    # The same package from the folder above, and from an archive.
    assert brought(store, f"reticulate={folder.parent}")["reticulate"].digest == tree.digest
    with tarfile.open(tmp_path / "x.tar.gz", "w:gz") as archive:
        archive.add(folder, "reticulate-main")
    packed = brought(store, f"reticulate={tmp_path / 'x.tar.gz'}")["reticulate"]
    assert (packed.digest, packed.origin) == (tree.digest, "archive")


def test_an_archive_of_something_else_is_told(store, tmp_path):
    with tarfile.open(tmp_path / "x.tar.gz", "w:gz") as archive:
        archive.add(r_package(tmp_path / "other", "other"), "other")
    with pytest.raises(UsageError, match=r"--bridge reticulate: .*x\.tar\.gz is not the source"):
        brought(store, f"reticulate={tmp_path / 'x.tar.gz'}")


def test_a_tree_of_several_python_projects(store, tmp_path):
    folder = python_project(tmp_path / "rpy2", "rpy2", "3.7.0")
    python_project(folder / "rpy2-robjects", "rpy2-robjects", "3.7.1")
    assert brought(store, f"rpy2={folder}")["rpy2"].version == "3.7.0"
    alone = brought(store, f"rpy2={folder / 'rpy2-robjects'}")["rpy2"]
    assert alone.name == "rpy2"


def test_a_version_brings_no_tree(store):
    assert brought(store, "reticulate=1.40.0") == {}


def test_a_cell_has_the_tree_of_its_bridge_alone(store, tmp_path):
    trees = brought(store, f"reticulate={r_package(tmp_path / 'tree')}")
    assert tree_of(cell(bridge=SOURCE), trees) is trees["reticulate"]
    assert tree_of(cell(bridge="1.41"), trees) is None
    assert tree_of(cell(path="rpy2", bridge=SOURCE), trees) is None
    assert tree_of(cell(path="native", r=None, bridge=None), trees) is None


def test_a_record_says_what_was_built_and_no_place_of_this_machine(tmp_path):
    tree = SourceTree(name="x", version="1", place=tmp_path, digest="d", origin="git", commit="c")
    said = identity_of(tree)
    assert said == {"name": "x", "version": "1", "origin": "git", "digest": "d", "commit": "c"}
    assert str(tmp_path) not in str(said)


# --- the plan ----------------------------------------------------------------------------------

MATRIX = """
axes:
  path: [native, reticulate, rpy2]
  r: [4.2.2, 4.5.0]
  python: "3.12"
  bridge: [default, "1.38"]
"""


@pytest.fixture
def matrix(tmp_path: Path) -> Path:
    file = tmp_path / "m.yaml"
    file.write_text(MATRIX)
    return file


def test_several_bridges_of_a_path_become_one_and_others_stay(matrix):
    plain = make_plan(matrix)
    plan = make_plan(matrix, bridges=["reticulate=1.40.0"])
    ids = [one.id for one in plan.cells if one.axes.path == "reticulate"]
    assert ids == [f"reticulate-1.40.0__r{r}__py3.12__cpu" for r in ("4.2.2", "4.5.0")]
    others = [[one for one in p.cells if one.axes.path != "reticulate"] for p in (plain, plan)]
    assert others[0] == others[1]


def test_a_source_tree_names_the_cells_and_can_be_selected(matrix, tmp_path):
    named = f"reticulate={r_package(tmp_path / 'tree')}"
    plan = make_plan(matrix, bridges=[named], only=["reticulate-source__r4.5.0__*"])
    listed = [one for one in plan.cells if not one.implied]
    assert [(one.id, one.axes.bridge) for one in listed if one.control] == [
        ("reticulate-source__r4.5.0__py3.12__cpu", SOURCE)
    ]
    control = next(one.control for one in listed if one.control)
    assert control in {one.id for one in plan.cells}


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["native", "reticulate", "rpy2"]),
            st.sampled_from(["4.2.2", "4.5.0"]),
            st.sampled_from(["1.28", "1.41"]),
        ),
        max_size=8,
    )
)
def test_naming_bridges_keeps_every_point_but_the_bridge(points):
    cells = {one.id: one for one in (cell(path=p, r=r, bridge=b) for p, r, b in points)}
    plan = Plan(matrix="m", source="m", cells=tuple(cells.values()))
    named = [Named(path="reticulate", package="reticulate", of_r=True, place="/x")]
    changed = with_bridges(plan, named)
    assert with_bridges(changed, named) == changed
    assert with_bridges(plan, []) is plan
    assert len({one.id for one in changed.cells}) == len(changed.cells)
    assert {(c.axes.path, c.axes.r) for c in changed.cells} == {(p, r) for p, r, _b in points}
    assert all(
        (one.axes.bridge == SOURCE) == (one.axes.path == "reticulate") for one in changed.cells
    )


# --- what a result depends on ------------------------------------------------------------------


def test_an_edit_of_the_tree_asks_anew_and_the_same_tree_does_not():
    path = paths()["reticulate"]
    keys = [cell_key(cell(bridge=SOURCE), path, "", tree) for tree in ("one", "one", "other")]
    assert keys[0] == keys[1] != keys[2]


@pytest.mark.parametrize(
    ("bridge", "r", "counts"),
    [
        ("1.41", "4.5.0", False),  # what Debian's own R comes with
        ("1.40.0", "4.5.0", True),
        (None, "system", False),
        ("1.40.0", "system", True),
        (SOURCE, "4.5.0", False),
    ],
)
def test_the_repository_counts_where_the_bridge_is_built_from_it(bridge, r, counts):
    path = paths()["reticulate"]
    one, other = (cell_key(cell(bridge=bridge, r=r), path, cran) for cran in ("/one", "/other"))
    assert (one != other) is counts

"""A bridge of several Python projects: which are built, what they need, what a failure says."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from harness.errors import BuildFailure, Unavailable
from harness.model.environment import (
    Interpreter,
    Lock,
    PackageSources,
    PythonEnvironment,
    SourceTree,
)
from harness.provision.process import Ran
from harness.provision.python import overlay as overlay_module
from harness.provision.python import wheels as module
from harness.provision.python.overlay import with_overlay
from harness.provision.python.wheels import (
    Wheels,
    build_wheels,
    projects,
    version_of_project,
    why,
)
from harness.provision.store import FolderStore

PYTHON = Interpreter(executable=Path("/python"), version="3.12.1", prefix=Path("/"), libpython=None)
SOURCES = PackageSources(env={"PATH": "/bin"})


@pytest.fixture
def store(tmp_path: Path) -> Iterator[FolderStore]:
    with FolderStore(tmp_path / "store") as store:
        yield store


@pytest.fixture
def tree(tmp_path: Path) -> SourceTree:
    folder = tmp_path / "rpy2"
    for part in ("", "rpy2-rinterface", "rpy2_robjects", "docs", "rpy2-notes"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    (folder / "pyproject.toml").write_text('[project]\nname = "rpy2"\nversion = "3.7.0"\n')
    (folder / "rpy2-rinterface" / "setup.py").write_text("")
    (folder / "rpy2_robjects" / "pyproject.toml").write_text("[project]\ndynamic = ['version']\n")
    (folder / "docs" / "pyproject.toml").write_text("")
    (folder / "build").mkdir()
    (folder / "build" / "old.py").write_text("of an earlier build")
    return SourceTree(name="rpy2", version="3.7.0", place=folder, digest="d", origin="folder")


def wheel(folder: Path, name: str, version: str, *requires: str) -> Path:
    file = folder / f"{name}-{version}-py3-none-any.whl"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    metadata += "".join(f"Requires-Dist: {text}\n" for text in requires)
    with zipfile.ZipFile(file, "w") as opened:
        opened.writestr(f"{name}-{version}.dist-info/METADATA", metadata)
    return file


class Uv:
    """Makes the wheel of a project, or fails; remembers what it was asked."""

    def __init__(self) -> None:
        self.commands: list[list[str]] = []
        self.seen: list[bool] = []
        self.said: str | None = None
        self.requires = {
            "scratch": ("rpy2-rinterface>=3.6.6", "packaging; platform_system=='Windows'"),
            "rpy2-rinterface": ("cffi>=1.15.1", "pytest; extra == 'test'", "not a requirement ="),
            "rpy2_robjects": ("rpy2_rinterface", "jinja2", "tzlocal"),
        }

    def __call__(
        self, python: Interpreter, sources: PackageSources, arguments: Sequence[Any], **others: Any
    ) -> Ran:
        assert sources.env["RPY2_CFFI_MODE"] == "ABI"
        self.commands.append([str(part) for part in arguments])
        project = next(Path(part) for part in map(str, arguments) if "/scratch" in part)
        self.seen.append((project / "build").exists())
        if self.said is not None:
            return Ran(code=2, stdout="", stderr=self.said.replace("PLACE", str(project)))
        name = "rpy2" if project.name == "scratch" else project.name.replace("-", "_")
        wheel(others["folder"], name, "3.7.0", *self.requires[project.name])
        return Ran(code=0, stdout="", stderr="")


@pytest.fixture
def uv(monkeypatch: pytest.MonkeyPatch) -> Uv:
    uv = Uv()
    monkeypatch.setattr(module, "run_uv", uv)
    return uv


def build(store: FolderStore, tree: SourceTree) -> Wheels:
    variables = {"RPY2_CFFI_MODE": "ABI"}
    return build_wheels(tree, PYTHON, SOURCES, variables, store=store, notify=lambda _line: None)


def test_the_projects_of_a_tree_are_its_own_and_its_parts(tree):
    names = [path.name for path in projects(tree.place, "rpy2")]
    assert names == ["rpy2", "rpy2-rinterface", "rpy2_robjects"]
    assert projects(tree.place / "docs", "rpy2") == (tree.place / "docs",)
    assert projects(tree.place / "rpy2-notes", "rpy2") == ()


def test_a_version_is_read_where_it_is_stated(tree):
    assert version_of_project(tree.place) == "3.7.0"
    assert version_of_project(tree.place / "rpy2_robjects") == ""
    assert version_of_project(tree.place / "rpy2-rinterface") == ""


def test_all_projects_are_built_once_and_say_what_they_need_beside_each_other(store, tree, uv):
    found = build(store, tree)
    assert sorted(found.names) == ["rpy2", "rpy2-rinterface", "rpy2-robjects"]
    assert found.requires == (
        "cffi>=1.15.1",
        "jinja2",
        'packaging; platform_system == "Windows"',
        "tzlocal",
    )
    assert found.tree.version == "3.7.0"
    assert uv.seen == [False, False, False], "an earlier build is no source"
    assert build(store, tree) == found
    assert len(uv.commands) == 3


def test_a_tree_of_one_part_takes_the_others_from_the_index(store, tmp_path, monkeypatch):
    part = tmp_path / "part"
    part.mkdir()
    (part / "setup.py").write_text("")

    def only(*_asked: object, **others: Any) -> Ran:
        wheel(others["folder"], "rpy2_robjects", "4.0", "rpy2-rinterface", "tzlocal")
        return Ran(code=0, stdout="", stderr="")

    monkeypatch.setattr(module, "run_uv", only)
    tree = SourceTree(name="rpy2", version="", place=part, digest="other", origin="folder")
    found = build(store, tree)
    assert found.requires == ("rpy2", "rpy2-rinterface", "tzlocal")
    assert found.tree.version == "4.0"


COMPILER = "PLACE/src/x.c:7:3: error: expected ';' before 'int'\nerror: command 'cc' failed\n"


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (COMPILER, "BUILD/src/x.c:7:3: error: expected ';' before 'int'"),
        ("Traceback\nSyntaxError: invalid syntax\n", "SyntaxError: invalid syntax"),
        ("it\nended\n", "ended"),
    ],
)
def test_a_project_that_does_not_build_says_why_and_keeps_the_log(store, tree, uv, said, reason):
    uv.said = said
    with pytest.raises(BuildFailure) as error:
        build(store, tree)
    text = str(error.value)
    assert text == f"rpy2 of the source tree does not build for Python 3.12.1: {reason}"
    assert str(tree.place) not in error.value.log
    assert "scratch" not in error.value.log
    assert store.entries() == ()


def test_what_builds_it_is_out_of_reach(store, tree, uv):
    uv.said = "error: Failed to fetch: `http://x/setuptools`; dns error"
    with pytest.raises(Unavailable, match="what builds it could not be fetched; check the network"):
        build(store, tree)


def test_nothing_said_is_said():
    assert why("") == "it ended without a word"


def test_wheels_lie_over_an_environment_instead_of_what_the_index_has(
    store, tree, uv, tmp_path, monkeypatch
):
    commands: list[list[str]] = []

    def install(_python: object, _sources: object, command: list[Any], **_others: Any) -> Ran:
        commands.append([str(part) for part in command])
        return Ran(code=0, stdout="", stderr="")

    monkeypatch.setattr(overlay_module, "run_uv", install)
    below = PythonEnvironment(
        executable=Path("/env/bin/python"),
        interpreter=PYTHON,
        lock=Lock(text="numpy==2.0\n", digest="below"),
        binds=(),
    )
    lock = Lock(text="cffi==1.17\nnumpy==2.0\nrpy2-rinterface==3.6.7\n", digest="x")
    built = build(store, tree)
    found = with_overlay(store, below, lock, SOURCES, wheels=built)
    assert found.overlay_lock is not None
    assert found.overlay_lock.versions == {"cffi": "1.17"}
    assert "# rpy2-3.7.0-py3-none-any.whl, built from its source tree" in found.overlay_lock.text
    assert {str(file) for file in built.files} < set(commands[0])
    assert with_overlay(store, below, lock, SOURCES).overlay != found.overlay
    nothing = Lock(text="", digest="")
    assert with_overlay(store, below, nothing, SOURCES) == below
    assert with_overlay(store, below, nothing, SOURCES, wheels=built).overlay is not None

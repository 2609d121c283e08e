"""Whether the cells of a plan can exist, on a world of packages that is known."""

from __future__ import annotations

import platform
import sys
import threading
from pathlib import Path

import pytest

from harness.model.cell import SOURCE, Axes, Cell, Framework, Plan, cell_id
from harness.model.environment import Interpreter, PackageSources
from harness.provision.python.interpreters import Interpreters
from harness.provision.store import FolderStore
from harness.resolve import Absent, Resolver, Unreached, asking
from harness.workflow import resolving
from harness.workflow.resolving import Existence, Progress, Pythons, answer, resolve_plan
from tests.unit.resolve.conftest import wheel

HERE = platform.python_version()


@pytest.fixture(autouse=True)
def _one_python(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave only the Python of the tests: to ask all of this machine takes seconds."""
    own = Interpreter(
        executable=Path(sys.executable), version=HERE, prefix=Path(sys.base_prefix), libpython=None
    )
    monkeypatch.setattr(Interpreters, "all", lambda _self: (own,))


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path / "store")


@pytest.fixture
def sources(tmp_path: Path) -> PackageSources:
    folder = tmp_path / "wheels"
    folder.mkdir()
    for version in ("1.26.4", "2.1.3"):
        wheel(folder, "numpy", version)
    wheel(folder, "keras", "2.15.0", ["numpy<2"])
    wheel(folder, "tensorflow-cpu", "2.15.0", ["numpy<2", "keras>=2.15,<2.16"])
    wheel(folder, "pyzmq", "27.0.0")
    wheel(folder, "pyRserve", "1.0.4", ["numpy>=2"])
    wheel(folder, "torch", "2.13.0", ["nvidia-cuda-runtime"])
    wheel(folder, "nvidia-cuda-runtime", "13.0.96")
    return PackageSources(
        options=("--no-index", "--find-links", str(folder)),
        env={"HOME": str(tmp_path), "UV_CACHE_DIR": str(tmp_path / "uv"), "UV_OFFLINE": "1"},
        digest="x",
    )


@pytest.fixture
def resolver(store: FolderStore, sources: PackageSources) -> Resolver:
    return Resolver(store, sources)


def cell(path: str = "native", framework: str | None = None, **more: str) -> Cell:
    name, _, version = (framework or "").partition("==")
    pins = tuple((key, value) for key, value in more.items() if key in ("numpy", "none_such"))
    axes = Axes(
        path=path,
        python=more.get("python", HERE),
        r=None if path == "native" else "4.5.0",
        bridge=more.get("bridge"),
        transport=more.get("transport"),
        framework=Framework(name, version or None) if framework else None,
        pins=tuple((key.replace("_", "-"), value) for key, value in pins),
    )
    return Cell(id=cell_id(axes), axes=axes)


def plan(*cells: Cell) -> Plan:
    return Plan(matrix="m", source="m.yaml", cells=cells)


def test_each_cell_has_an_answer_by_its_id(store: FolderStore, resolver: Resolver) -> None:
    good = cell(framework="tensorflow==2.15.0")
    bad = cell(framework="tensorflow==2.15.0", numpy=">=2")
    cuda = cell(framework="torch==2.13.0")
    answers = resolve_plan(plan(good, bad, cuda), resolver=resolver, store=store)
    assert list(answers) == [good.id, bad.id, cuda.id]
    assert answers[good.id].status is Existence.SATISFIABLE
    assert answers[good.id].versions == {"numpy": "1.26.4", "tensorflow-cpu": "2.15.0"}
    assert answers[good.id].python == HERE
    assert answers[bad.id].status is Existence.UNSATISFIABLE
    assert answers[bad.id].message == (
        f"no set of packages exists for Python {HERE}: "
        "tensorflow-cpu 2.15.0 needs numpy < 2, while numpy >= 2 is asked for"
    )
    assert "No solution found" in answers[bad.id].detail
    assert not answers[bad.id].may_exist
    # That all there is needs CUDA is no statement on what can exist.
    assert answers[cuda.id].status is Existence.UNAVAILABLE
    assert answers[cuda.id].may_exist


def test_the_packages_of_a_path_belong_to_the_answer(
    store: FolderStore, resolver: Resolver
) -> None:
    control = cell(framework="keras==2.15.0")
    zmq = cell("rpc", framework="keras==2.15.0", transport="zmq")
    rserve = cell("rpc", framework="keras==2.15.0", transport="rserve")
    answers = resolve_plan(plan(control, zmq, rserve), resolver=resolver, store=store)
    assert answers[control.id].status is Existence.SATISFIABLE
    assert answers[zmq.id].versions["pyzmq"] == "27.0.0"
    assert answers[rserve.id].status is Existence.UNSATISFIABLE
    assert answers[rserve.id].message.endswith(
        "pyrserve needs numpy >= 2, while only numpy 1.26.4 is allowed here"
    )


def test_what_a_source_tree_needs_is_left_to_its_build(
    store: FolderStore, resolver: Resolver
) -> None:
    built = cell("rpy2", bridge=SOURCE)
    released = cell("rpy2", bridge="3.6.9")
    answers = resolve_plan(plan(built, released), resolver=resolver, store=store)
    assert answers[built.id].status is Existence.SATISFIABLE
    assert answers[released.id].status is Existence.UNSATISFIABLE


def test_cells_that_ask_for_the_same_share_one_question(
    store: FolderStore, resolver: Resolver
) -> None:
    seen: list[Progress] = []
    cells = [cell("reticulate", bridge=f"1.{number}") for number in range(40)]
    answers = resolve_plan(
        plan(cell(), *cells), resolver=resolver, store=store, on_progress=seen.append
    )
    assert len(answers) == 41
    assert (seen[-1].done, seen[-1].total, seen[-1].asked) == (41, 41, 1)
    assert seen[0].done == 0


def test_a_python_that_is_not_here_is_answered_and_named(
    store: FolderStore, resolver: Resolver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resolving, "released_pythons", lambda: ("3.98.0a1", "3.98.2", "3.98.10"))
    away = cell(python="3.98")
    answers = resolve_plan(plan(away), resolver=resolver, store=store)
    assert answers[away.id].status is Existence.SATISFIABLE
    assert answers[away.id].python == "3.98.10"
    assert answers[away.id].message == "Python 3.98 is not on this machine"


def test_which_python_is_meant(store: FolderStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resolving, "released_pythons", lambda: ("3.98.2", "3.97.0rc1"))
    pythons = Pythons(store)
    assert pythons.find(HERE).version == HERE
    assert pythons.find("3.98") == Absent(version="3.98.2")
    assert pythons.find("3.97") == Absent(version="3.97.0rc1")
    assert pythons.find("3.98.7") == Absent(version="3.98.7")


def test_a_python_that_nobody_knows_is_unavailable(
    store: FolderStore, resolver: Resolver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resolving, "released_pythons", lambda: ())
    unknown = cell(python="3.99")
    found = resolve_plan(plan(unknown), resolver=resolver, store=store)[unknown.id]
    assert found.status is Existence.UNAVAILABLE
    assert found.message.startswith("no Python 3.99 is known")


def test_where_no_index_is_reached_nothing_is_known(
    store: FolderStore, resolver: Resolver, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreached(*_question: object) -> str:
        raise Unreached("nothing is known: the package index is out of reach")

    monkeypatch.setattr(asking, "compile_lock", unreached)
    found = answer(resolver, Pythons(store), cell().axes)
    assert found.status is Existence.UNKNOWN
    assert found.message.startswith("nothing is known")


def test_what_was_stopped_is_missing(store: FolderStore, resolver: Resolver) -> None:
    cancel = threading.Event()
    cancel.set()
    assert resolve_plan(plan(cell()), resolver=resolver, store=store, cancel=cancel) == {}

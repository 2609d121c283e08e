from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from harness.model.cell import SOURCE, Framework
from harness.model.environment import Provisioned, SourceTree
from harness.model.status import Phase
from harness.probes.identity import check, same_version, version_begins

from .conftest import PREFIX, axes, identity, provisioned


def spoiled(part: str, **changes: Any) -> dict[str, Any]:
    seen = identity()
    seen[part] |= changes
    return seen


def test_all_is_as_the_cell_says():
    assert check(identity(), axes(), provisioned()) is None


def test_nothing_was_read_back():
    mismatch = check({}, axes(), provisioned())
    assert mismatch == (Phase.START, "the driver did not say which R it runs in")


@pytest.mark.parametrize(
    ("part", "changes", "phase", "message"),
    [
        ("r", {"version": "4.2.2"}, Phase.START, "R 4.2.2 ran, but R 4.5.0 was provisioned"),
        ("bridge", {"version": "1.4"}, Phase.BRIDGE, "reticulate 1.4 was loaded"),
        ("bridge", {"version": None}, Phase.BRIDGE, "which version of the bridge"),
        ("python", {"version": "3.11.2"}, Phase.PYTHON, "Python 3.11.2 ran"),
        ("python", {"version": None}, Phase.PYTHON, "did not say which Python"),
        ("python", {"executable": "/usr/bin/python3"}, Phase.PYTHON, "/usr/bin/python3 ran"),
        ("python", {"executable": "/cache/env/bin/R"}, Phase.PYTHON, "/cache/env/bin/R ran"),
        ("python", {"prefix": "/usr"}, Phase.PYTHON, "with the prefix /usr"),
        (
            "python",
            {"libpython": "/usr/lib/libpython3.11.so.1.0"},
            Phase.PYTHON,
            (
                "/usr/lib/libpython3.11.so.1.0 was loaded, but the libpython of the cell is "
                "/opt/python/3.11.7/lib/libpython3.11.so.1.0"
            ),
        ),
        ("python", {"libpython": None}, Phase.PYTHON, "no libpython is in the memory map"),
        ("modules", {"jax": "0.10.1"}, Phase.IMPORT, "jax 0.10.1 was imported, but the cell"),
        ("modules", {"numpy": "1.26.4"}, Phase.IMPORT, "numpy 1.26.4 was imported, but 2.4.6"),
        ("device", {"kind": "gpu"}, Phase.DEVICE, "used a gpu for cpu"),
        ("device", {"requested": "12.4"}, Phase.DEVICE, "for 12.4"),
        ("device", {"kind": None}, Phase.DEVICE, "did not say which device"),
    ],
)
def test_something_else_ran(part, changes, phase, message):
    mismatch = check(spoiled(part, **changes), axes(), provisioned())
    assert mismatch is not None
    assert mismatch[0] is phase
    assert message in mismatch[1]


def on_gpu(runtime: str | None, cuda: str, *locked: str) -> tuple[Phase, str] | None:
    device = {"requested": cuda, "kind": "gpu", "actual": "gpu:0", "runtime": runtime}
    ready = provisioned()
    text = ready.python.lock.text + "".join(f"{line}\n" for line in locked)
    lock = msgspec.structs.replace(ready.python.lock, text=text)
    python = msgspec.structs.replace(ready.python, lock=lock)
    cell = msgspec.structs.replace(axes(), cuda=cuda)
    return check(spoiled("device", **device), cell, msgspec.structs.replace(ready, python=python))


@pytest.mark.parametrize(
    ("runtime", "cuda"), [("12.6", "13"), ("13.0", "12"), ("12.6", "12.4"), ("12.6", "1")]
)
def test_a_framework_for_another_cuda_ran(runtime, cuda):
    said = f"jax used CUDA {runtime}, but the cell is for CUDA {cuda}"
    assert on_gpu(runtime, cuda) == (Phase.DEVICE, said)


@pytest.mark.parametrize(
    ("runtime", "cuda"), [("12.6", "12"), ("12.5.1", "12.5"), ("12.6", "12.6"), (None, "12")]
)
def test_a_framework_for_the_cuda_of_the_cell_ran(runtime, cuda):
    assert on_gpu(runtime, cuda) is None


def test_tensorflow_says_what_it_was_built_for_and_runs_with_what_is_locked():
    assert on_gpu("12.5.1", "12.9", "nvidia-cuda-runtime-cu12==12.9.79") is None
    assert on_gpu("12.5.1", "12.9", "nvidia-cuda-runtime-cu12==12.8.90") is not None
    assert on_gpu("12.5.1", "13", "nvidia-cuda-runtime==13.0.96") is not None


BUILT = SourceTree(
    name="reticulate", version="1.43.0.9000", place=Path("/t"), digest="d", origin="folder"
)


def built(library: str = "/store/library", tree: SourceTree = BUILT) -> Provisioned:
    ready = provisioned()
    assert ready.r is not None
    r = msgspec.structs.replace(ready.r, binds=(Path(library),))
    return msgspec.structs.replace(ready, r=r, bridge_tree=tree)


@pytest.mark.parametrize("bridge", [SOURCE, "1.43"])
def test_a_bridge_that_was_built_is_the_one_that_was_loaded(bridge):
    seen = spoiled("bridge", version="1.43.0.9000", home="/store/library/reticulate")
    assert check(seen, axes(bridge=bridge), built()) is None


@pytest.mark.parametrize(
    ("version", "home", "message"),
    [
        ("1.41.0.1", "/store/library/reticulate", "1.41.0.1 was loaded, but 1.43.0.9000 was built"),
        ("1.43.0.9000", "/usr/lib/R/site-library/reticulate", "loaded from /usr/lib/R/site-lib"),
    ],
)
def test_another_bridge_than_the_one_that_was_built(version, home, message):
    seen = spoiled("bridge", version=version, home=home)
    mismatch = check(seen, axes(bridge=SOURCE), built())
    assert mismatch is not None
    assert mismatch[0] is Phase.BRIDGE
    assert message in mismatch[1]


def test_a_python_bridge_says_its_version_as_python_writes_it():
    tree = msgspec.structs.replace(BUILT, version="3.7.0-dev")
    seen = spoiled("bridge", version="3.7.0.dev0")
    assert check(seen, axes(bridge=SOURCE), built(tree=tree)) is None


def test_a_framework_that_was_not_imported():
    seen = identity()
    del seen["modules"]["jax"]
    mismatch = check(seen, axes(), provisioned())
    assert mismatch == (Phase.IMPORT, "the driver did not say which version of jax it imported")


def test_keras_on_another_backend():
    cell = axes(framework=Framework(name="keras", version="3.15.1", backends=("torch",)))
    seen = spoiled("modules", keras="3.15.1")
    mismatch = check(seen, cell, provisioned(), "torch")
    assert mismatch is not None
    assert "torch" in mismatch[1]
    assert check(seen, cell, provisioned(), "jax") is None


def test_a_python_that_is_not_what_the_axis_says():
    mismatch = check(identity(), axes(python="3.12"), provisioned())
    assert mismatch is not None
    assert "but the cell is for Python 3.12" in mismatch[1]


def test_an_executable_with_python_linked_in_needs_no_libpython():
    native = axes(path="native", r=None, bridge=None)
    assert check(spoiled("python", libpython=None), native, provisioned(libpython=None)) is None
    assert check(spoiled("python", libpython=None), native, provisioned()) is None


def test_a_libpython_that_lies_below_the_prefix_under_another_name():
    beside = str(PREFIX / "lib/libpython3.11d.so.1.0")
    assert check(spoiled("python", libpython=beside), axes(), provisioned()) is None


def test_a_prefix_with_one_slash_too_many():
    assert check(spoiled("python", prefix="//cache/env"), axes(), provisioned()) is None


def test_a_prefix_that_begins_alike_is_another_prefix():
    beside = "/opt/python/3.11.71/lib/libpython3.11.so.1.0"
    assert check(spoiled("python", libpython=beside), axes(), provisioned()) is not None


def test_a_prefix_that_is_a_link(tmp_path: Path):
    real = tmp_path / "3.11.7"
    (real / "lib").mkdir(parents=True)
    library = real / "lib/libpython3.11.so.1.0"
    library.touch()
    (tmp_path / "3.11").symlink_to(real)
    ready = provisioned(prefix=tmp_path / "3.11", libpython=tmp_path / "3.11/lib/libpython3.11.so")
    assert check(spoiled("python", libpython=str(library)), axes(), ready) is None


def test_the_r_of_this_machine_is_what_was_found():
    assert check(identity(), axes(r="system"), provisioned()) is None


@pytest.mark.parametrize(
    ("seen", "wanted", "same"),
    [
        ("2.13.0+cpu", "2.13.0", True),
        ("2.13.0+cpu", "2.13.0+cpu", True),
        ("2.13.0+cpu", "2.13.0+cu126", False),
        ("2.13.0", "2.13", True),
        ("2.13.1", "2.13.0", False),
        ("not a version", "not a version", True),
        ("not a version", "1.0", False),
    ],
)
def test_same_version(seen, wanted, same):
    assert same_version(seen, wanted) is same


@pytest.mark.parametrize(
    ("seen", "wanted", "begins"),
    [
        ("1.41.0.1", "1.41", True),
        ("1.41.0.1", "1.4", False),
        ("1.8-15", "1.8.15", True),
        ("1.8", "1.8.15", False),
    ],
)
def test_version_begins(seen, wanted, begins):
    assert version_begins(seen, wanted) is begins

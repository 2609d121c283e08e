"""uv's own resolver on a world of packages that is known."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from harness.errors import Unavailable, Unsatisfiable
from harness.model.cell import Axes, Framework
from harness.model.environment import Interpreter
from harness.resolve import Resolver


def axes(framework: Framework | None = None, cuda: str = "cpu", **pins: str) -> Axes:
    return Axes(
        path="native",
        python="3",
        framework=framework,
        cuda=cuda,
        pins=tuple(sorted(pins.items())),
    )


def test_numpy_is_always_there(resolver: Resolver, interpreter: Interpreter) -> None:
    assert resolver.cell(axes(), interpreter).versions == {"numpy": "2.1.3"}


def test_pins_hold(resolver: Resolver, interpreter: Interpreter) -> None:
    assert resolver.cell(axes(numpy="<2"), interpreter).versions == {"numpy": "1.26.4"}
    assert resolver.cell(axes(numpy="2.1"), interpreter).versions == {"numpy": "2.1.3"}
    assert resolver.cell(axes(numpy="==2.1.0"), interpreter).versions == {"numpy": "2.1.0"}


@pytest.mark.parametrize("version", ["2.13.0", "2.13", None])
def test_the_cpu_build_of_torch_is_found_among_cuda_builds(
    resolver: Resolver, interpreter: Interpreter, version: str | None
) -> None:
    lock = resolver.cell(axes(Framework("torch", version)), interpreter)
    assert lock.versions["torch"] == "2.13.0+cpu"


def test_keras_on_torch_draws_in_no_cuda(resolver: Resolver, interpreter: Interpreter) -> None:
    lock = resolver.cell(axes(Framework("keras", None, ("torch", "tensorflow"))), interpreter)
    assert lock.versions == {
        "keras": "3.10.0",
        "numpy": "2.1.3",
        "tensorflow-cpu": "2.20.0",
        "torch": "2.13.0+cpu",
    }


def test_a_torch_without_a_cpu_build_is_unavailable(
    resolver: Resolver, interpreter: Interpreter
) -> None:
    with pytest.raises(Unavailable, match=r"no CPU build of torch 2.14.0 for Python .* reach: "):
        resolver.cell(axes(Framework("torch", "2.14.0")), interpreter)


def test_the_cuda_build_is_not_hidden_by_the_cpu_build(
    resolver: Resolver, interpreter: Interpreter
) -> None:
    lock = resolver.cell(axes(Framework("torch", "2.13.0"), "13"), interpreter)
    assert lock.versions["torch"] == "2.13.0"
    assert lock.versions["nvidia-cuda-runtime"] == "13.0.96"


def test_another_cuda_than_what_can_be_had_is_unavailable(
    resolver: Resolver, interpreter: Interpreter
) -> None:
    with pytest.raises(Unavailable, match=r"no build of torch 2.13.0 for CUDA 12.6 .* CUDA 13.0"):
        resolver.cell(axes(Framework("torch", "2.13.0"), "12.6"), interpreter)


def test_a_cuda_that_torch_was_never_built_for_is_unsatisfiable(
    resolver: Resolver, interpreter: Interpreter
) -> None:
    with pytest.raises(Unsatisfiable, match=r"no build of torch 2.13.0 for CUDA 11.8"):
        resolver.cell(axes(Framework("torch", "2.13.0"), "11.8"), interpreter)


def test_jax_is_held_to_the_cuda_asked_for(resolver: Resolver, interpreter: Interpreter) -> None:
    newest = resolver.cell(axes(Framework("jax"), "12"), interpreter)
    assert newest.versions["nvidia-cuda-runtime-cu12"] == "12.9.79"
    held = resolver.cell(axes(Framework("jax"), "12.6"), interpreter)
    assert held.versions["nvidia-cuda-runtime-cu12"] == "12.6.77"
    with pytest.raises(
        Unsatisfiable, match=r"jax brings CUDA 12.9 and cannot be had with CUDA 12.1"
    ):
        resolver.cell(axes(Framework("jax"), "12.1"), interpreter)


def test_keras_2_comes_with_its_own_tensorflow(
    resolver: Resolver, interpreter: Interpreter
) -> None:
    lock = resolver.cell(axes(Framework("keras", "2.15.0")), interpreter)
    assert lock.versions == {"keras": "2.15.0", "numpy": "1.26.4", "tensorflow-cpu": "2.15.0"}


def test_a_conflict_is_one_clear_sentence_with_the_whole_account_beside_it(
    resolver: Resolver, interpreter: Interpreter
) -> None:
    with pytest.raises(Unsatisfiable) as caught:
        resolver.cell(axes(Framework("tensorflow", "2.15.0"), numpy=">=2"), interpreter)
    assert str(caught.value) == (
        f"no set of packages exists for Python {interpreter.version}: "
        "tensorflow-cpu 2.15.0 needs numpy < 2, while numpy >= 2 is asked for"
    )
    assert "No solution found" in caught.value.detail  # type: ignore[attr-defined]


def test_a_python_without_wheels_is_unsatisfiable(
    resolver: Resolver, interpreter: Interpreter
) -> None:
    with pytest.raises(Unsatisfiable, match=r"tensorflow-cpu 2.11.0 has no wheels for Python"):
        resolver.cell(axes(Framework("tensorflow", "2.11.0")), interpreter)


def test_a_lock_is_reused_as_long_as_it_is_there(
    resolver: Resolver, interpreter: Interpreter, wheels: Path
) -> None:
    first = resolver.cell(axes(), interpreter)
    shutil.rmtree(wheels)
    assert resolver.cell(axes(), interpreter) == first


def test_the_order_of_requirements_does_not_matter(
    resolver: Resolver, interpreter: Interpreter
) -> None:
    one = resolver.lock(["numpy", "keras"], interpreter)
    two = resolver.lock(["keras", "numpy", "numpy"], interpreter)
    assert one == two
    assert resolver.asked == 1

"""A cell's axes as requirements."""

from __future__ import annotations

import pytest

from harness.errors import UsageError
from harness.model.cell import Axes, Framework
from harness.resolve import request


def lines(framework: Framework | None, cuda: str = "cpu", *extra: str) -> set[str]:
    axes = Axes(path="native", python="3.12", framework=framework, cuda=cuda)
    return set(request(axes, extra).requirements)


def test_the_cpu_build_of_each_framework() -> None:
    assert lines(Framework("torch", "2.13.0")) == {"torch==2.13.0", "numpy"}
    assert lines(Framework("tensorflow", "2.20.0")) == {"tensorflow-cpu==2.20.0", "numpy"}
    assert lines(Framework("jax", "0.7.0")) == {"jax==0.7.0", "numpy"}
    assert lines(Framework("jax", "0.4.13")) == {"jax[cpu]==0.4.13", "numpy"}


def test_the_cuda_build_of_each_framework() -> None:
    assert lines(Framework("torch", "2.13.0"), "13") == {"torch==2.13.0", "numpy"}
    assert lines(Framework("tensorflow"), "12") == {"tensorflow[and-cuda]", "numpy"}
    assert lines(Framework("jax"), "12.6") == {"jax[cuda12]", "numpy"}
    assert lines(Framework("jax"), "13") == {"jax[cuda13]", "numpy"}


def test_a_version_of_two_parts_names_a_series() -> None:
    assert "torch==2.13.*" in lines(Framework("torch", "2.13"))
    assert "torch==2.13rc1" in lines(Framework("torch", "2.13rc1"))


def test_keras_3_runs_on_the_backends_asked_for_and_else_on_tensorflow() -> None:
    assert lines(Framework("keras")) == {"keras>=3", "tensorflow-cpu", "numpy"}
    assert lines(Framework("keras", "3.15.1", ("torch", "openvino"))) == {
        "keras==3.15.1",
        "torch",
        "openvino",
        "numpy",
    }


def test_keras_2_runs_on_the_tensorflow_of_its_series() -> None:
    assert lines(Framework("keras", "2.15.0")) == {
        "keras==2.15.0",
        "tensorflow-cpu==2.15.*",
        "numpy",
    }
    with pytest.raises(UsageError, match="runs on tensorflow alone"):
        lines(Framework("keras", "2.15.0", ("torch",)))


def test_what_is_not_known_is_told_with_what_is() -> None:
    with pytest.raises(UsageError, match="write one of tensorflow, jax, torch"):
        lines(Framework("keras", "3.1.0", ("theano",)))
    with pytest.raises(UsageError, match="framework mxnet: not known"):
        lines(Framework("mxnet"))


def test_a_pin_takes_the_place_of_plain_numpy() -> None:
    axes = Axes(path="native", python="3.12", pins=(("numpy", "<2"), ("pandas", "2.2")))
    assert request(axes, ["rpy2==3.6.9"]).requirements == (
        "numpy<2",
        "pandas==2.2.*",
        "rpy2==3.6.9",
    )

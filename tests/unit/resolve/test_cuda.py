"""Which CUDA a lock brings is read from the lock."""

from __future__ import annotations

import platform

import pytest

from harness.model.cuda import runtime_of, satisfies
from harness.model.environment import Lock
from harness.resolve.cuda import has_cuda, torch_backends


def lock(*lines: str) -> Lock:
    return Lock(text="\n".join(lines), digest="x")


@pytest.mark.parametrize(
    ("lines", "runtime"),
    [
        (("torch==2.13.0", "nvidia-cuda-runtime==13.0.96", "nvidia-cudnn-cu13==9.2"), "13.0"),
        (("jax==0.7", "nvidia-cuda-runtime-cu12==12.9.79"), "12.9"),
        (("x==1", "nvidia-cudnn-cu12==9.2"), "12"),
        (("torch==2.5.0+cu121",), "12.1"),
        (("torch==2.13.0+cpu", "numpy==2.1"), None),
    ],
)
def test_runtime(lines: tuple[str, ...], runtime: str | None) -> None:
    assert runtime_of(lock(*lines)) == runtime
    assert has_cuda(lock(*lines)) is (runtime is not None)


@pytest.mark.skipif(platform.machine() != "x86_64", reason="other machines' wheels have no CUDA")
def test_an_old_torch_has_cuda_inside() -> None:
    assert has_cuda(lock("torch==1.12.1"))
    assert not has_cuda(lock("torch==1.12.1+cpu"))


def test_a_cuda_version_is_satisfied_as_far_as_it_has_parts() -> None:
    assert satisfies("12", "12.9")
    assert not satisfies("12.6", "12.9")
    assert not satisfies("1", "12.9")
    assert not satisfies("12", None)


def test_backends_of_pytorchs_index() -> None:
    assert torch_backends("12", "2.13.0") == ("cu126",)
    assert torch_backends("13", "2.13.0") == ("cu130", "cu132")
    assert torch_backends("11.8", "2.13.0") == ()
    assert "cu130" in torch_backends("13", "2.99.0")

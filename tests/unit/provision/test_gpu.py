"""What a CUDA cell lacks is said with the least driver that it needs."""

from __future__ import annotations

import pytest

from harness.provision.gpu import Gpu, least_driver, why_unavailable


@pytest.mark.parametrize(
    ("cuda", "driver"), [("11.8", 450), ("12", 525), ("12.6", 525), ("13", 580), ("99", None)]
)
def test_the_least_driver_is_that_of_the_major_version(cuda: str, driver: int | None) -> None:
    assert least_driver(cuda) == driver


def test_no_device_is_told_with_the_driver_that_is_needed() -> None:
    why = why_unavailable("12.6", None)
    assert why is not None
    assert "no NVIDIA device" in why
    assert "CUDA 12.6 needs an NVIDIA driver of at least 525" in why


def test_an_old_driver_is_told() -> None:
    old = Gpu(driver="470.82.01", names=("a GPU",))
    assert why_unavailable("12", old) == (
        "this machine's NVIDIA driver is 470.82.01; CUDA 12 needs an NVIDIA driver of at least 525"
    )
    assert why_unavailable("11.8", old) is None


def test_the_cpu_lacks_nothing() -> None:
    assert why_unavailable("cpu", None) is None

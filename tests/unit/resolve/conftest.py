"""A world of packages small enough to know: wheels in a folder, and uv's own resolver on it."""

from __future__ import annotations

import os
import platform
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from harness.model.environment import Interpreter, PackageSources
from harness.provision.store import FolderStore
from harness.resolve import Resolver


def wheel(folder: Path, name: str, version: str, requires: Sequence[str] = (), **more: str) -> None:
    """Write an empty wheel; ``tag`` of ``more`` is what it is for, ``extra`` lines of metadata."""
    label = f"{name.replace('-', '_')}-{version}"
    metadata = [f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}"]
    metadata += [f"Requires-Dist: {line}" for line in requires]
    if "extra" in more:
        metadata.append(f"Provides-Extra: {more['extra']}")
    tag = more.get("tag", "py3-none-any")
    with zipfile.ZipFile(folder / f"{label}-{tag}.whl", "w") as archive:
        archive.writestr(f"{label}.dist-info/METADATA", "\n".join(metadata) + "\n")
        archive.writestr(
            f"{label}.dist-info/WHEEL", f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tag}\n"
        )
        archive.writestr(f"{label}.dist-info/RECORD", "")


@pytest.fixture
def wheels(tmp_path: Path) -> Path:
    folder = tmp_path / "wheels"
    folder.mkdir()
    for version in ("1.26.4", "2.1.0", "2.1.3"):
        wheel(folder, "numpy", version)
    # As PyTorch has it: the plain build needs CUDA's packages, the labelled one does not.
    cuda = ["nvidia-cublas==13.1.0", "nvidia-cuda-runtime==13.0.96", "numpy"]
    wheel(folder, "torch", "2.13.0", cuda)
    wheel(folder, "torch", "2.14.0", cuda)
    wheel(folder, "torch", "2.13.0+cpu", ["numpy"])
    wheel(folder, "nvidia-cublas", "13.1.0")
    wheel(folder, "nvidia-cuda-runtime", "13.0.96")
    for version in ("12.6.77", "12.9.79"):
        wheel(folder, "nvidia-cuda-runtime-cu12", version)
    wheel(folder, "jax", "0.7.0", ["numpy", 'nvidia-cuda-runtime-cu12; extra == "cuda12"'],
          extra="cuda12")  # fmt: skip
    wheel(folder, "keras", "3.10.0", ["numpy"])
    wheel(folder, "keras", "2.15.0", ["numpy"])
    wheel(folder, "tensorflow-cpu", "2.15.0", ["numpy<2", "keras>=2.15,<2.16"])
    wheel(folder, "tensorflow-cpu", "2.20.0", ["numpy>=1.26", "keras>=3.10"])
    wheel(folder, "tensorflow-cpu", "2.11.0", tag="cp310-cp310-manylinux_2_17_x86_64")
    return folder


@pytest.fixture
def interpreter() -> Interpreter:
    return Interpreter(
        executable=Path(sys.executable),
        version=platform.python_version(),
        prefix=Path(sys.base_prefix),
        libpython=None,
    )


@pytest.fixture
def sources(tmp_path: Path, wheels: Path) -> PackageSources:
    return PackageSources(
        options=("--no-index", "--find-links", str(wheels)),
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "UV_CACHE_DIR": str(tmp_path / "uv"),
            "UV_INDEX_STRATEGY": "unsafe-best-match",
            "UV_OFFLINE": "1",
        },
        digest="x",
    )


@pytest.fixture
def resolver(tmp_path: Path, sources: PackageSources) -> Resolver:
    return Resolver(FolderStore(tmp_path / "store"), sources)

"""Source trees of bridges, real and published: what a maintainer works on."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from harness.errors import HarnessError
from harness.model.cell import Axes
from harness.programs import uv_program
from harness.provision.provisioner import Provisioner
from harness.provision.store import FolderStore

CHANGED = "1.41.0.9001"
RPY2 = {"rpy2": "3.6.6", "rpy2-rinterface": "3.6.5", "rpy2-robjects": "3.6.4"}


def source_of_reticulate(store: FolderStore, folder: Path) -> Path:
    """Copy the source of Debian's reticulate into ``folder``, with a version of its own."""
    provisioner = Provisioner(store)
    try:
        axes = Axes(path="reticulate", r="4.5.0", python="3.11")
        toolchain = provisioner.r(axes, ("reticulate",))
        assert toolchain is not None
        source = provisioner.bridge_source(toolchain, "reticulate")
    except HarnessError as error:
        pytest.skip(str(error))
    copy = folder / "reticulate"
    shutil.copytree(source, copy)
    description = (copy / "DESCRIPTION").read_text()
    said = next(line for line in description.splitlines() if line.startswith("Version:"))
    (copy / "DESCRIPTION").write_text(description.replace(said, f"Version: {CHANGED}"))
    return copy


def source_of_rpy2(folder: Path) -> Path:
    """Make a tree of rpy2's three projects, as its repository has them, of what is published."""
    fetched = subprocess.run(
        [
            *(uv_program(), "tool", "run", "--python", sys.executable, "pip", "download"),
            *("--no-deps", "--no-binary", ":all:", "--dest", folder / "sdists"),
            *(f"{name}=={version}" for name, version in RPY2.items()),
        ],
        env={**os.environ, "RPY2_CFFI_MODE": "ABI"},
        capture_output=True,
        text=True,
        check=False,
    )
    if fetched.returncode != 0:
        pytest.skip(f"rpy2's source cannot be fetched: {fetched.stderr[-300:]}")
    for archive in (folder / "sdists").iterdir():
        with tarfile.open(archive) as opened:
            opened.extractall(folder / "unpacked", filter="data")
    tree = folder / "tree"
    for name, version in RPY2.items():
        source = folder / "unpacked" / f"{name.replace('-', '_')}-{version}"
        shutil.copytree(source, tree if name == "rpy2" else tree / name, dirs_exist_ok=True)
    return tree

"""Each script that is published as the sign of a silent loss shows it, with what it names."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.model.cell import Axes
from harness.provision.provisioner import Provisioner
from harness.provision.store import FolderStore, default_root

from . import whole
from .scripted import output
from .whole import Whole

# Four minutes on two cores: run every night, and before the page is published.
pytestmark = [pytest.mark.live, pytest.mark.long]

BENCH = Path(__file__).parents[2] / "bench" / "conversions.py"
CRAN = os.environ.get("HARNESS_CRAN") or None
"""Read now: a test sees no setting of the harness."""
PINS = (("numpy", "==1.26.4"), ("pandas", "==2.2.3"), ("scipy", "==1.13.1"))


def scripts() -> Any:
    spec = importlib.util.spec_from_file_location("conversions", BENCH)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.scripts()


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Whole]:
    with pytest.MonkeyPatch.context() as patch, FolderStore(default_root()) as store:
        patch.setattr(whole, "Provisioner", lambda store: Provisioner(store, cran=CRAN))
        yield Whole(store, tmp_path_factory.mktemp("scripts"))


@pytest.mark.parametrize("script", scripts(), ids=lambda script: script.id)
def test_the_loss_is_there(run, script):
    if script.cell["path"] == "rpython" and CRAN is None:
        pytest.skip("HARNESS_CRAN names no repository with rPython and RJSONIO")
    axes = Axes(python="3.11", pins=PINS, **script.cell)
    said = output(run, axes, script.lines, "r" if script.r else "python")
    lines = [line.rstrip() for line in said.strip("\n").splitlines()]
    assert lines == [line.rstrip() for line in script.prints.strip("\n").splitlines()]

"""``harness bisect`` with real cells: the boundaries of an old reticulate, and a second call."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.live

HARNESS = [sys.executable, "-m", "harness"]
MATRIX = """\
matrix: old
axes:
  path: reticulate
  r: 4.2.2
  python: ["3.9", "3.10", "3.11", "3.12", "3.13"]
probes: [init]
include:
  # Training hands arrays over, which an old reticulate cannot do with numpy 2.
  - path: reticulate
    r: 4.2.2
    python: "3.11"
    framework: jax==0.4.38
    numpy: ["1.19.5", "1.26.4", "2.0.2"]
    probes: [init, train]
"""
PYTHON = "reticulate-1.28__r4.2.2__py3.11__cpu"
NUMPY = "reticulate-1.28__r4.2.2__py3.11__jax0.4.38__cpu__numpy1.26.4"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bisect")
    (folder / "old.yaml").write_text(MATRIX)
    return folder


def bisect(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*HARNESS, "bisect", "old.yaml", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


def found(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    assert done.returncode == 0, done.stdout + done.stderr
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def test_the_python_that_an_old_reticulate_no_longer_starts(folder: Path) -> None:
    document = found(bisect(folder, PYTHON, "--axis", "python", "--format", "json"))
    (boundary,) = document["boundaries"]
    assert (boundary["starts_to"], boundary["at"], boundary["exact"]) == ("fail", "3.12", True)
    assert boundary["passing"]["value"] == "3.11"
    assert "No module named 'imp'" in boundary["failing"]["message"]
    assert boundary["failing"]["control"] == "pass"
    assert document["run"] < len(document["values"]) == 5

    again = bisect(folder, PYTHON, "--axis", "python")
    assert again.returncode == 0
    assert f"{PYTHON} along python: starts to fail at 3.12" in again.stdout
    assert "[1/" not in again.stderr, "what has a result was run again"


def test_the_numpy_that_an_old_reticulate_does_not_convert(folder: Path) -> None:
    document = found(bisect(folder, NUMPY, "--axis", "numpy", "--format", "json", "--quiet"))
    (boundary,) = document["boundaries"]
    assert (boundary["passing"]["value"], boundary["failing"]["value"]) == ("1.26.4", "2.0.2")
    assert "incompatible NumPy binary version" in boundary["failing"]["message"]
    stepped = [tried for tried in document["tried"] if tried["status"] == "unsatisfiable"]
    assert [tried["value"] for tried in stepped] == ["1.19.5"], "no wheels of it for Python 3.11"
    assert document["stepped_over"] == 1

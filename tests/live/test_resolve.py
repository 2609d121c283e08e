"""``harness plan --resolve`` on the real package index."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.live

HARNESS = Path(sys.executable).with_name("harness")
MATRIX = """\
axes:
  path: native
  python: "3.12"
  framework: jax==0.10.2
controls: false
include:
  - {path: native, python: "3.12", framework: jax==0.10.2, numpy: "<2"}
  - {path: native, python: "3.11", framework: tensorflow==2.17.0, jax: ">=0.7"}
  - {path: rpy2, r: 4.5.0, bridge: 3.6.9, python: "3.8"}
  - {path: native, python: "3.14", framework: jax==0.10.2}
"""


def planned(folder: Path, **variables: str) -> tuple[int, list[dict[str, Any]]]:
    (folder / "m.yaml").write_text(MATRIX)
    done = subprocess.run(
        [HARNESS, "plan", "m.yaml", "--resolve", "--format", "json"],
        cwd=folder,
        env={**os.environ, "HARNESS_CACHE": str(folder / "cache"), **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    cells = json.loads(done.stdout)["cells"]
    return done.returncode, [cell["resolve"] for cell in cells]


def test_real_cells_that_exist_and_that_do_not(tmp_path: Path) -> None:
    code, (good, numpy, both, rpy2, newer) = planned(tmp_path)
    assert code == 0
    assert good["status"] == "satisfiable"
    assert good["versions"]["jax"] == "0.10.2"
    assert numpy["status"] == "unsatisfiable"
    assert numpy["message"].endswith("jax 0.10.2 needs numpy >= 2.0, while numpy < 2 is asked for")
    assert both["status"] == "unsatisfiable"
    assert "tensorflow-cpu 2.17.0 needs ml-dtypes < 0.5.0" in both["message"]
    assert "needs ml-dtypes >= 0.5.0" in both["message"]
    assert rpy2["status"] == "unsatisfiable"
    assert "needs Python >= 3.9" in rpy2["message"]
    assert newer["status"] == "satisfiable"
    assert newer["python"].startswith("3.14.")
    # Again without a network: the same answers, because they have been kept.
    assert planned(tmp_path, UV_OFFLINE="1")[1] == [
        {**answer, "seconds": pytest.approx(answer["seconds"], abs=600)}
        for answer in (good, numpy, both, rpy2, newer)
    ]


def test_without_an_index_and_without_a_kept_answer_nothing_is_known(tmp_path: Path) -> None:
    dead = "http://127.0.0.1:9"
    # No page of an index is there either: uv's own cache is an empty folder.
    code, answers = planned(
        tmp_path, HTTPS_PROXY=dead, HTTP_PROXY=dead, UV_CACHE_DIR=str(tmp_path / "uv")
    )
    assert code == 3
    assert {answer["status"] for answer in answers} == {"unknown"}
    assert all(answer["message"].startswith("nothing is known") for answer in answers)
    assert not list((tmp_path / "cache").glob("lock/*/answer.json"))

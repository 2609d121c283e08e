"""``harness ab`` with real processes: identical arms, a planted slowdown, and another's clock."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.model.cell import Axes
from harness.model.environment import Provisioned
from harness.paths.base import Launch, Needs
from harness.paths.reticulate import Reticulate
from harness.provision.store import FolderStore, default_root

from .whole import Whole

pytestmark = [pytest.mark.live, pytest.mark.alone]

MATRIX = """\
matrix: ab
axes: {path: reticulate, r: 4.2.2, python: "3.11"}
controls: false
"""


def compare(folder: Path, *options: str) -> tuple[int, dict[str, Any]]:
    (folder / "ab.yaml").write_text(MATRIX)
    words = ["ab", "ab.yaml", "--base", "env.TZ=UTC", "--head", "env.TZ=UTC", "--format", "json"]
    done = subprocess.run(
        [sys.executable, "-m", "harness", *words, *options],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


@pytest.mark.long
def test_identical_arms_are_not_said_to_differ(tmp_path):
    code, document = compare(tmp_path, "--budget", "60")
    # On a busy machine a minute may not be enough to say that all is well.
    assert document["verdict"] in {"ok", "inconclusive", "unproven"}
    assert code == {"ok": 0, "inconclusive": 3, "unproven": 0}[document["verdict"]]
    assert [one["metric"] for one in document["comparisons"]] == [
        "process_start",
        "bridge_load",
        "python_start",
        "noop",
        "echo",
    ]
    assert {one["arm"] for one in document["samples"]} == {"base", "head", "native"}
    # Processor time, for which both work at once and not in batches by turns.
    assert all(one["times"]["noop"][2] == [] for one in document["samples"])


def test_a_call_that_takes_twice_as_long_is_a_regression_of_the_call_alone(tmp_path):
    code, document = compare(
        tmp_path, "--metric", "noop", "--plant", "2", "--budget", "600", "--fresh"
    )
    assert (code, document["verdict"], document["metric"]) == (1, "regressed", "noop")
    assert 1.7 < document["ratio"] < 2.3
    assert document["measured_s"] < 600


class Timed(Reticulate):
    """The path with R's own ``bench`` beside it, which times the same call by turns."""

    def needs(self, probe: str, axes: Axes) -> Needs:
        return Needs(r_packages=("bench",))

    def launch(self, axes: Axes, provisioned: Provisioned, files: Path) -> Launch:
        plain = super().launch(axes, provisioned, files)
        code = f"""
          source("{plain.argv[-1]}")
          noop <- function() kit$py$noop()
          mine <- function() {{
            kit$timed("agreement", for (number in seq_len(500)) noop())[["wall"]] / 500
          }}
          theirs <- function() {{
            mean(as.numeric(bench::mark(
              noop(), iterations = 500, check = FALSE, memory = FALSE, filter_gc = FALSE
            )$time[[1]]))
          }}
          ratios <- vapply(seq_len(60), function(turn) {{
            if (turn %% 2) first <- mine()
            other <- theirs()
            (if (turn %% 2) first else mine()) / other
          }}, 0)
          kit$say("finding", id = "agreement", text = sprintf("%.6f", median(ratios)))
        """
        lines = [line.strip() for line in code.strip().splitlines()]
        return Launch(argv=(*plain.argv[:-1], "-e", "\n".join(lines)))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Whole]:
    with FolderStore(default_root()) as store:
        whole = Whole(store, tmp_path_factory.mktemp("ab"))
        # An R has the packages of all paths that are known.
        whole.preparation._paths = (*whole.preparation._paths, Timed())
        yield whole


@pytest.mark.parametrize(
    "tolerance",
    [
        # Wherever the tests run, whatever else that machine does.
        0.25,
        # What is claimed, on a machine that does nothing else.
        pytest.param(0.05, marks=pytest.mark.long),
    ],
)
def test_a_noop_call_takes_as_long_as_the_package_bench_says(run, tolerance):
    axes = Axes(path="reticulate", r="4.2.2", python="3.11")
    record = run(axes, "init", "call", path=Timed())
    assert record.findings, record.message
    assert float(record.findings[-1]) == pytest.approx(1.0, abs=tolerance)

"""How much sooner does a run end with two cells at a time?

The same cells, one and two at a time, in turns; environments are there already.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path

from _measure import Bench, Failed, Figure, run

HARNESS = Path(sys.executable).with_name("harness")
MATRIX = """\
matrix: speedup
probes: [init, train]
axes:
  path: [native]
  python: ["3.11"]
  framework: [jax==0.10.2]
  six: ["==1.10.0", "==1.11.0", "==1.12.0", "==1.13.0", "==1.14.0", "==1.15.0"]
"""
LEAST = 1 / 1.5
"""Of the time that one at a time takes, at most; ideal is a half, and frameworks have threads."""


def main() -> int:
    """Measure, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    cores = len(os.sched_getaffinity(0))
    if cores < 2:  # noqa: PLR2004 - what the script is about
        raise Failed(f"this process may use {cores} core: nothing can be concluded")
    walls: dict[int, list[float]] = {1: [], 2: []}
    inside: dict[int, list[float]] = {1: [], 2: []}
    with tempfile.TemporaryDirectory() as folder:
        matrix = Path(folder, "speedup.yaml")
        matrix.write_text(MATRIX, encoding="utf-8")
        results = Path(folder, "results")
        command: list[str | Path] = [HARNESS, "run", matrix, "--results", results, "--fresh"]
        command += ["--quiet", "--no-remedies", "--jobs"]
        print("once to build what is not there yet ...", flush=True)
        run([*command, "2"])
        for number in range(options.repeat):
            # What wanders on the machine does not always meet the same first.
            for jobs in ((1, 2), (2, 1))[number % 2]:
                walls[jobs].append(run([*command, str(jobs)]).wall_s)
                cells = json.loads((results / "results.json").read_bytes())["cells"]
                if any(cell["status"] != "pass" for cell in cells):
                    raise Failed("a cell did not pass: nothing can be concluded")
                inside[jobs].append(sum(cell["wall_s"] for cell in cells))
    shares = [two / one for one, two in zip(walls[1], walls[2], strict=True)]
    return Bench(
        "speedup",
        "How much sooner does a run end with two cells at a time?",
        [
            Figure("time of two at a time / time of one at a time", "", shares, LEAST),
            Figure("one at a time", "s", walls[1]),
            Figure("two at a time", "s", walls[2]),
            Figure("sum of the cells' own wall time, one at a time", "s", inside[1]),
            Figure("sum of the cells' own wall time, two at a time", "s", inside[2]),
        ],
        [
            (
                f"{len(cells)} cells that train with JAX, each on its own; {cores} cores, which "
                "one cell alone keeps busy in part: JAX has threads."
            )
        ],
    ).publish()


if __name__ == "__main__":
    sys.exit(main())

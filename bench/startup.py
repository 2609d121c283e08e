"""How soon does the command line answer, and how many cells can be planned?"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from _measure import Bench, Failed, Figure, Use, run

HARNESS = Path(sys.executable).with_name("harness")
SMOKE = Path("matrices/smoke.yaml")
CELLS = 100_000


def large_matrix(folder: Path) -> Path:
    """Write a matrix of 100,000 cells: 10 R, 10 Pythons, 40 frameworks, 25 numpys."""
    pythons = [f"3.{minor}.{patch}" for minor in (11, 12) for patch in range(5)]
    frameworks = [f"{name}==2.{n}.0" for name in ("torch", "tensorflow") for n in range(20)]
    axes = {
        "path": ["reticulate"],
        "r": [f"4.{minor}.{patch}" for minor in (2, 3, 4, 5, 6) for patch in (0, 1)],
        "python": pythons,
        "framework": frameworks,
        "numpy": [f"2.{n // 5}.{n % 5}" for n in range(25)],
    }
    file = folder / "large.yaml"
    file.write_text(json.dumps({"axes": axes, "controls": False}), encoding="utf-8")
    return file


def planned(matrix: Path) -> int:
    """Count the cells, so that a fast plan of nothing is not taken for a fast plan."""
    done = subprocess.run(
        [HARNESS, "plan", matrix, "--format", "json"], check=True, capture_output=True
    )
    return len(json.loads(done.stdout)["cells"])


def main() -> int:
    """Measure, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeat", type=int, default=7)
    repeat = parser.parse_args().repeat
    with tempfile.TemporaryDirectory() as folder:
        large = large_matrix(Path(folder))
        if planned(large) != CELLS:
            raise Failed(f"the large matrix has not {CELLS} cells: nothing was measured")
        commands: dict[str, list[str | Path]] = {
            "python": [sys.executable, "-c", "pass"],
            "help": [HARNESS, "--help"],
            "plan": [HARNESS, "plan", SMOKE],
            "large": [HARNESS, "plan", large],
        }
        uses: dict[str, list[Use]] = {name: [] for name in commands}
        # An untimed round first, which leaves bytecode for the others: users have it, too.
        env = {**os.environ, "PYTHONDONTWRITEBYTECODE": ""}
        for number in range(repeat + 1):  # interleaved: a busy minute hits all alike
            for name, command in commands.items():
                use = run(command, env=env)
                if number:
                    uses[name].append(use)

    def cpu(name: str) -> list[float]:
        return [use.cpu_s for use in uses[name]]

    large_plan = f"`harness plan`, {CELLS:,} cells"
    return Bench(
        "startup",
        "How soon does the command line answer?",
        [
            Figure("Python alone", "s of CPU", cpu("python")),
            Figure("`harness --help`", "s of CPU", cpu("help"), 0.3),
            Figure("`harness plan` of the smoke matrix", "s of CPU", cpu("plan"), 0.3),
            Figure(large_plan, "s of CPU", cpu("large"), 2.0),
            Figure(large_plan, "s on the clock", [use.wall_s for use in uses["large"]]),
            Figure(large_plan, "MB at the peak", [use.max_rss_mb for use in uses["large"]], 500),
        ],
        ["CPU time is user and system time of the process and its children, start-up included."],
    ).publish()


if __name__ == "__main__":
    sys.exit(main())

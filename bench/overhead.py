"""What does the harness itself cost on a real run?

Wall time times jobs, over the sum of the cells' own wall time.  With environments that are
there already, 1.0 is a harness that takes no time and never leaves a job idle.
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
NOT_MEASURED = 3


def main() -> int:
    """Measure, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--matrix", type=Path, default=Path("matrices/smoke.yaml"))
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--repeat", type=int, default=2)
    parser.add_argument("--where", default="", help="a part of the matrix, to try this script")
    options = parser.parse_args()
    command: list[str | Path] = [HARNESS, "run", options.matrix, "--fresh", "--quiet"]
    # Remedies that are tried are cells that no result counts.
    command += ["--no-remedies"]
    command += ["--jobs", str(options.jobs)]
    if options.where:
        command += ["--where", options.where]

    ratios, walls, sums, provisions = [], [], [], []
    with tempfile.TemporaryDirectory() as folder:
        command += ["--results", folder]
        print("once to build what is not there yet ...", flush=True)
        run(command)
        for number in range(options.repeat):
            print(f"run {number + 1} of {options.repeat} ...", flush=True)
            wall_s = run(command).wall_s
            cells = json.loads(Path(folder, "results.json").read_bytes())["cells"]
            ran = [cell["wall_s"] for cell in cells if cell["wall_s"] > 0]
            if len(ran) < options.jobs:
                raise Failed(f"{len(ran)} of {len(cells)} cells ran: nothing can be concluded")
            walls.append(wall_s)
            sums.append(sum(ran))
            ratios.append(wall_s * options.jobs / sum(ran))
            provisions.append(sum(cell["resolve_s"] + cell["provision_s"] for cell in cells))
    return Bench(
        "overhead",
        "What does the harness itself cost on a real run?",
        [
            Figure("wall time × jobs / sum of the cells' wall time", "", ratios, 1.10),
            Figure("wall time of `harness run`", "s", walls),
            Figure("sum of the cells' wall time", "s", sums),
            Figure("resolving and provisioning, sum over the cells", "s", provisions),
        ],
        [
            f"{len(ran)} cells that ran, of `{options.matrix}`"
            + (f" where `{options.where}`" if options.where else "")
            + f", {options.jobs} at once; environments were there already, results were not.",
            "Wall time is that of the whole process: start-up, planning, journal, idle jobs.",
        ],
    ).publish()


if __name__ == "__main__":
    sys.exit(main())

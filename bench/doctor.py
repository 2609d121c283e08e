"""How much longer than importing the framework does ``harness doctor`` take where all is well?

Both are run in one root folder with one R and one Python: the framework's bare import over
reticulate, and the doctor, which does that and all the rest.  They alternate, and each ratio is of
a pair.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from _measure import Bench, Failed, Figure

if TYPE_CHECKING:
    from tests.live.causes.bench import Bench as Machine
    from tests.live.causes.bench import Situation

ROOT: Final = Path(__file__).parents[1]
TARGET: Final = 1.3
FRAMEWORKS: Final = ("jax", "torch", "keras", "tensorflow")


def healthy(machine: Machine, name: str) -> Situation:
    """Return a situation with the framework, as a user would have it."""
    from harness.model.cell import Framework
    from tests.live.causes.bench import Situation

    framework = Framework(name=name, backends=("jax",) if name == "keras" else ())
    environment = machine.environment("3.11", framework=framework)
    env = {"RETICULATE_PYTHON": str(environment.executable)}
    if name == "keras":
        env["KERAS_BACKEND"] = "jax"
    return Situation(env=env, binds=environment.binds)


def pair(machine: Machine, situation: Situation, name: str, *, first: bool) -> tuple[float, float]:
    """Return what the bare import and the doctor took, in seconds; ``first`` is the import."""
    code = f'reticulate::import("{name}", delay_load = FALSE)'
    bare = replace(situation, arguments=("Rscript", "-e", f"invisible({code})"))
    asked = replace(situation, arguments=("--framework", name))
    took: dict[str, float] = {}
    for what in ("import", "doctor") if first else ("doctor", "import"):
        if what == "import":
            ran = machine.program(bare)
            if ran.code != 0:
                raise Failed(f"{name} cannot be imported: {ran.text.strip()[-300:]}")
            took[what] = ran.wall_s
        else:
            answer = machine.doctor(asked)
            if not answer.report["ok"]:
                raise Failed(f"the doctor is not content with {name}: {answer.report['summary']}")
            took[what] = answer.wall_s
    return took["import"], took["doctor"]


def main() -> int:
    """Measure, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeat", type=int, default=9)
    parser.add_argument("--framework", choices=FRAMEWORKS, action="append")
    parser.add_argument("--keep", type=Path, help="a folder for the results")
    asked = parser.parse_args()
    # The machines that the tests examine; the harness itself is the one that is installed.
    sys.path.append(os.fspath(ROOT))
    from harness.provision.store import FolderStore, default_root
    from tests.live.causes.bench import Bench as Machine

    figures: list[Figure] = []
    with tempfile.TemporaryDirectory() as folder, FolderStore(default_root()) as store:
        machine = Machine(store, Path(folder))
        for name in asked.framework or FRAMEWORKS:
            situation = healthy(machine, name)
            pair(machine, situation, name, first=True)  # untimed: files come into memory
            pairs = [
                pair(machine, situation, name, first=count % 2 == 0)
                for count in range(asked.repeat)
            ]
            figures += [
                Figure(f"{name}: the bare import", "s", [bare for bare, _ in pairs]),
                Figure(f"{name}: `harness doctor`", "s", [doctor for _, doctor in pairs]),
                Figure(f"{name}: their ratio", "", [d / b for b, d in pairs], TARGET),
            ]
    return Bench(
        "doctor",
        "How much longer than the import of the framework does the doctor take?",
        figures,
        [
            (
                "R 4.5.0 with reticulate 1.41, Python 3.11, everything warm; the pairs alternate, "
                "and each ratio is that of one pair."
            ),
        ],
    ).publish(*([asked.keep] if asked.keep else []))


if __name__ == "__main__":
    sys.exit(main())

"""How soon does ``harness diagnose`` name the cause in a pasted log?"""

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
LOGS = Path("tests/logs")
STEP = 12
"""Every so many-th log of the corpus is timed: all of them take minutes."""
LONG_MB = 20
TARGET_S = 0.5
FOUND = (0, 1)
"""Exit codes of a diagnosis: no cause, and a cause."""
CAUSE = "numpy2-vs-old-reticulate"
FAILURE = "incompatible NumPy binary version 33554432 (expecting version 16777225)\n"


def long_log(folder: Path) -> Path:
    """Write the log of a long training, with the failure in the middle."""
    line = "1875/1875 ━━━━━━━━━━━━━━━━━━━━ 3s 2ms/step - accuracy: 0.9 - loss: 0.{:05d}\n"
    many = LONG_MB * 1_000_000 // len(line.encode())
    lines = [line.format(number % 100_000) for number in range(many)]
    lines.insert(many // 2, f"Error in py_to_r_cpp(x) : {FAILURE}")
    file = folder / "long.log"
    file.write_text("".join(lines), encoding="utf-8")
    return file


def cause_in(log: Path) -> str | None:
    """Return the cause that is named, so that a fast answer of nothing is not taken for one."""
    done = subprocess.run(
        [HARNESS, "diagnose", log, "--format", "json"], check=False, capture_output=True
    )
    if done.returncode not in FOUND:
        raise Failed(f"'harness diagnose {log}' ended with {done.returncode}")
    causes = json.loads(done.stdout)["causes"]
    return causes[0]["id"] if causes else None


def main() -> int:
    """Measure, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeat", type=int, default=5)
    repeat = parser.parse_args().repeat
    logs = [log for log in sorted(LOGS.glob("*/*.log")) if not log.with_suffix(".yaml").is_file()]
    chosen = logs[::STEP]
    if not chosen:
        raise Failed(f"no log lies in {LOGS}: run it from the folder of the repository")
    uses: dict[str, list[Use]] = {"python": [], "corpus": [], "long": []}
    with tempfile.TemporaryDirectory() as folder:
        long = long_log(Path(folder))
        if cause_in(long) != CAUSE:
            raise Failed(f"the cause of the long log was not found, which is {CAUSE}")
        # An untimed round first, which leaves bytecode and the catalogue: users have them, too.
        env = {**os.environ, "PYTHONDONTWRITEBYTECODE": ""}
        for number in range(repeat + 1):  # interleaved: a busy minute hits all alike
            timed = {
                "python": [run([sys.executable, "-c", "pass"], env=env)],
                "long": [run([HARNESS, "diagnose", long], env=env, allowed=FOUND)],
                "corpus": [
                    run([HARNESS, "diagnose", log], env=env, allowed=FOUND) for log in chosen
                ],
            }
            if number:
                for name, each in timed.items():
                    uses[name].extend(each)

    def wall(name: str) -> list[float]:
        return [use.wall_s for use in uses[name]]

    long_one = f"A log of {LONG_MB} MB"
    one = f"`harness diagnose`, {len(chosen)} logs of the corpus one by one"
    return Bench(
        "diagnose",
        "How soon is the cause in a pasted log named?",
        [
            Figure("Python alone", "s on the clock", wall("python")),
            Figure(one, "s on the clock", wall("corpus"), TARGET_S),
            Figure(one, "s of CPU", [use.cpu_s for use in uses["corpus"]]),
            Figure(long_one, "s on the clock", wall("long")),
            Figure(long_one, "MB at the peak", [use.max_rss_mb for use in uses["long"]]),
        ],
        [
            f"Every {STEP}th log of {len(logs)} in `tests/logs`; each reading is one run.",
            "Start-up is included, with the catalogue as it was kept by an earlier run.",
        ],
    ).publish()


if __name__ == "__main__":
    sys.exit(main())

"""How alike are two identical imports, one after the other's end, and both at once?

The reason for how ``harness ab`` runs a pair.  Each way by turns, beside a process that keeps the
machine busy; what is compared is processor time, as log(second / first).
"""

from __future__ import annotations

import argparse
import math
import os
import subprocess
import sys
from pathlib import Path
from statistics import median, pstdev

from _measure import Bench, Figure

PROGRAM = """\
import sys, time
print("ready", flush=True)
sys.stdin.readline()
began = time.process_time()
__import__(sys.argv[1])
print(time.process_time() - began, flush=True)
"""
THREADS = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
LEAST = 1 / 3
"""Of the difference that there is one after the other, at most."""


def pair(module: str, processor: int, *, at_once: bool) -> float:
    """Import a module in two fresh processes on one processor, and return log(second / first)."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {processor})
    try:
        both = [_started(module) for _ in range(2)]
    finally:
        os.sched_setaffinity(0, before)
    took = []
    for process in both:
        _begin(process)
        if not at_once:
            took.append(_took(process))
    first, second = took or map(_took, both)
    return math.log(second / first)


def _started(module: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", PROGRAM, module]
    pipe = subprocess.PIPE
    process = subprocess.Popen(
        command, stdin=pipe, stdout=pipe, text=True, env={**os.environ, **THREADS}
    )
    assert process.stdout is not None
    process.stdout.readline()
    return process


def _begin(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def _took(process: subprocess.Popen[str]) -> float:
    assert process.stdout is not None
    seconds = float(process.stdout.readline())
    process.communicate()
    return seconds


def main() -> int:
    """Measure, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeat", type=int, default=25)
    parser.add_argument("--module", default="scipy.stats")
    options = parser.parse_args()
    processors = sorted(os.sched_getaffinity(0))
    found: dict[bool, list[float]] = {False: [], True: []}
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as busy:
        try:
            for number in range(-1, options.repeat):
                for at_once in (False, True):
                    processor = processors[number % len(processors)]
                    ratio = pair(options.module, processor, at_once=at_once)
                    # The first pair of each reads the files from the disk.
                    if number >= 0:
                        found[at_once].append(ratio)
        finally:
            busy.kill()
    apart = {at_once: [abs(one) for one in ratios] for at_once, ratios in found.items()}
    spread = {at_once: pstdev(ratios) for at_once, ratios in found.items()}
    return Bench(
        Path(__file__).stem,
        "How alike are two identical imports, one after the other's end and both at once?",
        [
            Figure(
                "difference at once / difference one after the other, medians",
                "",
                [median(apart[True]) / median(apart[False])],
                LEAST,
            ),
            Figure("distance of log(second / first) from 0, one after the other", "", apart[False]),
            Figure("distance of log(second / first) from 0, both at once", "", apart[True]),
        ],
        [
            (
                f"{options.repeat} pairs each of `import {options.module}`, processor time, both "
                "of a pair on one processor, beside one busy process."
            ),
            (
                "Standard deviation of log(second / first): "
                f"{spread[False]:.4f} one after the other, {spread[True]:.4f} at once."
            ),
        ],
    ).publish()


if __name__ == "__main__":
    sys.exit(main())

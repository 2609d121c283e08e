"""How long does an environment take to make from a warm cache, beside other tools?

Every tool makes a new virtual environment with the same requirements on the same Python, with
its own caches warm (an untimed round comes first), and all compile bytecode, as pip always
does; that takes most of the time, so the harness and uv are compared without it, too.  Rounds
are interleaved, and ratios taken within a round.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from _measure import Bench, Figure, run

REQUIREMENTS = ("keras", "numpy", "jax")
HERE = Path(__file__).parent
BIN = Path(sys.executable).parent
PYTHON = Path(sys.base_prefix) / "bin" / f"python3.{sys.version_info.minor}"
COMPILED = {"UV_COMPILE_BYTECODE": "1"}
REFERENCE = "uv alone"
OURS = "harness"
BARE = ", bytecode not compiled"
TARGET = 1.5

Make = Callable[[Path], None]
"""Makes an environment below the folder, which is new and empty."""


def harness(requirements: Sequence[str], known: Path, bytecode: str = "compiled") -> Make:
    """Resolve, lock and make, as a run does for a cell; the store is new, uv's cache warm."""

    def make(folder: Path) -> None:
        run([sys.executable, HERE / "_environment.py", known, folder, bytecode, *requirements])

    return make


def uv(requirements: Sequence[str], env: dict[str, str]) -> Make:
    """Make the environment with uv's two commands."""

    def make(folder: Path) -> None:
        python = folder / "env/bin/python"
        run([BIN / "uv", "venv", "--python", PYTHON, folder / "env"], env=env)
        run([BIN / "uv", "pip", "install", "--python", python, *requirements], env=env)

    return make


def nox(requirements: Sequence[str], backend: str) -> Make:
    """Run a session that installs the requirements."""
    text = (
        "import nox\n\n\n"
        f"@nox.session(venv_backend={backend!r})\n"
        f"def env(session):\n    session.install(*{list(requirements)!r})\n"
    )

    def make(folder: Path) -> None:
        (folder / "noxfile.py").write_text(text, encoding="utf-8")
        run([BIN / "nox", "-f", folder / "noxfile.py"], env={**os.environ, **COMPILED})

    return make


def tox(requirements: Sequence[str]) -> Make:
    """Let tox set up an environment that runs nothing."""
    text = f'env_list = ["env"]\nno_package = true\n\n[env.env]\ndeps = {list(requirements)!r}\n'

    def make(folder: Path) -> None:
        (folder / "tox.toml").write_text(text, encoding="utf-8")
        run([BIN / "tox", "run", "--notest", "-c", folder / "tox.toml"])

    return make


def main() -> int:
    """Measure, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("requirements", nargs="*", default=REQUIREMENTS)
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    names: Sequence[str] = options.requirements
    plain = {key: value for key, value in os.environ.items() if key not in COMPILED}
    with tempfile.TemporaryDirectory() as known:
        makers: dict[str, Make] = {
            REFERENCE: uv(names, {**plain, **COMPILED}),
            OURS: harness(names, Path(known)),
            "nox with uv": nox(names, "uv"),
            "nox with virtualenv": nox(names, "virtualenv"),
            "tox": tox(names),
            f"{REFERENCE}{BARE}": uv(names, plain),
            f"{OURS}{BARE}": harness(names, Path(known), "not-compiled"),
        }
        seconds: dict[str, list[float]] = {name: [] for name in makers}
        for number in range(options.repeat + 1):
            for name, make in makers.items():
                with tempfile.TemporaryDirectory() as folder:
                    taken = _timed(make, Path(folder))
                warming = number == 0
                print(f"{'warming' if warming else number}: {name} {taken:.1f} s", flush=True)
                if not warming:
                    seconds[name].append(taken)

    def ratios(name: str, reference: str) -> list[float]:
        return [one / other for one, other in zip(seconds[name], seconds[reference], strict=True)]

    return Bench(
        "environments",
        "How long does an environment take to make from a warm cache?",
        [
            *(Figure(name, "s", readings) for name, readings in seconds.items()),
            *(
                Figure(
                    f"{name} / {reference}",
                    "×",
                    ratios(name, reference),
                    TARGET if name == OURS else None,
                )
                for name in seconds
                if name != (reference := REFERENCE + BARE * name.endswith(BARE))
            ),
        ],
        [
            f"`{' '.join(names)}` on Python {sys.version.split()[0]}.",
            "Each is a process of its own; what the harness takes to start, a run pays once.",
            "All resolve, make a virtual environment, install and, unless said, compile bytecode.",
        ],
    ).publish()


def _timed(make: Make, folder: Path) -> float:
    began = time.perf_counter()
    make(folder)
    return time.perf_counter() - began


if __name__ == "__main__":
    sys.exit(main())

"""What does each path cost, beside Python alone, on one machine?

    python bench/paths.py                  measures 8 rounds, keeps them, and writes the page
    python bench/paths.py --rounds 3       fewer
    python bench/paths.py --page           writes the page from what is kept

The readings are kept in ``bench/results/paths.json``, the page is
``docs/explanation/paths-compared.md``: no number in it was typed by hand.  Each round runs every
cell of ``matrices/latency.yaml`` in a fresh process, alone, in an order that is shuffled anew.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

HERE: Final = Path(__file__).resolve().parent
MATRIX: Final = HERE.parent / "matrices" / "latency.yaml"
KEPT: Final = HERE / "results" / "paths.json"
PAGE: Final = HERE.parent / "docs" / "explanation" / "paths-compared.md"
ROUNDS: Final = 8
SEED: Final = 20240
RESAMPLES: Final = 4000
COVERED: Final = 0.95
"""Of the true medians, that an interval is to hold: six rounds can, fewer cannot."""
OTHER_WORK: Final = 1.5
"""A load that the cells, one after the other, do not make alone."""
CONTROL: Final = "native"

Json = Mapping[str, Any]


# --- Measuring --------------------------------------------------------------------------------


def measure(rounds: int, keep: Callable[[list[Json]], None]) -> None:
    """Measure ``rounds`` rounds; ``keep`` is given all readings so far after each cell."""
    plan = json.loads(_harness("plan", str(MATRIX), "--format", "json"))
    cells = [cell["id"] for cell in plan["cells"]]
    control = next(cell["id"] for cell in plan["cells"] if cell["axes"]["path"] == CONTROL)
    readings: list[Json] = []
    with tempfile.TemporaryDirectory(prefix="harness-paths-") as scratch:
        folder = Path(scratch)
        # Everything is there before the first reading, and the control that judges the others.
        _run(folder / "warm-up", "*")
        _run(folder / "control", control)
        for number in range(1, rounds + 1):
            # The order is to be the same when it is done again, not to be a secret.
            order = random.Random(SEED + number).sample(cells, len(cells))  # noqa: S311
            for place, cell in enumerate(order, 1):
                target = folder / "cell"
                shutil.rmtree(target, ignore_errors=True)
                if cell != control:
                    shutil.copytree(folder / "control", target)
                began, load = datetime.now(UTC), os.getloadavg()[0]
                document = _run(target, cell)
                record = next(one for one in document["cells"] if one["id"] == cell)
                readings.append(
                    {
                        "round": number,
                        "place": place,
                        "at": began.isoformat(timespec="seconds"),
                        "load": round(load, 2),
                        **_reading(record, document["machine"]),
                    }
                )
                print(
                    f"round {number}, {place} of {len(order)}: {cell} {record['status']}",
                    flush=True,
                )
                keep(readings)


def _run(folder: Path, cell: str) -> Any:
    # What did not pass is a result here: its exit code says no more than its record.
    words = ("run", str(MATRIX), "--only", cell, "--results", str(folder), "--jobs", "1")
    _harness(*words, "--no-remedies", "--quiet", may_fail=True)
    return json.loads((folder / "results.json").read_text(encoding="utf-8"))


def _harness(*words: str, may_fail: bool = False) -> str:
    command = [sys.executable, "-m", "harness", *words]
    done = subprocess.run(command, check=False, stdout=subprocess.PIPE, encoding="utf-8")
    if done.returncode != 0 and not may_fail:
        raise SystemExit(f"'harness {' '.join(words)}' ended with {done.returncode}")
    return done.stdout


def _reading(record: Json, machine: Json) -> dict[str, Any]:
    """Return what is kept of a cell: times as [seconds, CPU seconds, repetitions]."""
    identity = record["identity"]
    probes: dict[str, Any] = {}
    for probe in record["probes"]:
        name = f"{probe['name']} cold" if probe["cold"] else probe["name"]
        probes[name] = {
            "status": probe["status"],
            "message": probe["message"],
            "stages": {
                stage["name"]: [_short(stage["wall_s"]), _short(stage["cpu_s"]), stage["n"]]
                for stage in probe["stages"]
            },
        }
        if probe["name"] == "transfer":
            probes[name]["kinds"] = _crossed(probe["details"].get("kinds", {}))
        if "pages" in probe["details"]:
            probes[name]["pages"] = probe["details"]["pages"]
    bridge = identity.get("bridge") or {}
    return {
        "cell": record["id"],
        "path": "-".join(filter(None, (record["axes"]["path"], record["axes"]["transport"]))),
        "bridge": " ".join(filter(None, (bridge.get("name"), bridge.get("version")))),
        "r": (identity.get("r") or {}).get("version"),
        "python": (identity.get("python") or {}).get("version"),
        "modules": identity.get("modules"),
        "machine": f"{machine['os']}, {machine['cpu']}, {machine['cores']} cores",
        "lock": record["lock"],
        "status": record["status"],
        "processes": record["processes"],
        "probes": probes,
    }


def _crossed(kinds: Json) -> dict[str, Any]:
    """Return of each kind the largest number that crossed, with its copies; or why none did."""
    found: dict[str, Any] = {}
    for kind, seen in kinds.items():
        sizes = seen.get("sizes")
        if not sizes:
            found[kind] = {"unsupported": seen.get("unsupported") or seen.get("error")}
            continue
        last = sizes[-1]
        found[kind] = {
            "largest": last["n"],
            "ended": seen.get("ended"),
            "shared": last["shared"],
            "copies": last.get("copies"),
        }
    return found


def _short(seconds: float | None) -> float | None:
    return None if seconds is None else float(f"{seconds:.5g}")


# --- Estimating -------------------------------------------------------------------------------


class Estimate(NamedTuple):
    """A median, and the interval that holds 95% of the medians of resampled rounds."""

    median: float
    low: float
    high: float


def estimate(values: Sequence[float]) -> Estimate:
    """Return the median of one value a round, with its bootstrap interval."""
    source = random.Random(SEED)  # noqa: S311 - to be drawn the same again
    medians = sorted(
        statistics.median(source.choices(values, k=len(values))) for _ in range(RESAMPLES)
    )
    cut = RESAMPLES // 40
    return Estimate(statistics.median(values), medians[cut], medians[-cut - 1])


class Rounds:
    """The readings by path and round."""

    def __init__(self, readings: Sequence[Json]) -> None:
        self.readings = readings
        self.paths = sorted({one["path"] for one in readings}, key=_rank)
        self._found = {(one["path"], one["round"]): one for one in readings}
        numbers = sorted({one["round"] for one in readings})
        # A round that was cut short has not every path, and is no round.
        self.numbers = [n for n in numbers if all((p, n) in self._found for p in self.paths)]

    def of(self, path: str) -> Json:
        """Return the last reading of a path."""
        return next(one for one in reversed(self.readings) if one["path"] == path)

    def values(self, path: str, take: Callable[[Json], float | None]) -> dict[int, float]:
        """Return one value a round, where there is one."""
        found = {n: take(self._found[path, n]) for n in self.numbers}
        return {n: value for n, value in found.items() if value is not None}

    def amount(self, path: str, take: Callable[[Json], float | None]) -> Estimate | None:
        """Return the estimate of what ``take`` reads."""
        values = self.values(path, take)
        return estimate(list(values.values())) if values else None

    def ratio(self, path: str, take: Callable[[Json], float | None]) -> Estimate | None:
        """Return the estimate of its ratio to the control's of the same round."""
        mine, its = self.values(path, take), self.values(CONTROL, take)
        ratios = [mine[n] / its[n] for n in mine if its.get(n)]
        return estimate(ratios) if ratios else None


def _rank(path: str) -> tuple[bool, str]:
    return path != CONTROL, path


def stage(probe: str, *names: str, cpu: bool = False) -> Callable[[Json], float | None]:
    """Return what reads the seconds of one repetition of a probe's stages, added up."""

    def take(reading: Json) -> float | None:
        stages = reading["probes"].get(probe, {}).get("stages", {})
        known = [stages[name] for name in names if name in stages]
        if not known:
            return None
        times = [one[int(cpu)] for one in known]
        if any(time is None for time in times):
            return None
        return sum((time / one[2] for time, one in zip(times, known, strict=True)), 0.0)

    return take


STARTING: Final = (
    *("process_start", "bridge_load", "libpython_check", "python_start", "r_start"),
    *("client_load", "connect", "identity"),
)
"""Stages from the start of the process until Python can be called."""


def memory(reading: Json) -> float | None:
    """Return the sum of the processes' peaks in MB: host and languages, without shells."""
    peaks = [one["peak_mb"] for one in reading["processes"] if one["role"] != "other"]
    return sum(peaks) if peaks else None


# --- The page ---------------------------------------------------------------------------------

HEAD: Final = """\
<!-- Generated by bench/paths.py from bench/results/paths.json. -->

# The paths compared

What does it cost to call Python from R, or R from Python, by each path? The same work was done on
every path by the same harness, on one machine, with one R, one Python and one set of packages, and
once with Python alone: that is the control, and every cost is given beside it.
"""

METHOD: Final = """\
## How it was measured

- Each round runs every cell of `matrices/latency.yaml` once, each in a fresh process, alone, in
  an order that is shuffled anew; everything was installed and had run before the first round.
- A figure is the median over the rounds. A ratio is the median of the ratios to the control *of
  the same round*. {interval} Where intervals overlap, the order of two paths is not shown.
- Times are of a clock on the wall; *its CPU* is the processor's time of all processes that take
  part, which other work on the machine disturbs less. What is small is repeated within the process
  until it has taken half a second (at most 100,000 times), after a trial. BLAS and OpenMP have one
  thread.
- The control of a call is a call of the same Python function from Python. The control of a
  transfer is one copy in memory. So a path whose ratio there is below 1 has not copied.
- *Cold* is a process before whose start the kernel was told to forget the pages of every file of
  the environment and of R (`posix_fadvise`), and was asked what it still had (`mincore`). What
  other processes have mapped stays in memory, and so does what the disk itself remembers. Byte
  code of Python is compiled at installation, so that cold and warm differ in reading alone.
- `rpc-rserve` and `rpy2` go the other way: Python is the host and calls R.

Readings: `bench/results/paths.json`. Again: `nox -s bench -- paths`.
"""


def page(document: Json) -> str:
    """Return the page on what is kept."""
    rounds = Rounds(document["readings"])
    if not rounds.numbers:
        raise SystemExit(f"{KEPT}: there is no whole round yet")
    blocks = [
        HEAD,
        *_conditions(rounds),
        *_calls(rounds),
        *_transfers(rounds),
        *_starts(rounds),
        *_training(rounds),
        *_memory(rounds),
        METHOD.format(interval=_about_intervals(len(rounds.numbers))),
    ]
    return "\n".join(blocks)


def _about_intervals(rounds: int) -> str:
    """Say what stands in brackets: from few rounds there is no interval of 95%."""
    # All readings lie on one side of the true median as often as coins fall alike.
    covered = 1 - 2 ** (1 - rounds)
    if covered < COVERED:
        return (
            f"In brackets is the range of what {rounds} rounds gave, which is no interval of 95%: "
            f"it holds the true median in {covered:.0%} of such measurements."
        )
    return (
        "In brackets is the interval that holds 95% of the medians when the rounds are drawn anew "
        f"with replacement (a bootstrap of whole rounds, {RESAMPLES:,} times)."
    )


def _conditions(rounds: Rounds) -> Iterator[str]:
    whole = [one for one in rounds.readings if one["round"] in rounds.numbers]
    first = whole[0]
    loads = sorted(one["load"] for one in whole)
    modules = ", ".join(f"{name} {text}" for name, text in (first["modules"] or {}).items())
    r = next(one["r"] for one in whole if one["r"])
    number = f"{len(rounds.numbers)} rounds" if rounds.numbers[1:] else "One round"
    yield (
        f"{number} on {first['at'][:10]}, {first['machine']}; R {r}, Python "
        f"{first['python']}, {modules}. Load of the machine (runnable processes, the mean of a "
        f"minute) when a cell was started: {loads[0]:g} to {loads[-1]:g}, median "
        f"{statistics.median(loads):g}; the cells before it, which make it about 1, are in it."
    )
    if statistics.median(loads) >= OTHER_WORK:
        yield (
            "\nThe machine was busy with other work meanwhile, which changed within each round: "
            "take the times as upper bounds, go by the processor's time and its ratios, and read "
            "nothing into the order of paths that lie close together."
        )
    yield ""


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(heads)} |"
    yield f"| --- |{' --: |' * (len(heads) - 1)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"
    yield ""


def _names(rounds: Rounds) -> dict[str, str]:
    found = {}
    for path in rounds.paths:
        bridge = rounds.of(path)["bridge"]
        found[path] = "Python alone" if path == CONTROL else path
        if bridge:
            found[path] += f" ({bridge})"
    return found


def _section(
    rounds: Rounds, probe: str, columns: Mapping[str, tuple[Callable[[Json], float | None], bool]]
) -> Iterator[str]:
    """Write a table of amounts, and of ratios where the column says so."""
    names = _names(rounds)
    rows, notes = [], []
    for path in rounds.paths:
        seen = rounds.of(path)["probes"].get(probe, {})
        mark = ""
        if seen.get("status") not in (None, "pass", "unsupported"):
            notes.append((names[path], str(seen["message"])))
            mark = f" [{len(notes)}]"
        cells = [names[path] + mark]
        for take, compared in columns.values():
            amount = rounds.amount(path, take)
            cells.append("–" if amount is None else _interval(amount, _seconds))
            if compared:
                ratio = None if path == CONTROL else rounds.ratio(path, take)
                cells.append("" if ratio is None else _interval(ratio, _times))
        rows.append(cells)
    heads = ["path"]
    for name, (_, compared) in columns.items():
        heads.extend([name, "to control"] if compared else [name])
    yield from _table(heads, rows)
    for number, (name, message) in enumerate(notes, 1):
        text = message if len(message) < 160 else message[:157] + "..."  # noqa: PLR2004
        yield f"\\[{number}] {name} is timed here, but its probe fails: {_plain(text)}"
        yield ""


def _calls(rounds: Rounds) -> Iterator[str]:
    yield "## Small calls"
    yield ""
    yield "A function that takes and returns nothing:"
    yield ""
    yield from _section(
        rounds,
        "call",
        {
            "the first": (stage("call", "first_call"), False),
            "one of many": (stage("call", "noop"), True),
            "its CPU": (stage("call", "noop", cpu=True), True),
        },
    )
    yield "One that returns its argument, a double:"
    yield ""
    yield from _section(
        rounds,
        "call",
        {
            "one of many": (stage("call", "echo"), True),
            "its CPU": (stage("call", "echo", cpu=True), True),
        },
    )
    yield (
        "A function of R that Python calls back, one call of many within a single call into "
        "Python; on `rpy2`, one of Python that R calls back. `–` is a path that cannot."
    )
    yield ""
    yield from _section(
        rounds,
        "callback",
        {
            "one of many": (stage("callback", "steady_callback"), True),
            "its CPU": (stage("callback", "steady_callback", cpu=True), True),
        },
    )
    yield "An error of Python that R catches:"
    yield ""
    yield from _section(
        rounds,
        "error",
        {
            "the first": (stage("error", "first_error"), False),
            "one of many": (stage("error", "error"), True),
            "its CPU": (stage("error", "error", cpu=True), True),
        },
    )


def _transfers(rounds: Rounds) -> Iterator[str]:
    yield "## Values by the million"
    yield ""
    yield (
        "8 MB: a million doubles, into Python and back, unharmed by their hash on both sides. "
        "`shared`: the other language has the very memory of the first, and nothing was copied. "
        "`copies` is how many times 80 MB the memory of all processes grew while 80 MB crossed."
    )
    yield ""
    names = _names(rounds)
    rows = []
    for path in rounds.paths:
        cells = [names[path]]
        seen = rounds.of(path)["probes"].get("transfer", {}).get("kinds", {}).get("doubles", {})
        for direction in ("to_python", "to_r"):
            take = stage("transfer", f"doubles_{direction}_1e6")
            amount = rounds.amount(path, take)
            ratio = None if path == CONTROL else rounds.ratio(path, take)
            cells.append("–" if amount is None else _interval(amount, _seconds))
            cells.append("" if ratio is None else _interval(ratio, _times))
            cells.append(_copied(seen, direction))
        rows.append(cells)
    heads = ["path", "into Python", "to control", "copies", "back into R", "to control", "copies"]
    yield from _table(heads, rows)
    yield "Ten thousand texts of eight letters, and a data frame of ten thousand rows:"
    yield ""
    yield from _section(
        rounds,
        "transfer",
        {
            "texts into Python": (stage("transfer", "strings_to_python_1e4"), False),
            "texts into R": (stage("transfer", "strings_to_r_1e4"), False),
            "data frame into Python": (stage("transfer", "frame_to_python_1e4"), False),
            "data frame into R": (stage("transfer", "frame_to_r_1e4"), False),
        },
    )


def _copied(seen: Json, direction: str) -> str:
    if (seen.get("shared") or {}).get(direction):
        return "shared"
    copies = (seen.get("copies") or {}).get(direction)
    return "" if copies is None else f"{copies:.1f}"


def _starts(rounds: Rounds) -> Iterator[str]:
    yield "## Starting"
    yield ""
    yield (
        "From the start of the process until the other language can be called, warm and cold; and "
        "from the driver's last line to the end of its process."
    )
    yield ""
    yield from _section(
        rounds,
        "init",
        {
            "until Python can be called": (stage("init", *STARTING), True),
            "the same, cold": (stage("init cold", *STARTING), True),
            "the end": (stage("init", "teardown"), False),
        },
    )
    yield "The import of JAX:"
    yield ""
    yield from _section(
        rounds,
        "init",
        {
            "warm": (stage("init", "framework_import"), True),
            "its CPU": (stage("init", "framework_import", cpu=True), True),
            "cold": (stage("init cold", "framework_import"), True),
        },
    )


def _training(rounds: Rounds) -> Iterator[str]:
    yield "## Training"
    yield ""
    yield (
        "784 inputs, 128 hidden, 10 classes, batches of 32, 16 steps an epoch, in JAX, which "
        "compiles in the first step. On `reticulate` the steps are driven from R; on every other "
        "path the host asks for the training as a whole, so that it costs what it costs in Python."
    )
    yield ""
    yield from _section(
        rounds,
        "train",
        {
            "the data cross": (stage("train", "transfer"), False),
            "first step": (stage("train", "first_step"), False),
            "a step": (stage("train", "steady_step"), True),
            "its CPU": (stage("train", "steady_step", cpu=True), True),
        },
    )
    yield "An epoch:"
    yield ""
    yield from _section(
        rounds,
        "train",
        {
            "time": (stage("train", "epoch"), True),
            "its CPU": (stage("train", "epoch", cpu=True), True),
        },
    )


def _memory(rounds: Rounds) -> Iterator[str]:
    yield "## Memory"
    yield ""
    yield (
        "The peak of each process over all of the above, of which 80 MB that cross are the most; "
        "programs of one name as the largest of them."
    )
    yield ""
    names = _names(rounds)
    rows = []
    for path in rounds.paths:
        amount, ratio = rounds.amount(path, memory), rounds.ratio(path, memory)
        each = "; ".join(
            f"{one['role']} ({one['program']}) {one['peak_mb']:.0f} MB"
            for one in rounds.of(path)["processes"]
            if one["role"] != "other"
        )
        cells = [names[path], each, "–" if amount is None else _interval(amount, _megabytes)]
        cells.append("" if ratio is None or path == CONTROL else _interval(ratio, _times))
        rows.append(cells)
    yield from _table(["path", "processes", "in all", "to control"], rows)


def _interval(value: Estimate, show: Callable[[float], str]) -> str:
    low, high = show(value.low), show(value.high)
    return f"{show(value.median)} ({low} to {high})" if low != high else show(value.median)


def _seconds(value: float) -> str:
    for factor, unit in ((1e9, "ns"), (1e6, "µs"), (1e3, "ms")):
        if value * factor < 1000:  # noqa: PLR2004 - the next unit begins there
            return f"{_digits(value * factor)} {unit}"
    return f"{_digits(value)} s"


def _times(value: float) -> str:
    return f"{_digits(value)}×"


def _megabytes(value: float) -> str:
    return f"{value:.0f} MB"


def _digits(value: float) -> str:
    """Return a number with two digits that mean something, or all before the point."""
    if value >= 10:  # noqa: PLR2004
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 1 else f"{value:.2g}"


def _plain(text: str) -> str:
    """Return a message from inside a cell so that nothing in it is taken for markup."""
    return "".join(f"\\{letter}" if letter in r"\`*_[]<>|" else letter for letter in text)


# --- The command ------------------------------------------------------------------------------


def main() -> None:
    """Measure and write, or write alone."""
    parser = argparse.ArgumentParser(description="What does each path cost?")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="rounds to measure")
    parser.add_argument("--page", action="store_true", help="write the page alone")
    asked = parser.parse_args()

    def keep(readings: list[Json]) -> None:
        lines = ",\n".join(json.dumps(one, ensure_ascii=False) for one in readings)
        KEPT.parent.mkdir(parents=True, exist_ok=True)
        KEPT.write_text(f'{{"bench": "paths", "readings": [\n{lines}\n]}}\n', encoding="utf-8")

    if not asked.page:
        measure(asked.rounds, keep)
    PAGE.write_text(page(json.loads(KEPT.read_text(encoding="utf-8"))), encoding="utf-8")
    print(f"wrote {PAGE.name}")


if __name__ == "__main__":
    main()

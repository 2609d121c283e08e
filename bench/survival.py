"""What is lost when processes are killed in the middle of a run?

Kills the harness, what holds a cell, a cell's own process, and Dask workers with SIGKILL at random
moments (the seed says which), has every run finished by the same command, and gives an account:
what was planned, what has a result in the end, what was lost.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from itertools import cycle
from pathlib import Path
from typing import Any

import psutil
from _measure import RESULTS, Bench, Figure

HARNESS = Path(sys.executable).with_name("harness")
DASK = [sys.executable, "-m", "dask"]
MATRIX = """\
matrix: survival
probes: [init, error]
axes:
  path: [native]
  python: ["3.11"]
  six:
    ["==1.7.3", "==1.8.0", "==1.9.0", "==1.10.0", "==1.11.0",
     "==1.12.0", "==1.13.0", "==1.14.0", "==1.15.0", "==1.16.0"]
include:
  - {path: system, r: 4.5.0, python: "3.11", six: "==1.16.0"}
"""
PLANNED = 11
CYCLE = {"harness": 8, "child": 6, "wrapper": 4, "dask worker": 2}
"""Kills of each kind in one results folder, before it is finished in peace."""
PAGE = Path(__file__).parents[1] / "docs/explanation/survival.md"
MARKS = ("<!-- the account -->", "<!-- its end -->")
LIMIT_S = 300.0
GONE_S = 15.0
"""How long a process may take to go when its harness was killed."""


@dataclass
class Account:
    """What became of the runs in which one kind of process was killed.

    ``hit`` are kills that found something to kill; the others came too late, when all was done.
    ``ended`` are cells whose result says that their process was killed; ``elsewhere`` those that
    another worker ran.  ``lost`` are planned cells without a result, ``wrong`` those whose result
    is not what nobody's kill explains, ``twice`` those that were measured again though they had
    a result, and ``left`` are processes that outlived their harness.
    """

    kind: str
    kills: int = 0
    hit: int = 0
    runs: int = 0
    planned: int = 0
    done: int = 0
    ended: int = 0
    elsewhere: int = 0
    lost: int = 0
    wrong: int = 0
    twice: int = 0
    left: int = 0
    cut_lines: int = 0
    notes: list[str] = field(default_factory=list)

    def settle(self, folder: Path, *, may_end: int) -> None:
        """Add what is in a results folder whose run has been finished."""
        events, cut = journal(folder)
        document = json.loads((folder / "results.json").read_bytes())
        statuses = {cell["id"]: cell["status"] for cell in document["cells"]}
        passed = [name for name, status in statuses.items() if status == "pass"]
        ended = [cell for cell in document["cells"] if is_ended(cell)]
        self.planned += PLANNED
        self.done += sum(status != "missing" for status in statuses.values())
        self.lost += PLANNED - len(statuses) + Counter(statuses.values())["missing"]
        self.ended += len(ended)
        self.elsewhere += sum(cell["lost_workers"] for cell in document["cells"])
        known = {*passed, *(cell["id"] for cell in ended)}
        strange = [f"{name}: {status}" for name, status in statuses.items() if name not in known]
        self.wrong += len(strange) + max(len(ended) - may_end, 0)
        self.notes += strange
        finished = Counter(
            event["record"]["id"]
            for event in events
            if event["event"] == "cell-finished" and event["record"]["status"] != "missing"
        )
        self.twice += sum(times - 1 for times in finished.values())
        self.cut_lines += cut


def is_ended(cell: dict[str, object]) -> bool:
    """Tell whether a cell's result says that its process was ended by SIGKILL."""
    return cell["status"] == "crash" and "SIGKILL" in str(cell["message"])


def journal(folder: Path) -> tuple[list[dict[str, Any]], int]:
    """Return the events of a journal, and how many lines were cut short."""
    events, cut = [], 0
    for line in (folder / "journal.jsonl").read_bytes().splitlines():
        try:
            events.append(json.loads(line))
        except ValueError:
            cut += 1
    return events, cut


class Place:
    """A folder with the matrix, in which runs are started."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.matrix = folder / "survival.yaml"
        self.matrix.write_text(MATRIX, encoding="utf-8")

    def start(self, results: Path, *options: str) -> subprocess.Popen[bytes]:
        """Start a run, whose words go into a log."""
        command: list[str | Path] = [HARNESS, "run", self.matrix, "--results", results]
        command += ["--no-remedies", *options]
        with (self.folder / "log").open("ab") as log:
            return subprocess.Popen(command, stdout=log, stderr=log, cwd=self.folder)

    def finish(self, results: Path, *options: str) -> None:
        """Run to the end in peace."""
        process = self.start(results, *options)
        if process.wait(LIMIT_S) != 0:
            log = (self.folder / "log").read_text("utf-8", "replace")
            raise SystemExit(f"a run in peace ended with {process.returncode}:\n{log[-3000:]}")


def harness_killed(place: Place, account: Account, kills: int, chance: random.Random) -> None:
    """Kill the harness itself, several times in one folder, and finish what it began."""
    results = place.folder / f"harness-{account.runs}"
    usual_s = undisturbed_s(place)
    for _ in range(kills):
        process = place.start(results)
        with suppress(subprocess.TimeoutExpired):
            process.wait(chance.uniform(0.05, usual_s / 2))
        below = children(process)
        account.kills += 1
        account.hit += process.poll() is None
        process.kill()
        process.wait()
        _, alive = psutil.wait_procs(below, GONE_S)
        account.left += len(alive)
    place.finish(results)
    account.runs += 1
    account.settle(results, may_end=0)


def cell_killed(place: Place, account: Account, kills: int, chance: random.Random) -> None:
    """Kill what holds a cell, or its own process, while the harness goes on."""
    results = place.folder / f"{account.kind}-{account.runs}"
    process = place.start(results)
    pick = wrappers if account.kind == "wrapper" else drivers
    hit = 0
    for _ in range(kills):
        with suppress(subprocess.TimeoutExpired):
            process.wait(chance.uniform(0.0, 0.6))
        victims = wait_for(lambda: pick(process), process)
        account.kills += 1
        if victims:
            with suppress(psutil.Error):
                chance.choice(victims).kill()
                hit += 1
    if process.wait(LIMIT_S) != 0:
        said = (place.folder / "log").read_text("utf-8", "replace").strip().splitlines()
        account.notes.append(
            f"the harness ended with {process.returncode}: {' / '.join(said[-3:])}"
        )
        account.wrong += 1
        # What it did not get to is the next run's, as for a user.
        place.finish(results)
    account.hit += hit
    account.runs += 1
    account.settle(results, may_end=hit)


def worker_killed(place: Place, account: Account, kills: int, chance: random.Random) -> None:
    """Kill workers of a Dask cluster, which brings new ones, and finish what is then missing."""
    results = place.folder / f"dask-{account.runs}"
    with cluster(place.folder) as (executor, nannies):
        process = place.start(results, "--executor", executor)
        wait_for((results / "journal.jsonl").exists, process)
        for _ in range(kills):
            with suppress(subprocess.TimeoutExpired):
                process.wait(chance.uniform(0.0, 3.0))
            workers = wait_for(lambda: spawned(nannies), process)
            account.kills += 1
            if workers and process.poll() is None:
                with suppress(psutil.Error):
                    chance.choice(workers).kill()
                    account.hit += 1
        process.wait(LIMIT_S)
        # A cell over which two workers were lost is given up, and is the next run's.
        place.finish(results, "--executor", executor)
    account.runs += 1
    account.settle(results, may_end=0)


def children(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    """Return all that a harness has started, and what that has started."""
    with suppress(psutil.Error):
        return psutil.Process(process.pid).children(recursive=True)
    return []


def wrappers(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    """Return the processes that hold cells."""
    return [one for one in children(process) if name_of(one) == "bwrap"]


def drivers(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    """Return the processes that run in cells: below what holds a cell, and not that itself."""
    found: dict[int, psutil.Process] = {}
    for wrapper in wrappers(process):
        with suppress(psutil.Error):
            for one in wrapper.children(recursive=True):
                if name_of(one) not in {"bwrap", ""}:
                    found[one.pid] = one
    return list(found.values())


def spawned(nannies: list[subprocess.Popen[bytes]]) -> list[psutil.Process]:
    """Return the workers that nannies look after."""
    return [
        one
        for nanny in nannies
        for one in children(nanny)
        if "spawn_main" in " ".join(command_of(one))
    ]


def name_of(process: psutil.Process) -> str:
    """Return a process's name, empty where it has gone."""
    with suppress(psutil.Error):
        return process.name()
    return ""


def command_of(process: psutil.Process) -> list[str]:
    """Return a process's command, empty where it has gone."""
    with suppress(psutil.Error):
        return process.cmdline()
    return []


def wait_for(look: Callable[[], object], process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    """Return what there is as soon as there is something; nothing once the run has ended."""
    while process.poll() is None:
        found = look()
        if found:
            return found if isinstance(found, list) else []
        time.sleep(0.005)
    return []


def undisturbed_s(place: Place, known: list[float] = []) -> float:  # noqa: B006 - remembered
    """Return how long a run takes when nobody is killed; measured once."""
    if not known:
        began = time.monotonic()
        place.finish(place.folder / "in-peace")
        known.append(time.monotonic() - began)
    return known[0]


@contextmanager
def cluster(folder: Path) -> Iterator[tuple[str, list[subprocess.Popen[bytes]]]]:
    """Start a scheduler and two workers with nannies, and end them."""
    file = folder / "scheduler.json"
    file.unlink(missing_ok=True)
    scratch = folder / "scratch"
    quiet = ("--no-dashboard", "--dashboard-address", "127.0.0.1:0")
    processes = []
    try:
        with (folder / "dask.log").open("ab") as log:
            for command in (
                ["scheduler", "--host", "127.0.0.1", "--port", "0", *quiet],
                *([["worker", "--nthreads", "1", "--local-directory", str(scratch), *quiet]] * 2),
            ):
                processes.append(  # noqa: PERF401 - what was started is ended, whatever fails
                    subprocess.Popen(
                        [*DASK, *command, "--scheduler-file", str(file)], stdout=log, stderr=log
                    )
                )
        wait_for(lambda: file.exists() and file.stat().st_size, processes[0])
        wait_for(lambda: len(spawned(processes[1:])) == 2, processes[0])  # noqa: PLR2004 - both
        yield f"dask://{file}", processes[1:]
    finally:
        for process in reversed(processes):
            below = children(process)
            process.kill()
            process.wait()
            for one in below:
                with suppress(psutil.Error):
                    one.kill()


def campaign(kills: int, seed: int, folder: Path, within_s: float) -> list[Account]:
    """Kill so many times in all, the kinds in turns; return their accounts.

    After ``within_s`` seconds, no further run is begun.
    """
    chance = random.Random(seed)  # noqa: S311 - to be repeated, not to be secret
    place = Place(folder)
    place.finish(folder / "first")
    ways = {
        "harness": harness_killed,
        "wrapper": cell_killed,
        "child": cell_killed,
        "dask worker": worker_killed,
    }
    accounts = {kind: Account(kind=kind) for kind in CYCLE}
    share = min(1.0, kills / sum(CYCLE.values()))
    began, left = time.monotonic(), kills
    for kind, usual in cycle(CYCLE.items()):
        if not left or time.monotonic() - began > within_s:
            break
        now = min(left, max(1, round(usual * share)))
        ways[kind](place, accounts[kind], now, chance)
        left -= now
        print(f"{kills - left} of {kills}: {asdict(accounts[kind])}", flush=True)
    return list(accounts.values())


def show(document: dict[str, Any]) -> None:
    """Put the account into the page that explains it, between its marks."""
    names = ("kills", "hit", "runs", "planned", "done", "ended", "elsewhere", "lost")
    accounts = document["accounts"]
    rows = [
        f"| killed | {' | '.join(names)} |",
        "| --- |" + " --: |" * len(names),
        *(
            f"| {account['kind']} | {' | '.join(str(account[name]) for name in names)} |"
            for account in accounts
        ),
    ]
    kills = sum(account["kills"] for account in accounts)
    head = f"{kills} kills, seed {document['seed']}, on {document['measured_on']}"
    text = f"{head} ({document['machine']}):\n\n" + "\n".join(rows)
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(MARKS[0])
    _, _, after = rest.partition(MARKS[1])
    page = f"{before}{MARKS[0]}\n\n{text}\n\n{MARKS[1]}{after}"
    PAGE.write_text(page, encoding="utf-8")


def main() -> int:
    """Kill, account, keep, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=20261122)
    parser.add_argument("--within", type=float, default=3 * 3600.0, metavar="SECONDS")
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="survival-") as folder:
        accounts = campaign(options.kills, options.seed, Path(folder), options.within)
    seconds = time.monotonic() - began

    def total(name: str) -> float:
        return float(sum(getattr(account, name) for account in accounts))

    code = Bench(
        "survival",
        "What is lost when processes are killed in the middle of a run?",
        [
            Figure("kills", "", [total("kills")]),
            Figure("kills that hit a live process", "", [total("hit")]),
            Figure("cells planned, over all runs", "", [total("planned")]),
            Figure("cells with a result in the end", "", [total("done")]),
            Figure("cells whose result says that they were killed", "", [total("ended")]),
            Figure("workers lost, their cells run elsewhere", "", [total("elsewhere")]),
            Figure("cells lost", "", [total("lost")], 0),
            Figure("cells with a result that no kill explains", "", [total("wrong")], 0),
            Figure("cells measured again though they had a result", "", [total("twice")], 0),
            Figure("processes that outlived their harness", "", [total("left")], 0),
        ],
        [
            (
                f"Seed {options.seed}, {seconds / 60:.0f} minutes; {PLANNED} cells a run, with and "
                "without R, two at a time or on two Dask workers."
            ),
            *(
                (
                    f"{account.kind}: {account.kills} kills, {account.hit} of a live process, in "
                    f"{account.runs} runs; {account.done} of {account.planned} cells have a "
                    f"result, {account.lost} lost."
                )
                for account in accounts
                if account.kills
            ),
            *(f"{account.kind}: {note}" for account in accounts for note in account.notes),
        ],
    ).publish(options.out)
    file = options.out / "survival.json"
    document = json.loads(file.read_bytes())
    document |= {"seed": options.seed, "accounts": [asdict(account) for account in accounts]}
    file.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    if options.out == RESULTS:
        show(document)
    return code


if __name__ == "__main__":
    sys.exit(main())

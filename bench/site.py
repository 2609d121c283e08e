"""How long does a site of many cells take to be made, to open, and to filter?

    .venv/bin/python bench/site.py [CELLS ...]       # by default 10000 and 100000

The results are artificial, made from a seed: as many axis values, messages and stages as a real
run has, and logs for the cells that failed.  The site is made by the command line in a process of
its own; opening and filtering are timed by the pages' own clock in Chromium, from a cold start of
a new profile, three times, of which the median counts.
"""

from __future__ import annotations

import itertools
import json
import os
import platform
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import Browser, Page, sync_playwright

from harness.model.cell import Axes, Framework, cell_id
from harness.model.document import Machine, Results, encode
from harness.model.record import CellRecord, Ending, ProbeRecord, Stage
from harness.model.status import Phase, Status

HERE: Final = Path(__file__).parent
SEED: Final = 8
TIMES: Final = 3
BOUNDS: Final = {"make_s": 20.0, "make_mb": 1000.0, "open_s": 2.0, "filter_ms": 100.0}
"""For as many cells as `BOUNDED` says."""
BOUNDED: Final = 10_000
QUERIES: Final = (
    "status:fail",
    "r:>=4.2 python:<3.12 framework:torch",
    "not (status:pass or path:rpc) and message:version",
    "keras",
)
_WORK: Final = frozenset({"LayoutDuration", "RecalcStyleDuration", "ScriptDuration"})
_STAGES: Final = (
    "process_start",
    "bridge_load",
    "python_start",
    "identity",
    "framework_import",
    "device",
    "first_op",
    "steady_op",
)
_CAUSES: Final = ("numpy2-vs-old-reticulate", "reticulate-imp-removed-py312", None)


def cells(size: int) -> Iterator[CellRecord]:
    """Yield artificial cells, controls first."""
    chance = random.Random(SEED)  # noqa: S311 - artificial results, the same each time
    frameworks = [
        Framework(name, f"2.{minor}.0")
        for name in ("jax", "keras", "tensorflow", "torch")
        for minor in range(5)
    ]
    pythons = [f"3.{minor}" for minor in range(8, 14)]
    pins = [(), *((("numpy", f"=={version}"),) for version in ("1.24.4", "1.26.4", "2.2.6"))]
    controls = {
        (python, framework, pin): cell_id(
            Axes(path="native", python=python, framework=framework, pins=pin)
        )
        for python, framework, pin in itertools.product(pythons, frameworks, pins)
    }
    for (python, framework, pin), name in controls.items():
        yield record(
            Axes(path="native", python=python, framework=framework, pins=pin), None, chance, name
        )
    bridges: list[tuple[str, str | None, str | None]] = [
        *(("reticulate", None, f"1.{minor}") for minor in range(10, 48)),
        *(("rpy2", None, f"3.{minor}.0") for minor in range(40)),
        *(("rpc", transport, None) for transport in ("socket", "zmq", "http", "rserve")),
        ("system", None, None),
        *(("rpython", None, f"0.0-{patch}") for patch in range(1, 130)),
    ]
    rs = ("4.0.4", "4.2.2", "4.5.0", "4.6.2")
    every = itertools.product(bridges, rs, pythons, frameworks, pins)
    for (path, transport, bridge), r, python, framework, pin in itertools.islice(
        every, size - len(controls)
    ):
        axes = Axes(
            path=path,
            transport=transport,
            r=r,
            bridge=bridge,
            python=python,
            framework=framework,
            pins=pin,
        )
        yield record(axes, controls[python, framework, pin], chance, cell_id(axes))


def record(axes: Axes, control: str | None, chance: random.Random, name: str) -> CellRecord:
    """Return one cell with probes, identity, and where it failed a traceback."""
    status = chance.choices(
        (Status.PASS, Status.FAIL, Status.CRASH, Status.UNAVAILABLE), (70, 22, 4, 4)
    )[0]
    failed = status is not Status.PASS
    number = chance.randrange(300)
    message = f"Required version {number} of NumPy is not available: expecting {number + 1}"
    trace = "\n".join(f'  File "work.py", line {chance.randrange(900)}, in step' for _ in range(9))
    return CellRecord(
        id=name,
        axes=axes.as_dict(),
        status=status,
        phase=Phase.CONVERT if failed else None,
        cause=chance.choice(_CAUSES) if failed else None,
        message=message if failed else None,
        wall_s=round(chance.uniform(3, 60), 3),
        max_rss_mb=round(chance.uniform(200, 1500), 1),
        identity={
            "python": {"executable": "ENV/bin/python", "version": f"{axes.python}.7"},
            "modules": {"numpy": "1.26.4", str(axes.framework and axes.framework.name): "2.1.0"},
            "bridge": {"name": axes.path, "version": axes.bridge},
        },
        evidence={"traceback": trace} if failed else {},
        probes=tuple(
            ProbeRecord(
                name=probe,
                status=status if probe == "train" else Status.PASS,
                message=message if failed and probe == "train" else None,
                stages=tuple(
                    Stage(
                        name=stage,
                        wall_s=chance.expovariate(1),
                        cpu_s=chance.expovariate(2),
                        n=chance.choice((1, 100)),
                    )
                    for stage in _STAGES
                ),
                details={"device": "CPU:0", "losses": [chance.random() for _ in range(6)]},
            )
            for probe in ("init", "train", "call")
        ),
        control=control,
        key=f"{chance.getrandbits(64):016x}",
        started_at="2026-11-22T14:49:15.903+00:00",
        ending=Ending(exit_code=int(failed)),
    )


def write(folder: Path, size: int) -> int:
    """Write artificial results and the logs of what failed; return the size of the document."""
    found = tuple(cells(size))
    results = Results(
        harness="0.1.0",
        matrix="artificial",
        machine=Machine(os="Debian GNU/Linux 12 (bookworm)", arch="x86_64", cores=2),
        started_at="2026-11-22T14:47:43+00:00",
        finished_at="2026-11-22T20:47:43+00:00",
        planned=tuple(one.id for one in found),
        cells=found,
    )
    folder.mkdir(parents=True)
    data = encode(results)
    (folder / "results.json").write_bytes(data)
    for one in found:
        if one.status.is_problem:
            place = folder / "cells" / one.id
            place.mkdir(parents=True)
            (place / "stderr").write_text(one.evidence["traceback"] * 4, encoding="utf-8")
            (place / "requirements.lock").write_text("numpy==1.26.4\n", encoding="utf-8")
    return len(data)


def made(results: Path, site: Path) -> tuple[float, float, float]:
    """Make the site; return the seconds, those of the processor, and the peak of memory in MB."""
    program = (
        "import resource, sys\n"
        "from harness.cli import main\n"
        "try:\n    main()\n"
        "finally:\n"
        "    used = resource.getrusage(resource.RUSAGE_SELF)\n"
        "    print(used.ru_utime + used.ru_stime, used.ru_maxrss, file=sys.stderr)\n"
    )
    command = [sys.executable, "-c", program, "report", str(results)]
    start = time.perf_counter()
    ended = subprocess.run(
        [*command, "--format", "html", "--out", str(site)],
        check=True,
        capture_output=True,
        text=True,
    )
    taken = time.perf_counter() - start
    cpu_s, peak_kb = (float(word) for word in ended.stderr.split()[-2:])
    return taken, cpu_s, peak_kb / 1024


def opened(browser: Browser, site: Path) -> dict[str, Any]:
    """Open the first screen; return the seconds until it answers, and the filters in ms.

    Of both, what the page's own thread took of the processor, too.
    """
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.set_default_timeout(300_000)
    session = context.new_cdp_session(page)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})

    def used() -> float:
        found = session.send("Performance.getMetrics")["metrics"]
        return sum(float(one["value"]) for one in found if one["name"] in _WORK)

    page.goto(f"file://{site}/index.html")
    page.wait_for_selector("html[data-ready]", state="attached")
    ready = page.evaluate(
        """() => new Promise(done => requestAnimationFrame(() => setTimeout(() => done(
            performance.now()))))"""
    )
    open_cpu_s = used()
    filters, cpu = [], []
    for query in QUERIES:
        before = used()
        filters.append(filtered(page, query))
        cpu.append(1000 * (used() - before))
        for part in ("#grid", "#list"):
            page.wait_for_selector(f"{part}:not([aria-busy])", state="attached")
    context.close()
    return {
        "open_s": ready / 1000,
        "open_cpu_s": open_cpu_s,
        "filter_ms": filters,
        "filter_cpu_ms": cpu,
    }


def filtered(page: Page, query: str) -> float:
    """Return the ms from a query's last letter until what a screen shows is laid out anew.

    That is the counts, the first lines of the table, and the list where a part of it is in sight.
    What is below follows, while the page answers to the next letter.
    """
    taken: float = page.evaluate(
        """async query => {
            const field = document.getElementById("query");
            field.value = query;
            const start = performance.now();
            field.dispatchEvent(new Event("input", { bubbles: true }));
            document.body.getBoundingClientRect();
            const list = document.getElementById("list");
            while (list.ariaBusy && list.getBoundingClientRect().top < innerHeight) {
                await new Promise(done => setTimeout(done));
            }
            document.body.getBoundingClientRect();
            return performance.now() - start;
        }""",
        query,
    )
    return taken


def measure(size: int, folder: Path) -> dict[str, Any]:
    """Measure one size."""
    chromium = shutil.which("chromium")
    if chromium is None:
        raise SystemExit("there is no Chromium here: apt-get install chromium")
    results, site = folder / f"results-{size}", folder / f"site-{size}"
    document = write(results, size)
    load = os.getloadavg()[0]
    make_s, make_cpu_s, make_mb = made(results, site)
    times = []
    with sync_playwright() as playwright:
        for _ in range(TIMES):
            browser = playwright.chromium.launch(
                executable_path=chromium, args=["--no-sandbox", "--disable-gpu"]
            )
            times.append(opened(browser, site))
            browser.close()

    def slowest(key: str) -> float:
        each = zip(*(one[key] for one in times), strict=True)
        return float(max(statistics.median(values) for values in each))

    sizes = [path.stat().st_size for path in site.rglob("*") if path.is_file()]
    return {
        "cells": size,
        "results_mb": document / 1e6,
        "load": load,
        "make_s": make_s,
        "make_cpu_s": make_cpu_s,
        "make_mb": make_mb,
        "files": len(sizes),
        "site_mb": sum(sizes) / 1e6,
        "data_mb": (site / "data/cells.js").stat().st_size / 1e6,
        "open_s": statistics.median(one["open_s"] for one in times),
        "open_cpu_s": statistics.median(one["open_cpu_s"] for one in times),
        "filter_ms": slowest("filter_ms"),
        "filter_cpu_ms": slowest("filter_cpu_ms"),
        "times": times,
    }


def page(found: Sequence[dict[str, Any]], machine: str) -> str:
    """Return the results as Markdown."""
    heads = (
        ("cells", "cells", "{:,}"),
        ("results.json", "results_mb", "{:.0f} MB"),
        ("made in", "make_s", "{:.1f} s"),
        ("of the processor", "make_cpu_s", "{:.1f} s"),
        ("memory", "make_mb", "{:.0f} MB"),
        ("files", "files", "{:,}"),
        ("first screen's data", "data_mb", "{:.1f} MB"),
        ("opens in", "open_s", "{:.2f} s"),
        ("of the processor", "open_cpu_s", "{:.2f} s"),
        ("slowest filter", "filter_ms", "{:.0f} ms"),
        ("of the processor", "filter_cpu_ms", "{:.0f} ms"),
        ("load before", "load", "{:.1f}"),
    )
    rows = ["| " + " | ".join(head for head, _, _ in heads) + " |", "| --: " * len(heads) + "|"]
    rows += [f"| {' | '.join(form.format(one[key]) for _, key, form in heads)} |" for one in found]
    return (
        "# The site of many cells\n\n"
        f"`bench/site.py`, {machine}. A site of 10,000 cells is to be made in 20 s and\n"
        "1 GB, to open in 2 s and to filter in 100 ms, on a machine with nothing else to do:\n"
        "*load before* says how many processes wanted a core then. A filter has answered when\n"
        "what a screen shows is laid out; what is below follows by itself.\n\n"
        + "\n".join(rows)
        + "\n"
    )


def keep(found: Sequence[dict[str, Any]]) -> None:
    """Write what was found, with what it was measured on."""
    machine = (
        f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, "
        f"{date.today().isoformat()}"  # noqa: DTZ011 - the day, as people call it
    )
    report = {"bench": "site", "seed": SEED, "machine": machine, "sizes": list(found)}
    (HERE / "results" / "site.json").write_text(json.dumps(report, indent=1) + "\n")
    (HERE / "results" / "site.md").write_text(page(found, machine))


def main() -> int:
    """Measure, write what was found, and return 1 where 10,000 cells are beyond a bound."""
    sizes = [int(text) for text in sys.argv[1:]] or [10_000, 100_000]
    found = []
    for size in sizes:
        with tempfile.TemporaryDirectory() as folder:
            found.append(measure(size, Path(folder)))
        print(json.dumps(found[-1]))
        keep(found)
    beyond = [
        key
        for one in found
        for key, most in BOUNDS.items()
        if one["cells"] <= BOUNDED and one[key] > most
    ]
    for key in beyond:
        print(f"beyond its bound: {key}")
    return int(bool(beyond))


if __name__ == "__main__":
    sys.exit(main())

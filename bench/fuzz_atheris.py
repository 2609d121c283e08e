"""Is there a way through a parser's code that near misses do not find?

Atheris watches which branches an input takes, and changes those further that take new ones.

    pip install atheris
    python bench/fuzz_atheris.py --inputs 100000 --keep    all, kept in bench/results/safety.json
    python bench/fuzz_atheris.py --only matrix
    python bench/fuzz_atheris.py --only matrix --again FILE    an input that was found
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from hashlib import sha256
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from fuzz import LARGEST, SCRATCH, Account, attempt, keep, parsers, show

FOUND: Final = Path(__file__).parent / "results" / "found"
"""Inputs of findings, which git does not keep: a finding becomes a test in ``tests/safety``."""
_BRANCHES: Final = re.compile(rb"cov: (\d+)")
_MISSING: Final = 4


def main() -> int:
    """Fuzz each parser in a process of its own, and return 1 where anything was found."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--inputs", type=int, default=100_000)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--only", action="append", default=[])
    options.add_argument("--keep", action="store_true")
    options.add_argument("--again", type=Path, metavar="FILE", help="give the parser this input")
    options.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    given = options.parse_args()
    os.environ["HARNESS_CACHE"] = tempfile.mkdtemp(prefix="harness-fuzz-cache-")
    if given.child:  # before anything else is imported, which would not be watched
        watched(given.only[0], given.inputs, given.seed, given.child)
        return 0
    if unknown := set(given.only) - set(parsers()):
        print(f"no parser {', '.join(unknown)}: there are {', '.join(parsers())}", file=sys.stderr)
        return 2
    if given.again:
        with tempfile.TemporaryDirectory() as folder:
            parsers()[given.only[0]].parse(given.again.read_bytes(), Path(folder))
        return 0
    if find_spec("atheris") is None:
        print("atheris is not installed: run `pip install atheris`", file=sys.stderr)
        return _MISSING
    found: dict[str, Any] = {}
    for name in given.only or parsers():
        account, branches = of_a_child(name, given.inputs, given.seed)
        found[name] = asdict(account) | {"branches": branches}
        show(f"{name} ({branches} branches)", account)
    if given.keep:
        keep("atheris", found, seed=given.seed)
    return int(any(one["findings"] for one in found.values()))


def of_a_child(name: str, inputs: int, seed: int) -> tuple[Account, int]:
    """Fuzz one parser in a process that may crash, and return its account and its branches."""
    with tempfile.TemporaryDirectory(prefix="harness-fuzz-", dir=SCRATCH) as folder:
        child = [sys.executable, __file__, "--only", name, "--inputs", str(inputs)]
        child += ["--seed", str(seed), "--child", folder]
        ended = subprocess.run(child, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        kept = Path(folder, "account.json")
        account = Account(**json.loads(kept.read_bytes())) if kept.is_file() else Account()
    if ended.returncode or account.inputs < inputs:
        last = ended.stdout.decode(errors="replace").strip().splitlines()[-3:]
        account.findings.append(f"the process ended with {ended.returncode}: {' | '.join(last)}")
    return account, max((int(one) for one in _BRANCHES.findall(ended.stdout)), default=0)


def watched(name: str, inputs: int, seed: int, folder: Path) -> None:
    """Fuzz one parser in this process, which may end here, and leave the account in ``folder``."""
    atheris: Any = import_module("atheris")
    corpus, scratch = folder / "corpus", folder / "scratch"
    corpus.mkdir()
    scratch.mkdir()
    account, began = Account(), time.monotonic()
    # What is imported when it is first used is watched as well, so the seeds are read first.
    with atheris.instrument_imports(include=["harness"]):
        parser = parsers()[name]
        for number, data in enumerate(parser.seeds):
            (corpus / str(number)).write_bytes(data)
            attempt(parser, data, "seed", scratch, Account())

    def one(data: bytes) -> None:
        known, digest = len(account.findings), sha256(data).hexdigest()[:12]
        attempt(parser, data, digest, scratch, account)
        if len(account.findings) > known:
            FOUND.mkdir(parents=True, exist_ok=True)
            (FOUND / f"{name.replace(' ', '-')}-{digest}").write_bytes(data)

    # libFuzzer's own limits are above those of `attempt`, which goes on after a finding.
    flags = [f"-atheris_runs={inputs}", f"-seed={seed}", f"-max_len={LARGEST}", "-timeout=120"]
    flags += ["-rss_limit_mb=8192", "-detect_leaks=0", f"-artifact_prefix={folder}/"]
    atheris.Setup([sys.argv[0], *flags, str(corpus)], one)
    try:
        atheris.Fuzz()
    finally:
        account.seconds = round(time.monotonic() - began, 1)
        account.slowest_s = round(account.slowest_s, 3)
        (folder / "account.json").write_text(json.dumps(asdict(account)), encoding="utf-8")


if __name__ == "__main__":
    raise SystemExit(main())

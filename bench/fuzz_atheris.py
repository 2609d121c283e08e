"""Is there a way through a parser's code that near misses do not find?

Atheris watches which branches an input takes and keeps those that take new ones.

    pip install atheris
    python bench/fuzz_atheris.py matrix -atheris_runs=100000
"""

from __future__ import annotations

import os
import sys
import tempfile
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

from fuzz import LARGEST, Parser, parsers

from harness.errors import HarnessError


def main() -> int:
    """Fuzz the parser that is named, until something is found or it is stopped."""
    try:
        atheris: Any = import_module("atheris")
    except ImportError:
        print("atheris is not installed: run `pip install atheris`", file=sys.stderr)
        return 4
    os.environ["HARNESS_CACHE"] = tempfile.mkdtemp(prefix="harness-fuzz-cache-")
    folder = Path(tempfile.mkdtemp(prefix="harness-fuzz-"))
    corpus, scratch = folder / "corpus", folder / "scratch"
    corpus.mkdir()
    scratch.mkdir()
    # What is imported when it is first used is watched as well.
    with atheris.instrument_imports(include=["harness"]):
        known = parsers()
        parser = known.get(" ".join(sys.argv[1:2]))
        if parser is None:
            print(f"name a parser: {', '.join(known)}", file=sys.stderr)
            return 2
        for number, seed in enumerate(parser.seeds):
            (corpus / str(number)).write_bytes(seed)
            _tried(parser, seed, scratch)
    one = partial(_tried, parser, scratch=scratch)
    atheris.Setup([sys.argv[0], *sys.argv[2:], f"-max_len={LARGEST}", str(corpus)], one)
    atheris.Fuzz()
    return 0


def _tried(parser: Parser, data: bytes, scratch: Path) -> None:
    try:
        parser.parse(data, scratch)
    except HarnessError:
        return


if __name__ == "__main__":
    raise SystemExit(main())

"""The comparison of the paths: what its page says of readings."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

SCRIPT = Path(__file__).parents[2] / "bench" / "paths.py"


def load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("bench_paths", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["bench_paths"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def bench() -> Iterator[ModuleType]:
    yield load()
    del sys.modules["bench_paths"]


def reading(path: str, number: int, seconds: float, **changes: Any) -> dict[str, Any]:
    """One cell of one round, with a no-op call of so many seconds."""
    call = {"status": "pass", "message": None, "stages": {"noop": [seconds * 10, None, 10]}}
    return {
        "round": number,
        "at": "2026-11-22T20:00:00+00:00",
        "load": 0.5,
        "path": path,
        "bridge": "",
        "r": None if path == "native" else "4.5.0",
        "python": "3.11.7",
        "modules": {"numpy": "1.26.4"},
        "machine": "Debian, 2 cores",
        "processes": [{"role": "host", "program": "R", "peak_mb": 100.0}],
        "probes": {"call": call},
    } | changes


def test_a_ratio_is_within_its_round(bench):
    # The machine was three times as slow in the second round: the ratio is the same.
    readings = [
        *(reading("native", 1, 1.0), reading("rpy2", 1, 2.0)),
        *(reading("native", 2, 3.0), reading("rpy2", 2, 6.0)),
    ]
    rounds = bench.Rounds(readings)
    noop = bench.stage("call", "noop")
    assert rounds.ratio("rpy2", noop) == (2.0, 2.0, 2.0)
    assert rounds.amount("rpy2", noop).median == 4.0
    assert rounds.amount("rpy2", bench.stage("call", "noop", cpu=True)) is None


def test_a_round_that_was_cut_short_does_not_count(bench):
    readings = [reading("native", 1, 1.0), reading("rpy2", 1, 2.0), reading("native", 2, 9.0)]
    rounds = bench.Rounds(readings)
    assert rounds.numbers == [1]
    assert rounds.amount("native", bench.stage("call", "noop")).median == 1.0


@given(st.lists(st.floats(1e-9, 1e3), min_size=1, max_size=8))
def test_the_interval_holds_the_median_and_lies_among_the_readings(values):
    found = load().estimate(values)
    assert min(values) <= found.low <= found.median <= found.high <= max(values)


def test_the_page_names_what_is_slower_and_what_fails(bench):
    failed = {
        "call": {"status": "fail", "message": "lost a digit", "stages": {"noop": [0.5, 0.4, 10]}}
    }
    readings = [
        *(reading("native", 1, 1e-7), reading("rpython", 1, 0.0, probes=failed)),
        *(reading("native", 2, 1e-7), reading("rpython", 2, 0.0, probes=failed)),
    ]
    page = bench.page({"readings": readings})
    assert "| Python alone | – | 100 ns |" in page
    assert "| rpython [1] | – | 50 ms | 500,000× | 40 ms |" in page
    assert "rpython is timed here, but its probe fails: lost a digit" in page
    assert "2 rounds on 2026-11-22, Debian, 2 cores" in page
    assert "The machine was busy" not in page
    busy = [one | {"load": 3.0} for one in readings]
    assert "The machine was busy" in bench.page({"readings": busy})


def test_there_is_no_page_of_nothing(bench):
    with pytest.raises(SystemExit, match="no whole round"):
        bench.page({"readings": []})


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(1.75e-7, "175 ns"), (4.2e-6, "4.2 µs"), (0.012, "12 ms"), (1.25, "1.2 s"), (9e-10, "0.9 ns")],
)
def test_seconds_have_two_digits_that_mean_something(bench, seconds, text):
    assert bench._seconds(seconds) == text


@pytest.mark.parametrize(("rounds", "said"), [(2, "50%"), (5, "94%"), (6, "bootstrap")])
def test_few_rounds_have_no_interval_of_95_percent(bench, rounds, said):
    readings = [reading("native", number, 1e-7) for number in range(1, rounds + 1)]
    readings += [reading("rpy2", number, 1e-6) for number in range(1, rounds + 1)]
    page = " ".join(bench.page({"readings": readings}).split())
    assert said in page
    assert ("which is no interval of 95%" in page) is (rounds < 6)

"""What the doctor survives, and what it shows of it; what it names is in ``tests/live/causes``."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.live.causes.bench import BOOKWORM, Bench, Situation
from tests.live.causes.case import bare
from tests.live.causes.finding import SLEEPS

pytestmark = pytest.mark.live

CRASHES = "import ctypes\nctypes.string_at(0)\n"


def crash(bench: Bench) -> Situation:
    return replace(
        bench.jax(),
        env={**bench.jax().env, "PYTHONPATH": "{home}/modules"},
        arguments=("--framework", "jax"),
        files={"modules/jax.py": CRASHES},
    )


def test_a_crash_is_survived_and_blamed_on_its_layer(bench: Bench) -> None:
    answer = bench.doctor(crash(bench))
    assert answer.code == 1
    assert answer.layer("framework")["state"] == "crashed"
    assert answer.layer("convert")["state"] == "ok"
    assert any("SIGSEGV" in line for line in answer.report["evidence"])


def test_a_hang_names_what_is_waited_for(bench: Bench) -> None:
    env = {"RETICULATE_PYTHON": "{home}/python"}
    answer = bench.doctor(Situation(r=BOOKWORM, env=env, files={"python": SLEEPS}))
    assert answer.layer("discovery")["state"] == "hung"
    assert "sleep 1000" in answer.layer("discovery")["said"]


def test_shows_what_reticulate_throws_away(bench: Bench) -> None:
    answer = bench.doctor(bare(bench, "3.12", r=BOOKWORM))
    assert any("No module named 'imp'" in line for line in answer.report["evidence"])


def test_says_where_a_variable_was_set(bench: Bench) -> None:
    files = {".Renviron": "PYTHONHOME=/opt/nothing\n"}
    answer = bench.doctor(replace(bench.jax(), files=files))
    (variable,) = (one for one in answer.report["variables"] if one["name"] == "PYTHONHOME")
    assert variable["origin"].endswith(".Renviron:1")


def test_layers_before_the_one_that_fails_are_well(bench: Bench) -> None:
    answer = bench.doctor(replace(bench.jax(), r=BOOKWORM))
    states = [layer["state"] for layer in answer.report["layers"]]
    failed = states.index("failed")
    assert answer.report["layers"][failed]["name"] == "convert"
    assert set(states[:failed]) == {"ok"}
    assert set(states[failed + 1 :]) == {"not reached"}
    assert answer.report["causes"][0]["remedies"]

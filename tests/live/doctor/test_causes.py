"""Environments that are broken for real: each cause is named, at the layer that it breaks."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.live.doctor.bench import BOOKWORM, Bench, Scenario, Situation

pytestmark = pytest.mark.live

SLEEPS = "#!/bin/sh\nsleep 1000\n"
NO_SUCH = "#!/nonexistent/interpreter\n"
CRASHES = "import ctypes\nctypes.string_at(0)\n"


def named(python: str, **others: object) -> Situation:
    return Situation(env={"RETICULATE_PYTHON": python}, **others)  # type: ignore[arg-type]


def in_home(bench: Bench, name: str, text: str, **others: object) -> Situation:
    """Return a situation whose RETICULATE_PYTHON is a file of the home.

    The home's path is known when it is made: R reads it out of .Renviron.
    """
    del bench
    files = {name: text, ".Renviron": f"RETICULATE_PYTHON=${{HOME}}/{name}\n"}
    return Situation(files=files, **others)  # type: ignore[arg-type]


def missing_framework(bench: Bench) -> Situation:
    return replace(bench.jax(), arguments=("--framework", "torch"))


def bare(bench: Bench, version: str, **others: object) -> Situation:
    python = bench.python(version)
    return named(str(python.executable), binds=(python.prefix,), **others)


def numpy_2(bench: Bench) -> Situation:
    return replace(bench.jax(), r=BOOKWORM)


def python_home(bench: Bench) -> Situation:
    healthy = bench.jax()
    return replace(healthy, env={**healthy.env, "PYTHONHOME": "/opt/nothing"})


def python_home_of_renviron(bench: Bench) -> Situation:
    return replace(bench.jax(), files={".Renviron": "PYTHONHOME=/opt/nothing\n"})


def python_path(bench: Bench) -> Situation:
    healthy = bench.jax()
    other = bench.environment("3.12", "numpy")
    foreign = other.executable.parents[1] / "lib" / "python3.12" / "site-packages"
    return replace(
        healthy,
        env={**healthy.env, "PYTHONPATH": str(foreign)},
        binds=(*healthy.binds, *other.binds),
    )


def crash(bench: Bench) -> Situation:
    healthy = bench.jax()
    startup = "RETICULATE_PYTHON=" + healthy.env["RETICULATE_PYTHON"]
    return replace(
        healthy,
        env={},
        arguments=("--framework", "jax"),
        files={
            "modules/jax.py": CRASHES,
            ".Renviron": f"{startup}\nPYTHONPATH=${{HOME}}/modules\n",
        },
    )


SCENARIOS = (
    Scenario(
        name="RETICULATE_PYTHON is not there",
        cause="reticulate-python-nonexistent",
        layer="discovery",
        make=lambda _bench: named("/nonexistent/python"),
    ),
    Scenario(
        name="RETICULATE_PYTHON is /bin/true",
        cause="reticulate-python-not-a-python",
        layer="discovery",
        make=lambda _bench: named("/bin/true", r=BOOKWORM),
    ),
    Scenario(
        name="RETICULATE_PYTHON is /bin/true, and a newer reticulate goes on to the next",
        cause="reticulate-python-not-a-python",
        make=lambda _bench: named("/bin/true"),
    ),
    Scenario(
        name="the framework is not there",
        cause="framework-module-missing",
        layer="framework",
        make=missing_framework,
    ),
    Scenario(
        name="numpy is not there",
        cause="numpy-absent-for-conversion",
        layer="numpy",
        make=lambda bench: bare(bench, "3.12"),
    ),
    Scenario(
        name="numpy 2 with reticulate 1.28",
        cause="numpy2-vs-old-reticulate",
        layer="convert",
        make=numpy_2,
    ),
    Scenario(
        name="Python 3.12 with reticulate 1.28",
        cause="reticulate-imp-removed-py312",
        layer="discovery",
        make=lambda bench: bare(bench, "3.12", r=BOOKWORM),
    ),
    Scenario(
        name="PYTHONHOME is wrong",
        cause="pythonhome-contamination",
        remedy="unset",
        proven=True,
        make=python_home,
    ),
    Scenario(
        name="PYTHONHOME is wrong in .Renviron",
        cause="pythonhome-contamination",
        remedy="unset",
        proven=True,
        make=python_home_of_renviron,
    ),
    Scenario(
        name="PYTHONPATH is of another Python",
        cause="pythonpath-contamination",
        layer="numpy",
        proven=True,
        make=python_path,
    ),
    Scenario(
        name="an empty folder as a virtual environment",
        cause="not-a-virtualenv",
        layer="r",
        make=lambda _bench: Situation(
            files={
                "empty/notes": "nothing\n",
                ".Rprofile": 'reticulate::use_virtualenv("~/empty", required = TRUE)\n',
            }
        ),
    ),
    Scenario(
        name="a Python whose interpreter is gone",
        cause="python-exe-cannot-start",
        layer="discovery",
        make=lambda bench: in_home(bench, "python", NO_SUCH, r=BOOKWORM),
    ),
    Scenario(
        name="a Python that sleeps",
        layer="discovery",
        cause="python-exe-cannot-start",
        make=lambda bench: in_home(bench, "python", SLEEPS, r=BOOKWORM),
    ),
    Scenario(
        name="no uv and no network",
        cause="uv-bootstrap-offline",
        layer="python",
        make=lambda _bench: Situation(),
    ),
    Scenario(
        name="the R package is not there",
        cause="rpython-unavailable",
        layer="bridge",
        make=lambda _bench: Situation(arguments=("--path", "rpython")),
    ),
    Scenario(
        name="no R",
        cause="r-not-found",
        layer="r",
        make=lambda _bench: Situation(arguments=("--r", "/nonexistent/Rscript")),
    ),
    Scenario(
        name="system: the command is not there",
        cause="sys-python-not-on-path",
        layer="command",
        make=lambda _bench: Situation(arguments=("--path", "system", "--python", "nosuchpython")),
    ),
    Scenario(
        name="system: R's libraries come first",
        cause="libpython-soname-swap-by-R",
        layer="identity",
        make=lambda bench: replace(
            bench.jax(),
            r=BOOKWORM,
            arguments=("--path", "system", "--python", bench.jax().env["RETICULATE_PYTHON"]),
        ),
    ),
)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=str)
def test_names_the_cause(bench: Bench, scenario: Scenario) -> None:
    fix = ("--fix",) if scenario.proven else ()
    answer = bench.doctor(scenario.make(bench), *fix)
    assert answer.code == 1
    assert not answer.report["ok"]
    assert answer.cause == scenario.cause, answer.report
    assert answer.report["causes"][0]["remedies"]
    if scenario.layer is not None:
        assert answer.layer(scenario.layer)["state"] != "ok"
        at = [layer["name"] for layer in answer.report["layers"]].index(scenario.layer)
        before = answer.report["layers"][:at]
        assert all(layer["state"] in {"ok", "not reached"} for layer in before)
    if scenario.remedy is not None:
        assert scenario.remedy in answer.remedies
    if scenario.proven:
        assert True in answer.remedies.values(), answer.report["notes"]


def test_a_crash_is_survived_and_blamed_on_its_layer(bench: Bench) -> None:
    answer = bench.doctor(crash(bench))
    assert answer.code == 1
    assert answer.layer("framework")["state"] == "crashed"
    assert answer.layer("convert")["state"] == "ok"
    assert any("SIGSEGV" in line for line in answer.report["evidence"])


def test_a_hang_names_what_is_waited_for(bench: Bench) -> None:
    answer = bench.doctor(in_home(bench, "python", SLEEPS, r=BOOKWORM))
    assert answer.layer("discovery")["state"] == "hung"
    assert "sleep 1000" in answer.layer("discovery")["said"]


def test_shows_what_reticulate_throws_away(bench: Bench) -> None:
    answer = bench.doctor(bare(bench, "3.12", r=BOOKWORM))
    assert any("No module named 'imp'" in line for line in answer.report["evidence"])


def test_says_where_a_variable_was_set(bench: Bench) -> None:
    answer = bench.doctor(python_home_of_renviron(bench))
    (variable,) = (one for one in answer.report["variables"] if one["name"] == "PYTHONHOME")
    assert variable["origin"].endswith(".Renviron:1")

"""Environments in which everything works: the doctor says so, and changes nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.live.causes.bench import BOOKWORM, Bench, Situation
from tests.live.causes.merged import merged
from tests.live.causes.values import keras, torch

pytestmark = pytest.mark.live


def old_reticulate(bench: Bench) -> Situation:
    environment = bench.environment("3.11", "numpy<2", "jax<0.5")
    return Situation(
        r=BOOKWORM,
        env={"RETICULATE_PYTHON": str(environment.executable)},
        binds=environment.binds,
    )


def unrelated_environment(bench: Bench) -> Situation:
    healthy = bench.jax()
    other = bench.environment("3.12", "numpy")
    env = {**healthy.env, "VIRTUAL_ENV": str(other.executable.parents[1])}
    return replace(healthy, env=env, binds=(*healthy.binds, *other.binds))


def odd_folder(bench: Bench) -> Situation:
    return replace(bench.jax(), folder="Übung mit Leerzeichen/naïve 'q\"uote")


def empty_python_path(bench: Bench) -> Situation:
    healthy = bench.jax()
    return replace(healthy, env={**healthy.env, "PYTHONPATH": ""})


def plain_locale(bench: Bench) -> Situation:
    healthy = bench.jax()
    return replace(healthy, env={**healthy.env, "LC_ALL": "C", "LANG": "tr_TR.UTF-8"})


def strange_locale(bench: Bench) -> Situation:
    healthy = bench.jax()
    return replace(healthy, env={**healthy.env, "LC_ALL": "zh_TW.BIG5", "LANGUAGE": "zh"})


def no_home(bench: Bench) -> Situation:
    healthy = bench.jax()
    return replace(healthy, env={**healthy.env, "HOME": "/nonexistent"})


def odd_paths(bench: Bench) -> Situation:
    """Return an environment whose own path has spaces and other letters, in such a home."""
    environment = bench.environment("3.11", "numpy", "jax")
    make = merged(environment)

    def prepare(home: Path) -> None:
        make(home)
        (home / "env").rename(home / "Mein Kästchen é")

    env = {"RETICULATE_PYTHON": "{home}/Mein Kästchen é/bin/python"}
    return Situation(env=env, binds=environment.binds, prepare=prepare)


def no_home_at_all(bench: Bench) -> Situation:
    return replace(bench.jax(), env={**bench.jax().env, "HOME": ""})


def read_only_home(bench: Bench) -> Situation:
    return replace(bench.jax(), home=False)


def of_path(bench: Bench, path: str) -> Situation:
    healthy = bench.jax()
    python = healthy.env["RETICULATE_PYTHON"]
    return replace(healthy, env={}, arguments=("--path", path, "--python", python))


HEALTHY = {
    "jax": Bench.jax,
    "keras": keras,
    "torch": torch,
    "an old reticulate": old_reticulate,
    "an unrelated virtual environment is active": unrelated_environment,
    "spaces and non-ASCII letters in the working folder": odd_folder,
    "an empty PYTHONPATH": empty_python_path,
    "a plain locale": plain_locale,
    "spaces and non-ASCII letters in the environment's path": odd_paths,
    "a home that is not there": no_home,
    "HOME is empty": no_home_at_all,
    "a home that cannot be written to": read_only_home,
    "a locale that is not installed": strange_locale,
    "system": lambda bench: of_path(bench, "system"),
    "rpc": lambda bench: of_path(bench, "rpc"),
}


@pytest.mark.parametrize("name", HEALTHY)
def test_is_content(bench: Bench, name: str) -> None:
    answer = bench.doctor(HEALTHY[name](bench))
    assert answer.code == 0, answer.report
    assert answer.report["ok"]
    assert answer.report["causes"] == []
    assert {layer["state"] for layer in answer.report["layers"]} == {"ok"}
    assert answer.report["identity"]["version"]


def test_says_what_goes_wrong_without_a_word(bench: Bench) -> None:
    answer = bench.doctor(bench.jax())
    assert {note["id"] for note in answer.report["notes"]} == {"na-becomes-value", "int64-wraps"}


def test_says_which_python_by_which_rule(bench: Bench) -> None:
    situation = bench.jax()
    report = bench.doctor(situation).report
    (library,) = report["identity"]["libpython"]
    assert Path(library).name.startswith("libpython3.11.so")
    rungs = report["discovery"]
    (taken,) = (rung for rung in rungs if rung["taken"])
    assert taken["id"] == "RETICULATE_PYTHON"
    assert taken["python"] == situation.env["RETICULATE_PYTHON"]
    order = [rung["id"] for rung in rungs]
    assert order.index("RETICULATE_PYTHON") < order.index("VIRTUAL_ENV") < order.index("PATH")


def test_nothing_is_written(bench: Bench, tmp_path: Path) -> None:
    environment = bench.environment("3.11", "numpy", "jax")
    # Not the store's own mark of when it was used last, which lies beside.
    prefix = environment.executable.parents[1] / "lib"

    def state() -> dict[Path, int]:
        return {file: file.lstat().st_mtime_ns for file in prefix.rglob("*")}

    before = state()
    situation = replace(bench.jax(), files={"notes": "mine\n"})
    assert bench.doctor(situation).code == 0
    assert state() == before
    homes = sorted(bench.homes()[-1].iterdir())
    assert [file.name for file in homes] == ["notes"]

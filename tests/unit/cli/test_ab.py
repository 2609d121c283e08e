"""``harness ab`` from its arguments to its exit code, with processes that only pretend to run."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from harness.cli import run
from harness.latency.schedule import Pair
from harness.workflow import versus
from harness.workflow.alone import alone
from harness.workflow.arms import Duel
from harness.workflow.sampling import Process
from tests.unit.workflow.test_comparing import MATRIX, Machinery


class Pretended(Machinery):
    """Stands for the sampler: one of its machines, which a planted slowdown reaches."""

    def __init__(self, pairs: Sequence[Duel], folder: Path, *_: Any, **__: Any) -> None:
        super().__init__()
        self.folder = folder

    def slow_down(self, duel: Duel, factor: float, metrics: Sequence[str]) -> None:
        self.slower = dict.fromkeys(metrics, factor)

    def tree(self, duel: Duel, arm: str) -> None:
        return None


@pytest.fixture(autouse=True)
def _own_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for nobody else on this machine."""
    monkeypatch.setattr("harness.workflow.alone._NAME", f"\0{tmp_path}"[:100])


@pytest.fixture
def matrix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.chdir(tmp_path)
    Path("m.yaml").write_text(MATRIX)
    monkeypatch.setattr(versus, "Sampler", Pretended)
    return ["ab", "m.yaml", "--only", "*r4.2.2*", "--base", "env.X=1", "--head", "env.X=1"]


def test_identical_arms_are_ok_and_kept(matrix, capsys):
    assert run(matrix) == 0
    assert capsys.readouterr().out.startswith("ok: head is not slower")
    kept = json.loads(Path(".harness/results/ab-m/ab.json").read_text())
    assert kept["verdict"] == "ok"
    assert kept["base"] == kept["head"] == {"env.X": "1"}
    assert kept["machine"]["cores"]
    assert kept["locks"]
    assert len(kept["keys"]) == 2


def test_a_planted_slowdown_is_a_regression_with_exit_code_1(matrix, capsys):
    assert run([*matrix, "--plant", "1.3", "--format", "json", "-q"]) == 1
    printed = capsys.readouterr()
    assert printed.err == ""
    document = json.loads(printed.out)
    assert document["verdict"] == "regressed"
    assert document["plant"] == 1.3


def test_every_pair_is_in_the_journal_as_soon_as_it_has_ended(matrix, monkeypatch, capsys):
    class Stopped(Pretended):
        def __call__(self, duel: Duel, arms: Pair) -> tuple[Process, Process]:
            if len(self.ran) == 14:
                raise KeyboardInterrupt
            return super().__call__(duel, arms)

    monkeypatch.setattr(versus, "Sampler", Stopped)
    assert run(matrix) == 130
    lines = Path(".harness/results/ab-m/journal.jsonl").read_text().splitlines()
    names = [json.loads(line)["event"] for line in lines]
    assert names.count("pair") == 14 - 4
    monkeypatch.setattr(versus, "Sampler", Pretended)
    capsys.readouterr()
    assert run(matrix) == 0
    assert "going on after 10 pairs" in capsys.readouterr().err
    assert run([*matrix, "--fresh"]) == 0
    assert "going on" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--metric", "nop"], "--metric nop: there is no such stage to compare"),
        (["--plant", "0.5"], "0.5 is not in the range"),
        (["--budget", "0"], "0.0 is not in the range"),
        (["--budget", "nan"], "'--budget': nan is no amount; write a number, such as 60"),
        (["--budget", "inf"], "'--budget': inf is no amount"),
        (["--margin", "nan"], "'--margin': nan is no amount"),
        (["--plant", "nan"], "'--plant': nan is no amount"),
        (["--head", "pyton=3.12"], "did you mean 'python'?"),
        (["--only", "nothing"], "none of the"),
    ],
)
def test_a_slip_is_one_sentence_and_exit_code_2(matrix, capsys, arguments, said):
    asked = matrix if "--only" not in arguments else [*matrix[:2], *matrix[4:]]
    assert run([*asked, *arguments]) == 2
    printed = capsys.readouterr().err
    assert said in printed
    assert printed.count("\n") == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ["gate", "m.yaml", "--bridge", "reticulate=1.40.0", "--latency", "nan"],
        ["calibrate", "m.yaml", "--record", "nan"],
        ["cache", "--prune", "--older-than", "nan"],
    ],
)
def test_what_is_no_number_is_refused_by_the_other_verbs_too(matrix, capsys, arguments):
    assert run(arguments) == 2
    assert "nan is no amount" in capsys.readouterr().err


def test_base_and_head_have_to_be_said(matrix, capsys):
    assert run(matrix[:4]) == 2
    assert "Missing option '--base'" in capsys.readouterr().err


def test_two_measurements_wait_for_each_other():
    told: list[str] = []
    order: list[str] = []
    began, end = threading.Event(), threading.Event()

    def first() -> None:
        with alone(told.append):
            began.set()
            end.wait(10)
            order.append("first")

    thread = threading.Thread(target=first)
    thread.start()
    assert began.wait(10)

    def notify(text: str) -> None:
        told.append(text)
        end.set()

    with alone(notify):
        order.append("second")
    thread.join()
    assert order == ["first", "second"]
    assert told == ["another harness measures on this machine; waiting for its end"]

"""A comparison from warming up to what is said of it; processes that only pretend to run."""

from __future__ import annotations

import json
import math
import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from harness.errors import ExitCode, NotMeasured
from harness.latency.model import Rule, Times, Verdict
from harness.latency.schedule import Pair
from harness.model.document import Machine
from harness.workflow.arms import Duel, duels, read_settings
from harness.workflow.comparing import Comparing, Comparison, Settings, kept_in, question
from harness.workflow.planning import make_plan
from harness.workflow.sampling import Process
from harness.workflow.versus import Answer, Asked, as_document, as_json, as_text

MATRIX = 'matrix: m\naxes: {path: [reticulate], r: [4.2.2, 4.5.0], python: ["3.11"]}\n'
CPU_S = {"process_start": 0.2, "bridge_load": 1.0, "python_start": 0.3, "noop": 1e-4, "echo": 1e-4}


class Machinery:
    """A machine with noise, whose head takes so many times as long in some stages."""

    def __init__(self, *, slower: dict[str, float] | None = None, noise: float = 0.03) -> None:
        self.slower = slower or {}
        self.noise = noise
        self.draw = random.Random(1)
        self.ran: list[Pair] = []
        self.drift: Callable[[int], float] = lambda _place: 1.0
        self.fails_after = math.inf

    def __call__(self, duel: Duel, arms: Pair) -> tuple[Process, Process]:
        if len(self.ran) >= self.fails_after:
            raise KeyboardInterrupt
        self.ran.append(arms)
        first, second = (self.process(arm, place) for place, arm in enumerate(arms))
        return first, second

    def process(self, arm: str, place: int) -> Process:
        names = ["process_start", "noop", "echo"] if arm == "native" else list(CPU_S)
        times = {}
        for name in names:
            factor = self.slower.get(name, 1.0) if arm == "head" else 1.0
            cpu = CPU_S[name] * math.exp(self.draw.gauss(0, self.noise)) * factor
            cpu *= self.drift(place)
            times[name] = Times(cpu * 1.5, cpu)
        return Process(times=times, wall_s=1.0, lock=f"lock of {arm}")


@pytest.fixture
def pair(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Duel, ...]:
    monkeypatch.chdir(tmp_path)
    Path("m.yaml").write_text(MATRIX)
    return (two_cells()[0],)


def two_cells() -> tuple[Duel, ...]:
    setting = (read_settings(["env.X=1"], "--base"), read_settings(["env.X=2"], "--head"))
    return duels(make_plan(Path("m.yaml")), *setting, ("init", "call"))


def run(
    pair: tuple[Duel, ...], machine: Machinery, *, kept: Any = None, **settings: Any
) -> tuple[Comparison, list[tuple[str, dict[str, Any]]]]:
    told: list[tuple[str, dict[str, Any]]] = []
    comparing = Comparing(
        pair,
        Settings(**{"budget_s": 200, **settings}),
        machine,
        tell=lambda name, **values: told.append((name, values)),
        note=lambda _text: None,
    )
    comparing.warm_up()
    return comparing.run(kept), told


def verdicts(comparison: Comparison) -> dict[str, Verdict]:
    return {line.metric: line.finding.verdict for line in comparison.lines}


def test_identical_arms_are_ok(pair):
    comparison, _ = run(pair, Machinery())
    assert comparison.verdict is Verdict.OK
    assert set(verdicts(comparison).values()) == {Verdict.OK}
    assert comparison.exit_code == ExitCode.OK
    assert comparison.looks[-1].pairs < 40  # settled before the budget was used


def test_one_stage_that_is_slower_is_a_regression_of_that_stage(pair):
    comparison, _ = run(pair, Machinery(slower={"noop": 1.2}))
    assert comparison.verdict is Verdict.REGRESSED
    assert comparison.worst.metric == "noop"
    assert comparison.worst.finding.ratio == pytest.approx(1.2, rel=0.05)
    assert verdicts(comparison)["echo"] is Verdict.OK
    assert comparison.exit_code == ExitCode.PROBLEM


def test_a_faster_head_is_improved(pair):
    comparison, _ = run(pair, Machinery(slower={"bridge_load": 0.7}))
    assert comparison.verdict is Verdict.IMPROVED
    assert comparison.worst.metric == "bridge_load"
    assert comparison.exit_code == ExitCode.OK
    for faster in ({"noop": 0.5, "bridge_load": 0.8}, {"noop": 0.8, "bridge_load": 0.5}):
        comparison, _ = run(pair, Machinery(slower=faster, noise=0.01))
        assert comparison.verdict is Verdict.IMPROVED
        assert comparison.worst.finding.ratio == pytest.approx(0.5, rel=0.05)


def test_noise_is_inconclusive_and_takes_the_whole_budget(pair):
    comparison, _ = run(pair, Machinery(noise=0.6), budget_s=60)
    assert comparison.verdict is Verdict.INCONCLUSIVE
    assert comparison.exit_code == ExitCode.NOT_MEASURED
    assert 50 <= comparison.measured_s <= 66


def test_a_control_that_moves_makes_the_run_unproven_which_never_blocks(pair):
    machine = Machinery(slower={"noop": 1.5})
    machine.drift = lambda place: 1.0 + 0.3 * place
    comparison, _ = run(pair, machine)
    assert comparison.verdict is Verdict.UNPROVEN
    assert comparison.exit_code == ExitCode.OK
    assert any(one.finding.verdict is Verdict.REGRESSED for one in comparison.controls)


def test_what_the_first_process_leaves_to_the_second_cancels_out(pair):
    machine = Machinery(noise=0.01)
    machine.drift = lambda place: 1.0 + 0.03 * place
    comparison, _ = run(pair, machine)
    assert comparison.verdict is Verdict.OK
    assert all(line.finding.ratio == pytest.approx(1.0, abs=0.015) for line in comparison.lines)


def test_both_orders_and_both_controls_are_run(pair):
    machine = Machinery(noise=0.6)
    comparison, _ = run(pair, machine, budget_s=120)
    counts = Counter(machine.ran[2 * 2 :])  # after warming up
    assert counts["base", "head"] == counts["head", "base"] >= 8
    assert counts["native", "native"] == counts["base", "head"]
    assert counts["base", "base"] >= counts["base", "head"] // 2
    assert {one.control for one in comparison.controls} == {"identical-arms", "no-bridge"}


def test_a_metric_can_be_asked_for_alone(pair):
    comparison, _ = run(pair, Machinery(slower={"noop": 1.3}), metrics=("bridge_load",))
    assert verdicts(comparison) == {"bridge_load": Verdict.OK}
    with pytest.raises(NotMeasured, match="has none of the stages framework_import; it has:"):
        run(pair, Machinery(), metrics=("framework_import",))
    with pytest.raises(NotMeasured, match=r"the stage framework_import, .*; they have: noop$"):
        run(pair, Machinery(), metrics=("noop", "framework_import"))


def test_several_cells_are_one_family(pair):
    both = two_cells()
    assert len(both) == 2
    comparison, _ = run(both, Machinery(noise=0.3), budget_s=25)
    assert {line.cell for line in comparison.lines} == {duel.id for duel in both}
    widest = max(comparison.lines, key=lambda line: line.finding.ci_high or 0)
    assert widest.finding.level == pytest.approx(0.05 / 10)


def test_the_plant_is_told_which_stages_are_compared(pair):
    planted = []
    comparing = Comparing(
        pair,
        Settings(metrics=("noop", "echo")),
        Machinery(),
        tell=lambda name, **values: None,
        note=lambda _text: None,
    )
    comparing.warm_up(lambda duel, names: planted.append((duel.id, tuple(names))))
    assert planted == [(pair[0].id, ("noop", "echo"))]
    assert comparing.locks[pair[0].id] == {
        "base": "lock of base",
        "head": "lock of head",
        "native": "lock of native",
    }


def journal(told: list[tuple[str, dict[str, Any]]], folder: Path, asked: str) -> None:
    events = [{"event": "comparison-started", "question": asked}]
    events += [{"event": name, **msgspec.to_builtins(values)} for name, values in told]
    (folder / "journal.jsonl").write_bytes(
        b"".join(msgspec.json.encode(event) + b"\n" for event in events)
    )


def test_a_comparison_that_was_cut_short_goes_on_where_it_stopped(pair, tmp_path):
    told: list[tuple[str, dict[str, Any]]] = []
    machine = Machinery(noise=0.1)
    machine.fails_after = 15
    comparing = Comparing(
        pair,
        Settings(budget_s=60),
        machine,
        tell=lambda name, **values: told.append((name, values)),
        note=lambda _text: None,
    )
    comparing.warm_up()
    with pytest.raises(KeyboardInterrupt):
        comparing.run()
    journal(told, tmp_path, "asked")
    with (tmp_path / "journal.jsonl").open("ab") as file:
        file.write(b'{"event": "pair", "samples": [{"ce')
    kept = kept_in(tmp_path, "asked")
    assert kept is not None
    assert len(kept.samples) == 2 * (15 - 4)
    again = Machinery(noise=0.1)
    comparison, _ = run(pair, again, kept=kept, budget_s=60)
    assert comparison.samples[: len(kept.samples)] == kept.samples
    assert len(again.ran) - 4 == len(comparison.samples) // 2 - (15 - 4)


def test_another_question_begins_anew(pair, tmp_path):
    _, told = run(pair, Machinery())
    journal(told, tmp_path, "asked")
    assert kept_in(tmp_path, "asked") is not None
    assert kept_in(tmp_path, "something else") is None
    journal([*told, ("comparison-finished", {})], tmp_path, "asked")
    assert kept_in(tmp_path, "asked") is None
    assert kept_in(tmp_path / "nowhere", "asked") is None


def test_samples_of_another_machine_or_probe_are_no_answer_to_the_question(pair):
    known = question(pair, ["key"], Settings(), Machine(cores=2))
    assert known == question(pair, ["key"], Settings(), Machine(cores=2))
    assert known != question(pair, ["key"], Settings(), Machine(cores=4))
    assert known != question(pair, ["other"], Settings(), Machine(cores=2))
    assert known != question(pair, ["key"], Settings(rule=Rule(margin=0.1)), Machine(cores=2))


def answer(comparison: Comparison) -> Answer:
    asked = Asked(
        plan=make_plan(Path("m.yaml")),
        base=read_settings(["env.X=1"], "--base"),
        head=read_settings(["env.X=2"], "--head"),
        settings=Settings(),
        results=Path("results"),
    )
    return Answer(
        asked=asked,
        comparison=comparison,
        machine=Machine(cores=2),
        locks={},
        keys={},
        at="2026-01-01T00:00:00.000+00:00",
    )


def test_the_document_has_what_others_read_and_all_that_is_needed_to_judge_again(pair):
    comparison, _ = run(pair, Machinery(slower={"noop": 1.3}))
    document = as_document(answer(comparison))
    assert document["verdict"] == "regressed"
    assert document["metric"] == "noop"
    assert document["ci_low"] < document["ratio"] < document["ci_high"]
    assert document["pairs"] == comparison.looks[-1].pairs
    assert json.loads(as_json(answer(comparison)))["comparisons"][0]["log_ratios"]
    noop = [
        (one["round"], one["pair"], one["arm"], one["times"]["noop"][1])
        for one in document["samples"]
        if one["arm"] != "native"
    ]
    tested = {
        key: {arm: time for number, pair, arm, time in noop if (number, pair) == key}
        for key in {(number, pair) for number, pair, _, _ in noop}
    }
    logs = [math.log(one["head"] / one["base"]) for one in tested.values() if len(one) == 2]
    line = next(one for one in document["comparisons"] if one["metric"] == "noop")
    assert sorted(logs) == pytest.approx(sorted(line["log_ratios"]))


def test_the_text_says_the_verdict_first_and_what_the_controls_did(pair):
    comparison, _ = run(pair, Machinery(slower={"noop": 1.3}))
    text = as_text(answer(comparison))
    assert text.startswith("regressed: head is slower (margin 5%); noop: 1.")
    assert "No control moved (identical arms, no bridge)." in text
    # After eight pairs there was one of identical arms.
    early = run(pair, Machinery(slower={"noop": 1.5}, noise=0.01), metrics=("noop",))[0]
    text = as_text(answer(early))
    assert "No control moved (no bridge).\n" in text
    assert "Too few pairs to tell whether a control moved: identical arms.\n" in text
    machine = Machinery()
    machine.drift = lambda place: 1.0 + 0.3 * place
    text = as_text(answer(run(pair, machine)[0]))
    assert text.startswith("unproven: a control moved")
    assert "The control identical-arms moved: " in text


def test_too_small_a_budget_says_how_to_get_further(pair):
    text = as_text(answer(run(pair, Machinery(), budget_s=1)[0]))
    assert "only 2 pairs" in text
    assert "--budget 600" in text

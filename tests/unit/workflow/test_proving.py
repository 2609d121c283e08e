"""Which cell shows whether a remedy helps, and what its result says of the remedy."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.causes import Catalogue, Change, Diagnosis, Remedy, diagnose
from harness.causes.entries import Cause, RemedyEntry, Rule, Word
from harness.causes.model import TOGETHER
from harness.errors import MachineFault
from harness.matrix.expand import control_axes
from harness.matrix.frameworks import parse_framework
from harness.model.cell import SOURCE, Axes, Cell, Plan, cell_id
from harness.model.document import Machine, Results
from harness.model.record import CellRecord, ProbeRecord, Trial
from harness.model.status import Phase, Status
from harness.results.save import save
from harness.workflow import proving
from harness.workflow.changing import CannotTry, Changed, Changer
from harness.workflow.explaining import evidence_of
from harness.workflow.proving import Prover, cases, judge
from harness.workflow.trying import Attempt
from harness.workflow.why import account, as_text

PROBES = ("init", "train")
THERE = {
    ("python", "python"): ("3.9.18", "3.10.13", "3.11.7", "3.12.1", "3.13.0t", "3.14.0b1"),
    ("r", "R"): ("3.6.3", "4.2.2", "4.5.0", "4.6.0"),
    ("bridge", "reticulate"): ("1.28", "1.38.0", "1.39.0", "1.40.0", "1.46.0"),
    ("bridge", "rpy2"): ("3.5.17", "3.6.5", "3.6.9"),
    ("framework", "torch"): ("2.1.2", "2.10.0", "2.13.0"),
}


def versions(axis: str, name: str) -> Iterable[str]:
    return THERE[axis, name]


def out_of_reach(axis: str, name: str) -> Iterable[str]:
    raise MachineFault(f"the place that has {axis} {name} is out of reach")


def cell(path: str = "reticulate", framework: str = "jax==0.10.2", **more: Any) -> Cell:
    native = path == "native"
    axes = Axes(
        path=path,
        r=None if native else more.get("r", "4.2.2"),
        bridge=None if native else more.get("bridge", "1.28"),
        python=more.get("python", "3.12"),
        framework=parse_framework(framework),
        cuda=more.get("cuda", "cpu"),
        transport=more.get("transport"),
        pins=tuple(sorted(more.get("pins", {}).items())),
    )
    control = None if native else cell_id(control_axes(axes))
    return Cell(id=cell_id(axes), axes=axes, probes=more.get("probes", PROBES), control=control)


def record(of: Cell, status: str = "fail", cause: str | None = "wrong", **more: Any) -> CellRecord:
    bad = status != "pass"
    probes = more.pop("probes", {"init": status, "train": "missing" if bad else "pass"})
    return CellRecord(
        id=of.id,
        axes=of.axes.as_dict(),
        status=Status(status),
        cause=cause if bad else None,
        phase=Phase.PYTHON if bad else None,
        message=more.pop("message", "it is wrong" if bad else None),
        probes=tuple(ProbeRecord(name=name, status=Status(end)) for name, end in probes.items()),
        control=of.control,
        key=more.pop("key", of.id),
        **more,
    )


def plan(*cells: Cell) -> Plan:
    controls = {
        one.control: Cell(id=one.control, axes=control_axes(one.axes), probes=one.probes)
        for one in cells
        if one.control is not None
    }
    return Plan(matrix="m", source="m.yaml", cells=(*controls.values(), *cells))


def changed(
    change: Change,
    of: Cell,
    *others: Cell,
    ask: Callable[[str, str], Iterable[str]] = versions,
    exported: Collection[str] | None = None,
    **identity: Any,
) -> tuple[Changed, ...]:
    changer = Changer(plan(of, *others), ask, lambda _cell: exported)
    return changer.changed(change, of, record(of, identity=identity))


# --- what a change makes of a cell --------------------------------------------------------------


def test_a_requirement_becomes_a_pin_of_the_cell_and_of_its_control() -> None:
    modules = {"numpy": "2.4.6"}
    (one,) = changed(Change(requirements=("numpy<2",)), cell(), modules=modules)
    assert one.cell.axes.pins == (("numpy", "<2"),)
    assert one.cell.id == "reticulate-1.28__r4.2.2__py3.12__jax0.10.2__cpu__numpy-lt2"
    assert one.cell.control == "native__py3.12__jax0.10.2__cpu__numpy-lt2"
    assert one.words == "numpy <2 instead of 2.4.6"


def test_a_requirement_takes_the_place_of_what_was_pinned() -> None:
    old = cell(pins={"NumPy": ">=2", "scipy": "==1.14.0"})
    (one,) = changed(Change(requirements=("numpy<2",)), old)
    assert dict(one.cell.axes.pins) == {"NumPy": "<2", "scipy": "==1.14.0"}
    assert one.words == "numpy <2 instead of >=2"


def test_a_bare_requirement_takes_a_pin_away_and_otherwise_changes_nothing() -> None:
    (one,) = changed(Change(requirements=("numpy",)), cell(pins={"numpy": "<2"}))
    assert one.cell.axes.pins == ()
    with pytest.raises(CannotTry, match="numpy is what the cell had"):
        changed(Change(requirements=("numpy",)), cell())


def test_a_requirement_of_the_framework_changes_its_version() -> None:
    tensorflow = cell(framework="tensorflow==2.21.0")
    change = Change(requirements=("tensorflow==2.15.*", "keras==2.15.*"))
    (one,) = changed(change, tensorflow)
    assert str(one.cell.axes.framework) == "tensorflow==2.15"
    assert one.cell.axes.pins == (("keras", "==2.15.*"),)
    found = changed(Change(requirements=("torch<2.13",)), cell(framework="torch==2.13.0"))
    assert [str(one.cell.axes.framework) for one in found] == ["torch==2.10.0", "torch==2.1.2"]
    with pytest.raises(CannotTry, match="no torch >=3"):
        changed(Change(requirements=("torch>=3",)), cell(framework="torch==2.13.0"))


def test_keras_gets_a_backend_and_tensorflow_the_build_that_the_cell_has() -> None:
    (one,) = changed(Change(requirements=("torch",)), cell(framework="keras[jax]==3.15.1"))
    assert str(one.cell.axes.framework) == "keras[jax,torch]==3.15.1"
    (one,) = changed(Change(requirements=("tensorflow<2.20",)), cell())
    assert one.cell.axes.pins == (("tensorflow-cpu", "<2.20"),)
    (one,) = changed(Change(requirements=("tensorflow<2.20",)), cell(cuda="12"))
    assert one.cell.axes.pins == (("tensorflow", "<2.20"),)


def test_the_nearest_python_is_of_the_plan_or_else_one_that_can_be_had() -> None:
    change = Change(python="<=3.11")
    assert [one.cell.axes.python for one in changed(change, cell())] == ["3.11", "3.10", "3.9"]
    (one,) = changed(change, cell(), cell(python="3.10"))
    assert (one.cell.axes.python, one.words) == ("3.10", "Python 3.10 instead of 3.12")
    assert changed(Change(python="3.8"), cell(), ask=out_of_reach)[0].cell.axes.python == "3.8"
    newest = [one.cell.axes.python for one in changed(Change(python=">=3.9"), cell(python="3.8"))]
    assert newest == ["3.9", "3.10", "3.11"]


def test_free_threaded_and_unreleased_pythons_are_not_the_nearest() -> None:
    with pytest.raises(CannotTry, match=r"no Python >=3\.13"):
        changed(Change(python=">=3.13,<3.14"), cell())


def test_a_python_that_the_remedy_allows_is_kept() -> None:
    with pytest.raises(CannotTry, match="had already"):
        changed(Change(python=">=3.9"), cell())


def test_the_nearest_bridge_is_of_the_plan_for_the_same_r_before_all_others() -> None:
    change = Change(bridge=">=1.39")
    found = [one.cell.axes.bridge for one in changed(change, cell())]
    assert found == ["1.39.0", "1.40.0", "1.46.0"]
    planned = (cell(bridge="1.46.0"), cell(bridge="1.40.0", r="4.5.0"))
    (one,) = changed(change, cell(), *planned)
    assert (one.cell.axes.bridge, one.words) == ("1.46.0", "reticulate 1.46.0 instead of 1.28")


def test_a_bridge_named_exactly_is_asked_of_nobody() -> None:
    change = Change(bridge="0.0-6+remedies")
    (one,) = changed(change, cell("rpython", bridge="0.0-6"), ask=out_of_reach)
    assert one.cell.id.startswith("rpython-0.0-6-remedies__")


def test_a_source_tree_is_as_old_as_what_was_read_back() -> None:
    read_back = {"name": "reticulate", "version": "1.45.0.9000"}
    found = changed(Change(bridge=">=1.39"), cell(bridge=SOURCE), bridge=read_back)
    assert found[0].cell.axes.bridge == "1.46.0"


def test_the_bridge_that_came_with_an_r_comes_with_the_other_one() -> None:
    (one, *_) = changed(Change(r=">=4.5"), cell("rpy2", bridge="3.5.17"))
    assert (one.cell.axes.r, one.cell.axes.bridge) == ("4.5.0", "3.5.17")
    default = cell("rpy2", bridge=proving_bridge("4.2.2"))
    (one, *_) = changed(Change(r=">=4.5"), default)
    assert one.cell.axes.bridge == proving_bridge("4.5.0") != default.axes.bridge


def proving_bridge(r: str) -> str:
    from harness.workflow.planning import bridge_of

    return bridge_of("rpy2", r) or ""


def test_variables_are_no_axis_so_the_id_says_that_there_are_some() -> None:
    (one,) = changed(Change(env={"KMP_DUPLICATE_LIB_OK": "TRUE"}), cell())
    assert one.cell.id.startswith(cell().id + "__env-")
    assert one.cell.axes == cell().axes
    assert one.cell.control == cell().control
    assert (one.variables, one.words) == (
        {"KMP_DUPLICATE_LIB_OK": "TRUE"},
        "KMP_DUPLICATE_LIB_OK=TRUE",
    )


def test_a_variable_that_the_cell_has_not_got_cannot_be_taken_away() -> None:
    change = Change(unset=("LD_LIBRARY_PATH",))
    with pytest.raises(CannotTry, match="run without LD_LIBRARY_PATH"):
        changed(change, cell(), exported={"HOME", "PATH"})
    (one,) = changed(change, cell(), exported={"LD_LIBRARY_PATH"})
    assert (one.unset, one.words) == (("LD_LIBRARY_PATH",), "without LD_LIBRARY_PATH")


def test_arguments_of_the_path() -> None:
    rpc = cell("rpc", transport="socket", bridge=None)
    (one,) = changed(Change(path={"transport": "zmq"}), rpc)
    assert one.cell.axes.transport == "zmq"
    with pytest.raises(CannotTry, match="takes no transport 'zmq'"):
        changed(Change(path={"transport": "zmq"}), cell())


@pytest.mark.parametrize(
    ("change", "of", "why"),
    [
        (Change(bridge=">=2"), cell(), "no reticulate >=2 to be had here"),
        (Change(bridge=">=2"), cell("native"), "native has no bridge"),
        (Change(r=">=5"), cell(), "no R >=5"),
        (Change(r=">=4.5"), cell("native"), "has no R"),
        (Change(python="three"), cell(), "no range of versions"),
        (Change(requirements=("numpy<<2",)), cell(), "no requirement"),
    ],
)
def test_what_cannot_be_had_is_said_in_words(change: Change, of: Cell, why: str) -> None:
    with pytest.raises(CannotTry, match=why):
        changed(change, of)


def test_a_place_out_of_reach_is_a_reason_and_no_failure() -> None:
    with pytest.raises(CannotTry, match="out of reach"):
        changed(Change(python="<=3.11"), cell(), ask=out_of_reach)


@given(
    st.builds(
        Change,
        requirements=st.lists(st.sampled_from(["numpy<2", "jax<1", "scipy", "torch"])).map(tuple),
        python=st.sampled_from([None, "3.11", "<=3.11", ">=3.9"]),
        r=st.sampled_from([None, ">=4.5", "4.2.2"]),
        bridge=st.sampled_from([None, ">=1.39", "1.28"]),
        env=st.sampled_from([{}, {"A": "1"}]),
    )
)
def test_what_is_changed_has_another_id_and_says_so(change: Change) -> None:
    of = cell()
    try:
        found = Changer(plan(of), _with_jax).changed(change, of, record(of))
    except CannotTry:
        found = ()
    ids = [one.cell.id for one in found]
    assert len(set(ids)) == len(ids)
    assert of.id not in ids
    assert all(one.words for one in found)
    assert all((one.cell.probes, one.cell.limits) == (of.probes, of.limits) for one in found)


def _with_jax(axis: str, name: str) -> Iterable[str]:
    return THERE.get((axis, name), ("0.4.30", "0.9.0"))


# --- what a result says of a remedy -------------------------------------------------------------

REMEDY = Remedy(id="numpy1", text="Keep numpy below 2.", apply=Change(requirements=("numpy<2",)))


def catalogue(*remedies: RemedyEntry, confidence: Word = "certain") -> Catalogue:
    """Two causes: ``wrong`` with these remedies, and ``other``, which has none."""
    return Catalogue(
        causes=tuple(
            Cause(
                id=name,
                means=name,
                phase="python",
                summary=name,
                why=name,
                sources=("run",),
                rules=(Rule(text=(f"it is {name}",), confidence=confidence),),
                remedies=remedies if name == "wrong" else (),
            )
            for name in ("wrong", "other")
        ),
        notices=(),
    )


def explain(remedies: Sequence[RemedyEntry] = (), confidence: Word = "certain") -> Any:
    made = catalogue(*remedies, confidence=confidence)

    def diagnosis(of: CellRecord) -> Diagnosis:
        return diagnose(evidence_of(of), made)

    return diagnosis


def judged(before: CellRecord, after: CellRecord) -> Trial:
    return judge(before, after, REMEDY, explain=explain())


def test_a_cell_that_passes_verifies_the_remedy() -> None:
    trial = judged(record(cell()), record(cell(), "pass", wall_s=2.5))
    assert (trial.verified, trial.message, trial.wall_s) == (True, None, 2.5)


def test_the_same_failure_takes_it_back() -> None:
    trial = judged(record(cell()), record(cell()))
    assert trial.verified is False
    assert trial.message == "init ends as fail at python (wrong): it is wrong"


def test_what_comes_after_the_cause_is_gone_is_no_fault_of_the_remedy() -> None:
    after = record(cell(), message="it is other", probes={"init": "pass", "train": "fail"})
    trial = judged(record(cell()), after)
    assert trial.verified is True
    assert trial.message == "train ends as fail at python (other): it is other"


def test_another_failure_of_the_same_probe_does_not_verify() -> None:
    after = record(cell(), message="it is other")
    assert judged(record(cell()), after).verified is False


def test_the_same_cause_in_a_later_probe_does_not_verify() -> None:
    after = record(cell(), probes={"init": "pass", "train": "fail"})
    assert judged(record(cell()), after).verified is False


def test_a_remedy_that_breaks_what_passed_does_not_help() -> None:
    before = record(cell(), probes={"init": "pass", "train": "fail"})
    after = record(cell(), message="it is other", probes={"init": "fail", "train": "pass"})
    assert judged(before, after).verified is False


def test_a_crash_after_all_probes_passed_is_cured_by_a_good_end_alone() -> None:
    passed = {"init": "pass", "train": "pass"}
    before = record(cell(), "crash", probes=passed)
    assert judged(before, record(cell(), "crash", "other", probes=passed)).verified is False
    assert judged(before, record(cell(), "pass")).verified is True


def test_a_cell_that_never_ran_must_get_its_first_probe_done() -> None:
    before = record(cell(), "unsatisfiable", probes={})
    done = record(cell(), message="it is other", probes={"init": "pass", "train": "fail"})
    assert judged(before, done).verified is True
    assert judged(before, record(cell(), message="it is other")).verified is False
    assert judged(before, record(cell(), "unsatisfiable", "other", probes={})).verified is False


@pytest.mark.parametrize("status", ["unavailable", "unsupported", "missing", "skipped"])
def test_what_could_not_be_had_leaves_the_remedy_untried(status: str) -> None:
    trial = judged(record(cell()), record(cell(), status, message="no such R", probes={}))
    assert (trial.verified, trial.message) == (None, "no such R")


# --- the whole ----------------------------------------------------------------------------------

NUMPY_1 = RemedyEntry(id="numpy1", text="a", apply=Change(requirements=("numpy<2",)))
OLDER = RemedyEntry(id="older", text="b", apply=Change(python="<=3.11"))
NEWER = RemedyEntry(id="newer", text="c", apply=Change(bridge=">=1.39"))
FALSE = RemedyEntry(id="false", text="d", apply=Change(env={"PLACEBO": "1"}))
SYSTEM = RemedyEntry(
    id="apt", text="e", apply=Change(env={"X": "1"}), touches_system=True, command="sudo apt"
)
BY_HAND = RemedyEntry(id="hand", text="f")


class Runs:
    """Answers from a table of statuses by what is otherwise; remembers what was run."""

    def __init__(self, statuses: Mapping[str, str]) -> None:
        self.statuses = statuses
        self.ran: list[str] = []
        self.logs: list[str] = []

    def key(self, changed: Changed) -> str:
        return changed.cell.id

    def run(self, attempts: Sequence[Attempt], done: Callable[[Attempt, CellRecord], None]) -> None:
        for attempt in attempts:
            self.ran.append(attempt.changed.words)
            self.logs.append(attempt.logs)
            (status,) = (
                status for part, status in self.statuses.items() if part in attempt.changed.words
            )
            probes = None if status in {"pass", "fail"} else {"probes": {}}
            done(attempt, record(attempt.changed.cell, status, **(probes or {})))


class Run:
    """Cells that did not pass, tried with made-up remedies."""

    def __init__(self, *failing: CellRecord, cells: Sequence[Cell], passing: bool = True) -> None:
        self.plan = plan(*cells)
        self.known = {
            one.id: record(one, "pass" if passing else "fail")
            for one in self.plan.cells
            if one.control is None
        }
        self.known |= {one.id: one for one in failing}
        self.trials: dict[str, list[Trial]] = {}

    def prove(self, *remedies: RemedyEntry, word: Word = "certain", **statuses: str) -> Runs:
        runs = Runs({"numpy": "fail", "PLACEBO": "fail", **statuses})
        look = explain(remedies, word)
        changer = Changer(self.plan, versions)
        prover = Prover(changer, runs, self.known.values(), self._tell, look)
        prover.prove(cases(self.plan, self.known, look))
        return runs

    def _tell(self, of: CellRecord, trial: Trial) -> None:
        self.trials.setdefault(of.id, []).append(trial)

    def outcomes(self, of: Cell) -> dict[str, bool | None]:
        return {trial.remedy: trial.verified for trial in self.trials.get(of.id, ())}


@pytest.fixture
def one() -> Cell:
    return cell()


def test_remedies_are_tried_in_their_order_until_one_makes_the_cell_pass(one: Cell) -> None:
    run = Run(record(one), cells=[one])
    runs = run.prove(FALSE, OLDER, NUMPY_1, Python="pass")
    assert runs.ran == ["PLACEBO=1", "Python 3.11 instead of 3.12"]
    assert run.outcomes(one) == {"false": False, "older": True}
    first, second = run.trials[one.id]
    assert first.message == "init ends as fail at python (wrong): it is wrong"
    assert second.cell == "reticulate-1.28__r4.2.2__py3.11__jax0.10.2__cpu"
    assert second.change == "Python 3.11 instead of 3.12"
    assert second.logs == f"cells/{one.id}/remedies/older"
    assert second.key


def test_what_touches_the_system_or_has_no_change_is_never_tried(one: Cell) -> None:
    run = Run(record(one), cells=[one])
    assert run.prove(SYSTEM, BY_HAND).ran == []
    assert run.trials == {}


def test_a_cell_is_tried_with_three_remedies_and_no_more(one: Cell) -> None:
    many = [
        RemedyEntry(id=f"r{n}", text="x", apply=Change(env={f"PLACEBO{n}": "1"})) for n in range(6)
    ]
    run = Run(record(one), cells=[one])
    assert len(run.prove(*many).ran) == proving.AT_MOST
    assert set(run.outcomes(one).values()) == {False}


def test_what_cannot_be_had_is_recorded_and_the_next_one_tried(one: Cell) -> None:
    never = RemedyEntry(id="never", text="x", apply=Change(bridge=">=9"))
    run = Run(record(one), cells=[one])
    run.prove(never, NEWER, NUMPY_1, reticulate="unavailable", numpy="pass")
    assert run.outcomes(one) == {"never": None, "newer": None, "numpy1": True}
    assert "no reticulate >=9" in (run.trials[one.id][0].message or "")
    assert run.trials[one.id][1].message == "it is wrong"


def test_another_version_is_tried_where_the_nearest_cannot_be_had(one: Cell) -> None:
    run = Run(record(one), cells=[one])
    runs = run.prove(NEWER, **{"1.39.0": "unavailable", "1.40.0": "pass"})
    assert runs.ran == ["reticulate 1.39.0 instead of 1.28", "reticulate 1.40.0 instead of 1.28"]
    (trial,) = run.trials[one.id]
    assert (trial.verified, trial.change) == (True, "reticulate 1.40.0 instead of 1.28")


def test_a_planned_cell_that_is_the_same_counts_and_is_not_run_again(one: Cell) -> None:
    other = cell(python="3.11")
    run = Run(record(one), record(other, "pass"), cells=[one, other])
    assert run.prove(OLDER).ran == []
    (trial,) = run.trials[one.id]
    assert (trial.verified, trial.cell) == (True, other.id)
    assert trial.logs == f"cells/{other.id}"


def test_equal_trials_of_several_cells_are_run_once() -> None:
    newer, newest = cell(python="3.12"), cell(python="3.13")
    run = Run(record(newer), record(newest), cells=[newer, newest])
    assert run.prove(OLDER, Python="pass").ran == ["Python 3.11 instead of 3.12"]
    assert run.outcomes(newer) == run.outcomes(newest) == {"older": True}
    assert run.trials[newest.id][0].change == "Python 3.11 instead of 3.13"
    assert len({trial.logs for trials in run.trials.values() for trial in trials}) == 1


def test_a_cell_whose_control_does_not_pass_is_left_alone(one: Cell) -> None:
    run = Run(record(one), cells=[one], passing=False)
    assert set(run.prove(OLDER, Python="pass").ran) == {"Python 3.11 instead of 3.12"}
    assert one.id not in run.trials
    assert list(run.trials) == [one.control]


@pytest.mark.parametrize("status", ["pass", "unavailable", "unsupported", "missing"])
def test_only_what_failed_is_tried(one: Cell, status: str) -> None:
    run = Run(record(one, status), cells=[one])
    assert run.prove(OLDER, Python="pass").ran == []


def test_a_cause_that_is_a_guess_is_not_acted_upon(one: Cell) -> None:
    run = Run(record(one), cells=[one])
    assert run.prove(OLDER, word="possible", Python="pass").ran == []
    assert run.prove(OLDER, word="likely", Python="pass").ran != []


def test_trials_of_an_earlier_run_are_kept_and_gone_on_from(one: Cell) -> None:
    run = Run(record(one), cells=[one])
    assert run.prove(NEWER, OLDER, reticulate="unavailable", Python="fail").ran
    earlier = tuple(run.trials[one.id])
    assert [trial.verified for trial in earlier] == [None, False]
    again = Run(record(one, trials=earlier), cells=[one])
    # The same cells would be asked for, so that nothing is; what is new in the catalogue, is.
    assert again.prove(NEWER, OLDER, reticulate="pass", Python="pass").ran == []
    assert again.prove(NEWER, OLDER, NUMPY_1, numpy="pass").ran == ["numpy <2 instead of any"]


def test_a_remedy_that_could_not_be_tried_is_when_what_it_needs_is_there(one: Cell) -> None:
    untried = Trial(remedy="newer", verified=None, cell="", message="no reticulate >=1.39")
    run = Run(record(one, trials=(untried,)), cells=[one])
    assert run.prove(NEWER, reticulate="pass").ran == ["reticulate 1.39.0 instead of 1.28"]
    other_key = msgspec.structs.replace(untried, cell="x", key="another repository")
    run = Run(record(one, trials=(other_key,)), cells=[one])
    assert run.prove(NEWER, reticulate="pass").ran == ["reticulate 1.39.0 instead of 1.28"]


def test_a_cell_that_a_remedy_made_pass_is_done_with(one: Cell) -> None:
    helped = Trial(remedy="older", verified=True, cell="x")
    run = Run(record(one, trials=(helped,)), cells=[one])
    assert run.prove(OLDER, NUMPY_1).ran == []


def test_ctrl_c_leaves_what_was_told_until_then(one: Cell) -> None:
    other = cell(python="3.13")

    class Interrupted(Runs):
        def run(
            self, attempts: Sequence[Attempt], done: Callable[[Attempt, CellRecord], None]
        ) -> None:
            super().run(attempts[:1], done)
            raise KeyboardInterrupt

    run = Run(record(one), record(other), cells=[one, other])
    look = explain([NUMPY_1])
    runs = Interrupted({"numpy": "pass"})
    prover = Prover(Changer(run.plan, versions), runs, run.known.values(), run._tell, look)
    with pytest.raises(KeyboardInterrupt):
        prover.prove(cases(run.plan, run.known, look))
    assert run.outcomes(one) == {"numpy1": True}
    assert run.outcomes(other) == {}


# --- remedies on top of each other --------------------------------------------------------------


class TwoCauses(Runs):
    """The first cause hides the second; each is taken away by what is named for it."""

    def __init__(self, first: str, second: str) -> None:
        super().__init__({})
        self.first, self.second = first, second

    def run(self, attempts: Sequence[Attempt], done: Callable[[Attempt, CellRecord], None]) -> None:
        for attempt in attempts:
            changed = attempt.changed
            self.ran.append(changed.words)
            self.logs.append(attempt.logs)
            more: dict[str, Any] = {}
            if self.first not in changed.words:
                more = {"status": "fail"}
            elif self.second not in changed.words:
                half = {"init": "pass", "train": "fail"}
                more = {"status": "fail", "message": "it is other", "probes": half}
            done(attempt, record(changed.cell, more.pop("status", "pass"), **more))


def look_for_two(of: CellRecord) -> Diagnosis:
    both = catalogue(OLDER, FALSE)
    wrong, other = both.causes
    other = msgspec.structs.replace(other, remedies=(FALSE, NUMPY_1, NEWER))
    return diagnose(evidence_of(of), msgspec.structs.replace(both, causes=(wrong, other)))


def prove_two(of: CellRecord, one: Cell, runs: Runs) -> list[Trial]:
    run = Run(of, cells=[one])
    prover = Prover(Changer(run.plan, versions), runs, run.known.values(), run._tell, look_for_two)
    prover.prove(cases(run.plan, run.known, look_for_two))
    return run.trials.get(one.id, [])


def test_what_a_remedy_leaves_is_tried_with_its_own_on_top(one: Cell) -> None:
    runs = TwoCauses("Python", "numpy")
    older, false, both_false, both, end = prove_two(record(one), one, runs)
    assert (older.remedy, older.verified, older.unfinished) == ("older", True, True)
    assert (older.message or "").endswith("(other): it is other")
    assert (false.remedy, false.verified) == ("false", False)
    assert (both_false.remedy, both_false.verified) == ("older+false", False)
    assert (both.remedy, both.passes, both.remedies) == ("older+numpy1", True, ("older", "numpy1"))
    assert both.change == "Python 3.11 instead of 3.12, numpy <2 instead of any"
    assert both.cell == "reticulate-1.28__r4.2.2__py3.11__jax0.10.2__cpu__numpy-lt2"
    assert runs.logs[-1] == f"cells/{one.id}/remedies/older+numpy1"
    assert "reticulate" not in " ".join(runs.ran), "what passes ends it"
    assert end == msgspec.structs.replace(older, unfinished=False)


def test_a_remedy_that_makes_the_cell_pass_alone_is_enough(one: Cell) -> None:
    trials = prove_two(record(one), one, TwoCauses("PLACEBO", "PLACEBO"))
    assert [(trial.remedy, trial.passes) for trial in trials] == [("older", False), ("false", True)]


def test_a_run_that_is_cut_short_goes_on_from_what_a_remedy_left(one: Cell) -> None:
    told = prove_two(record(one), one, TwoCauses("Python", "numpy"))
    for number in (1, 2, 3):
        kept = record(one, trials=tuple(told[:number]))
        again = prove_two(kept, one, TwoCauses("Python", "numpy"))
        assert "older+numpy1" in [trial.remedy for trial in again]
        assert [trial.remedy for trial in again].count("older+false") == (number < 3)
    runs = TwoCauses("Python", "numpy")
    ended = {trial.remedy: trial for trial in told}
    assert prove_two(record(one, trials=tuple(ended.values())), one, runs) == runs.ran == []


def test_what_nothing_helps_against_is_not_tried_again(one: Cell) -> None:
    told = prove_two(record(one), one, TwoCauses("Python", "nothing of the kind"))
    ended = {trial.remedy: trial for trial in told}
    assert not any(trial.unfinished or trial.passes for trial in ended.values())
    assert ended["older+newer"].verified is False
    runs = TwoCauses("Python", "nothing of the kind")
    assert prove_two(record(one, trials=tuple(ended.values())), one, runs) == runs.ran == []


def test_there_is_an_end_to_what_is_laid_on_top(one: Cell) -> None:
    def always_something(of: CellRecord) -> Diagnosis:
        number = int((of.message or "it is 0").rsplit(" ", 1)[1])
        remedies = tuple(
            RemedyEntry(
                id=f"r{number}{name}", text="x", apply=Change(env={f"V{number}{name}": "1"})
            )
            for name in "abcd"
        )
        cause = msgspec.structs.replace(
            catalogue(*remedies).causes[0],
            id=f"cause-{number}",
            rules=(Rule(text=(f"it is {number}",), confidence="certain"),),
        )
        return diagnose(evidence_of(of), Catalogue(causes=(cause,), notices=()))

    class Endless(Runs):
        def run(
            self, attempts: Sequence[Attempt], done: Callable[[Attempt, CellRecord], None]
        ) -> None:
            for attempt in attempts:
                self.ran.append(attempt.changed.words)
                count = len(attempt.changed.variables)
                probes = {"p0": "pass", "p1": "pass", "p2": "pass", "p3": "pass"}
                probes |= {f"p{count}": "fail"}
                done(
                    attempt,
                    record(
                        attempt.changed.cell,
                        cause=f"cause-{count}",
                        message=f"it is {count}",
                        probes=probes,
                    ),
                )

    begun = record(
        one, cause="cause-0", message="it is 0", probes={"p0": "fail", "p1": "pass", "p2": "pass"}
    )
    run = Run(begun, cells=[one])
    runs = Endless({})
    changer = Changer(run.plan, versions)
    prover = Prover(changer, runs, run.known.values(), run._tell, always_something)
    prover.prove(cases(run.plan, run.known, always_something))
    deepest = max(len(trial.remedies) for trial in run.trials[one.id])
    assert deepest <= TOGETHER
    assert len(runs.ran) <= 6 * proving.AT_MOST


def test_variables_of_both_are_changed() -> None:
    of = cell()
    (below,) = changed(Change(env={"A": "1", "B": "1"}, unset=("C",)), of)
    (then,) = changed(Change(env={"C": "2"}, unset=("A", "D")), below.cell)
    both = then.on(below)
    assert both.variables == {"B": "1", "C": "2"}
    assert both.unset == ("A", "D")
    assert both.cell.id.startswith(of.id + "__env-")
    assert both.cell.id not in {below.cell.id, then.cell.id}
    assert both.words == "A=1, B=1, without C, C=2, without A, without D"


# --- what people are told -----------------------------------------------------------------------


def test_why_tells_of_remedies_that_help_together(tmp_path: Path) -> None:
    tried = (
        Trial(remedy="numpy1", verified=True, cell="x", message="train ends"),
        Trial(remedy="numpy1+false", verified=False, cell="z", message="train ends as fail"),
        Trial(remedy="numpy1+older", verified=True, cell="y", change="numpy <2, Python 3.11"),
    )
    found = _told(tmp_path, *tried)
    at = found.index("Together, each for what the one before it leaves:")
    assert found[at + 1] == "  - numpy1, then older [verified: with these, the cell passes]"
    assert found[at + 2] == "     tried as: numpy <2, Python 3.11"
    assert found[at + 3] == "  - numpy1, then false [tried here, and it did not help]"


def test_why_puts_what_helped_first_and_says_of_each_what_came_of_it(tmp_path: Path) -> None:
    tried = (
        Trial(remedy="newer-reticulate", verified=None, cell="", message="there is none here"),
        Trial(remedy="numpy1", verified=True, cell="x", change="numpy <2", logs="cells/x"),
    )
    found = _told(tmp_path, *tried)
    assert found[0] == "  1. Keep numpy below 2. [verified: with it, the cell passes]"
    assert found[2:4] == ["     tried as: numpy <2", "     logs: cells/x/"]
    assert found[4].endswith("restart R. [not tried here]")
    assert found[6] == "     because: there is none here"


def test_why_tells_what_shows_once_a_cause_is_gone(tmp_path: Path) -> None:
    tried = (
        Trial(remedy="newer-reticulate", verified=False, cell="x", message="init ends as crash"),
        Trial(remedy="numpy1", verified=True, cell="x", message="train ends as fail"),
    )
    found = _told(tmp_path, *tried)
    first = "  1. Keep numpy below 2. [verified: it takes this away, and then something else shows]"
    assert found[0] == first
    assert found[2] == "     then: train ends as fail"
    assert found[3].endswith("[tried here, and it did not help]")
    assert found[5] == "     with it: init ends as crash"


def _told(folder: Path, *tried: Trial) -> list[str]:
    of = cell(python="3.11")
    failed = record(
        of,
        cause="numpy2-vs-old-reticulate",
        message="incompatible NumPy binary version 33554432 (expecting version 16777225)",
        identity={"modules": {"numpy": "2.4.6"}},
        trials=tried,
    )
    save(Results(matrix="m", machine=Machine(), planned=(of.id,), cells=(failed,)), folder)
    text = as_text(account(folder, of.id))
    return text.partition("What to do:\n")[2].splitlines()

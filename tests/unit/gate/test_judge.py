"""What is let through and what is not, and that nothing but the results decides it."""

from __future__ import annotations

import datetime as dt
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import ExitCode
from harness.gate.align import aligned, side_by_side
from harness.gate.judge import judge, unfinished, with_latency, without_latency
from harness.gate.model import Expectations, Judgement, Word
from harness.model.document import Results
from harness.model.record import CellRecord, ProbeRecord
from harness.model.status import Phase, Status
from harness.results.merge import merge
from tests.unit.gate.bench import TODAY, cell, kinds, line, lines, results

PASS, FAIL = cell(), cell("fail")
OTHER = cell(python="3.11")


def test_all_pass() -> None:
    judgement = judge(results(PASS, OTHER), today=TODAY)
    assert (judgement.verdict, judgement.exit_code) == (Word.OK, ExitCode.OK)
    assert judgement.counts["pass"] == judgement.counts["cells"] == 2


@pytest.mark.parametrize("status", ["fail", "crash", "timeout", "oom"])
def test_without_a_list_and_a_baseline_nothing_may_fail(status: str) -> None:
    judgement = judge(results(cell(status)), today=TODAY)
    assert (judgement.verdict, judgement.exit_code) == (Word.UNEXPECTED, ExitCode.PROBLEM)
    assert kinds(judgement.unexpected) == {PASS.id: "unexpected"}


@pytest.mark.parametrize("status", ["missing", "unavailable", "skipped"])
def test_what_was_not_measured_is_not_green(status: str) -> None:
    judgement = judge(results(cell(status), OTHER), today=TODAY)
    assert (judgement.verdict, judgement.exit_code) == (Word.INCOMPLETE, ExitCode.NOT_MEASURED)
    assert kinds(judgement.missing) == {PASS.id: "not measured"}


def test_where_nothing_can_exist_nothing_was_measured() -> None:
    assert judge(results(cell("unsatisfiable")), today=TODAY).verdict is Word.INCOMPLETE
    assert judge(results(cell("unsatisfiable"), OTHER), today=TODAY).verdict is Word.OK


# --- against a baseline ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "now", "said", "word"),
    [
        ("pass", "fail", "newly broken", Word.REGRESSED),
        ("pass", "crash", "newly broken", Word.REGRESSED),
        ("pass", "unsatisfiable", "newly broken", Word.REGRESSED),
        ("fail", "crash", "differently broken", Word.REGRESSED),
        ("fail", "pass", "newly working", Word.OK),
        ("fail", "fail", "still broken", Word.OK),
        ("pass", "unavailable", "not measured", Word.INCOMPLETE),
        ("unavailable", "unavailable", "still broken", Word.OK),
        ("missing", "fail", "unexpected", Word.UNEXPECTED),
        ("pass", "missing", "not measured", Word.INCOMPLETE),
        ("unsupported", "fail", "newly broken", Word.REGRESSED),
        ("pass", "unsupported", "newly broken", Word.REGRESSED),
        ("fail", "unsupported", "newly working", Word.OK),
    ],
)
def test_before_and_now(before: str, now: str, said: str, word: Word) -> None:
    judgement = judge(results(cell(now), OTHER), baseline=results(cell(before), OTHER), today=TODAY)
    every = (
        *judgement.regressions,
        *judgement.unexpected,
        *judgement.missing,
        *judgement.notes,
    )
    assert kinds(every) == {PASS.id: said}
    assert judgement.verdict is word


def test_what_both_arms_of_a_gate_lack_was_measured_by_neither() -> None:
    now = results(cell("unavailable"), OTHER)
    judgement = judge(now, baseline=now, today=TODAY, side_by_side=True)
    assert (judgement.verdict, judgement.exit_code) == (Word.INCOMPLETE, ExitCode.NOT_MEASURED)
    assert kinds(judgement.missing) == {PASS.id: "not measured"}
    listed = lines(line("python:3.12", status=Status.UNAVAILABLE))
    known = judge(now, baseline=now, expectations=listed, today=TODAY, side_by_side=True)
    assert (known.verdict, kinds(known.notes)) == (Word.OK, {PASS.id: "expected"})


@pytest.mark.parametrize("side_by_side", [False, True])
def test_controls_alone_prove_nothing_of_a_bridge(side_by_side: bool) -> None:
    control = cell(path="native")
    now = results(control, cell("unavailable", control=control.id))
    listed = lines(line("path:reticulate python:3.12", status=Status.UNAVAILABLE))
    for expectations in (None, listed):
        judgement = judge(
            now,
            baseline=now,
            expectations=expectations,
            today=TODAY,
            side_by_side=side_by_side,
        )
        assert judgement.verdict is Word.INCOMPLETE
    one_more = results(*now.cells, cell(python="3.11", control="native-3.11"))
    assert judge(one_more, baseline=now, expectations=listed, today=TODAY).verdict is Word.OK
    assert judge(results(control), today=TODAY).verdict is Word.OK, "controls were asked for"


def test_the_same_failure_with_other_numbers_and_places_is_the_same() -> None:
    before = cell("fail", message="no /tmp/a1/lib.so at 0x7f01 after 3.2 s")
    now = cell("fail", message="no /tmp/b7/c/lib.so  at 0x7e88 after 11.7 s")
    assert judge(results(now), baseline=results(before), today=TODAY).verdict is Word.OK


@pytest.mark.parametrize(
    "now",
    [
        cell("fail", message="it broke in another way"),
        cell("fail", cause="wrong-python"),
        cell("fail", phase=Phase.TRAIN),
    ],
)
def test_another_message_cause_or_phase_is_another_failure(now: CellRecord) -> None:
    judgement = judge(results(now), baseline=results(FAIL), today=TODAY)
    assert kinds(judgement.regressions) == {FAIL.id: "differently broken"}
    assert judgement.regressions[0].was == "fail at python (it broke)"


def with_probes(**found: str) -> CellRecord:
    probes = tuple(
        ProbeRecord(name=name, status=Status(status), message=f"{name} {status}")
        for name, status in found.items()
    )
    return cell("fail", message="error fail", probes=probes)


def test_a_failure_that_is_known_hides_no_other() -> None:
    before, now = (
        with_probes(init="pass", error="fail", call="pass"),
        with_probes(init="pass", error="fail", call="fail"),
    )
    listed = lines(line("python:3.12", message="error fail"))
    for expectations in (None, listed):
        judgement = judge(
            results(now), baseline=results(before), expectations=expectations, today=TODAY
        )
        assert kinds(judgement.regressions) == {now.id: "newly broken"}
        assert judgement.regressions[0].message == "probe call: call fail"
        same = judge(
            results(before), baseline=results(before), expectations=expectations, today=TODAY
        )
        assert same.verdict is Word.OK


def test_a_cell_that_the_baseline_has_and_the_run_did_not_plan_is_not_measured() -> None:
    judgement = judge(results(PASS), baseline=results(PASS, OTHER), today=TODAY)
    assert (judgement.verdict, kinds(judgement.missing)) == (
        Word.INCOMPLETE,
        {OTHER.id: "not measured"},
    )
    part = results(PASS, whole={"m": 2})
    assert judge(part, baseline=results(PASS, OTHER), today=TODAY).verdict is Word.OK


def test_a_new_cell_that_fails_is_unexpected() -> None:
    judgement = judge(results(PASS, cell("fail", r="4.6.2")), baseline=results(PASS), today=TODAY)
    assert list(kinds(judgement.unexpected).values()) == ["unexpected"]


def test_what_fails_without_r_as_well_is_not_the_bridges_and_the_control_is_told() -> None:
    control = cell("fail", path="native")
    broken = cell("fail", control=control.id)
    before = results(cell(path="native"), cell(control=control.id))
    judgement = judge(results(control, broken), baseline=before, today=TODAY)
    assert kinds(judgement.regressions) == {control.id: "newly broken"}
    assert "nothing is known of the bridge" in (judgement.missing[0].message or "")


def test_a_control_that_fails_in_another_probe_hides_no_regression() -> None:
    def failing(name: str | None, **axes: Any) -> CellRecord:
        probes = tuple(
            ProbeRecord(name=one, status=Status.FAIL if one == name else Status.PASS)
            for one in ("init", "train", "seed")
        )
        return msgspec.structs.replace(cell("fail" if name else "pass", **axes), probes=probes)

    control = failing("seed", path="native")
    before = results(control, failing(None, control=control.id))
    broken = failing("train", control=control.id)
    judgement = judge(results(control, broken), baseline=before, today=TODAY)
    assert kinds(judgement.regressions) == {broken.id: "newly broken"}
    assert judgement.missing == ()


def test_versions_that_changed_as_well_are_named() -> None:
    def with_numpy(status: str, numpy: str) -> CellRecord:
        identity = {
            "modules": {"numpy": numpy, "jax": "0.10"},
            "bridge": {"name": "reticulate", "version": "1.28"},
        }
        return cell(status, identity=identity)

    judgement = judge(
        results(with_numpy("fail", "2.5.0")),
        baseline=results(with_numpy("pass", "2.4.6")),
        today=TODAY,
    )
    assert judgement.regressions[0].changed == ("numpy 2.4.6 -> 2.5.0",)


def outcomes(**found: str) -> ProbeRecord:
    values = {name: {"there": {"outcome": outcome}} for name, outcome in found.items()}
    return ProbeRecord(name="convert", status=Status.PASS, details={"values": values})


def test_a_value_that_survived_and_does_no_longer_is_a_regression() -> None:
    before = cell(probes=(outcomes(na="exact", factor="documented loss", big="silent loss"),))
    now = cell(probes=(outcomes(na="silent loss", factor="exact", big="error"),))
    judgement = judge(results(now), baseline=results(before), today=TODAY)
    assert kinds(judgement.regressions) == {PASS.id: "worse"}
    assert judgement.regressions[0].message == "na there: exact -> silent loss"
    assert judge(results(before), baseline=results(before), today=TODAY).verdict is Word.OK


def test_a_value_that_is_not_told_any_more_is_worse() -> None:
    before = cell(probes=(outcomes(na="exact", big="silent loss"),))
    now = cell(probes=(outcomes(big="silent loss"),))
    judgement = judge(results(now), baseline=results(before), today=TODAY)
    assert kinds(judgement.regressions) == {PASS.id: "worse"}
    assert judgement.regressions[0].message == "na there: exact -> not told"


@pytest.mark.parametrize(
    ("apart", "said"),
    [
        ({"variant": "torch"}, "na there[torch]: exact -> silent loss"),
        ({"cold": True}, "na there cold: exact -> silent loss"),
        ({"name": "another"}, "na there: exact -> silent loss"),
    ],
)
@pytest.mark.parametrize("first", [True, False])
def test_what_one_run_of_a_probe_keeps_hides_nothing_that_another_loses(
    apart: dict[str, Any], said: str, first: bool
) -> None:
    def both(outcome: str) -> CellRecord:
        found = (msgspec.structs.replace(outcomes(na=outcome), **apart), outcomes(na="exact"))
        return cell(probes=found if first else found[::-1])

    judgement = judge(results(both("silent loss")), baseline=results(both("exact")), today=TODAY)
    assert kinds(judgement.regressions) == {PASS.id: "worse"}
    assert judgement.regressions[0].message == said
    back = judge(results(both("exact")), baseline=results(both("silent loss")), today=TODAY)
    assert back.verdict is Word.OK


@pytest.mark.parametrize("listed", [None, lines(line("python:3.12", message="it broke"))])
def test_a_failure_that_is_known_hides_no_value_that_is_lost(listed: Expectations | None) -> None:
    def ends(convert: ProbeRecord) -> Results:
        return results(cell("fail", probes=(convert, probe("train", "fail"))), OTHER)

    for was, now, said in (
        (outcomes(na="exact"), outcomes(na="silent loss"), "na there: exact -> silent loss"),
        (probe("convert", "pass"), probe("convert", "unsupported"), "probe convert: pass -> unsu"),
    ):
        judgement = judge(ends(now), baseline=ends(was), expectations=listed, today=TODAY)
        assert kinds(judgement.regressions) == {FAIL.id: "worse"}
        assert (judgement.regressions[0].message or "").startswith(said)
    # How far it comes before it fails is not always the same.
    less = judge(
        ends(outcomes(na="exact")),
        baseline=ends(outcomes(na="exact", big="exact")),
        expectations=listed,
        today=TODAY,
    )
    assert less.verdict is Word.OK


@pytest.mark.parametrize("status", [Status.UNAVAILABLE, Status.UNSATISFIABLE])
def test_what_is_listed_not_to_be_here_has_lost_no_value(status: Status) -> None:
    judgement = judge(
        results(cell(status), OTHER),
        baseline=results(cell(probes=(outcomes(na="exact"),)), OTHER),
        expectations=lines(line("python:3.12", status=status)),
        today=TODAY,
    )
    assert judgement.verdict is Word.OK


def probe(name: str, status: str) -> ProbeRecord:
    return ProbeRecord(name=name, status=Status(status))


def test_a_probe_that_the_path_now_refuses_is_worse() -> None:
    before = cell(probes=(probe("init", "pass"), probe("convert", "pass")))
    now = cell(probes=(probe("init", "pass"), probe("convert", "unsupported")))
    judgement = judge(results(now), baseline=results(before), today=TODAY)
    assert kinds(judgement.regressions) == {PASS.id: "worse"}
    assert judgement.regressions[0].message == "probe convert: pass -> unsupported"
    assert judge(results(before), baseline=results(now), today=TODAY).verdict is Word.OK


def test_a_probe_that_left_no_result_was_not_measured() -> None:
    before = cell(probes=(probe("init", "pass"), probe("convert", "pass")))
    for now in (cell(probes=(probe("init", "pass"),)), cell()):
        judgement = judge(results(now), baseline=results(before), today=TODAY)
        assert judgement.verdict is Word.INCOMPLETE
        assert "probe convert: passed, and has no result" in (judgement.missing[0].message or "")


def test_what_was_listed_to_fail_and_is_refused_ends_otherwise() -> None:
    refused = cell("unsupported")
    listed = lines(line("path:reticulate", status=Status.FAIL))
    judgement = judge(results(refused, OTHER), expectations=listed, today=TODAY)
    assert kinds(judgement.unexpected)[refused.id] == "fails otherwise"


def test_a_run_that_was_cut_off_lets_nothing_in() -> None:
    whole = judge(results(PASS, OTHER), today=TODAY)
    cut = unfinished(whole, "a job was lost")
    assert (cut.verdict, cut.unfinished) == (Word.INCOMPLETE, "a job was lost")
    broken = judge(results(FAIL, OTHER), today=TODAY)
    assert unfinished(broken, "a job was lost").verdict is Word.UNEXPECTED


def arrived(**found: str) -> ProbeRecord:
    values = {
        name: {"there": {"outcome": "silent loss", "got": got}} for name, got in found.items()
    }
    return ProbeRecord(name="convert", status=Status.PASS, details={"values": values})


def test_a_value_that_is_lost_in_another_way_is_told_with_both_values() -> None:
    before = cell(probes=(arrived(na="int -2147483648", env="<environment: 0x1f>"),))
    same = cell(probes=(arrived(na="int -2147483648", env="<environment: 0x2e>"),))
    now = cell(probes=(arrived(na="int 0", env="<environment: 0x1f>"),))
    assert judge(results(same), baseline=results(before), today=TODAY).verdict is Word.OK
    judgement = judge(results(now), baseline=results(before), today=TODAY)
    assert kinds(judgement.regressions) == {PASS.id: "other value"}
    assert judgement.regressions[0].message == "na there: int -2147483648 -> int 0"


def spoken(message: str) -> ProbeRecord:
    details = {"python_to_r": {"raised": True, "class": "ValueError", "message": message}}
    return ProbeRecord(name="error", status=Status.PASS, details=details)


def test_a_message_that_changed_is_told_with_both_texts() -> None:
    before = cell(probes=(spoken("ValueError: no /tmp/a/b at 0x1f"),))
    same = cell(probes=(spoken("ValueError: no /tmp/c/d/e at 0x2e"),))
    now = cell(probes=(spoken("An error: no /tmp/a/b at 0x1f"),))
    assert judge(results(same), baseline=results(before), today=TODAY).verdict is Word.OK
    judgement = judge(results(now), baseline=results(before), today=TODAY)
    assert (judgement.verdict, kinds(judgement.regressions)) == (
        Word.REGRESSED,
        {PASS.id: "other words"},
    )
    told = judgement.regressions[0].message or ""
    assert told.startswith("error python_to_r message: 'ValueError: no /tmp")
    # What only the first start says is no other message of the second.
    cold = msgspec.structs.replace(spoken("read from the disk"), cold=True)
    started = cell(probes=(spoken("warm"), cold))
    assert judge(results(started), baseline=results(started), today=TODAY).verdict is Word.OK
    assert "-> 'An error" in told


# --- against expectations --------------------------------------------------------------------


def test_a_listed_failure_is_let_through() -> None:
    failing = cell("fail", cause="reticulate-imp-removed-py312")
    listed = lines(line("bridge:<1.34 python:>=3.12", cause="reticulate-imp-removed-py312"))
    judgement = judge(results(failing, OTHER), expectations=listed, today=TODAY)
    assert (judgement.verdict, kinds(judgement.notes)) == (Word.OK, {failing.id: "expected"})
    assert judgement.notes[0].line == 2


@pytest.mark.parametrize(
    "otherwise",
    [{"cause": "wrong-python"}, {"message": "it failed"}, {"status": Status.CRASH}],
)
def test_a_listed_cell_that_fails_otherwise_is_told(otherwise: dict[str, object]) -> None:
    judgement = judge(
        results(FAIL), expectations=lines(line("python:3.12", **otherwise)), today=TODAY
    )
    assert kinds(judgement.unexpected) == {FAIL.id: "fails otherwise"}


def test_the_start_of_the_message_is_enough() -> None:
    told = cell("fail", message="No module\n named 'imp': and more")
    listed = lines(line("python:3.12", message="No module named 'imp'"))
    assert judge(results(told), expectations=listed, today=TODAY).verdict is Word.OK


@pytest.mark.parametrize(
    ("start", "word"),
    [
        ("free(): invalid pointer: 0x7f01", Word.OK),
        ("free(): invalid pointer: 0x55aa00 in /tmp/RtmpB/y.so", Word.OK),
        ("free(): invalid pointer: 0x55aa00 in /tmp/RtmpB/y.so, line 13", Word.UNEXPECTED),
        ("free(): invalid size", Word.UNEXPECTED),
    ],
)
def test_the_start_of_a_message_is_held_without_what_each_run_has_for_itself(
    start: str, word: Word
) -> None:
    told = cell("fail", message="free(): invalid pointer: 0x7f0123 in /tmp/RtmpA/x.so, line 12")
    listed = lines(line("python:3.12", message=start))
    assert judge(results(told), expectations=listed, today=TODAY).verdict is word


def test_a_listed_cell_that_passes_makes_its_line_stale() -> None:
    judgement = judge(
        results(PASS, OTHER), expectations=lines(line("python:3.12", cause="x")), today=TODAY
    )
    assert (judgement.verdict, judgement.exit_code) == (Word.STALE, ExitCode.PROBLEM)
    assert "passes now; take the line out" in judgement.stale[0].problem


@pytest.mark.parametrize(
    ("others", "values"),
    [
        ([cell("unavailable", python="3.10")], {}),
        ([cell("missing", python="3.10")], {}),
        ([], {"whole": {"m": 9}}),
    ],
)
def test_a_line_is_not_to_go_where_some_of_its_cells_were_not_run(
    others: list[CellRecord], values: dict[str, Any]
) -> None:
    listed = lines(line("path:reticulate", status=Status.UNAVAILABLE))
    judgement = judge(results(PASS, *others, **values), expectations=listed, today=TODAY)
    assert judgement.verdict is Word.STALE
    assert "take the line out" not in judgement.stale[0].problem
    assert judgement.stale[0].problem.startswith("the cell of it that was run passes now; narrow")
    assert judgement.stale[0].matched == (PASS.id,)


def test_a_line_that_covers_too_much_is_told_with_the_cells() -> None:
    listed = lines(line("path:reticulate", message="it broke"))
    judgement = judge(results(FAIL, OTHER), expectations=listed, today=TODAY)
    assert judgement.verdict is Word.STALE
    assert judgement.stale[0].problem.startswith("it covers too much: 1 of its 2 cells pass")
    assert judgement.stale[0].matched == (OTHER.id,)


def test_a_line_that_lists_nothing_is_stale_in_a_whole_run_alone() -> None:
    listed = lines(line("python:3.7", cause="x"))
    assert judge(results(PASS), expectations=listed, today=TODAY).verdict is Word.STALE
    part = results(PASS, whole={"m": 9})
    assert judge(part, expectations=listed, today=TODAY).verdict is Word.OK


def test_a_listed_cell_that_was_not_run_is_not_measured() -> None:
    listed = lines(line("python:3.12", message="it broke"))
    judgement = judge(results(cell("missing"), OTHER), expectations=listed, today=TODAY)
    assert (judgement.verdict, judgement.exit_code) == (Word.INCOMPLETE, ExitCode.NOT_MEASURED)


def test_what_is_known_not_to_be_here_can_be_listed() -> None:
    listed = lines(line("python:3.12", status=Status.UNAVAILABLE))
    judgement = judge(results(cell("unavailable"), OTHER), expectations=listed, today=TODAY)
    assert judgement.verdict is Word.OK


def test_a_line_past_its_day_is_told_and_holds_on_its_day() -> None:
    until = dt.date(2026, 11, 22)
    listed = lines(line("python:3.12", message="it broke", until=until))
    assert judge(results(FAIL), expectations=listed, today=until).verdict is Word.OK
    later = judge(results(FAIL), expectations=listed, today=until + dt.timedelta(days=1))
    assert later.verdict is Word.STALE
    assert "2026-11-22" in later.stale[0].problem


def test_a_list_and_a_baseline_together() -> None:
    """What the baseline has is let through without a line, and a line without the baseline."""
    new = cell("fail", r="4.6.2")
    listed = lines(line("r:4.6.2", message="it broke"))
    before = results(FAIL, cell(r="4.6.2"))
    judgement = judge(results(FAIL, new), baseline=before, expectations=listed, today=TODAY)
    assert judgement.verdict is Word.OK
    assert kinds(judgement.notes) == {FAIL.id: "still broken", new.id: "expected"}


# --- flaky cells -----------------------------------------------------------------------------

FLAKY = cell("fail", attempts=(Status.FAIL, Status.PASS, Status.FAIL))


def test_a_flaky_cell_is_told_with_its_rate_and_never_green() -> None:
    judgement = judge(results(FLAKY), baseline=results(PASS), today=TODAY)
    assert (judgement.verdict, kinds(judgement.unexpected)) == (
        Word.UNEXPECTED,
        {FLAKY.id: "flaky"},
    )
    told = judgement.unexpected[0]
    assert (told.passed, told.attempts) == (1, 3)


def test_a_flaky_cell_that_was_flaky_or_is_listed_is_let_through_and_told() -> None:
    for known in (
        judge(results(FLAKY), baseline=results(FLAKY), today=TODAY),
        judge(
            results(FLAKY),
            expectations=lines(line("python:3.12", flaky=True, status=Status.FAIL)),
            today=TODAY,
        ),
    ):
        assert known.verdict is Word.OK
        assert known.notes[0].attempts == 3


@pytest.mark.parametrize(
    "otherwise",
    [{"cause": "wrong-python"}, {"message": "it failed"}, {"status": Status.CRASH}],
)
def test_a_flaky_cell_is_let_through_only_for_what_its_line_says(
    otherwise: dict[str, object],
) -> None:
    listed = lines(line("python:3.12", flaky=True, **otherwise))
    for before in (None, results(FLAKY)):
        judgement = judge(results(FLAKY), baseline=before, expectations=listed, today=TODAY)
        assert kinds(judgement.unexpected) == {FLAKY.id: "fails otherwise"}
        assert judgement.unexpected[0].line == 2
    fitting = lines(*listed.lines, line("python:3.12", 9, flaky=True, message="it broke"))
    judgement = judge(results(FLAKY), expectations=fitting, today=TODAY)
    assert (judgement.verdict, judgement.notes[0].line) == (Word.OK, 9)


@pytest.mark.parametrize(
    ("now", "said"),
    [
        (cell("fail"), "still broken"),
        (cell("fail", message="it broke in another way"), "differently broken"),
        (cell("crash", attempts=(Status.CRASH, Status.CRASH)), "differently broken"),
    ],
)
def test_a_cell_that_was_flaky_may_not_break_in_any_way(now: CellRecord, said: str) -> None:
    passed_first = cell(attempts=(Status.PASS, Status.FAIL))
    for before in (FLAKY, passed_first):
        judgement = judge(results(now), baseline=results(before), today=TODAY)
        same_failure = before is FLAKY and said == "still broken"
        found = kinds(judgement.notes if same_failure else judgement.regressions)
        assert found == {FLAKY.id: said if before is FLAKY else "differently broken"}


def test_a_cell_that_fails_each_time_is_not_flaky() -> None:
    again = cell("fail", attempts=(Status.FAIL, Status.FAIL))
    judgement = judge(results(again), baseline=results(PASS), today=TODAY)
    assert kinds(judgement.regressions) == {again.id: "newly broken"}


# --- a pure function -------------------------------------------------------------------------

STATUSES = st.sampled_from(["pass", "fail", "crash", "missing", "unavailable", "unsatisfiable"])
CELLS = st.lists(
    st.builds(
        cell,
        STATUSES,
        r=st.sampled_from(["4.2.2", "4.5.0", "4.6.2"]),
        python=st.sampled_from(["3.11", "3.12"]),
        cause=st.sampled_from([None, "a", "b"]),
        control=st.sampled_from([None, "native"]),
        started_at=st.just("2026-11-22T00:00:00Z"),
    ),
    min_size=1,
    max_size=6,
    unique_by=lambda one: one.id,
)
LISTED = lines(line("r:4.2.2", 2, cause="a"), line("python:3.12 r:>=4.5", 6, status=Status.CRASH))


def same(one: Judgement, other: Judgement) -> bool:
    return msgspec.json.encode(one) == msgspec.json.encode(other)


def judged(document: Results, before: list[CellRecord], *, together: bool) -> Judgement:
    return judge(
        document,
        baseline=results(*before),
        expectations=LISTED,
        today=TODAY,
        side_by_side=together,
    )


@settings(deadline=None)
@given(CELLS, CELLS, st.randoms(), st.booleans())
def test_order_decides_nothing(now, before, random, together) -> None:
    shuffled = random.sample(now, len(now))
    assert same(
        judged(results(*now), before, together=together),
        judged(results(*shuffled), before[::-1], together=together),
    )


@settings(deadline=None)
@given(CELLS, CELLS, st.integers(1, 5), st.booleans())
def test_sharding_merging_and_repetition_decide_nothing(now, before, cut, together) -> None:
    whole = {"m": len(now)}
    parts = [results(*part, whole=whole) for part in (now[:cut], now[cut:]) if part]
    merged = merge([*parts, parts[0]])
    assert same(
        judged(results(*now), before, together=together), judged(merged, before, together=together)
    )
    assert side_by_side(results(*before), merged) is side_by_side(results(*before), results(*now))


@settings(deadline=None)
@given(CELLS, CELLS, st.booleans())
def test_every_cell_is_judged_once_and_the_word_follows(now, before, together) -> None:
    judgement = judged(results(*now), before, together=together)
    told = (*judgement.regressions, *judgement.unexpected, *judgement.missing, *judgement.notes)
    assert len({one.cell for one in told}) == len(told)
    if judgement.verdict is Word.OK:
        blocking = (*judgement.regressions, *judgement.unexpected, *judgement.missing)
        assert not blocking
        assert not judgement.stale
    if judgement.regressions:
        assert judgement.exit_code is ExitCode.PROBLEM


@settings(deadline=None)
@given(CELLS, st.booleans())
def test_against_itself_nothing_is_a_regression(now, together) -> None:
    document = results(*now)
    judgement = judge(document, baseline=document, today=TODAY, side_by_side=together)
    assert not judgement.regressions
    assert not judgement.unexpected


# --- two versions of a bridge ----------------------------------------------------------------


def test_a_baseline_with_another_bridge_is_held_against_the_same_cells() -> None:
    before = results(cell(bridge="1.28"), cell(bridge="1.28", python="3.11"))
    now = results(cell("fail", bridge="source"), cell(bridge="source", python="3.11"))
    judgement = judge(now, baseline=aligned(before, now), today=TODAY)
    assert kinds(judgement.regressions) == {now.cells[0].id: "newly broken"}
    assert not judgement.missing


def test_where_several_bridges_could_be_meant_none_is() -> None:
    before = results(cell(bridge="1.28"), cell(bridge="1.41"))
    now = results(cell(bridge="source"))
    assert {one.id for one in aligned(before, now).cells} == {one.id for one in before.cells}


def test_what_both_have_keeps_its_name() -> None:
    both = results(cell(), cell(bridge="1.41"))
    assert [one.id for one in aligned(both, both).cells] == [one.id for one in both.cells]


@pytest.mark.parametrize(
    ("before", "now", "together"),
    [
        (("00:00", "00:10"), ("00:05", "00:15"), True),
        (("00:05", "00:15"), ("00:00", "00:10"), True),
        # One arm after the other.
        (("00:00", "00:10"), ("01:05", "01:15"), True),
        (("00:00", "00:10"), ("23:00", "23:10"), False),
        (("23:00", "23:10"), ("00:00", "00:10"), False),
        ((None, None), ("00:00", "00:10"), False),
        (("some day", None), ("00:00", "00:10"), False),
        # A run that was cut short has no end, and its cells say when it was.
        (("00:00", None), ("00:30", "00:40"), True),
    ],
)
def test_which_runs_were_side_by_side(before, now, together) -> None:
    def times(span):
        start, end = (f"2026-11-21T{one}:00Z" if one and ":" in one else one for one in span)
        return results(PASS, started_at=start or "", finished_at=end)

    assert side_by_side(times(before), times(now)) is together


def test_a_time_without_a_zone_is_utc() -> None:
    bare = results(PASS, started_at="2026-11-21T10:00:00")
    same_time = results(PASS, started_at="2026-11-21T22:00:00+12:00")
    assert side_by_side(bare, same_time)
    assert not side_by_side(bare, results(PASS, started_at="2026-11-21T10:00:00+12:00"))


# --- latency ---------------------------------------------------------------------------------


def compared(verdict: str) -> dict[str, object]:
    return {"cell": PASS.id, "metric": "noop", "verdict": verdict, "ratio": 1.3}


@pytest.mark.parametrize(
    ("verdicts", "word"),
    [
        (["ok", "improved"], Word.OK),
        (["ok", "unproven"], Word.OK),
        (["ok", "inconclusive"], Word.INCOMPLETE),
        (["inconclusive", "regressed"], Word.REGRESSED),
        ([], Word.OK),
    ],
)
def test_latency_blocks_where_it_is_proven(verdicts: list[str], word: Word) -> None:
    before = judge(results(PASS), today=TODAY)
    assert with_latency(before, map(compared, verdicts)).verdict is word


def test_latency_makes_nothing_better() -> None:
    broken = judge(results(FAIL), today=TODAY)
    assert with_latency(broken, [compared("improved")]).verdict is Word.UNEXPECTED
    assert with_latency(broken, [compared("inconclusive")]).verdict is Word.UNEXPECTED


@pytest.mark.parametrize(
    ("now", "word", "code"),
    [
        (PASS, Word.INCOMPLETE, ExitCode.NOT_MEASURED),
        (FAIL, Word.UNEXPECTED, ExitCode.PROBLEM),
        (cell("missing"), Word.INCOMPLETE, ExitCode.NOT_MEASURED),
    ],
)
def test_latency_that_was_not_compared_is_not_green(
    now: CellRecord, word: Word, code: ExitCode
) -> None:
    judgement = without_latency(judge(results(now), today=TODAY))
    assert (judgement.verdict, judgement.exit_code) == (word, code)
    assert judgement.counts["latency not measured"] == 1

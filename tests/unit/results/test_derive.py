from __future__ import annotations

import msgspec
import pytest

from harness.model.document import Machine
from harness.results.derive import derive


def statuses(results) -> dict[str, str]:
    return {record.id: record.status.value for record in results.cells}


def test_a_run_from_start_to_end(journal):
    journal.run(cores=2).plan("b", "a").begin("a").finish("a").begin("b").finish("b", "crash").end()
    results = derive(journal.events)
    assert results.planned == ("b", "a")
    assert statuses(results) == {"b": "crash", "a": "pass"}
    assert results.machine == Machine(os="Debian 12", cores=2)
    assert (results.matrix, results.harness) == ("smoke", "0.1.0")
    assert results.started_at == "2026-11-30T10:00:00Z"
    assert results.finished_at == "2026-11-30T10:05:00Z"


def test_a_cell_without_a_result_is_missing_and_says_why(journal):
    results = derive(journal.run().plan("a", "b").begin("a").events)
    assert statuses(results) == {"a": "missing", "b": "missing"}
    begun, untouched = results.cells
    assert "no result" in (begun.message or "")
    assert untouched.message == "Planned, never run."
    assert results.finished_at is None


def test_a_resumed_run_keeps_what_was_done(journal):
    journal.run("2026-11-30T10:00:00Z").plan("a", "b").finish("a").begin("b")
    journal.run("2026-11-30T11:00:00Z").plan("a", "b").begin("b").finish("b")
    results = derive(journal.end("2026-11-30T11:05:00Z").events)
    assert statuses(results) == {"a": "pass", "b": "pass"}
    assert results.started_at == "2026-11-30T10:00:00Z"
    assert results.finished_at == "2026-11-30T11:05:00Z"


def test_an_end_before_a_cut_run_is_not_its_end(journal):
    assert (
        derive(journal.run().plan("a").finish("a").end().run().plan("a").events).finished_at is None
    )


def test_the_last_record_of_a_cell_wins(journal):
    results = derive(journal.run().plan("a").finish("a", "fail").finish("a", "pass").events)
    assert statuses(results) == {"a": "pass"}


def test_a_result_counts_only_for_its_key(journal):
    journal.run().plan("a", key="old").finish("a", key="old").run().plan("a", key="new")
    assert statuses(derive(journal.events)) == {"a": "missing"}


def test_a_result_comes_back_with_its_key(journal):
    journal.run().plan("a", key="1").finish("a", key="1").run().plan("a", key="2")
    journal.finish("a", "fail", key="2").run().plan("a", key="1")
    assert statuses(derive(journal.events)) == {"a": "pass"}


def test_the_last_plan_says_which_cells_there_are(journal):
    journal.run().plan("a", "b").finish("a").finish("b").run().plan("b")
    assert statuses(derive(journal.events)) == {"b": "pass"}


def test_a_partial_plan_adds_to_the_one_before(journal):
    journal.run().plan("a", "b").finish("a").run().plan("c", partial=True).finish("c")
    assert statuses(derive(journal.events)) == {"a": "pass", "b": "missing", "c": "pass"}


def test_cells_of_another_machine_are_told_apart(journal):
    journal.run(cores=2).plan("a", "b", "c").finish("a").finish("b")
    results = derive(journal.run(cores=64).plan("a", "b", "c").finish("c").events)
    assert results.machine.cores == 2
    assert results.machine_of("c").cores == 64
    assert results.machine_of("a").cores == 2


def test_unknown_events_and_fields_change_nothing(journal):
    journal.add({}).add({"event": "from-the-future", "id": 3}).add({"event": None})
    journal.run().plan("a").finish("a", something_new=[1])
    assert statuses(derive(journal.events)) == {"a": "pass"}


def test_a_known_event_of_another_form_is_refused(journal):
    with pytest.raises(msgspec.ValidationError):
        derive(journal.run().add({"event": "cell-finished", "record": {"id": "a"}}).events)


def test_no_events_are_an_empty_document():
    assert derive([]).cells == ()


def tried(cell: str, remedy: str, *, verified: bool | None, key: str = "k") -> dict:
    trial = {"remedy": remedy, "verified": verified, "cell": f"{cell}-changed"}
    return {"event": "remedy-tried", "id": cell, "key": key, "trial": trial}


def trials(events: list[dict]) -> dict[str, bool | None]:
    return {one.remedy: one.verified for one in derive(events).cells[0].trials}


def test_a_trial_belongs_to_the_record_of_its_cell_and_key(journal):
    journal.run().plan("a").finish("a", "fail")
    journal.add(tried("a", "first", verified=None)).add(tried("a", "second", verified=True))
    journal.add(tried("a", "other", verified=True, key="old")).add(tried("b", "x", verified=True))
    assert trials(journal.events) == {"first": None, "second": True}
    journal.end().run().plan("a")
    assert trials(journal.events) == {"first": None, "second": True}


def test_a_remedy_that_is_tried_later_takes_the_place_of_what_was_said(journal):
    journal.run().plan("a").finish("a", "fail").add(tried("a", "first", verified=None))
    assert trials(journal.add(tried("a", "first", verified=True)).events) == {"first": True}


def test_a_cell_that_is_measured_anew_has_no_trials_yet(journal):
    journal.run().plan("a").finish("a", "fail").add(tried("a", "first", verified=True))
    assert trials(journal.finish("a", "fail").events) == {}

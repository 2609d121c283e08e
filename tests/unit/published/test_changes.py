"""What changed between two documents."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.model.record import CellRecord
from harness.model.status import Status
from harness.published.changes import Kind, changes
from tests.unit.published.bench import cell, document, native


@pytest.mark.parametrize(
    ("was", "now", "kind"),
    [
        ("pass", "fail", Kind.BROKEN),
        ("pass", "unavailable", Kind.GONE),
        ("unavailable", "pass", Kind.NEW),
        ("unavailable", "missing", None),
        ("crash", "pass", Kind.FIXED),
        ("fail", "crash", Kind.STATUS),
        ("missing", "fail", Kind.NEW),
        ("pass", "missing", Kind.GONE),
        ("skipped", "missing", None),
        ("fail", "fail", None),
        ("pass", "pass", None),
    ],
)
def test_kinds(was: str, now: str, kind: Kind | None) -> None:
    found = changes(document(cell(was, bridge="1.28")), document(cell(now, bridge="1.28")))
    assert [one.kind for one in found.changed] == ([] if kind is None else [kind])


def test_cells_that_come_and_go() -> None:
    found = changes(document(native(python="3.8")), document(native(python="3.14")))
    assert [(one.cell, one.kind.value) for one in found.changed] == [
        ("native__py3.14__jax0.10.2__cpu", "new"),
        ("native__py3.8__jax0.10.2__cpu", "gone"),
    ]
    assert found.summary == "1 cell new, 1 gone"


def test_another_cause_is_a_change_though_the_status_is_the_same() -> None:
    was, now = (cell("fail", bridge="1.28", cause=cause) for cause in (None, "numpy-abi"))
    (found,) = changes(document(was), document(now)).changed
    assert (found.kind, found.cause_before, found.cause_after) == (Kind.CAUSE, None, "numpy-abi")


def test_what_broke_comes_with_the_versions_that_are_others_now() -> None:
    was = cell(bridge="1.28", framework="jax", numpy="1.26.4")
    now = cell(
        "fail",
        bridge="1.28",
        framework="jax",
        numpy="2.4.6",
        message="Required version\nof NumPy not available",
        id=was.id,
    )
    (found,) = changes(document(was), document(now)).changed
    assert found.versions == (("numpy", "1.26.4", "2.4.6"),)
    assert found.message == "Required version of NumPy not available"


def test_versions_alone_are_no_change() -> None:
    was, now = (cell(bridge="1.28", numpy=version) for version in ("2.4.6", "2.5.0"))
    assert changes(document(was), document(now)).is_empty
    assert changes(document(was), document(now)).summary == "nothing changed"


def test_the_worst_comes_first_and_the_summary_counts() -> None:
    was = [native("fail", python=f"3.{n}") for n in (9, 10)] + [native(python="3.11")]
    now = [native(python=f"3.{n}") for n in (9, 10)] + [native("crash", python="3.11")]
    found = changes(document(*was), document(*now))
    assert found.summary == "1 cell broken, 2 fixed"
    assert [one.cell[:13] for one in found.changed] == [
        "native__py3.1",
        "native__py3.9",
        "native__py3.1",
    ]
    assert (found.before, found.after) == ("2026-11-22", "2026-11-22")


statuses = st.sampled_from([status.value for status in Status])
documents = st.dictionaries(st.sampled_from(["3.8", "3.9", "3.10", "3.11"]), statuses)


def made(found: dict[str, str]) -> list[CellRecord]:
    return [native(status, python=python) for python, status in found.items()]


@given(documents)
def test_nothing_changed_from_a_document_to_itself(found: dict[str, str]) -> None:
    assert changes(document(*made(found)), document(*reversed(made(found)))).is_empty


@given(documents, documents)
def test_back_is_the_opposite(first: dict[str, str], second: dict[str, str]) -> None:
    there = changes(document(*made(first)), document(*made(second)))
    back = changes(document(*made(second)), document(*made(first)))
    opposite = {
        Kind.NEW: Kind.GONE,
        Kind.GONE: Kind.NEW,
        Kind.BROKEN: Kind.FIXED,
        Kind.FIXED: Kind.BROKEN,
    }
    assert {(one.cell, opposite.get(one.kind, one.kind)) for one in there.changed} == {
        (one.cell, one.kind) for one in back.changed
    }

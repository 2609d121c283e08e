"""Ranges: what may be said of versions, and what may not."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.model.order import natural_key
from harness.model.record import CellRecord
from harness.model.status import Status
from harness.published.ranges import Claim, Outcome, coverage, left_out, ranges
from tests.unit.published.bench import cell, document, native, probe

PROBED = (probe("init"), probe("train"))


def claim(cells: list[CellRecord], **wanted: Any) -> Claim:
    (found,) = [
        one
        for one in ranges(document(*cells))
        if all(getattr(one, name) == value for name, value in wanted.items())
    ]
    return found


def start(bridge: str, python: str = "3.12", *, ok: bool = True, **more: Any) -> CellRecord:
    """Return a cell whose Python starts behind the bridge, or does not."""
    if ok:
        return cell("pass", bridge=bridge, python=python, **more)
    return cell("fail", bridge=bridge, python=python, phase="python", **more)


def python_312(cells: list[CellRecord]) -> Claim:
    controls = [native(python="3.12")]
    return claim(
        [*cells, *controls],
        subject="reticulate",
        asks="starts",
        along="bridge",
        given=("python", "3.12"),
    )


def test_a_boundary_lies_between_two_versions_that_were_tried() -> None:
    found = python_312([start("1.28", ok=False), start("1.41.0.1"), start("1.47.0")])
    (span,) = found.ranges
    assert (span.first, span.last, span.below, span.above) == ("1.41.0.1", "1.47.0", "1.28", None)
    assert found.sentence == (
        "reticulate: Python 3.12 from 1.41.0.1 on, tested 1.41.0.1 and 1.47.0 "
        "(not tried between 1.28 and 1.41.0.1); not with 1.28"
    )
    assert len(found.cells) == 3


def test_a_range_ends_where_something_in_between_fails() -> None:
    found = python_312([start("1.28"), start("1.30", ok=False), start("1.41"), start("1.47")])
    assert [(span.first, span.last) for span in found.ranges] == [
        ("1.28", "1.28"),
        ("1.41", "1.47"),
    ]


@pytest.mark.parametrize(
    ("cells", "says"),
    [
        ([start("1.41")], "reticulate: Python 3.12 with 1.41, the only one tried"),
        (
            [start("1.28", ok=False)],
            "reticulate: Python 3.12 with no version that was tried (1.28)",
        ),
        (
            [start("1.41"), start("1.47")],
            "reticulate: Python 3.12 with 1.41 and 1.47, all that were tried",
        ),
        (
            [start("1.41"), start("1.47", ok=False)],
            "reticulate: Python 3.12 with 1.41 (not tried between 1.41 and 1.47); not with 1.47",
        ),
        (
            [start("1.28", ok=False), start("1.41")],
            "reticulate: Python 3.12 with 1.41 (not tried between 1.28 and 1.41); not with 1.28",
        ),
        (
            [start("1.28"), start("1.41"), start("1.47", ok=False)],
            (
                "reticulate: Python 3.12 up to 1.41, tested 1.28 and 1.41 "
                "(not tried between 1.41 and 1.47); not with 1.47"
            ),
        ),
    ],
)
def test_a_claim_says_how_little_was_tried(cells: list[CellRecord], says: str) -> None:
    assert python_312(cells).sentence == says


def test_versions_are_those_read_back() -> None:
    old = cell(
        bridge="1.41", identity={"bridge": {"version": "1.41.0.1"}, "python": {"version": "3.11.4"}}
    )
    # It stopped before it could say its version, and another cell of the same bridge has.
    silent = cell("crash", bridge="1.41", python="3.12", phase="start")
    found = ranges(document(old, silent, native(), native(python="3.12")))
    versions = {tried.version for one in found if one.along == "bridge" for tried in one.tried}
    assert versions == {"1.41.0.1"}


def test_the_same_pair_that_passes_in_one_r_and_fails_in_another_is_named() -> None:
    found = python_312([start("1.30", r="4.5.0"), start("1.30", r="4.2.2", ok=False)])
    (tried,) = found.contradictions
    assert tried.outcome is Outcome.MIXED
    assert tried.apart == ("R: works with 4.5.0, fails with 4.2.2",)
    assert not found.ranges
    assert found.sentence.endswith(
        "with 1.30 in 1 of 2 cells (R: works with 4.5.0, fails with 4.2.2)"
    )


def test_what_the_control_cannot_do_either_is_not_held_against_the_bridge() -> None:
    bad = native("fail", phase="python", python="3.12")
    assert {one.kind for one in ranges(document(start("1.28", ok=False), bad))} == {"framework"}


@pytest.mark.parametrize("status", ["missing", "skipped", "unavailable", "unsatisfiable"])
def test_what_was_not_run_says_nothing_of_a_bridge(status: str) -> None:
    pinned = (("numpy", "<2"),)
    found = ranges(document(cell(status, bridge="1.28", pins=pinned), native(status, pins=pinned)))
    assert not found


def test_arrays_are_asked_of_cells_that_start_alone() -> None:
    cells = [
        cell(bridge="1.28", numpy="1.26.4"),
        cell(
            "fail",
            bridge="1.28",
            numpy="2.4.6",
            phase="convert",
            probes=(probe("init"), probe("train", "fail")),
            pins=(("numpy", ">=2"),),
        ),
        start("1.28", "3.12", ok=False),
        native(),
        native(pins=(("numpy", ">=2"),)),
        native(python="3.12"),
    ]
    old = claim(cells, subject="reticulate", asks="works", given=("numpy", "1"))
    new = claim(cells, subject="reticulate", asks="works", given=("numpy", "2"))
    assert [one.outcome for one in (*old.tried, *new.tried)] == [Outcome.WORKS, Outcome.FAILS]
    both = claim(cells, subject="reticulate", asks="works", given=("framework", "jax"))
    assert both.contradictions[0].apart == ("numpy: works with 1.26.4, fails with 2.4.6",)


def test_an_error_that_does_not_cross_is_no_failure_of_versions() -> None:
    swallowed = cell(
        "fail",
        bridge="3.6.9",
        path="rpy2",
        phase="error",
        probes=(probe("init"), probe("train"), probe("error", "fail")),
        identity={"python": {"version": "3.11.4"}},
    )
    found = claim([swallowed, native()], subject="rpy2", given=("framework", "jax"))
    assert found.tried[0].outcome is Outcome.WORKS


def test_a_framework_and_its_pythons() -> None:
    cells = [
        native(framework="tensorflow==2.15.0", python="3.11"),
        native(framework="tensorflow==2.15.0", python="3.9"),
        native("unsatisfiable", framework="tensorflow==2.15.0", python="3.12"),
    ]
    found = claim(cells, subject="tensorflow", along="python")
    assert found.sentence == (
        "tensorflow 2.15.0: Python 3.9 to 3.11, tested 3.9 and 3.11; not with Python 3.12"
    )


def test_no_gap_is_named_between_two_minors_of_python() -> None:
    cells = [start("1.28", "3.11"), start("1.28", "3.12", ok=False), native(python="3.12")]
    found = claim(cells, along="python", kind="bridge")
    assert found.sentence == "reticulate 1.28: Python 3.11; not with Python 3.12"


def test_what_is_a_matter_of_r_is_said_of_r_alone() -> None:
    told: dict[str, Any] = {"path": "rpy2", "numpy": "2.4.6", "probes": PROBED}
    cells = [
        cell(bridge="3.5.17", r="4.2.2", **told),
        cell(bridge="3.6.9", r="4.5.0", **told),
        cell(
            "fail",
            path="rpy2",
            bridge="3.6.9",
            r="4.2.2",
            phase="bridge",
            cause="rpy2-too-new-for-R",
            identity={"python": {"version": "3.11.4"}, "modules": {"numpy": "2.4.6"}},
            probes=(probe("init", "fail"), probe("train", "fail")),
        ),
        native(),
    ]
    said = [one.sentence for one in ranges(document(*cells)) if one.kind == "bridge"]
    assert "rpy2: jax with 3.5.17 and 3.6.9, all that were tried" in said
    assert "rpy2: numpy 2 with 3.5.17 and 3.6.9, all that were tried" in said
    about_r = "rpy2 3.6.9: R 4.5.0 (not tried between 4.2.2 and 4.5.0); not with R 4.2.2"
    assert [one for one in said if "R 4" in one] == [about_r]
    assert [(one.cause, len(one.cells)) for one in left_out(document(*cells))] == [
        ("rpy2-too-new-for-R", 1)
    ]


def test_a_libpython_of_rs_is_no_limit_of_a_python() -> None:
    swapped = start("1.38.0", ok=False, cause="libpython-soname-swap-by-R", r="4.5.0")
    found = python_312([swapped, start("1.38.0", r="4.2.2"), start("1.41")])
    assert found.sentence == "reticulate: Python 3.12 with 1.38.0 and 1.41, all that were tried"
    (one,) = left_out(document(swapped, native(python="3.12")))
    assert one.where == "reticulate 1.38.0 with R 4.5.0 and Python 3.12"


def test_a_bridge_that_did_not_come_up_has_the_name_that_others_read_back() -> None:
    rserve: dict[str, Any] = {"path": "rpc", "transport": "rserve"}
    known = {"python": {"version": "3.11.4"}}
    bridge = {"bridge": {"name": "Rserve", "version": "1.8-15"}}
    pinned = (("numpy", "<2"),)
    cells = [
        cell(**rserve, pins=pinned, identity={**known, **bridge, "modules": {"numpy": "1.26.4"}}),
        cell(
            "fail",
            **rserve,
            phase="bridge",
            probes=(probe("init", "fail"),),
            identity={**known, "modules": {"numpy": "2.4.6"}},
        ),
        native(pins=pinned),
        native(),
    ]
    found = claim(cells, kind="bridge", given=("framework", "jax"))
    assert found.sentence == (
        "rpc rserve: jax with Rserve 1.8-15 in 1 of 2 cells "
        "(numpy: works with 1.26.4, fails with 2.4.6)"
    )


BRIDGES = ["1.18", "1.28", "1.30", "1.41.0.1", "1.47.0"]
cells_of_ranges = st.lists(
    st.builds(
        start,
        st.sampled_from(BRIDGES),
        st.sampled_from(["3.9", "3.11", "3.12"]),
        ok=st.booleans(),
        r=st.sampled_from(["4.2.2", "4.5.0"]),
    ),
    unique_by=lambda one: one.id,
    max_size=16,
)
CONTROLS = [native(python=python) for python in ("3.9", "3.11", "3.12")]


@given(cells_of_ranges, st.randoms(use_true_random=False))
def test_the_order_of_cells_does_not_matter(cells: list[CellRecord], chance: random.Random) -> None:
    shuffled = [*cells, *CONTROLS]
    chance.shuffle(shuffled)
    assert ranges(document(*shuffled)) == ranges(document(*cells, *CONTROLS))
    assert coverage(document(*shuffled)).pairs_measured == (
        coverage(document(*cells, *CONTROLS)).pairs_measured
    )


def spans(cells: list[CellRecord]) -> dict[tuple[str, str, tuple[str, str]], list[tuple[Any, Any]]]:
    return {
        (one.subject, one.along, one.given): [
            (natural_key(span.first), natural_key(span.last)) for span in one.ranges
        ]
        for one in ranges(document(*cells, *CONTROLS))
        if one.kind == "bridge" and one.asks == "starts"
    }


@given(cells_of_ranges, st.sampled_from(BRIDGES), st.sampled_from(["3.9", "3.11", "3.12"]))
def test_a_new_failure_never_widens_a_claim(
    cells: list[CellRecord], bridge: str, python: str
) -> None:
    new = start(bridge, python, ok=False, r="4.6.2")
    before, after = spans(cells), spans([*cells, new])
    for key, found in after.items():
        for first, last in found:
            inside = any(low <= first and last <= high for low, high in before.get(key, []))
            assert inside, "every range that is left was claimed before"
    for along, version, fixed in (
        ("bridge", bridge, ("python", python)),
        ("python", python, ("bridge", bridge)),
    ):
        for first, last in after["reticulate", along, fixed]:
            assert not first <= natural_key(version) <= last, "it claims what has just failed"


@given(cells_of_ranges)
def test_every_range_is_borne_out_and_nothing_in_it_fails(cells: list[CellRecord]) -> None:
    for one in ranges(document(*cells, *CONTROLS)):
        outcomes = {tried.version: tried.outcome for tried in one.tried}
        for span in one.ranges:
            low, high = natural_key(span.first), natural_key(span.last)
            inside = [version for version in outcomes if low <= natural_key(version) <= high]
            assert tuple(inside) == span.tested
            assert {outcomes[version] for version in inside} == {Outcome.WORKS}
        for tried in one.tried:
            assert set(tried.passing).isdisjoint(tried.failing)
            assert tried.passing or tried.failing


def test_coverage_counts_cells_and_pairs_with_a_result() -> None:
    known = coverage(document(native(python="3.11"), native("missing", python="3.12")))
    assert (known.planned, known.measured, known.unavailable) == (2, 1, 0)
    assert known.cells.text == "1 of 2"
    # Seven axes of one value but for Python, which has two.
    assert known.pairs_measured == 21
    assert known.pairs_planned == known.pairs_possible == 27


def test_coverage_says_when_it_was_last_seen() -> None:
    late = native(python="3.12", started_at="2026-11-23T00:00:00+00:00")
    never = native("missing", python="3.13", started_at="2027-01-01T00:00:00+00:00")
    assert coverage(document(native(), late, never)).last_seen == late.started_at
    assert never.status is Status.MISSING

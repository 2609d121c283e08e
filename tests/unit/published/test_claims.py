"""An article's claims: each check says yes, no, and that nothing was measured."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pytest

from harness.model.record import CellRecord
from harness.published.checks import CHECKS, View
from harness.published.claims import Verdict, article, claims
from tests.unit.published.bench import cell, document, host, native, probe, stages

PYTHONS = ("3.9", "3.10", "3.11", "3.12")
TF = "tensorflow==2.21.0"
KERAS = "keras==3.15.1"


def of(path: str, good: int, bad: int = 0, **more: object) -> list[CellRecord]:
    """Return cells of a path that work, and cells that stop at the first array."""
    good_probes = (probe("init"), probe("train"))
    bad_probes = (probe("init"), probe("train", "fail"))
    cells = [
        cell(path=path, python=python, probes=good_probes, **more) for python in PYTHONS[:good]
    ]
    return cells + [
        cell("fail", path=path, python=python, phase="convert", probes=bad_probes, **more)
        for python in PYTHONS[good : good + bad]
    ]


def controls(framework: str = "jax==0.10.2", **more: object) -> list[CellRecord]:
    probes = (probe("init"), probe("train"))
    return [native(python=p, framework=framework, probes=probes, **more) for p in PYTHONS]


def timed(path: str, call_s: float, data_s: float) -> list[CellRecord]:
    probes = (
        probe("init"),
        probe("call", stages=stages(noop=call_s)),
        probe("train", stages=stages(transfer=data_s, steady_step=0.01)),
    )
    bridge = "1.41" if path == "reticulate" else None
    return [cell(path=path, bridge=bridge, python=p, probes=probes) for p in PYTHONS]


def moved(path: str, there_s: float, back_s: float) -> list[CellRecord]:
    """Return cells in which a million doubles took these times to cross."""
    times = stages(doubles_to_python_1e6=there_s, doubles_to_r_1e6=back_s)
    return [cell(path=path, python=p, probes=(probe("transfer", stages=times),)) for p in PYTHONS]


TIMED = [
    native(
        python=p,
        probes=(
            probe("init"),
            probe("call", stages=stages(noop=0.0)),
            probe("train", stages=stages(transfer=0.0, steady_step=0.005)),
            probe("transfer", stages=stages(doubles_to_python_1e6=0.01, doubles_to_r_1e6=0.01)),
        ),
    )
    for p in PYTHONS
]
APART = host(python_mb=280.0)
WITHIN = host(python_mb=30.0)
FIRST = {"bridge": "1.41"}
RPYTHON = {"path": "rpython", "bridge": "0.0-6"}
STOPPED = cell("fail", phase="python", python="3.9", **RPYTHON)


@pytest.mark.parametrize(
    ("check", "cells", "verdict"),
    [
        (
            "needs_a_bridge",
            [*of("system", 1, processes=APART), *of("reticulate", 1, processes=WITHIN, **FIRST)],
            "holds",
        ),
        (
            "needs_a_bridge",
            [*of("system", 1, processes=WITHIN), *of("reticulate", 1, processes=WITHIN, **FIRST)],
            "does not hold",
        ),
        ("needs_a_bridge", of("system", 1, processes=APART), "not measured"),
        ("possible", of("system", 1, 3), "holds"),
        ("possible", of("system", 0, 3), "does not hold"),
        (
            "possible",
            [*of("system", 1), *of("system", 0, 1, framework=TF)],
            "holds in part",
        ),
        ("possible", [], "not measured"),
        (
            "reticulate_more_robust_than_rpython",
            [*of("reticulate", 4, **FIRST), *of(good=3, bad=1, **RPYTHON)],
            "holds",
        ),
        (
            "reticulate_more_robust_than_rpython",
            [*of("reticulate", 3, 1, **FIRST), *of(good=4, **RPYTHON)],
            "does not hold",
        ),
        (
            "reticulate_more_robust_than_rpython",
            [*of("reticulate", 4, **FIRST), *of("rpython", 4, bridge="0.0-6+remedies")],
            "not measured",
        ),
        ("rpython_stops_at_models", of(good=0, bad=2, **RPYTHON), "holds"),
        ("rpython_stops_at_models", of(good=1, bad=1, **RPYTHON), "holds in part"),
        ("rpython_stops_at_models", of(good=2, **RPYTHON), "does not hold"),
        ("rpython_stops_at_models", [STOPPED], "does not hold"),
        ("rpython_stops_at_models", of("reticulate", 1, **FIRST), "not measured"),
        ("system_returns_results", of("system", 2), "holds"),
        ("system_returns_results", of("system", 1, 1), "holds in part"),
        ("system_returns_results", of("system", 0, 1), "does not hold"),
        ("system_returns_results", [], "not measured"),
        ("tensorflow_comes_up", of("reticulate", 1, 1, framework=TF, **FIRST), "holds"),
        ("tensorflow_comes_up", of("reticulate", 1, 1, **FIRST), "not measured"),
        ("keras_trains", of("reticulate", 2, framework=KERAS, **FIRST), "holds"),
        ("keras_trains", of("reticulate", 1, 1, framework=KERAS, **FIRST), "holds in part"),
        ("keras_trains", of("system", 1, framework=KERAS), "not measured"),
        ("environment_decides", of("reticulate", 1, 1, **FIRST), "holds"),
        ("environment_decides", of("reticulate", 2, **FIRST), "does not hold"),
        ("environment_decides", of("reticulate", 1, **FIRST), "not measured"),
        ("large_data_cost_more_than_a_copy", moved("system", 0.5, 0.4), "holds"),
        ("large_data_cost_more_than_a_copy", moved("system", 0.001, 0.002), "does not hold"),
        ("large_data_cost_more_than_a_copy", moved("system", 0.001, 0.4), "holds in part"),
        ("large_data_cost_more_than_a_copy", of("system", 4), "not measured"),
        (
            "system_fails_more_often",
            [*of("reticulate", 4, **FIRST), *of("system", 3, 1)],
            "holds",
        ),
        (
            "system_fails_more_often",
            [*of("reticulate", 2, 2, **FIRST), *of("system", 4)],
            "does not hold",
        ),
        (
            "system_fails_more_often",
            [*of("reticulate", 2, **FIRST), *of("system", 2)],
            "not measured",
        ),
        (
            "system_costs_more",
            [*timed("reticulate", 0.1, 0.1), *timed("system", 0.2, 0.2)],
            "holds",
        ),
        (
            "system_costs_more",
            [*timed("reticulate", 0.1, 0.3), *timed("system", 0.2, 0.2)],
            "holds in part",
        ),
        ("system_costs_more", timed("system", 0.2, 0.2), "not measured"),
        ("reticulate_overcomes", of("reticulate", 4, **FIRST), "holds"),
        ("reticulate_overcomes", of("reticulate", 3, 1, **FIRST), "holds in part"),
        ("reticulate_overcomes", of("system", 3, 1), "not measured"),
        (
            "needs_differ",
            [*timed("reticulate", 0.1, 0.3), *timed("system", 0.2, 0.2)],
            "holds",
        ),
        (
            "needs_differ",
            [*timed("reticulate", 0.1, 0.1), *timed("system", 0.2, 0.2)],
            "does not hold",
        ),
        ("needs_differ", timed("system", 0.2, 0.2), "not measured"),
        (
            "system_is_never_the_only_way",
            [*of("reticulate", 2, **FIRST), *of("system", 2)],
            "holds",
        ),
        (
            "system_is_never_the_only_way",
            [*of("reticulate", 1, 1, **FIRST), *of("system", 2)],
            "holds in part",
        ),
        (
            "system_is_never_the_only_way",
            [*of("reticulate", 0, 2, **FIRST), *of("system", 2)],
            "does not hold",
        ),
        ("system_is_never_the_only_way", of("system", 2), "not measured"),
    ],
)
def test_verdicts(check: str, cells: Sequence[CellRecord], verdict: str) -> None:
    frameworks = {one.axes["framework"] or "" for one in cells}
    alone = (
        TIMED
        if "cost" in check or check == "needs_differ"
        else [
            one for framework in frameworks for one in controls(framework, processes=host("python"))
        ]
    )
    found = CHECKS[check](View.of(document(*cells, *alone)))
    assert found.verdict.value == verdict, found.because
    assert bool(found.figures) == (found.verdict is not Verdict.NOT_MEASURED)


def test_every_claim_has_a_check_or_says_why_there_is_none() -> None:
    for stated in article().claims:
        assert (stated.check == "not_measured") == bool(stated.reason), stated.id
        assert stated.reason or stated.check in CHECKS, stated.id
    named = {stated.check for stated in article().claims}
    assert set(CHECKS) <= named, "a check that no claim names is never run"
    assert len({stated.id for stated in article().claims}) == len(article().claims)


def test_results_of_nothing_prove_nothing() -> None:
    assert {one.verdict for one in claims(document())} == {Verdict.NOT_MEASURED}


def test_what_cannot_be_measured_says_why() -> None:
    (found,) = [one for one in claims(document()) if one.id == "system-security"]
    assert found.because.startswith("No cell attacks another.")
    assert found.cells == ()


def test_a_verdict_names_its_cells() -> None:
    cells = [*of("system", 1, 1), *controls()]
    (found,) = [one for one in claims(document(*cells)) if one.id == "system-returns-results"]
    assert found.because.startswith("In 1 of 2 cells by a system call")
    assert set(found.cells) == {one.id for one in cells[:2]}


def test_the_order_of_cells_does_not_matter() -> None:
    cells = [*of("system", 2, 1), *of("reticulate", 3, 1, **FIRST), *controls()]
    assert claims(document(*cells)) == claims(document(*reversed(cells)))


def told(check: str, *cells: CellRecord) -> str:
    return CHECKS[check](View.of(document(*cells))).because


def test_a_libpython_that_a_bridge_read_back_tells_without_a_framework() -> None:
    known = {"version": "3.9.4", "libpython": "PYTHON/lib/libpython3.9.so.1.0"}
    plain = of("reticulate", 2, processes=WITHIN, framework=None, **FIRST)
    read = msgspec.structs.replace(plain[0], identity={"python": known})
    bare = native(python="3.9", framework=None, processes=host("python", python_mb=20.0))
    said = told("needs_a_bridge", *of("system", 1, processes=APART), read, plain[1], bare)
    # The other has no framework, so that no memory tells of it.
    assert said.endswith("R's own process had loaded it in 1 of 1.")


def test_a_system_call_that_is_never_alone_is_said_so() -> None:
    check, alone = "system_is_never_the_only_way", controls()
    several = told(check, *of("reticulate", 2, **FIRST), *of("system", 2), *alone)
    assert several == (
        "In each of the 2 environments where a system call works, at least one bridge works too."
    )
    mixed = told(check, *of("reticulate", 1, 1, **FIRST), *of("system", 2), *alone)
    assert mixed == (
        "In 1 of 2 environments where a system call works, no bridge that was tried works."
    )
    one = told(check, *of("reticulate", 1, **FIRST), *of("system", 1), *alone)
    assert one.startswith("In the one environment where")


def test_a_need_that_is_not_told_is_said_among_the_needs() -> None:
    quick = [
        msgspec.structs.replace(
            one, probes=(probe("init", stages=stages(first_op=0.1)), *one.probes[1:])
        )
        for one in timed("system", 0.2, 0.2)
    ]
    slow = [
        msgspec.structs.replace(
            one, probes=(probe("init", stages=stages(first_op=0.9)), *one.probes[1:])
        )
        for one in timed("reticulate", 0.1, 0.3)
    ]
    alone = [
        msgspec.structs.replace(
            one, probes=(probe("init", stages=stages(first_op=0.5)), *one.probes[1:])
        )
        for one in TIMED
    ]
    assert told("needs_differ", *quick, *slow, *alone).endswith(
        "From R, a framework that is up soon: not told, these times come from a busy machine."
    )

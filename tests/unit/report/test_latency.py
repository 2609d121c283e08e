from __future__ import annotations

import msgspec
import pytest

from harness.model.cell import Axes, Framework
from harness.model.document import Elsewhere, Machine
from harness.model.job import ProcessPeak
from harness.model.record import ProbeRecord, Stage
from harness.model.status import Status
from harness.report.latency import compare, compare_memory, dearest, doubt
from harness.report.markdown import REPORT as MARKDOWN

TORCH = Framework("torch", "2.13.0")


def init(*stages: Stage, variant: str | None = None, status: str = "pass") -> ProbeRecord:
    return ProbeRecord(name="init", status=Status(status), variant=variant, stages=stages)


def stage(name: str, wall_s: float, n: int = 1) -> Stage:
    return Stage(name=name, wall_s=wall_s, n=n)


@pytest.fixture
def pair(make_cell):
    def make(python: str, path_s: float, control_s: float):
        native = Axes(path="native", python=python, framework=TORCH)
        bridged = Axes(path="system", r="4.5.0", python=python, framework=TORCH)
        return [
            make_cell(native, probes=(init(stage("import", control_s)),)),
            make_cell(bridged, probes=(init(stage("load", 1.0), stage("import", path_s)),)),
        ]

    return make


def test_the_cost_is_path_less_control(pair, make_document):
    (one,) = compare(make_document(pair("3.12", 5.0, 3.0)))
    assert (one.framework, one.path, one.probe, one.pairs) == ("torch 2.13.0", "system", "init", 1)
    assert (one.path_s, one.control_s, one.cost_s) == (6.0, 3.0, 3.0)
    load, imports = one.stages
    assert (load.stage, load.path_s, load.control_s, load.cost_s) == ("load", 1.0, None, 1.0)
    assert imports.cost_s == 2.0
    assert dearest([one]) == "import +2.0 s"


def test_the_median_is_of_the_differences_within_pairs(pair, make_document):
    cells = [*pair("3.10", 5.0, 1.0), *pair("3.11", 9.0, 8.0), *pair("3.12", 20.0, 18.0)]
    (one,) = compare(make_document(cells))
    assert one.pairs == 3
    assert one.stages[1].cost_s == 2.0  # of 4, 1 and 2; the medians alone would say 9 - 8
    assert one.cost_s == 3.0


def test_repetitions_are_taken_apart(make_cell, make_document):
    native = Axes(path="native", python="3.12", framework=TORCH)
    bridged = Axes(path="system", r="4.5.0", python="3.12", framework=TORCH)
    cells = [
        make_cell(native, probes=(init(stage("steady_op", 2.0, n=20)),)),
        make_cell(bridged, probes=(init(stage("steady_op", 6.0, n=20)),)),
    ]
    (one,) = compare(make_document(cells))
    assert one.stages[0].cost_s == pytest.approx(0.2)
    assert one.cost_s == 4.0


def test_times_of_two_machines_are_not_compared(pair, make_document):
    cells = pair("3.12", 5.0, 3.0)
    away = (Elsewhere(machine=Machine(cores=64), cells=(cells[1].id,)),)
    assert compare(make_document(cells, elsewhere=away)) == []


def test_only_probes_that_passed_are_compared(make_cell, make_document):
    native = Axes(path="native", python="3.12", framework=TORCH)
    bridged = Axes(path="system", r="4.5.0", python="3.12", framework=TORCH)
    cells = [
        make_cell(native, probes=(init(stage("import", 1.0), status="fail"),)),
        make_cell(bridged, probes=(init(stage("import", 1.0)),)),
    ]
    assert compare(make_document(cells)) == []


def test_each_keras_backend_has_its_own_row(smoke):
    keras = {one.framework for one in compare(smoke) if one.framework.startswith("keras")}
    assert keras == {"keras 3.15.1 +jax", "keras 3.15.1 +torch"}


def test_nothing_is_dear_where_the_path_is_faster(pair, make_document):
    (one,) = compare(make_document(pair("3.12", 1.0, 30.0)))
    assert one.cost_s < 0
    assert dearest([one], most=5) == "load +1.0 s"


# --- What was repeated as often as fits, processors, cold starts, memory -------------------------


@pytest.fixture
def one_of(make_cell, make_document):
    """The comparison of one cell, whose record is changed, with its control."""

    def make(mine: ProbeRecord, its: ProbeRecord, **changes: object):
        native = Axes(path="native", python="3.12", framework=TORCH)
        bridged = Axes(path="system", r="4.5.0", python="3.12", framework=TORCH)
        cells = [make_cell(native, probes=(its,)), make_cell(bridged, probes=(mine,), **changes)]
        return compare(make_document(cells))

    return make


def test_a_stage_that_was_repeated_as_often_as_fits_counts_once(one_of):
    mine = init(stage("start", 2.0), stage("noop", 0.5, n=1000))
    (one,) = one_of(mine, init(stage("start", 1.0), stage("noop", 0.5, n=100_000)))
    assert one.path_s == pytest.approx(2.0 + 0.0005)
    assert one.control_s == pytest.approx(1.0 + 0.000005)


def test_what_the_control_alone_did_is_no_gain_of_the_path(one_of):
    (one,) = one_of(init(stage("1e6", 2.0)), init(stage("1e6", 1.0), stage("1e7", 10.0)))
    assert (one.path_s, one.control_s, one.cost_s) == (2.0, 1.0, 1.0)


def test_the_processor_has_costs_of_its_own(one_of):
    mine = init(Stage(name="noop", wall_s=4.0, cpu_s=3.0, n=2), stage("teardown", 1.0))
    (one,) = one_of(mine, init(Stage(name="noop", wall_s=1.0, cpu_s=0.5, n=2)))
    noop, teardown = one.stages
    assert (noop.path_cpu_s, noop.control_cpu_s, noop.cpu_cost_s) == (1.5, 0.25, 1.25)
    assert (teardown.path_cpu_s, teardown.cpu_cost_s) == (None, None)


def test_the_processor_has_the_cost_of_a_whole_probe(one_of):
    def timed(cpu_s: float, n: int) -> ProbeRecord:
        start = Stage(name="start", wall_s=9.0, cpu_s=cpu_s)
        return init(start, Stage(name="noop", wall_s=9.0, cpu_s=2.0, n=n), stage("teardown", 1.0))

    (one,) = one_of(timed(3.0, 2), timed(1.0, 4))
    assert one.cpu_cost_s == (3.0 + 1.0) - (1.0 + 0.5), "each repetition of noop once"
    (one,) = one_of(init(stage("start", 1.0)), init(stage("start", 1.0)))
    assert one.cpu_cost_s is None


def test_the_clock_is_doubted_for_starts_that_are_sooner_through_a_bridge(one_of):
    (quiet,) = one_of(init(stage("start", 2.0)), init(stage("start", 1.0)))
    (sooner,) = one_of(init(stage("start", 1.0)), init(stage("start", 2.0)))
    assert (quiet.sooner, sooner.sooner) == (0, 1)
    assert doubt([quiet] * 9 + [sooner]) == ""
    assert doubt([]) == ""
    assert doubt([quiet] * 8 + [sooner] * 2).startswith("In 2 of 10 pairs the start through a path")
    other = msgspec.structs.replace(sooner, probe="train")
    assert doubt([quiet] + [other] * 9) == "", "a training may be as fast either way"


def test_cold_starts_are_compared_with_cold_starts(one_of):
    mine, its = init(stage("import", 3.0)), init(stage("import", 1.0))
    cold = msgspec.structs.replace(its, cold=True)
    assert one_of(mine, cold) == []
    (one,) = one_of(msgspec.structs.replace(mine, cold=True), cold)
    assert (one.probe, one.cost_s) == ("init, cold", 2.0)


def test_two_versions_of_a_probe_are_not_compared(one_of):
    mine = init(stage("import", 3.0))
    assert one_of(mine, msgspec.structs.replace(mine, version=2)) == []


def test_the_memory_of_each_process_beside_the_control(make_cell, make_document):
    native = Axes(path="native", python="3.12", framework=TORCH)
    bridged = Axes(path="system", r="4.5.0", python="3.12", framework=TORCH)

    def peak(role: str, program: str, mb: float) -> ProcessPeak:
        return ProcessPeak(role=role, program=program, peak_mb=mb)

    mine = (peak("host", "R", 100.0), peak("python", "python", 400.0), peak("other", "sh", 2.0))
    cells = [
        make_cell(native, processes=(peak("host", "python", 350.0),)),
        make_cell(bridged, processes=mine),
    ]
    (one,) = compare_memory(make_document(cells))
    assert (one.host_mb, one.others_mb, one.control_mb, one.cost_mb) == (100.0, 400.0, 350.0, 150.0)
    away = (Elsewhere(machine=Machine(cores=64), cells=(cells[1].id,)),)
    assert compare_memory(make_document(cells, elsewhere=away)) == []
    assert "| 100 MB | 400 MB | 350 MB | +150 MB |" in MARKDOWN.render(make_document(cells))

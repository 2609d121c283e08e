from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.model.cell import Axes
from harness.model.document import Machine, Results
from harness.model.record import CellRecord, ProbeRecord, Stage
from harness.model.status import Phase, Status
from harness.report.junit import REPORT

AXES = Axes(path="native", python="3.12")


def tree(results) -> ET.Element:
    return ET.fromstring(REPORT.render(results))


def test_a_suite_a_cell_and_a_case_a_probe(smoke):
    root = tree(smoke)
    assert {suite.get("name") for suite in root} == {record.id for record in smoke.cells}
    for record in smoke.cells:
        suite = next(one for one in root if one.get("name") == record.id)
        names = [case.get("name") for case in suite.iter("testcase")]
        wanted = [one.name + (f"[{one.variant}]" if one.variant else "") for one in record.probes]
        assert names[: len(wanted)] == wanted
        assert len(names) >= 1
        assert suite.get("time") == f"{record.wall_s:.3f}"


def test_counts_are_those_of_the_cases(smoke):
    root = tree(smoke)
    assert int(root.get("tests")) == len(list(root.iter("testcase")))
    assert int(root.get("failures")) == len(list(root.iter("failure")))
    assert int(root.get("errors")) == len(list(root.iter("error")))
    assert int(root.get("skipped")) == len(list(root.iter("skipped")))


@pytest.mark.parametrize(
    ("status", "element"),
    [
        (Status.FAIL, "failure"),
        (Status.CRASH, "error"),
        (Status.TIMEOUT, "error"),
        (Status.OOM, "error"),
        (Status.MISSING, "error"),
        (Status.UNSATISFIABLE, "skipped"),
        (Status.UNAVAILABLE, "skipped"),
        (Status.UNSUPPORTED, "skipped"),
        (Status.SKIPPED, "skipped"),
    ],
)
def test_statuses_of_cells_without_probes(make_cell, make_document, status, element):
    root = tree(make_document([make_cell(AXES, status=status, message="why <so>")]))
    (case,) = root.iter("testcase")
    assert case.get("name") == "cell"
    assert "why <so>" in case.find(element).get("message")


def test_a_failure_has_its_place_cause_and_evidence(make_cell, make_document):
    probe = ProbeRecord(
        name="train",
        status=Status.FAIL,
        phase=Phase.CONVERT,
        message="no",
        stages=(Stage(name="a", wall_s=0.25), Stage(name="b", wall_s=0.5)),
    )
    record = make_cell(
        AXES, status=Status.FAIL, probes=(probe,), cause="x-y", evidence={"traceback": "line 3"}
    )
    (case,) = tree(make_document([record])).iter("testcase")
    assert (case.get("classname"), case.get("time")) == (record.id, "0.750000")
    failure = case.find("failure")
    assert failure.get("message") == "fail at convert: no"
    assert (failure.get("type"), failure.text) == ("x-y", "line 3")


def test_a_cell_that_broke_down_after_its_probes_is_not_green(make_cell, make_document):
    done = ProbeRecord(name="init", status=Status.PASS)
    record = make_cell(AXES, status=Status.CRASH, probes=(done,), message="SIGSEGV at its end")
    names = {case.get("name"): case for case in tree(make_document([record])).iter("testcase")}
    assert names["init"].find("error") is None
    assert "SIGSEGV" in names["cell"].find("error").get("message")


@pytest.mark.parametrize(
    ("other", "status", "element"),
    [
        (Status.UNSUPPORTED, Status.CRASH, "error"),
        (Status.SKIPPED, Status.FAIL, "failure"),
        # A process that failed in a probe and crashed at its end.
        (Status.FAIL, Status.CRASH, "error"),
    ],
)
def test_a_probe_that_ended_otherwise_does_not_tell_of_the_cell(
    make_cell, make_document, other, status, element
):
    probes = (
        ProbeRecord(name="init", status=Status.PASS),
        ProbeRecord(name="callback", status=other),
    )
    record = make_cell(AXES, status=status, probes=probes, message="at its end")
    root = tree(make_document([record]))
    names = {case.get("name"): case for case in root.iter("testcase")}
    assert "at its end" in names["cell"].find(element).get("message")
    assert root.get({"error": "errors", "failure": "failures"}[element]) == "1"


def test_what_a_probe_tells_of_is_not_told_twice(make_cell, make_document):
    probes = (
        ProbeRecord(name="init", status=Status.TIMEOUT),
        ProbeRecord(name="callback", status=Status.UNSUPPORTED),
    )
    record = make_cell(AXES, status=Status.TIMEOUT, probes=probes)
    names = [case.get("name") for case in tree(make_document([record])).iter("testcase")]
    assert names == ["init", "callback"]


@settings(deadline=None)
@given(st.text(), st.text())
def test_any_text_is_well_formed(message, evidence):
    record = CellRecord(
        id="c",
        axes={"path": message},
        status=Status.FAIL,
        message=message,
        evidence={"x": evidence},
    )
    document = Results(matrix=message, machine=Machine(), planned=("c",), cells=(record,))
    assert tree(document).get("tests") == "1"

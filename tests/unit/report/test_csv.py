from __future__ import annotations

import csv
import io

import pytest

from harness.model.cell import Axes
from harness.model.record import Trial
from harness.model.status import Status
from harness.report.csv import COLUMNS, REPORT


def rows(results) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(REPORT.render(results), newline="")))


def test_a_row_a_cell_and_probe(smoke):
    found = rows(smoke)
    assert len(found) == sum(max(len(record.probes), 1) for record in smoke.cells)
    assert list(found[0]) == list(COLUMNS)
    keras = [row for row in found if row["id"] == "native__py3.11__keras3.15.1-jax-torch__cpu"]
    assert [(row["probe"], row["variant"]) for row in keras] == [
        ("init", "jax"),
        ("train", "jax"),
        ("init", "torch"),
        ("train", "torch"),
    ]
    assert keras[0]["probe_wall_s"] == "16.271"
    assert keras[0]["framework"] == "keras[jax,torch]==3.15.1"


def test_the_control_stands_beside_the_cell(smoke):
    row = next(row for row in rows(smoke) if row["id"] == "system__r4.2.2__py3.12__jax0.9.2__cpu")
    assert row["control"] == "native__py3.12__jax0.9.2__cpu"
    assert row["control_status"] == "fail"


def test_lines_end_as_rfc_4180_has_it(smoke):
    text = REPORT.render(smoke)
    assert text.count("\r\n") == text.count("\n")


@pytest.mark.parametrize(
    ("message", "written"),
    [
        ("=1+1", "'=1+1"),
        ("+1", "'+1"),
        ("-x", "'-x"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "=1"),
        ('a "quoted", text', 'a "quoted", text'),
    ],
)
def test_no_text_becomes_a_formula(make_cell, make_document, message, written):
    record = make_cell(Axes(path="native", python="3.12"), status=Status.FAIL, message=message)
    (row,) = rows(make_document([record]))
    assert row["message"] == (written if written[0] != "=" else f"'{written}")


def test_numbers_are_written_whole(make_cell, make_document):
    record = make_cell(Axes(path="native", python="3.12"), wall_s=123456.789, max_rss_mb=0.0)
    (row,) = rows(make_document([record]))
    assert (row["wall_s"], row["max_rss_mb"]) == ("123456.789", "0")


def test_pins_are_one_column(make_cell, make_document):
    axes = Axes(path="native", python="3.12", pins=(("numpy", "<2"), ("scipy", "==1.14")))
    (row,) = rows(make_document([make_cell(axes)]))
    assert row["pins"] == "numpy<2 scipy==1.14"


def test_stages_stand_on_the_row_of_their_probe(smoke):
    wanted = {
        (record.id, probe.name, probe.variant): probe.stages
        for record in smoke.cells
        for probe in record.probes
    }
    for row in rows(smoke):
        stages = wanted.get((row["id"], row["probe"], row["variant"] or None), ())
        said = [stage.split(":") for stage in row["stages"].split()]
        assert [name for name, *_ in said] == [stage.name for stage in stages]
        for (_, wall, cpu, n), stage in zip(said, stages, strict=True):
            assert float(wall) == pytest.approx(stage.wall_s, abs=1e-6)
            assert (cpu == "") == (stage.cpu_s is None)
            assert int(n) == stage.n


def test_versions_read_back_and_how_it_ended(make_cell, make_document):
    record = make_cell(
        Axes(path="system", r="4.5.0", python="3.12"),
        identity={"python": {"version": "3.12.1"}, "modules": {"numpy": "2.4.6", "jax": "0.9.2"}},
        attempts=(Status.PASS, Status.CRASH),
        findings=("one", "two"),
        trials=(
            Trial(remedy="older-python", verified=True, cell="a"),
            Trial(remedy="numpy-1", verified=None, cell=""),
        ),
    )
    (row,) = rows(make_document([record]))
    assert row["python_version"] == "3.12.1"
    assert row["packages"] == "jax==0.9.2 numpy==2.4.6"
    assert (row["attempts"], row["exit_code"], row["implied"]) == ("pass crash", "0", "false")
    assert row["findings"] == "one\ntwo"
    assert row["remedies"] == "older-python:proven numpy-1:untried"

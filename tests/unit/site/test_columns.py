"""The data of the first screen: small, and nothing of the cells is lost in it."""

from __future__ import annotations

import json
import re

from hypothesis import given
from hypothesis import strategies as st

from harness.report.base import NO_LOGS
from harness.site.columns import CHUNK, cells_of, ranges, table
from harness.site.details import MOST, chunks, logs_of, script
from harness.site.source import source_of
from tests.unit.report.conftest import cell, document
from tests.unit.site.sample import EVIL, Axes, SampleLogs, sample


def made():
    results = sample()
    cells = cells_of(results)
    return results, cells, table(results, cells, source_of(results))


def test_every_value_of_a_cell_can_be_read_back():
    _, cells, data = made()
    for row, record in enumerate(cells.records):
        assert "__".join(data["parts"][part] for part in data["ids"][row]) == record.id
        for axis, value in record.axes.items():
            assert data["values"][axis][data["columns"][axis][row]] == value
        for key in ("status", "phase", "cause"):
            assert data["values"][key][data["columns"][key][row]] == getattr(record, key)
        assert data["wall_s"][row] == record.wall_s


def test_control_and_place_lead_to_the_right_cells():
    results, cells, data = made()
    for row, record in enumerate(cells.records):
        assert results.cells[data["at"][row]] is record
        control = data["control"][row]
        known = {one.id for one in cells.records}
        if record.control in known:
            assert cells.records[control].id == record.control
        else:
            assert control == -1


def test_a_cell_of_another_machine_says_so():
    _, cells, data = made()
    elsewhere = [
        cells.records[row].id for row, machine in enumerate(data["machine"]) if machine == 1
    ]
    assert elsewhere == [one.id for one in cells.records if one.axes["path"] == "rpc"]
    assert data["machines"][1].startswith("Fedora 44")


@given(st.sets(st.integers(0, 60)))
def test_ranges_say_which_positions(positions):
    text = ranges(positions)
    found = set()
    for part in text.split(",") if text else []:
        first, _, last = part.partition("-")
        found.update(range(int(first), int(last or first) + 1))
    assert found == positions


def handed_over(text: str):
    """What a script hands over: its name and its value, as a browser reads them."""
    found = re.fullmatch(r"harnessData\((\"[^\"]+\"),(.*)\)\n", text, re.DOTALL)
    assert found
    return json.loads(found[1]), json.loads(found[2])


@given(st.text())
def test_a_script_hands_over_what_it_was_given_and_cannot_be_left(text):
    made = script("name", [text])
    assert handed_over(made) == ("name", [text])
    assert "<" not in made
    assert "\u2028" not in made


def test_records_are_in_files_of_a_hundred_as_the_document_has_them():
    many = document([cell(Axes(path="native", python=f"3.{n}")) for n in range(CHUNK + 1)])
    files = list(chunks(many))
    assert [file.path for file in files] == ["data/records-0.js", "data/records-1.js"]
    texts = [text for file in files for text in handed_over(file.data)[1]]
    assert [json.loads(text)["id"] for text in texts] == [one.id for one in many.cells]


def test_logs_are_texts_with_a_note_where_they_were_cut():
    results = sample()
    files = {file.path: file.data for file in logs_of(cells_of(results), SampleLogs())}
    texts = {path.rpartition("/")[2]: data for path, data in files.items() if ".txt" in path}
    assert texts["stdout.txt"] == f"head\n[{MOST} bytes are left out here]\ntail"
    assert "<script>window.evil" in texts["stderr.txt"]
    assert "requirements.lock.txt" not in texts
    [shown] = [handed_over(data)[1] for path, data in files.items() if path.endswith(".js")]
    assert [one["name"] for one in shown] == ["stderr", "stdout", "requirements.lock"]
    assert shown[0]["text"].split("\u2028")[0] == EVIL.split("\u2028")[0]
    assert shown[2]["path"] is None


def test_results_that_are_a_document_alone_have_no_logs():
    assert list(logs_of(cells_of(sample()), NO_LOGS)) == []

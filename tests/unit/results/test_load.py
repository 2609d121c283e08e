from __future__ import annotations

import gzip
import json
import os
import re

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.errors import FileFault, MachineFault
from harness.model.document import encode
from harness.results.load import DOCUMENT, JOURNAL, load, read_events
from harness.results.save import save

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
EVENT = st.builds(
    lambda kind, rest: {**rest, "event": kind},
    st.sampled_from(["run-started", "planned", "cell-started", "cell-finished", "run-finished"]),
    st.dictionaries(
        st.sampled_from(["at", "matrix", "harness", "machine", "cells", "id", "record", "partial"]),
        JSON,
    ),
)
FUZZ = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200, deadline=None
)


def loads_or_says_where(folder) -> None:
    """Whatever the files hold: results, or one sentence that begins with the file."""
    found = None
    try:
        load(folder)
    except FileFault as fault:
        found = fault
    assert found is None or str(found).startswith(found.source)
    assert "\n" not in str(found)


def test_a_saved_document_comes_back(tmp_path, make_document, make_record):
    results = make_document(make_record("a"), make_record("b", "fail", message="no"))
    save(results, tmp_path)
    assert load(tmp_path) == results
    assert load(tmp_path / DOCUMENT) == results
    assert sorted(path.name for path in tmp_path.iterdir()) == [DOCUMENT]


def test_a_document_is_on_disk_before_it_has_its_name(tmp_path, make_document, monkeypatch):
    seen = []
    monkeypatch.setattr(
        os, "fsync", lambda number: seen.append(os.fstat(number).st_size * (not target.exists()))
    )
    target = tmp_path / DOCUMENT
    save(make_document(), tmp_path)
    assert seen == [target.stat().st_size]


def test_the_journal_counts_where_it_tells_of_a_run(tmp_path, journal, make_document, make_record):
    save(make_document(make_record("a", "fail")), tmp_path)
    (tmp_path / JOURNAL).write_text(journal.run().plan("a").finish("a").lines)
    assert load(tmp_path).cells[0].status == "pass"


def test_a_packed_document_comes_back(tmp_path, make_document, make_record):
    results = make_document(make_record("a"))
    save(results, tmp_path)
    document = tmp_path / "results.json"
    (tmp_path / "results.json.gz").write_bytes(gzip.compress(document.read_bytes()))
    document.unlink()
    assert load(tmp_path) == results
    assert load(tmp_path / "results.json.gz") == results


@pytest.mark.parametrize("cut", [0, 5, 40])
def test_a_packed_document_that_is_none(tmp_path, make_document, make_record, cut):
    save(make_document(make_record("a")), tmp_path)
    packed = gzip.compress((tmp_path / "results.json").read_bytes())
    file = tmp_path / "cut.json.gz"
    file.write_bytes(packed[:cut] + b"x" * 10 if cut == 5 else packed[:cut])
    with pytest.raises(FileFault) as caught:
        load(file)
    assert caught.value.source == str(file)


def test_what_unpacks_to_more_than_there_is_room_for(tmp_path, monkeypatch):
    monkeypatch.setattr("harness.results.load.LARGEST", 1000)
    file = tmp_path / "results.json.gz"
    file.write_bytes(gzip.compress(b" " * 5000))
    with pytest.raises(FileFault, match="unpacked it is larger"):
        load(tmp_path)


@pytest.mark.parametrize("name", [JOURNAL, DOCUMENT])
def test_a_file_of_gigabytes_that_takes_no_room(tmp_path, name, monkeypatch):
    # Its own limit would take half a gigabyte of memory to reach.
    monkeypatch.setattr("harness.results.load.LONGEST", 2**20)
    with (tmp_path / name).open("wb") as file:
        file.truncate(6 * 2**30)
    said = {DOCUMENT: r"larger than 2048 MiB", JOURNAL: r"jsonl:1: is longer than 1 MiB here"}
    with pytest.raises(FileFault, match=said[name]):
        load(tmp_path)


def test_a_file_for_which_there_is_no_memory(tmp_path, make_document, monkeypatch):
    save(make_document(), tmp_path)

    def exhausted(*_args, **_named):
        raise MemoryError

    monkeypatch.setattr(msgspec.json, "decode", exhausted)
    with pytest.raises(FileFault, match="takes more memory than there is"):
        load(tmp_path)


def test_a_journal_of_a_newer_harness_is_not_damaged(tmp_path, journal):
    whole = journal.run().plan("a").finish("a").lines.splitlines()
    newer = {"event": "cell-finished", "record": {"status": "of-tomorrow"}}
    begun = {"event": "run-started", "matrix": "m", "schema": 2}
    lines = [*whole, json.dumps(begun), json.dumps(newer)]
    (tmp_path / JOURNAL).write_text("\n".join(lines))
    said = (
        rf"jsonl:{len(whole) + 1}: written with version 2 of the schema, and this harness reads "
        "up to 1: update the harness"
    )
    with pytest.raises(FileFault, match=said):
        load(tmp_path)


def test_an_empty_journal_leaves_it_to_the_document(tmp_path, make_document, make_record):
    save(make_document(make_record("a", "fail")), tmp_path)
    (tmp_path / JOURNAL).write_text("")
    assert load(tmp_path).cells[0].status == "fail"


@pytest.mark.parametrize("cut", range(1, 60, 7))
def test_a_line_cut_short_costs_that_line_alone(tmp_path, journal, cut):
    whole = journal.run().plan("a", "b").finish("a").finish("b").lines
    (tmp_path / JOURNAL).write_text(whole[:-cut])
    assert [record.status.value for record in load(tmp_path).cells] == [
        "pass",
        "pass" if cut == 1 else "missing",  # the last character is the line's end
    ]


def test_a_cut_line_in_the_middle_costs_that_line_alone(tmp_path, journal):
    lines = journal.run().plan("a", "b").finish("a").finish("b").lines.splitlines()
    lines[2] = lines[2][:30]
    (tmp_path / JOURNAL).write_text("\n".join(lines))
    assert [record.status.value for record in load(tmp_path).cells] == ["missing", "pass"]


def test_events_come_with_their_line(tmp_path):
    (tmp_path / JOURNAL).write_bytes(b'{"event": "x"}\n\n[]\n\xff\n{"event": "y"}')
    assert list(read_events(tmp_path / JOURNAL)) == [
        (1, {"event": "x"}),
        (3, None),
        (4, None),
        (5, {"event": "y"}),
    ]


def test_a_planned_cell_without_a_record_is_missing(tmp_path, make_document, make_record):
    save(make_document(make_record("a"), planned=("a", "b")), tmp_path)
    assert [record.status.value for record in load(tmp_path).cells] == ["pass", "missing"]


def test_no_results_here(tmp_path):
    with pytest.raises(
        FileFault, match=r"no results here: name a folder that holds journal\.jsonl"
    ):
        load(tmp_path)


def test_a_journal_of_no_run(tmp_path):
    (tmp_path / JOURNAL).write_text('{"event": "note"}\nrubbish\n')
    with pytest.raises(FileFault, match=r"journal\.jsonl:2: .*harness run"):
        load(tmp_path)


def test_a_faulty_event_has_its_line(tmp_path, journal):
    journal.run().add({"event": "planned", "cells": [{"id": 1}]})
    (tmp_path / JOURNAL).write_text(journal.lines)
    with pytest.raises(FileFault, match=r"journal\.jsonl:2: .*`str`.*\(in cells\[0\]\.id\)"):
        load(tmp_path)


def test_a_faulty_value_has_its_line(tmp_path, make_document, make_record):
    text = encode(make_document(make_record("a"), make_record("b"))).decode()
    lines = text.replace('"status": "pass"', '"status": "fine"').split("\n")
    line = next(number for number, part in enumerate(lines, 1) if "fine" in part)
    (tmp_path / DOCUMENT).write_text("\n".join(lines))
    message = rf"results\.json:{line}: .*'fine' \(in cells\[0\]\.status\)"
    with pytest.raises(FileFault, match=message):
        load(tmp_path)


def test_broken_json_has_its_line(tmp_path):
    (tmp_path / DOCUMENT).write_text('{\n "schema": 1,\n oops\n}')
    with pytest.raises(FileFault, match=r"results\.json:3: ") as caught:
        load(tmp_path)
    assert "byte" not in str(caught.value)


def test_a_newer_document_says_so(tmp_path):
    (tmp_path / DOCUMENT).write_text('{"schema": 99, "cells": "of another form"}')
    with pytest.raises(FileFault, match=r"version 99 of the schema.*update the harness"):
        load(tmp_path)


def test_a_cell_that_is_there_twice(tmp_path, make_document, make_record):
    (tmp_path / DOCUMENT).write_bytes(encode(make_document(make_record("a"), make_record("a"))))
    with pytest.raises(FileFault, match="'a' is there more than once"):
        load(tmp_path)


def test_a_file_that_cannot_be_read(tmp_path, monkeypatch):
    (tmp_path / DOCUMENT).write_text("{}")

    def refuse(*_args):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.open", refuse)
    with pytest.raises(FileFault, match="cannot be read: Permission denied"):
        load(tmp_path)


@pytest.mark.parametrize("name", ["nowhere", "a\0b", "x" * 5000])
def test_a_folder_that_cannot_be(tmp_path, name):
    with pytest.raises(FileFault):
        load(tmp_path / name)


def test_saving_where_it_cannot_be_written(tmp_path, make_document):
    (tmp_path / "file").write_text("")
    with pytest.raises(MachineFault, match="cannot be written"):
        save(make_document(), tmp_path / "file")


def test_results_are_replaced_whole(tmp_path, make_document, make_record, monkeypatch):
    save(make_document(make_record("a")), tmp_path)

    def full(*_args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(MachineFault, match="No space left"):
        save(make_document(make_record("b")), tmp_path)
    assert load(tmp_path).planned == ("a",)
    assert [path.name for path in tmp_path.iterdir()] == [DOCUMENT]


@FUZZ
@given(name=st.sampled_from([JOURNAL, DOCUMENT]), data=st.binary(max_size=200))
def test_random_bytes(tmp_path, name, data):
    for file in (JOURNAL, DOCUMENT):
        (tmp_path / file).unlink(missing_ok=True)
    (tmp_path / name).write_bytes(data)
    loads_or_says_where(tmp_path)


@FUZZ
@given(events=st.lists(EVENT | JSON, max_size=5), cut=st.integers(0, 20))
def test_random_events(tmp_path, events, cut):
    text = "".join(json.dumps(event) + "\n" for event in events)
    (tmp_path / JOURNAL).write_text(text[: max(0, len(text) - cut)])
    loads_or_says_where(tmp_path)


@FUZZ
@given(data=st.data(), value=JSON)
def test_a_document_with_one_value_exchanged(tmp_path, make_document, make_record, data, value):
    text = encode(make_document(make_record("a"), make_record("b"))).decode()
    places = list(re.finditer(r': ("[^"]*"|[0-9.]+|null|true|false)', text))
    place = data.draw(st.sampled_from(places))
    exchanged = text[: place.start(1)] + json.dumps(value) + text[place.end(1) :]
    (tmp_path / DOCUMENT).write_text(exchanged)
    loads_or_says_where(tmp_path)


def test_nesting_without_end(tmp_path):
    for name in (JOURNAL, DOCUMENT):
        (tmp_path / name).write_text("[" * 200_000)
    loads_or_says_where(tmp_path)
    (tmp_path / JOURNAL).unlink()
    loads_or_says_where(tmp_path)


def test_encoding_keeps_the_keys_that_others_read(make_document, make_record):
    document = msgspec.json.decode(encode(make_document(make_record("a"))))
    assert {"schema", "matrix", "machine", "cells", "planned"} <= set(document)
    keys = "id axes status phase cause message wall_s max_rss_mb identity probes"
    assert set(keys.split()) <= set(document["cells"][0])


@pytest.mark.parametrize("field", ["planned", "others"])
def test_a_name_that_leads_elsewhere_is_refused_wherever_it_stands(
    tmp_path, make_document, make_record, field
):
    save(make_document(make_record("a")), tmp_path)
    document = json.loads((tmp_path / DOCUMENT).read_text())
    other = {"id": "../../x", "axes": {}}
    document[field] = [*document[field], other["id"] if field == "planned" else other]
    (tmp_path / DOCUMENT).write_text(json.dumps(document))
    with pytest.raises(FileFault, match=r"'\.\./\.\./x' is the name of no cell"):
        load(tmp_path)

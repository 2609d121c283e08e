"""The lines of results.json, which every number of the site refers to."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.model.document import encode
from harness.site.source import pieces, source_of, status_line, wall_line
from tests.unit.report.conftest import cell, document
from tests.unit.site.sample import JAX, Axes, sample

TEXTS = st.text(max_size=20)
VALUES = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize("results", [sample(), document([])], ids=["sample", "empty"])
def test_the_pieces_are_the_document(results):
    assert b"".join(pieces(results)) == encode(results)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.dictionaries(TEXTS, VALUES, max_size=3), min_size=1, max_size=3))
def test_every_cell_stands_where_it_is_said_to(details):
    records = [
        msgspec.structs.replace(
            cell(Axes(path="native", python=f"3.{n}", framework=JAX)), identity=one
        )
        for n, one in enumerate(details)
    ]
    results = document(records)
    lines = encode(results).decode().split("\n")
    source = source_of(results)
    for record, first, last in zip(records, source.first, source.last, strict=True):
        text = "\n".join(lines[first - 1 : last]).rstrip(",")
        assert json.loads(text)["id"] == record.id
        assert json.loads(text)["identity"] == json.loads(msgspec.json.encode(record.identity))


def test_status_and_time_stand_where_they_are_said_to():
    results = sample()
    lines = encode(results).decode().split("\n")
    for record, first in zip(results.cells, source_of(results).first, strict=True):
        assert lines[status_line(first, record) - 1].strip() == f'"status": "{record.status}",'
        name, _, value = lines[wall_line(first, record) - 1].strip().rstrip(",").partition(": ")
        assert (name, float(value)) == ('"wall_s"', record.wall_s)


def test_a_cell_without_axes_has_them_on_one_line():
    record = msgspec.structs.replace(cell(Axes(path="native", python="3.12")), axes={})
    results = document([record])
    lines = encode(results).decode().split("\n")
    first = source_of(results).first[0]
    assert lines[wall_line(first, record) - 1].strip() == '"wall_s": 21.4,'

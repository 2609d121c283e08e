"""What holds for every format."""

from __future__ import annotations

import random

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.errors import UsageError
from harness.model.cell import Axes
from harness.model.document import Results
from harness.model.status import Phase, Status
from harness.report.base import Options, options_for
from harness.report.registry import find, names

FORMATS = ("terminal", "markdown", "csv", "json", "compat")
HOSTILE = st.text(alphabet=st.sampled_from("ab |`*_[]()<>&#\\\n\r\t\x1b\x00\u202e=+-@'\",;é✓"))


def render(name: str, results: Results, **options: object) -> str:
    return find(name).render(results, options=Options(**options))


def test_the_formats_are_registered():
    assert set(FORMATS) <= set(names())
    assert [find(name).name for name in FORMATS] == list(FORMATS)


def test_an_unknown_format_lists_what_there_is():
    with pytest.raises(UsageError, match=r"write one of .*\bcsv, "):
        find("pdf")


@pytest.mark.parametrize("name", FORMATS)
def test_every_cell_is_named(smoke, name):
    rendered = render(name, smoke)
    wanted = [
        record.id for record in smoke.cells if name != "terminal" or record.status != Status.PASS
    ]
    assert [cell for cell in wanted if cell not in rendered] == []
    assert rendered.endswith("\n")


@pytest.mark.parametrize("name", FORMATS)
def test_an_empty_document(make_document, name):
    assert render(name, make_document([], finished_at=None, started_at=""))


@pytest.mark.parametrize("name", ["terminal", "markdown", "csv", "compat", "readme"])
def test_the_order_of_the_cells_does_not_matter(smoke, make_document, name):
    cells = list(smoke.cells)
    random.Random(2).shuffle(cells)
    assert render(name, make_document(cells)) == render(name, smoke)


def test_json_is_the_document(smoke):
    assert msgspec.json.decode(render("json", smoke), type=Results) == smoke


@pytest.mark.parametrize("name", ["terminal", "markdown", "csv", "readme", "changes"])
@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=80, deadline=None
)
@given(texts=st.lists(HOSTILE, min_size=6, max_size=6))
def test_whatever_a_cell_says_nothing_is_steered(make_cell, make_document, name, texts):
    message, pin, version, evidence, finding, cell = texts
    record = make_cell(
        Axes(path="system", r="4.5.0", python="3.12"),
        id=cell,
        axes={"path": "system", "python": version, "framework": message, pin: version},
        status=Status.FAIL,
        phase=Phase.TRAIN,
        message=message,
        findings=(finding,),
        evidence={pin: evidence},
    )
    before = make_document([], matrix=version)
    rendered = render(name, make_document([record], matrix=version), since=(before,))
    assert not set(rendered.replace("\r\n", "\n")) & set("\x1b\x00\u202e\r")


class _Stream:
    def __init__(self, *, tty: bool) -> None:
        self._tty = tty

    def isatty(self) -> bool:
        return self._tty


@pytest.mark.parametrize(
    ("tty", "environ", "color"),
    [
        (True, {}, True),
        (True, {"NO_COLOR": "1"}, False),
        (True, {"NO_COLOR": ""}, True),
        (True, {"TERM": "dumb"}, False),
        (False, {}, False),
    ],
)
def test_colour_is_for_terminals(tty, environ, color):
    assert options_for(_Stream(tty=tty), environ).color is color

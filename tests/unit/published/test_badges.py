"""Badges: what they say, to those who see them and to those who do not."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.model.record import CellRecord
from harness.model.status import Status
from harness.published import badges
from harness.published.badges import REPORT, badge
from tests.unit.published.bench import cell, document, native

SVG = "{http://www.w3.org/2000/svg}"


def files(*cells: CellRecord) -> dict[str, str]:
    found = list(REPORT.files(document(*cells)))
    assert len({file.path for file in found}) == len(found), "every file once"
    return {file.path: str(file.data) for file in found}


def title(svg: str) -> str:
    return ET.fromstring(svg).findtext(f"{SVG}title") or ""


def test_a_bridge_has_one_for_itself_and_for_each_version() -> None:
    old = cell(
        "fail",
        bridge="1.28",
        python="3.12",
        phase="python",
        identity={"bridge": {"version": "1.28"}},
    )
    cells = [cell(bridge="1.28"), old, cell(bridge="1.41"), native(), native(python="3.12")]
    found = files(*cells)
    assert title(found["bridges/reticulate.svg"]) == "reticulate: 2 of 3 work, 2026-11-22"
    assert title(found["bridges/reticulate-1.41.svg"]) == "reticulate 1.41: 1 of 1 work, 2026-11-22"
    assert title(found["bridges/reticulate-1.28-python.svg"]) == (
        "reticulate 1.28: Python 3.11, 2026-11-22"
    )


def test_a_bridge_that_starts_no_python_says_so() -> None:
    dead = cell("fail", bridge="1.28", phase="python", identity={"bridge": {"version": "1.28"}})
    found = files(dead, native())
    assert "no Python that was tried" in found["bridges/reticulate-1.28-python.svg"]
    assert "0 of 1 work" in found["bridges/reticulate.svg"]


def test_what_was_not_measured_is_not_red() -> None:
    found = files(cell("missing", bridge="1.28"), native("missing"))
    assert "not measured" in found["bridges/reticulate.svg"]


@pytest.mark.parametrize("status", list(Status))
def test_a_cell_says_its_status_with_a_symbol_and_a_word(status: Status) -> None:
    one = cell(status.value, bridge="1.41")
    svg = files(one)[f"cells/{one.id}.svg"]
    assert title(svg) == (
        f"reticulate 1.41, R 4.5.0, Python 3.11, jax 0.10.2: {status.symbol} {status.value}, "
        "2026-11-22"
    )


def test_it_is_a_picture_with_a_name_and_loads_nothing() -> None:
    svg = badge("a", "b", "#1a7f37")
    root = ET.fromstring(svg)
    assert root.get("role") == "img"
    assert root.get("aria-label") == title(svg) == "a: b"
    assert not re.search(r"href|url\(|<script|style", svg)
    assert not [node for node in root.iter() if node.get("id")], "several may be on one page"


def luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize(
    "colour", [getattr(badges, f"_{name}") for name in ("GREEN", "RED", "AMBER", "GREY", "LABEL")]
)
def test_white_text_can_be_read_on_every_colour(colour: str) -> None:
    assert 1.05 / (luminance(colour) + 0.05) >= 4.5, "WCAG 2.2, 1.4.3"


@given(st.text(), st.text())
def test_whatever_it_is_to_say_it_is_well_formed(left: str, right: str) -> None:
    root = ET.fromstring(badge(left, right, "#1a7f37"))
    width = int(root.get("width", "0"))
    for node in root.iter(f"{SVG}text"):
        assert int(node.get("x", "0")) + int(node.get("textLength", "0")) <= width
        assert int(node.get("textLength", "0")) >= 0


def test_a_hostile_id_leads_nowhere() -> None:
    found = files(native(id="../../etc/<b>"))
    assert list(found) == ["cells/etc-b.svg"]

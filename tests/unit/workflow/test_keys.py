"""A result counts for what was asked, and for the files that a probe asks with."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

from harness.model.cell import Axes, Cell
from harness.paths.native import PATH
from harness.probes.convert.fixtures import folder
from harness.workflow import keys

AXES = Axes(path="native", python="3.11")


def cell(*probes: str) -> Cell:
    return Cell(id="native", axes=AXES, probes=probes)


def test_a_cell_sees_the_files_of_its_probes():
    assert keys.files_of(cell("init", "call")) == {}
    assert keys.files_of(cell("init", "convert")) == {"HARNESS_FILES_OF_CONVERT": folder()}


def test_other_files_are_another_question(monkeypatch, tmp_path: Path):
    def key(text: str) -> str:
        place = tmp_path / text
        place.mkdir()
        (place / "values.yaml").write_text(text, encoding="utf-8")
        monkeypatch.setattr(keys, "find_probe", lambda _name: SimpleNamespace(files=place))
        return keys.cell_key(cell("convert"), PATH)

    assert key("one") != key("another")
    assert keys.cell_key(cell("init"), PATH) == keys.cell_key(cell("init"), PATH)

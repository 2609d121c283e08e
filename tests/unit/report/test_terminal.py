from __future__ import annotations

import re

import pytest

from harness.model.cell import Axes, Framework
from harness.model.document import Elsewhere, Machine
from harness.model.status import Phase, Status
from harness.report.base import Options
from harness.report.terminal import REPORT

ANSI = re.compile(r"\x1b\[[0-9;]*m")


def render(results, **options):
    return REPORT.render(results, options=Options(**options))


def squeezed(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.parametrize("width", [60, 80, 100, 140])
def test_it_keeps_to_the_width(smoke, width):
    lines = render(smoke, width=width).splitlines()
    too_long = [line for line in lines if len(line) > width and "__" not in line]
    assert too_long == []


def test_colour_changes_nothing_but_colour(smoke):
    coloured = render(smoke, color=True)
    assert ANSI.search(coloured)
    assert ANSI.sub("", coloured) == render(smoke)


def test_without_colour_there_are_symbol_and_word(smoke):
    text = render(smoke)
    assert "\x1b" not in text
    assert "✓ pass" in text
    assert "✗ fail [2]" in text


def test_one_cause_is_told_once(smoke):
    text = render(smoke)
    assert text.count("No module named 'imp'") == 1
    assert "[4] ✗ fail at python, 4 cells" in text


def test_a_failing_control_excuses_the_bridge(smoke):
    block = render(smoke).split("[5] ")[-1].split("\n\n")[0]
    assert "Not the bridge's failure" in block
    assert "system__r4.2.2__py3.12__jax0.9.2__cpu" in block


def test_many_cells_are_not_all_named(make_cell, make_document):
    cells = [
        make_cell(
            Axes(path="native", python=f"3.{minor}", framework=Framework("torch")),
            status=Status.FAIL,
            phase=Phase.IMPORT,
            message="No.",
        )
        for minor in range(1, 41)
    ]
    text = render(make_document(cells))
    assert text.count("native__") == 8
    assert "and 32 more, marked [1] above" in text


def test_totals(smoke):
    last = render(smoke).splitlines()[-3:]
    assert last == [
        "cells took 14 min 16 s in total, most memory of one 912 MB",
        "started 2026-11-30 10:02 UTC, ended 7 min 29 s later",
        "40 cells: ✓ 31 pass, ! 1 crash, ✗ 8 fail",
    ]


def test_a_run_that_was_cut_short(smoke, make_document):
    text = render(make_document(list(smoke.cells), finished_at=None))
    assert "started 2026-11-30 10:02 UTC, not ended" in text


def test_the_bridge_cost_stands_beside_the_control(smoke):
    text = squeezed(render(smoke))
    assert "jax 0.9.2 control 4.3 s 2.8 s reticulate 1.28 5.8 s (+1.6 s)" in text
    assert "bridge_load +700 ms" in text


def test_cells_of_another_machine_are_counted(smoke, make_document):
    away = (Elsewhere(machine=Machine(os="Ubuntu 24.04"), cells=(smoke.cells[0].id,)),)
    assert "1 cell on Ubuntu 24.04" in render(make_document(list(smoke.cells), elsewhere=away))


def test_where_the_logs_are(smoke):
    assert "logs of each: /tmp/x/cells/<cell>/" in render(smoke, logs="/tmp/x/cells")

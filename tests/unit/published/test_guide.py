"""The page for people, as Markdown."""

from __future__ import annotations

from harness.published.guide import REPORT
from harness.report.base import Options
from tests.unit.published.bench import cell, document, native, probe

CELLS = [
    *(cell(bridge="1.41", python=python) for python in ("3.11", "3.12", "3.13")),
    cell(
        "fail",
        bridge="1.28",
        python="3.12",
        phase="python",
        identity={"bridge": {"version": "1.28"}},
    ),
    *(native(python=python) for python in ("3.11", "3.12", "3.13")),
    native("unavailable", python="3.14"),
]


def test_it_says_what_is_known_and_what_is_not() -> None:
    page = REPORT.render(document(*CELLS))
    assert "7 of 8 cells have a result" in page
    assert "1 cell could not be run on this machine." in page
    assert "last seen on 2026-11-22" in page


def test_ranges_stand_with_their_gaps() -> None:
    page = REPORT.render(document(*CELLS))
    assert (
        "- reticulate: Python 3.12 with 1.41 (not tried between 1.28 and 1.41); not with 1.28"
        in page
    )


def test_what_is_no_limit_of_a_python_is_listed() -> None:
    failed = cell("fail", path="rpy2", bridge="3.6.9", r="4.2.2", cause="rpy2-too-new-for-R")
    page = REPORT.render(document(failed, native()))
    assert (
        "- 1 cell, rpy2 3.6.9 with R 4.2.2 and Python 3.11: rpy2 &gt;= 3.6.6 meets R &lt; 4.5 "
        "(`rpy2-too-new-for-R`)"
    ) in page


def test_paths_have_what_was_counted_and_other_versions() -> None:
    page = REPORT.render(document(*CELLS))
    row = next(line for line in page.splitlines() if line.startswith("| reticulate 1.41 |"))
    counts = ["3 of 3"] * 3
    assert row.split(" | ")[1:6] == ["R", *counts, "3 of 3 Pythons tried (3.11, 3.12, 3.13)"]
    assert "- reticulate 1.28: 0 of 1 cells work" in page


def test_a_verdict_links_to_its_cells() -> None:
    cells = [
        *(cell(path="system", python=f"3.{n}", probes=(probe("train"),)) for n in range(8, 13)),
        *(native(python=f"3.{n}") for n in range(8, 13)),
    ]
    linked = REPORT.render(document(*cells), options=Options(site="https://e.org/"))
    assert "](https://e.org/cell.html#cell=system__r4.5.0__py3.8__" in linked
    assert ", and 2 more)" in linked
    assert "(5 cells)" in REPORT.render(document(*cells))


def test_results_of_nothing_make_a_page_all_the_same() -> None:
    page = REPORT.render(document())
    assert "0 of 0 cells have a result" in page
    assert "Nothing was measured." in page
    assert "## Versions" not in page

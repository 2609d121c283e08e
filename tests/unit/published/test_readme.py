"""The lines for a README."""

from __future__ import annotations

from harness.published.readme import REPORT
from harness.report.base import Options
from tests.unit.published.bench import cell, document, native


def test_counts_day_machine_and_link() -> None:
    results = document(cell(bridge="1.41"), cell("fail", bridge="1.28"), native())
    paragraph, table = REPORT.render(results, options=Options(site="https://e.org/")).split("\n\n")
    assert paragraph == (
        "[m](https://e.org/index.html), 2026-11-22: 3 cells (2 ✓ pass, 1 ✗ fail). "
        "Debian GNU/Linux 12 (bookworm), x86\\_64, 2 cores, no GPU."
    )
    assert table.splitlines() == [
        "| path | cells | ✓ pass | ✗ fail |",
        "| --- | --: | --: | --: |",
        "| native | 1 | 1 | 0 |",
        "| reticulate | 2 | 1 | 1 |",
    ]


def test_what_changed_since_the_last_of_the_earlier_runs() -> None:
    was, now = document(native()), document(native("crash"))
    older = document(native("crash"))
    text = REPORT.render(now, options=Options(since=(older, was)))
    assert "Since 2026-11-22: 1 cell broken." in text


def test_rare_statuses_share_a_column() -> None:
    statuses = ["pass", "fail", "crash", "timeout", "oom", "missing"]
    results = document(*(native(status, python=f"3.{n}") for n, status in enumerate(statuses, 8)))
    heads, _, row = REPORT.render(results).split("\n\n")[1].splitlines()
    assert heads == "| path | cells | ✓ pass | ! crash | M oom | … timeout | other |"
    assert row == "| native | 6 | 1 | 1 | 1 | 1 | 2 |"


def test_no_cells_is_said() -> None:
    assert REPORT.render(document()).startswith("m, 2026-11-22: 0 cells. ")

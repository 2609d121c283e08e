"""What changed, as Markdown."""

from __future__ import annotations

from harness.published.changed import REPORT
from harness.report.base import Options
from tests.unit.published.bench import cell, document, native

WAS = document(cell(bridge="1.28", numpy="1.26.4"))
NOW = document(cell("fail", bridge="1.28", cause="numpy-abi", message="a | b @c", numpy="2.4.6"))


def test_a_row_a_change() -> None:
    text = REPORT.render(NOW, options=Options(since=(WAS,), site="https://e.org/"))
    first, heads, _, row = [line for line in text.splitlines() if line]
    assert first == "Since 2026-11-22: 1 cell broken."
    assert heads == "| cell |  | was | is | cause | why |"
    cell_id = "reticulate-1.28__r4.5.0__py3.11__jax0.10.2__cpu"
    assert row == (
        f"| [`{cell_id}`](https://e.org/cell.html#cell={cell_id}) | broken | pass | fail "
        "| [`numpy-abi`](https://e.org/causes/numpy-abi.html) "
        "| a \\| b @<!-- -->c<br>numpy 1.26.4 → 2.4.6 |"
    )


def test_without_an_address_nothing_is_linked() -> None:
    text = REPORT.render(NOW, options=Options(since=(WAS,)))
    assert "](" not in text
    assert "| `numpy-abi` |" in text


def test_it_is_the_newest_of_the_earlier_that_counts() -> None:
    text = REPORT.render(NOW, options=Options(since=(WAS, NOW)))
    assert text == "Since 2026-11-22: nothing changed.\n"


def test_nothing_earlier_is_said() -> None:
    assert REPORT.render(NOW) == "There are no earlier results to hold these against.\n"


def test_a_long_list_is_cut() -> None:
    cells = [native(framework=f"jax==0.{n}.0") for n in range(230)]
    text = REPORT.render(document(*cells), options=Options(since=(document(),)))
    assert text.count("| new |") == 200
    assert text.endswith("And 30 cells more.\n")


def test_another_cause_shows_both() -> None:
    was, now = (document(cell("fail", bridge="1.28", cause=cause)) for cause in ("old", None))
    assert "| cause | fail | fail | `old` → none |" in REPORT.render(
        now, options=Options(since=(was,))
    )

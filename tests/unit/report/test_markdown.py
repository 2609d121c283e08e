from __future__ import annotations

import pytest
from markdown_it import MarkdownIt

from harness.model.cell import Axes
from harness.model.status import Phase, Status
from harness.report.base import Options
from harness.report.markdown import REPORT, code, fence, text

MARKDOWN = MarkdownIt("commonmark").enable("table").enable("strikethrough")
NASTY = [
    "a | b",
    "`code` and ``more``",
    "<script>alert(1)</script> &amp; <b>",
    "*not* _bold_ ~~gone~~ [x](y) ![i](j)",
    "back\\slash \\| pipe",
    "1. no list",
    "- no list",
    "=",
    "# no heading",
    "trailing \\",
    "ping @tf.function",
    "line\nbreak",
]


def shown(markdown: str) -> str:
    """Return the text that a reader sees, from tokens rather than from HTML."""
    parts = []
    for token in MARKDOWN.parse(markdown):
        for child in token.children or []:
            assert child.type in {"text", "code_inline", "html_inline"}, child
            if child.type != "html_inline":
                parts.append(child.content)
            else:
                assert child.content == "<!-- -->"
    return "".join(parts)


@pytest.mark.parametrize("value", NASTY)
def test_text_shows_just_what_it_is(value):
    assert shown(text(value)) == " ".join(value.split())


@pytest.mark.parametrize("value", NASTY)
@pytest.mark.parametrize("write", [text, code])
def test_it_holds_in_a_table(value, write):
    tokens = MARKDOWN.parse(f"| h |\n| --- |\n| {write(value)} |\n| next |\n")
    assert [token.type for token in tokens].count("td_open") == 2


# A pipe in code is escaped for tables, and only there shown as one.
@pytest.mark.parametrize("value", [value for value in NASTY if "|" not in value])
def test_code_shows_just_what_it_is(value):
    assert shown(code(value)) == " ".join(value.split())


def test_a_fence_holds_whatever_is_in_it():
    evidence = "```\n</details>\n````\n| x |"
    (token,) = MARKDOWN.parse(fence(evidence))
    assert (token.type, token.content) == ("fence", evidence + "\n")


def test_long_evidence_keeps_its_end():
    block = fence("\n".join(str(number) for number in range(100)))
    assert "(40 lines before this)" in block
    assert "\n39\n" not in block
    assert "\n99\n" in block


def test_the_report_links_to_the_logs(smoke):
    report = REPORT.render(smoke, options=Options(logs="../results/cells"))
    cell = "reticulate-1.28__r4.2.2__py3.12__torch2.13.0__cpu"
    assert f"[`{cell}`](../results/cells/{cell}/)" in report
    assert "| ✓ pass | 31 |" in report


def test_problems_carry_their_evidence(smoke):
    report = REPORT.render(smoke)
    block = report.split("### 4. ")[1].split("###")[0]
    assert "<details><summary>Evidence, from reticulate-1.28__" in block
    assert block.index("traceback:") < block.index("stderr:")
    assert "ModuleNotFoundError: No module named 'imp'" in block
    assert "Cause: `reticulate-imp`" in block


def test_every_stage_stands_beside_the_control(smoke):
    report = REPORT.render(smoke)
    row = "| torch 2.13.0 | reticulate 1.41.0.1 | init | bridge\\_load | 700 ms |  | +700 ms |"
    assert row in report


def test_hostile_cells_make_no_markup(make_cell, make_document):
    evil = "</details><img src=x onerror=alert(1)>|`"
    record = make_cell(
        Axes(path="system", r="4.5.0", python="3.12"),
        id=evil,
        axes={"path": evil, "python": evil, "framework": evil, evil: evil},
        status=Status.FAIL,
        phase=Phase.TRAIN,
        message=evil,
        cause=evil,
        findings=(evil,),
        evidence={evil: evil},
    )
    html = MARKDOWN.render(REPORT.render(make_document([record], matrix=evil)))
    assert "<img" not in html
    assert html.count("<details>") == html.count("</details>")

"""The first screen, as people use it."""

from __future__ import annotations

import re

import msgspec
import pytest
from playwright.sync_api import Page, expect

from harness.model.document import Results
from harness.model.status import Status
from harness.query import compile_query
from harness.site.report import REPORT
from harness.workflow.reporting import write_folder
from tests.unit.site.sample import SampleLogs


def said(page: Page) -> str:
    return page.locator("#said").inner_text()


def fitting(results: Results, query: str, path: str | None = "reticulate") -> list[str]:
    covers = compile_query(query, ["numpy"])
    return [
        record.id
        for record in results.cells
        if covers({"id": record.id, "status": record.status, "cause": record.cause, **record.axes})
        and path in {None, record.axes["path"]}
    ]


def listed(page: Page) -> list[str]:
    return [
        re.sub(r".*#cell=", "", link.get_attribute("href") or "")
        for link in page.locator("#list tbody th a").all()
    ]


def test_the_table_is_there_before_and_the_script_makes_the_same(load, site):
    before = re.search(
        r'<div id="grid"[^>]*>(.*?)</div>', (site / "index.html").read_text(), re.DOTALL
    )
    page = load("index.html")
    after = page.locator("#grid").inner_html()
    assert before
    # A browser writes & and spaces between elements in its own way.
    assert re.sub(r"\s+<", "<", before[1].strip()).replace("&amp;", "&") == after.replace(
        "&amp;", "&"
    )
    assert said(page) in (site / "index.html").read_text()


def test_without_scripts_the_table_and_the_counts_are_there(contexts, site, results):
    page = contexts(java_script_enabled=False).new_page()
    page.goto(f"file://{site}/index.html")
    assert page.locator("#grid td a").count() > 0
    assert said(page).startswith(f"{len(fitting(results, 'path:reticulate'))} cells on reticulate")
    assert "need JavaScript" in page.locator("noscript").inner_text()


def test_a_query_filters_table_and_list(load, results):
    page = load("index.html")
    page.fill("#query", "r:>=4.5 not framework:keras")
    wanted = fitting(results, "r:>=4.5 not framework:keras")
    assert said(page).startswith(f"{len(wanted)} cells on reticulate")
    assert sorted(listed(page)) == sorted(wanted)
    heads = page.locator("#grid thead th").all_inner_texts()
    assert not [head for head in heads if "keras" in head]


@pytest.fixture
def long_page(contexts, results, tmp_path):
    """Open the first screen of sixty Pythons, whose table is longer than a screen."""
    one = next(cell for cell in results.cells if cell.axes["path"] == "reticulate")
    cells = [
        msgspec.structs.replace(
            one, id=f"{one.id}-{minor}", axes={**one.axes, "python": f"3.{minor}"}
        )
        for minor in range(60)
    ]
    many = msgspec.structs.replace(results, cells=tuple(cells))
    write_folder(tmp_path, REPORT.files(many, logs=SampleLogs()))
    page = contexts().new_page()
    page.goto(f"file://{tmp_path}/index.html")
    return page


def test_a_table_longer_than_a_screen_is_drawn_to_its_end(long_page):
    page = long_page
    for query, lines in (("", 60), ("not python:3.7", 59)):
        at_once = page.evaluate(
            """query => {
                const field = document.getElementById("query");
                field.value = query;
                field.dispatchEvent(new Event("input", { bubbles: true }));
                return [document.querySelectorAll("#grid tbody tr").length,
                    document.getElementById("grid").ariaBusy];
            }""",
            query,
        )
        assert at_once == [12, "true"]
        expect(page.locator("#grid:not([aria-busy])")).to_be_attached()
        assert page.locator("#grid tbody tr").count() == lines
        assert page.locator("#grid tbody th[scope=rowgroup]").get_attribute("rowspan") == str(lines)


def test_the_list_is_drawn_at_once_where_it_is_in_sight_and_else_soon(long_page):
    page = long_page
    expect(page.locator("#list:not([aria-busy])")).to_be_attached()
    filtered = """version => {
        const field = document.getElementById("query");
        field.value = `python:${version}`;
        field.dispatchEvent(new Event("input", { bubbles: true }));
        const list = document.getElementById("list");
        return [list.ariaBusy, list.querySelector("tbody tr").innerText.includes(version)];
    }"""
    assert page.evaluate(filtered, "3.42") == ["true", False]
    expect(page.locator("#list:not([aria-busy]) tbody tr").first).to_contain_text("3.42")
    # One cell alone leaves a table of one line, below which the list is.
    expect(page.locator("#list")).to_be_in_viewport()
    for minor in range(10, 60):
        found = page.evaluate(filtered, f"3.{minor}")
        if found[0] is None:
            break
        # The browser has not yet told what is on the screen.
        page.wait_for_timeout(100)
    assert found == [None, True]


def test_a_slip_in_a_query_is_said_as_on_the_command_line(load):
    page = load("index.html")
    page.fill("#query", "framwork:torch")
    expect(page.locator("#fault")).to_have_text(
        "query 'framwork:torch', character 1: 'framwork:torch' has no known key; "
        "did you mean 'framework:'?"
    )
    assert page.locator("#query").get_attribute("aria-invalid") == "true"
    page.fill("#query", "framework:torch")
    expect(page.locator("#fault")).to_have_text("")


@pytest.mark.parametrize(
    ("axis", "value"),
    [("r", "4.2.2"), ("python", "3.12"), ("status", "fail"), ("framework", "torch==2.13.0")],
)
def test_each_axis_filters(load, results, axis, value):
    page = load("index.html")
    page.locator("#more summary").click()
    page.select_option(f"select[name={axis}]", value)
    wanted = [
        record.id
        for record in results.cells
        if record.axes["path"] == "reticulate"
        and {**record.axes, "status": record.status.value}[axis] == value
    ]
    assert sorted(listed(page)) == sorted(wanted)


def test_another_path_has_a_table_of_its_own(load, results):
    page = load("index.html")
    page.check("input[name=path][value=system]")
    assert sorted(listed(page)) == sorted(fitting(results, "path:system", None))
    page.check("input[name=path][value=all]")
    assert said(page).startswith(f"{len(results.cells)} cells:")


def test_the_address_carries_the_view(load):
    page = load("index.html")
    page.check("input[name=path][value=system]")
    page.fill("#query", "r:4.2")
    page.locator("#list thead button", has_text="Time").click()
    address = page.url
    assert "#path=system" in address
    again = load(address.rpartition("/")[2])
    assert again.input_value("#query") == "r:4.2"
    assert again.is_checked("input[value=system]")
    assert said(again) == said(page)
    assert again.locator("th[aria-sort=ascending]").inner_text().startswith("Time")


def test_back_goes_back(load):
    page = load("index.html")
    before = said(page)
    page.check("input[name=path][value=system]")
    page.go_back()
    expect(page.locator("#said")).to_have_text(before)
    assert page.is_checked("input[value=reticulate]")


def test_clearing_shows_the_first_view_again(load):
    page = load("index.html#path=system&q=r:4.2&status=pass")
    page.click("#reset")
    assert page.is_checked("input[value=reticulate]")
    assert page.input_value("#query") == ""
    assert page.input_value("select[name=status]") == ""


def test_one_click_opens_a_cell(load):
    page = load("index.html")
    page.locator("#grid td.crash a").first.click()
    page.wait_for_selector("#cell h2")
    assert page.locator(".verdict").inner_text() == "! crash at teardown"


def test_a_box_of_several_cells_shows_just_those(load):
    page = load("index.html#path=all")
    box = page.locator("#grid td a[href^='#']").first
    number = sum(int(word) for word in re.findall(r"\d+", box.inner_text()))
    box.click()
    assert said(page).startswith(f"{number} cells")


def test_a_count_leads_to_its_cells(load, results):
    page = load("index.html")
    page.locator(".tally .fail a").click()
    wanted = [one.id for one in results.cells if one.status is Status.FAIL]
    assert sorted(listed(page)) == sorted(wanted)


def test_the_list_sorts_both_ways(load):
    page = load("index.html#path=all")
    heads = page.locator("#list thead th").all_inner_texts()
    assert heads[5] == "Python"
    button = page.locator("#list thead button", has_text="Python")
    column = page.locator("#list tbody tr:not(.space) td:nth-child(6)")
    button.click()
    up = column.all_inner_texts()
    button.click()
    assert page.locator("th[aria-sort=descending]").count() == 1
    down = column.all_inner_texts()
    assert up[0] != down[0]


def test_the_keyboard_is_enough(load):
    page = load("index.html")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.focus("input[name=path]:checked")
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.value") != "reticulate"
    assert "reticulate" not in said(page)
    page.focus("#grid a")
    page.keyboard.press("Enter")
    page.wait_for_selector("#cell h1")


def test_nothing_fits_is_said(load):
    page = load("index.html#q=python:2.7")
    assert said(page) == "No cell on reticulate fits. Take a filter away, or choose all paths."
    assert page.locator("#grid td").count() == 0


def test_all_rows_are_printed(load, results):
    page = load("index.html#path=all")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator("#list tbody tr:not(.space)").count() == len(results.cells)

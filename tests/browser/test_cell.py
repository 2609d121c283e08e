"""One cell's page, and that each number leads to its line."""

from __future__ import annotations

import json
import random
import re

import pytest
from playwright.sync_api import expect

from tests.unit.site.sample import EVIL

EVIL_CELL = "rpc-zmq__r4.5.0__py3.13__torch2.13.0__cpu__numpy-lt2"
FAILED = "reticulate-1.28__r4.2.2__py3.12__torch2.13.0__cpu"


def lines_of(site) -> list[str]:
    return (site / "results.json").read_text(encoding="utf-8").split("\n")


def value_at(lines: list[str], number: int) -> object:
    """The value on a line of results.json."""
    return json.loads(lines[number - 1].strip().rstrip(",").partition(": ")[2])


def test_everything_of_a_cell_that_failed(load, results):
    page = load(f"cell.html#cell={FAILED}")
    text = page.locator("#cell").inner_text()
    record = next(one for one in results.cells if one.id == FAILED)
    assert page.locator(".verdict").inner_text() == "✗ fail at python"
    assert record.message in text
    assert "Debian GNU/Linux 12" in text
    assert record.evidence["traceback"].strip() in text
    assert f"harness run matrices/sample.yaml --only '{FAILED}'" in text
    assert f"harness repro . '{FAILED}'" in text
    control = page.locator("p", has_text="Control:")
    expect(control.locator("a")).to_have_text(record.control)
    control.locator("a").click()
    expect(page.locator("p.id")).to_have_text(record.control)


def test_cause_and_remedies_with_their_proof(load, results):
    failed = next(one for one in results.cells if one.trials)
    page = load(f"cell.html#cell={failed.id}")
    remedies = page.locator(".remedies li")
    assert "[proven: Python 3.11 for 3.12; the cell passes with it]" in " ".join(
        remedies.all_inner_texts()
    )
    assert "did not help" in " ".join(remedies.all_inner_texts())
    page.locator("p", has_text="Cause:").locator("a").click()
    expect(page.locator("p.id code")).to_have_text("reticulate-imp-removed-py312")


def test_markup_in_texts_is_shown_as_text(load, results):
    page = load(f"cell.html#cell={EVIL_CELL}")
    page.wait_for_selector("#logs pre", state="attached")
    assert page.evaluate("window.evil") is None
    assert page.locator("#cell script, #cell img").count() == 0
    shown = page.locator("#logs pre").first
    assert shown.evaluate("one => one.textContent") == EVIL.replace("\u2028", "\u2028")
    assert EVIL.split("\u2028")[0] in page.locator(".said").first.inner_text()
    front = load("index.html#path=rpc")
    assert front.evaluate("window.evil") is None
    assert front.locator("#list td.message").get_attribute("title").startswith("</pre><script>")


def test_logs_say_where_they_were_cut_and_lie_as_files(load):
    page = load(f"cell.html#cell={EVIL_CELL}")
    logs = page.locator("#logs")
    page.wait_for_selector("#logs details", state="attached")
    assert "65,544 bytes, of which 65,536 bytes are left out" in logs.inner_text()
    assert "requirements.lock: empty" in logs.inner_text()
    logs.locator("summary").first.click()
    logs.locator("a", has_text="as a file").first.click()
    assert "window.evil = 1" in page.locator("body").inner_text()
    assert page.evaluate("window.evil") is None


def test_the_lines_shown_are_those_of_the_file(load, site, results):
    lines = lines_of(site)
    for record in random.Random(7).sample(results.cells, 5):
        page = load(f"cell.html#cell={record.id}")
        page.locator("#source summary").click()
        shown = page.eval_on_selector_all(
            "#source .line", "found => found.map(one => [+one.dataset.n, one.textContent])"
        )
        first, last = shown[0][0], shown[-1][0]
        there = [
            line.removesuffix(",") if number == last else line
            for number, line in enumerate(lines[first - 1 : last], first)
        ]
        assert [text for _, text in shown] == there
        assert [number for number, _ in shown] == list(range(first, last + 1))


@pytest.mark.parametrize("seed", range(6))
def test_numbers_picked_at_random_lead_to_their_lines(load, site, results, seed):
    chance = random.Random(seed)
    lines = lines_of(site)
    record = chance.choice([one for one in results.cells if one.probes])
    page = load(f"cell.html#cell={record.id}")
    numbers = page.locator("[data-line]").all()
    for number in chance.sample(numbers, min(8, len(numbers))):
        line = int(number.get_attribute("data-line"))
        raw = number.get_attribute("data-raw")
        there = value_at(lines, line)
        assert raw == there if isinstance(there, str) else float(raw) == there
    quotients = page.locator("[data-lines]").all()
    for number in chance.sample(quotients, min(4, len(quotients))):
        wall, n = (int(part) for part in number.get_attribute("data-lines").split())
        assert float(number.get_attribute("data-raw")) == pytest.approx(
            value_at(lines, wall) / value_at(lines, n)
        )


def test_a_click_on_a_number_shows_its_line(load):
    page = load("cell.html#cell=native__py3.11__torch2.13.0__cpu")
    number = page.locator("table.stages a.n").first
    line = number.get_attribute("data-line")
    number.click()
    marked = page.locator(f"#L{line}.marked")
    expect(marked).to_be_in_viewport()
    assert re.match(r'\s*"wall_s": [\d.e-]+,', marked.inner_text())


def test_times_of_the_list_lead_to_their_lines(load, site):
    lines = lines_of(site)
    page = load("index.html#path=all")
    for link in page.locator("#list td.number a").all()[:12]:
        line = int(link.get_attribute("data-line"))
        assert lines[line - 1].strip().startswith('"wall_s": ')
        assert value_at(lines, line) == float(link.get_attribute("data-raw"))


@pytest.mark.parametrize(
    "address", ["paths.html", "latency.html", "conversions.html", "about.html", "documented.html"]
)
def test_derived_numbers_lead_to_the_cells_they_are_from(load, results, address):
    page = load(address)
    numbers = page.eval_on_selector_all(
        "main [data-how]", "found => found.map(one => [one.title, one.href])"
    )
    chance = random.Random(3)
    for title, href in chance.sample(numbers, min(4, len(numbers))):
        said = int(re.search(r"(\d+) cells?:", title)[1])
        found = load(href.rpartition("/")[2]).locator("#said").inner_text()
        assert found.startswith(f"{said} cell" if said else "No cell"), (href, title)


def test_counts_of_statuses_are_right(load, results):
    page = load("index.html")
    for link in page.locator(".tally a").all():
        status = re.search(r"status=(\w+)", link.get_attribute("href"))[1]
        assert int(link.inner_text()) == sum(one.status == status for one in results.cells)


def test_an_unknown_cell_is_said(load):
    page = load("cell.html#cell=nothing")
    expect(page.locator("h1")).to_have_text("No such cell")

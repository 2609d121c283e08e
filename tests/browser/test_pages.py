"""Every kind of page: for screen readers, on a phone, in the dark, and as charts."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.browser.test_cell import EVIL_CELL, FAILED

PAGES = {
    "first": "index.html",
    "filtered": "index.html#path=all&q=status:fail&r=4.2.2",
    "failed": f"cell.html#cell={FAILED}",
    "crashed": f"cell.html#cell={EVIL_CELL}",
    "passed": "cell.html#cell=reticulate-1.41.0.1__r4.5.0__py3.11__torch2.13.0__cpu",
    "paths": "paths.html",
    "conversions": "conversions.html",
    "latency": "latency.html",
    "causes": "causes/index.html",
    "cause": "causes/reticulate-imp-removed-py312.html",
    "documented": "documented.html",
    "about": "about.html",
}
CHARTS = {"call", "start", "transfer", "memory"}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("kind", PAGES)
def test_axe_finds_nothing(load, kind, scheme):
    page = load(PAGES[kind], color_scheme=scheme)
    page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    # The page's policy would refuse what axe asks for to look into style sheets.
    options = {"preload": False}
    if scheme == "dark":
        options["runOnly"] = ["color-contrast"]  # all else is the same in both
    found = Axe().run(page, options=options)
    assert found.violations_count == 0, found.generate_report()


@pytest.mark.parametrize("kind", PAGES)
def test_a_phone_does_not_scroll_sideways(load, kind):
    page = load(PAGES[kind], viewport={"width": 320, "height": 640})
    page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    assert page.evaluate("document.documentElement.scrollWidth") <= 320


def test_dark_is_dark(load):
    shade = "getComputedStyle(document.documentElement).backgroundColor"
    assert load("index.html", color_scheme="light").evaluate(shade) == "rgb(255, 255, 255)"
    assert load("index.html", color_scheme="dark").evaluate(shade) == "rgb(21, 24, 27)"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_charts_are_drawn_with_numbers_in_words(load, scheme):
    page = load("latency.html", color_scheme=scheme)
    drawn = {
        figure.get_attribute("data-chart"): figure.locator("svg[aria-label]").count()
        for figure in page.locator("figure").all()
    }
    assert drawn == dict.fromkeys(CHARTS, 1)
    call = page.locator("#chart-call svg")
    assert "reticulate 1.41.0.1 " in call.get_attribute("aria-label")
    texts = call.locator("text").all_text_contents()
    assert any("µs" in text for text in texts)
    # The numbers are one click away.
    page.locator("#chart-call a", has_text="The numbers").click()
    assert page.url.endswith("#call")
    assert page.locator("h2#call").count() == 1


def test_a_print_has_no_filters(load):
    page = load("index.html")
    page.emulate_media(media="print")
    assert not page.locator("#filters").is_visible()
    assert page.locator("#grid").is_visible()


def test_a_status_is_told_without_colour(load):
    page = load("index.html")
    for box in page.locator("#grid td:not(.none)").all():
        symbol, _, word = box.inner_text().strip().partition(" ")
        assert symbol
        assert word


def test_the_scripts_are_what_the_sources_give():
    """Where node and its packages are: `nox -s site` checks it elsewhere."""
    frontend = Path(__file__).parents[2] / "harness/site/frontend"
    if not (frontend / "node_modules").is_dir():
        pytest.skip("the packages of the scripts are not installed here: nox -s site checks them")
    checked = subprocess.run(
        ["node", "build.mjs", "--check"], cwd=frontend, capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stderr

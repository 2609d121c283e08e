"""A real Chromium, and the site of a document with something for every page."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from harness.errors import MachineFault
from harness.model.document import Results
from harness.provision.r.system_packages import Need, require
from harness.site.report import REPORT
from harness.workflow.reporting import write_folder
from tests.unit.site.sample import SampleLogs, sample

Open = Callable[..., Page]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker("browser")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    names = ("chromium", "chromium-browser", "google-chrome")
    if not any(map(shutil.which, names)):
        # As with the tools that bring R: root gets it, others read what to type.
        try:
            require(Need("chromium", "chromium"), notify=print)
        except MachineFault as fault:
            pytest.fail(f"these tests open the pages in Chromium, and {fault}")
    found = next(filter(None, map(shutil.which, names)))
    with sync_playwright() as playwright:
        # Root has no sandbox of its own here, and only files of these tests are opened.
        browser = playwright.chromium.launch(
            executable_path=found, args=["--no-sandbox", "--disable-gpu"]
        )
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def results() -> Results:
    return sample()


@pytest.fixture(scope="session")
def site(results: Results, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    write_folder(folder, REPORT.files(results, logs=SampleLogs()))
    return folder


@pytest.fixture
def contexts(browser: Browser) -> Iterator[Callable[..., BrowserContext]]:
    made: list[BrowserContext] = []

    def make(**options: object) -> BrowserContext:
        made.append(browser.new_context(**{"viewport": {"width": 1200, "height": 900}, **options}))
        return made[-1]

    yield make
    for context in made:
        context.close()


@pytest.fixture
def load(contexts: Callable[..., BrowserContext], site: Path) -> Iterator[Open]:
    """Opens a page; nothing may leave the folder, and nothing may be refused or go wrong."""
    faults: list[str] = []

    def opened(address: str, **options: object) -> Page:
        page = contexts(**options).new_page()
        page.on("pageerror", lambda error: faults.append(f"{address}: {error}"))
        page.on(
            "console",
            lambda said: faults.append(f"{address}: {said.text}") if said.type == "error" else None,
        )
        page.on("request", lambda asked: faults.extend(_outside(asked.url, site)))
        page.goto(f"file://{site}/{address}")
        if page.locator("body[data-page=first], body[data-page=cell]").count():
            page.wait_for_selector("html[data-ready]", state="attached")
        if page.locator("figure[data-chart]").count():
            page.wait_for_selector("html[data-ready]", state="attached")
        return page

    yield opened
    assert faults == []


def _outside(address: str, site: Path) -> list[str]:
    inside = address.startswith((f"file://{site}/", "data:"))
    return [] if inside else [f"asked for {address}"]

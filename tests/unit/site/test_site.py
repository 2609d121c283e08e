"""The site: whole, of files alone, and safe whatever a cell says."""

from __future__ import annotations

import random
import re
from html.parser import HTMLParser
from pathlib import PurePosixPath
from urllib.parse import unquote, urldefrag

import pytest

from harness.causes import load_catalogue
from harness.report.base import File, FolderReport
from harness.report.registry import find
from harness.site.report import REPORT
from tests.unit.report.conftest import document
from tests.unit.site.sample import SampleLogs, sample

PAGES = (
    "index.html",
    "cell.html",
    "paths.html",
    "conversions.html",
    "latency.html",
    "causes/index.html",
    "documented.html",
    "about.html",
)


class Seen(HTMLParser):
    """Elements and addresses of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    def addresses(self):
        return [
            value
            for _, attributes in self.found
            for name, value in attributes.items()
            if name in {"href", "src"} and value
        ]


def written(results, logs=SampleLogs()) -> dict[str, bytes]:  # noqa: B008
    return {file.path: whole(file) for file in REPORT.files(results, logs=logs)}


def whole(file: File) -> bytes:
    if isinstance(file.data, str):
        return file.data.encode()
    return file.data if isinstance(file.data, bytes) else b"".join(file.data)


@pytest.fixture(scope="module")
def site() -> dict[str, bytes]:
    return written(sample())


@pytest.fixture(scope="module")
def pages(site) -> dict[str, str]:
    return {path: data.decode() for path, data in site.items() if path.endswith(".html")}


def test_the_format_is_found_by_its_name():
    found = find("html")
    assert isinstance(found, FolderReport)
    assert found.name == "html"


def test_no_file_is_written_twice():
    paths = [file.path for file in REPORT.files(sample(), logs=SampleLogs())]
    assert len(paths) == len(set(paths))


def test_it_has_every_page(pages):
    assert set(PAGES) <= set(pages)
    assert {f"causes/{cause.id}.html" for cause in load_catalogue().causes} <= set(pages)


def test_every_link_leads_to_a_file(site, pages):
    missing = set()
    for page, text in pages.items():
        for address in Seen(text).addresses():
            path, _ = urldefrag(address)
            if not path or address.startswith(("https://", "http://", "data:")):
                continue
            target = resolved(PurePosixPath(page).parent / unquote(path))
            if target not in site:
                missing.add((page, address))
    assert missing == set()


def resolved(path: PurePosixPath) -> str:
    parts: list[str] = []
    for part in path.parts:
        if part == "..":
            parts.pop()
        else:
            parts.append(part)
    return "/".join(parts)


def test_nothing_is_loaded_from_elsewhere(pages):
    for page, text in pages.items():
        for tag, attributes in Seen(text).found:
            if tag in {"script", "img", "iframe", "source", "object", "embed"} or (
                tag == "link" and attributes.get("rel") in {"stylesheet", "icon"}
            ):
                address = attributes.get("src") or attributes.get("href") or ""
                assert not re.match(r"[a-z]+:(?!,)", address), (page, tag, attributes)


def test_no_page_has_a_script_or_a_handler_or_a_style_of_its_own(pages):
    for page, text in pages.items():
        for tag, attributes in Seen(text).found:
            assert tag not in {"style", "iframe", "object"}, page
            assert tag != "script" or attributes.get("src"), page
            assert not [name for name in attributes if name.startswith("on")], page
            assert "style" not in attributes, page


def test_every_page_has_the_strict_policy(pages):
    for page, text in pages.items():
        assert "default-src 'none'; script-src 'self' file:" in text, page
        assert "unsafe" not in text.partition("<title>")[0], page


def test_what_a_cell_says_is_text(site, pages):
    for page, text in pages.items():
        assert "<script>window" not in text, page
        assert "onerror=" not in re.sub(r"&lt;[^<]*", "", text), page
    for path, data in site.items():
        if path.startswith("data/"):
            assert b"<" not in data, path


def test_a_page_without_data_says_so():
    empty = {path: data.decode() for path, data in written(document([])).items() if "html" in path}
    assert "no cell that ran this probe" in empty["conversions.html"]
    assert "nothing to compare" in empty["latency.html"]
    assert "nothing can be said" in empty["paths.html"]
    assert "No cell of these results has a known cause" in empty["causes/index.html"]
    assert "no run contradicts" in empty["documented.html"]


def test_the_order_of_the_cells_changes_nothing_that_is_said():
    results = sample()
    cells = list(results.cells)
    random.Random(4).shuffle(cells)
    changed = document(cells, matrix="sample", elsewhere=results.elsewhere, planned=results.planned)
    one, other = (written(each)["index.html"].decode() for each in (results, changed))
    positions = re.compile(r"of=[0-9,\-]+")
    assert positions.sub("", one) == positions.sub("", other)


def test_the_same_results_give_the_same_files(site):
    assert written(sample()) == site


def test_the_first_screen_has_its_table_already(pages):
    text = pages["index.html"]
    table = text[text.index('<table class="grid">') : text.index("</table>")]
    assert re.search(r'<th scope="rowgroup" rowspan="\d+">4\.5\.0</th>', table)
    assert '<span aria-hidden="true">✓</span> pass' in table
    assert "cell.html#cell=reticulate-1.41.0.1__r4.5.0__py3.11__jax0.9.2__cpu" in table


def test_a_cause_has_texts_remedies_with_proof_and_its_cells(pages):
    text = pages["causes/reticulate-imp-removed-py312.html"]
    assert "No module named &#39;imp&#39;" in text
    assert re.search(r"older[^\[]*\[proven: <a [^>]*>1 of 1</a>\]", text, re.DOTALL)
    assert "reticulate-1.28__r4.2.2__py3.12" in text
    other = pages["causes/disk-full.html"]
    assert "No cell of these results had it" in other


def test_a_cause_that_is_no_more_in_the_catalogue_is_named(pages):
    assert "reticulate-imp." in pages["causes/index.html"]


def test_results_in_other_forms_lie_beside_the_pages(site):
    assert {"results.json", "compat.json", "table.csv", "results.md", "feed.xml"} <= set(site)
    assert any(path.startswith("badges/") for path in site)


def test_every_number_of_a_table_says_where_it_is_from(pages):
    for page in ("latency.html", "paths.html", "conversions.html"):
        cells = re.findall(r'<td class="number">(.*?)</td>', pages[page])
        assert cells, page
        bare = [text for text in cells if re.search(r"\d", text) and "data-how=" not in text]
        assert bare == [], page

"""The Atom feed: valid, stable, and of what changed alone."""

from __future__ import annotations

from datetime import datetime
from urllib.parse import urlsplit
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.model.document import Results
from harness.published.feed import REPORT
from harness.report.base import Options
from tests.unit.published.bench import cell, document, native

NS = {"a": "http://www.w3.org/2005/Atom"}
SITE = "https://example.org/tables/"


def feed(results: Results, *since: Results, site: str = SITE) -> ET.Element:
    return ET.fromstring(REPORT.render(results, options=Options(since=since, site=site)))


def text(node: ET.Element, path: str) -> str:
    found = node.find(path, NS)
    assert found is not None, path
    return found.text or ""


def assert_valid(root: ET.Element) -> None:
    """Assert what RFC 4287 says that a feed and its entries must and must not have."""
    assert root.tag == "{http://www.w3.org/2005/Atom}feed"
    assert len(root.findall("a:author/a:name", NS)) == 1, "4.1.1: an author, or one an entry"
    entries = root.findall("a:entry", NS)
    for node in (root, *entries):
        for name in ("id", "title", "updated"):
            assert len(node.findall(f"a:{name}", NS)) == 1, "4.1.1, 4.1.2: exactly one"
        assert urlsplit(text(node, "a:id")).scheme, "4.2.6: an IRI"
        assert datetime.fromisoformat(text(node, "a:updated")).tzinfo, "3.3: a zone is a must"
        kinds = [
            (link.get("rel"), link.get("type"), link.get("hreflang"))
            for link in node.findall("a:link", NS)
        ]
        assert len(kinds) == len(set(kinds)), "4.1.1: one alternate of a type and language"
        assert all(link.get("href") for link in node.findall("a:link", NS)), "4.2.7.1"
    for entry in entries:
        assert len(entry.findall("a:content", NS)) == 1, "4.1.2: no more than one"
        assert any(link.get("rel") == "alternate" for link in entry.findall("a:link", NS)), (
            "4.1.2: content or an alternate"
        )
    ids = [text(entry, "a:id") for entry in entries]
    assert len(ids) == len(set(ids)), "4.1.1: one of an id, or another time"


WAS = document(cell(bridge="1.28"), native())
NOW = document(
    cell("fail", bridge="1.28", cause="numpy-abi", message="no <b>bold</b> & such"),
    native(),
    finished_at="2026-11-23T11:00:00+00:00",
)


def test_a_first_run_is_one_entry() -> None:
    root = feed(WAS)
    assert_valid(root)
    (entry,) = root.findall("a:entry", NS)
    assert text(entry, "a:title") == "First results: 2 cells"
    assert text(root, "a:updated") == "2026-11-22T11:00:00+00:00"


def test_a_change_is_an_entry_with_its_cells_and_causes() -> None:
    root = feed(NOW, WAS)
    assert_valid(root)
    newest, first = root.findall("a:entry", NS)
    assert text(newest, "a:title") == "1 cell broken"
    assert text(first, "a:title").startswith("First results")
    content = text(newest, "a:content")
    assert f'href="{SITE}cell.html#cell=reticulate-1.28__r4.5.0__py3.11__jax0.10.2__cpu"' in content
    assert f'href="{SITE}causes/numpy-abi.html"' in content
    assert ": pass, now fail, cause" in content
    assert "no &lt;b&gt;bold&lt;/b&gt; &amp; such" in content, "what a cell says is no markup"


def test_a_run_that_changed_nothing_is_no_entry() -> None:
    again = document(*WAS.cells, finished_at="2026-11-24T11:00:00+00:00")
    root = feed(again, WAS)
    assert_valid(root)
    assert len(root.findall("a:entry", NS)) == 1
    assert text(root, "a:updated") == "2026-11-24T11:00:00+00:00"


def test_entries_keep_their_ids_when_a_run_is_added() -> None:
    later = document(*WAS.cells, finished_at="2026-11-24T11:00:00+00:00")
    before = [text(entry, "a:id") for entry in feed(NOW, WAS).findall("a:entry", NS)]
    after = [text(entry, "a:id") for entry in feed(later, WAS, NOW).findall("a:entry", NS)]
    assert after[1:] == before


def test_another_cause_says_both() -> None:
    was = document(cell("fail", bridge="1.28", cause="old-cause"))
    now = document(cell("fail", bridge="1.28"), finished_at="2026-11-23T11:00:00+00:00")
    content = text(feed(now, was).findall("a:entry", NS)[0], "a:content")
    assert ": cause old-cause, now not named" in content


def test_without_an_address_links_are_relative() -> None:
    root = feed(NOW, WAS, site="")
    assert_valid(root)
    links = {link.get("rel"): link.get("href") for link in root.findall("a:link", NS)}
    assert links == {"alternate": "index.html"}


def test_a_long_list_is_cut_and_says_so() -> None:
    was = [native(framework=f"jax==0.{n}.0") for n in range(130)]
    now = [native("fail", framework=f"jax==0.{n}.0") for n in range(130)]
    root = feed(document(*now, finished_at="2026-11-23T11:00:00+00:00"), document(*was))
    content = text(root.findall("a:entry", NS)[0], "a:content")
    assert content.count("<li>") == 100
    assert "And 30 cells more." in content


@pytest.mark.parametrize("ended", [None, "", "yesterday", "2026-11-22"])
def test_a_run_without_a_proper_end_has_a_time_all_the_same(ended: str | None) -> None:
    assert_valid(feed(document(native(), finished_at=ended)))
    assert_valid(feed(document(finished_at=ended, started_at="")))


@given(st.text(), st.text())
def test_whatever_a_cell_says_the_feed_is_valid(message: str, matrix: str) -> None:
    now = document(cell("fail", bridge="1.28", message=message), matrix=matrix)
    assert_valid(feed(now, document(cell(bridge="1.28"), finished_at="2026-11-21T00:00:00Z")))

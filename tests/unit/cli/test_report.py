"""``harness report``: earlier results, the address of the pages, and forms that are no text."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.cli import run
from harness.model.document import Results, encode
from tests.unit.published.bench import cell, document

NOW = document(cell("fail", bridge="1.28"), finished_at="2026-11-23T00:00:00Z")
OLD = document(cell(bridge="1.28"), started_at="2026-11-22T00:00:00Z")
OLDER = document(
    cell("fail", bridge="1.28"),
    started_at="2026-11-21T00:00:00Z",
    finished_at="2026-11-21T01:00:00Z",
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name, results in (("now", NOW), ("old", OLD), ("older", OLDER)):
        put(tmp_path / name, results)
    return tmp_path


def put(folder: Path, results: Results) -> None:
    folder.mkdir()
    (folder / "results.json").write_bytes(encode(results))


def test_what_changed_since_the_newest_whatever_the_order(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for since in (("old", "older"), ("older", "old")):
        given = [word for name in since for word in ("--since", str(folder / name))]
        assert run(["report", "now", "--format", "changes", *given]) == 0
        assert "Since 2026-11-22: 1 cell broken." in capsys.readouterr().out


def test_an_earlier_document_may_be_a_file(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = str(folder / "old" / "results.json")
    assert run(["report", "now", "--format", "readme", "--since", file]) == 0
    assert "Since 2026-11-22" in capsys.readouterr().out


@pytest.mark.parametrize("site", ["https://e.org/t", "https://e.org/t/"])
def test_links_begin_with_the_address_of_the_pages(folder: Path, site: str) -> None:
    out = folder / "compat.json"
    assert run(["report", "now", "--format", "compat", "--site", site, "--out", str(out)]) == 0
    (found,) = json.loads(out.read_text())["combinations"]
    assert found["link"].startswith("https://e.org/t/cell.html#cell=")


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("site", ["tables", "ftp://e.org/", "https:///t", "//e.org/"])
def test_an_address_that_is_none_is_refused(site: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["report", "now", "--site", site]) == 2
    assert "write https://HOST/PATH/" in capsys.readouterr().err


@pytest.mark.usefixtures("folder")
def test_earlier_results_that_are_none_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["report", "now", "--since", "nowhere"]) == 2
    assert "nowhere: no results here" in capsys.readouterr().err


def test_badges_and_parquet_are_written_where_out_says(folder: Path) -> None:
    assert run(["report", "now", "--format", "badges", "--out", "badges"]) == 0
    assert (folder / "badges" / "bridges" / "reticulate.svg").is_file()
    assert run(["report", "now", "--format", "parquet", "--out", "t.parquet"]) == 0
    assert (folder / "t.parquet").read_bytes()[:4] == b"PAR1"


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("form", ["badges", "parquet"])
def test_what_is_no_text_needs_a_place(form: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["report", "now", "--format", form]) == 2
    assert "--out" in capsys.readouterr().err

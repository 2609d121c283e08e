"""The shell steps that publish the tables: what they keep, what they make, when they refuse."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from harness.model.document import encode
from tests.unit.gate.bench import cell, results
from tests.unit.github.test_scripts import SCRIPTS, Step

PUBLISH = SCRIPTS.parent / "publish"
SITE = "https://example.org/tables/"
OLD = results(cell(), finished_at="2026-11-14T00:00:00Z")
NEW = results(cell("fail", cause="numpy-abi"), finished_at="2026-11-21T00:00:00Z")


class Publishing(Step):
    """The steps of the job that makes the pages."""

    def make(self, **env: str) -> subprocess.CompletedProcess[str]:
        """Run the script that makes the pages."""
        (self.folder / "history").mkdir(exist_ok=True)
        places = {"PARTS": "parts", "MERGED": "merged", "HISTORY": "history", "PAGES": "pages"}
        return self.run("../publish/tables.sh", SITE=SITE, **places, **env)

    def remember(self, name: str) -> None:
        """Leave results of an earlier publication as the step before does."""
        folder = self.folder / "history"
        folder.mkdir(exist_ok=True)
        (folder / name).write_bytes(gzip.compress(encode(OLD)))

    def pretend(self) -> None:
        """Put a harness on the path that merges one part, and whose reports are empty."""
        self.program(
            "harness",
            "case $1 in merge) mkdir -p merged && cp parts/1/results.json merged/ ;; "
            "*) mkdir -p pages ;; esac",
        )

    def kept(self) -> list[str]:
        """Return the list of earlier publications that the pages carry."""
        return self.said("pages/history/list.txt").split()


@pytest.fixture
def step(tmp_path: Path) -> Publishing:
    return Publishing(tmp_path)


@pytest.mark.parametrize("script", sorted(PUBLISH.glob("*.sh")), ids=lambda script: script.name)
def test_scripts_can_be_run_and_are_bash(script: Path) -> None:
    assert os.access(script, os.X_OK)
    assert subprocess.run(["bash", "-n", script], check=False).returncode == 0


def test_the_first_tables_have_no_history(step: Publishing) -> None:
    step.put("parts/1", NEW)
    ran = step.make()
    assert ran.returncode == 0, ran.stdout + ran.stderr
    for name in ("index.html", "compat.json", "feed.xml", "table.csv", "table.parquet"):
        assert (step.folder / "pages" / name).stat().st_size, name
    assert len(step.kept()) == 1
    assert "no earlier results" in step.said("GITHUB_STEP_SUMMARY")
    packed = (step.folder / "pages" / "history" / step.kept()[0]).read_bytes()
    assert json.loads(gzip.decompress(packed))["cells"][0]["cause"] == "numpy-abi"


def test_parts_are_merged_and_what_changed_is_told(step: Publishing) -> None:
    step.put("parts/1", NEW)
    step.put("parts/2", results(cell(python="3.11")))
    step.remember("20261114T000000Z.json.gz")
    ran = step.make()
    assert ran.returncode == 0, ran.stdout + ran.stderr
    summary = step.said("GITHUB_STEP_SUMMARY")
    assert "2 cells (1 ✓ pass, 1 ✗ fail)" in summary
    assert "Since 2026-11-14: 1 cell broken, 1 new." in summary
    assert f"({SITE}causes/numpy-abi.html)" in summary
    assert "1 cell broken, 1 new" in step.said("pages/feed.xml")
    assert len(json.loads(step.said("pages/compat.json"))["combinations"]) == 2
    assert step.kept()[0] == "20261114T000000Z.json.gz"


def test_a_single_part_lies_in_no_folder_of_its_own(step: Publishing) -> None:
    """As download-artifact unpacks it where there is one."""
    step.put("parts", NEW)
    (step.folder / "parts" / "cells").mkdir()
    ran = step.make()
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "1 cell" in step.said("GITHUB_STEP_SUMMARY")


def test_only_the_newest_are_carried_on(step: Publishing) -> None:
    step.put("parts/1", NEW)
    step.pretend()
    for day in range(1, 6):
        step.remember(f"2026110{day}T000000Z.json.gz")
    assert step.make(KEEP="3").returncode == 0
    assert step.kept()[:2] == ["20261104T000000Z.json.gz", "20261105T000000Z.json.gz"]
    assert len(step.kept()) == 3


def test_nothing_is_published_of_nothing(step: Publishing) -> None:
    ran = step.make()
    assert ran.returncode == 3
    assert "::error title=nothing was measured::" in ran.stdout


def test_nothing_is_published_of_a_part_unless_asked_for(step: Publishing) -> None:
    step.put("parts/1", results(cell(), cell("missing", python="3.11")))
    step.pretend()
    ran = step.make()
    assert ran.returncode == 3
    assert "::error title=not everything was measured::1 cells" in ran.stdout
    assert not (step.folder / "pages").exists()
    assert step.make(INCOMPLETE="true").returncode == 0


class Quiet(SimpleHTTPRequestHandler):
    """Serves a folder, and fails for what lies below `broken`."""

    def log_message(self, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        if "/broken/" in self.path:
            self.send_error(403)
        else:
            super().do_GET()


@pytest.fixture
def pages(tmp_path: Path) -> Iterator[str]:
    (tmp_path / "served").mkdir()
    handler = partial(Quiet, directory=str(tmp_path / "served"))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()
        thread.join()


def test_pages_that_are_not_there_yet_have_no_history(step: Publishing, pages: str) -> None:
    ran = step.run("../publish/history.sh", SITE=pages, HISTORY="history")
    assert ran.returncode == 0, ran.stderr
    assert "no earlier tables" in ran.stdout
    assert list((step.folder / "history").iterdir()) == []


def test_the_history_is_fetched_by_names_of_our_own_making(step: Publishing, pages: str) -> None:
    served = step.folder / "served" / "history"
    served.mkdir(parents=True)
    names = ["20261114T000000Z.json.gz", "20261107T000000Z.json.gz"]
    (served / "list.txt").write_text("\n".join([*names, "../../secret", "-o", ""]))
    (served / names[0]).write_bytes(gzip.compress(encode(OLD)))
    # As people write an address.
    ran = step.run("../publish/history.sh", SITE=pages.rstrip("/"), HISTORY="history")
    assert ran.returncode == 0, ran.stderr
    assert [file.name for file in (step.folder / "history").iterdir()] == [names[0]]
    assert f"::warning title=a gap in the history::{pages} lists {names[1]}" in ran.stdout


def test_a_history_that_cannot_be_had_is_not_lost(step: Publishing, pages: str) -> None:
    ran = step.run("../publish/history.sh", SITE=f"{pages}broken/", HISTORY="history")
    assert ran.returncode == 4
    assert "::error title=no history::" in ran.stdout


def test_the_address_is_that_of_github_where_none_is_given(step: Publishing) -> None:
    step.program("python3", 'echo "$2" > asked')
    for script in ("history.sh", "tables.sh"):
        assert "GITHUB_REPOSITORY#*/" in (PUBLISH / script).read_text(encoding="utf-8")
    ran = step.run(
        "../publish/history.sh", GITHUB_REPOSITORY="someone/tables", HISTORY="h", SITE=""
    )
    assert ran.returncode == 0, ran.stderr
    assert step.said("asked") == "https://someone.github.io/tables/\n"


def test_pages_that_do_not_answer_are_a_fault(step: Publishing) -> None:
    ran = step.run("../publish/history.sh", SITE="http://127.0.0.1:1/", HISTORY="history")
    assert ran.returncode == 4


@pytest.mark.parametrize("has_pages", [True, False])
def test_costs_are_those_of_the_newest_publication(
    step: Publishing, pages: str, has_pages: bool
) -> None:
    (step.folder / "old.json").write_bytes(encode(OLD))
    if has_pages:
        served = step.folder / "served" / "history"
        served.mkdir(parents=True)
        found = {"20261121T000000Z.json.gz": NEW, "20261114T000000Z.json.gz": OLD}
        (served / "list.txt").write_text("\n".join(found))
        for name, document in found.items():
            (served / name).write_bytes(gzip.compress(encode(document)))
    places = {"COSTS": "costs/results.json", "FALLBACK": "old.json"}
    ran = step.run("../publish/costs.sh", SITE=pages, **places)
    assert ran.returncode == 0, ran.stderr
    assert step.said("costs/results.json").encode() == encode(NEW if has_pages else OLD)


def test_costs_that_cannot_be_had_stop_nothing(step: Publishing) -> None:
    (step.folder / "old.json").write_bytes(encode(OLD))
    ran = step.run(
        "../publish/costs.sh", SITE="http://127.0.0.1:1/", COSTS="c/r.json", FALLBACK="old.json"
    )
    assert ran.returncode == 0, ran.stderr
    assert "::error" not in ran.stdout
    assert step.said("c/r.json").encode() == encode(OLD)

"""How a verdict is told: to people, to programs, and to GitHub."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.cli import run
from harness.gate import judge
from harness.gate.show import as_document, as_markdown, as_text, commands
from harness.model.document import Results, encode
from harness.model.status import Status
from tests.unit.gate.bench import TODAY, cell, line, lines, results

BROKEN = cell("fail", message="no | module\nnamed 'imp', 100%", cause="a-cause")
REGRESSED = judge(
    results(BROKEN, cell(python="3.11")),
    baseline=results(cell(started_at="2026-11-20T00:00:00Z"), cell("fail", python="3.11")),
    today=TODAY,
)
STALE = judge(results(cell()), expectations=lines(line("python:3.12", cause="x")), today=TODAY)


def put(folder: Path, document: Results) -> str:
    folder.mkdir()
    (folder / "results.json").write_bytes(encode(document))
    return str(folder)


def test_people_read_the_verdict_first_and_how_to_go_on() -> None:
    text = as_text(REGRESSED, "out")
    assert text.startswith("Not let through: something that worked no longer works. Held against")
    assert "newly broken: fail at python, a-cause: no | module named 'imp'" in text
    assert "; pass on 2026-11-20 in the baseline" in text
    assert "1 of 2 cells pass; 1 newly working." in text
    assert f"harness why out {BROKEN.id}" in text
    assert f"harness repro out {BROKEN.id}" in text


def test_programs_get_the_keys_of_the_contract() -> None:
    document = as_document(REGRESSED)
    assert {"verdict", "counts", "regressions", "unexpected", "stale", "missing"} <= set(document)
    assert document["verdict"] == "regressed"
    assert document["regressions"][0]["id"] == BROKEN.id
    assert json.dumps(document)


def test_annotations_are_escaped_and_name_cell_and_cause() -> None:
    (command,) = commands(REGRESSED)
    assert command.startswith(f"::error title=newly broken%3A {BROKEN.id}::")
    assert "a-cause" in command
    assert "100%25" in command
    assert "\n" not in command


def test_a_stale_line_is_annotated_where_it_stands() -> None:
    (command,) = commands(STALE, "matrices/expect.yaml")
    assert command.startswith("::error title=stale expectation,file=matrices/expect.yaml,line=2::")


def test_the_summary_is_a_table_that_no_message_breaks() -> None:
    summary = as_markdown(REGRESSED, {BROKEN.id: "https://example.org/#x"})
    assert summary.startswith("## ❌ Not let through")
    (row,) = [row for row in summary.splitlines() if "newly broken" in row]
    assert row.replace("\\|", "").count("|") == 6
    assert f"[`{BROKEN.id}`](https://example.org/#x)" in row


def test_commands_can_be_pasted_whatever_the_folder_is_called() -> None:
    said = as_text(judge(results(cell("fail")), today=TODAY), "my out")
    assert f"Why: harness why 'my out' {cell().id}\n" in said
    assert f"Again: harness repro 'my out' {cell().id}\n" in said


def test_a_rate_is_told() -> None:
    flaky = cell("fail", attempts=(Status.FAIL, Status.PASS, Status.PASS))
    assert "flaky: passed 2 of 3 times" in as_text(judge(results(flaky), today=TODAY), "out")


@pytest.mark.parametrize(
    ("now", "before", "code"),
    [("pass", "pass", 0), ("fail", "pass", 1), ("missing", "pass", 3), ("fail", "fail", 0)],
)
def test_exit_codes(tmp_path: Path, now: str, before: str, code: int) -> None:
    out = put(tmp_path / "out", results(cell(now), cell(python="3.11")))
    base = put(tmp_path / "base", results(cell(before), cell(python="3.11")))
    assert run(["gate", out, "--baseline", base]) == code


@pytest.mark.parametrize(("day", "code"), [("2026-11-21", 3), ("2026-11-20", 0)])
def test_what_neither_of_two_runs_at_once_had_is_not_measured(
    tmp_path: Path, day: str, code: int
) -> None:
    """What was not here last night either is known; of the arms of a gate nothing is."""
    cells = (cell("unavailable"), cell(python="3.11"))
    out = put(tmp_path / "out", results(*cells, started_at="2026-11-21T05:00:00+00:00"))
    before = results(*cells, started_at=f"{day}T04:58:00+00:00", finished_at=f"{day}T05:10:00Z")
    assert run(["gate", out, "--baseline", put(tmp_path / "base", before)]) == code


def test_github_gets_annotations_and_a_summary(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    summary = tmp_path / "summary.md"
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    monkeypatch.setenv("GITHUB_WORKSPACE", str(tmp_path))
    out = put(tmp_path / "out", results(cell()))
    expect = tmp_path / "expect.yaml"
    expect.write_text(
        "expectations:\n"
        "  - {cells: 'python:3.12', cause: x, reason: r, owner: o, until: 2999-01-01}\n"
    )
    arguments = ["gate", out, "--expect", str(expect), "--format", "github"]
    assert run(arguments) == 1
    said = capsys.readouterr().out
    assert "::error title=stale expectation,file=expect.yaml,line=2::" in said
    assert "Expectations to be mended" in summary.read_text()


def test_a_faulty_list_ends_with_2_and_its_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = put(tmp_path / "out", results(cell()))
    (tmp_path / "expect.yaml").write_text("expectations: [{cells: 'r:4'}]\n")
    assert run(["gate", out, "--expect", str(tmp_path / "expect.yaml")]) == 2
    assert "expect.yaml:1" in capsys.readouterr().err

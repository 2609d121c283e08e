"""``harness diagnose``: what it prints, and its exit code."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from harness.cli import run

LOG = "> py_config()\nModuleNotFoundError: No module named 'imp'\n(reticulate_1.28)\n"


def test_text_begins_with_the_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.log").write_text(LOG)
    assert run(["diagnose", str(tmp_path / "a.log")]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("reticulate 1.28 imports the module imp")
    assert "  line 2: ModuleNotFoundError: No module named 'imp'" in lines
    assert '      install.packages("reticulate")' in lines


def test_json_has_the_keys_of_the_contract(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.log").write_text(LOG)
    assert run(["diagnose", str(tmp_path / "a.log"), "--format", "json"]) == 1
    said = json.loads(capsys.readouterr().out)
    assert said["ok"] is False
    assert said["phase"] == "python"
    best = said["causes"][0]
    assert best["id"] == "reticulate-imp-removed-py312"
    assert {"id", "confidence", "summary", "evidence", "remedies"} <= set(best)
    assert {"id", "text", "command", "verified"} <= set(best["remedies"][0])


def test_nothing_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.log").write_text("[1] 6\nall is well\n")
    assert run(["diagnose", str(tmp_path / "a.log"), "--format", "json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["ok"], said["causes"], said["unexplained"]) == (True, [], None)
    assert run(["diagnose", str(tmp_path / "a.log")]) == 0
    assert capsys.readouterr().out.startswith("Nothing wrong was found.")


def test_a_failure_that_no_cause_fits(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.log").write_text("Error in f(x) : the moon is full\n")
    assert run(["diagnose", str(tmp_path / "a.log")]) == 0
    out = capsys.readouterr().out
    assert out.startswith("It failed, and no known cause fits: no guess is made.")
    assert "line 1: Error in f(x) : the moon is full" in out


def test_standard_input(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(LOG.encode())))
    assert run(["diagnose", "-"]) == 1
    assert "reticulate-imp-removed-py312" in capsys.readouterr().out


def test_a_file_that_is_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.log").write_bytes(b"\x7fELF" + bytes(500))
    for name, said in (("none.log", "no such file"), ("a.log", "no text"), ("", "is a folder")):
        assert run(["diagnose", str(tmp_path / name)]) == 2
        err = capsys.readouterr().err
        assert said in err
        assert len(err.splitlines()) == 1

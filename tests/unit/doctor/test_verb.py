"""``harness doctor`` on a machine without R: it survives, says so, and ends with 1."""

from __future__ import annotations

import json
from pathlib import Path
from shutil import which

import pytest

from harness.cli import run


@pytest.fixture(autouse=True)
def _bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from harness.provision.r import machine

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PATH", "/usr/bin:/bin" if which("Rscript") is None else str(tmp_path))
    monkeypatch.setattr(machine, "rscripts", lambda _environ: ())


def test_no_r(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["doctor", "--format", "json"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert report["ok"] is False
    assert report["phase"] == "start"
    assert report["causes"][0]["id"] == "r-not-found"
    assert report["layers"][0]["state"] == "failed"


def test_no_r_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["doctor"]) == 1
    assert capsys.readouterr().out.startswith("R cannot be started")


def test_no_python_for_rpy2(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert run(["doctor", "--path", "rpy2", "--format", "json"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert report["layers"][0]["name"] == "python"
    assert "command not found" in report["evidence"][0]


def test_an_r_that_is_garbage(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    fake = tmp_path / "Rscript"
    fake.write_bytes(b"#!/bin/sh\nprintf '\\377garbage\\n'\nexit 0\n")
    fake.chmod(0o755)
    assert run(["doctor", "--r", str(fake), "--format", "json"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert report["layers"][0]["state"] == "failed"


@pytest.mark.parametrize(
    "arguments",
    [
        ["--path", "nosuch"],
        ["--framework", "nosuch"],
        ["--script", "none.R"],
        ["--r", "/does/not/exist"],
        ["--env", "PYTHONHOME"],
    ],
)
def test_wrong_usage(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["doctor", *arguments]) == 2
    assert "Traceback" not in capsys.readouterr().err


def test_an_r_that_is_no_program(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    fake = tmp_path / "Rscript"
    fake.write_text("not a program\n")
    fake.chmod(0o755)
    assert run(["doctor", "--r", str(fake), "--format", "json"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert report["layers"][0]["name"] == "r"
    assert report["layers"][0]["state"] == "failed"


def test_a_working_folder_that_is_gone(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert run(["doctor"]) == 2
    assert "working folder is gone" in capsys.readouterr().err
    monkeypatch.chdir(tmp_path)


def test_the_output_is_closed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fake = tmp_path / "Rscript"
    fake.write_text("not a program\n")
    fake.chmod(0o755)
    monkeypatch.setattr("sys.stdout", None)
    assert run(["doctor", "--r", str(fake)]) == 1


def test_variables_that_the_doctor_itself_must_not_have(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    said = tmp_path / "Rscript"
    said.write_text('#!/bin/sh\necho "PYTHONHOME is $PYTHONHOME" >&2\nexit 1\n')
    said.chmod(0o755)
    arguments = ["--r", str(said), "--env", "PYTHONHOME=/opt/nothing", "--format", "json"]
    assert run(["doctor", *arguments]) == 1
    summary = json.loads(capsys.readouterr().out)["summary"]
    assert summary.startswith("PYTHONHOME (/opt/nothing) points Python")

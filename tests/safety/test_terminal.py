"""What a stranger wrote steers nobody's terminal."""

from __future__ import annotations

import json

import pytest

from harness.cli import run

EVIL = "\x1b]0;owned\x07\x1b[2J\x1b[6n\x9b31m\u202egnp\x1bP1$r\x1b\\ok"
STEERING = ("\x1b", "\x07", "\x9b", "\u202e", "\x90")


@pytest.fixture
def results(fuzz, tmp_path):
    document = json.loads(fuzz.parsers()["results"].seeds[0])
    document["matrix"] = document["machine"]["os"] = EVIL
    for cell in document["cells"]:
        cell["message"] = f"no {EVIL}"
        cell["identity"] = {"r": {"version": EVIL}, "modules": {EVIL: EVIL}}
        cell["findings"] = [EVIL]
        cell["evidence"] = {"traceback": f"Traceback (most recent call last):\nError: {EVIL}"}
        cell["axes"]["numpy"] = EVIL
        for probe in cell["probes"]:
            probe["message"] = EVIL
        for trial in cell["trials"]:
            trial["message"] = trial["change"] = EVIL
    (tmp_path / "results.json").write_text(json.dumps(document))
    return tmp_path


@pytest.mark.parametrize(
    "arguments",
    [
        ("report", "DIR"),
        ("report", "DIR", "--format", "markdown"),
        ("why", "DIR", "reticulate*"),
        ("gate", "DIR"),
        ("gate", "DIR", "--format", "github"),
    ],
)
def test_no_escape_sequence_of_a_result_is_printed(results, arguments, capsys):
    run([str(results) if one == "DIR" else one for one in arguments])
    printed = capsys.readouterr()
    assert "ok" in printed.out
    assert not [sign for sign in STEERING if sign in printed.out + printed.err]


def test_no_escape_sequence_of_a_log_is_printed(tmp_path, capsys):
    file = tmp_path / "x.log"
    file.write_text(f"Error: package or namespace load failed for 'reticulate' {EVIL}\n")
    run(["diagnose", str(file)])
    printed = capsys.readouterr()
    assert not [sign for sign in STEERING if sign in printed.out + printed.err]


def test_no_escape_sequence_of_a_faulty_file_is_printed(tmp_path, capsys):
    file = tmp_path / "m.yaml"
    file.write_text("axes:\n  path: [native]\n  python: [" + json.dumps(EVIL) + "]\n")
    assert run(["plan", str(file)]) == 2
    printed = capsys.readouterr()
    assert "is no value of 'python'" in printed.err
    assert not [sign for sign in STEERING if sign in printed.out + printed.err]

"""What becomes of a recording: the file, the tables, and one sentence for a file that is none."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import msgspec
import pytest

from harness.cli import run
from harness.errors import FileFault
from harness.latency.calibration import OURS, Series
from harness.model.document import Machine
from harness.workflow.calibrating import (
    Recording,
    as_document,
    as_text,
    calibrate,
    join,
    load,
    save,
    total,
)
from tests.unit.latency.noise import autocorrelated, samples


def recording(rounds: int = 30) -> Recording:
    series = []
    for planted in (1.0, 1.2):
        noise = autocorrelated(rounds * 4, 3, spread=0.03, likeness=0.5)
        series.append(
            Series(
                cell="reticulate__cpu",
                path="reticulate",
                clocks={"noop": "cpu"},
                samples=tuple(samples(noise, slower=planted)),
                planted=planted,
            )
        )
    return Recording(
        harness="1",
        matrix="calibrate",
        at="2026-01-02T03:04:05+00:00",
        machine=Machine(cores=2, arch="x86_64", os="Debian"),
        busy=1,
        load=2.0,
        recorded_s=240.0,
        series=tuple(series),
    )


def test_a_recording_comes_back_as_it_was_and_equal_ones_are_equal_files(tmp_path):
    one, other = tmp_path / "one.json.gz", tmp_path / "other.json.gz"
    save(recording(), one)
    save(recording(), other)
    assert load(one) == recording()
    assert one.read_bytes() == other.read_bytes()


def test_recordings_of_one_machine_go_on_one_after_the_other():
    longer = msgspec.structs.replace(recording(8), load=5.0, recorded_s=60.0)
    both = join([("one.json.gz", recording(30)), ("two.json.gz", longer)])
    assert [(one.cell, one.planted) for one in both.series] == [
        ("reticulate__cpu", 1.0),
        ("reticulate__cpu", 1.2),
    ]
    rounds = sorted({one.round for one in both.series[0].samples})
    assert rounds == list(range(38))
    assert (both.recorded_s, both.load) == (300.0, 2.6)
    assert join([("one.json.gz", recording())]) == recording()
    of_no_time = msgspec.structs.replace(recording(), recorded_s=0.0)
    assert join([("one.json.gz", of_no_time)]).load == 0.0


def test_no_process_counts_twice():
    with pytest.raises(FileFault, match=r"copy\.json\.gz: is the same recording as one\.json\.gz"):
        join([("one.json.gz", recording()), ("copy.json.gz", recording())])


def test_recordings_of_two_machines_are_not_judged_as_one():
    elsewhere = msgspec.structs.replace(recording(), machine=Machine(cores=64, arch="aarch64"))
    with pytest.raises(
        FileFault, match=r"two\.json\.gz: was recorded with another machine than one"
    ):
        join([("one.json.gz", recording()), ("two.json.gz", elsewhere)])


@pytest.mark.parametrize(
    "content", [b"", b"text", gzip.compress(b"{}"), gzip.compress(b"no JSON")], ids=range(4)
)
def test_a_file_that_is_no_recording_is_one_sentence(tmp_path, content):
    file = tmp_path / "none.json.gz"
    file.write_bytes(content)
    with pytest.raises(FileFault) as error:
        load(file)
    assert str(error.value).startswith(f"{file}: ")
    assert "\n" not in str(error.value)


def test_a_file_that_is_not_there_is_named(tmp_path, capsys):
    assert run(["calibrate", "--from", str(tmp_path / "gone.gz")]) == 2
    assert "gone.gz: cannot be read (no such file" in capsys.readouterr().err


def test_the_record_counts_false_alarms_and_what_was_found(tmp_path):
    found = calibrate(recording(), 40.0)
    ours = total(found, OURS, "interleaved")
    assert ours["found"] == 0
    assert ours["of"] >= 5
    assert 0 < ours["upper"] < 0.5
    document = as_document(found)
    assert document["processes"] == 2 * 30 * 4
    assert document["budget_s"] == 40.0
    real = [one for one in document["shares"] if one["tool"] == OURS and one["factor"] == 1.2]
    assert {(one["real"], one["alone"]) for one in real} == {
        (real, alone) for real in (True, False) for alone in (True, False)
    }


def test_the_text_has_the_machine_and_every_rule():
    text = as_text(calibrate(recording(), 40.0))
    assert "240 fresh processes in 4 min 0 s on 2 cores (x86_64, Debian), beside 1 busy" in text
    for tool in (OURS, "pyperf", "asv", "pytest-benchmark"):
        assert tool in text


def test_a_recording_is_judged_again_without_running_anything(tmp_path, capsys):
    file = tmp_path / "calibration.json.gz"
    save(recording(), file)
    assert run(["calibrate", "--from", str(file), "--budget", "40", "--format", "json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["false_alarms"][0]["tool"] == OURS


def test_too_short_a_recording_is_nothing_measured(tmp_path, capsys):
    file = tmp_path / "calibration.json.gz"
    save(recording(rounds=2), file)
    assert run(["calibrate", "--from", str(file), "--budget", "400"]) == 3
    assert capsys.readouterr().out


def test_the_default_matrix_is_there_to_be_run(capsys):
    assert Path("matrices/calibrate.yaml").is_file()
    assert run(["plan", "matrices/calibrate.yaml", "--format", "json"]) == 0
    paths = {cell["axes"]["path"] for cell in json.loads(capsys.readouterr().out)["cells"]}
    assert {"native", "reticulate", "rpy2", "rpc"} <= paths

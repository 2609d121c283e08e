from __future__ import annotations

from typing import Any

import pytest
from click.testing import CliRunner

from harness.cli import cli
from harness.model.document import Machine, Results, encode
from harness.model.record import CellRecord, ProbeRecord
from harness.model.status import Phase, Status
from harness.workflow.reproducing import reproduce

NUMPY = (
    "Required version of NumPy not available: incompatible NumPy binary version 33554432 "
    "(expecting version 16777225)"
)
CELL, CONTROL = "reticulate-1.28__r4.2.2__py3.11__jax0.10.2__cpu", "native__py3.11__jax0.10.2__cpu"
AXES = {
    "path": "reticulate", "transport": None, "r": "4.2.2", "bridge": "1.28", "python": "3.11",
    "framework": "jax==0.10.2", "cuda": "cpu",
}  # fmt: skip


def record(**changes: Any) -> CellRecord:
    known: dict[str, Any] = {
        "id": CELL,
        "axes": AXES,
        "status": Status.FAIL,
        "phase": Phase.CONVERT,
        "message": NUMPY,
        "evidence": {"traceback": "r_to_py(x)"},
        "identity": {
            "r": {"version": "4.2.2"},
            "bridge": {"name": "reticulate", "version": "1.28"},
            "python": {"version": "3.11.7"},
            "modules": {"numpy": "2.4.6", "jax": "0.10.2"},
        },
        "probes": (ProbeRecord(name="train", status=Status.FAIL, message=NUMPY),),
        "control": CONTROL,
    }
    return CellRecord(**{**known, **changes})


@pytest.fixture
def folder(tmp_path):
    """A folder of results with one cell and its control."""

    def make(*records: CellRecord, control: Status = Status.PASS) -> Any:
        alone = {**AXES, "path": "native", "r": None, "bridge": None}
        native = CellRecord(id=CONTROL, axes=alone, status=control)
        cells = (native, *records)
        results = Results(
            matrix="made-up",
            machine=Machine(os="Debian GNU/Linux 12", arch="x86_64"),
            planned=tuple(one.id for one in cells),
            cells=cells,
        )
        (tmp_path / "results.json").write_bytes(encode(results))
        return tmp_path

    return make


def lock(folder, cell, text):
    (folder / "cells" / cell).mkdir(parents=True)
    (folder / "cells" / cell / "requirements.lock").write_text(text)


def test_the_lock_is_that_of_the_cell(folder):
    place = folder(record())
    lock(place, CELL, "jax==0.10.2\nnumpy==2.4.6\nscipy==1.17.1\n")
    name, made = reproduce(place, CELL)
    assert name == CELL
    assert made.files["requirements.lock"] == "jax==0.10.2\nnumpy==2.4.6\nscipy==1.17.1\n"
    assert made.missing == ()
    assert f"# {'expected here: Required version of NumPy not available'}" in made.files["repro.R"]
    assert "FROM debian:bookworm\n" in made.files["Dockerfile"]
    page = made.files["README.md"]
    assert "The same work in Python without R passes." in page
    assert "Why: reticulate 1.28 does not know numpy 2.4.6" in page
    assert "| measured on | Debian GNU/Linux 12, x86_64 |" in page


@pytest.mark.parametrize(
    ("control", "said"),
    [
        (Status.PASS, "The same work in Python without R passes."),
        (Status.CRASH, "The same work in Python without R does not pass either."),
        (Status.UNAVAILABLE, None),
        (Status.MISSING, None),
    ],
)
def test_the_page_tells_of_a_control_only_what_is_known(folder, control, said):
    _, made = reproduce(folder(record(), control=control), CELL)
    page = made.files["README.md"]
    assert said in page if said else "without R" not in page


def test_from_the_document_alone_the_lock_is_what_was_read_back(folder):
    _, made = reproduce(folder(record()), CELL)
    assert made.files["requirements.lock"] == "jax==0.10.2\nnumpy==2.4.6\n"
    assert "the exact lock was not among the results" in made.missing[0]
    assert "--no-deps" not in made.files["setup.sh"]


def test_the_control_has_the_lock_of_a_cell_that_got_none(folder):
    place = folder(record(status=Status.FAIL, phase=Phase.BRIDGE, identity={}))
    lock(place, CONTROL, "jax==0.10.2\n")
    _, made = reproduce(place, CELL)
    assert made.files["requirements.lock"] == "jax==0.10.2\n"
    assert made.missing == ()


def test_another_bridge_than_the_suites_is_built(folder):
    axes = {**AXES, "bridge": "1.40.0"}
    seen = {"bridge": {"name": "reticulate", "version": "1.40.0"}}
    _, made = reproduce(folder(record(axes=axes, identity=seen)), CELL)
    assert 'remotes::download_version("reticulate", "1.40.0")' in made.files["setup.sh"]
    assert "r-base-dev" in made.files["Dockerfile"]


def test_an_r_of_the_machine_is_not_taken_for_debians(folder):
    seen = {"r": {"version": "4.2.2"}, "comes_from": {"r": "machine"}}
    _, made = reproduce(folder(record(identity=seen)), CELL)
    assert "FROM rocker/r-ver:4.2.2\n" in made.files["Dockerfile"]


def test_what_cannot_exist_asks_for_what_the_matrix_asked_for(folder):
    none = record(
        axes={**AXES, "framework": "jax", "numpy": "<2", "python": "3.13"},
        status=Status.UNSATISFIABLE,
        phase=Phase.RESOLVE,
        message="no set of packages exists for Python 3.13.0: jaxlib==0.4.13 has no wheels",
        evidence={"detail": "jaxlib==0.4.13 has no wheels, jax[cpu]>=0.4 and numpy<2 ..."},
        identity={},
        probes=(),
    )
    _, made = reproduce(folder(none), CELL)
    assert made.files["requirements.in"] == "jax[cpu]>=0.4\nnumpy<2\n"
    expected = "--python-version 3.13.0 --only-binary jaxlib --only-binary numpy\n"
    assert made.files["repro.sh"].endswith(expected)


def test_the_verb_writes_the_folder_and_says_how_to_go_on(folder, tmp_path, monkeypatch):
    place = folder(record())
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(cli, ["repro", str(place), "reticulate-1.28*"])
    assert done.exit_code == 0, done.output
    assert f"repro-{CELL}/: Dockerfile, README.md, repro.R" in done.output
    assert "Rscript repro.R" in done.output
    assert (tmp_path / f"repro-{CELL}" / "repro.R").is_file()


@pytest.mark.parametrize("cell", ["native*", "nothing", CELL])
def test_a_matrix_is_not_needed_and_a_cell_must_be_meant(folder, cell, tmp_path):
    place = folder(record(status=Status.MISSING, phase=None, message=None))
    out = str(tmp_path / "out")
    done = CliRunner().invoke(cli, ["repro", str(place), cell, "--out", out])
    codes = {"native*": 0, "nothing": 2, CELL: 3}
    assert (
        done.exit_code == codes[cell] or getattr(done.exception, "exit_code", None) == codes[cell]
    )


def test_no_place_of_this_machine_is_in_a_reproducer(folder):
    place = folder(record(message="Error 1 occurred running ENV/bin/python"))
    _, made = reproduce(place, CELL)
    for name, text in made.files.items():
        assert "ENV/" not in text, name
        assert str(place) not in text, name


def test_what_has_no_part_in_the_conflict_is_left_out(folder):
    none = record(
        axes={**AXES, "framework": "jax", "numpy": "<2", "python": "3.13"},
        status=Status.UNSATISFIABLE,
        phase=Phase.RESOLVE,
        message="no set of packages exists for Python 3.13.0",
        evidence={"detail": "numpy==1.26.4 has no wheels and you require numpy<2, not jaxlib"},
    )
    _, made = reproduce(folder(none), CELL)
    assert made.files["requirements.in"] == "numpy<2\n"

"""What a cell is given of its caller, on every path: no secret, and no network unasked."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from harness.execute.environment import base_environment
from harness.model.cell import Axes, Cell, cell_id
from harness.model.environment import Interpreter, Lock, PythonEnvironment, RToolchain
from harness.model.job import End, Job, Outcome
from harness.workflow import measuring
from harness.workflow.measuring import Measurement, measure
from harness.workflow.preparing import Prepared
from harness.workflow.registry import paths

SECRETS = {
    "AWS_SECRET_ACCESS_KEY": "hunter2",
    "GITHUB_TOKEN": "hunter2",
    "HTTPS_PROXY": "http://u:hunter2@proxy:1",
    "PIP_INDEX_URL": "https://u:hunter2@host/simple",
    "UV_INDEX": "hunter2",
    "SSH_AUTH_SOCK": "/tmp/hunter2",
    "LD_PRELOAD": "/hunter2.so",
    "PYTHONSTARTUP": "/hunter2.py",
    "R_PROFILE_USER": "/hunter2.R",
    "HARNESS_CRAN": "https://u:hunter2@host",
}


def axes_of(path: str) -> list[Axes]:
    r = None if path == "native" else "4.5.0"
    return [
        Axes(path=path, transport=transport, r=r, python="3.11")
        for transport in paths()[path].transports or (None,)
    ]


EVERY = [axes for path in paths() for axes in axes_of(path)]


def jobs_of(axes: Axes, folder: Path, monkeypatch: pytest.MonkeyPatch, **changes: Any) -> list[Job]:
    """Measure a cell whose process only pretends to run, and return what was to be run."""
    ran: list[Job] = []

    def pretend(job: Job, *_: object, **__: object) -> Outcome:
        ran.append(job)
        job.stdout.write_bytes(b"")
        job.stderr.write_bytes(b"")
        return Outcome(
            end=End.EXITED, exit_code=0, signal=None, phase=None, wall_s=0.1, max_rss_mb=1.0
        )

    monkeypatch.setattr(measuring, "run_job", pretend)
    place = folder / "env"
    python = PythonEnvironment(
        executable=place / "bin" / "python",
        interpreter=Interpreter(
            executable=place / "python3", version="3.11.7", prefix=place, libpython=place / "lib.so"
        ),
        lock=Lock(text="", digest=""),
        binds=(),
    )
    r = RToolchain(
        version="4.5.0", rscript=Path("/usr/bin/Rscript"), root=None, packages={},
        source="machine", digest="",
    )  # fmt: skip
    measure(
        Measurement(
            cell=Cell(id=cell_id(axes), axes=axes, probes=("init",), **changes),
            path=paths()[axes.path],
            prepared=Prepared(python=python, r=None if axes.r is None else r),
            control=None,
            folder=folder / "cell",
            cancel=threading.Event(),
            on_phase=lambda _phase: None,
        )
    )
    return ran


@pytest.mark.parametrize("axes", EVERY, ids=cell_id)
def test_no_secret_and_no_network_on_any_path(axes, tmp_path, monkeypatch):
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    (job,) = jobs_of(axes, tmp_path, monkeypatch)
    assert not job.network
    shown = repr((job.argv, job.env, job.binds))
    assert "hunter2" not in shown
    assert not set(SECRETS) & set(job.env) - {"LD_PRELOAD"}
    assert job.env["HOME"].startswith(str(tmp_path))
    # Of all that is written for the cell, and kept of it, too.
    for file in (tmp_path / "cell").rglob("*"):
        if file.is_file():
            assert b"hunter2" not in file.read_bytes(), file
    writable = [bind.source for bind in job.binds if bind.writable]
    assert all(place.is_relative_to(tmp_path / "cell") for place in writable)


def test_a_network_is_there_where_it_was_asked_for(tmp_path, monkeypatch):
    (job,) = jobs_of(EVERY[0], tmp_path, monkeypatch, network=True)
    assert job.network


def test_no_variable_that_is_named_like_a_secret_is_passed_on():
    assert set(base_environment(SECRETS)) == set(base_environment({}))

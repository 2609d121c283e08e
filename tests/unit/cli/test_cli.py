"""The command line: what it prints, how it ends, and one sentence for each slip."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from harness import __version__
from harness.cli import run
from harness.cli.root import VERBS

MATRIX = """\
axes:
  path: [native, reticulate]
  r: [4.5.0]
  python: ["3.11", "3.12"]
  framework: [jax==0.10.2]
"""


@pytest.fixture
def matrix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "m.yaml").write_text(MATRIX)
    monkeypatch.chdir(tmp_path)
    return "m.yaml"


def test_help_lists_every_verb_and_each_has_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--help"]) == 0
    listed = capsys.readouterr().out
    for verb in VERBS:
        assert f"  {verb}" in listed
        assert run([verb, "--help"]) == 0
        shown = capsys.readouterr().out
        assert "Example: harness " + verb in " ".join(shown.split())


def test_no_arguments_show_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert run([]) == 0
    assert "Usage: harness" in "".join(capsys.readouterr())


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == 0
    assert capsys.readouterr().out == f"harness {__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["paln", "m.yaml"], "there is no verb 'paln'; did you mean 'plan'?"),
        (["plan"], "Missing argument 'MATRIX'"),
        (["plan", "m.yaml", "--fromat", "json"], "No such option"),
        (["plan", "m.yaml", "--format", "yaml"], "'yaml' is not one of"),
        (["plan", "none.yaml"], "none.yaml: cannot be read: no such file"),
        (["plan", "m.yaml", "--where", "phyton:3"], "did you mean 'python:'?"),
        (["plan", "m.yaml", "--only", "nothing*"], "none of the 4 cells fits"),
        (["plan", "m.yaml", "--shard", "3/2"], "write K/N"),
        (["plan", "m.yaml", "--shards", "2"], "--shards goes with --format github"),
        (["gate", "m.yaml", "--base", "main"], "--base goes with --bridge"),
        (["gate", ".", "--unfinished", ""], "--unfinished is empty; write why"),
        (["gate", "m.yaml", "--bridge", "rpy2=3.6.5", "--base", " "], "--base is empty; write a"),
        (["gate", ".", "--baseline", ".", "--bridge", "reticulate=1"], "exclude each other"),
        (["gate", "m.yaml", "--bridge", "reticulate=1.41.0", "--base", "main"], "git reference"),
        (["gate", "m.yaml", "--bridge", "rpy2=3.6.5"], "no selected cell has the path rpy2"),
        (["expect", "update", "."], "Missing option '--expect'"),
        (["run", "m.yaml", "--jobs", "0"], "0 is not in the range"),
        (["report", "."], "no results here"),
        (["report", ".", "--format", "pdf"], "there is no report format 'pdf'"),
        (["merge", ".", "--results", "out"], "no results here"),
        (["cache", "--older-than", "3"], "--older-than goes with --prune"),
    ],
)
def test_a_slip_is_one_sentence_and_exit_code_2(
    matrix: str, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    del matrix
    assert run(arguments) == 2
    out, errors = capsys.readouterr()
    assert said in errors
    assert out == ""
    assert len(errors.strip().splitlines()) == 1
    assert errors.startswith("harness: ")


def test_plan_as_a_table(matrix: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["plan", matrix]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["cell", "path", "r", "bridge", "python", "framework", "cuda"]
    assert "reticulate-1.41__r4.5.0__py3.11__jax0.10.2__cpu" in lines[3]
    assert lines[-1] == "4 cells"


def test_plan_takes_versions_of_a_bridge_from_the_repository_that_is_named(
    matrix: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / matrix).write_text(
        "axes: {path: reticulate, r: 4.5.0, bridge: newest, python: '3.11'}"
    )
    source = tmp_path / "cran/reticulate"
    source.mkdir(parents=True)
    source.joinpath("DESCRIPTION").write_text("Package: reticulate\nVersion: 9.9.9\n")
    assert run(["plan", matrix, "--cran", str(source.parent)]) == 0
    assert "reticulate-9.9.9__r4.5.0__py3.11__cpu" in capsys.readouterr().out


def test_plan_as_json(matrix: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["plan", matrix, "--format", "json", "--where", "path:reticulate python:3.12"]) == 0
    document = json.loads(capsys.readouterr().out)
    control, cell = document["cells"]
    assert cell["id"] == "reticulate-1.41__r4.5.0__py3.12__jax0.10.2__cpu"
    assert cell["axes"]["framework"] == "jax==0.10.2"
    assert cell["control"] == control["id"] == "native__py3.12__jax0.10.2__cpu"
    assert control["implied"]


def test_plan_for_github_is_the_object_of_a_matrix(
    matrix: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["plan", matrix, "--format", "github", "--where", "path:reticulate"]) == 0
    printed = capsys.readouterr().out
    assert printed.count("\n") == 1, "one line, as $GITHUB_OUTPUT wants it"
    jobs = json.loads(printed)["include"]
    assert [job["path"] for job in jobs] == ["reticulate", "reticulate"]
    assert all(isinstance(value, str) for job in jobs for value in job.values())


def test_plan_for_github_in_shards_has_every_cell_once(
    matrix: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["plan", matrix, "--format", "github", "--shards", "9"]) == 0
    jobs = json.loads(capsys.readouterr().out)["include"]
    assert [job["shard"] for job in jobs] == ["1/9", "2/9"], "no job without cells"
    found = []
    for job in jobs:
        assert run(["plan", matrix, "--format", "json", "--shard", job["shard"]]) == 0
        cells = json.loads(capsys.readouterr().out)["cells"]
        found += [cell["id"] for cell in cells if not cell["implied"]]
        assert job["cells"] == str(len(cells))
    assert len(found) == len(set(found)) == 4


def test_a_results_folder_that_cannot_be_written_is_exit_code_4(
    matrix: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("file").write_text("")
    assert run(["run", matrix, "--results", "file/out"]) == 4
    _, errors = capsys.readouterr()
    assert "results cannot be written here" in errors
    assert len(errors.strip().splitlines()) == 1


def test_an_empty_cache_says_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    assert run(["cache"]) == 0
    assert "is empty" in capsys.readouterr().out
    assert run(["cache", "--prune"]) == 0
    assert "removed 0 entries" in capsys.readouterr().out


def test_what_was_half_built_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path))
    (tmp_path / "python" / ("0" * 64)).mkdir(parents=True)
    (tmp_path / "Documents" / "thesis").mkdir(parents=True)
    assert run(["cache", "--prune"]) == 0
    said = capsys.readouterr().out
    assert f"removed {tmp_path}/python/{'0' * 64}, which was half built" in said
    assert (tmp_path / "Documents" / "thesis").is_dir()


@pytest.mark.parametrize("arguments", [["cache"], ["run", "m.yaml", "--quiet"]])
def test_a_cache_that_cannot_be_is_exit_code_4(
    matrix: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
) -> None:
    monkeypatch.setenv("HARNESS_CACHE", str(Path(matrix).absolute() / "below-a-file"))
    assert run(arguments) == 4
    _, errors = capsys.readouterr()
    assert "set HARNESS_CACHE to a folder of yours" in errors
    assert len(errors.strip().splitlines()) == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
@pytest.mark.parametrize("arguments", [("diagnose", "-"), ("--help",)])
def test_an_output_that_takes_nothing_is_told_in_a_sentence(arguments: tuple[str, ...]) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "harness", *arguments],
            input="Error: it broke\n", stdout=full, stderr=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
    assert done.returncode == 4
    assert done.stderr == "harness: the output cannot be written: no space left on device\n"


@pytest.mark.parametrize("form", ["table", "json"])
@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_a_closed_output_is_no_defect(tmp_path: Path, form: str, closed: str) -> None:
    (tmp_path / "m.yaml").write_text("axes: {path: native, python: 3.11}")
    words = [sys.executable, "-m", "harness", "plan", "m.yaml", "--format", form]
    command = ["sh", "-c", f"{shlex.join(words)} {closed}"]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")

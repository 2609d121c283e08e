from __future__ import annotations

import msgspec
import pytest

from harness.causes.model import Finding, Remedy
from harness.errors import NotMeasured, UsageError
from harness.model.status import Phase, Status
from harness.repro import Build, Compile, Lines, reproducer, write

NUMPY = Finding(
    id="numpy2",
    confidence=1.0,
    summary="reticulate 1.28 does not know numpy 2.4.6.",
    remedies=(
        Remedy(id="update", text="Update reticulate.", verified=True),
        Remedy(id="pray", text="Wait.", verified=False),
    ),
)


def ended(case, status, phase=None, message="it was so"):
    record = msgspec.structs.replace(case.record, status=status, phase=phase, message=message)
    return msgspec.structs.replace(case, record=record)


def test_a_reproducer_is_a_script_a_lock_a_set_up_and_a_page(case):
    made = reproducer(case("reticulate", "convert", cause=NUMPY, control_passes=True))
    assert set(made.files) == {
        "Dockerfile", "README.md", "repro.R", "requirements.lock", "setup.sh"
    }  # fmt: skip
    assert made.command == "Rscript repro.R"
    page = made.files["README.md"]
    assert page.startswith("# reticulate 1.28, R 4.2.2, Python 3.11.7, torch 2.13.0\n")
    assert "fails when arrays are handed over. The same work in Python without R passes." in page
    assert "\n    it said no: 4711\n" in page
    assert "Why: reticulate 1.28 does not know numpy 2.4.6." in page
    assert "- Update reticulate. (seen to help)" in page
    assert "Wait." not in page
    assert len(page.splitlines()) < 45
    assert "| torch | 2.13.0+cpu |" in page


def test_the_set_up_has_this_python_and_these_packages(case):
    script = reproducer(case("reticulate", "convert")).files["setup.sh"]
    assert "uv venv --quiet --python 3.11.7 .venv" in script
    assert "--no-deps --torch-backend cpu -r requirements.lock" in script
    made = case("rpy2", "error", lock=Lines(text="numpy==2.4.6\n", whole=False))
    assert "RPY2_CFFI_MODE=ABI uv pip install" in reproducer(made).files["setup.sh"]
    assert "--no-deps" not in reproducer(made).files["setup.sh"]


@pytest.mark.parametrize(
    ("path", "suite", "image", "package"),
    [
        ("reticulate", "bookworm", "debian:bookworm", "r-cran-reticulate"),
        ("rpy2", "trixie", "debian:trixie", "r-base-core"),
        ("rpython", "bookworm", "debian:bookworm", "r-base-dev"),
        ("reticulate", None, "rocker/r-ver:4.2.2", "build-essential"),
    ],
)
def test_the_image_has_the_same_r(case, path, suite, image, package):
    text = reproducer(case(path, "op", suite=suite)).files["Dockerfile"]
    assert f"FROM {image}\n" in text
    assert f" {package} " in text


def test_an_image_for_a_suite_that_moves_says_so(case):
    text = reproducer(case("reticulate", "op", suite="sid", rolling=True)).files["Dockerfile"]
    assert text.startswith("# Debian sid has moved on since; R was 4.2.2 then.\n")


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (Status.UNAVAILABLE, "is unavailable, so there is nothing to reproduce: it could not be"),
        (Status.MISSING, "it never ran: it was so"),
        (Status.UNSUPPORTED, "its path cannot do what was asked"),
        (Status.SKIPPED, "it was skipped"),
    ],
)
def test_what_did_not_run_is_one_sentence(case, status, words):
    with pytest.raises(NotMeasured, match=words):
        reproducer(ended(case("reticulate"), status))


def test_what_cannot_exist_is_a_question_to_uv(case):
    asked = Compile(requirements=("jax[cpu]>=0.4", "numpy<2"), wheels_only=("jaxlib",))
    made = reproducer(ended(case("reticulate", compile=asked), Status.UNSATISFIABLE, Phase.RESOLVE))
    assert made.files["requirements.in"] == "jax[cpu]>=0.4\nnumpy<2\n"
    command = "uv pip compile requirements.in --python-version 3.11.7 --only-binary jaxlib\n"
    assert made.files["repro.sh"].endswith(command)
    assert "setup.sh" not in made.files
    assert "setup.sh" not in made.files["Dockerfile"]
    assert "no set of packages that fits" in made.files["README.md"]


def test_a_cuda_that_cannot_be_held_to_is_a_constraint(case):
    asked = Compile(requirements=("jax[cuda12]",), constraints=("nvidia-cuda-runtime==12.1.*",))
    made = reproducer(ended(case("native", compile=asked), Status.UNSATISFIABLE, Phase.RESOLVE))
    assert made.files["constraints.txt"] == "nvidia-cuda-runtime==12.1.*\n"
    assert "--constraint constraints.txt" in made.files["repro.sh"]


def test_a_bridge_that_does_not_build_is_its_build(case):
    made = case("rpython", "provision", message="rPython does not build: undefined symbol: Py_X")
    files = reproducer(made).files
    assert files["repro.sh"].rstrip().endswith("R CMD INSTALL --no-docs --library=library "
                                               "rPython_0.0-6.tar.gz")  # fmt: skip
    assert "requirements.lock" not in files
    assert "R CMD INSTALL" not in files["setup.sh"]
    assert "\n    undefined symbol: Py_X\n" in files["README.md"]


def test_a_failure_before_the_cell_that_no_build_explains(case):
    with pytest.raises(UsageError, match="failed before it ran"):
        reproducer(case("reticulate", "provision"))


def test_a_bridge_from_a_source_tree_is_to_be_put_there(case):
    tree = Build(package="reticulate", version="1.47.0.9000", tree="git", commit="abc123")
    made = reproducer(case("reticulate", "op", build=tree))
    assert "put it into the folder `bridge`" in made.missing[0]
    assert "commit abc123" in made.files["README.md"]
    assert "R CMD INSTALL --no-docs --library=library bridge" in made.files["setup.sh"]
    assert '.libPaths(c("library", .libPaths()))' in made.files["repro.R"]


def test_what_is_not_known_exactly_is_said(case):
    made = reproducer(case("reticulate", "op", lock=Lines(text="numpy\n", whole=False)))
    assert "the exact lock was not among the results" in made.missing[0]
    assert made.missing[0] in made.files["README.md"]


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (Status.CRASH, "and the process crashes"),
        (Status.TIMEOUT, "does not come to an end"),
        (Status.OOM, "more memory than the cell was given"),
    ],
)
def test_how_it_ends_is_said(case, status, words):
    assert words in reproducer(case("reticulate", "op", status=status)).files["README.md"]


def test_a_folder_is_written_and_written_again(case, tmp_path):
    out = tmp_path / "repro"
    write(reproducer(case("system", "op")).files, out)
    (out / "mine.txt").write_text("kept")
    write(reproducer(case("rpy2", "op")).files, out)
    assert (out / "repro.py").is_file()
    # What the first one had and the second has not.
    assert not (out / "work.py").exists()
    assert (out / "mine.txt").read_text() == "kept"


def test_a_folder_with_something_else_is_left_alone(case, tmp_path):
    (tmp_path / "thesis.tex").write_text("dear")
    with pytest.raises(UsageError, match="is not empty, and no reproducer"):
        write(reproducer(case("rpy2", "op")).files, tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["thesis.tex"]
    with pytest.raises(UsageError, match="is a file; name a folder"):
        write({}, tmp_path / "thesis.tex")

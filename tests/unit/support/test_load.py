"""The files of facts: what they say, and how a fault in one is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import FileFault
from harness.support import Subject, load_support
from harness.support.load import folder, load_file

GOOD = """\
subject: torch
packages: [torch]
sources:
  matrix: {source: "https://example.test/matrix", date: 2026-11}
facts:
  - {of: "==2.13.*", python: ">=3.10,<=3.14", cuda: [12.6, 13.0], says: matrix, note: a note}
  - {of: "==2.12.*", with: {python: ">=3.12"}, numpy: "<3", says: matrix}
"""


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "torch.yaml"
    path.write_text(text)
    return path


def test_a_file(tmp_path: Path) -> None:
    subject = load_file(written(tmp_path, GOOD))
    assert (subject.name, subject.packages) == ("torch", ("torch",))
    python, cuda, numpy = subject.facts
    assert (python.axis, python.range, python.named) == ("python", ">=3.10,<=3.14", False)
    assert (cuda.axis, cuda.range, cuda.named) == ("cuda", "12.6, 13.0", True)
    assert numpy.given == (("python", ">=3.12"),)
    assert (python.place, numpy.place) == ("torch.yaml:6", "torch.yaml:7")
    assert str(python.source) == "https://example.test/matrix, 2026-11"
    assert python.note == "a note"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("python:", "pyhton:", "6:22: key of a fact: 'pyhton' is not known; did you mean 'python'"),
        ('">=3.10,<=3.14"', "3.10 to 3.14", "'3.10 to 3.14', which is no range; write, for"),
        ("says: matrix, note", "says: matrx, note", "source 'matrx' is not known; did you mean"),
        ("says: matrix, note: a note", "note: x", "the fact has no 'says:'"),
        ('{of: "==2.13.*", python: ">=3.10,<=3.14", cuda: [12.6, 13.0],', '{of: "==2", ',
         "the fact says nothing; write one of cuda"),
        ("[12.6, 13.0]", "[new]", "'new' is no version"),
        ("https://example.test/matrix", "somebody", "'somebody' is no source; write a public"),
        ("date: 2026-11", "date: 11/2026", "'11/2026' is no date; write, for instance, 2026-11-22"),
        ("date: 2026-11", "when: 2026-11", "key of the source 'matrix': 'when' is not known"),
        ("subject: torch\n", "", "'subject:' is missing"),
        ("facts:", "fact:", "key of the file: 'fact' is not known; did you mean 'facts'?"),
        ("facts:", "facts: [", "is not YAML"),
        ("note: a note", "of: x", "'of' stands in line 6 already"),
    ],
)  # fmt: skip
def test_a_fault_is_told_with_its_place(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert old in GOOD
    path = written(tmp_path, GOOD.replace(old, new, 1))
    with pytest.raises(FileFault) as caught:
        load_file(path)
    assert said in str(caught.value)
    assert str(caught.value).startswith(f"{path}:")
    assert caught.value.line is not None


def test_two_files_on_one_subject(tmp_path: Path) -> None:
    written(tmp_path, GOOD)
    (tmp_path / "other.yaml").write_text(GOOD)
    with pytest.raises(FileFault, match="another file has facts of torch already"):
        load_support(tmp_path)


def test_the_facts_that_the_harness_comes_with() -> None:
    subjects = {subject.name: subject for subject in load_support()}
    assert set(subjects) == {
        "cuda", "jax", "keras", "pyrserve", "reticulate", "rpy2", "rpython", "tensorflow", "torch",
    }  # fmt: skip
    # In a checkout the tree's own, in an installed package those that came with it.
    assert len(list(folder().glob("*.yaml"))) == len(subjects)


@pytest.mark.parametrize("subject", load_support(), ids=lambda subject: subject.name)
def test_every_fact_has_a_source_and_a_date(subject: Subject) -> None:
    for fact in subject.facts:
        assert fact.source.text.startswith(("https://", "run: ")), fact
        assert fact.source.date >= "2026", fact


def test_the_builds_of_torch_are_taken_from_the_facts() -> None:
    """What the resolver looks for and what is documented are one thing."""
    from harness.resolve.cuda import torch_backends

    assert torch_backends("12", "2.10.0") == ("cu126", "cu128")
    assert torch_backends("13", "2.10.0") == ("cu130",)  # which the matrix calls experimental
    assert torch_backends("10", "2.10.0") == ()


def test_the_rpy2_that_is_taken_for_an_r_is_documented_for_it() -> None:
    from harness.paths.rpy2 import PATH
    from harness.support import documented

    for r in ("4.0.4", "4.2.2", "4.5.0", "4.6.2"):
        known = {"r": r, "rpy2": PATH.default_bridge(r) or ""}
        assert documented(known, load_support()).supported is True, known

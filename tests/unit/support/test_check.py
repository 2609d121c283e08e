"""Recorded ranges against what an index has."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from packaging.metadata import RawMetadata

from harness.cli import run as harness
from harness.errors import Unavailable
from harness.registry import Release, release
from harness.support.load import load_file
from harness.workflow import supporting
from harness.workflow.supporting import as_text, compare

FACTS = """\
subject: torch
packages: [torch]
sources:
  matrix: {source: "https://example.test/matrix", date: 2026-11}
facts:
  - {of: "==2.13.*", python: ">=3.10,<=3.11", says: matrix}
  - {of: "==2.13.*", with: {python: ">=3.11"}, numpy: ">=1.26,<2", says: matrix}
"""


class Fake:
    """A registry of made-up releases."""

    def __init__(self, *releases: Release, requires: tuple[str, ...] = ()) -> None:
        self.torch = releases
        self.requires = list(requires)
        self.notes = ("a note",)

    def releases(self, name: str) -> tuple[Release, ...]:
        if name == "numpy":
            return tuple(Release(version=text) for text in ("1.24.0", "1.26.4", "2.0.0", "2.1.0"))
        return self.torch if name == "torch" else ()

    def metadata(self, name: str, version: str, python: str | None = None) -> RawMetadata | None:
        return RawMetadata(requires_dist=self.requires) if self.requires else None


def a_release(version: str, *pythons: str, **values: Any) -> Release:
    tags = [python.replace(".", "") for python in pythons]
    wheels = tuple(f"torch-{version}-cp{tag}-cp{tag}-linux_x86_64.whl" for tag in tags)
    return Release(version=version, wheels=wheels, **values)


@pytest.fixture(autouse=True)
def _on_linux(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(release, "_platforms", lambda: frozenset({"linux_x86_64"}))


def check(tmp_path: Path, *releases: Release, requires: tuple[str, ...] = ("numpy<2,>=1.26",)):
    (tmp_path / "torch.yaml").write_text(FACTS)
    subject = load_file(tmp_path / "torch.yaml")
    return compare([subject], Fake(*releases, requires=requires))  # type: ignore[arg-type]


def test_all_agree(tmp_path: Path) -> None:
    found = check(tmp_path, a_release("2.13.0", "3.10", "3.11"))
    assert found.ok
    assert found.checked == 2
    assert as_text(found).startswith("no disagreement in 2 comparisons")


def test_both_sides_of_a_disagreement(tmp_path: Path) -> None:
    found = check(
        tmp_path, a_release("2.13.0", "3.10", "3.11", "3.12"), a_release("2.13.1", "3.10")
    )
    assert not found.ok
    one, other = found.disagreements
    assert (one.kind, one.releases, one.index) == ("python", ("2.13.0",), "3.10 to 3.12")
    assert (other.releases, other.index) == (("2.13.1",), "3.10")
    assert (one.recorded, one.place) == ("python >=3.10,<=3.11", "torch.yaml:6")
    assert "https://example.test/matrix, 2026-11; torch.yaml:6" in as_text(found)


@pytest.mark.parametrize(
    ("line", "index"),
    [
        ("numpy>=1.24,<2", "<2,>=1.24"),
        ("numpy", "any"),
        ("scipy", "not required"),
        ('numpy<2; python_version < "3.11"', "not required"),
        ("numpy<2.0.0,>=1.25", None),  # the same releases: nothing lies between 1.25 and 1.26
    ],
)
def test_what_metadata_require(tmp_path: Path, line: str, index: str | None) -> None:
    found = check(tmp_path, a_release("2.13.0", "3.10", "3.11"), requires=(line,))
    assert [one.index for one in found.disagreements] == ([] if index is None else [index])


def test_new_releases_are_told_once(tmp_path: Path) -> None:
    new = (a_release("2.14.0", "3.11"), a_release("2.15.0", "3.12", published=date(2026, 10, 28)))
    found = check(tmp_path, a_release("2.13.0", "3.10", "3.11"), *new)
    (one,) = found.disagreements
    assert (one.kind, one.releases) == ("not recorded", ("2.14.0", "2.15.0"))
    assert one.recorded == "nothing after 2.13.0"
    assert one.index == "2.15.0, 2026-10-28, Python 3.12"


def test_what_is_no_release_of_the_makers_says_nothing(tmp_path: Path) -> None:
    odd = (
        a_release("2.14.0rc1", "3.9"),
        a_release("2.13.5", "3.9", yanked=True),
        a_release("2.13.0+cpu", "3.11"),
    )
    assert check(tmp_path, a_release("2.13.0", "3.10", "3.11"), *odd).ok


def test_pure_wheels_have_no_upper_end(tmp_path: Path) -> None:
    pure = ("torch-2.13.0-py3-none-any.whl",)
    assert check(tmp_path, Release(version="2.13.0", wheels=pure, requires_python=">=3.10")).ok
    found = check(tmp_path, Release(version="2.13.0", wheels=pure, requires_python=">=3.9"))
    assert [one.index for one in found.disagreements] == ["3.9 to 3.11"]


def test_what_cannot_be_compared_is_said(tmp_path: Path) -> None:
    found = check(tmp_path, a_release("2.13.0", "3.10", "3.11"), requires=())
    assert found.ok
    assert "no metadata of 2.13.0 within reach" in found.not_checked[0].why
    assert "has no torch" in check(tmp_path).not_checked[0].why


def test_the_verb(tmp_path: Path, capsys: pytest.CaptureFixture[str],
                  monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    result = check(tmp_path, a_release("2.13.0", "3.9"))
    monkeypatch.setattr(supporting, "check_support", lambda **_: result)
    assert harness(["support", "check", "--format", "json"]) == 1
    document = json.loads(capsys.readouterr().out)
    assert document["ok"] is False
    assert document["disagreements"][0]["subject"] == "torch"
    monkeypatch.setattr(
        supporting,
        "check_support",
        lambda **_: check(tmp_path, a_release("2.13.0", "3.10", "3.11")),
    )
    assert harness(["support", "check"]) == 0
    assert "no disagreement" in capsys.readouterr().out


def test_out_of_reach_is_the_machines_fault(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreached(*_: object, **__: object) -> None:
        raise Unavailable("nobody answers")

    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path))
    monkeypatch.setattr(supporting, "compare", unreached)
    assert harness(["support", "check"]) == 4
    assert capsys.readouterr().err == (
        "harness: the recorded ranges cannot be checked: nobody answers\n"
    )

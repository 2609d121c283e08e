"""``newest`` and ``every``: read, refused where they make no sense, and what they stand for."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from packaging.version import Version

from harness.errors import FileFault, MachineFault
from harness.matrix.expand import expand
from harness.matrix.load import load_matrix
from harness.matrix.words import Word, pick, read_word
from harness.model.cell import Plan
from tests.unit.matrix.test_expand import TRAITS
from tests.unit.matrix.test_load import KNOWN

PUBLISHED = {
    ("framework", "torch"): ["2.9.0", "2.9.1", "2.10.0", "2.11.0rc1"],
    ("framework", "keras"): ["2.15.0", "3.0.0", "3.1.0"],
    ("python", ""): ["3.11.7", "3.11.2", "3.12.1", "3.13.0", "3.14.0b1"],
    ("r", ""): ["4.2.2", "4.5.0"],
    ("bridge", "reticulate"): ["1.28", "1.41.0", "1.41.0.1"],
    ("package", "numpy"): ["1.26.4", "2.0.0", "2.0.2"],
}


def plan_of(tmp_path: Path, axes: object, published: object = None) -> Plan:
    file = tmp_path / "m.yaml"
    file.write_text(yaml.safe_dump({"axes": axes, "controls": False}), encoding="utf-8")
    known = PUBLISHED if published is None else published
    assert isinstance(known, dict)

    def versions(axis: str, name: str) -> Iterable[str]:
        return known[axis, name]  # type: ignore[no-any-return]

    return expand(load_matrix(file, KNOWN), TRAITS, lambda _path, _r: None, versions)


def values_of(plan: Plan, axis: str) -> list[str | None]:
    return list(dict.fromkeys(cell.axes.as_dict().get(axis) for cell in plan.cells))


NATIVE = {"path": "native", "python": "3.11"}


@pytest.mark.parametrize(
    ("axes", "axis", "expected"),
    [
        ({**NATIVE, "framework": "torch==newest"}, "framework", ["torch==2.10.0"]),
        (
            {**NATIVE, "framework": "every torch>=2.9"},
            "framework",
            ["torch==2.9.1", "torch==2.10.0"],
        ),
        (
            {**NATIVE, "framework": "every keras[jax] >=3"},
            "framework",
            ["keras[jax]==3.0.0", "keras[jax]==3.1.0"],
        ),
        ({"path": "native", "python": "newest"}, "python", ["3.13"]),
        ({"path": "native", "python": "every >=3.11,<3.13"}, "python", ["3.11", "3.12"]),
        ({"path": "native", "python": ["3.12", "every"]}, "python", ["3.12", "3.11", "3.13"]),
        ({**NATIVE, "numpy": ["any", "every >=2"]}, "numpy", ["==2.0.2"]),
        ({"path": "system", "python": "3.11", "r": "every"}, "r", ["4.2.2", "4.5.0"]),
        (
            {"path": "reticulate", "python": "3.11", "bridge": "every >=1.30"},
            "bridge",
            ["1.41.0.1"],
        ),
    ],
)
def test_a_word_becomes_the_versions_that_there_are(
    tmp_path: Path, axes: object, axis: str, expected: list[str]
) -> None:
    found = [value for value in values_of(plan_of(tmp_path, axes), axis) if value is not None]
    assert found == expected


def test_what_is_published_later_becomes_a_cell_without_an_edit(tmp_path: Path) -> None:
    axes = {**NATIVE, "framework": "every torch>=2.10"}
    before = plan_of(tmp_path, axes)
    later = {**PUBLISHED, ("framework", "torch"): [*PUBLISHED["framework", "torch"], "2.11.0"]}
    after = plan_of(tmp_path, axes, later)
    assert [cell.id for cell in before.cells] == ["native__py3.11__torch2.10.0__cpu"]
    assert [cell.id for cell in after.cells] == [
        "native__py3.11__torch2.10.0__cpu",
        "native__py3.11__torch2.11.0__cpu",
    ]


def test_one_place_is_asked_once_for_one_question(tmp_path: Path) -> None:
    file = tmp_path / "m.yaml"
    block = {**NATIVE, "framework": ["torch==newest", "every torch"]}
    file.write_text(yaml.safe_dump({"axes": block, "include": [block]}), encoding="utf-8")
    asked: list[tuple[str, str]] = []

    def versions(axis: str, name: str) -> Iterable[str]:
        asked.append((axis, name))
        return ["2.9.1"]

    plan = expand(load_matrix(file, KNOWN), TRAITS, lambda _path, _r: None, versions)
    assert len(plan.cells) == 1
    assert len(asked) == 2, "once for each of the two words"


@pytest.mark.parametrize(
    ("axes", "sentence"),
    [
        ({"path": "newest", "python": "3.11"}, "'path' takes no 'newest'"),
        ({**NATIVE, "cuda": "every >=12"}, "'cuda' takes no 'every >=12'"),
        ({**NATIVE, "framework": "newest"}, "names no framework; write, for instance, torch=="),
        ({**NATIVE, "framework": "every >=2"}, "write, for instance, every torch>=2.10"),
        ({**NATIVE, "framework": "every tensorflw>=2"}, "is not known"),
        ({**NATIVE, "framework": "every torch>=two"}, "gives no range"),
        ({"path": "native", "python": "every python>=3.10"}, "write 'every >=3.10'"),
        ({"path": "native", "python": "every 3.10"}, "gives no range"),
        ({**NATIVE, "numpy": "every >>1"}, "gives no range"),
    ],
)
def test_a_word_out_of_place_is_one_sentence_with_its_place(
    tmp_path: Path, axes: object, sentence: str
) -> None:
    with pytest.raises(FileFault, match=r"m\.yaml:\d+:\d+: ") as caught:
        plan_of(tmp_path, axes)
    assert sentence in str(caught.value)


def test_a_range_without_a_version_is_a_fault_of_the_file(tmp_path: Path) -> None:
    with pytest.raises(FileFault, match=r"there is no version of 'framework'.*every torch>=9"):
        plan_of(tmp_path, {**NATIVE, "framework": "every torch>=9"})


def test_an_index_out_of_reach_is_not_a_fault_of_the_file(tmp_path: Path) -> None:
    file = tmp_path / "m.yaml"
    file.write_text(yaml.safe_dump({"axes": {**NATIVE, "framework": "torch==newest"}}))

    def unreached(_axis: str, _name: str) -> Iterable[str]:
        raise MachineFault("the index is out of reach")

    with pytest.raises(MachineFault, match="out of reach"):
        expand(load_matrix(file, KNOWN), TRAITS, lambda _path, _r: None, unreached)


VERSIONS = st.lists(
    st.tuples(*[st.integers(0, 4)] * 3).map(lambda parts: ".".join(map(str, parts))), max_size=20
)


@given(VERSIONS)
def test_every_has_one_release_of_each_series_and_newest_is_its_last(versions: list[str]) -> None:
    every = pick(Word(every=True), versions)
    series = [tuple(version.split(".")[:2]) for version in every]
    assert len(series) == len(set(series)) == len({tuple(v.split(".")[:2]) for v in versions})
    assert list(every) == sorted(every, key=Version)
    assert set(every) <= set(versions)
    assert pick(Word(every=False), versions) == every[-1:]
    for version in versions:
        newest = next(v for v in every if v.split(".")[:2] == version.split(".")[:2])
        assert Version(version) <= Version(newest)


def test_versions_of_r_packages_have_a_dash() -> None:
    assert pick(Word(every=True), ["1.7-3.1", "1.8-11", "1.8-19.1"]) == ("1.7-3.1", "1.8-19.1")


@pytest.mark.parametrize("text", ["torch==2.13.0", "everything", "3.11", "<2", "any", "default"])
def test_other_values_are_no_words(text: str) -> None:
    assert read_word("framework", text) is None

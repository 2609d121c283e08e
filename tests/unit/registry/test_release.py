"""Releases out of the names of files."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.registry import Release, release
from harness.registry.release import PYTHONS, File, allows, releases

MANY = "manylinux_2_17_x86_64.manylinux2014_x86_64"


@pytest.fixture(autouse=True)
def _on_linux(monkeypatch: pytest.MonkeyPatch) -> None:
    names = frozenset({"manylinux_2_17_x86_64", "manylinux2014_x86_64", "linux_x86_64"})
    monkeypatch.setattr(release, "_platforms", lambda: names)


def files(*names: str, **values: object) -> list[File]:
    return [File(name=name, address=f"https://x.test/{name}", **values) for name in names]  # type: ignore[arg-type]


def pythons(*wheels: str, requires_python: str | None = None) -> tuple[str, ...]:
    return Release(version="1", wheels=wheels, requires_python=requires_python).pythons


def test_the_oldest_version_comes_first_and_names_are_put_together() -> None:
    found = releases(
        "Tensor_Flow",
        files("tensor_flow-2.10.0-py3-none-any.whl", "tensor-flow-2.9.1.tar.gz",
              "tensor_flow-2.9.1-py3-none-any.whl", "other-3.0.tar.gz", "nonsense.exe"),
    )  # fmt: skip
    assert [(one.version, one.sdist, len(one.wheels)) for one in found] == [
        ("2.9.1", True, 1),
        ("2.10.0", False, 1),
    ]


def test_a_release_is_as_old_as_its_first_file_and_yanked_with_its_last() -> None:
    first = File(name="x-1.tar.gz", address="a", published="2026-03-04T05:06:07.8Z", yanked=True)
    second = File(name="x-1-py3-none-any.whl", address="b", published="2026-03-09T00:00:00Z")
    assert releases("x", [second, first])[0].published == date(2026, 3, 4)
    assert not releases("x", [first, second])[0].yanked
    assert releases("x", [first])[0].yanked


def test_wheels_tell_the_pythons_of_this_platform() -> None:
    assert pythons(f"x-1-cp39-cp39-{MANY}.whl", f"x-1-cp310-cp310-{MANY}.whl") == ("3.9", "3.10")
    assert pythons("x-1-cp39-cp39-win_amd64.whl", "x-1-cp39-cp39-macosx_11_0_arm64.whl") == ()
    assert pythons(f"x-1-cp36-cp36m-{MANY}.whl") == ("3.6",)


def test_a_build_without_the_lock_is_for_none_of_them() -> None:
    assert pythons(f"x-1-cp313-cp313t-{MANY}.whl") == ()


def test_a_stable_interface_is_for_all_that_follow() -> None:
    assert pythons(f"x-1-cp312-abi3-{MANY}.whl") == ("3.12", "3.13", "3.14", "3.15")


def test_a_pure_wheel_is_held_by_what_it_requires() -> None:
    assert pythons("x-1-py2.py3-none-any.whl", requires_python=">=3.13") == ("3.13", "3.14", "3.15")
    assert Release(version="1", wheels=("x-1-py3-none-any.whl",)).is_pure
    assert not Release(version="1", wheels=(f"x-1-cp312-abi3-{MANY}.whl",)).is_pure


@pytest.mark.parametrize(
    ("asked", "python", "said"),
    [
        (">=3.8", "3.8", True),
        (">=3.9.1", "3.9", True),  # some patch of it does
        ("<3.12,>=3.9", "3.12", False),
        ("!=3.0.*,<4,>=2.7", "3.11", True),
        ("of no sense", "3.11", True),  # as pip and uv have it
        (None, "3.6", True),
    ],
)
def test_requires_python(asked: str | None, python: str, said: bool) -> None:
    assert allows(asked, python) is said


@given(st.sets(st.sampled_from(PYTHONS)), st.sets(st.sampled_from(PYTHONS)))
def test_more_wheels_are_never_for_fewer_pythons(some: set[str], more: set[str]) -> None:
    def wheel(python: str) -> str:
        tag = "cp" + python.replace(".", "")
        return f"x-1-{tag}-{tag}-linux_x86_64.whl"

    few = set(pythons(*map(wheel, some)))
    assert few == some
    assert few <= set(pythons(*map(wheel, some | more)))

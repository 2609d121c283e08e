"""uv's accounts, as it printed them (uv 0.13.9, of real packages), in words.

Recorded with ``uv pip compile``, as the harness calls it: ``accounts/*.txt``.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.model.environment import PackageSources
from harness.resolve.account import Kind, parse_account
from harness.resolve.explain import condense
from harness.resolve.uv import Meaning, index_named_in, kind_of

ACCOUNTS = Path(__file__).parent / "accounts"

UNREACHED = """\
error: Request failed after 3 retries in 10.1s
  cause: Failed to fetch: https://index.test/whl/cpu/torch/
  cause: error sending request for url (https://index.test/whl/cpu/torch/)
  cause: dns error
"""
OFFLINE = """\
error: No solution found when resolving dependencies
  cause: Because no-such-package was not found in the cache and you require no-such-package, we \
can conclude that your requirements are unsatisfiable.

hint: Packages were unavailable because the network was disabled. When the network is disabled, \
registry packages may only be read from the cache.
"""

CLAUSES = {
    "tensorflow-and-jax": (
        "jax 0.7.0 to 0.10.2 needs ml-dtypes >= 0.5.0, tensorflow-cpu 2.17.0 needs "
        "ml-dtypes < 0.5.0 and jax >= 0.11.0 needs Python >= 3.12"
    ),
    "keras-2-and-tensorflow-2.16": (
        "tensorflow-cpu 2.16.1 needs keras >= 3.0.0, while keras 2.15.0 is asked for"
    ),
    "numpy-1-and-jax": "jax 0.10.2 needs numpy >= 2.0, while numpy < 2 is asked for",
    "no-wheels-for-a-newer-python": (
        "tensorflow-cpu 2.15.0 has no wheels for Python 3.9.1 (only for 3.9, 3.10 and 3.11)"
    ),
    "tensorflow-2.8-and-protobuf": (
        "tensorflow-cpu 2.8.4 needs protobuf < 3.20, while protobuf >= 5 is asked for"
    ),
    "python-too-old": "jax 0.10.2 needs Python >= 3.11",
    "range-without-wheels": "tensorflow-cpu <= 2.9.3 has no wheels for Python 3.9.1",
    "no-wheels-for-this-implementation": "torch 2.13.0 has no wheels for Python 3.9.1",
    "no-such-package": "there is no package no-such-package-here",
    "no-such-version": "there is no jax 0.99.1",
    "no-such-series": "there is no tensorflow-cpu 2.99.*, only tensorflow-cpu <= 2.22.0rc0",
    "yanked": "jaxlib 0.4.32 was yanked",
    "torch-and-sympy": "torch 2.13.0 needs sympy >= 1.13.3, while sympy < 1.12 is asked for",
    "torch-and-torchvision": (
        "torchvision 0.15.0 needs torch 2.0.0+cu117, while torch 2.13.0 is asked for"
    ),
    "rpy2-for-python-3.8": "rpy2 3.6.9 needs Python >= 3.9",
    "requirements-alone": "numpy < 2 and numpy >= 2 exclude each other",
    "marker": "tensorflow-cpu 2.17.0 needs numpy < 2.0.0 and jax 0.10.2 needs numpy >= 2.0",
    "each-version-needs-its-own": (
        "jax 0.7.0 to 0.10.2 needs jaxlib 0.7.0 to 0.10.2 and jax >= 0.11.0 needs Python >= 3.12, "
        "while jaxlib < 0.6 is asked for"
    ),
    "one-of-two-ranges": (
        "tensorflow-cpu 2.18.0 needs protobuf >= 3.20.3, < 6.0.0.dev0, while protobuf 3.20 is "
        "asked for"
    ),
    "chain-of-three": (
        "tensorflow-cpu 2.17.0 needs ml-dtypes < 0.5.0, flax 0.12.0 needs jax >= 0.7.1, "
        "jax 0.7.1 to 0.10.2 needs ml-dtypes >= 0.5.0 and jax >= 0.11.0 needs Python >= 3.12"
    ),
    "chain-over-tensorboard": (
        "tensorflow-cpu 2.15.0 needs tensorboard >= 2.15, < 2.16 and tensorboard 2.15.0 to 2.15.2 "
        "needs markdown >= 2.6.8, while markdown < 2.6 is asked for"
    ),
    "alpha-python": "numpy has no wheels for Python 3.9.1",
    "python-not-here-too-old": "jax >= 0.7.0 needs Python >= 3.11",
    "held-by-constraints": (
        "jax 0.10.2 needs numpy >= 2.0, while only numpy 1.26.4 is allowed here"
    ),
}


def account(name: str) -> str:
    return (ACCOUNTS / f"{name}.txt").read_text(encoding="utf-8")


def test_every_recorded_account_has_its_words() -> None:
    assert {file.stem for file in ACCOUNTS.glob("*.txt")} == set(CLAUSES)


@pytest.mark.parametrize("name", CLAUSES)
def test_a_conflict_in_words(name: str) -> None:
    assert condense(account(name), "3.9.1") == CLAUSES[name]


@pytest.mark.parametrize("name", CLAUSES)
def test_no_sentence_of_an_account_is_left_unread(name: str) -> None:
    facts = parse_account(account(name)).facts
    assert [fact.why for fact in facts if fact.kind is Kind.OTHER] == []


@pytest.mark.parametrize(
    ("name", "asked"),
    [
        ("tensorflow-and-jax", {"tensorflow-cpu==2.17.0", "jax>=0.7"}),
        ("marker", {"tensorflow-cpu==2.17.0", "jax==0.10.2"}),
        ("no-such-package", {"no-such-package-here"}),
        ("rpy2-for-python-3.8", {"rpy2==3.6.9"}),
    ],
)
def test_only_the_requirements_in_conflict_are_named(name: str, asked: set[str]) -> None:
    assert set(parse_account(account(name)).asked) == asked


def test_what_is_not_known_of_uv_is_told_in_its_own_words() -> None:
    said = (
        "cause: Because foo==1.0 has inconsistent metadata and you require foo==1.0, we can "
        "conclude that your requirements are unsatisfiable."
    )
    assert condense(said, "3.11.7") == "foo==1.0 has inconsistent metadata"


def test_a_yanked_version_with_a_reason() -> None:
    said = (
        "cause: Because foo==1.0 was yanked (reason: broken on 3.12) and you require foo==1.0, "
        "we can conclude that your requirements are unsatisfiable."
    )
    assert condense(said, "3.11.7") == "foo 1.0 was yanked (broken on 3.12)"


def test_many_facts_are_counted_instead_of_told() -> None:
    needs = "".join(
        f"{'Because' if n == 0 else 'And because'} a{n}==1 depends on b{n}>=2 and "
        f"c{n}==1 depends on b{n}<2, we can conclude that a{n}==1 cannot be used.\n"
        for n in range(5)
    )
    clause = condense(f"cause: {needs}", "3.11.7")
    assert clause.startswith("a0 1 needs b0 >= 2, c0 1 needs b0 < 2, ")
    assert clause.endswith(" and 4 more")


def test_without_an_account() -> None:
    assert condense("", "3.13.0") == "the requirements conflict"


@given(st.text(max_size=400))
def test_no_text_is_too_strange(text: str) -> None:
    assert condense(f"cause: Because {text}, we can conclude that x", "3.11.7")


@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 9))
def test_of_two_ranges_the_bounds_that_exclude_each_other_are_told(
    low: int, span: int, gap: int
) -> None:
    high = low + span
    said = (
        f"cause: Because a==1 depends on x>={low},<{high} and b==1 depends on x>={high + gap}, we "
        "can conclude that a==1 and b==1 are incompatible."
    )
    assert condense(said, "3") == f"a 1 needs x < {high} and b 1 needs x >= {high + gap}"


def test_kinds_of_failure() -> None:
    assert kind_of(account("no-such-version")) is Meaning.NO_SOLUTION
    assert kind_of(UNREACHED) is Meaning.UNREACHED
    assert kind_of(OFFLINE) is Meaning.UNREACHED
    assert kind_of("error: Failed to parse") is Meaning.OTHER


def test_the_place_is_named_by_its_kind_alone() -> None:
    configured = PackageSources(env={"UV_INDEX": "https://me:secret@index.test/simple"})
    assert index_named_in(UNREACHED, configured) == (
        "a package index of this machine's configuration"
    )
    assert index_named_in(UNREACHED, PackageSources()) == "PyTorch's own package index"
    assert index_named_in("dns error", PackageSources()) == "the Python package index"

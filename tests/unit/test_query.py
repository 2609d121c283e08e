"""The selection grammar: what each form covers, and what it says of a slip."""

from __future__ import annotations

import contextlib
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import UsageError
from harness.query import compile_query, matches

CELL = {
    "id": "reticulate-1.41__r4.5.0__py3.12__keras3.15.1-jax__cpu__numpy1.26.4",
    "path": "reticulate",
    "transport": None,
    "r": "4.5.0",
    "bridge": "1.41",
    "python": "3.12",
    "framework": "keras[jax]==3.15.1",
    "cuda": "cpu",
    "numpy": "==1.26.4",
    "status": "crash",
}


@pytest.mark.parametrize(
    "query",
    [
        "path:reticulate r:>=4.2 status:crash",
        "r:4.5",
        "r:4.5.0",
        "python:>=3.10,<3.13",
        "framework:keras",
        "framework:KERAS",
        "framework:jax",
        "framework:keras>=3.15",
        "framework:keras[jax]==3.15.1",
        "numpy:<2",
        "transport:none",
        "path:ret*",
        "keras3.15.1",
        '"py3.12__keras"',
        "!path:native",
        "not path:native and not path:system",
        "path:native or r:4.5",
        "(path:native or path:reticulate) cuda:cpu",
        "not (path:native or r:4.2)",
    ],
)
def test_covers(query: str) -> None:
    assert compile_query(query, ["numpy"])(CELL)


@pytest.mark.parametrize(
    "query",
    [
        "r:4.2",
        "r:4",  # covers 4.x
        "r:45",
        "bridge:1.4",
        "framework:torch",
        "framework:torch>=1",
        "framework:keras<3",
        "numpy:>=2",
        "path:native or r:4.2 python:3.12",
        "not status:crash",
    ],
)
def test_does_not_cover(query: str) -> None:
    covered = compile_query(query, ["numpy"])(CELL)
    assert covered is (query == "r:4")


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("", "is empty"),
        ("(", "ends where a term should follow"),
        ("path:native)", "character 12: ')' is out of place"),
        ("r:>=x", "'>=x' is no comparison of versions"),
        ("phyton:3.12", "did you mean 'python:'?"),
        ("path:", "no pattern behind the colon"),
        ('"never closed', "quotation mark is not closed"),
        ("or", "stands where a term should"),
        ("(" * 60 + "a", "parentheses"),
    ],
)
def test_says_what_is_wrong(query: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        compile_query(query)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@given(st.text(alphabet=string.printable, max_size=60))
def test_any_text_is_a_query_or_a_usage_error(text: str) -> None:
    with contextlib.suppress(UsageError):
        compile_query(text)(CELL)


@given(st.text(max_size=20), st.one_of(st.none(), st.text(max_size=20)))
def test_any_pattern_can_be_asked_of_any_value(pattern: str, value: str | None) -> None:
    assert matches(pattern, value) in {True, False}

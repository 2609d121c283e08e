"""Patterns: what a space means, and what must be there for one to fit."""

from __future__ import annotations

import re

import pytest

from harness.causes.patterns import compile_pattern, needles


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("No module named", "no  module\nnamed"),
        ("a ?b", "ab"),
        ("a ?b", "a \n b"),
        ("a {2}b", "a  b"),
        ("[a b]c", " c"),
        (r"(?<!not )found", "was found"),
        (r"\( x", "(\tx"),
        ("^at the start", "one line\nAt the start"),
    ],
)
def test_fits(pattern: str, text: str) -> None:
    assert compile_pattern(pattern).search(text)


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("No module named", "Nomodule named"),
        ("[a b]c", "\nc"),
        (r"(?<!not )found", "was not found"),
        ("a.b", "a\nb"),
    ],
)
def test_does_not_fit(pattern: str, text: str) -> None:
    assert not compile_pattern(pattern).search(text)


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        (r"undefined symbol: Py\w+", ("undefined",)),
        ("(refused|rejected) the x?", ("refused", "rejected")),
        ("(cannot|could not) load x?", ("load",)),  # what stands in most logs tells little
        ("error|Bus error", ("bus", "error")),
        ("one|three", ("one", "three")),
        ("one|tw?", ("one", "t")),
        (r"(?P<name>libtorch|liblantern)\.so", ("liblantern", "libtorch")),
        ("(one)?", ()),
        ("(one|)x*", ()),
        ("ab{2}cd", ("cd",)),
        ("ab{0,2}", ("a",)),
        ("x(?!never there)", ("x",)),
        ("(?=behind)", ()),
        (r"\w+[abc]", ()),
        (r"\[NOT FOUND\]", ("found]",)),
        ("Grün", ("grün",)),
    ],
)
def test_needles(pattern: str, expected: tuple[str, ...]) -> None:
    assert needles(pattern) == expected


def test_a_pattern_that_is_none_is_refused() -> None:
    with pytest.raises(re.error):
        compile_pattern("(never closed")

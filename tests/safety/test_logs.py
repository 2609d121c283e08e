"""A log that was made to take long does not."""

from __future__ import annotations

import re
import time

import pytest

from harness.causes import Evidence, diagnose, load_catalogue
from harness.causes.patterns import compile_pattern

LENGTH = 20_000
TOKENS = (
    *("a", "A1", "'", "-", "/", ".", "_", "=", ":", "a/b/", "2024-13-45", "a-1", "lib.so", "\\"),
    *("[", "(", "a b ", "a, ", "a\n", " \n", "1.2.", "a==1 ", "'a' ", "Error: ", "ImportError: "),
    *("python3.", "could not ", 'File "a", ', "package ", "module ", "> ", "\t", "é", "lib/R/"),
    *("undefined symbol: ", "requires ", "/bin/python", "libpython3.so:", "site-library/"),
)
ENDS = (
    *("requires a different Python: 3.9 not in", "exists but is not a virtualenv", "has no wheels"),
    *("is not a Python interpreter", "cannot allocate memory in static TLS block"),
)
"""What several patterns end with: it makes them be tried at all."""


@pytest.mark.parametrize("token", TOKENS)
def test_a_word_over_and_over_takes_no_time(token):
    text = token * (LENGTH // len(token)) + "\n" + "\n".join(f"x {end[:-1]}" for end in ENDS)
    started = time.process_time()
    diagnose(Evidence(text=text))
    assert time.process_time() - started < 10


def test_a_run_of_letters_is_tried_once():
    text = "a" * 200_000
    pattern = compile_pattern(r"(?P<python>\S+) is no environment")
    started = time.process_time()
    assert pattern.search(text) is None
    assert time.process_time() - started < 1


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (r"(?P<python>\S+) is bad", "see /usr/bin/python is bad"),
        (r"'?(?P<python>[^\n']+?)'? is bad", "see '/a b/python' is bad"),
        (r"(?P<x>[\w.-]+)[^\n]{0,60}needs", "the a.b-c of 1 needs"),
        (r"(a|b)+ c", "x aab c"),
        (r"\w*Error", "in MyError"),
        (r"[^\s':(]*lib\.so", "(see:/x/lib.so)"),
    ],
)
def test_what_is_found_stays_the_same(pattern, text):
    found = compile_pattern(pattern).search(text)
    plain = re.search(pattern, text, re.IGNORECASE | re.MULTILINE)
    assert found is not None
    assert plain is not None
    assert found.group() == plain.group()
    assert found.groupdict() == plain.groupdict()


def test_every_pattern_of_the_catalogue_can_be_compiled():
    patterns = [
        pattern
        for cause in load_catalogue().causes
        for rule in cause.rules
        for pattern in (*rule.text, *rule.all, *rule.unless)
    ]
    assert len(patterns) > 500
    for pattern in patterns:
        compile_pattern(pattern)

"""Patterns of the catalogue as texts that people paste into a search."""

from __future__ import annotations

import pytest

from harness.causes import load_catalogue
from harness.causes.patterns import compile_pattern
from harness.site.texts import GAP, texts


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (r"No module named '?imp'?", "No module named imp"),
        (r"undefined symbol: Py\w+", "undefined symbol: Py"),
        (r"Python (was )?built without a shared library", "Python built without a shared library"),
        (r"^libpython:\s+\[NOT FOUND\]$", "libpython: [NOT FOUND]"),
        (r"(?P<python>\d+)\.x is (too old|ancient) for this", ".x is too old for this"),
        (r"version (?P<a>[\d.]+) of the driver", "version … of the driver"),
        (r"file[^\n]{0,60}cannot be opened", "file…cannot be opened"),
    ],
)
def test_a_pattern_is_legible(pattern, text):
    assert texts([pattern]) == [text]


def test_each_branch_is_a_text_and_short_ones_tell_nothing():
    assert texts([r"the first of two branches|the second of two branches|x"]) == [
        "the first of two branches",
        "the second of two branches",
    ]


def test_most_causes_with_patterns_have_a_text():
    found = {
        cause.id: texts(pattern for rule in cause.rules for pattern in (*rule.text, *rule.all))
        for cause in load_catalogue().causes
        if any(rule.text for rule in cause.rules)
    }
    assert sum(map(bool, found.values())) > 0.95 * len(found)


def test_a_text_without_gaps_is_one_that_the_catalogue_finds():
    """Else a visitor would look for something that no log says."""
    tried = found = 0
    for cause in load_catalogue().causes:
        for rule in cause.rules:
            for pattern in rule.text:
                for text in texts([pattern]):
                    if GAP not in text and not text.endswith((",", ":")):
                        tried += 1
                        found += compile_pattern(pattern).search(text) is not None
    assert tried > 200
    assert found / tried > 0.75

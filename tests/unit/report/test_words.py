from __future__ import annotations

import pytest

from harness.report.words import count, megabytes, seconds, signed_seconds


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0.0 ms"),
        (0.00042, "420 µs"),
        (0.0000034, "3.4 µs"),
        (0.012, "12 ms"),
        (0.0009996, "1.0 ms"),
        (0.99996, "1.0 s"),
        (1.25, "1.2 s"),
        (59.94, "59.9 s"),
        (59.96, "1 min 0 s"),
        (190, "3 min 10 s"),
        (7380, "2 h 3 min"),
        (-1.5, "−1.5 s"),
    ],
)
def test_seconds(value, text):
    assert seconds(value) == text


def test_differences_have_a_sign():
    assert signed_seconds(0.5) == "+500 ms"
    assert signed_seconds(-0.5) == "−500 ms"


def test_counts_and_sizes():
    assert (count(1, "cell"), count(0, "cell")) == ("1 cell", "0 cells")
    assert (megabytes(812), megabytes(1434)) == ("812 MB", "1.4 GB")

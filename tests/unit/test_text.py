"""Text of others: nothing in it steers a terminal or a script."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.text import clean, inert, one_line


def test_escape_sequences_go_whole():
    assert clean("\x1b[31mred\x1b[0m\r\nnext\x07") == "red\nnext"


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_stay_lines_for_readers(end):
    assert clean(f"a{end}b") == "a\nb"


@pytest.mark.parametrize("end", ["\r", "\x0b", "\x85", "\u2028", "\u2029"])
def test_no_line_of_a_script_is_made(end):
    assert inert(f"# said: {end}rm it\n\ttrue") == "# said: rm it\n\ttrue"


@given(st.text())
def test_a_line_is_a_line(text):
    assert len(one_line(text).splitlines()) <= 1
    assert "\x1b" not in one_line(text)


@given(st.text())
def test_what_is_fit_stays_as_it_is(text):
    assert clean(clean(text)) == clean(text)
    assert inert(inert(text)) == inert(text)

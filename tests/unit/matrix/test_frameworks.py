"""Frameworks as people, and strangers, write them."""

from __future__ import annotations

import time

import pytest

from harness.matrix.frameworks import parse_framework
from harness.model.cell import Framework


def test_blanks_do_not_matter() -> None:
    found = parse_framework("  keras [jax]  ==\t3.15.1 ")
    assert found == Framework("keras", "3.15.1", ("jax",))


@pytest.mark.parametrize("text", ["torch" + " " * 60_000 + "x", "t" * 60_000 + "]"])
def test_a_long_one_is_refused_at_once(text: str) -> None:
    """The pattern took the cube of the blanks: half a minute for 2,000 of them."""
    began = time.process_time()
    with pytest.raises(ValueError, match="is no framework; write, for instance") as caught:
        parse_framework(text)
    assert time.process_time() - began < 5
    assert len(str(caught.value)) < 200

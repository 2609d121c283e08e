from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from harness.model.order import natural_key


def test_numbers_count_as_numbers():
    names = ["py3.10", "py3.9", "py3.9-rc1", "py2.7", "a10b2", "a10b10", "a9"]
    ordered = ["a9", "a10b2", "a10b10", "py2.7", "py3.9", "py3.9-rc1", "py3.10"]
    assert sorted(names, key=natural_key) == ordered


@given(st.text(), st.text())
def test_the_order_is_total(one, other):
    assert (natural_key(one) == natural_key(other)) == (one == other)
    assert (natural_key(one) < natural_key(other)) or natural_key(one) >= natural_key(other)


def test_very_long_numbers():
    assert natural_key("9" * 5000) < natural_key("1" + "0" * 5000)

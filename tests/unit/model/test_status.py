"""Statuses: each has a symbol of its own, and a whole is as its worst part."""

from __future__ import annotations

import itertools

import pytest

from harness.model.status import Status


def test_every_status_has_a_symbol_of_its_own() -> None:
    assert len({status.symbol for status in Status}) == len(Status)


@pytest.mark.parametrize(
    ("parts", "whole"),
    [
        ([], Status.MISSING),
        ([Status.PASS, Status.PASS], Status.PASS),
        ([Status.PASS, Status.UNSUPPORTED], Status.PASS),
        ([Status.UNSUPPORTED], Status.UNSUPPORTED),
        ([Status.PASS, Status.FAIL], Status.FAIL),
        ([Status.FAIL, Status.CRASH, Status.PASS], Status.CRASH),
        ([Status.PASS, Status.MISSING], Status.MISSING),
        ([Status.FAIL, Status.MISSING], Status.FAIL),
        ([Status.PASS, Status.UNAVAILABLE], Status.UNAVAILABLE),
    ],
)
def test_a_whole_is_as_its_worst_part(parts: list[Status], whole: Status) -> None:
    assert Status.worst(parts) is whole
    assert Status.worst(parts[::-1]) is whole


def test_worst_is_total_over_all_pairs() -> None:
    for pair in itertools.product(Status, repeat=2):
        assert Status.worst(list(pair)) in pair

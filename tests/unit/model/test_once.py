from __future__ import annotations

import gc

import msgspec

from harness.model.document import Machine, Results
from harness.model.once import once


def document(matrix: str = "one") -> Results:
    return Results(
        matrix=matrix, machine=Machine(os="Debian", arch="x86_64", cores=2), planned=(), cells=()
    )


def test_what_is_derived_from_a_document_is_derived_once():
    asked = []

    @once
    def derive(results: Results) -> list[str]:
        asked.append(results.matrix)
        return [results.matrix]

    first = document()
    assert derive(first) is derive(first)
    # Equal, but another: it may have been made by something that changed what is derived.
    assert derive(document()) == ["one"]
    assert derive(msgspec.structs.replace(first, matrix="two")) == ["two"]
    assert asked == ["one", "one", "two"]


def test_nothing_is_kept_of_a_document_that_is_gone():
    @once
    def derive(results: Results) -> list[str]:
        return [results.matrix]

    for number in range(100):
        # The identity of one that is gone is soon that of another.
        assert derive(document(str(number))) == [str(number)]
    gc.collect()
    kept = derive.__closure__[[*derive.__code__.co_freevars].index("kept")].cell_contents
    assert kept == {}

"""Every number that is derived says of which cells it is, and is what they give."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.model.document import Results
from harness.model.record import CellRecord
from harness.published.advice import advice
from harness.published.claims import claims
from harness.published.figure import Figure, counted, middle, share
from harness.published.ranges import coverage, ranges
from tests.unit.published.bench import cell, document, native, probe, stages

PYTHONS = ("3.9", "3.10", "3.11", "3.12")
PATHS = (("reticulate", "1.28"), ("reticulate", "1.41"), ("system", None), ("rpy2", "3.6.9"))


def made(path: tuple[str, str | None], python: str, *, passes: bool, time: float) -> CellRecord:
    name, bridge = path
    if not passes:
        return cell("fail", path=name, bridge=bridge, python=python, phase="python")
    probes = (
        probe("init", stages=stages(framework_import=time, first_op=time)),
        probe("call", stages=stages(noop=time)),
        probe("train", stages=stages(transfer=time, steady_step=time)),
    )
    return cell(path=name, bridge=bridge, python=python, probes=probes)


documents = st.lists(
    st.builds(
        made,
        st.sampled_from(PATHS),
        st.sampled_from(PYTHONS),
        passes=st.booleans(),
        time=st.floats(0, 100),
    ),
    unique_by=lambda one: one.id,
    max_size=16,
).map(lambda cells: document(*cells, *(native(python=python) for python in PYTHONS)))


def figures(node: Any) -> Iterator[Figure]:
    if isinstance(node, Figure):
        yield node
    elif isinstance(node, msgspec.Struct):
        for name in node.__struct_fields__:
            yield from figures(getattr(node, name))
    elif isinstance(node, tuple):
        for one in node:
            yield from figures(one)


@settings(max_examples=30)
@given(documents)
def test_every_number_is_of_cells_of_the_document(results: Results) -> None:
    known = {one.id for one in results.cells}
    found = list(figures((coverage(results), advice(results), claims(results))))
    assert found
    for figure in found:
        assert set(figure.cells) <= known, figure
        assert len(set(figure.cells)) == len(figure.cells), "each cell once"
        if figure.unit == "share" and " of " in figure.text and "%" not in figure.text:
            part, whole = (int(word) for word in figure.text.split(" of "))
            assert whole == len(figure.cells)
            assert figure.value == (part / whole if whole else 0.0)
    for claim in ranges(results):
        assert set(claim.cells) <= known


@settings(max_examples=30)
@given(documents)
def test_what_works_can_be_counted_again(results: Results) -> None:
    by_id = {one.id: one for one in results.cells}
    for path in advice(results).paths:
        for version in path.versions:
            good = [one for one in version.works.cells if by_id[one].status.value == "pass"]
            assert version.works.text == f"{len(good)} of {len(version.works.cells)}"


def test_a_share_of_none_is_nothing() -> None:
    assert share([], []) == Figure(value=0.0, unit="share", text="0 of 0", cells=())
    assert share(["a", "x"], ["a", "b", "a"]).text == "1 of 2", "what is not of the whole is not"


def test_counts_and_medians_read_as_people_write_them() -> None:
    assert counted(["a", "b", "a"]).text == "2"
    assert middle([0.2, 0.1, 0.9], ["a", "b", "c"]).text == "200 ms"
    assert middle([-0.2], ["a"], signed=True).text == "−200 ms"
    with pytest.raises(ValueError, match="no median"):
        middle([], [])

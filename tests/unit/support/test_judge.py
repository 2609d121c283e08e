"""Facts held against versions."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.model.cell import Axes, Framework
from harness.model.record import CellRecord
from harness.model.status import Status
from harness.support import documented, known_of_axes, known_of_record, load_support

SUBJECTS = load_support()


def supported(**known: str) -> bool | None:
    return documented(known, SUBJECTS).supported


@pytest.mark.parametrize(
    ("known", "said"),
    [
        ({"tensorflow": "2.15.0", "python": "3.11.7"}, True),
        ({"tensorflow": "2.15", "python": "3.11"}, True),
        ({"tensorflow": "2.15.0", "python": "3.12.1"}, False),
        ({"tensorflow": "2.17.0", "python": "3.12", "numpy": "2.0.2"}, False),
        ({"tensorflow": "2.17.0", "python": "3.12", "numpy": "1.26.4"}, True),
        ({"tensorflow": "2.17.0", "python": "3.12", "numpy": "1.24.0"}, False),  # only on 3.12
        ({"tensorflow": "2.17.0", "python": "3.10", "numpy": "1.24.0"}, True),
        ({"torch": "2.13.0+cpu", "python": "3.11.7"}, True),
        ({"torch": "2.13.0", "python": "3.9"}, False),
        ({"torch": "2.99.0", "python": "3.9"}, None),
        ({"reticulate": "1.28", "python": "3.12.1"}, False),
        ({"reticulate": "1.41.0.1", "python": "3.12.1"}, True),
        ({"reticulate": "1.28", "numpy": "2.4.6"}, False),
        ({"reticulate": "1.38.0", "numpy": "2.0.2"}, True),
        ({"reticulate": "1.38.0", "numpy": "2.1.0"}, False),
        ({"rpy2": "3.6.9", "r": "4.2.2"}, False),
        ({"rpy2": "3.6.9", "r": "4.6.2"}, True),
        ({"rpy2": "3.6.5", "r": "4.2.2"}, True),
        ({"rpython": "0.0-6", "python": "3.11"}, False),
        ({"rpython": "0.0-6+remedies", "python": "3.11"}, True),
        ({"cuda": "12.6", "driver": "470.57"}, False),
        ({"cuda": "12", "driver": "535.104.05"}, True),
        ({"torch": "2.13.0", "cuda": "13"}, True),
        ({"torch": "2.13.0", "cuda": "11.8"}, None),  # what is built for is named, no more
        ({"reticulate": "system", "python": "3.12"}, None),
        ({"python": "3.12"}, None),
    ],
)
def test_what_is_documented(known: dict[str, str], said: bool | None) -> None:
    assert supported(**known) is said


def test_the_facts_that_decide_are_named() -> None:
    verdict = documented(
        {"reticulate": "1.28", "python": "3.12", "r": "4.2.2", "numpy": "2.4.6"}, SUBJECTS
    )
    assert [fact.axis for fact in verdict.because] == ["python", "numpy"]
    assert "imp" in verdict.because[0].source.text or "3.12" in verdict.because[0].source.text


VERSIONS = st.fixed_dictionaries(
    {},
    optional={
        "python": st.sampled_from(["3.8", "3.11.7", "3.13"]),
        "r": st.sampled_from(["4.0.4", "4.5.0", "system"]),
        "numpy": st.sampled_from(["1.26.4", "2.4.6"]),
        "tensorflow": st.sampled_from(["2.8.0", "2.15", "2.21.0"]),
        "reticulate": st.sampled_from(["1.18", "1.28", "1.41.0.1", "1.99"]),
        "rpy2": st.sampled_from(["3.5.17", "3.6.6", "4.0"]),
    },
)


@given(VERSIONS, VERSIONS)
def test_knowing_more_never_makes_supported_of_unsupported(
    some: dict[str, str], more: dict[str, str]
) -> None:
    if documented(some, SUBJECTS).supported is False:
        assert documented({**more, **some}, SUBJECTS).supported is False


def test_versions_of_a_planned_cell() -> None:
    axes = Axes(
        path="reticulate",
        r="4.5.0",
        bridge="1.41",
        python="3.12",
        framework=Framework("keras", "3.15.1", ("jax",)),
        pins=(("numpy", "==2.0.2"), ("scipy", "<2")),
    )
    known = {
        "r": "4.5.0",
        "reticulate": "1.41",
        "python": "3.12",
        "keras": "3.15.1",
        "numpy": "2.0.2",
    }
    assert known_of_axes(axes) == known
    found = {"jax": "0.12.0", "numpy": "2.5.5", "absl-py": "2.0", "tensorflow-cpu": "2.21.0"}
    assert known_of_axes(axes, found) == {**known, "jax": "0.12.0", "numpy": "2.5.5"}


def record(path: str, **identity: object) -> CellRecord:
    axes = {
        "path": path,
        "transport": None,
        "r": "4.5.0",
        "bridge": "1.41",
        "python": "3.11",
        "framework": "tensorflow==2.21.0",
        "cuda": "12",
    }
    return CellRecord(id="x", axes=axes, status=Status.PASS, identity=identity)


def test_what_was_read_back_goes_before_what_was_asked_for() -> None:
    found = known_of_record(
        record(
            "reticulate",
            python={"version": "3.11.7"},
            bridge={"name": "reticulate", "version": "1.41.0.1"},
            modules={"numpy": "2.4.6", "tensorflow": "2.21.0", "keras": "3.15.1", "torch": "2.13"},
        ),
        "535.1",
    )
    assert found == {
        "python": "3.11.7",
        "r": "4.5.0",
        "reticulate": "1.41.0.1",
        "tensorflow": "2.21.0",
        "keras": "3.15.1",
        "numpy": "2.4.6",
        "cuda": "12",
        "driver": "535.1",
    }


def test_what_was_not_read_back_is_what_was_asked_for() -> None:
    found = known_of_record(record("reticulate"))
    assert found["python"] == "3.11"
    assert found["reticulate"] == "1.41"
    assert "numpy" not in found


def test_the_r_side_of_a_transport_is_no_bridge_with_facts() -> None:
    found = known_of_record(
        record("rpc", bridge={"name": "Rserve", "version": "1.8"}, modules={"pyRserve": "1.0.4"})
    )
    assert found["pyrserve"] == "1.0.4"
    assert "1.8" not in found.values()

from __future__ import annotations

from typing import Any

import pytest

from harness.model.status import Phase, Status
from harness.probes.transfer import BYTES, HASHES, KINDS, LABELS, PROBE, stage_name

from .conftest import axes, identity, without_framework

SIZES = (1, 1000, 10**7)
WALL_S, REPEATED = 0.5, 10


def size(kind: str, n: int, **changes: Any) -> dict[str, Any]:
    made = HASHES[kind][n]
    return {"n": n, "made": made, "arrived": made, "returned": made} | changes


def details(**changes: Any) -> dict[str, Any]:
    """What a driver says where all crosses, but for the kinds that are changed."""
    kinds = {kind: {"sizes": [size(kind, n) for n in SIZES if n in HASHES[kind]]} for kind in KINDS}
    return {"kinds": kinds | changes}


@pytest.fixture
def judged(judge):
    def make(said: dict[str, Any], *, without: str = "", **others: Any):
        def spoil(events: list[dict[str, Any]]) -> None:
            names = (
                stage_name(kind, way, n)
                for kind in KINDS
                for n in HASHES[kind]
                for way in ("to_python", "to_r")
            )
            events[1:1] = [
                {
                    "event": "stage",
                    "probe": "transfer",
                    "name": name,
                    "wall_s": WALL_S,
                    "cpu_s": 0.1,
                    "n": REPEATED,
                }
                for name in names
                if name != without
            ]

        return judge(PROBE, said, spoil=spoil, **others)

    return make


def test_all_is_well(judged):
    record = judged(details())
    assert (record.status, record.message) == (Status.PASS, None)
    assert "unsupported" not in record.details


def test_it_needs_no_framework(judged):
    bare = axes(framework=None)
    assert judged(details(), axes=bare, seen=without_framework()).status is Status.PASS


def test_another_python_does_not_pass(judged):
    seen = identity()
    seen["python"]["version"] = "3.11.2"
    assert judged(details(), seen=seen).phase is Phase.PYTHON


def test_the_speed_is_of_one_repetition(judged):
    sizes = judged(details()).details["kinds"]["doubles"]["sizes"]
    wanted = 8e7 * REPEATED / WALL_S / 1e6
    assert sizes[-1]["mb_per_s"] == {"to_python": wanted, "to_r": wanted}


def test_copies_are_the_growth_of_all_processes_over_what_crossed(judged):
    grown = {"to_python": {"host": 76.3, "python": 152.6}, "to_r": {"host": 0.0, "python": None}}
    sizes = [size("doubles", n, grown_mb=grown) for n in (1000, 10**7)]
    small, large = judged(details(doubles={"sizes": sizes})).details["kinds"]["doubles"]["sizes"]
    assert large["copies"] == {"to_python": 3.0, "to_r": 0.0}
    # Memory that is free already takes so little without growing.
    assert small["copies"] == {"to_python": None, "to_r": None}


def test_growth_that_nobody_looked_at(judged):
    (*_, large) = judged(details()).details["kinds"]["doubles"]["sizes"]
    assert large["copies"] == {"to_python": None, "to_r": None}


@pytest.mark.parametrize(
    ("spoilt", "said"),
    [
        ("made", "were made wrongly: their MD5 is abc"),
        ("arrived", "changed on their way: made as"),
        ("returned", "changed on their way back:"),
    ],
)
@pytest.mark.parametrize("kind", KINDS)
def test_a_hash_that_is_another(judged, kind, spoilt, said):
    record = judged(details(**{kind: {"sizes": [size(kind, 1000, **{spoilt: "abc"})]}}))
    assert (record.status, record.phase) == (Status.FAIL, Phase.CONVERT)
    assert record.message.startswith(f"1000 {kind} ")
    assert said in record.message


@pytest.mark.parametrize("hashed", [None, "", 5])
def test_a_hash_that_was_not_told(judged, hashed):
    record = judged(details(doubles={"sizes": [size("doubles", 1, arrived=hashed)]}))
    assert record.status is Status.FAIL


def test_a_kind_that_the_path_cannot_carry(judged):
    record = judged(details(frame={"unsupported": "no pandas"}))
    assert record.status is Status.PASS
    assert record.details["unsupported"] == {"frame": "no pandas"}


def test_a_path_that_carries_nothing(judged):
    record = judged({"kinds": {kind: {"unsupported": "mute"} for kind in KINDS}})
    assert record.message == "nothing crossed at all: mute"


def test_a_kind_on_which_the_path_fails(judged):
    record = judged(details(strings={"sizes": [size("strings", 1)], "error": "MemoryError"}))
    assert record.message == "strings did not cross after 1 smaller ones: MemoryError"
    record = judged(details(strings={"sizes": [], "error": "MemoryError"}))
    assert record.message == "strings did not cross: MemoryError"


@pytest.mark.parametrize("seen", [None, {}, {"sizes": []}, {"sizes": 3}, "all"])
def test_a_kind_of_which_nothing_is_told(judged, seen):
    record = judged(details(integers=seen))
    assert record.message == "the driver did not say whether integers crossed"


@pytest.mark.parametrize("n", [None, 7, "1e3", 1.5])
def test_a_number_that_was_not_asked_for(judged, n):
    spoilt = size("doubles", 1) | {"n": n}
    record = judged(details(doubles={"sizes": [spoilt]}))
    assert record.message == f"doubles crossed in a number that is none: {n!r}"


def test_nothing_is_told(judged):
    assert judged({}).message == "the driver did not say what crossed"


@pytest.mark.parametrize("way", ["to_python", "to_r"])
def test_a_crossing_that_was_not_timed(judged, way):
    name = stage_name("doubles", way, 1000)
    assert name == f"doubles_{way}_1e3"
    record = judged(details(), without=name)
    assert record.message == f"the driver did not time {name}"


def test_every_size_has_a_label_and_every_kind_its_bytes():
    assert {n for sizes in HASHES.values() for n in sizes} == set(LABELS)
    assert set(BYTES) == set(HASHES) == set(KINDS)
    assert len({text for sizes in HASHES.values() for text in sizes.values()}) == 22

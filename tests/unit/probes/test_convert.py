"""The oracle of the probe `convert`: what counts as lost, and who says so."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.errors import FileFault
from harness.model.status import Phase, Status
from harness.probes.convert import PROBE, Outcome
from harness.probes.convert.compare import KINDS, changes, content, described, differences, shown
from harness.probes.convert.documented import load_documented, sources
from harness.probes.convert.fixtures import load_fixtures

from .conftest import axes, events, identity

FIXTURES = {fixture.name: fixture for fixture in load_fixtures()}


def value(name: str, **legs: Any) -> dict[str, Any]:
    """What a driver says of one value where it survives, but for what is changed."""
    made = described(FIXTURES[name].tree)
    said = {"made": {"got": made}, "there": {"got": made}, "back": {"got": made}}
    if FIXTURES[name].origin == "r":
        said["back"]["identical"] = True
    return {"event": "value", "probe": "convert", "name": name, **said, **legs}


def judged(*changed: dict[str, Any], without: str = "", **others: Any) -> Any:
    said = {name: value(name) for name in FIXTURES if name != without}
    said |= {one["name"]: one for one in changed}
    seen = identity()
    del seen["device"], seen["modules"]
    whole = [*events(PROBE, {"starts": 1}, seen), *said.values()]
    cell = {"axes": axes(framework=None), "provisioned": others.pop("provisioned")} | others
    return PROBE.judge(whole, **cell)


@pytest.fixture
def judge() -> Any:
    from .conftest import provisioned

    def run(*changed: dict[str, Any], **others: Any) -> Any:
        return judged(*changed, **({"provisioned": provisioned()} | others))

    return run


def legs(record: Any, name: str) -> tuple[str, str]:
    value = record.details["values"][name]
    return value["there"]["outcome"], value["back"]["outcome"]


def test_a_path_that_loses_nothing(judge):
    record = judge()
    assert (record.status, record.message) == (Status.PASS, None)
    assert record.details["counts"]["back"] == {"exact": len(FIXTURES)}
    json.dumps(record.details, allow_nan=False)


def test_a_value_that_was_not_tried(judge):
    record = judge(without="r-factor")
    assert (record.status, record.phase) == (Status.FAIL, Phase.CONVERT)
    assert record.message == "the driver did not try the value r-factor"


def test_a_value_that_was_made_wrongly_says_nothing(judge):
    wrong = value("r-integers", made={"got": {"type": "integer", "values": ["3", "-1", "4"]}})
    record = judge(wrong)
    assert record.status is Status.FAIL
    assert "r-integers was made wrongly (values): integer [3, -1, 4]" in record.message


def test_another_python_than_the_cell_names(judge):
    seen = identity()
    seen["python"]["version"] = "3.12.1"
    said = [*events(PROBE, {}, seen), *(value(name) for name in FIXTURES)]
    from .conftest import provisioned

    record = PROBE.judge(said, axes=axes(framework=None), provisioned=provisioned())
    assert (record.status, record.phase) == (Status.FAIL, Phase.PYTHON)


def test_a_silent_loss_is_a_finding_and_no_failure(judge):
    there = {"got": {"type": "bool", "values": ["true"]}}
    back = {"got": {"type": "logical", "values": ["true"]}, "identical": False}
    record = judge(value("r-logical-na", there=there, back=back))
    assert record.status is Status.PASS
    assert legs(record, "r-logical-na") == (Outcome.SILENT, Outcome.SILENT)
    first = record.details["values"]["r-logical-na"]["there"]
    assert first["differs"] == ["missing"]
    assert (first["sent"], first["got"]) == ("logical NA", "bool true")


def test_two_errors_that_cancel_are_found(judge):
    # Comes back as it was sent, but what arrived was another value.
    there = {"got": {"type": "list", "items": [{"type": "int", "values": [x]} for x in "321"]}}
    record = judge(value("r-integers", there=there))
    assert legs(record, "r-integers") == (Outcome.SILENT, Outcome.EXACT)


def test_what_r_does_not_find_identical_is_not_exact(judge):
    back = {"got": described(FIXTURES["r-factor"].tree), "identical": False}
    record = judge(value("r-factor", back=back))
    assert legs(record, "r-factor") == (Outcome.EXACT, Outcome.SILENT)
    assert record.details["values"]["r-factor"]["back"]["differs"] == ["attributes"]


def test_a_warning_is_not_silence(judge):
    there = {"got": {"type": "str", "values": ["x"]}, "warnings": ["a zone was lost"]}
    record = judge(value("r-posixct-utc", there=there))
    assert legs(record, "r-posixct-utc")[0] == Outcome.WARNED


def test_an_error_a_crash_and_a_refusal(judge):
    record = judge(
        value("r-raw", there={"error": "no"}),
        value("r-complex", there={"crash": "the process was ended by SIGSEGV"}),
        value("r-formula", there={"unsupported": "WireError"}),
        value("r-list", back={"crash": "the process fell silent"}),
        value("r-factor", there={}),
    )
    assert legs(record, "r-raw") == (Outcome.ERROR, Outcome.ERROR)
    assert legs(record, "r-complex") == (Outcome.CRASH, Outcome.CRASH)
    assert legs(record, "r-formula") == (Outcome.UNSUPPORTED, Outcome.UNSUPPORTED)
    assert legs(record, "r-list") == (Outcome.EXACT, Outcome.CRASH)
    assert legs(record, "r-factor")[0] == Outcome.SILENT


def test_a_reference_is_the_value_itself(judge):
    there = {"got": {"type": "python.builtin.set", "reference": True}}
    record = judge(value("py-set", there=there))
    assert legs(record, "py-set") == (Outcome.EXACT, Outcome.EXACT)


def test_what_must_survive_makes_the_probe_fail(judge):
    there = {"got": {"type": "str", "values": ["TRUE"]}}
    record = judge(value("r-logical", there=there))
    assert (record.status, record.phase) == (Status.FAIL, Phase.CONVERT)
    assert record.message.startswith("what must survive does not: r-logical (there): silent loss")


def test_the_values_are_kept_with_a_failure(judge):
    there = {"error": "no"}
    assert judge(value("r-null", there=there)).details["counts"]["there"]["error"] == 1


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["type", "values", "items", "dtype", "names", "keys", "shape", "levels"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=6,
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(made=JSON, there=JSON, back=JSON)
def test_whatever_a_driver_says_of_a_value_is_judged(judge, made, there, back):
    record = judge(
        value("r-factor", made=made, there=there, back=back),
        value("r-list", there={"got": there}, back={"got": back}),
        value("np-matrix-c", there={"got": back}, back={"got": there}),
    )
    assert record.status in {Status.PASS, Status.FAIL}


# --- Content -------------------------------------------------------------------------------------

LIST = {"type": "list", "items": [{"type": "int", "values": ["1"]}, {"type": "None"}]}


@pytest.mark.parametrize(
    ("sent", "arrived", "lost"),
    [
        ({"type": "integer", "values": ["1", None]}, LIST, set()),
        ({"type": "double", "values": ["1", None]}, LIST, {"type"}),
        ({"type": "integer", "values": [None]}, {"type": "None"}, set()),
        ({"type": "integer", "values": ["1"]}, {"type": "None"}, {"missing"}),
        ({"type": "double", "values": ["-0"]}, {"type": "float", "values": ["0"]}, {"values"}),
        ({"type": "double", "values": ["2"]}, {"type": "float", "values": ["2.0"]}, set()),
        (
            {"type": "int", "values": ["9007199254740993"]},
            {"type": "double", "values": ["9007199254740992"]},
            {"type", "values"},
        ),
        (
            {"type": "raw", "values": ["00", "ff"]},
            {"type": "ndarray", "dtype": "uint8", "shape": [2], "values": ["0", "255"]},
            set(),
        ),
        (
            {"type": "double", "values": ["1", "2", "3", "4"], "shape": [2, 2]},
            {"type": "ndarray", "dtype": "float64", "shape": [2, 2], "values": list("1324")},
            {"order"},
        ),
        (
            {"type": "factor", "levels": ["a", "b"], "ordered": False, "values": ["b"]},
            {"type": "str", "values": ["b"]},
            {"type", "levels"},
        ),
        (
            {"type": "difftime", "unit": "mins", "values": ["90"]},
            {"type": "timedelta", "values": ["5400"]},
            set(),
        ),
        (
            {"type": "POSIXct", "values": ["5"], "zone": "UTC"},
            {"type": "datetime", "values": ["5"]},
            {"zone"},
        ),
        (
            {"type": "integer", "values": ["1", "2"], "names": ["a", "b"]},
            {
                "type": "dict",
                "keys": [{"type": "str", "values": [key]} for key in "ab"],
                "items": [{"type": "int", "values": [item]} for item in "12"],
            },
            set(),
        ),
        ({"type": "integer", "values": []}, {"type": "list", "items": []}, {"type"}),
    ],
)
def test_content(sent, arrived, lost):
    found = differences(sent, arrived)
    assert found == lost or (lost and lost <= found), found


def test_a_key_that_is_no_text(judge):
    sent = described(FIXTURES["py-dict-int-keys"].tree)
    arrived = {
        "type": "list",
        "names": ["10", "2"],
        "items": [{"type": "character", "values": [word]} for word in ("ten", "two")],
    }
    assert differences(sent, arrived) == {"names"}


@pytest.mark.parametrize("fixture", FIXTURES.values(), ids=lambda one: one.name)
def test_every_fixture_is_itself_and_nothing_else(fixture):
    said = described(fixture.tree)
    assert not differences(said, said)
    assert not changes(said, copy.deepcopy(said))
    others = [described(one.tree) for one in FIXTURES.values() if one.name != fixture.name]
    assert all(changes(said, other) for other in others if other != said)
    assert shown(said)
    assert content(said)["kind"]


def test_every_fixture_says_what_the_other_language_makes_of_it():
    for fixture in FIXTURES.values():
        assert fixture.counterpart, fixture.name
        assert set(fixture.as_) <= set(KINDS.values()), fixture.name


# --- Files ---------------------------------------------------------------------------------------


def test_a_faulty_file_is_one_sentence(tmp_path: Path):
    def fault(text: str) -> str:
        place = tmp_path / f"case{len(list(tmp_path.iterdir()))}"
        place.mkdir()
        (place / "own.yaml").write_text(text, encoding="utf-8")
        with pytest.raises(FileFault) as seen:
            load_fixtures(place)
        return str(seen.value).replace(str(place), "PLACE")

    assert fault('{"name": "a"}').startswith("PLACE/own.yaml:1: is no list")
    assert "PLACE/own.yaml:2: is no fixture: Object missing required field" in fault(
        '# values\n- {"name": "a", "from": "r"}\n'
    )
    entry = '- {"name": "a", "from": "r", "value": {"type": "NULL"}}\n'
    assert "PLACE/own.yaml:2: has a second fixture 'a'" in fault(entry * 2)


def test_what_is_documented_has_a_source_and_speaks_of_fixtures():
    import fnmatch

    for entry in load_documented():
        assert entry.source.startswith(("https://", "docs/", "rPython 0.0-6, man/")), entry
        assert entry.says
        for pattern in entry.fixtures:
            assert fnmatch.filter(FIXTURES, pattern), pattern


def test_a_loss_is_documented_where_all_of_it_is():
    asked = {"path": "reticulate", "version": "1.41.0.1", "fixture": "np-matrix-c", "leg": "back"}
    assert sources({"layout"}, **asked)
    assert not sources({"layout", "values"}, **asked)
    assert not sources({"layout"}, **(asked | {"path": "rpython"}))

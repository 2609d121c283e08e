"""The Python half of the probe `convert`: what it makes, says, and does when a process ends."""

from __future__ import annotations

import datetime as dt
import decimal
import importlib
import json
import struct
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from harness.model.cell import Limits
from harness.probes.convert.compare import changes, described, differences
from harness.probes.convert.fixtures import folder, load_fixtures

from .conftest import KIT

PLAIN = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=True)
    | st.complex_numbers()
    | st.text()
    | st.binary()
    | st.datetimes()
    | st.dates()
    | st.timedeltas()
    | st.decimals(allow_nan=False)
)
VALUES = st.recursive(
    PLAIN,
    lambda inner: (
        st.lists(inner)
        | st.lists(inner).map(tuple)
        | st.dictionaries(st.text() | st.integers(), inner)
    ),
    max_leaves=8,
)


@pytest.fixture(scope="module")
def convert() -> Iterator[Any]:
    before, path = set(sys.modules), list(sys.path)
    sys.path[:0] = [str(KIT), str(KIT / "convert")]
    yield importlib.import_module("harness_convert")
    sys.path[:] = path
    for name in set(sys.modules) - before:
        if name == "harness_kit" or "convert" in name:
            del sys.modules[name]


def test_both_languages_read_what_yaml_reads(convert):
    for file in folder().glob("*.yaml"):
        text = file.read_text(encoding="utf-8")
        assert [json.loads(entry) for entry in convert.blocks(text)] == yaml.safe_load(text)
        for line in text.splitlines():
            # R finds the name there, without reading the whole.
            assert not line.startswith("- ") or line.startswith('- {"name": "')


PYTHONS = [one for one in load_fixtures() if one.origin == "python"]
ALONE = [
    one
    for one in PYTHONS
    if one.value["type"] in {"None", "bool", "int", "float", "complex", "str", "bytes", "list"}
]


@pytest.mark.parametrize("fixture", ALONE, ids=lambda one: one.name)
def test_a_value_is_what_its_fixture_says(convert, fixture):
    said = convert.describe(convert.build(fixture.value))
    assert not differences(described(fixture.tree), said)
    assert not changes(said, convert.describe(convert.build(fixture.value)))


@given(value=VALUES)
def test_a_value_is_the_same_as_itself(convert, value):
    said = convert.describe(value)
    assert not changes(said, convert.describe(value))
    assert not differences(said, said)
    json.dumps(said, allow_nan=False)


@given(value=st.lists(st.integers(), min_size=1), type_=st.sampled_from([str, float]))
def test_the_type_of_an_element_matters(convert, value, type_):
    other = [type_(item) if abs(item) < 2**53 else str(item) for item in value]
    assert "type" in changes(convert.describe(value), convert.describe(other))


@given(value=st.lists(st.integers(), unique=True, min_size=2))
def test_order_matters(convert, value):
    there = differences(convert.describe(value), convert.describe(value[::-1]))
    assert there == {"order"}


@given(value=st.dictionaries(st.text(), st.integers(), min_size=1))
def test_names_matter(convert, value):
    other = {name + "x": item for name, item in value.items()}
    assert "names" in differences(convert.describe(value), convert.describe(other))
    assert "names" in changes(convert.describe(value), convert.describe(other))


@given(value=st.dictionaries(st.text(), st.integers(), min_size=2))
def test_the_order_of_names_matters(convert, value):
    other = dict(reversed(list(value.items())))
    assert changes(convert.describe(value), convert.describe(other))


def test_a_zone_matters(convert):
    naive = dt.datetime(2024, 2, 29, 12)  # noqa: DTZ001 - that is the point
    utc = naive.replace(tzinfo=dt.UTC)
    east = naive.replace(tzinfo=dt.timezone(dt.timedelta(hours=1)))
    assert changes(convert.describe(naive), convert.describe(utc)) == {"zone"}
    assert changes(convert.describe(utc), convert.describe(east)) == {"zone", "values"}


def test_the_missing_number_of_r_is_told_from_another_nan(convert):
    na = struct.unpack("<d", struct.pack("<Q", 0x7FF00000000007A2))[0]
    assert convert.describe([na, float("nan")])["items"] == [
        {"type": "float", "values": [None]},
        {"type": "float", "values": ["NaN"]},
    ]


def test_what_is_like_another_is_not_the_other(convert):
    pairs = [(True, 1), (1, 1.0), ("1", 1), (b"1", "1"), ((1,), [1]), ({1}, [1]), (0.0, -0.0)]
    pairs += [(None, float("nan")), (decimal.Decimal("0.10"), decimal.Decimal("0.1"))]
    for one, other in pairs:
        assert changes(convert.describe(one), convert.describe(other)), (one, other)


def test_a_function_is_known_by_what_it_does(convert):
    one, other = convert.describe(lambda x: x + 1), convert.describe(lambda x: x + 2)
    assert (one["calls"], other["calls"]) == ("42", "43")
    assert changes(one, other) == {"values"}
    assert "fails" in convert.describe(lambda: None)


def test_what_is_deep_ends(convert):
    value: list[Any] = []
    value.append(value)
    assert "deeper" in json.dumps(convert.describe(value))


# --- Where a process ends ------------------------------------------------------------------------

CHILD = """
import os, sys, time
sys.path[:0] = [{kit!r}, {convert!r}]
import harness_convert as convert

def ask(name, *arguments):
    if name == "make":
        name = "r-" + arguments[0]
    else:
        name = "python"
    return None

with open(os.environ["HARNESS_CONVERT_LIST"]) as file:
    wanted = [line.split()[1] for line in file]
for name in wanted:
    convert.note(name, "begin")
    if name == {crash!r}:
        os.kill(os.getpid(), 11)
    if name == {hang!r}:
        time.sleep(600)
    convert.note(name, "there", got={{"type": "None"}})
    if name == {leave!r}:
        os._exit(0)
    convert.note(name, "back", got={{"type": "None"}})
    convert.note(name, "end")
"""


@pytest.fixture
def supervise(
    convert: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Callable[..., tuple[dict[str, Any], dict[str, Any]]]:
    """Have a driver try three values, one of which may end it; return details and events."""
    fixtures = tmp_path / "fixtures"
    fixtures.mkdir()
    entries = [
        {"name": name, "from": "python", "value": {"type": "None"}}
        for name in ("one", "two", "end")
    ]
    text = "".join(f"- {json.dumps(entry)}\n" for entry in entries)
    (fixtures / "values.yaml").write_text(text)
    (tmp_path / "request.json").write_text('{"probes": "init,convert", "framework": ""}')
    monkeypatch.setenv("HARNESS_FILES_OF_CONVERT", str(fixtures))
    monkeypatch.setenv("HARNESS_CELL", str(tmp_path))
    monkeypatch.setenv("HARNESS_EVENTS", str(tmp_path / "events.jsonl"))
    monkeypatch.setenv("HARNESS_REQUEST", str(tmp_path / "request.json"))
    monkeypatch.setattr(sys.modules["convert_watch"], "VALUE_LIMIT_S", 1.0)

    def run(*, crash: str = "", hang: str = "", leave: str = "", code: str = CHILD) -> Any:
        kit = str(KIT)
        script = tmp_path / "driver.py"
        script.write_text(
            textwrap.dedent(code).format(
                kit=kit, convert=f"{kit}/convert", crash=crash, hang=hang, leave=leave
            )
        )
        details = convert.supervise([sys.executable, str(script)])
        lines = (tmp_path / "events.jsonl").read_text().splitlines()
        return details, {event["name"]: event for event in map(json.loads, lines)}

    return run


def test_every_value_is_tried(supervise):
    details, said = supervise()
    assert details == {"starts": 1, "fixtures": 3}
    assert list(said) == ["one", "two", "end"]
    assert all(event["back"] == {"got": {"type": "None"}} for event in said.values())


def test_a_value_that_ends_the_process_costs_that_value_alone(supervise):
    details, said = supervise(crash="two")
    assert details["starts"] == 2
    assert said["two"]["there"] == {"crash": "the process was ended by SIGSEGV"}
    assert "got" in said["one"]["back"]
    assert "got" in said["end"]["back"]


def test_a_value_that_hangs_costs_that_value_alone(supervise):
    details, said = supervise(hang="two")
    assert details["starts"] == 2
    assert said["two"]["there"] == {"crash": "the process fell silent for 1 s and was ended"}
    assert "got" in said["end"]["back"]


def test_a_process_that_leaves_on_the_way_back(supervise):
    _, said = supervise(leave="two")
    assert "got" in said["two"]["there"]
    assert said["two"]["back"] == {"crash": "the process ended with exit status 0"}


def test_the_last_value_may_be_the_one(supervise):
    details, said = supervise(crash="end")
    assert details["starts"] == 1
    assert "crash" in said["end"]["there"]


def test_a_driver_that_cannot_start_is_an_error(supervise):
    with pytest.raises(RuntimeError, match="exit status 3: no bridge here"):
        supervise(code="import sys; print('no bridge here'); sys.exit(3)")


def test_a_driver_that_never_begins_is_ended_before_the_cell_is(convert):
    watch = sys.modules["convert_watch"]
    assert Limits().phase_s > watch.START_LIMIT_S > watch.VALUE_LIMIT_S


def test_what_a_path_has_no_language_for_is_not_tried(convert, supervise, tmp_path):
    details = convert.supervise(["false"], only=("r",), why_not="there is no R")
    assert details["starts"] == 0
    lines = (tmp_path / "events.jsonl").read_text().splitlines()
    assert all(json.loads(line)["there"] == {"unsupported": "there is no R"} for line in lines)

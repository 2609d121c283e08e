"""What a stranger hands over is read or refused in one sentence, whatever it is."""

from __future__ import annotations

import gzip
import json
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.errors import FileFault, HarnessError
from harness.nodes import MAX_NODES, read_document

NAMES = (
    *("matrix", "query", "results", "journal", "expectations", "support", "fixtures", "log"),
    *("recording", "recording, unpacked", "events of a cell", "lock", "history"),
    *("manifest of a bundle", "archive of a bundle", "bundle"),
)
ANYTHING = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def said_of(parser, data: bytes, folder) -> str:
    """Return why an input is refused; empty where it is read."""
    try:
        parser.parse(data, folder)
    except HarnessError as error:
        return str(error).strip()
    return ""


def test_every_parser_is_named_here(fuzz):
    assert set(fuzz.parsers()) == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_good_inputs_are_read(fuzz, name, tmp_path):
    parser = fuzz.parsers()[name]
    assert parser.seeds
    for seed in parser.seeds:
        if name == "recording" or name.startswith("recording,"):
            continue  # a real one is megabytes; the seed is of its shape alone
        parser.parse(seed, tmp_path)


@pytest.mark.parametrize("name", NAMES)
def test_near_misses_are_read_or_refused(fuzz, name):
    # The clock of a busy machine says nothing; a pattern that never ends is ended by the limit.
    account = fuzz.fuzz(fuzz.parsers()[name], first=0, inputs=60, limit_s=6)
    assert account.inputs
    assert not [line for line in account.findings if ": took " not in line]


@pytest.mark.long
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("name", NAMES)
def test_a_hundred_thousand_near_misses_are_read_or_refused(fuzz, name):
    account = fuzz.fuzz(fuzz.parsers()[name], first=0, inputs=100_000)
    assert account.inputs == 100_000
    assert not account.findings


@ANYTHING
@given(data=st.binary(max_size=400))
@pytest.mark.parametrize("name", NAMES)
def test_any_bytes_are_read_or_refused(fuzz, name, tmp_path, data):
    assert "\n" not in said_of(fuzz.parsers()[name], data, tmp_path)


# --- what is only met on purpose ------------------------------------------------------------------


def test_aliases_of_aliases_are_refused(tmp_path):
    file = tmp_path / "laughs.yaml"
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    file.write_text("\n".join(lines))
    started = time.process_time()
    with pytest.raises(FileFault, match=f"more than {MAX_NODES:,} values, aliases written out"):
        read_document(file, "matrix", "")
    assert time.process_time() - started < 5


def test_an_alias_to_itself_is_refused(tmp_path):
    file = tmp_path / "self.yaml"
    file.write_text("a: &a [1, *a]\n")
    with pytest.raises(FileFault, match="1:4: is led back to by an alias"):
        read_document(file, "matrix", "")


def test_aliases_may_be_used(tmp_path):
    file = tmp_path / "fine.yaml"
    file.write_text("a: &a [1, 2]\nb: *a\nc: [*a, *a]\n")
    assert read_document(file, "matrix", "")[0] == str(file)


@pytest.mark.parametrize("opening", ["[", "{a: ", "- ", "? "])
def test_nesting_without_end_is_refused(tmp_path, opening):
    file = tmp_path / "deep.yaml"
    file.write_text(opening * 20_000)
    with pytest.raises(FileFault):
        read_document(file, "matrix", "")


@pytest.mark.parametrize("name", ["results", "journal", "manifest of a bundle", "events of a cell"])
@pytest.mark.parametrize("opening", [b"[", b'{"a":'])
def test_json_nested_without_end_is_refused(fuzz, name, opening, tmp_path):
    assert "\n" not in said_of(fuzz.parsers()[name], opening * 100_000, tmp_path)


def test_what_unpacks_to_gigabytes_is_refused(fuzz, tmp_path, monkeypatch):
    from harness.workflow import calibrating

    monkeypatch.setattr(calibrating, "_LARGEST", 10**6)
    with pytest.raises(FileFault, match="larger than any recording"):
        fuzz.parsers()["recording"].parse(gzip.compress(bytes(2 * 10**6)), tmp_path)


@pytest.mark.parametrize(
    "name", ["../outside", "a/b", "/etc", "..", ".", "", "a\x1b[2J", "a\0b", "x" * 300]
)
@pytest.mark.parametrize("kind", ["results", "journal"])
def test_a_cell_whose_name_leads_out_of_its_folder_is_refused(fuzz, kind, name, tmp_path):
    seed = fuzz.parsers()[kind].seeds[0]
    real = b"native__py3.12__torch2.13.0__cpu"
    written = seed.replace(b'"' + real + b'"', json.dumps(name).encode())
    with pytest.raises(FileFault, match="is the name of no cell"):
        fuzz.parsers()[kind].parse(written, tmp_path)


def test_logs_of_a_remedy_that_lie_elsewhere_are_refused(fuzz, tmp_path):
    seed = fuzz.parsers()["results"].seeds[0].replace(b'"cells/x"', b'"../../x"')
    with pytest.raises(FileFault, match="no folder below the results"):
        fuzz.parsers()["results"].parse(seed, tmp_path)

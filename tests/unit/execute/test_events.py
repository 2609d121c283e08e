from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.execute import events
from harness.execute.events import EventTail, parse_line, read_events

PHASE = b'{"event": "phase", "phase": "import"}\n'


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "events.jsonl"


def test_events_in_order(path: Path) -> None:
    path.write_bytes(PHASE + b'\n{"event": "done", "more": [1]}\n')
    log = read_events(path)
    assert [event["event"] for event in log.events] == ["phase", "done"]
    assert (log.junk, log.truncated) == (0, False)


def test_missing_file_has_no_events(path: Path) -> None:
    assert read_events(path) == ((), 0, False)


@pytest.mark.parametrize(
    "junk",
    [
        b"Loading required package: keras\n",
        b"\xff\xfe\x00\n",
        b'{"event": 3}\n',
        b'{"phase": "import"}\n',
        b'["event"]\n',
        b"[" * 100_000 + b"\n",
        b"1" * 10_000 + b"\n",
    ],
)
def test_junk_is_counted_and_costs_its_own_line_alone(path: Path, junk: bytes) -> None:
    path.write_bytes(PHASE + junk + PHASE)
    log = read_events(path)
    assert len(log.events) == 2
    assert log.junk == 1


def test_text_that_is_not_utf8_is_still_an_event(path: Path) -> None:
    path.write_bytes(b'{"event": "error", "message": "caf\xe9"}\n')
    assert read_events(path).events[0]["message"] == "caf\ufffd"


def test_last_line_cut_short(path: Path) -> None:
    path.write_bytes(PHASE + PHASE[:20])
    log = read_events(path)
    assert (len(log.events), log.junk) == (1, 1)


def test_last_line_without_its_line_feed(path: Path) -> None:
    path.write_bytes(PHASE + PHASE.rstrip())
    assert len(read_events(path).events) == 2


def test_line_that_is_too_long_is_dropped(path: Path) -> None:
    path.write_bytes(PHASE + b"x" * (3 * events.MAX_LINE_BYTES) + b"\n" + PHASE)
    log = read_events(path)
    assert (len(log.events), log.junk) == (2, 1)


def test_file_without_end_is_cut(path: Path) -> None:
    with path.open("wb") as stream:
        stream.write(PHASE)
        stream.truncate(2**40)
    log = read_events(path)
    assert len(log.events) == 1
    assert log.truncated


def test_too_many_lines_are_cut(path: Path) -> None:
    path.write_bytes(b"{}\n" * (2 * events.MAX_LINES))
    log = read_events(path)
    assert log.truncated
    assert log.junk < 2 * events.MAX_LINES


def test_pipe_or_link_in_its_place(path: Path, tmp_path: Path) -> None:
    os.mkfifo(path)
    assert read_events(path).events == ()
    path.unlink()
    (tmp_path / "elsewhere").write_bytes(PHASE)
    path.symlink_to(tmp_path / "elsewhere")
    assert read_events(path).events == ()
    path.unlink()
    path.mkdir()
    assert read_events(path).events == ()


def test_tail_follows(path: Path) -> None:
    path.write_bytes(PHASE)
    tail = EventTail.from_end(path)
    assert tail.read_lines() == ([], True)
    with path.open("ab") as stream:
        stream.write(b'{"event": "stage"}\n{"even')
        stream.flush()
        assert tail.read_lines() == ([b'{"event": "stage"}'], True)
        stream.write(b't": "done"}\n')
        stream.flush()
        assert tail.read_lines() == ([b'{"event": "done"}'], True)
    tail.close()


def test_tail_waits_for_the_file(path: Path) -> None:
    tail = EventTail.from_end(path)
    assert tail.read_lines() == ([], True)
    path.write_bytes(PHASE)
    assert tail.read_lines()[0] == [PHASE.rstrip()]
    tail.close()


@given(st.binary(max_size=200))
def test_no_line_raises(line: bytes) -> None:
    event = parse_line(line)
    assert event is None or isinstance(event["event"], str)


@given(st.text())
def test_what_was_written_is_read(text: str) -> None:
    event = {"event": "error", "message": text}
    assert parse_line(json.dumps(event).encode()) == event

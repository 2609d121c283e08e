"""Logs as they are pasted: what is made uniform, and that lines keep their numbers."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.causes.entries import Notice
from harness.causes.log import LEFT_OUT, read_log, unwrapped

ERROR = "Error in f(x) : no"


@pytest.mark.parametrize(
    "pasted",
    [
        ERROR,
        f"\x1b[1;31m{ERROR}\x1b[0m",
        f"\x1b]0;a title\x07{ERROR}",
        f"\ufeff{ERROR}",
        f"2025-01-31T12:00:00.123Z {ERROR}",
        f"[2025-01-31 12:00:00] {ERROR}",
        f"12:00:00 {ERROR}",
        f"Jan 31 12:00:00 host rsession[123]: {ERROR}",
        f"web-1  | {ERROR}",
        f"my_app  | 2025-01-31 12:00:00,123 {ERROR}",
        f"#8 0.412 {ERROR}",
        f"#> {ERROR}",
        f"## {ERROR}",
        f"> {ERROR}",
        f"##[error]{ERROR}",
        f"│ {ERROR}",
        f"╰─> {ERROR}",
    ],
)
def test_what_stands_before_a_message_is_gone(pasted: str) -> None:
    log = read_log(f"one\n{pasted}\nthree")
    assert log.text.split("\n")[1].strip() == ERROR


def test_quotes_are_one() -> None:
    pasted = "\"a\" `b` \u2018c\u2019 \u201cd\u201d \u201ee\u201c \u00abf\u00bb 'g'"
    assert read_log(pasted).text == "'a' 'b' 'c' 'd' 'e' 'f' 'g'"


def test_a_prompt_goes_and_a_comparison_stays() -> None:
    assert read_log("> x > 1\n>1").text == "x > 1\n>1"


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_keep_their_numbers(end: str) -> None:
    log = read_log(end.join(["one", "two", "", "", "", "six"]))
    assert log.line(log.text.index("two")) == (2, "two")
    assert log.line(log.text.index("six")) == (6, "six")


def test_a_progress_bar_is_one_line() -> None:
    log = read_log("one\n 1%\r 2%\r 3%\nthree")
    assert log.line(log.text.index("3%"))[0] == 2
    assert log.line(log.text.index("three"))[0] == 3


def test_lines_that_were_left_out_are_counted() -> None:
    log = read_log(f"one\ntwo\n{LEFT_OUT.format(97)}\nrest of 99\nhundred")
    assert log.line(log.text.index("rest")) == (99, "rest of 99")
    assert log.line(log.text.index("hundred"))[0] == 100


def test_a_log_as_one_json_string() -> None:
    pasted = '{"log": "one\\ntwo\\nthree\\nfour\\nfive\\nsix\\nseven \\"x\\""}'
    assert read_log(pasted).text.split("\n")[1:3] == ["two", "three"]


def test_a_windows_path_is_no_line_end() -> None:
    assert read_log("C:\\new\\names").text == "C:\\new\\names"


def test_notices_are_emptied_and_told() -> None:
    hum = Notice(id="hum", means="it hums", lines=("hums along to the end",))
    log = read_log("one\nit hums along\nto the end of it\nfour", [hum])
    assert log.text == "one\n\nfour"
    assert log.passed_over == (("hum", 2),)
    assert log.line(log.text.index("four"))[0] == 4


def test_lines_cut_at_a_margin_are_joined() -> None:
    long = (
        "a message that is longer than a terminal is wide and that was cut in the middle of a word"
    )
    log = read_log(f"one\n{long[:80]}\n{long[80:]}\nfour")
    joined = unwrapped(log)
    assert joined is not None
    assert joined.text.split("\n") == ["one", long, "four"]
    assert joined.line(joined.text.index("four"))[0] == 4


def test_short_lines_are_not_joined() -> None:
    assert unwrapped(read_log("one\ntwo\nthree")) is None


@pytest.mark.parametrize("mark", ["\x1b", "\x9b", "\u202e", "\x7f"])
def test_what_steers_a_terminal_is_in_no_line(mark: str) -> None:
    log = read_log(f"Error: une{mark}xpected\n")
    assert log.text.startswith("Error: unexpected")
    assert mark not in "".join(log.shown)


def test_much_white_space_takes_no_time() -> None:
    notice = Notice(id="n", means="m", lines=(r"^\s*nowhere \d+",))
    started = time.perf_counter()
    log = read_log("\n" * 200_000 + " " * 200_000 + "end", [notice])
    assert time.perf_counter() - started < 5
    assert len(log.text) < 1000


@given(st.text(max_size=300))
def test_any_text_can_be_read(text: str) -> None:
    log = read_log(text)
    assert len(log.starts) == len(log.numbers) == len(log.shown) == log.text.count("\n") + 1
    assert log.line(len(log.text))[0] >= 1
    unwrapped(log)

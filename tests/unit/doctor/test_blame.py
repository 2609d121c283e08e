"""Which argument is to blame: judged from calls and messages, without R or Python."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.doctor.blame import Argument, Call, blame, blame_parser


def number(name: str, source: str, **others: object) -> Argument:
    fields = {"type": "double", "length": 1, "whole": True} | others
    return Argument(name=name, line=3, column=20, source=source, **fields)  # type: ignore[arg-type]


def call(*arguments: Argument, name: str = "keras$layers$Dense") -> Call:
    return Call(name=name, line=3, column=3, python=True, arguments=arguments)


@pytest.mark.parametrize(
    "message",
    [
        (
            "ValueError: Received an invalid value for `units`, expected a positive integer. "
            "Received: units=128.0"
        ),
        "TypeError: 'float' object cannot be interpreted as an integer",
        "TypeError: units must be an int, got float",
        "TypeError: expected a sequence of integers or a single integer, got '128.0'",
    ],
)
def test_a_double_where_an_integer_is_asked(message: str) -> None:
    found = blame(call(number("units", "128")), message)
    assert (found.cause, found.argument) == ("double-not-integer", "units")
    assert (found.written, found.instead) == ("units = 128", "units = 128L")


def test_the_argument_that_the_message_names_comes_first() -> None:
    message = "expected a positive integer. Received: epochs=10.0 for `epochs`"
    found = blame(call(number("batch_size", "32"), number("epochs", "10")), message)
    assert found.argument == "epochs"


def test_the_value_that_the_message_shows_comes_before_others() -> None:
    arguments = (number("", "784"), number("", "10"))
    message = (
        "empty(): argument 'size' must be tuple of ints, but found element of type float, 10.0"
    )
    found = blame(call(*arguments, name="th$nn$Linear"), message)
    assert (found.cause, found.argument) == ("torch-size-double", "10")


def test_a_computed_value_is_converted() -> None:
    found = blame(call(number("units", "n")), "'float' object cannot be interpreted as an integer")
    assert found.instead == "units = as.integer(n)"


def test_fractions_are_never_to_blame_for_a_missing_integer() -> None:
    argument = number("rate", "0.5", whole=False)
    found = blame(call(argument), "'float' object cannot be interpreted as an integer")
    assert found.cause is None


def test_a_vector_of_length_one_where_a_shape_is_asked() -> None:
    found = blame(call(number("input_shape", "c(784)")), "Cannot convert '784.0' to a shape.")
    assert found.cause == "input-shape-scalar-collapse"
    assert found.instead == "input_shape = list(784L)"


def test_a_constant_made_earlier_is_found() -> None:
    outer = Call(name="keras$Sequential", line=2, column=1, python=True)
    inner = call(number("units", "128L", type="integer"), number("input_shape", "c(784L)"))
    found = blame(outer, "Cannot convert '784' to a shape.", [inner])
    assert (found.line, found.argument) == (3, "input_shape")


def test_a_single_string_where_a_list_is_asked() -> None:
    metrics = Argument(
        name="metrics", line=1, column=1, source='c("accuracy")', type="character", length=1
    )
    message = "Expected `metrics` argument to be a list, tuple, or dict."
    found = blame(call(metrics), message)
    assert found.instead == 'metrics = list("accuracy")'


def test_a_row_that_lost_its_dimension() -> None:
    row = Argument(name="", line=9, column=7, source="x[1, ]", type="double", length=4)
    found = blame(call(row), "ValueError: Unrecognized data type: x=[1.0, 2.0]")
    assert (found.cause, found.instead) == ("row-drop", "x[1, , drop = FALSE]")


def test_a_plain_vector_where_an_array_is_asked() -> None:
    x = Argument(name="", line=1, column=1, source="x", type="double", length=40, dims=(10, 4))
    y = Argument(name="", line=1, column=4, source="y", type="double", length=10)
    found = blame(call(x, y), "ValueError: Failed to find data adapter that can handle input")
    assert (found.cause, found.instead) == ("y-vector-becomes-list", "as.array(y)")


def test_an_argument_of_another_time() -> None:
    found = blame(
        call(number("lr", "0.01", whole=False)), "Argument(s) not recognized: {'lr': 0.01}"
    )
    assert (found.cause, found.instead) == ("keras3-removed-args", "learning_rate = 0.01")


def test_another_error_is_blamed_on_nothing() -> None:
    found = blame(call(number("units", "128")), "FileNotFoundError: no such file: data.csv")
    assert (found.cause, found.argument) == (None, None)


def test_a_name_with_an_underscore() -> None:
    message = "script.R:2:10: unexpected input\n1: x\n2: print(np$_\n            ^"
    found = blame_parser(message, ["x", "print(np$__version__)"])
    assert found is not None
    assert (found.line, found.instead) == (2, "$`__version__`")


@pytest.mark.parametrize(
    "message",
    [
        '\'\\U\' used without hex digits in character string starting ""C:\\U"',
        "'\\U' used without hex digits in character string (<input>:2:15)",
    ],
)
def test_a_path_of_windows_with_single_backslashes_has_a_place(message: str) -> None:
    found = blame_parser(message, ["library(reticulate)", r'use_python("C:\Users\me\python.exe")'])
    assert found is not None
    assert (found.cause, found.line) == ("windows-path-backslash", 2)
    assert (found.written, found.instead) == (
        r'"C:\Users\me\python.exe"',
        '"C:/Users/me/python.exe"',
    )


def test_an_escape_that_is_no_path_has_no_cause() -> None:
    message = "'\\d' is an unrecognized escape in character string (<input>:1:9)"
    found = blame_parser(message, [r'gsub("\d+", "", "C:\\a")'])
    assert found is not None
    assert (found.cause, found.line) == (None, 1)
    assert blame_parser("'\\d' is an unrecognized escape in character string", ["x"]) is None


def test_another_fault_of_writing_has_a_place_and_no_cause() -> None:
    found = blame_parser("script.R:2:3: unexpected symbol", ["x", "a b"])
    assert found is not None
    assert (found.cause, found.line) == (None, 2)


@given(st.text(max_size=200), st.text(max_size=40), st.sampled_from(["double", "character", ""]))
def test_no_message_and_no_source_is_too_odd(text: str, source: str, kind: str) -> None:
    argument = Argument(name="units", line=1, column=1, source=source, type=kind, whole=True)
    assert blame(call(argument), text).line in {1, 3}

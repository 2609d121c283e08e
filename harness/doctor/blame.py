"""Which argument of a failing call is to blame, and what to write instead: pure.

R tells the call, its arguments as they are written and what each was when it was called;
Python's message tells what was wrong with one of them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Final

import msgspec


class Argument(msgspec.Struct, frozen=True, kw_only=True):
    """An argument: where and how it is written, and what it was in R."""

    name: str
    line: int
    column: int
    source: str
    type: str = ""
    """R's ``typeof``, or ``python``; empty where it is not known."""
    kind: str = ""
    """The first of R's classes."""
    length: int = 0
    dims: tuple[int, ...] = ()
    whole: bool = False
    """A number without a fraction, or only such."""


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """A call as it is written in the script; ``python`` where it is of a Python object."""

    name: str
    line: int
    column: int
    python: bool
    arguments: tuple[Argument, ...] = ()


class Blame(msgspec.Struct, frozen=True, kw_only=True):
    """What is to blame: a place, and, where that is clear, the cause and what to write."""

    cause: str | None
    line: int
    column: int | None
    call: str | None = None
    argument: str | None = None
    written: str | None = None
    instead: str | None = None
    r_type: str | None = None
    r_length: int | None = None
    python_type: str | None = None


_NO_INTEGER: Final = re.compile(
    r"float'? object cannot be interpreted as an integer|must be (?:an? )?(?:positive )?int"
    r"|found element of type float|PRNG key seed must be an integer|not float\b|type float\b"
    r"|Invalid (?:value|shape|dtype)|[Ee]xpected (?:an )?int|should be (?:an )?int|got float"
    r"|=\d+\.0\b|a single integer, got"
    r"|Shapes must be|float32? .*integer|slice indices must be integers|Received: [\w=]*\d+\.0",
    re.IGNORECASE,
)
_NO_SEQUENCE: Final = re.compile(
    r"(?:int|float)'? object is not iterable|Cannot convert '?[\d.]+'? to a shape"
    r"|'(?:int|float)' object (?:is not subscriptable|has no attribute '__len__'|has no len)"
    r"|object of type '(?:int|float)' has no len"
    r"|must be (?:a )?(?:tuple|sequence|list)(?! of ints, but)",
    re.IGNORECASE,
)
_NO_LIST: Final = re.compile(
    r"(?:argument|to be|must be|should be)[^.\n]{0,40}\b(?:a )?(?:list|tuple|dict)", re.IGNORECASE
)
_NO_ARRAY: Final = re.compile(
    r"Unrecognized data type|Failed to find data adapter|data adapter that can handle"
    r"|'list' object has no attribute '(?:shape|dtype|ndim)'|expects? .*\bndarray",
    re.IGNORECASE,
)
_NOT_KNOWN: Final = re.compile(
    r"not recognized: \{?['\"](?P<a>\w+)['\"]|unexpected keyword argument '(?P<b>\w+)'"
    r"|got an unexpected keyword argument ['\"](?P<c>\w+)",
    re.IGNORECASE,
)
_RENAMED: Final = {
    "lr": "learning_rate",
    "input_dim": "input_shape",
    "nb_epoch": "epochs",
    "init": "kernel_initializer",
    "output_dim": "units",
}
_UNSPOKEN: Final = 2
_LITERAL: Final = re.compile(r"(?<![\w.])(\d+)(?![\w.])")
_ROW: Final = re.compile(r"^(?P<name>[\w.$]+)\[\s*(?P<row>[^,\[\]]+),\s*\]$")
_ESCAPE: Final = re.compile(r"without hex digits in character|unrecognized escape in character")
"""R's parser of a backslash that begins no escape."""
_WINDOWS_PATH: Final = re.compile(
    r"\"(?:[A-Za-z]:|\\)\\[^\"\\]+(?:\\[^\"\\]+)*\"|'(?:[A-Za-z]:|\\)\\[^'\\]+(?:\\[^'\\]+)*'"
)
"""Such a path in quotes, with single backslashes all along."""
_SEED: Final = re.compile(r"PRNGKey|random\$key|\bkey$")


def blame(call: Call, text: str, others: Iterable[Call] = ()) -> Blame:
    """Return what is to blame for ``text``, an error with its traceback.

    ``others`` are calls before this one, nearest first, with arguments that are constants: a
    layer is often made of a wrong value long before the model is.
    """
    for judge in _JUDGES:
        found = judge(call, text)
        if found is not None:
            return found
    for other in others:
        spoken = tuple(one for one in other.arguments if _rank(one, text) < _UNSPOKEN)
        for judge in _JUDGES:
            found = judge(msgspec.structs.replace(other, arguments=spoken), text)
            if found is not None:
                return found
    return Blame(cause=None, line=call.line, column=call.column, call=call.name)


def blame_parser(message: str, lines: Iterable[str]) -> Blame | None:
    """Return what is to blame for a script that R cannot parse.

    ``message`` is the parser's: ``FILE:LINE:COLUMN: unexpected ...``.
    """
    lines = list(lines)
    if _ESCAPE.search(message):
        return _backslashes(message, lines)
    found = re.search(r":(\d+):(\d+):", message)
    if found is None:
        return None
    line, column = int(found[1]), int(found[2])
    text = next((one for number, one in enumerate(lines, 1) if number == line), "")
    name = re.search(r"\$(__?\w+)", text)
    if name is None:
        return Blame(cause=None, line=line, column=column)
    return Blame(
        cause="underscore-name-unquoted",
        line=line,
        column=name.start() + 1,
        argument=name[1],
        written=name[0],
        instead=f"$`{name[1]}`",
    )


def _backslashes(message: str, lines: list[str]) -> Blame | None:
    """Return the first Windows path whose backslashes R takes for escapes."""
    place = re.search(r":(\d+):\d+\)?\s*$", message)
    for number, text in enumerate(lines, 1):
        path = _WINDOWS_PATH.search(text)
        if path is None or (place is not None and number != int(place[1])):
            continue
        return Blame(
            cause="windows-path-backslash",
            line=number,
            column=path.start() + 1,
            argument=path[0],
            written=path[0],
            instead=path[0].replace("\\", "/"),
        )
    return Blame(cause=None, line=int(place[1]), column=None) if place is not None else None


def _of(call: Call, argument: Argument, cause: str, instead: str | None, python: str) -> Blame:
    return Blame(
        cause=cause,
        line=argument.line,
        column=argument.column,
        call=call.name,
        argument=argument.name or argument.source,
        written=_named(argument, argument.source),
        instead=None if instead is None else _named(argument, instead),
        r_type=argument.type or None,
        r_length=argument.length,
        python_type=python,
    )


def _named(argument: Argument, value: str) -> str:
    return f"{argument.name} = {value}" if argument.name else value


def _rank(argument: Argument, text: str) -> int:
    """0 where a message names the argument, 1 where it shows its value, else 2."""
    name = argument.name
    if name and re.search(rf"[`'\"{{(, ]{re.escape(name)}[`'\"=: ]", text):
        return 0
    values = re.findall(r"(?<![\w.])(\d+)L?(?![\w.])", argument.source)
    if any(re.search(rf"(?<![\w.]){value}(?:\.0)?(?![\w.])", text) for value in values):
        return 1
    return _UNSPOKEN


def _spoken_of(arguments: list[Argument], text: str) -> list[Argument]:
    """Order arguments: those that the message names first, then those whose value it shows."""
    return sorted(arguments, key=lambda argument: _rank(argument, text))


def _unknown_name(call: Call, text: str) -> Blame | None:
    found = _NOT_KNOWN.search(text)
    if found is None:
        return None
    name = next(group for group in found.groups() if group)
    for argument in call.arguments:
        if argument.name == name:
            blamed = _of(call, argument, "keras3-removed-args", None, "keyword")
            if name in _RENAMED:
                instead = f"{_RENAMED[name]} = {argument.source}"
                return msgspec.structs.replace(blamed, instead=instead)
            return blamed
    return None


def _first(call: Call, text: str, fits: Callable[[Argument], bool]) -> Argument | None:
    found = _spoken_of([argument for argument in call.arguments if fits(argument)], text)
    return found[0] if found else None


def _is_number(argument: Argument) -> bool:
    return argument.type in {"double", "integer"} and not argument.dims


def _sequence(call: Call, text: str) -> Blame | None:
    if not _NO_SEQUENCE.search(text):
        return None
    argument = _first(call, text, lambda one: _is_number(one) and one.length == 1)
    if argument is None:
        return None
    inner = re.fullmatch(r"c\((.*)\)", argument.source.strip())
    value = _as_integers(inner[1] if inner else argument.source)
    return _of(call, argument, "input-shape-scalar-collapse", f"list({value})", "int")


def _integer(call: Call, text: str) -> Blame | None:
    if not _NO_INTEGER.search(text):
        return None
    argument = _first(call, text, lambda one: one.type == "double" and one.whole and not one.dims)
    if argument is None:
        return None
    cause = "double-not-integer"
    if "must be tuple of ints" in text or "found element of type float" in text:
        cause = "torch-size-double"
    elif "PRNG key" in text or _SEED.search(call.name):
        cause = "jax-seed-double"
    return _of(call, argument, cause, _as_integers(argument.source), "float")


def _string(call: Call, text: str) -> Blame | None:
    if not _NO_LIST.search(text):
        return None
    argument = _first(call, text, lambda one: one.type == "character" and one.length == 1)
    if argument is None:
        return None
    inner = re.fullmatch(r"c\((.*)\)", argument.source.strip())
    value = inner[1] if inner else argument.source
    return _of(call, argument, "single-string-not-list", f"list({value})", "str")


def _row(call: Call, text: str) -> Blame | None:
    if not _is_shape_error(text):
        return None
    for argument in call.arguments:
        found = _ROW.match(argument.source.strip())
        if found is not None and not argument.dims:
            instead = f"{found['name']}[{found['row']}, , drop = FALSE]"
            return _of(call, argument, "row-drop", instead, "list")
    return None


def _is_shape_error(text: str) -> bool:
    return bool(_NO_ARRAY.search(text) or re.search(r"expected .*(?:ndim|shape)|\brank\b", text))


def _array(call: Call, text: str) -> Blame | None:
    if not _NO_ARRAY.search(text):
        return None
    vectors = {"double", "integer", "logical", "character"}
    argument = _first(
        call, text, lambda one: one.type in vectors and one.length > 1 and not one.dims
    )
    if argument is None:
        return None
    return _of(call, argument, "y-vector-becomes-list", f"as.array({argument.source})", "list")


def _as_integers(source: str) -> str:
    """Write every whole number of a piece of R as an integer, or convert what is no literal."""
    written = _LITERAL.sub(r"\1L", source)
    return written if written != source or "L" in source else f"as.integer({source})"


_JUDGES: Final = (_unknown_name, _sequence, _row, _array, _string, _integer)
"""From what a message says most plainly to what is read out of it."""

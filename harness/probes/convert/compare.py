"""What is lost between two descriptions of a value.

A description is what ``describe()`` of either language says (``harness/kit/convert``): plain JSON
with the native ``type``, elements as texts, and whatever else the value has.  Two questions are
asked of it.  :func:`differences` holds a description of one language against what was sent in the
other, by its *content*: the kinds, elements, shape and names that both languages know.
:func:`changes` holds what came back against what was sent in the same language, strictly.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

Description = Mapping[str, Any]

KINDS: Final[Mapping[str, str]] = {
    # R
    "NULL": "null",
    "logical": "logical",
    "integer": "integer",
    "double": "double",
    "character": "text",
    "raw": "bytes",
    "factor": "category",
    "Date": "date",
    "POSIXct": "datetime",
    "POSIXlt": "datetime",
    "difftime": "duration",
    "data.frame": "table",
    # Python
    "None": "null",
    "NA": "null",
    "NaT": "null",
    "bool": "logical",
    "int": "integer",
    "float": "double",
    "str": "text",
    "bytearray": "bytes",
    "Timestamp": "datetime",
    "timedelta": "duration",
    "Timedelta": "duration",
    "DataFrame": "table",
    "set": "set",
    "frozenset": "set",
    "tuple": "list",
    "rpy2.NULLType": "null",
    "pyRserve.TaggedList": "list",
}
"""The kind that both languages know, by a native type; a type that is not here is its own."""

_DTYPES: Final = (
    ("bool", "logical"),
    ("int", "integer"),
    ("uint", "integer"),
    ("float", "double"),
    ("complex", "complex"),
    ("<U", "text"),
    ("str", "text"),
    ("|S", "bytes"),
    ("|V", "bytes"),
    ("void", "bytes"),
    ("datetime64", "datetime"),
    ("timedelta64", "duration"),
    ("category", "category"),
)
_SPARSE: Final = ("csc_matrix", "csr_matrix", "coo_matrix", "csc_array", "csr_array", "coo_array")
_R_SPARSE: Final = ("CMatrix", "TMatrix", "RMatrix")
_SECONDS: Final = {"secs": 1, "mins": 60, "hours": 3600, "days": 86400, "weeks": 604800}
TYPE, VALUES, MISSING, ORDER, SHAPE, NAMES, LEVELS, ZONE, LAYOUT, ATTRIBUTES, LENGTH = (
    "type",
    "values",
    "missing",
    "order",
    "shape",
    "names",
    "levels",
    "zone",
    "layout",
    "attributes",
    "length",
)
"""What can differ.  ``missing``: an NA that is none, or the other way round; ``order``: the same
elements in another; ``layout``: rows or columns first in memory."""

_SHARED: Final[Mapping[str, str]] = {
    "shape": SHAPE,
    "names": NAMES,
    "key_kinds": NAMES,
    "dimnames": NAMES,
    "rows": NAMES,
    "levels": LEVELS,
    "ordered": LEVELS,
    "zone": ZONE,
    "length": LENGTH,
}
"""What a content has beside its elements."""
_LEAVES: Final = frozenset(
    {"logical", "integer", "double", "complex", "text", "date", "datetime", "duration", "null"}
)
REFERENCE: Final = "reference"
"""The kind of what is the value itself, which has stayed where it was."""
ANYTHING: Final = "anything"

_STRICT: Final[Mapping[str, str]] = {
    "shape": SHAPE,
    "names": NAMES,
    "dimnames": NAMES,
    "row_names": NAMES,
    "column_names": NAMES,
    "levels": LEVELS,
    "ordered": LEVELS,
    "zone": ZONE,
    "unit": ATTRIBUTES,
    "class": ATTRIBUTES,
    "attributes": ATTRIBUTES,
    "code": VALUES,
    "calls": VALUES,
    "fails": VALUES,
    "entries": VALUES,
    "fields": NAMES,
    "length": LENGTH,
}


# --- Fixtures ----------------------------------------------------------------------------------


def described(tree: Mapping[str, Any]) -> dict[str, Any]:
    """Return the description that a typed tree of a fixture stands for."""
    kind = tree["type"]
    found = {key: tree[key] for key in ("dtype", *_STRICT) if key in tree}
    found["type"] = f"numpy.{tree['dtype']}" if kind == "numpy" else kind
    if "dim" in tree:
        found["shape"] = list(tree["dim"])
    if "items" in tree:
        found["items"] = [described(item) for item in tree["items"]]
    if "keys" in tree:
        keys = tree["keys"]
        found["keys"] = [key if isinstance(key, str) else described(key) for key in keys]
    if kind in {"generator", "function", "formula"}:
        found.pop("code", None)
        return found
    if "entries" in tree:
        found["entries"] = [[row, column, _number(x)] for row, column, x in tree["entries"]]
    if kind == "datetime":
        found["values"] = [_instant(str(tree["value"]), str(tree.get("zone", "UTC")))]
    elif "value" in tree or "values" in tree:
        values = tree["values"] if "values" in tree else [tree["value"]]
        if kind in {"bytes", "bytearray"}:
            text = str(tree["value"])
            values = [text[at : at + 2] for at in range(0, len(text), 2)]
        if tree.get("dtype") == "object":
            found["items"] = [
                {"type": "None"} if value is None else {"type": "str", "values": [value]}
                for value in values
            ]
        else:
            found["values"] = [_text(value, kind, str(tree.get("dtype", ""))) for value in values]
    return found


def _text(value: object, kind: str, dtype: str) -> str | None:
    """Return an element of a typed tree as ``describe()`` writes it."""
    if value is None or value == "NaT":
        return None
    kind = _kind_of_dtype(dtype) if dtype else KINDS.get(kind, kind)
    if kind == "logical":
        return "true" if value else "false"
    if kind == "double" and isinstance(value, str | int | float):
        return _number(value)
    if kind == "duration" and isinstance(value, int | float):
        return _number(value)
    if kind == "complex" and isinstance(value, list):
        return ",".join(_number(part) for part in value)
    if kind == "datetime":
        return _instant(str(value), "UTC")
    return str(value)


def _instant(text: str, zone: str) -> str:
    """Return the microseconds since 1970 of a time on the clocks of a zone."""
    moment = datetime.fromisoformat(text)
    if zone[0] in "+-":
        moment = datetime.fromisoformat(f"{text}{zone}")
    else:
        moment = moment.replace(tzinfo=ZoneInfo(zone))
    return str(round(moment.timestamp() * 1_000_000))


def _number(value: str | float) -> str:
    if isinstance(value, str):
        number = float.fromhex(value) if "0x" in value else float(value)
    else:
        number = float(value)
    if number != number:  # noqa: PLR0124 - the one number that is not itself
        return "NaN"
    if number in {float("inf"), float("-inf")}:
        return "Inf" if number > 0 else "-Inf"
    return f"{number:.17g}"


# --- Content -----------------------------------------------------------------------------------


def content(said: Description) -> dict[str, Any]:
    """Return what a description says in the words that both languages know.

    A list of single values of one kind is a vector of that kind, as it is in R; one with ``None``
    among them has a missing value there.  A dictionary of such is a vector with names.
    """
    kind = _kind(said)
    if kind == "null":
        return {"kind": "null"}
    if said.get("reference"):
        return {"kind": REFERENCE, **({"calls": said["calls"]} if "calls" in said else {})}
    if kind == "table":
        return {
            "kind": kind,
            "names": [*said.get("names", ())],
            "items": [content(item) for item in said.get("items", ())],
            "rows": list(said.get("row_names") or ()),
            "length": said.get("length", 0),
        }
    if kind == "sparse":
        return {"kind": kind, "shape": list(said["shape"]), "entries": _entries(said)}
    if "items" in said and "dtype" in said:
        return _of_objects(said)
    if "items" in said:
        return _of_container(said, {"kind": kind})
    return _of_elements(said, {"kind": kind})


def _of_objects(said: Description) -> dict[str, Any]:
    """Return the content of an array or a column of objects."""
    inner = _of_container({"type": "list", "items": said["items"]}, {"kind": "list"})
    if not said["items"]:
        # Of no objects there is none to say of what kind they are.
        inner = {"kind": ANYTHING, "values": []}
    return _with_names({**inner, **_shape(said)}, said)


def _of_elements(said: Description, found: dict[str, Any]) -> dict[str, Any]:
    if "values" in said:
        found["values"] = list(said["values"])
        if said.get("type") == "difftime":
            found["values"] = _in_seconds(said)
        found.update(_shape(said))
    found.update({key: said[key] for key in ("ordered", "zone", "calls") if said.get(key)})
    if "levels" in said:
        found["levels"] = said["levels"]
    return _with_names(found, said)


def _kind(said: Description) -> str:
    name, dtype = str(said.get("type", "")), str(said.get("dtype", ""))
    if name in _SPARSE or name.endswith(_R_SPARSE):
        return "sparse"
    if dtype and name != "DataFrame":
        return _kind_of_dtype(dtype)
    if name.startswith("numpy."):
        return _kind_of_dtype(name.removeprefix("numpy."))
    if "calls" in said or "fails" in said:
        return "function"
    return KINDS.get(name, name)


def _kind_of_dtype(dtype: str) -> str:
    for begin, kind in _DTYPES:
        if dtype.lower().startswith(begin.lower()):
            return kind
    return dtype


def _shape(said: Description) -> dict[str, Any]:
    """A vector, an array of one dimension and a single value are told by their length alone."""
    shape = said.get("shape") or []
    return {"shape": list(shape)} if len(shape) > 1 else {}


def _with_names(found: dict[str, Any], said: Description) -> dict[str, Any]:
    if said.get("names"):
        found["names"] = list(said["names"])
    if said.get("dimnames"):
        found["dimnames"] = list(said["dimnames"])
    return found


def _entries(said: Description) -> list[list[Any]]:
    return [list(entry) for entry in said.get("entries", ())]


def _in_seconds(said: Description) -> list[str | None]:
    factor = _SECONDS.get(str(said.get("unit")), 1)
    return [None if x is None else _number(float(x) * factor) for x in said["values"]]


def _of_container(said: Description, found: dict[str, Any]) -> dict[str, Any]:
    inner = [content(item) for item in said["items"]]
    if "keys" in said and said.get("type") != "environment":
        keys = [
            {"kind": "text", "values": [key]} if isinstance(key, str) else content(key)
            for key in said["keys"]
        ]
        found["kind"] = "mapping"
        found["names"] = [key["values"][0] if key.get("values") else str(key) for key in keys]
        if any(key["kind"] != "text" for key in keys):
            found["key_kinds"] = [key["kind"] for key in keys]
    elif said.get("names") is not None and found["kind"] == "list":
        found["kind"] = "mapping"
        found["names"] = list(said["names"])
    elif said.get("names"):
        found["names"] = list(said["names"])
    if str(said.get("type", "")).startswith("rpy2."):
        found["kind"] = "mapping" if said.get("names") else "list"
    kinds = {item["kind"] for item in inner} - {"null"}
    simple = all(
        item["kind"] in _LEAVES
        and len(item.get("values", [None])) == 1
        and "shape" not in item
        and "names" not in item
        for item in inner
    )
    if simple and inner and not kinds:
        return {"kind": "null", "values": [None] * len(inner)}
    zones = {item.get("zone") for item in inner if item["kind"] != "null"}
    if found["kind"] in {"list", "mapping"} and simple and len(kinds) == 1 and len(zones) == 1:
        found["kind"] = kinds.pop()
        found["values"] = [item.get("values", [None])[0] for item in inner]
        zone = zones.pop()
        if zone is not None:
            found["zone"] = zone
        return found
    found["items"] = inner
    return found


# --- Differences -------------------------------------------------------------------------------


def differences(
    sent: Description, arrived: Description, also: Sequence[str] = ()
) -> frozenset[str]:
    """Return what is not in ``arrived``, of another language, as it was in ``sent``.

    ``also`` are kinds of elements that are as good as the kind that was sent.
    """
    return frozenset(_differ(content(sent), content(arrived), frozenset(also)))


def _differ(sent: dict[str, Any], got: dict[str, Any], also: frozenset[str]) -> Iterable[str]:
    kind, other = sent["kind"], got["kind"]
    if other == REFERENCE:
        return
    if other == "null" and kind != "null":
        # Missing values alone: the other language may have one for all kinds.
        gone = got.get("values", [None])
        if sent.get("values") != gone or "names" in sent or "levels" in sent:
            yield MISSING
        return
    if kind == "bytes" and other == "integer" and "values" in got:
        # An array of unsigned bytes is as good.
        values = [f"{int(x or 0) % 256:02x}" for x in got["values"]]
        got = {**got, "kind": "bytes", "values": values}
    if got["kind"] not in {kind, ANYTHING, *also}:
        yield TYPE
    yield from _values(sent, got)
    for key, aspect in _SHARED.items():
        if (sent.get(key) or None) != (got.get(key) or None):
            yield aspect
    if "entries" in sent and "entries" in got and not _same_entries(sent, got):
        yield VALUES
    if "calls" in sent and not _same(str(sent["calls"]), got.get("calls")):
        yield VALUES
    yield from _items(sent, got, also)


def _items(sent: dict[str, Any], got: dict[str, Any], also: frozenset[str]) -> Iterable[str]:
    if "items" not in sent:
        return
    inner = got.get("items")
    if inner is None:
        yield TYPE
    elif len(inner) != len(sent["items"]):
        yield LENGTH
    else:
        for one, another in zip(sent["items"], inner, strict=True):
            yield from _differ(one, another, also)


def _values(sent: dict[str, Any], got: dict[str, Any]) -> Iterable[str]:
    if "values" not in sent:
        return
    if "values" not in got:
        yield TYPE
        return
    mine, theirs = sent["values"], got["values"]
    if len(mine) != len(theirs):
        yield LENGTH
        return
    yield from _elements(mine, theirs)


def _elements(mine: Sequence[str | None], theirs: Sequence[str | None]) -> Iterable[str]:
    if [x is None for x in mine] != [x is None for x in theirs]:
        yield MISSING
    pairs = [(a, b) for a, b in zip(mine, theirs, strict=True) if a is not None and b is not None]
    if all(_same(a, b) for a, b in pairs):
        return
    yield ORDER if Counter(map(str, mine)) == Counter(map(str, theirs)) else VALUES


def _same(one: str, other: object) -> bool:
    """Compare two elements as texts, and numbers by what they are."""
    if one == other or "-0" in {one, other}:
        return one == other
    try:
        return _exact(one) == _exact(str(other))
    except ValueError:
        return False


def _exact(text: str) -> int | float:
    # An integer is never made a float: two that differ could become the same.
    try:
        return int(text)
    except ValueError:
        number = float(text)
        if number != number:  # noqa: PLR0124 - NaN
            raise ValueError(text) from None
        return number


def _same_entries(sent: dict[str, Any], got: dict[str, Any]) -> bool:
    mine, theirs = sent["entries"], got["entries"]
    return len(mine) == len(theirs) and all(
        list(a[:2]) == list(b[:2]) and _same(str(a[2]), b[2])
        for a, b in zip(mine, theirs, strict=True)
    )


# --- Changes -----------------------------------------------------------------------------------


def changes(sent: Description, back: Description) -> frozenset[str]:
    """Return what has changed in a value that came back into its own language."""
    return frozenset(_change(sent, back))


def _change(sent: Description, back: Description) -> Iterable[str]:
    if (sent.get("type"), sent.get("dtype")) != (back.get("type"), back.get("dtype")):
        yield TYPE
        yield from _differ(content(sent), content(back), frozenset())
        return
    for key, aspect in _STRICT.items():
        if sent.get(key) != back.get(key):
            yield aspect
    layouts = {sent.get("order"), back.get("order")}
    if len(layouts - {None, "both"}) > 1:
        yield LAYOUT
    mine, theirs = sent.get("values", []), back.get("values", [])
    if len(mine) != len(theirs):
        yield LENGTH
    else:
        yield from _elements_exactly(mine, theirs)
    yield from _change_inside(sent.get("items", []), back.get("items", []))
    if set(_change_inside(sent.get("keys", []), back.get("keys", []))):
        yield NAMES


def _change_inside(sent: Sequence[Any], back: Sequence[Any]) -> Iterable[str]:
    if len(sent) != len(back):
        yield LENGTH
        return
    for one, another in zip(sent, back, strict=True):
        if isinstance(one, Mapping) and isinstance(another, Mapping):
            yield from _change(one, another)
        elif one != another:
            yield VALUES


def _elements_exactly(mine: Sequence[str | None], theirs: Sequence[str | None]) -> Iterable[str]:
    if list(mine) == list(theirs):
        return
    if [x is None for x in mine] != [x is None for x in theirs]:
        yield MISSING
    if Counter(mine) == Counter(theirs):
        yield ORDER
    elif any(a != b for a, b in zip(mine, theirs, strict=True) if a is not None and b is not None):
        yield VALUES


# --- Words -------------------------------------------------------------------------------------

_WIDEST: Final = 90


def shown(said: Description | None) -> str:
    """Return a description in a few words: ``integer [1, NA, 3]``."""
    if not said:
        return "nothing"
    name = str(said.get("type", "?"))
    if said.get("reference"):
        return f"a reference ({name})"
    if "calls" in said:
        return f"{name} that makes {said['calls']} of 41"
    text = " ".join((name, *_about(said, name), *_inside(said)))
    return text if len(text) <= _WIDEST else f"{text[: _WIDEST - 1]}…"


def _about(said: Description, name: str) -> Iterable[str]:
    if said.get("dtype") and not name.startswith("numpy."):
        yield f"of {said['dtype']}"
    shape = said.get("shape") or ()
    if len(shape) > 1:
        yield "×".join(map(str, shape))
    if said.get("zone"):
        yield f"in {said['zone']}"


def _inside(said: Description) -> Iterable[str]:
    if "values" in said:
        texts = ["NA" if x is None else _quoted(x, said) for x in said["values"]]
        yield texts[0] if _is_single(said) else f"[{', '.join(texts)}]"
        if said.get("names"):
            yield f"named {', '.join(map(str, said['names']))}"
    elif "items" in said:
        inner = [shown(item) for item in said["items"]]
        names = said.get("names") or [key.get("values", ["?"])[0] for key in _keys(said)]
        if not names:
            yield f"[{', '.join(inner)}]"
            return
        pairs = zip(names, inner, strict=False)
        yield f"{{{', '.join(f'{label}: {item}' for label, item in pairs)}}}"


def _keys(said: Description) -> list[Description]:
    return [key for key in said.get("keys", ()) if isinstance(key, Mapping)]


def _is_single(said: Description) -> bool:
    return len(said["values"]) == 1 and "shape" not in said


def _quoted(text: str, said: Description) -> str:
    if KINDS.get(str(said.get("type"))) == "text" or str(said.get("dtype")).startswith("<U"):
        return json.dumps(text, ensure_ascii=False)
    return text

"""What a value is, as plain JSON: the same words for the same thing as ``convert.R`` has for R's.

``docs/reference/cell-protocol.md`` says what a description has.  numpy, pandas, scipy, rpy2 and
pyRserve are looked at where a value is of theirs, and imported by nobody else.
"""

from __future__ import annotations

import datetime as dt
import decimal
import json
import math
import struct
import types

MOST_TEXT = 300
R_NA_LOW_WORD = 1954
"""The lower half of the bits of R's ``NA_real_``, by which R tells it from other NaNs."""
EPOCH = dt.datetime(1970, 1, 1)  # noqa: DTZ001 - times without a zone are compared with it


def text_of(value):
    """Return an element as text that R writes the same way; ``None`` where it is missing."""
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return None
    if type(value).__name__.startswith("NA") and type(value).__module__.startswith("rpy2"):
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return "%d" % value
    if isinstance(value, float):
        return text_of_float(value)
    if isinstance(value, complex):
        parts = [text_of_float(value.real), text_of_float(value.imag)]
        return None if None in parts else ",".join(parts)
    if isinstance(value, bytes):
        return value.hex()
    return str(value)


def text_of_float(value):
    """Return all digits of a number; R's NA, which other languages take for a NaN, is missing."""
    if math.isnan(value):
        low = struct.unpack("<Q", struct.pack("<d", value))[0] & 0xFFFFFFFF
        return None if low == R_NA_LOW_WORD else "NaN"
    if value in (float("inf"), float("-inf")):
        return "Inf" if value > 0 else "-Inf"
    return "%.17g" % value


def microseconds(value):
    """Return the time since 1970 of a datetime; of a naive one, as if it were in UTC."""
    if value.tzinfo is not None:
        value = (value - value.utcoffset()).replace(tzinfo=None)
    passed = value - EPOCH
    return "%d" % ((passed.days * 86400 + passed.seconds) * 1000000 + passed.microseconds)


def name_of_zone(value):
    """Return the name of a datetime's zone, or its distance from UTC; ``None`` without one."""
    zone = value.tzinfo
    if zone is None:
        return None
    if zone is dt.timezone.utc:
        return "UTC"
    if isinstance(zone, dt.timezone):
        return str(zone)[len("UTC") :]
    for attribute in ("key", "zone"):
        if isinstance(getattr(zone, attribute, None), str):
            return getattr(zone, attribute)
    return str(zone)


def seconds(value):
    """Return a timedelta in seconds."""
    return text_of_float(value.total_seconds())


def describe(value, depth=0):
    """Return what a value is, in plain JSON, down to the last element."""
    if depth > DEEPEST:
        return {"type": "deeper", "reference": True}
    for describer in (describe_single, describe_container, describe_time, describe_of_package):
        found = describer(value, depth)
        if found is not None:
            return found
    kind = type(value)
    if isinstance(value, types.GeneratorType):
        return {"type": "generator"}
    if callable(value):
        return describe_function(value, depth)
    found = {"type": "%s.%s" % (kind.__module__, kind.__name__)}
    if found["type"] in OF_R:
        found["reference"] = True
    return found


DEEPEST = 8
PLAIN = {bool: "bool", int: "int", float: "float", complex: "complex", str: "str"}
OF_R = ("builtins.PyCapsule",)
"""What holds a value of R itself, beside what rpy2 has."""


def describe_single(value, _depth):
    """Describe a value without elements."""
    kind = type(value)
    if value is None:
        return {"type": "None"}
    if kind in PLAIN:
        return {"type": PLAIN[kind], "values": [text_of(value)]}
    if kind in (bytes, bytearray):
        return {"type": kind.__name__, "values": ["%02x" % byte for byte in value]}
    if kind is decimal.Decimal:
        return {"type": "Decimal", "values": [str(value)]}
    return None


def describe_container(value, depth):
    """Describe a container of the standard library."""
    kind = type(value)
    if kind in (list, tuple):
        return {"type": kind.__name__, "items": [describe(x, depth + 1) for x in value]}
    if kind in (set, frozenset):
        inner = [describe(x, depth + 1) for x in value]
        return {"type": kind.__name__, "items": sorted(inner, key=json.dumps)}
    if isinstance(value, dict) and kind.__module__ in ("builtins", "collections"):
        return {
            "type": kind.__name__,
            "keys": [describe(key, depth + 1) for key in value],
            "items": [describe(item, depth + 1) for item in value.values()],
        }
    return None


def describe_of_package(value, depth):
    """Describe a value of one of the packages that have a describer."""
    describer = DESCRIBERS.get(type(value).__module__.split(".")[0])
    return None if describer is None else describer(value, depth)


def describe_time(value, _depth):
    """Describe a date, a datetime or a timedelta of the standard library."""
    if type(value) not in (dt.datetime, dt.date, dt.timedelta):
        return None
    if isinstance(value, dt.datetime):
        found = {"type": "datetime", "values": [microseconds(value)]}
        zone = name_of_zone(value)
        return found if zone is None else dict(found, zone=zone)
    if isinstance(value, dt.date):
        return {"type": "date", "values": [value.isoformat()]}
    return {"type": "timedelta", "values": [seconds(value)]}


def describe_numpy(value, depth):
    """Describe a scalar or an array of numpy's; values are in the order of columns."""
    import numpy as np

    if isinstance(value, np.generic):
        if value.dtype.kind == "V":
            return {"type": "numpy." + str(value.dtype), "values": [bytes(value).hex()]}
        texts = texts_of_array(value.reshape(1))
        return {"type": "numpy." + str(value.dtype), "values": texts}
    if not isinstance(value, np.ndarray):
        return None
    flags = value.flags
    order = "C" if flags.c_contiguous else "F" if flags.f_contiguous else "none"
    if flags.c_contiguous and flags.f_contiguous:
        order = "both"
    found = {
        "type": type(value).__name__,
        "dtype": str(value.dtype),
        "shape": list(value.shape),
        "order": order,
    }
    if value.dtype.names:
        return dict(found, fields=list(value.dtype.names), values=[str(x) for x in value.ravel()])
    if value.dtype.kind == "O":
        return dict(found, items=[describe(x, depth + 1) for x in value.ravel(order="F")])
    return dict(found, values=texts_of_array(value))


def texts_of_array(array):
    """Return the elements of an array of numpy's as texts, in the order of columns."""
    import numpy as np

    flat = np.asarray(array).ravel(order="F")
    if flat.dtype.kind == "M":
        whole = flat.astype("datetime64[ns]").astype("int64").tolist()
        gone = np.isnat(flat).tolist()
        return [None if no else in_microseconds(x) for x, no in zip(whole, gone)]
    if flat.dtype.kind == "m":
        whole = flat.astype("timedelta64[us]").astype("int64").tolist()
        gone = np.isnat(flat).tolist()
        return [None if no else text_of_float(x / 1e6) for x, no in zip(whole, gone)]
    if flat.dtype.kind == "V":
        return [bytes(x).hex() for x in flat]
    return [text_of(x) for x in flat.tolist()]


def in_microseconds(nanoseconds):
    """Return nanoseconds as text in microseconds, with a fraction where there is one."""
    sign = "-" if nanoseconds < 0 else ""
    whole, rest = divmod(abs(nanoseconds), 1000)
    return "%s%d%s" % (sign, whole, (".%03d" % rest).rstrip("0") if rest else "")


def describe_pandas(value, depth):
    """Describe what pandas has: missing values, times, columns, tables."""
    import pandas as pd

    if value is pd.NA or value is pd.NaT:
        return {"type": "NA" if value is pd.NA else "NaT", "values": [None]}
    if isinstance(value, pd.Timestamp):
        found = {"type": "Timestamp", "values": [microseconds(value.to_pydatetime(warn=False))]}
        zone = name_of_zone(value)
        return found if zone is None else dict(found, zone=zone)
    if isinstance(value, pd.Timedelta):
        return {"type": "Timedelta", "values": [seconds(value)]}
    if isinstance(value, pd.DataFrame):
        found = {
            "type": "DataFrame",
            "names": [str(name) for name in value.columns],
            "items": [describe_column(value.iloc[:, at], depth) for at in range(value.shape[1])],
            "length": len(value),
        }
        return with_index(found, value.index, "row_names")
    if isinstance(value, pd.Series):
        return with_index(describe_column(value, depth), value.index, "names")
    if isinstance(value, (pd.Index, pd.Categorical)):
        return dict(describe_column(pd.Series(value), depth), type=type(value).__name__)
    return None


def with_index(found, index, key):
    """Add the labels of an index, where they say more than the numbers of the rows."""
    labels = list(index)
    if labels != list(range(len(labels))):
        found[key] = [str(label) for label in labels]
    return found


def describe_column(series, depth):
    """Describe a Series by its elements."""
    import pandas as pd

    dtype = str(series.dtype)
    found = {"type": "Series", "dtype": dtype, "shape": [len(series)]}
    if isinstance(series.dtype, pd.CategoricalDtype):
        found["levels"] = [text_of(level) for level in series.cat.categories.tolist()]
        found["ordered"] = bool(series.cat.ordered)
        found["values"] = [None if missing(x) else text_of(x) for x in series.tolist()]
        return found
    if dtype.startswith(("datetime64", "timedelta64")):
        zone = getattr(series.dtype, "tz", None)
        if zone is not None:
            found["zone"] = str(zone)
            series = series.dt.tz_convert("UTC").dt.tz_localize(None)
        found["values"] = texts_of_array(series.to_numpy())
        return found
    if dtype == "object":
        found["items"] = [describe(x, depth + 1) for x in series.tolist()]
        return found
    values = series.tolist()
    if dtype in ("float64", "float32"):
        found["values"] = texts_of_array(series.to_numpy())
    else:
        found["values"] = [None if missing(x) else text_of(x) for x in values]
    return found


def missing(value):
    """Say whether pandas takes a scalar for a missing one."""
    import pandas as pd

    return (
        value is None
        or value is pd.NA
        or value is pd.NaT
        or (isinstance(value, float) and math.isnan(value))
    )


def describe_scipy(value, _depth):
    """Describe a sparse matrix by what is stored in it."""
    import scipy.sparse

    if not scipy.sparse.issparse(value):
        return None
    whole = value.tocoo()
    texts = texts_of_array(whole.data)
    entries = sorted(zip(whole.row.tolist(), whole.col.tolist(), texts))
    return {
        "type": type(value).__name__,
        "dtype": str(value.dtype),
        "shape": list(value.shape),
        "entries": [list(entry) for entry in entries],
    }


def describe_rpy2(value, depth):
    """Describe what rpy2 has beside what is Python's: references to what R holds."""
    kind = type(value)
    if kind.__name__.startswith("NA") and "na_values" in kind.__module__:
        return {"type": "rpy2." + kind.__name__, "values": [None]}
    if kind.__module__.startswith("rpy2.rlike"):
        # Lists with names: what is in them is Python's.
        pairs = [
            (pair.name, pair.value) if hasattr(pair, "value") else pair for pair in value.items()
        ]
        found = {"type": "rpy2." + kind.__name__}
        found["items"] = [describe(item, depth + 1) for _, item in pairs]
        if any(name is not None for name, _ in pairs):
            found["names"] = [text_of(name) for name, _ in pairs]
        return found
    return {"type": "rpy2." + kind.__name__, "reference": True}


def describe_pyrserve(value, depth):
    """Describe what pyRserve made of a value with attributes: a copy that has them beside it."""
    import numpy as np

    name = "pyRserve." + type(value).__name__
    if isinstance(value, np.ndarray):
        found = dict(describe_numpy(np.asarray(value), depth), type=name)
        names = getattr(value, "keys", None)
        if callable(names):
            found["names"] = [text_of(key) for key in names()]
        attributes = getattr(value, "attr", None)
        if isinstance(attributes, dict):
            found["attributes"] = sorted(str(key) for key in attributes)
        return found
    if name == "pyRserve.TaggedList":
        pairs = value.astuples()
        found = {"type": name, "items": [describe(item, depth + 1) for _, item in pairs]}
        found["names"] = [text_of(key) for key, _ in pairs]
        return found
    return {"type": name}


DESCRIBERS = {
    "pyRserve": describe_pyrserve,
    "numpy": describe_numpy,
    "pandas": describe_pandas,
    "scipy": describe_scipy,
    "rpy2": describe_rpy2,
}


def describe_function(value, depth):
    """Describe a function by what it makes of 41."""
    kind = type(value)
    found = {"type": "function" if kind is types.FunctionType else kind.__name__}
    try:
        made = describe(value(41), depth + 1)
    except Exception as error:
        return dict(found, fails=str(error)[:MOST_TEXT])
    values = made.get("values") or [item.get("values", [None])[0] for item in made.get("items", [])]
    return dict(found, calls=values[0] if values else made["type"])

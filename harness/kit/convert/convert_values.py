"""The typed values of the fixtures: read from their files, and made in Python."""

from __future__ import annotations

import datetime as dt
import decimal
import json
import os

import harness_kit as kit

# --- Fixtures ---------------------------------------------------------------------------------


def read_fixtures(folder):
    """Return the fixtures of every file of ``folder`` by name, in order.

    The files are YAML whose entries are written in its JSON form, so that each language reads
    them without a package: an entry begins with ``- {`` in the first column.
    """
    found = {}
    for file in sorted(os.listdir(folder)):
        if file.endswith(".yaml"):
            with open(os.path.join(folder, file), encoding="utf-8") as stream:
                for text in blocks(stream.read()):
                    fixture = json.loads(text)
                    found[fixture["name"]] = fixture
    return found


def blocks(text):
    """Return the JSON text of each entry."""
    lines = [line for line in text.splitlines() if line.strip() and line.lstrip()[0] != "#"]
    begins = [at for at, line in enumerate(lines) if line.startswith("- ")]
    ends = [*begins[1:], len(lines)]
    return ["\n".join(lines[begin:end])[2:] for begin, end in zip(begins, ends)]


FIXTURES = {}


def fixture(name):
    """Return one fixture."""
    if not FIXTURES:
        FIXTURES.update(read_fixtures(os.environ["HARNESS_FILES_OF_CONVERT"]))
    return FIXTURES[name]


# --- Values -----------------------------------------------------------------------------------


def build(tree):
    """Return the value that a typed tree stands for."""
    return BUILDERS[tree["type"]](tree)


def number(value):
    """Return a float of a JSON number, a hexadecimal text, ``NaN``, ``Inf`` or ``-Inf``."""
    if isinstance(value, str):
        return float.fromhex(value) if "0x" in value else float(value)
    return float(value)


def items(tree):
    """Return the values of the elements of a container."""
    return [build(item) for item in tree["items"]]


def moment(tree):
    """Return a datetime, with a zone where the tree names one."""
    value = dt.datetime.strptime(tree["value"], "%Y-%m-%dT%H:%M:%S.%f")  # noqa: DTZ007 - below
    zone = tree.get("zone")
    return value if zone is None else value.replace(tzinfo=zone_of(zone))


def zone_of(name):
    """Return a zone by its name or by its distance from UTC: ``+05:30``."""
    if name == "UTC":
        return dt.timezone.utc
    if name[0] in "+-":
        hours, minutes = name[1:].split(":")
        distance = dt.timedelta(hours=int(hours), minutes=int(minutes))
        return dt.timezone(-distance if name[0] == "-" else distance)
    try:
        import zoneinfo
    except ImportError:
        raise kit.Unavailable("this Python has no zoneinfo") from None
    return zoneinfo.ZoneInfo(name)


def package(name):
    """Return a package that not every environment has."""
    try:
        return __import__(name, fromlist=["x"])
    except ImportError as error:
        raise kit.Unavailable("%s cannot be imported here: %s" % (name, error)) from None


def element(dtype, value):
    """Return an element of an array as numpy takes it; ``None`` is a missing one."""
    if value is None or dtype.startswith(("str", "object", "<U", "category", "datetime", "time")):
        return value
    if dtype.lower().startswith("bool"):
        return bool(value)
    if dtype.lower().startswith(("int", "uint")):
        return int(value)
    if dtype.startswith("complex"):
        return complex(*map(number, value))
    return number(value)


def array(tree):
    """Return an array of numpy's; the values of the tree are in the order of columns."""
    np = package("numpy")
    values = [element(tree["dtype"], value) for value in tree["values"]]
    flat = np.empty(len(values), dtype=tree["dtype"])
    for at, value in enumerate(values):
        flat[at] = value
    shaped = flat.reshape(tree["shape"], order="F")
    return np.array(shaped, order=tree.get("order", "C"))


def column(tree):
    """Return a Series of pandas'."""
    pd = package("pandas")
    dtype = tree["dtype"]
    values = [element(dtype, value) for value in tree["values"]]
    if dtype == "category":
        levels = pd.CategoricalDtype(tree["levels"], ordered=tree.get("ordered", False))
        return pd.Series(pd.Categorical(values, dtype=levels))
    if dtype.startswith("datetime64"):
        zone = dtype[len("datetime64[ns") :].strip(", ]")
        series = pd.Series(pd.to_datetime(values))
        if zone:
            series = series.dt.tz_localize("UTC").dt.tz_convert(zone)
        return series.astype(dtype)
    if dtype.startswith("timedelta64"):
        return pd.Series(pd.to_timedelta(values, unit="s"))
    return pd.Series(values, dtype=dtype)


def frame(tree):
    """Return a DataFrame of pandas'."""
    pd = package("pandas")
    made = pd.DataFrame({name: column(one) for name, one in zip(tree["names"], tree["items"])})
    if "row_names" in tree:
        made.index = pd.Index(tree["row_names"])
    return made


def sparse(tree):
    """Return a sparse matrix of scipy's, in the form that the tree names."""
    scipy = package("scipy.sparse")
    np = package("numpy")
    rows, columns, values = zip(*tree["entries"])
    data = np.array(values, dtype=tree.get("dtype", "float64"))
    made = scipy.coo_matrix((data, (rows, columns)), shape=tuple(tree["shape"]))
    return made if tree["type"] == "coo_matrix" else made.asformat(tree["type"][:3])


def scalar_of_numpy(tree):
    """Return a scalar of numpy's."""
    np = package("numpy")
    if tree["dtype"].startswith(("datetime64", "timedelta64")):
        return np.array([tree["value"]], dtype=tree["dtype"])[0]
    return np.dtype(tree["dtype"]).type(element(tree["dtype"], tree["value"]))


def generator(tree):
    """Return a generator."""
    return (value for value in tree["values"])


BUILDERS = {
    "None": lambda _tree: None,
    "bool": lambda tree: tree["value"],
    "int": lambda tree: int(tree["value"]),
    "float": lambda tree: number(tree["value"]),
    "complex": lambda tree: complex(*map(number, tree["value"])),
    "str": lambda tree: tree["value"],
    "bytes": lambda tree: bytes.fromhex(tree["value"]),
    "bytearray": lambda tree: bytearray.fromhex(tree["value"]),
    "list": items,
    "tuple": lambda tree: tuple(items(tree)),
    "set": lambda tree: set(items(tree)),
    "frozenset": lambda tree: frozenset(items(tree)),
    "dict": lambda tree: dict(zip([build(key) for key in tree["keys"]], items(tree))),
    "date": lambda tree: dt.date(*map(int, tree["value"].split("-"))),
    "datetime": moment,
    "timedelta": lambda tree: dt.timedelta(microseconds=round(tree["value"] * 1e6)),
    "Decimal": lambda tree: decimal.Decimal(tree["value"]),
    "numpy": scalar_of_numpy,
    "ndarray": array,
    "Series": column,
    "DataFrame": frame,
    "csc_matrix": sparse,
    "csr_matrix": sparse,
    "coo_matrix": sparse,
    "generator": generator,
    "function": lambda tree: eval(tree["code"], {}),  # noqa: S307 - a fixture's own text
}

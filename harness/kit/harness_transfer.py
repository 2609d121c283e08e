"""The probe ``transfer``: values by the million between R and Python, timed and hashed.

Runs on Python 3.7 to 3.14; numpy and pandas are what the values are made of, and a cell without
them cannot carry those kinds.  The same things for R are in ``transfer.R``, and the values are
described in ``docs/reference/cell-protocol.md``.
"""

from __future__ import annotations

import hashlib
import importlib.util
import time
from typing import Any, Callable, Dict, List, Optional, Sequence

import harness_kit as kit

KINDS = ("doubles", "integers", "strings", "frame")
SIZES = {"1": 1, "1e3": 10**3, "1e4": 10**4, "1e5": 10**5, "1e6": 10**6, "1e7": 10**7}
LARGEST = {"doubles": 10**7, "integers": 10**7, "strings": 10**6, "frame": 10**6}
"""Values, or rows of a data frame, of which there is memory for on any machine."""
BYTES = {"doubles": 8, "integers": 4, "strings": 8, "frame": 20}
"""Bytes of a value, or of a row."""

STEADY_S, LONGEST_S, MOST = 0.1, 4.0, 1000
"""How long a stage lasts, how long the next larger size may take, and repetitions at most."""
TELLING, SHOWING = 10**4, 10**6
"""From these sizes on the time grows with the number of values, and the memory shows."""

NUMBERS = ("doubles", "integers")
NEEDS = {"doubles": "numpy", "integers": "numpy", "strings": None, "frame": "pandas"}


# --- Values -----------------------------------------------------------------------------------


def why_not(kind: str) -> Optional[str]:
    """Return why values of a kind cannot be had in this environment, or ``None``."""
    module = NEEDS[kind]
    if module is None or importlib.util.find_spec(module) is not None:
        return None
    return "the cell's Python has no " + module


def make_values(kind: str, n: int) -> Any:
    """Return the values as numpy, pandas or a list has them."""
    if kind == "strings":
        return ["v%07d" % i for i in range(n)]
    import numpy as np

    i = np.arange(n, dtype=np.int64)
    doubles, integers = (i * 7919) % 10007 / 8.0, ((i * 7919) % 1000003 - 500000).astype("<i4")
    if kind == "doubles":
        return doubles
    if kind == "integers":
        return integers
    import pandas as pd

    return pd.DataFrame({"x": doubles, "i": integers, "s": make_values("strings", n)})


def hash_values(kind: str, values: Any) -> str:
    """Return the MD5 of values, as ``hash_values`` of R makes it."""
    if kind == "frame":
        parts = (("doubles", "x"), ("integers", "i"), ("strings", "s"))
        text = " ".join(hash_values(part, values[name]) for part, name in parts)
        return hashlib.md5(text.encode("ascii")).hexdigest()
    if kind == "strings":
        return hashlib.md5("\n".join(values).encode("utf-8")).hexdigest()
    import numpy as np

    dtype = "<f8" if kind == "doubles" else "<i4"
    return hashlib.md5(np.ascontiguousarray(values, dtype=dtype)).hexdigest()


# --- What Python keeps, where R is the host ---------------------------------------------------

_held = {}  # type: Dict[str, Any]


def hold(kind: str, values: Any) -> None:
    """Keep values, however the bridge brings them."""
    _held[kind] = as_values(kind, values)


def as_values(kind: str, values: Any) -> Any:
    """Return what a bridge brought as an array, a list of texts, or a data frame."""
    if kind == "strings":
        return [values] if isinstance(values, str) else list(values)
    if kind == "frame":
        if not isinstance(values, dict):
            return values
        import pandas as pd

        columns = zip(("x", "i", "s"), ("doubles", "integers", "strings"))
        return pd.DataFrame({name: as_values(part, values[name]) for name, part in columns})
    import numpy as np

    return np.atleast_1d(np.asarray(values, dtype="<f8" if kind == "doubles" else "<i4"))


def give(kind: str) -> Any:
    """Return what was kept."""
    return _held[kind]


def give_plainly(kind: str) -> Any:
    """Return what was kept as lists, and a data frame as columns by name."""
    values = _held[kind]
    if kind == "frame":
        return {name: values[name].tolist() for name in ("x", "i", "s")}
    return values if kind == "strings" else values.tolist()


def held_hash(kind: str) -> str:
    """Return the MD5 of what was kept."""
    return hash_values(kind, _held[kind])


def address(kind: str) -> Optional[str]:
    """Return where in memory the numbers lie that were kept, in hexadecimal."""
    return address_of(_held[kind])


def address_of(values: Any) -> Optional[str]:
    """Return where in memory an array's numbers lie; ``None`` for what is no array."""
    if not hasattr(values, "__array_interface__"):
        return None
    return hex(values.__array_interface__["data"][0])


# --- Memory -----------------------------------------------------------------------------------


def own_mb(field: str) -> Optional[float]:
    """Return a field of this process's status in MB."""
    try:
        with open("/proc/self/status", encoding="ascii", errors="replace") as file:
            for line in file:
                if line.startswith(field + ":"):
                    return int(line.split()[1]) / 1024
    except (OSError, ValueError, IndexError):
        return None
    return None


def mark_memory() -> Optional[float]:
    """Have the kernel forget the peak of this process's memory; return what is resident in MB."""
    try:
        with open("/proc/self/clear_refs", "w", encoding="ascii") as file:
            file.write("5")
    except OSError:
        return None
    return own_mb("VmRSS")


def grown_mb(mark: Optional[float]) -> Optional[float]:
    """Return how far the peak rose above ``mark``."""
    peak = own_mb("VmHWM")
    return None if mark is None or peak is None else round(max(peak - mark, 0.0), 1)


# --- Where Python is the host -----------------------------------------------------------------


def copied(kind: str, values: Any) -> Any:
    """Return a copy: of an array, of the list that texts are in, of a data frame."""
    return list(values) if kind == "strings" else values.copy()


class Crossing:
    """What a path must be able to do; this one crosses nothing, as on ``native``.

    It copies the values once in memory each way: what crosses between two languages for no more
    than that crosses as fast as can be, and what takes less was not copied.
    """

    def __init__(self) -> None:
        self.made = self.returned = None  # type: Any

    def why_not(self, kind: str) -> Optional[str]:
        """Return why the path cannot carry a kind, or ``None``."""
        return why_not(kind)

    def make(self, kind: str, n: int) -> str:
        """Make values on R's side, keep them there, and return their hash."""
        self.made = make_values(kind, n)
        return hash_values(kind, self.made)

    def to_python(self, kind: str) -> Any:
        """Return what was made as Python has it."""
        return copied(kind, self.made)

    def to_r(self, kind: str, values: Any) -> None:
        """Hand values to R, which keeps them."""
        self.returned = copied(kind, values)

    def hash_of_returned(self, kind: str) -> str:
        """Return the MD5 of what R was handed."""
        return hash_values(kind, self.returned)

    def lies_at(self, name: str, place: str) -> Optional[bool]:
        """Say whether what was ``made`` or ``returned`` has its numbers at an address.

        ``None`` where R is another process, with which no memory can be shared.
        """
        return address_of(getattr(self, name)) == place

    def mark(self) -> Optional[float]:
        """Do as :func:`mark_memory` in the process of R, where that is another."""
        return None

    def grown(self, mark: Optional[float]) -> Optional[float]:  # noqa: ARG002
        """Do as :func:`grown_mb` there."""
        return None


def transfer_probe(path: Crossing) -> Dict[str, Any]:
    """Do the probe where Python is the host; return its details."""
    kit.phase("convert")
    kinds = {kind: _of_kind(path, kind) for kind in KINDS}
    if not any("sizes" in seen for seen in kinds.values()):
        raise kit.Unsupported(kinds[KINDS[0]]["unsupported"])
    return {"kinds": kinds}


def _of_kind(path: Crossing, kind: str) -> Dict[str, Any]:
    reason = path.why_not(kind)
    if reason is not None:
        return {"unsupported": reason}
    sizes: List[Dict[str, Any]] = []
    ended: Optional[str] = None
    for label, n in SIZES.items():
        if n > LARGEST[kind]:
            break
        seen = kit.attempt("transfer", lambda label=label: _next(path, kind, label, sizes))  # type: ignore[misc]
        if seen["status"] == "unsupported":
            if not sizes:
                return {"unsupported": seen["message"]}
            ended = seen["message"]
            break
        if seen["status"] != "pass":
            return {"sizes": sizes, "error": seen["message"]}
        sizes.append(seen["details"])
    return {"sizes": sizes, "ended": ended}


def _next(path: Crossing, kind: str, label: str, sizes: Sequence[Dict[str, Any]]) -> Dict[str, Any]:
    """Do the size that comes after ``sizes``, where it does not take too long by those."""
    n = SIZES[label]
    if sizes and n > TELLING:
        last = sizes[-1]["n"]
        slowest = sizes[-1]["slowest_s"]
        seconds = _seconds_for(n, sizes[0]["slowest_s"], slowest, last)
        if seconds > LONGEST_S:
            # Something else may have had the machine: one measurement is not to decide.
            slowest = min(slowest, _again(path, kind, last))
            seconds = _seconds_for(n, sizes[0]["slowest_s"], slowest, last)
        if seconds > LONGEST_S:
            raise kit.Unsupported("%s would take about %.0f s a crossing" % (label, seconds))
    return _of_size(path, kind, label)


def _seconds_for(n: int, one: float, slowest: float, last: int) -> float:
    """Return what ``n`` values would take, by what one took and ``last`` did."""
    # What one value takes does not grow.
    one = min(one, slowest)
    return one + (slowest - one) * n / last


def _again(path: Crossing, kind: str, n: int) -> float:
    """Measure the slower crossing of ``n`` values once more; nothing is said of it."""
    path.make(kind, n)
    began = time.perf_counter()
    values = path.to_python(kind)
    there = time.perf_counter()
    path.to_r(kind, values)
    return max(there - began, time.perf_counter() - there)


def _of_size(path: Crossing, kind: str, label: str) -> Dict[str, Any]:
    n = SIZES[label]
    made = path.make(kind, n)
    there = _cross(path, kind, "to_python", label, lambda: path.to_python(kind))
    values = there["value"]
    shared_there = _is_shared(path, kind, "made", values)
    back = _cross(path, kind, "to_r", label, lambda: path.to_r(kind, values))
    arrived, returned = hash_values(kind, values), path.hash_of_returned(kind)
    return {
        "n": n,
        "bytes": n * BYTES[kind],
        "made": made,
        "arrived": arrived,
        "returned": returned,
        "shared": {
            "to_python": shared_there,
            "to_r": _is_shared(path, kind, "returned", values),
        },
        "grown_mb": {"to_python": there["grown"], "to_r": back["grown"]},
        "slowest_s": max(there["wall"], back["wall"]),
    }


def _cross(
    path: Crossing, kind: str, direction: str, label: str, work: Callable[[], Any]
) -> Dict[str, Any]:
    """Time a crossing as a stage.

    The first is looked at for its memory, and is the measurement itself where it takes long;
    else it is repeated.
    """
    shows = SIZES[label] >= SHOWING
    mark, other = (mark_memory(), path.mark()) if shows else (None, None)
    wall, cpu = time.perf_counter(), kit.cpu_now()
    value = work()
    wall, cpu = time.perf_counter() - wall, kit.cpu_now() - cpu
    # By role: the host is Python here, and the other process R.
    grown = {"host": grown_mb(mark), "r": path.grown(other)} if shows else None
    name = "%s_%s_%s" % (kind, direction, label)
    count = max(1, min(MOST, int(STEADY_S / max(wall, 1e-6))))
    if count == 1:
        kit.say("stage", probe="transfer", name=name, wall_s=wall, cpu_s=cpu, n=1)
    else:
        with kit.Stage("transfer", name, count):
            for _ in range(count):
                work()
    return {"value": value, "wall": wall, "grown": grown}


def _is_shared(path: Crossing, kind: str, name: str, values: Any) -> Optional[bool]:
    """Say whether what R has lies in the same memory as Python's ``values``."""
    place = address_of(values) if kind in NUMBERS else None
    return None if place is None else path.lies_at(name, place)

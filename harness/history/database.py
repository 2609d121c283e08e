"""The database: one file of SQLite.

SQLite and not a database for analysis, because a year of nights of a hundred cells is some
millions of rows that are read by their series, which its index serves in milliseconds, and
because the standard library has it.
"""

from __future__ import annotations

import hashlib
import math
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any, Final, Self

import msgspec

from harness.errors import FileFault, MachineFault
from harness.history.model import Key, Reading, Series
from harness.model.document import Machine, Results, canonical
from harness.model.record import CellRecord
from harness.model.status import Status

FORMAT: Final = 1
"""Counts up where an older harness could not read what a newer one wrote."""
_PATIENCE_S: Final = 30.0
_KEY: Final = ("cell", "probe", "variant", "stage", "metric", "version", "machine", "lock")
_TABLES: Final = """
CREATE TABLE IF NOT EXISTS machines (digest TEXT PRIMARY KEY, description TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS series (
    id INTEGER PRIMARY KEY,
    cell TEXT NOT NULL, probe TEXT NOT NULL, variant TEXT NOT NULL, stage TEXT NOT NULL,
    metric TEXT NOT NULL, version INTEGER NOT NULL, machine TEXT NOT NULL, lock TEXT NOT NULL,
    UNIQUE (cell, probe, variant, stage, metric, version, machine, lock)
);
CREATE TABLE IF NOT EXISTS readings (
    series INTEGER NOT NULL REFERENCES series (id), at TEXT NOT NULL, value REAL NOT NULL,
    PRIMARY KEY (series, at)
) WITHOUT ROWID;
"""


class Database:
    """The readings of all results that were added; to be used in a ``with`` statement.

    Raises
    ------
    FileFault
        The file is no such database, or was written by a newer harness.
    MachineFault
        The file cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._connection: sqlite3.Connection | None = None

    def __enter__(self) -> Self:
        """Open the file, and make it where it is not there."""
        try:
            self._begin()
        except BaseException:
            # Whoever is not let in does not close the door.
            self.__exit__()
            raise
        return self

    def _begin(self) -> None:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(self.path, timeout=_PATIENCE_S)
            (version,) = self._connection.execute("PRAGMA user_version").fetchone()
        except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
            raise self._fault(error) from None
        except OSError as error:
            raise MachineFault(f"{self.path}: cannot be written ({error.strerror})") from None
        if version > FORMAT:
            raise FileFault(
                str(self.path),
                f"written in version {version} of the format, and this harness knows up to "
                f"{FORMAT}: update the harness",
            )
        with self._faults():
            # What a schema computes is computed here: it may be a stranger's.
            self._connection.execute("PRAGMA trusted_schema = OFF")
            strange = _strangest(self._connection)
        if strange is not None:
            raise FileFault(
                str(self.path),
                f"has the {strange}, which no history has; name another file, which is then made",
            )
        with self._faults():
            self._connection.executescript(_TABLES)
            self._connection.execute(f"PRAGMA user_version = {FORMAT}")

    def __exit__(self, *_: object) -> None:
        """Close the file."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def add(self, results: Results) -> int:
        """Add the readings of a document; return how many were not there yet.

        A cell is known by when it started, so that to add the same results twice changes
        nothing.  What did not pass is no reading.
        """
        connection = self._open
        inserted = 0
        machines: dict[str, str] = {}
        with self._faults(), connection:
            for record in results.cells:
                machine = results.machine_of(record.id)
                digest = machine_digest(machine)
                machines[digest] = msgspec.json.encode(machine).decode()
                for key, value in _readings(record, digest):
                    inserted += self._insert(key, record.started_at, value)
            connection.executemany("INSERT OR IGNORE INTO machines VALUES (?, ?)", machines.items())
        return inserted

    def series(self) -> Iterator[Series]:
        """Yield every series, ordered by its key.

        Raises
        ------
        FileFault
            It holds what no harness writes: a reading that is no number above 0, a name that is
            no text.
        """
        columns = ", ".join(_KEY)
        with self._faults(), closing(self._open.cursor()) as cursor:
            rows = cursor.execute(
                f"SELECT {columns}, at, value FROM readings JOIN series ON series = id"  # noqa: S608
                f" ORDER BY {columns}, at"
            )
            width = len(_KEY)
            for values, group in groupby(rows, key=itemgetter(*range(width))):
                key = self._key(values)
                yield Series(key=key, readings=tuple(self._reading(key, row) for row in group))

    def _key(self, values: tuple[Any, ...]) -> Key:
        named = dict(zip(_KEY, values, strict=True))
        for name, value in named.items():
            if not isinstance(value, int if name == "version" else str):
                raise self._strange(f"a series whose {name} is {_shown(value)}")
        return Key(**named)

    def _reading(self, key: Key, row: tuple[Any, ...]) -> Reading:
        at, value = row[len(_KEY) :]
        if not isinstance(at, str):
            raise self._strange(f"a reading of {key.cell[:100]!r} whose time is {_shown(at)}")
        # Steps are ratios: what is nothing, or without end, has none.
        if not isinstance(value, int | float) or not 0 < value < math.inf:
            raise self._strange(f"{_shown(value)} for {key.metric} of {key.cell[:100]!r}")
        return Reading(at=at, value=value)

    def _strange(self, what: str) -> FileFault:
        return FileFault(
            str(self.path),
            f"has {what}, which no harness writes; name another file, which is then made",
        )

    def _insert(self, key: Key, at: str, value: float) -> int:
        """Add a reading; return 1, or 0 where it is there."""
        names, values = ", ".join(_KEY), tuple(getattr(key, name) for name in _KEY)
        marks = ", ".join("?" for _ in _KEY)
        same = " AND ".join(f"{name} = ?" for name in _KEY)
        connection = self._open
        find = f"SELECT id FROM series WHERE {same}"  # noqa: S608 - names of this file alone
        row = connection.execute(find, values).fetchone()
        if row is None:
            add = f"INSERT INTO series ({names}) VALUES ({marks})"  # noqa: S608
            connection.execute(add, values)
            row = connection.execute(find, values).fetchone()
        insert = "INSERT OR IGNORE INTO readings VALUES (?, ?, ?)"
        return connection.execute(insert, (row[0], at, value)).rowcount

    @property
    def _open(self) -> sqlite3.Connection:
        assert self._connection is not None, "a database is used inside `with`"
        return self._connection

    def _faults(self) -> _Faults:
        return _Faults(self)

    def _fault(self, error: sqlite3.Error | UnicodeDecodeError) -> FileFault | MachineFault:
        said = " ".join(str(error).split())
        if isinstance(error, UnicodeDecodeError) or "malformed" in said or "UTF-8" in said:
            # SQLite tells of a damaged table in the words that it found there.
            return FileFault(str(self.path), "is damaged; name another file, which is then made")
        if "not a database" in said:
            return FileFault(
                str(self.path),
                "this is no database of a history; name another file, which is then made",
            )
        return MachineFault(f"{self.path}: {said}")


class _Faults:
    """Makes a sentence of what SQLite raises."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, (sqlite3.DatabaseError, UnicodeDecodeError)):
            raise self._database._fault(error) from None  # noqa: SLF001 - of the same file


def _strangest(connection: sqlite3.Connection) -> str | None:
    """Return the first thing in the schema of a file that no history has; none is looked into."""
    query = "SELECT type, name, tbl_name, sql FROM sqlite_master"
    with closing(sqlite3.connect(":memory:")) as model:
        model.executescript(_TABLES)
        ours = set(model.execute(query))
    seen = set()
    for row in connection.execute(query):
        if row not in ours or row in seen:
            kind, name = row[:2]
            return f"{str(kind)[:20]} {_shown(name)}"
        seen.add(row)
    return None


def _shown(value: object) -> str:
    return repr(value)[:100]


def machine_digest(machine: Machine) -> str:
    """Return what stands for a machine: any difference makes another."""
    return hashlib.blake2b(canonical(machine), digest_size=8).hexdigest()


def lock_digest(record: CellRecord) -> str:
    """Return what stands for all that a cell ran with: Python packages, R, bridge."""
    r, bridge = (record.identity.get(part) for part in ("r", "bridge"))
    seen = (record.lock, _version(r), _version(bridge))
    return hashlib.blake2b(canonical(seen), digest_size=8).hexdigest()


def _version(part: Any) -> str | None:
    return str(part["version"]) if isinstance(part, dict) and "version" in part else None


def _readings(record: CellRecord, machine: str) -> Iterator[tuple[Key, float]]:
    if not record.started_at:
        return
    memory = Key(cell=record.id, metric="max_rss_mb", machine=machine, lock=lock_digest(record))
    if record.status is Status.PASS and record.max_rss_mb > 0:
        yield memory, record.max_rss_mb
    for probe in record.probes:
        if probe.status is not Status.PASS:
            continue
        variant = " ".join(filter(None, (probe.variant, "cold" if probe.cold else None)))
        for stage in probe.stages:
            for metric, value in (("wall_s", stage.wall_s), ("cpu_s", stage.cpu_s)):
                # What a clock with coarse ticks read as nothing has no ratio to anything.
                # A time of a stranger's may be so small that its share is nothing.
                if value is not None and value / max(stage.n, 1) > 0:
                    key = msgspec.structs.replace(
                        memory,
                        probe=probe.name,
                        variant=variant,
                        stage=stage.name,
                        metric=metric,
                        version=probe.version,
                    )
                    yield key, value / max(stage.n, 1)

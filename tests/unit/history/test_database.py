from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from harness.cli import run
from harness.errors import FileFault, MachineFault
from harness.history.database import _TABLES, FORMAT, Database
from harness.model.document import Machine, Results, encode
from harness.model.record import CellRecord, ProbeRecord, Stage
from harness.model.status import Status

CELL = "reticulate-1.41__r4.5.0__py3.11__cpu"
STAGES = (Stage(name="noop", wall_s=0.5, cpu_s=0.4, n=1000), Stage(name="echo", wall_s=0.2, n=10))


def call(**changes: object) -> ProbeRecord:
    record = ProbeRecord(name="call", status=Status.PASS, version=2, stages=STAGES)
    return msgspec.structs.replace(record, **changes)


def night(
    number: int,
    *,
    probe: ProbeRecord | None = None,
    machine: Machine | None = None,
    **changes: object,
) -> Results:
    """The results of one night, with one cell."""
    record = CellRecord(
        id=CELL,
        axes={"path": "reticulate"},
        status=Status.PASS,
        max_rss_mb=100.0 + number,
        identity={"r": {"version": "4.5.0"}, "bridge": {"name": "reticulate", "version": "1.41"}},
        probes=(probe or call(),),
        lock="abc",
        started_at=f"2026-11-{number:02}T02:00:00+00:00",
    )
    record = msgspec.structs.replace(record, **changes)
    return Results(
        matrix="latency",
        machine=machine or Machine(cpu="A", cores=2),
        planned=(CELL,),
        cells=(record,),
    )


def keys(path: Path) -> set[tuple[str, str]]:
    with Database(path) as database:
        return {(one.key.stage, one.key.metric) for one in database.series()}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "nights" / "history.sqlite"


def test_a_series_is_in_the_order_of_time_in_seconds_a_repetition(path):
    with Database(path) as database:
        for number in (3, 1, 2):
            probe = call(stages=(Stage(name="noop", wall_s=number, n=10),))
            assert database.add(night(number, probe=probe)) == 2
    with Database(path) as database:
        memory, noop = database.series()
    assert (memory.key.metric, memory.key.probe) == ("max_rss_mb", "")
    assert [reading.value for reading in memory.readings] == [101.0, 102.0, 103.0]
    assert (noop.key.stage, noop.key.metric, noop.key.version) == ("noop", "wall_s", 2)
    assert [reading.value for reading in noop.readings] == [0.1, 0.2, 0.3]


def test_what_is_there_is_not_added_again(path):
    with Database(path) as database:
        assert database.add(night(1)) == 4
        assert database.add(night(1)) == 0
        assert database.add(night(2)) == 4


@pytest.mark.parametrize(
    "other",
    [
        night(2, machine=Machine(cpu="B", cores=2)),
        night(2, machine=Machine(cpu="A", cores=4)),
        night(2, lock="def"),
        night(2, identity={"r": {"version": "4.5.1"}, "bridge": {"version": "1.41"}}),
        night(2, identity={"r": {"version": "4.5.0"}, "bridge": {"version": "1.42"}}),
        night(2, probe=call(version=3)),
        night(2, probe=call(variant="torch")),
        night(2, probe=call(cold=True)),
    ],
    ids=["processor", "cores", "lock", "r", "bridge", "probe", "variant", "cold"],
)
def test_nothing_is_compared_that_is_not_the_same(path, other):
    with Database(path) as database:
        database.add(night(1))
        database.add(other)
        noop = [
            one
            for one in database.series()
            if (one.key.stage, one.key.metric) == ("noop", "wall_s")
        ]
    assert [len(one.readings) for one in noop] == [1, 1]


def test_cells_of_another_machine_in_one_document(path):
    from harness.model.document import Elsewhere

    away = (Elsewhere(machine=Machine(cpu="B"), cells=(CELL,)),)
    with Database(path) as database:
        database.add(night(1))
        database.add(msgspec.structs.replace(night(2), elsewhere=away))
        assert {len(one.readings) for one in database.series()} == {1}


def test_what_did_not_pass_is_no_reading(path):
    failed = night(1, probe=call(status=Status.FAIL), status=Status.FAIL)
    never_ran = night(2, started_at="", status=Status.MISSING)
    with Database(path) as database:
        assert database.add(failed) == database.add(never_ran) == 0


def test_a_clock_that_read_nothing_is_no_reading(path):
    stages = (Stage(name="noop", wall_s=0.0), Stage(name="echo", wall_s=0.1, cpu_s=0.0))
    with Database(path) as database:
        database.add(night(1, probe=call(stages=stages)))
    assert keys(path) == {("", "max_rss_mb"), ("echo", "wall_s")}


def test_a_file_that_is_no_database(path):
    path.parent.mkdir()
    path.write_text("no database " * 100)
    with pytest.raises(FileFault, match="no database of a history"), Database(path):
        pass


@pytest.mark.parametrize("written", [b"CREATE \x81ABLE", b"CREATE TABL\n"])
def test_a_database_whose_tables_are_damaged(path, written):
    """SQLite then quotes what it found, which may be no text."""
    assert keys(path) == set()
    path.write_bytes(path.read_bytes().replace(b"CREATE TABLE", written, 1))
    with pytest.raises(FileFault, match="is damaged; name another file"), Database(path):
        pass


def test_a_database_of_a_newer_harness(path):
    path.parent.mkdir()
    with sqlite3.connect(path) as connection:
        connection.execute(f"PRAGMA user_version = {FORMAT + 1}")
    connection.close()
    with pytest.raises(FileFault, match="update the harness"), Database(path):
        pass


ENDLESS = (
    "WITH RECURSIVE r(x) AS (VALUES (1) UNION ALL SELECT x + 1 FROM r)"
    " SELECT 1 AS series, x AS at, 1.0 AS value FROM r"
)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (f"DROP TABLE readings; CREATE VIEW readings AS {ENDLESS}", "the view 'readings'"),
        (
            "CREATE TRIGGER more AFTER INSERT ON machines BEGIN DELETE FROM series; END",
            "the trigger 'more'",
        ),
        ("DROP TABLE readings; CREATE TABLE readings (series, at, value)", "the table 'readings'"),
        ("CREATE VIRTUAL TABLE more USING fts5 (text)", "the table 'more'"),
        ("CREATE INDEX more ON readings (value)", "the index 'more'"),
    ],
)
def test_a_schema_that_no_harness_made(path, changed, said):
    with Database(path) as database:
        database.add(night(1))
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(changed)
    with pytest.raises(FileFault, match=f"has {said}, which no history has"), Database(path):
        pass


def test_the_database_of_something_else(tmp_path):
    with closing(sqlite3.connect(tmp_path / "mail.sqlite")) as connection:
        connection.execute("CREATE TABLE mail (text)")
    with pytest.raises(FileFault, match="has the table 'mail'"), Database(tmp_path / "mail.sqlite"):
        pass


def test_tables_of_which_a_kill_left_some_are_made_whole(path):
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(_TABLES.split(";")[0])
    with Database(path) as database:
        assert database.add(night(1)) == 4


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ("UPDATE readings SET value = 0.0", "has 0.0 for "),
        ("UPDATE readings SET value = -1.0", "has -1.0 for "),
        ("UPDATE readings SET value = 9e999", "has inf for "),
        ("UPDATE readings SET value = 'x'", "has 'x' for "),
        ("UPDATE OR REPLACE readings SET at = x'00'", "whose time is b'.x00'"),
        ("UPDATE series SET cell = x'00'", "a series whose cell is b'.x00'"),
        ("UPDATE series SET version = 'x'", "a series whose version is 'x'"),
        ("UPDATE series SET cell = CAST(x'ff' AS TEXT)", "is damaged"),
    ],
)
def test_values_that_no_harness_wrote(path, changed, said, capsys):
    with Database(path) as database:
        database.add(night(1, probe=call(stages=())))
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(changed)
    with Database(path) as database, pytest.raises(FileFault, match=said):
        list(database.series())
    assert run(["history", str(path)]) == 2
    assert said.replace(".x", "\\x") in capsys.readouterr().err


def test_a_time_so_small_that_its_share_is_nothing_is_no_reading(path):
    with Database(path) as database:
        stages = (Stage(name="noop", wall_s=5e-324, n=1000),)
        assert database.add(night(1, probe=call(stages=stages))) == 1


def test_a_place_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(MachineFault, match="cannot be written"), Database(tmp_path / "file" / "x"):
        pass


# --- The verb ---------------------------------------------------------------------------------


def write(folder: Path, results: Results) -> str:
    folder.mkdir()
    (folder / "results.json").write_bytes(encode(results))
    return str(folder)


def test_the_verb_adds_and_tells_of_a_step(tmp_path, capsys):
    folders = []
    for number in range(1, 25):
        # The noise of a clock, so small that it matters to nobody.
        seconds = (1.0 if number <= 14 else 1.5) + 0.001 * (number % 3)
        probe = call(stages=(Stage(name="noop", wall_s=seconds),))
        folders.append(write(tmp_path / str(number), night(number, probe=probe, max_rss_mb=100.0)))
    file = str(tmp_path / "history.sqlite")
    assert run(["history", file, *folders]) == 0
    first, step = capsys.readouterr().out.splitlines()
    assert first == "48 readings added: 48 in 2 series, 2 of them long enough to have a step"
    assert step.startswith(f"2026-11-15  +50 %  {CELL} call noop wall_s: 1 s to 1.5 s (14 and 10")
    assert run(["history", file, "--format", "json"]) == 0
    document = msgspec.json.decode(capsys.readouterr().out)
    assert (document["added"], document["readings"]) == (0, 48)
    assert document["steps"][0]["ratio"] == pytest.approx(1.5, rel=0.01)
    assert document["steps"][0]["key"]["stage"] == "noop"


@pytest.mark.parametrize(("nights", "watched"), [(10, 0), (12, 0), (13, 2)])
def test_no_series_counts_as_watched_that_cannot_have_a_step(tmp_path, capsys, nights, watched):
    folders = [
        write(
            tmp_path / str(number),
            night(
                number,
                probe=call(stages=(Stage(name="noop", wall_s=1.0 if number <= 6 else 9.0),)),
                max_rss_mb=100.0,
            ),
        )
        for number in range(1, nights + 1)
    ]
    assert run(["history", str(tmp_path / "history.sqlite"), *folders]) == 0
    said = capsys.readouterr().out
    assert f"{watched} of them long enough to have a step" in said
    assert ("no steps" in said) == (not watched)


def test_the_verb_with_nothing_to_tell(tmp_path, capsys):
    assert run(["history", str(tmp_path / "history.sqlite")]) == 0
    assert capsys.readouterr().out.endswith("no steps\n")


def test_a_faulty_folder_leaves_the_database_as_it_was(tmp_path, capsys):
    good = write(tmp_path / "good", night(1))
    file = tmp_path / "history.sqlite"
    assert run(["history", str(file), good, str(tmp_path / "none")]) == 2
    assert "no results here" in capsys.readouterr().err
    assert not file.exists()

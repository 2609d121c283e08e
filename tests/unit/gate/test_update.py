"""The list is rewritten as a run has it, and what people wrote in it stays."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.cli import run
from harness.errors import ExitCode, FileFault, NotMeasured
from harness.gate import Word, judge, load_expectations
from harness.gate.expectations import compile_cells
from harness.gate.update import Line, rewritten, start_of
from harness.model.document import encode
from harness.model.record import CellRecord
from harness.model.status import Status
from harness.workflow.expecting import Updated, update_expectations
from tests.unit.gate.bench import TODAY, cell, results

LIST = """\
# Who may change this: everybody.

expectations:
  # Python 3.12 has no imp.
  - cells: path:reticulate python:3.12   # two R
    cause: imp
    reason: old reticulate
    owner: me
    until: 2027-06-30

  # Set apart: about what follows from here.

  # Its own.
  - {cells: "r:4.5.0", message: "it broke", reason: r, owner: me, until: 2027-06-30}

  - cells: >-
      framework:torch
      r:4.6.2
    cause: torch
    reason: r
    owner: me
    until: 2027-06-30
# The end.
"""


def test_nothing_to_do_changes_nothing() -> None:
    assert rewritten(LIST) == LIST


def test_a_line_goes_with_its_own_comment_alone() -> None:
    without = rewritten(LIST, remove=[14])
    assert "r:4.5.0" not in without
    assert "Its own." not in without
    for kept in ("everybody", "no imp", "two R", "Set apart", "The end", "framework:torch"):
        assert kept in without


def test_a_query_is_narrowed_and_its_comment_stays() -> None:
    narrowed = rewritten(LIST, narrow={5: "python:3.12 r:4.2.2", 16: "id:x"})
    assert '- cells: "python:3.12 r:4.2.2"   # two R' in narrowed
    assert '- cells: "id:x"\n    cause: torch' in narrowed


def test_lines_are_added_at_the_end_and_are_refused_until_they_are_written(tmp_path: Path) -> None:
    new = Line(cells="python:3.13", until=dt.date(2027, 2, 20), cause="x", about="a cell")
    text = rewritten(LIST, add=[new])
    assert "  # a cell\n  - cells: " in text
    file = tmp_path / "expect.yaml"
    file.write_text(text)
    with pytest.raises(FileFault, match="'reason' has not been written yet"):
        load_expectations(file)
    file.write_text(text.replace('"?"', "written"))
    assert [line.cells for line in load_expectations(file).lines][-1] == "python:3.13"


def test_the_last_line_gone_leaves_an_empty_list(tmp_path: Path) -> None:
    file = tmp_path / "expect.yaml"
    file.write_text(rewritten(LIST, remove=[5, 14, 16]))
    assert load_expectations(file).lines == ()
    assert "everybody" in file.read_text()
    assert "The end" in file.read_text()


@settings(deadline=None)
@given(
    st.sets(st.sampled_from([5, 14, 16])),
    st.dictionaries(st.sampled_from([5, 14, 16]), st.sampled_from(["r:1", 'id:"a b" and r:>=1'])),
    st.lists(st.builds(Line, cells=st.just("r:9"), until=st.just(TODAY), cause=st.just("c"))),
)
def test_any_change_leaves_a_list_that_can_be_read(tmp_path_factory, remove, narrow, add) -> None:
    narrow = {number: query for number, query in narrow.items() if number not in remove}
    text = rewritten(LIST, remove=sorted(remove), narrow=narrow, add=add).replace('"?"', "w")
    file = tmp_path_factory.mktemp("list") / "expect.yaml"
    file.write_text(text)
    assert len(load_expectations(file).lines) == 3 - len(remove) + len(add)


FLOW = """\
# Between brackets.
expectations: [{cells: "python:3.11", cause: x, reason: r, owner: o, until: 2027-01-01},
  {cells: "path:reticulate python:3.12", cause: imp, reason: r, owner: o, until: 2027-01-01}]
"""
ONE_ROW = FLOW.replace("},\n  {", "}, {")
ADDED = Line(cells="r:9", until=TODAY, cause="c")


@pytest.mark.parametrize(
    ("text", "change"),
    [
        (FLOW, {"remove": [2]}),
        (FLOW, {"remove": [3]}),
        (FLOW, {"add": [ADDED]}),
        # Which of the two is meant, the row does not say.
        (ONE_ROW, {"remove": [2]}),
        (ONE_ROW, {"remove": [2, 2]}),
        (ONE_ROW, {"narrow": {2: "id:x"}}),
        # Another form of the head than the one that is looked for.
        (LIST.replace("expectations:", '"expectations":'), {"remove": [5, 14, 16]}),
        # What another line has by its anchor goes with the line.
        (
            "expectations:\n  - &a {cells: 'r:1', cause: x}\n  - *a\n",
            {"remove": [2]},
        ),
    ],
)
def test_a_list_that_would_be_damaged_is_refused(text: str, change: dict[str, object]) -> None:
    with pytest.raises(
        FileFault, match=r'^e.yaml:\d: .* write the list as a block, one line.*"- "'
    ):
        rewritten(text, source="e.yaml", **change)


def test_a_list_between_brackets_is_rewritten_where_that_leaves_it_whole(tmp_path: Path) -> None:
    rows = (
        "expectations: [\n"
        '  {cells: "r:1", cause: x, reason: r, owner: o, until: 2027-01-01},\n'
        '  {cells: "r:2", cause: x, reason: r, owner: o, until: 2027-01-01},\n'
        "]\n"
    )
    file = tmp_path / "expect.yaml"
    file.write_text(rewritten(rows, remove=[2], narrow={3: "r:3"}))
    assert [line.cells for line in load_expectations(file).lines] == ["r:3"]
    file.write_text(rewritten(FLOW, remove=[2, 3]))
    assert load_expectations(file).lines == ()
    for text in (FLOW, ONE_ROW, FLOW.rstrip()):
        assert rewritten(text) == text


def test_the_start_of_a_message_is_whole_words() -> None:
    assert start_of("one two\nthree") == "one two three"
    assert start_of("word " * 40) == "word " * 11 + "word"
    assert start_of("x" * 200) == "x" * 200
    assert start_of(None) is None


# --- from results ----------------------------------------------------------------------------


def put(tmp_path: Path, *cells: CellRecord, **values: object) -> Path:
    folder = tmp_path / "out"
    folder.mkdir(exist_ok=True)
    (folder / "results.json").write_bytes(encode(results(*cells, **values)))
    return folder


def update(tmp_path: Path, *cells: CellRecord, text: str | None = None) -> tuple[Updated, Path]:
    file = tmp_path / "expect.yaml"
    if text is not None:
        file.write_text(text)
    return update_expectations(put(tmp_path, *cells), file, today=TODAY), file


BROKEN = [cell("fail", r=r, bridge="1.28", python="3.12", cause="imp") for r in ("4.2.2", "4.0.4")]
FINE = [
    cell(r="4.2.2", python="3.11"),
    cell(r="4.0.4", python="3.11"),
    cell(r="4.5.0", bridge="1.41", python="3.12"),
]


def test_a_new_list_has_one_line_for_what_cells_have_in_common(tmp_path: Path) -> None:
    updated, file = update(tmp_path, *BROKEN, *FINE)
    assert (updated.added, updated.exit_code) == (1, ExitCode.OK)
    assert "Fill in `reason` and `owner`" in updated.said
    file.write_text(file.read_text().replace('"?"', "written"))
    (line,) = load_expectations(file).lines
    lists = compile_cells(line.cells)
    listed = {one.id for one in (*BROKEN, *FINE) if lists({**one.axes, "id": one.id})}
    assert listed == {one.id for one in BROKEN}, line.cells
    assert (line.cause, line.until) == ("imp", dt.date(2027, 2, 20))
    judgement = judge(results(*BROKEN, *FINE), expectations=load_expectations(file), today=TODAY)
    assert judgement.verdict is Word.OK


def test_lines_that_are_no_longer_true_go_and_are_narrowed(tmp_path: Path) -> None:
    text = (
        'expectations:\n  - {cells: "python:3.11", cause: x, reason: r, owner: o, '
        'until: 2027-01-01}\n  - {cells: "path:reticulate python:3.12", cause: imp, reason: r, '
        "owner: o, until: 2027-01-01}  # kept\n"
    )
    updated, file = update(tmp_path, *BROKEN, *FINE, text=text)
    assert (updated.removed, updated.narrowed, updated.added) == (1, 1, 0)
    assert "# kept" in file.read_text()
    judgement = judge(results(*BROKEN, *FINE), expectations=load_expectations(file), today=TODAY)
    assert judgement.verdict is Word.OK, file.read_text()


@pytest.mark.parametrize("status", ["unsupported", "unsatisfiable", "pass"])
def test_a_new_line_lists_no_cell_that_ends_otherwise(tmp_path: Path, status: str) -> None:
    cells = [*BROKEN, *FINE, cell(status, r="4.0.4", python="3.12", framework="torch")]
    updated, file = update(tmp_path, *cells)
    assert updated.added
    assert not ("id:" in file.read_text() and "more" in file.read_text())
    file.write_text(file.read_text().replace('"?"', "written"))
    judgement = judge(results(*cells), expectations=load_expectations(file), today=TODAY)
    assert judgement.verdict is Word.OK, file.read_text()


@pytest.mark.parametrize(
    "wide", ["path:reticulate framework:jax", "(framework:jax or framework:none)"]
)
@pytest.mark.parametrize("status", ["unsupported", "unsatisfiable", "fail"])
def test_a_line_that_is_narrowed_lists_no_more_than_it_did(
    tmp_path: Path, status: str, wide: str
) -> None:
    text = (
        f'expectations:\n  - cells: "{wide}"\n    cause: imp\n    reason: r\n    owner: o\n'
        "    until: 2027-01-01\n"
    )
    another = cell(status, r="4.0.4", python="3.12", framework="torch", cause="imp")
    updated, file = update(tmp_path, *BROKEN, *FINE, another, text=text)
    assert updated.narrowed == 1
    file.write_text(file.read_text().replace('"?"', "written"))
    listed = load_expectations(file)
    before, lists = compile_cells(wide), compile_cells(listed.lines[0].cells)
    for one in (*BROKEN, *FINE, another):
        values = {**one.axes, "id": one.id}
        assert lists(values) == (one in BROKEN)
        assert before(values) or not lists(values)
    judgement = judge(results(*BROKEN, *FINE, another), expectations=listed, today=TODAY)
    assert judgement.verdict is Word.OK, file.read_text()


def test_a_line_that_no_query_narrows_is_left_to_people(tmp_path: Path) -> None:
    """What tells these cells apart is the patch of the bridge, which their ids do not have."""

    def patch(status: str, version: str, **axes: str) -> CellRecord:
        identity = {"bridge": {"name": "reticulate", "version": version}}
        return cell(status, bridge="1.41", cause="x", identity=identity, **axes)

    cells = [
        patch("fail", "1.41.0.1", r="4.2.2", python="3.11"),
        patch("fail", "1.41.0.1", r="4.5.0", python="3.12"),
        patch("pass", "1.41.0.2", r="4.2.2", python="3.12"),
        patch("pass", "1.41.0.2", r="4.5.0", python="3.11"),
    ]
    text = (
        "expectations:\n  - {cells: 'framework:jax', cause: x, reason: r, owner: o, "
        "until: 2027-01-01}\n"
    )
    updated, file = update(tmp_path, *cells, text=text)
    assert (updated.narrowed, updated.exit_code) == (0, ExitCode.PROBLEM)
    assert "2 of its cells pass, and no three conditions tell" in updated.said
    assert file.read_text() == text


def test_a_line_past_its_day_is_left_to_people(tmp_path: Path) -> None:
    text = (
        'expectations:\n  - {cells: "python:3.12 r:<4.5", cause: imp, reason: r, owner: o, '
        "until: 2026-01-01}\n"
    )
    updated, file = update(tmp_path, *BROKEN, *FINE, text=text)
    assert updated.exit_code is ExitCode.PROBLEM
    assert "expect.yaml:2:" in updated.said
    assert file.read_text() == text


def test_a_flaky_cell_gets_a_line_that_says_so(tmp_path: Path) -> None:
    flaky = cell("fail", attempts=(Status.FAIL, Status.PASS))
    updated, file = update(tmp_path, flaky, *FINE)
    assert updated.added == 1
    file.write_text(file.read_text().replace('"?"', "written"))
    assert load_expectations(file).lines[0].flaky


def test_a_flaky_cell_that_fails_otherwise_gets_a_line_that_says_so(tmp_path: Path) -> None:
    flaky = cell("fail", attempts=(Status.FAIL, Status.PASS), cause="imp")
    text = (
        'expectations:\n  - {cells: "python:3.12", flaky: true, cause: other, reason: r, '
        "owner: o, until: 2027-01-01}\n"
    )
    updated, file = update(tmp_path, flaky, *FINE[:2], text=text)
    assert updated.added == 1
    file.write_text(file.read_text().replace('"?"', "written"))
    listed = load_expectations(file)
    assert [line.flaky for line in listed.lines] == [True, True]
    judgement = judge(results(flaky, *FINE[:2]), expectations=listed, today=TODAY)
    assert judgement.verdict is Word.OK


@pytest.mark.parametrize("write", [True, False])
def test_a_list_that_cannot_be_rewritten_is_left_as_it_was(tmp_path: Path, write: bool) -> None:
    file = tmp_path / "expect.yaml"
    file.write_text(FLOW)
    folder = put(tmp_path, *BROKEN, *FINE)
    with pytest.raises(FileFault, match=r"expect.yaml:2: .* write the list as a block"):
        update_expectations(folder, file, write=write, today=TODAY)
    assert file.read_text() == FLOW
    assert [one.name for one in tmp_path.iterdir() if one.name.startswith(".")] == []


def test_a_part_of_a_matrix_is_refused(tmp_path: Path) -> None:
    folder = put(tmp_path, *FINE, whole={"m": 99})
    with pytest.raises(NotMeasured, match="3 of the 99 cells of m"):
        update_expectations(folder, tmp_path / "expect.yaml", today=TODAY)
    assert not (tmp_path / "expect.yaml").exists()


def test_cells_that_were_not_measured_are_refused(tmp_path: Path) -> None:
    folder = put(tmp_path, cell("missing"), *FINE)
    with pytest.raises(NotMeasured, match="were not measured"):
        update_expectations(folder, tmp_path / "expect.yaml", today=TODAY)


def test_a_list_behind_a_link_is_written_where_it_is(tmp_path: Path) -> None:
    (tmp_path / "shared").mkdir()
    shared = tmp_path / "shared" / "list.yaml"
    shared.write_text("expectations: []\n")
    shared.chmod(0o660)
    (tmp_path / "expect.yaml").symlink_to("shared/list.yaml")
    updated, file = update(tmp_path, *BROKEN, *FINE)
    assert updated.added
    assert file.is_symlink()
    assert shared.read_text() == updated.text
    assert shared.stat().st_mode & 0o777 == 0o660
    assert [one.name for one in shared.parent.iterdir()] == ["list.yaml"]


def test_a_dry_run_says_what_is_left_to_people(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "expect.yaml"
    file.write_text(
        'expectations:\n  - {cells: "python:3.12 r:<4.5", cause: imp, reason: r, owner: o, '
        "until: 2025-01-01}\n"
    )
    folder = put(tmp_path, *BROKEN, *FINE)
    assert run(["expect", "update", str(folder), "--expect", str(file), "--dry-run"]) == 1
    said = capsys.readouterr()
    assert said.out == file.read_text()
    assert "expect.yaml:2: python:3.12 r:<4.5: it held until 2025-01-01" in said.err


def test_a_dry_run_writes_nothing(tmp_path: Path) -> None:
    file = tmp_path / "expect.yaml"
    updated = update_expectations(put(tmp_path, *BROKEN, *FINE), file, write=False, today=TODAY)
    assert updated.text.startswith("expectations:")
    assert not file.exists()

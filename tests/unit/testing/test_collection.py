"""What pytest makes of a matrix file and of the marker, without running a cell."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

MATRIX = """\
probes: [init]
axes:
  path: [native, reticulate]
  r: [4.2.2]
  python: ["3.11", "3.12"]
"""
IDS = [
    "native__py3.11__cpu",
    "native__py3.12__cpu",
    "reticulate-1.28__r4.2.2__py3.11__cpu",
    "reticulate-1.28__r4.2.2__py3.12__cpu",
]


@pytest.fixture
def project(pytester: pytest.Pytester) -> pytest.Pytester:
    (pytester.path / "m.yaml").write_text(MATRIX)
    return pytester


def collected(project: pytest.Pytester, *arguments: str) -> list[str]:
    ran = project.runpytest_inprocess("--collect-only", "-q", "-p", "no:xdist", *arguments)
    return [line.split("::")[-1] for line in ran.outlines if "::" in line]


def test_ids_are_cell_ids(project: pytest.Pytester) -> None:
    assert sorted(collected(project, "m.yaml")) == IDS


def test_cells_are_selected_as_tests_are_and_by_a_query(project: pytest.Pytester) -> None:
    assert sorted(collected(project, "m.yaml", "-k", "reticulate")) == IDS[2:]
    chosen = collected(project, "m.yaml", "--harness-where", "python:3.12 path:native")
    assert chosen == IDS[1:2]


def test_a_yaml_file_that_was_not_named_is_nobodys_test(project: pytest.Pytester) -> None:
    assert collected(project, ".") == []


def test_a_faulty_matrix_is_one_sentence(project: pytest.Pytester) -> None:
    (project.path / "bad.yaml").write_text("axis: {}\n")
    ran = project.runpytest_inprocess("bad.yaml", "-p", "no:xdist")
    ran.stdout.fnmatch_lines(["*bad.yaml:1*did you mean 'axes'?*"])
    assert "Traceback" not in ran.stdout.str()
    assert ran.ret == pytest.ExitCode.INTERRUPTED


def test_a_faulty_list_is_one_sentence(project: pytest.Pytester) -> None:
    (project.path / "e.yaml").write_text("expectations: [{cells: 'python:3.12'}]\n")
    ran = project.runpytest_inprocess("m.yaml", "--harness-expect", "e.yaml", "-p", "no:xdist")
    ran.stdout.fnmatch_lines(["*e.yaml:1*"])
    assert "Traceback" not in ran.stdout.str()


LISTED = """\
expectations:
  - {{cells: 'python:3.12', status: fail, reason: r, owner: o, until: 2999-01-01{more}}}
  - {{cells: 'path:reticulate', status: crash, reason: r, owner: o, until: 2999-01-01}}
"""


def test_a_listed_cell_that_passes_fails_unless_it_does_so_at_times(
    project: pytest.Pytester,
) -> None:
    for flaky in (False, True):
        (project.path / "e.yaml").write_text(LISTED.format(more=", flaky: true" if flaky else ""))
        items, _ = project.inline_genitems("m.yaml", "--harness-expect", "e.yaml", "-p", "no:xdist")
        marks = {item.name: item.get_closest_marker("xfail") for item in items}
        strict = {name: mark.kwargs["strict"] for name, mark in marks.items() if mark is not None}
        # Said in so many words: a project may have `xfail_strict` for its default.
        assert strict == {IDS[1]: not flaky, IDS[2]: True, IDS[3]: not flaky}


def test_a_marked_test_is_run_in_each_cell(project: pytest.Pytester) -> None:
    project.makepyfile(
        test_own="""
        import pytest

        @pytest.mark.harness("m.yaml", where="path:reticulate")
        def test_something(rscript, bridge):
            pass
        """
    )
    assert collected(project, "test_own.py") == [f"test_something[{one}]" for one in IDS[2:]]


@pytest.mark.parametrize(
    ("mark", "said"),
    [
        ("'none.yaml'", "none.yaml: cannot be read: no such file"),
        ("'m.yaml', where='pyhton:3'", "did you mean 'python:'?"),
        ("", "write @pytest.mark.harness('matrix.yaml'"),
        ("'m.yaml', were='r:4'", "write @pytest.mark.harness('matrix.yaml'"),
    ],
)
def test_a_faulty_mark_is_one_sentence(project: pytest.Pytester, mark: str, said: str) -> None:
    project.makepyfile(
        f"import pytest\n@pytest.mark.harness({mark})\ndef test_it(harness_cell): pass\n"
    )
    ran = project.runpytest_inprocess("-p", "no:xdist")
    assert said in ran.stdout.str() + ran.stderr.str()
    assert ran.ret != 0


def test_a_fixture_without_a_mark_says_what_to_write(project: pytest.Pytester) -> None:
    project.makepyfile("def test_it(rscript): pass")
    ran = project.runpytest_inprocess("-p", "no:xdist")
    ran.stdout.fnmatch_lines(["*mark it with @pytest.mark.harness('matrix.yaml')*"])


def test_pytest_starts_without_importing_the_engine(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
        import sys

        def test_it():
            heavy = [name for name in sys.modules if name.startswith("harness.")]
            assert set(heavy) <= {"harness.testing", "harness.testing.plugin"}
        """
    )
    # In a process of its own: this one has imported everything already.
    project.runpytest_subprocess("-p", "no:xdist").assert_outcomes(passed=1)


def test_what_workers_measured_comes_into_one_journal(tmp_path: Path) -> None:
    from harness.journal.writer import Journal
    from harness.model.record import CellRecord
    from harness.model.status import Status
    from harness.results.load import load
    from harness.workflow.absorbing import absorb, seed

    def measure(folder: Path, cell: str) -> None:
        with Journal(folder) as journal:
            journal.append("run-started", matrix="m", at="2026-11-22T00:00:00Z")
            planned = [{"id": cell, "axes": {}, "key": "k"}]
            journal.append("planned", cells=planned, partial=True)
            record = CellRecord(id=cell, axes={}, status=Status.PASS, key="k")
            journal.append("cell-finished", record=record)
        (folder / "cells" / cell).mkdir(parents=True)
        (folder / "cells" / cell / "stdout").write_text(cell)

    target = tmp_path / "out"
    measure(target, "a")
    for worker, cell in (("gw0", "b"), ("gw1", "c")):
        own = target / "workers" / worker
        seed(target, own)
        assert {one.id for one in load(own).cells} == {"a"}, "what is known is not run again"
        measure(own, cell)
    assert absorb(target, target / "workers") == 2
    assert {one.id: one.status.value for one in load(target).cells} == dict.fromkeys("abc", "pass")
    assert (target / "journal.jsonl").read_text().count('"cell-finished"') == 3
    assert (target / "cells" / "c" / "stdout").read_text() == "c"
    assert not (target / "workers").exists()
    assert absorb(target, target / "workers") == 0

"""A faulty list is told in one sentence, with file, line, and what to write instead."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from harness.errors import FileFault
from harness.gate import load_expectations
from harness.model.status import Status

WHOLE = """\
# Known since July.
expectations:
  - cells: path:reticulate bridge:<1.34 python:>=3.12
    cause: reticulate-imp-removed-py312
    reason: reticulate 1.28 imports a module that Python 3.12 no longer has
    link: https://github.com/rstudio/reticulate/pull/1400
    owner: "@somebody"
    until: 2027-06-30
  - {cells: "cuda:12*", status: unavailable, reason: no GPU, owner: me, until: 2027-01-01}
  - {cells: "pandas:<2", message: "no", flaky: yes, reason: r, owner: me, until: 2027-01-01}
"""
LINE = 'expectations:\n  - {{cells: "{cells}", {rest}, reason: r, owner: o, until: 2027-01-01}}\n'


def load(tmp_path: Path, text: str) -> object:
    file = tmp_path / "expect.yaml"
    file.write_text(text, encoding="utf-8")
    return load_expectations(file)


def test_a_list(tmp_path: Path) -> None:
    (tmp_path / "expect.yaml").write_text(WHOLE)
    found = load_expectations(tmp_path / "expect.yaml")
    first, second, third = found.lines
    assert (first.line, first.until) == (3, dt.date(2027, 6, 30))
    assert first.cause == "reticulate-imp-removed-py312"
    assert first.owner == "@somebody"
    assert (second.line, second.status) == (9, Status.UNAVAILABLE)
    assert third.flaky


def test_an_empty_list_is_a_list(tmp_path: Path) -> None:
    assert load(tmp_path, "expectations: []\n").lines == ()


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("", None, "is empty; begin with 'expectations:'"),
        ("expectation: []", 1, "did you mean 'expectations'?"),
        (LINE.format(cells="python:3.12", rest="caus: x"), 2, "did you mean 'cause'?"),
        (LINE.format(cells="python:3.12", rest="link: x"), 2, "does not say how its cells end"),
        (LINE.format(cells="pyhton:3.12", rest="cause: x"), 2, "did you mean 'python:'?"),
        (LINE.format(cells="python:>=x", rest="cause: x"), 2, "no comparison of versions"),
        (LINE.format(cells="*", rest="cause: x"), 2, "covers every cell"),
        (LINE.format(cells="path:rpy2 status:fail", rest="cause: x"), 2, "'status:' says how a"),
        (LINE.format(cells="not status:pass", rest="cause: x"), 2, "as a key of its own"),
        (LINE.format(cells="(cause:imp)", rest="cause: x"), 2, "'cause:' says how a cell ended"),
        (LINE.format(cells="python:3.12", rest="status: red"), 2, "status 'red' is not known"),
        (LINE.format(cells="python:3.12", rest="status: pass"), 2, "status 'pass' is not known"),
        (LINE.format(cells="python:3.12", rest="cause: x").replace("2027-01-01", "soon"), 2, "day"),
        (LINE.format(cells="python:3.12", rest="cause: x").replace("reason: r, ", ""), 2, "reason"),
        (
            LINE.format(cells="python:3.12", rest="cause: x").replace("reason: r", 'reason: "?"'),
            2,
            "'reason' has not been written yet; write in one sentence why",
        ),
        ("expectations: [\n", 2, "is not YAML"),
    ],
)
def test_a_faulty_list(tmp_path: Path, text: str, line: int | None, said: str) -> None:
    with pytest.raises(FileFault, match=r"expect\.yaml") as fault:
        load(tmp_path, text)
    assert said in str(fault.value)
    if line is not None:
        assert f"expect.yaml:{line}" in str(fault.value)


def test_a_list_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileFault, match="no such file"):
        load_expectations(tmp_path / "none.yaml")

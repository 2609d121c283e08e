"""The report: one sentence first, symbols with words, and a document with the fixed keys."""

from __future__ import annotations

import msgspec

from harness.causes.model import Change, Finding, Remedy
from harness.doctor.model import Layer, Note, Place, Report, Rung, State, Variable
from harness.doctor.show import as_text, document

LAYERS = (
    Layer(name="r", title="R starts", phase="start", state=State.OK, wall_s=0.2),
    Layer(name="bridge", title="the bridge loads", phase="bridge", state=State.OK, said="/lib"),
    Layer(
        name="python", title="Python starts", phase="python", state=State.FAILED, said="no\nmore"
    ),
    Layer(name="numpy", title="numpy can be imported", phase="import", state=State.NOT_REACHED),
)
REMEDY = Remedy(
    id="unset", text="Unset it.", command="unset A", apply=Change(unset=("A",)), verified=True
)
ILL = Report(
    ok=False,
    summary="PYTHONHOME is wrong.",
    path="reticulate",
    framework=None,
    phase="python",
    causes=(
        Finding(
            id="pythonhome-contamination",
            confidence=0.95,
            summary="PYTHONHOME is wrong.",
            evidence=("env.PYTHONHOME = /x", "line 3: No module named 'encodings'"),
            remedies=(REMEDY,),
            why="It points elsewhere.",
        ),
        Finding(id="other", confidence=0.5, summary="Something else."),
    ),
    layers=LAYERS,
    discovery=(
        Rung(
            id="RETICULATE_PYTHON",
            what="RETICULATE_PYTHON",
            answer="RETICULATE_PYTHON=/x/python",
            outcome="taken",
            python="/x/python",
            taken=True,
        ),
        Rung(id="PATH", what="python3 on PATH", answer="none", outcome="not asked"),
    ),
    variables=(Variable(name="PYTHONHOME", value="/x", origin="/home/ana/.Renviron:1"),),
    evidence=("/x/python ends with 1",),
    facts={"python.starts": False, "cpu.flags": ("avx",)},
)


def test_the_sentence_comes_first_and_marks_have_words() -> None:
    lines = as_text(ILL).splitlines()
    assert lines[0] == "PYTHONHOME is wrong."
    assert "  ✓ the bridge loads: /lib" in lines
    assert "  ✗ Python starts: FAILS: no" in lines
    assert "  · numpy can be imported: not reached" in lines
    assert "\x1b" not in as_text(ILL)
    assert "\x1b[1;31m✗" in as_text(ILL, color=True)


def test_what_a_script_said_steers_no_terminal() -> None:
    said = msgspec.structs.replace(ILL, summary="\x1b]0;title\x07Python \x9b2J is \u202ewrong.")
    assert as_text(said).splitlines()[0] == "]0;titlePython 2J is wrong."
    assert "\x1b]" not in as_text(said, color=True)


def test_cause_evidence_and_remedies() -> None:
    text = as_text(ILL)
    assert "Cause: pythonhome-contamination (95%)" in text
    assert "  - No module named 'encodings'" in text
    assert "  - Unset it. [verified: it passes with this]" in text
    assert "      unset A" in text
    assert "Or: Something else. [other, 50%]" in text
    assert "PYTHONHOME=/x  (/home/ana/.Renviron:1)" in text


def test_where_no_cause_fits_it_says_what_was_seen() -> None:
    report = msgspec.structs.replace(ILL, causes=(), unexplained="strange")
    text = as_text(report)
    assert "No known cause fits. What was seen:" in text
    assert "  - /x/python ends with 1" in text


def test_a_healthy_report_is_short() -> None:
    report = Report(
        ok=True,
        summary="Nothing is wrong",
        path="reticulate",
        framework="jax",
        layers=LAYERS[:2],
        notes=(Note(id="int64-wraps", text="2147483653 arrives as another"),),
        variables=ILL.variables,
    )
    text = as_text(report)
    assert "Variables" not in text
    assert "  ! 2147483653 arrives as another [int64-wraps]" in text


def test_a_place_in_a_script() -> None:
    place = Place(
        file="s.R",
        line=3,
        column=5,
        source="Dense(units = 128)",
        written="units = 128",
        instead="units = 128L",
    )
    text = as_text(msgspec.structs.replace(ILL, place=place))
    assert "s.R, line 3:" in text
    assert "  write  units = 128L  instead of  units = 128" in text


def test_the_document_has_the_keys_of_the_contract() -> None:
    plain = document(ILL)
    assert {"ok", "phase", "causes", "layers", "discovery"} <= set(plain)
    cause = plain["causes"][0]
    assert {"id", "confidence", "summary", "evidence", "remedies"} <= set(cause)
    assert set(cause["remedies"][0]) >= {"id", "text", "command", "verified"}
    assert "apply" not in cause["remedies"][0]
    assert plain["facts"] == {"python.starts": False}
    msgspec.json.encode(plain)

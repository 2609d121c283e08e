"""A cause that is made to happen, what names it, and how its remedy is seen to help.

A ``Case`` is one record of the corpus, and ``Outcome`` what came of it: the run writes the
outcomes down, and the table of the documentation is made of them.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from harness.causes import Evidence, diagnose
from harness.doctor.model import LAYERS
from tests.live.causes.bench import Answer, Bench, Situation

DOCTOR, SCRIPT, DIAGNOSE, MATRIX = "doctor", "doctor --script", "diagnose", "run"
"""What names a cause: an examination, one of a script, what a program printed, a matrix."""
SCRIPT_FILE: Final = "script.R"
REACHED: Final = """\
reached <- function(port) {
  for (trial in 1:600) {
    line <- tryCatch(
      suppressWarnings(socketConnection("127.0.0.1", port, open = "rb", timeout = 5)),
      error = function(e) NULL
    )
    if (!is.null(line)) return(line)
    Sys.sleep(0.1)
  }
  stop("nobody listens at ", port)
}
"""
"""For scripts: a connection to a server that was just started, once that takes it."""
_DEPTH: Final = {name: depth for depth, name in enumerate(LAYERS)}

Make = Callable[[Bench], Situation]
Mend = Callable[[Bench, Situation], Situation]


@dataclass(frozen=True, kw_only=True)
class Case:
    """One cause, made to happen for real.

    Parameters
    ----------
    cause
        Its id in the catalogue.
    made
        How it is made, in a clause.
    make
        Makes the situation.  For ``by=MATRIX`` its file ``m.yaml`` is the matrix.
    remedy
        Id of one of the cause's remedies.
    mend
        Applies the remedy's own change to the situation.  ``None`` where the harness itself
        tries remedies: ``doctor --fix``, or the trials of a run.
    by
        What names it.
    layer
        The doctor's layer that is to fail.
    place
        Line and argument of a script that are to blame, and what is to be written instead.
    quick
        Takes some seconds and stands for others of its kind: part of every run of the tests.
        The others are for the bench.
    note
        Named as something that goes wrong without a word, beside a result that is content.
    """

    cause: str
    made: str
    make: Make
    remedy: str
    mend: Mend | None = None
    by: str = DOCTOR
    layer: str | None = None
    place: tuple[int, str, str] | None = None
    quick: bool = False
    note: bool = False

    def __str__(self) -> str:
        return f"{self.cause}: {self.made}"


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of a case.

    ``named`` is the cause that stood first, ``None`` where none was named.  ``verified`` is
    ``None`` where the remedy was not tried.  ``how`` says in words how it was verified.
    """

    cause: str
    made: str
    by: str
    named: str | None
    confidence: float
    at: str | None
    remedy: str
    verified: bool | None
    how: str
    seconds: float
    versions: dict[str, str] = field(default_factory=dict)
    report: dict[str, Any] = field(default_factory=dict)
    """The whole answer: for who reads a failed test, not for the record."""

    def record(self) -> str:
        """Return what is kept of it, as JSON."""
        kept = asdict(self)
        del kept["report"]
        return json.dumps(kept)


def happen(case: Case, bench: Bench, folder: Path) -> Outcome:
    """Make the cause happen, have it named, and apply the remedy."""
    began = time.monotonic()
    judge = {DIAGNOSE: _diagnosed, MATRIX: _in_matrix}.get(case.by, _examined)
    outcome = judge(case, bench, folder)
    return replace(outcome, seconds=round(time.monotonic() - began, 1))


# --- by the doctor ------------------------------------------------------------------------------


def _examined(case: Case, bench: Bench, folder: Path) -> Outcome:
    del folder
    situation = case.make(bench)
    answer = bench.doctor(situation, *(("--fix",) if case.mend is None else ()))
    if case.note:
        return _noticed(case, bench, situation, answer)
    verified: bool | None
    if case.mend is None:
        verified, how = answer.remedies.get(case.remedy), "`doctor --fix` tried it"
    else:
        then = bench.doctor(case.mend(bench, situation))
        verified, how = _helped(case, answer, then)
    first = answer.report["causes"][0] if answer.report["causes"] else {}
    return Outcome(
        cause=case.cause,
        made=case.made,
        by=case.by,
        named=answer.cause,
        confidence=first.get("confidence", 0.0),
        at=_failed_at(answer),
        remedy=case.remedy,
        verified=verified,
        how=how,
        seconds=0.0,
        versions=_versions(answer),
        report=answer.report,
    )


def _noticed(case: Case, bench: Bench, situation: Situation, answer: Answer) -> Outcome:
    """Judge what the doctor says without calling it a problem."""
    assert case.mend is not None
    notes = [note["id"] for note in answer.report["notes"]]
    then = bench.program(case.mend(bench, situation))
    return Outcome(
        cause=case.cause,
        made=case.made,
        by=f"{case.by}, as a note",
        named=case.cause if case.cause in notes and answer.code == 0 else None,
        confidence=1.0,
        at=None,
        remedy=case.remedy,
        verified=then.code == 0,
        how="applied; the values then arrive as they were",
        seconds=0.0,
        versions=_versions(answer),
        report={**answer.report, "then": then.text},
    )


def _helped(case: Case, before: Answer, then: Answer) -> tuple[bool, str]:
    """Say whether a cause is gone and nothing fails earlier than before, and what shows now."""
    causes = [cause["id"] for cause in then.report["causes"]]
    if case.cause in causes:
        return False, f"applied, and {case.cause} is there as before"
    if then.report["ok"]:
        return True, "applied; the doctor is content"
    at, was = _failed_at(then), _failed_at(before)
    shown = causes[0] if causes else then.report["unexplained"]
    deeper = _DEPTH.get(at or "", -1) > _DEPTH.get(was or "", -1)
    return deeper, f"applied; then, at the layer {at}: {shown}"


def _failed_at(answer: Answer) -> str | None:
    states = ((layer["name"], layer["state"]) for layer in answer.report["layers"])
    return next((name for name, state in states if state not in {"ok", "not reached"}), None)


def _versions(answer: Answer) -> dict[str, str]:
    facts = answer.report.get("facts") or {}
    names = {
        "R": "r.version",
        "bridge": "bridge.version",
        "Python": "python.version",
        "numpy": "numpy.version",
    }
    found = {name: str(facts[fact]) for name, fact in names.items() if fact in facts}
    version = (answer.report.get("identity") or {}).get("version")
    return found if found or not version else {"Python": version}


# --- by what was printed, and by a matrix -------------------------------------------------------


def _diagnosed(case: Case, bench: Bench, folder: Path) -> Outcome:
    del folder
    situation = case.make(bench)
    ran = bench.program(situation)
    diagnosis = diagnose(Evidence(text=ran.text))
    first = diagnosis.causes[0] if diagnosis.causes else None
    assert case.mend is not None
    then = bench.program(case.mend(bench, situation))
    after = [cause.id for cause in diagnose(Evidence(text=then.text)).causes]
    gone = case.cause not in after
    content = then.code == 0 and gone
    shown = "ends with 0" if content else f"ends with {then.code}: {', '.join(after) or 'unknown'}"
    return Outcome(
        cause=case.cause,
        made=case.made,
        by=case.by,
        named=None if first is None else first.id,
        confidence=0.0 if first is None else first.confidence,
        at=diagnosis.phase,
        remedy=case.remedy,
        verified=content,
        how=f"applied; the program then {shown}",
        seconds=0.0,
        versions={"R": situation.r},
        report={"text": ran.text, "then": then.text},
    )


def _in_matrix(case: Case, bench: Bench, folder: Path) -> Outcome:
    situation = case.make(bench)
    (folder / "m.yaml").write_text(situation.files["m.yaml"], encoding="utf-8")
    # The harness of this checkout, with this machine's settings of packages and of its cache.
    command = [sys.executable, "-m", "harness", "run", "m.yaml", "--results", "out", "--quiet"]
    ran = subprocess.run(
        [*command, *situation.arguments],
        cwd=folder,
        env={**os.environ, **situation.env},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in ran.stderr, ran.stderr
    document = json.loads((folder / "out" / "results.json").read_text(encoding="utf-8"))
    found = [cell for cell in document["cells"] if cell["axes"]["path"] != "native"]
    cell = next((one for one in found if one["cause"]), (found or document["cells"])[0])
    trials = {trial["remedy"]: trial for trial in cell["trials"]}
    trial = trials.get(case.remedy, {})
    axes = cell["axes"]
    return Outcome(
        cause=case.cause,
        made=case.made,
        by=case.by,
        named=cell["cause"],
        confidence=1.0 if cell["cause"] else 0.0,
        at=cell["phase"],
        remedy=case.remedy,
        verified=trial.get("verified"),
        how=f"the run tried it, in {trial.get('cell')}",
        seconds=0.0,
        versions={name: str(axes[key]) for name, key in _AXES.items() if axes.get(key)},
        report={"cell": cell, "stderr": ran.stderr},
    )


_AXES: Final = {"R": "r", "bridge": "bridge", "Python": "python"}


# --- words for declaring cases ------------------------------------------------------------------


def changed(**changes: Any) -> Mend:
    """Return a mend that replaces fields of the situation; variables are laid over its own.

    A variable that is ``None`` is taken away.
    """

    def mend(bench: Bench, situation: Situation) -> Situation:
        del bench
        env = {**situation.env, **changes.get("env", {})}
        kept = {name: value for name, value in env.items() if value is not None}
        files = {**situation.files, **changes.get("files", {})}
        return replace(situation, **{**changes, "env": kept, "files": files})

    return mend


def by_script(
    cause: str,
    made: str,
    text: str,
    *,
    remedy: str,
    mended: str | None = None,
    base: Make | None = None,
    **others: Any,
) -> Case:
    """Return the case of a script that fails; ``mended`` is the script with the remedy applied.

    Without ``mended`` the doctor corrects the script itself.
    """
    found = base or numpy

    def make(bench: Bench) -> Situation:
        situation = found(bench)
        files = {**situation.files, SCRIPT_FILE: text}
        return replace(situation, files=files, arguments=("--script", SCRIPT_FILE))

    mend = others.pop("mend", None)
    if mended is not None:
        mend = changed(files={SCRIPT_FILE: mended})
    return Case(cause=cause, made=made, make=make, remedy=remedy, mend=mend, by=SCRIPT, **others)


def numpy(bench: Bench) -> Situation:
    """Return a healthy situation whose Python has numpy 1, which every reticulate knows."""
    environment = bench.environment("3.11", "numpy<2")
    return Situation(
        env={"RETICULATE_PYTHON": str(environment.executable)}, binds=environment.binds
    )


def bare(bench: Bench, version: str, **others: Any) -> Situation:
    """Return a situation with a Python that has no packages."""
    python = bench.python(version)
    env = {"RETICULATE_PYTHON": str(python.executable), **others.pop("env", {})}
    return Situation(env=env, binds=(python.prefix, *others.pop("binds", ())), **others)


__all__ = [
    "DIAGNOSE",
    "DOCTOR",
    "MATRIX",
    "SCRIPT",
    "Case",
    "Outcome",
    "bare",
    "by_script",
    "changed",
    "happen",
    "numpy",
]

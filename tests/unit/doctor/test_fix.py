"""Remedies are tried beside the user's system; what came of it is said of each."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from harness.causes.model import Change, Finding, Remedy
from harness.doctor.fix import corrected, prove, pythons, requirements, with_variables
from harness.doctor.model import Place, Report, Request

WELL = Report(ok=True, summary="Nothing is wrong", path="reticulate", framework="jax")


def ill(cause: str, *remedies: Remedy, phase: str = "python", **others: object) -> Report:
    finding = Finding(id=cause, confidence=0.95, summary=cause, remedies=remedies)
    return Report(
        ok=False,
        summary=cause,
        path="reticulate",
        framework="jax",
        phase=phase,
        causes=(finding,),
        **others,  # type: ignore[arg-type]
    )


UNSET = Remedy(id="unset", text="Unset it.", apply=Change(unset=("PYTHONHOME",)))
BY_HAND = Remedy(id="by-hand", text="Edit the file.")
INSTALL = Remedy(
    id="install",
    text="Install it.",
    command="sudo apt install x",
    apply=Change(env={"A": "1"}),
    touches_system=True,
)


def ask(folder: Path, **environ: str) -> Request:
    return Request(environ=dict(environ), folder=folder)


def test_what_passes_is_verified_and_comes_first(tmp_path: Path) -> None:
    seen: list[Request] = []

    def again(request: Request) -> Report:
        seen.append(request)
        return WELL

    asked = ask(tmp_path, PYTHONHOME="/opt/nothing", PATH="/bin")
    report = prove(asked, ill("pythonhome", BY_HAND, UNSET), again)
    assert [(one.id, one.verified) for one in report.causes[0].remedies] == [
        ("unset", True),
        ("by-hand", None),
    ]
    assert [request.environ for request in seen] == [{"PATH": "/bin"}]


def test_what_does_not_help_is_taken_back(tmp_path: Path) -> None:
    asked = ask(tmp_path)
    report = prove(asked, ill("pythonhome", UNSET), lambda _: ill("pythonhome"))
    assert report.causes[0].remedies == ()
    assert "does not help" in report.notes[0].text


def test_what_leads_to_another_problem_is_neither(tmp_path: Path) -> None:
    asked = ask(tmp_path)
    report = prove(asked, ill("pythonhome", UNSET), lambda _: ill("numpy", phase="convert"))
    assert report.causes[0].remedies[0].verified is None
    assert "and then: numpy" in report.notes[0].text


def test_what_a_remedy_leaves_is_taken_away_on_top_of_it(tmp_path: Path) -> None:
    backend = Remedy(id="backend", text="Name the backend.", apply=Change(env={"B": "jax"}))
    useless = Remedy(id="useless", text="Pray.", apply=Change(env={"PRAYER": "1"}))
    seen: list[dict[str, str]] = []

    def again(request: Request) -> Report:
        seen.append(request.environ)
        if "PYTHONHOME" in request.environ:
            return ill("pythonhome", UNSET)
        if "B" in request.environ:
            return WELL
        return ill("no-backend", INSTALL, useless, backend, phase="import")

    report = prove(ask(tmp_path, PYTHONHOME="/opt/nothing"), ill("pythonhome", UNSET), again)
    assert report.causes[0].remedies[0].verified is True
    assert report.notes[0].text == "with all of this it works: Unset it. Then: Name the backend"
    assert seen == [{}, {"PRAYER": "1"}, {"B": "jax"}]


def test_what_touches_the_system_is_never_done(tmp_path: Path) -> None:
    def never(_request: Request) -> Report:
        raise AssertionError

    report = prove(ask(tmp_path), ill("missing", INSTALL, BY_HAND), never)
    assert report.causes[0].remedies == (INSTALL, BY_HAND)


def test_a_file_of_r_is_copied_and_not_changed(tmp_path: Path) -> None:
    text = "A=1\nPYTHONHOME=/opt/nothing\n"
    (tmp_path / ".Renviron").write_text(text)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    asked = ask(tmp_path / "elsewhere", HOME=str(tmp_path))
    changed = with_variables(asked, Change(unset=("PYTHONHOME",)), scratch)
    assert Path(changed.environ["R_ENVIRON_USER"]).read_text() == "A=1\n"
    assert (tmp_path / ".Renviron").read_text() == text


def test_a_variable_that_is_set_wins_over_the_file(tmp_path: Path) -> None:
    (tmp_path / ".Renviron").write_text("KERAS_BACKEND=torch\n")
    changed = with_variables(
        ask(tmp_path, HOME="/nonexistent"), Change(env={"KERAS_BACKEND": "jax"}), tmp_path
    )
    assert changed.environ["KERAS_BACKEND"] == "jax"
    assert "KERAS_BACKEND" not in Path(changed.environ["R_ENVIRON_USER"]).read_text()


FACTS = {
    "python.version": "3.12.4",
    "package.numpy": "2.4.6",
    "package.keras": "3.15.1",
    "package.jax": "0.10.2",
}


def test_other_packages_stay_as_they_are() -> None:
    report = ill("numpy2", facts=FACTS)
    wanted = requirements(Change(requirements=("numpy<2",)), report)
    assert wanted == ("jax==0.10.2", "keras==3.15.1", "numpy<2")


def test_for_another_python_versions_are_free() -> None:
    report = ill("imp", facts=FACTS)
    numpy_1 = requirements(Change(requirements=("numpy<2",)), report, free=True)
    assert numpy_1 == ("jax", "keras", "numpy<2")
    assert requirements(Change(python="<=3.11"), report) == ("jax", "keras", "numpy")


@pytest.mark.parametrize(
    ("asked", "first"), [(None, "3.12"), ("3.11", "3.11"), ("<=3.11", "3.11"), (">=3.9", "3.14")]
)
def test_which_python_is_tried_first(asked: str | None, first: str) -> None:
    assert next(pythons(asked, ill("imp", facts=FACTS))) == first


def test_no_python_for_what_is_no_specifier() -> None:
    assert list(pythons("new", ill("imp", facts=FACTS))) == []


def place(written: str, instead: str, line: int = 1) -> Place:
    return Place(
        file="s.R", line=line, column=1, source="", written=written, instead=instead, cause="double"
    )


def test_a_line_is_corrected_whatever_its_spaces() -> None:
    lines = ["f(units=128, name = 'a')", "g()"]
    assert corrected(lines, place("units = 128", "units = 128L")) == [
        "f(units = 128L, name = 'a')",
        "g()",
    ]


def test_a_line_that_does_not_hold_it_is_let_be() -> None:
    assert corrected(["f(n)"], place("units = 128", "units = 128L")) is None


def test_a_script_is_mended_until_it_runs(tmp_path: Path) -> None:
    script = tmp_path / "s.R"
    script.write_text("f(units = 1)\ng(epochs = 2)\n")
    first, second = place("units = 1", "units = 1L"), place("epochs = 2", "epochs = 2L", 2)

    def again(request: Request) -> Report:
        assert request.script is not None
        text = request.script.read_text()
        if "epochs = 2L" in text:
            return WELL
        return ill("double", place=second) if "units = 1L" in text else ill("double", place=first)

    asked = msgspec.structs.replace(ask(tmp_path), script=script)
    report = prove(asked, ill("double", BY_HAND, place=first), again)
    assert report.causes[0].remedies[0].verified is True
    assert [note.text for note in report.notes] == [
        "line 2: write epochs = 2L, not epochs = 2",
        "with all of these the script runs to its end",
    ]
    assert script.read_text() == "f(units = 1)\ng(epochs = 2)\n"


def test_a_correction_that_does_not_help_is_not_verified(tmp_path: Path) -> None:
    script = tmp_path / "s.R"
    script.write_text("f(units = 1)\n")
    found = ill("double", BY_HAND, place=place("units = 1", "units = 1L"))
    asked = msgspec.structs.replace(ask(tmp_path), script=script)
    report = prove(asked, found, lambda _: found)
    assert report.causes[0].remedies[0].verified is False

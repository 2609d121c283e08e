"""From what was gathered to a report."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.doctor import examination, network
from harness.doctor.child import Ended
from harness.doctor.events import account
from harness.doctor.examination import conclude, examine
from harness.doctor.model import ORDER, PATHS, Note, Request
from harness.doctor.network import reach
from harness.doctor.reticulate import _nothing_found
from harness.doctor.session import Examined, Session
from harness.errors import MachineFault


def ask(**others: object) -> Request:
    return Request(environ={"HOME": "/nonexistent"}, folder=Path("/"), **others)  # type: ignore[arg-type]


def test_nothing_is_wrong() -> None:
    facts = {"python.version": "3.11.7", "framework.version": "0.10.2", "bridge.version": "1.41.0"}
    report = conclude(ask(), Examined(facts=facts, framework="jax"))
    assert report.ok
    assert report.summary == (
        "Nothing is wrong: jax 0.10.2 works in Python 3.11.7 over reticulate 1.41.0"
    )


def test_a_cause_from_facts_alone() -> None:
    facts = {"r.found": False}
    report = conclude(ask(), Examined(layer="r", message="no R", facts=facts))
    assert [cause.id for cause in report.causes] == ["r-not-found"]
    assert report.phase == "start"
    assert report.summary == report.causes[0].summary
    assert [layer.state for layer in report.layers][:2] == ["failed", "not reached"]


def test_what_is_not_known_is_not_guessed() -> None:
    examined = Examined(layer="op", message="a product comes out as 42", texts=["42"])
    report = conclude(ask(), examined)
    assert not report.ok
    assert report.causes == ()
    assert report.unexplained
    assert "the first operation fails: a product comes out as 42" in report.summary


def test_the_cause_that_a_place_shows_comes_first() -> None:
    text = "R is missing\nThe R code: command not found\nbash: R: command not found"
    facts = {"r.found": False, "packages.missing": ("torch",), "framework.name": "torch"}
    examined = Examined(
        layer="framework", facts=facts, texts=[text, "No module named 'torch'"], message="no torch"
    )
    ids = [cause.id for cause in conclude(ask(), examined).causes]
    assert len(ids) > 1
    assert conclude(ask(), examined, ids[-1]).causes[0].id == ids[-1]


def test_notes_make_no_problem() -> None:
    notes = [Note(id="na-becomes-value", text="NA arrives as True")]
    report = conclude(ask(), Examined(notes=notes, facts={"python.version": "3.12.1"}))
    assert report.ok
    assert report.notes == tuple(notes)


def no_python(*, asked: str | None = None, packages: tuple[str, ...] = ("numpy",)) -> Examined:
    """Return an R with a new reticulate, where a network is and no Python, as ``asked`` sees it."""
    events = (
        {"event": "layer", "name": "r", "state": "ok", "at": 0.0},
        {"event": "layer", "name": "bridge", "state": "ok", "at": 1.0},
        {"event": "foreseen", "what": "uv", "packages": list(packages)},
        {
            "event": "layer",
            "name": "discovery",
            "state": "failed",
            "at": 2.0,
            "message": "Installation of Python not found, Python bindings not loaded.",
        },
    )
    ended = Ended(code=20, signal=None, hung=False, output="", errors="", events=events, wall_s=2.0)
    examined = Examined(
        account=account("reticulate", ended),
        layer="discovery",
        message="Installation of Python not found, Python bindings not loaded.",
        facts={"bridge.name": "reticulate", "bridge.version": "1.41.0", "python.found": False},
    )
    session = Session(ask(framework=asked), Path("/nonexistent"))
    _nothing_found(session, examined, examined.account or account("reticulate", ended))
    return examined


@pytest.fixture
def a_network(monkeypatch: pytest.MonkeyPatch) -> None:
    found = network.Reach(reached=True, text="it can be reached")
    monkeypatch.setattr(network, "reach", lambda *_: found)


@pytest.mark.usefixtures("a_network")
@pytest.mark.parametrize(("asked", "packages"), [(None, ("numpy",)), ("keras", ("keras>=3.5",))])
def test_what_reticulate_would_fetch_is_neither_found_nor_a_failure(
    asked: str | None, packages: tuple[str, ...]
) -> None:
    report = conclude(ask(framework=asked), no_python(asked=asked, packages=packages))
    assert report.ok
    states = [layer.state for layer in report.layers]
    assert states[:2] == ["ok", "ok"]
    assert set(states[2:]) == {"not reached"}
    assert [note.id for note in report.notes] == ["py_require"]


@pytest.mark.usefixtures("a_network")
def test_a_framework_that_reticulate_was_not_asked_to_fetch() -> None:
    report = conclude(ask(framework="keras"), no_python(asked="keras"))
    assert [cause.id for cause in report.causes] == ["not-in-managed-environment"]
    assert report.causes[0].remedies[0].command == 'reticulate::py_require("keras")'
    assert [layer.state for layer in report.layers][1:4] == ["ok", "failed", "not reached"]


def test_no_room_for_notes(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(**_options: object) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(examination.tempfile, "mkdtemp", full)
    with pytest.raises(MachineFault, match="set TMPDIR"):
        examine(ask())


def test_every_path_has_its_layers() -> None:
    assert set(PATHS) <= set(ORDER)
    assert all(layers[-1] == "end" for layers in ORDER.values())


def test_a_proxy_that_nobody_serves_is_no_network() -> None:
    found = reach({"HTTPS_PROXY": "http://127.0.0.1:9"})
    assert not found.reached
    assert found.text.startswith(f"cannot open URL '{network.INSTALLER}'")


def test_variables_of_the_doctor_are_not_the_users(tmp_path: Path) -> None:
    session = Session(Request(environ={"A": "1", "HARNESS_X": "2"}, folder=tmp_path), tmp_path)
    environ = session.environ()
    assert "HARNESS_X" not in environ
    assert environ["PYTHONDONTWRITEBYTECODE"] == "1"
    assert environ["KERAS_HOME"].startswith(str(tmp_path))
    assert session.theirs({**environ, "B": "3"}) == {"A": "1", "B": "3"}


def test_kerass_own_settings_are_used_where_they_are(tmp_path: Path) -> None:
    (tmp_path / ".keras").mkdir()
    (tmp_path / ".keras" / "keras.json").write_text("{}")
    session = Session(Request(environ={"HOME": str(tmp_path)}, folder=tmp_path), tmp_path / "s")
    assert "KERAS_HOME" not in session.environ()

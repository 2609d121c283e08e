"""Which rung of reticulate's order was taken, and why the others lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.doctor.child import Ended
from harness.doctor.events import Account, account
from harness.doctor.interpreter import file_facts
from harness.doctor.reticulate import discovery
from harness.doctor.words import innermost, telling


def told(*events: dict[str, object]) -> Account:
    ended = Ended(
        code=0, signal=None, hung=False, output="", errors="", events=tuple(events), wall_s=1.0
    )
    return account("reticulate", ended)


def rung(name: str, python: str | None = None) -> dict[str, object]:
    return {"event": "rung", "id": name, "what": name, "answer": "-", "python": python}


def config(python: str, forced: str | None) -> dict[str, object]:
    return {"event": "config", "python": python, "forced": forced}


@pytest.mark.parametrize(
    ("forced", "taken"),
    [
        ("RETICULATE_PYTHON", "RETICULATE_PYTHON"),
        ("RETICULATE_PYTHON_FALLBACK", "RETICULATE_PYTHON_FALLBACK"),
        ("use_python() function", "use_python"),
        ("use_python function", "use_python"),
        ("use_python(, required = FALSE)", "hint"),
        ("VIRTUAL_ENV", "VIRTUAL_ENV"),
        ("'./.venv' existing in the current working directory", "here"),
        ('import("keras")', "module-environment"),
        ("py_require()", "py_require"),
        ("PATH", "PATH"),
    ],
)
def test_what_reticulate_says_of_its_choice(forced: str, taken: str) -> None:
    names = ("RETICULATE_PYTHON", "RETICULATE_PYTHON_FALLBACK", "use_python", "hint")
    more = ("VIRTUAL_ENV", "here", "module-environment", "py_require", "PATH")
    found = discovery(told(*map(rung, (*names, *more)), config("/x/bin/python", forced)))
    assert [one.id for one in found if one.taken] == [taken]


def test_without_a_word_the_first_with_that_python_was_taken() -> None:
    found = discovery(
        told(
            rung("RETICULATE_PYTHON"),
            rung("r-reticulate", "/envs/r-reticulate/bin/python"),
            rung("PATH", "/usr/bin/python3"),
            config("/usr/bin/python3", None),
        )
    )
    assert [one.outcome for one in found] == [
        "says nothing",
        "lost: it is not there",
        "taken",
    ]


def test_why_a_rung_lost() -> None:
    probe = {
        "event": "probe",
        "command": "/old/bin/python",
        "args": ["config.py"],
        "status": 1,
        "errors": "Traceback (most recent call last):\nModuleNotFoundError: No module named 'imp'",
        "output": "",
    }
    found = discovery(
        told(
            rung("RETICULATE_PYTHON", "/old/bin/python"),
            rung("PATH", "/usr/bin/python3"),
            rung("places", "/usr/bin/python3"),
            probe,
            config("/usr/bin/python3", "PATH"),
        )
    )
    assert found[0].outcome == "lost: it failed with ModuleNotFoundError: No module named 'imp'"
    assert found[2].outcome == "not asked: an earlier rung was taken"


def test_what_would_be_fetched_would_be_taken() -> None:
    foreseen = {"event": "foreseen", "what": "uv", "packages": ["numpy"]}
    found = discovery(told(rung("RETICULATE_PYTHON"), rung("py_require"), foreseen))
    assert [one.outcome for one in found] == ["says nothing", "would be taken"]


def test_what_the_file_of_a_python_tells(tmp_path: Path) -> None:
    environment = tmp_path / "env"
    python = environment / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text("#!/usr/bin/env bash\nexec pyenv exec python\n")
    (environment / "pyvenv.cfg").write_text(f"home = {tmp_path}/gone/bin\nversion = 3.11.7\n")
    facts = file_facts(str(python))
    assert facts["python.is_venv"] is True
    assert facts["python.venv_base"] == f"{tmp_path}/gone/bin"
    assert facts["python.venv_base_exists"] is False
    assert facts["python.is_shim"] is True
    assert file_facts(str(tmp_path / "none"))["python.exists"] is False


def test_the_line_that_tells() -> None:
    fatal = (
        "Python path configuration:\nFatal Python error: init_fs_encoding: failed\n"
        "ModuleNotFoundError: No module named 'encodings'\n\n"
        "Current thread 0x00007f (most recent call first):\n  <no Python frame>\n"
    )
    assert telling(fatal) == "ModuleNotFoundError: No module named 'encodings'"
    assert telling("nothing of note\nlast") == "last"
    assert telling("") == ""
    chain = (
        "Traceback (most recent call last):\nKeyError: 'inner'\n\n"
        "During handling of the above exception, another exception occurred:\n\n"
        "Traceback (most recent call last):\nValueError: outer\n"
    )
    assert innermost(chain) == "KeyError: 'inner'"

"""Results come from anywhere: nothing in them becomes a command of a script."""

from __future__ import annotations

import msgspec
import pytest

from harness.errors import UsageError
from harness.repro import Build, Compile, Lines, reproducer

COMMAND = "; touch /tmp/stolen #"


def with_axes(case, **axes):
    record = msgspec.structs.replace(case.record, axes={**case.record.axes, **axes})
    return msgspec.structs.replace(case, record=record)


@pytest.mark.parametrize(
    ("changed", "what"),
    [
        ({"python": f"3.11.2{COMMAND}"}, "a version of Python"),
        ({"python": "3.11.2\ntouch /tmp/stolen"}, "a version of Python"),
        ({"r": f"4.2.2{COMMAND}"}, "a version of R"),
        (
            {"build": Build(package="reticulate", version=f"1.41{COMMAND}")},
            "a version of the bridge",
        ),
        (
            {"build": Build(package="reticulate", version="1.41", tree="git", commit="$(id)")},
            "a commit",
        ),
        ({"build": Build(package="reticulate", version="1.41", commit=["id"])}, "a commit"),
        ({"r": ["4.2.2"]}, "a version of R"),
    ],
)
def test_what_is_no_version_is_refused(case, changed, what):
    made = msgspec.structs.replace(case("reticulate", "convert"), **changed)
    with pytest.raises(UsageError, match=f"where {what} belongs; no script is made of that$"):
        reproducer(made)


@pytest.mark.parametrize(
    ("identity", "what"),
    [
        ({"bridge": {"version": "1\", system('id'), \""}}, "a version of the bridge"),
        ({"bridge": {"version": "3.5", "mode": f"ABI{COMMAND}"}}, "rpy2's mode"),
        ({"modules": {"numpy": f"2.4.6{COMMAND}"}}, "a version of numpy"),
        ({"modules": {"numpy\nid": "2.4.6"}}, "a module"),
    ],
)
def test_what_a_cell_said_of_itself_is_refused(case, identity, what):
    """A bridge that is under test says what it likes."""
    with pytest.raises(UsageError, match=f"where {what} belongs"):
        reproducer(case("rpy2", "error", identity=identity))


@pytest.mark.parametrize(
    ("axes", "what"),
    [
        ({"bridge": f"1.28{COMMAND}"}, "a version of the bridge"),
        ({"framework": "../../../../etc/passwd"}, "a framework"),
        ({"framework": f"torch==2.13.0{COMMAND}"}, "a framework"),
        ({"transport": "../socket"}, "a transport"),
    ],
)
def test_an_axis_that_is_none_is_refused(case, axes, what):
    with pytest.raises(UsageError, match=f"where {what} belongs"):
        reproducer(with_axes(case("rpc", "convert", transport="socket"), **axes))


def test_a_backend_that_is_none_is_refused(case):
    made = case("reticulate", "op", framework="keras[jax]==3.15.1")
    probes = tuple(
        msgspec.structs.replace(probe, variant='jax"); system("id"); ("')
        for probe in made.record.probes
    )
    record = msgspec.structs.replace(made.record, probes=probes)
    with pytest.raises(UsageError, match="where a backend belongs"):
        reproducer(msgspec.structs.replace(made, record=record))


@pytest.mark.parametrize(
    "line",
    [
        "--index-url https://elsewhere.example/simple",
        "-e .",
        "numpy @ https://elsewhere.example/numpy.whl",
        "numpy==2.4.6 --hash=sha256:00",
        "numpy==2.4.6 \\",
        "./numpy",
    ],
)
def test_a_lock_has_requirements_by_name_alone(case, line):
    lock = Lines(text=f"# laid over it\ntorch==2.13.0+cpu\n{line}\n")
    with pytest.raises(UsageError, match=r"line 3 of requirements\.lock is .* no requirement"):
        reproducer(case("reticulate", "convert", lock=lock))
    asked = Compile(requirements=(line,))
    with pytest.raises(UsageError, match="line 1 of what was asked for is"):
        reproducer(case("reticulate", "convert", compile=asked))


def test_a_message_does_not_end_the_python_in_a_script_in_r(case):
    message = 'it said )---"); system("touch /tmp/stolen") #'
    made = reproducer(case("rpc", "op", transport="socket", message=message))
    script = made.files["repro.R"]
    assert "expected here" in script
    assert script.count('r"---(') == script.count(')---"')


def test_a_message_does_not_steer_the_reader_s_terminal(case):
    made = reproducer(case("reticulate", "convert", message="a\x1b[31mb\u202ec\u2028d"))
    for text in made.files.values():
        assert not set(text) & {"\x1b", "\u202e", "\u2028"}
    assert "abcd" in made.files["README.md"] or "abc d" in made.files["README.md"]


def test_an_example_that_a_cell_has_corrected_is_told_and_not_run(case):
    made = reproducer(
        case("reticulate", "seed", example="library(keras)", corrected='system("id")')
    )
    assert 'system("id")' not in made.files["repro.R"]
    assert '    system("id")\n' in made.files["README.md"]
    assert "read that, and put it into `repro.R`" in made.files["README.md"]

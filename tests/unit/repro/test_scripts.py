from __future__ import annotations

import ast
import re
from itertools import product

import pytest

from harness.errors import UsageError
from harness.model.record import ProbeRecord
from harness.model.status import Phase, Status
from harness.repro.scripts import scripts

from .conftest import WHAT_IT_SAID

FRAMEWORKS = ("jax", "keras", "tensorflow", "torch")
CHAIN = ("python", "import", "device", "op", "convert", "train")
STEPS = {
    "native": (*CHAIN, "call", "callback", "error"),
    "reticulate": ("bridge", *CHAIN, "call", "callback", "error", "seed", "upstream"),
    "system": (*CHAIN, "call", "error"),
    "rpython": ("bridge", *CHAIN, "call", "error"),
    "rpy2": ("bridge", *CHAIN, "call", "callback", "error", "upstream"),
    "rpc": ("bridge", *CHAIN, "call", "error"),
}
TRANSPORTS = ("socket", "zmq", "http", "rserve")
PLACES = [
    (path, transport) for path in STEPS for transport in (TRANSPORTS if path == "rpc" else (None,))
]


@pytest.mark.parametrize(("path", "transport"), PLACES)
def test_what_is_expected_is_said_once_and_where_it_fails(case, path, transport):
    # Many cases a test: one for each would take longer to set up than to run.
    for step, framework, judged in product(STEPS[path], FRAMEWORKS, (False, True)):
        made = case(
            path,
            step,
            framework=framework,
            transport=transport,
            judged=judged,
            example="tf <- import('tensorflow')",
        )
        where = f"{step} {framework} {judged}"
        files = scripts(made)
        text = "\n".join(files.values())
        assert text.count("expected here") == 1, f"{where}\n{text}"
        assert text.count(WHAT_IT_SAID) == 1, where
        assert not re.search(r"@\{|^#[:!]", text, re.MULTILINE), where
        for name, script in files.items():
            assert max(map(len, script.splitlines())) <= 100, f"{where} {name}"
            assert len(script.splitlines()) <= 80, f"{where} {name}"
            if name.endswith(".py"):
                ast.parse(script, feature_version=(3, 7))


@pytest.mark.parametrize("path", ["native", "reticulate", "rpy2"])
def test_nothing_comes_after_the_step_that_fails(case, path):
    at_import = "\n".join(scripts(case(path, "import")).values())
    assert "import torch" in at_import or 'import("torch")' in at_import
    for later in ("matmul", "noise", "Adam"):
        assert later not in at_import
    assert "Adam" in "\n".join(scripts(case(path, "train")).values())


def test_a_small_probe_needs_no_framework_unless_it_crashes(case):
    (script,) = scripts(case("rpy2", "error", judged=True)).values()
    assert "torch" not in script.split("\n", 1)[1]
    (script,) = scripts(case("rpy2", "error", status=Status.CRASH)).values()
    assert "import torch" in script


def test_a_step_that_raises_and_one_that_is_judged_are_marked_at_their_lines(case):
    def after(judged):
        (script,) = scripts(case("reticulate", "op", judged=judged)).values()
        lines = script.splitlines()
        (at,) = (number for number, line in enumerate(lines) if "expected here" in line)
        return lines[at + 1]

    assert after(False).startswith("left <- torch$tensor")
    assert after(True).startswith("if (!identical(got, c(19, 22, 43, 50)))")


def test_what_passes_goes_through_all_steps_and_expects_nothing(case):
    (script,) = scripts(case("reticulate")).values()
    assert "expected here" not in script
    assert script.rstrip().endswith('cat("All done.\\n")')
    assert "Adam" in script


def test_a_crash_on_the_way_out_comes_after_everything(case):
    made = case("reticulate", "teardown", status=Status.CRASH, probes=(
        ProbeRecord(name="init", status=Status.PASS), ProbeRecord(name="train", status=Status.PASS),
    ))  # fmt: skip
    (script,) = scripts(made).values()
    assert made.record.phase is Phase.TEARDOWN
    assert script.rstrip().splitlines()[-1].startswith("# expected here")


def test_what_a_bridge_hides_is_shown(case):
    hidden = {"hidden": "ModuleNotFoundError: No module named 'imp'"}
    (script,) = scripts(case("reticulate", "python", evidence=hidden)).values()
    assert "config.py" in script
    (script,) = scripts(case("reticulate", "python")).values()
    assert "config.py" not in script


def test_the_backend_of_keras_that_failed_is_set_first(case):
    probes = tuple(
        ProbeRecord(name="init", status=status, variant=backend, message=message)
        for backend, status, message in (
            ("jax", Status.PASS, None),
            ("torch", Status.FAIL, WHAT_IT_SAID),
        )
    )
    (script,) = scripts(case("reticulate", "import", framework="keras", probes=probes)).values()
    assert script.splitlines()[1] == 'Sys.setenv(KERAS_BACKEND = "torch")'


def test_a_card_is_asked_for_by_each_frameworks_name(case):
    said = [
        "\n".join(scripts(case("reticulate", "op", framework=name, cuda="12.6")).values())
        for name in ("torch", "tensorflow", "jax")
    ]
    for text, place in zip(said, ("cuda:0", "GPU:0", '"gpu"'), strict=True):
        assert place in text


def test_the_control_is_there_where_it_comes_to_something_else(case):
    told = "the losses differ from the control's by 0.1 of their size: 1, 2 and 1, 3"
    files = scripts(case("reticulate", "train", judged=True, message=told))
    assert list(files) == ["repro.R", "control.py"]
    assert "losses" in files["control.py"]
    assert "expected here" not in files["control.py"]


def test_a_documented_example_stands_as_it_was_run(case):
    (script,) = scripts(case("reticulate", "seed", example='tf <- import("tensorflow")')).values()
    assert 'tf <- import("tensorflow")' in script.splitlines()


def test_rpy2_before_3_5_knows_no_signature(case):
    new, old = ("\n".join(scripts(case("rpy2", "error", bridge=version)).values())
                for version in ("3.6.9", "3.4.2"))  # fmt: skip
    assert "signature=False" in new
    assert "signature" not in old


def test_rpython_is_loaded_with_its_remedies(case):
    remedied = scripts(case("rpython", "op", bridge="0.0-6+remedies"))["repro.R"]
    published = scripts(case("rpython", "op", bridge="0.0-6"))["repro.R"]
    assert "dyn.load" in remedied
    assert "dyn.load" not in published


@pytest.mark.parametrize(
    ("path", "step"), [("rpc", "callback"), ("system", "seed"), ("reticulate", "seed")]
)
def test_what_no_plain_script_can_show_is_one_sentence(case, path, step):
    with pytest.raises(UsageError, match=f"there is no plain script for the step '{step}'"):
        scripts(case(path, step, transport="socket", example=""))


def test_a_path_of_somebody_else_has_no_script(case):
    with pytest.raises(UsageError, match="there is no plain script for the path telepathy"):
        scripts(case("telepathy", "op"))


def test_a_cell_without_a_framework_ends_with_python(case):
    (script,) = scripts(case("reticulate", framework=None)).values()
    assert "use_python" in script
    assert "matmul" not in script

"""Matrix files: what is understood, and the one sentence on what is not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import FileFault
from harness.matrix.fields import TABLES
from harness.matrix.load import Known, load_matrix
from harness.matrix.schema import schema

KNOWN = Known(
    paths={"native", "reticulate", "system", "rpc"},
    transports={"socket", "zmq"},
    probes={"init", "train"},
)
GOOD = """\
axes:
  path: [native, reticulate]
  r: [4.2.2, system]
  bridge: default
  python: [3.10, "3.12.1"]
  framework:
    - keras[torch, jax]==3.15.1
    - torch 2.13.0
    - jax
  cuda: [cpu, 12]
  numpy: ["<2", 2.4.6, any]
include:
  - {path: native, python: 3.9, limits: {phases_s: {import: 300}}, probes: [init]}
exclude:
  - {r: "<4.5", python: ">=3.12", reason: too old}
limits: {memory_mb: 4096}
network: true
cold: true
"""

AXES = "axes: {path: native, python: 3.11, numpy: '<2'}\n"


def load(tmp_path: Path, text: str) -> Any:
    file = tmp_path / "some.yaml"
    file.write_text(text, encoding="utf-8")
    return load_matrix(file, KNOWN)


def test_reads_a_matrix(tmp_path: Path) -> None:
    matrix = load(tmp_path, GOOD)
    assert matrix.name == "some"
    assert matrix.product.axes == {
        "path": ("native", "reticulate"),
        "r": ("4.2.2", "system"),
        "bridge": ("default",),
        "python": ("3.10", "3.12.1"),
        "framework": ("keras[jax,torch]==3.15.1", "torch==2.13.0", "jax"),
        "cuda": ("cpu", "12"),
        "numpy": ("<2", "==2.4.6", "any"),
    }
    assert matrix.product.asked.limits.memory_mb == 4096
    assert matrix.product.asked.network
    assert matrix.product.asked.cold
    (entry,) = matrix.include
    assert entry.asked.probes == ("init",)
    assert entry.asked.limits.phases_s == {"import": 300.0}
    assert entry.asked.limits.memory_mb == 4096, "an entry changes only what it names"
    assert matrix.exclude[0].reason == "too old"


def test_keras_without_backends_takes_its_own_default(tmp_path: Path) -> None:
    matrix = load(tmp_path, "axes: {path: native, python: 3.11, framework: keras==3.15.1}")
    assert matrix.product.axes["framework"] == ("keras[tensorflow]==3.15.1",)


def test_the_schema_accepts_what_the_loader_accepts() -> None:
    jsonschema.Draft202012Validator.check_schema(schema())
    jsonschema.validate(yaml.safe_load(GOOD), schema())


def test_every_key_is_described_with_an_example_that_is_yaml() -> None:
    for name, table in TABLES.items():
        for key, field in table.items():
            assert field.doc, (name, key)
            yaml.safe_load(field.example)


@pytest.mark.parametrize(
    ("text", "place", "said"),
    [
        ("", "", "is empty"),
        ("axs: {}", "1:1", "did you mean 'axes'?"),
        ("{}", "1:1", "no cells"),
        ("axes: [a]", "1:7", "is a list; write 'key: value' lines"),
        ("axes:\n  path: native", "2:3", "says nothing of 'python'"),
        ("axes:\n  python: 3.11", "2:3", "says nothing of 'path'"),
        ("axes:\n  path: natve\n  python: 3.11", "2:9", "did you mean 'native'?"),
        ("axes:\n  path: native\n  python: 3.1", "3:11", "did you mean 3.10?"),
        ("axes:\n  path: native\n  python: 311", "3:11", "is no value of 'python'"),
        ("axes:\n  path: native\n  python: yes", "3:11", "truth value"),
        ("axes:\n  path: native\n  python: ", "3:10", "no value"),
        ("axes:\n  path: native\n  python: []", "3:11", "empty list"),
        ("axes:\n  path: native\n  python: [3.11, '3.11']", "3:18", "twice"),
        ("axes:\n  path: native\n  path: system", "3:3", "stands in line 2 already"),
        ("axes:\n  path: native\n  python: 3.11\n  r: 45", "4:6", "did you mean 4.5?"),
        ("axes:\n  path: native\n  python: 3.11\n  cuda: 121", "4:9", "did you mean 12.1?"),
        ("axes:\n  path: native\n  python: 3.11\n  phyton: 3", "4:3", "did you mean 'python'?"),
        ("axes:\n  path: native\n  python: 3.11\n  numpy: <<2", "4:10", "pins no version"),
        ("axes:\n  path: native\n  python: 3.11\n  framework: pytorch", "4:14", "write 'torch'"),
        ("axes:\n  path: native\n  python: 3.11\n  framework: torch>=2", "4:14", "is a range"),
        ("axes:\n  path: native\n  python: 3.11\n  framework: torch[jax]", "4:14", "only Keras"),
        ("axes:\n  path: native\n  python: 3.11\n  framework: keras[mx]", "4:14", "'mx'"),
        ("axes:\n  path: native\n  python: 3.11\nprobes: [trian]", "4:10", "'train'"),
        ("axes:\n  path: native\n  python: 3.11\nlimits: {memory_mb: -3}", "4:21", "16 or more"),
        (
            f"axes:\n  path: native\n  python: 3.11\nlimits: {{memory_mb: {10**24}}}",
            "4:21",
            "write 1000000000 or less",
        ),
        ("axes:\n  path: native\n  python: 3.11\nlimits: {phase_s: 1e9}", "4:19", "or less"),
        ("axes:\n  path: native\n  python: 3.11\nlimits: {phase_s: .nan}", "4:19", "a number"),
        ("axes:\n  path: native\n  python: 3.11\nlimits: {memory_mb: lots}", "4:21", "'lots'"),
        ("axes:\n  path: native\n  python: 3.11\nnetwork: 3", "4:10", "true or false"),
        ("axes:\n  path: native\n  python: 3.11\nwithout_gpu: wait", "4:14", "import, skip"),
        ("exclude: [{path: native}]\ninclude: [{path: native, python: 3.11}]", "1:10", "'axes'"),
        ("axes:\n  path: native\n  python: 3.11\nexclude: [{reason: x}]", "4:11", "take all"),
        ("axes:\n  path: native\n  python: 3.11\nexclude: [{r: '>=x'}]", "4:15", "no comparison"),
        (f"{AXES}exclude: [{{path: natvie}}]", "2:18", "did you mean 'native'?"),
        (f"{AXES}exclude: [{{transport: zqm}}]", "2:23", "did you mean 'zmq'?"),
        (f"{AXES}exclude: [{{framework: pytorch}}]", "2:23", "write 'torch'"),
        (f"{AXES}exclude: [{{framework: 'keras[jax]>=3'}}]", "2:23", "write 'keras>=3' for all"),
        (f"{AXES}exclude: [{{python: 3.1}}]", "2:20", "did you mean 3.10?"),
        (f"{AXES}exclude: [{{python: every >=3.12}}]", "2:20", "name them, or a range"),
        (f"{AXES}exclude: [{{nunpy: '<2'}}]", "2:12", "did you mean 'numpy'?"),
        ("axes: {path: native, python: 3.11, memory_mb: 99}", "1:36", "write it under 'limits:'"),
        ("axes: {path: native, python: 3.11, probes: [init]}", "1:36", "at the top of the file"),
        ("include: [{path: native, python: 3.11, controls: no}]", "1:40", "at the top of the file"),
        ("include: [{path: native, python: 3.11, reason: x}]", "1:40", "an entry of 'exclude'"),
        ("axes: {path: native, python: 3.11, numpy: 1, NumPy: 2}", "1:46", "stands here already"),
        ("axes:\n\tpath: native", "2:1", "indent with spaces"),
        ("matrix: ../../reports/x\naxes:\n  path: native\n  python: 3.11", "1:9", "of a folder"),
        ("matrix: /srv/data\naxes:\n  path: native\n  python: 3.11", "1:9", "of a folder"),
        ('matrix: "a\\0b"\naxes:\n  path: native\n  python: 3.11', "1:9", "of a folder"),
        ("axes: {framework: [keras[jax]==3]}", "1:25", "on a line of its own"),
        ("a: &a [*a]", "1:4", "is led back to by an alias"),
        ("!!python/object/apply:os.system [id]", "1:1", "is a list"),
    ],
)
def test_says_what_is_wrong_and_where(tmp_path: Path, text: str, place: str, said: str) -> None:
    with pytest.raises(FileFault) as caught:
        load(tmp_path, text)
    message = str(caught.value)
    assert message.startswith(f"{tmp_path}/some.yaml:{place}"), message
    assert said in message
    assert "\n" not in message


def test_says_that_a_file_is_not_there_or_no_text(tmp_path: Path) -> None:
    with pytest.raises(FileFault, match="no such file"):
        load_matrix(tmp_path / "none.yaml", KNOWN)
    with pytest.raises(FileFault, match="is a folder"):
        load_matrix(tmp_path, KNOWN)
    (tmp_path / "latin.yaml").write_bytes(b"axes:\n  path: \xe9")
    with pytest.raises(FileFault, match=r"latin.yaml:2: is not UTF-8"):
        load_matrix(tmp_path / "latin.yaml", KNOWN)
    (tmp_path / "deep.yaml").write_text("[" * 100_000)
    with pytest.raises(FileFault, match="nested too deeply"):
        load_matrix(tmp_path / "deep.yaml", KNOWN)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_matrix_or_a_fault(
    tmp_path_factory: pytest.TempPathFactory, raw: bytes
) -> None:
    file = tmp_path_factory.mktemp("fuzz") / "m.yaml"
    file.write_bytes(raw)
    with pytest.raises(FileFault):
        load_matrix(file, KNOWN)

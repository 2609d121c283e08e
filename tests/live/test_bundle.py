"""A bundle made here and run where there is no R, no network, no privilege and no bubblewrap."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from harness.cli import run
from harness.errors import HarnessError
from harness.provision.python.suite import suite_of_python, suite_python
from harness.provision.store import FolderStore

# Minutes of xz: what the check runs of bundles are the tests in tests/unit/bundle.
pytestmark = [pytest.mark.live, pytest.mark.long]

BUDGET = 64_000_000
"""Bytes of a bundle for one R, one Python, reticulate and no framework."""
MATRIX = """\
axes:
  path: [native, reticulate, system]
  r: ["4.2.2"]
  python: ["3.11"]
probes: [init, call]
"""


@pytest.fixture(scope="module")
def elsewhere(store: FolderStore) -> Path:
    """The root folder of another system: it has a Python of its own, and no R."""
    if shutil.which("bwrap") is None:
        pytest.skip("an empty root is entered by bubblewrap, which is not installed")
    suite = suite_of_python("3.14")
    assert suite is not None
    try:
        root = suite_python(suite, "3.14", store=store, notify=print).root
    except HarnessError as error:
        pytest.skip(str(error))
    assert root is not None
    assert not list(root.glob("usr/bin/R*script"))
    return root


def within(
    root: Path, file: Path, out: Path, *arguments: str, shown: tuple[Path, ...] = ()
) -> subprocess.CompletedProcess[str]:
    """Start a bundle as a user without rights in ``root``, without a network."""
    out.mkdir(parents=True)
    binds = [part for path in shown for part in ("--ro-bind", str(path), str(path))]
    return subprocess.run(
        [
            *("bwrap", "--ro-bind", str(root), "/", "--proc", "/proc", "--dev", "/dev"),
            *("--tmpfs", "/tmp", "--tmpfs", "/root", "--tmpfs", "/home", "--dir", "/home/u"),
            *("--ro-bind", str(file), "/home/u/cells.pyz", "--bind", str(out), "/home/u/out"),
            *binds,
            *("--unshare-all", "--uid", "1000", "--gid", "1000", "--cap-drop", "ALL"),
            *("--clearenv", "--setenv", "PATH", "/usr/bin:/bin", "--setenv", "HOME", "/home/u"),
            *("--chdir", "/home/u", "python3", "cells.pyz", "--results", "out", *arguments),
        ],
        capture_output=True,
        text=True,
        check=False,
    )


def test_cells_run_where_there_is_nothing_but_a_python(elsewhere, tmp_path, capsys):
    matrix, file = tmp_path / "m.yaml", tmp_path / "cells.pyz"
    matrix.write_text(MATRIX)
    assert run(["bundle", str(matrix), "-o", str(file)]) == 0
    assert "SHA-256" in capsys.readouterr().out
    assert file.stat().st_size < BUDGET

    ran = within(elsewhere, file, tmp_path / "out")
    assert ran.returncode == 0, ran.stderr
    assert "3 ✓ pass" in ran.stdout or "✓ 3 pass" in ran.stdout, ran.stdout
    document = json.loads((tmp_path / "out/results.json").read_bytes())
    assert "Debian" in document["machine"]["os"]
    for cell in document["cells"]:
        assert cell["status"] == "pass"
        assert {probe["name"]: probe["status"] for probe in cell["probes"]} == {
            "init": "pass",
            "call": "pass",
        }
        if cell["axes"]["r"] is not None:
            assert cell["identity"]["comes_from"]["r"] == "debian:bookworm"

    # And the results come home.
    merged = tmp_path / "merged"
    assert run(["merge", str(tmp_path / "out"), "--results", str(merged)]) == 0
    cells = json.loads((merged / "results.json").read_bytes())["cells"]
    assert {cell["status"] for cell in cells} == {"pass"}
    assert (merged / "cells" / cells[0]["id"] / "stdout").is_file()

    # What was changed on the way is not run.
    damaged = bytearray(file.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    (tmp_path / "damaged.pyz").write_bytes(damaged)
    ran = within(elsewhere, tmp_path / "damaged.pyz", tmp_path / "nothing")
    assert ran.returncode == 2
    assert "it is damaged" in ran.stderr
    assert not list((tmp_path / "nothing").iterdir())


def test_paths_of_two_processes_and_of_one_run_there_too(elsewhere, tmp_path):
    """R calls a server in Python, and Python holds R, which is not where it was built for."""
    matrix, file = tmp_path / "m.yaml", tmp_path / "cells.pyz"
    matrix.write_text(
        "axes:\n  path: [rpy2]\n  r: ['4.2.2']\n  python: ['3.11']\ninclude:\n"
        "  - {path: rpc, transport: [socket, zmq, http], r: 4.2.2, python: '3.11'}\n"
        "  - {path: rpc, transport: rserve, r: 4.2.2, python: '3.11', numpy: '<2'}\n"
        "probes: [init, call]\n"
    )
    assert run(["bundle", str(matrix), "-o", str(file), "--quiet"]) == 0
    ran = within(elsewhere, file, tmp_path / "out")
    document = json.loads((tmp_path / "out/results.json").read_bytes())
    found = {cell["id"]: (cell["status"], cell["message"]) for cell in document["cells"]}
    assert [status for status, _ in found.values()] == ["pass"] * 7, (found, ran.stderr)


def test_the_framework_can_be_that_of_the_other_machine(elsewhere, tmp_path, capsys):
    matrix, file = tmp_path / "m.yaml", tmp_path / "cells.pyz"
    matrix.write_text(
        "axes:\n  path: [native, system]\n  r: ['4.2.2']\n  python: ['3.14']\n"
        "  framework: [torch]\nprobes: [init]\n"
    )
    assert run(["bundle", str(matrix), "--system-site", "-o", str(file), "--quiet"]) == 0
    # That machine's Python has no torch, and its cells say so; nothing is fetched.
    ran = within(elsewhere, file, tmp_path / "out")
    assert ran.returncode == 3, ran.stderr
    document = json.loads((tmp_path / "out/results.json").read_bytes())
    assert {cell["status"] for cell in document["cells"]} == {"unavailable"}
    assert "it has no torch, and torch is asked for" in document["cells"][0]["message"]

    # Without a framework it does all that the cells ask of it.
    matrix.write_text(MATRIX.replace("3.11", "3.14").replace("native, reticulate", "native"))
    assert run(["bundle", str(matrix), "--system-site", "-o", str(file), "--quiet"]) == 0
    ran = within(elsewhere, file, tmp_path / "second")
    document = json.loads((tmp_path / "second/results.json").read_bytes())
    assert {cell["status"] for cell in document["cells"]} == {"pass"}, ran.stdout
    versions = {cell["identity"]["python"]["version"] for cell in document["cells"]}
    assert all(version.startswith("3.14") for version in versions)

"""The path that the documentation has in full passes its cell as it stands there, and says no."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from harness.provision.store import default_root

pytestmark = pytest.mark.live

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "add-a-path.md"
BLOCK = re.compile(r"`(my_package/[\w.]+|pyproject\.toml)`:\n\n```\w+\n(.*?)```\n", re.DOTALL)
MATRIX = re.compile(r"\$ cat mybridge\.yaml\n(.*?)\$ harness run", re.DOTALL)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of packages with that of the page in it, to be put on the path of Python."""
    folder = tmp_path_factory.mktemp("my-package")
    blocks = dict(BLOCK.findall(PAGE.read_text(encoding="utf-8")))
    assert sorted(blocks) == [
        *("my_package/driver.R", "my_package/path.py", "my_package/worker.py", "pyproject.toml")
    ]
    for name, text in blocks.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    (folder / "my_package" / "__init__.py").touch()
    packages = tmp_path_factory.mktemp("packages")
    # The harness, which it depends on, is here.
    command = ["uv", "pip", "install", "-q", "--no-deps", "--target", packages, folder]
    subprocess.run([sys.executable, "-m", *command], check=True)
    return packages


def harness(*arguments: str, packages: Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(packages), "HARNESS_CACHE": str(default_root())},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_path_of_the_page_passes_its_cell(installed: Path, tmp_path: Path) -> None:
    found = MATRIX.search(PAGE.read_text(encoding="utf-8"))
    assert found is not None
    (tmp_path / "mybridge.yaml").write_text(found[1], encoding="utf-8")
    command = ("-m", "harness", "run", "mybridge.yaml", "--results", "out")
    ran = harness(*command, packages=installed, cwd=tmp_path)
    assert ran.returncode == 0, ran.stderr
    cells = json.loads((tmp_path / "out" / "results.json").read_text())["cells"]
    (cell,) = (cell for cell in cells if cell["axes"]["path"] == "mybridge")
    assert cell["status"] == "pass", cell
    stages = [stage["name"] for stage in cell["probes"][0]["stages"]]
    assert stages[:4] == ["process_start", "bridge_load", "python_start", "identity"]


def test_the_path_of_the_page_can_say_no(installed: Path) -> None:
    """By the tests that the page names."""
    checkout = PAGE.parents[2]
    command = ("-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider")
    planted = ("tests/live/test_say_no.py", "-k", "mybridge")
    ran = harness(*command, *planted, packages=installed, cwd=checkout)
    assert ran.returncode == 0, ran.stdout[-4000:]
    assert " passed" in ran.stdout

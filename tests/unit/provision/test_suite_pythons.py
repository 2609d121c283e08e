"""Pythons that live in a suite's root folder: which version means one, and what goes with it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from harness.errors import MachineFault, Unavailable
from harness.model.environment import (
    Interpreter,
    Lock,
    PackageSources,
    PythonEnvironment,
    RToolchain,
)
from harness.provision.process import Ran
from harness.provision.python import interpreters, uv
from harness.provision.python.interpreters import Interpreters, _why_not_fetched
from harness.provision.python.suite import suite_of_python
from harness.provision.r.meeting import why_not_together
from harness.provision.r.suites import Suite
from harness.provision.store import FolderStore


def rooted(suite: str, version: str) -> Interpreter:
    return Interpreter(
        executable=Path("/usr/bin/python3"),
        version=version,
        prefix=Path("/usr"),
        libpython=None,
        root=Path("/roots") / suite,
        libc="2.31",
        source=f"debian:{suite}",
    )


def of_machine(version: str, prefix: str) -> Interpreter:
    return Interpreter(
        executable=Path(prefix) / "bin/python3",
        version=version,
        prefix=Path(prefix),
        libpython=None,
    )


@pytest.fixture
def find(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Interpreter]:
    """Find a version among given interpreters of the machine, of uv and of the suites."""

    def find(
        version: str,
        here: tuple[Interpreter, ...] = (),
        uvs: Interpreter | None = None,
        fault: Exception | None = None,
    ) -> Interpreter:
        def bring(suite: Suite, _version: str) -> Interpreter:
            if fault is not None:
                raise fault
            return rooted(suite.name, suite.python)

        found = Interpreters(FolderStore(tmp_path), environ={}, bring=bring)
        monkeypatch.setattr(found, "all", lambda: here)
        monkeypatch.setattr(found, "_fetched", lambda _version: uvs or "uv could not")
        return found.find(version)

    return find


def test_versions_of_suites_are_found_by_their_parts() -> None:
    names = {
        "3.9.2": "bullseye",
        "3.11.2": "bookworm",
        "3.13": "trixie",
        "3.14": "sid",
        # A suite that moves on may have it by now; one that stays as it is never will.
        "3.14.99": "sid",
        "3.14.0": None,
        "3.13.99": None,
        "3.12": None,
    }
    found = {version: suite_of_python(version) for version in names}
    assert {version: suite and suite.name for version, suite in found.items()} == names


def test_the_machine_comes_first(find: Callable[..., Interpreter]) -> None:
    own = of_machine("3.13.5", "/home/u/.pyenv/versions/3.13.5")
    assert find("3.13", (own,)) is own
    assert find("3.13.5", (own,)) is own


def test_a_version_with_its_patch_is_the_suites_own(find: Callable[..., Interpreter]) -> None:
    uvs = of_machine("3.11.2", "/uv")
    systems = of_machine("3.11.2", "/usr")
    assert find("3.11.2", (systems,), uvs).source == "debian:bookworm"
    assert find("3.9.2").root == Path("/roots/bullseye")


def test_a_series_is_uvs_then_the_systems_then_a_suites(find: Callable[..., Interpreter]) -> None:
    uvs = of_machine("3.13.9", "/uv")
    systems = of_machine("3.13.5", "/usr")
    assert find("3.13", (systems,), uvs) is uvs
    assert find("3.13", (systems,)) is systems
    assert find("3.13").source == "debian:trixie"


def test_where_a_suite_cannot_be_brought_the_others_are_asked(
    find: Callable[..., Interpreter],
) -> None:
    systems = of_machine("3.11.2", "/usr")
    assert find("3.11.2", (systems,), fault=MachineFault("no mmdebstrap")) is systems
    with pytest.raises(Unavailable) as caught:
        find("3.9.2", fault=MachineFault("no mmdebstrap"))
    assert str(caught.value) == (
        "no Python 3.9.2: this machine has none; no mmdebstrap; uv could not; install it (for "
        "example with pyenv) or ask for one of these"
    )


def test_what_nobody_has_is_told_with_what_the_suites_have(
    find: Callable[..., Interpreter],
) -> None:
    with pytest.raises(Unavailable, match=r"Debian's suites ship 3\.9\.2 \(bullseye\), 3\.11\.2"):
        find("3.12.99")


@pytest.mark.parametrize("version", ["3.13t", "3.14.1t"])
def test_the_build_without_the_lock_is_refused(
    find: Callable[..., Interpreter], version: str
) -> None:
    with pytest.raises(Unavailable, match=f"without the global lock.* ask for {version[:-1]}$"):
        find(version, (of_machine("3.13.0", "/p"),))


def test_a_python_without_the_lock_is_not_taken_for_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = (
        'said:{"version": "3.13.0", "implementation": "CPython", "prefix": "/p", '
        '"free_threaded": true}'
    )
    program = tmp_path / "versions" / "3.13t" / "bin" / "python3.13"
    program.parent.mkdir(parents=True)
    program.write_bytes(b"\x7fELF")
    program.chmod(0o755)
    monkeypatch.setattr(
        interpreters, "run", lambda *_command, **_more: Ran(code=0, stdout=said, stderr="")
    )
    environ = {"PYENV_ROOT": str(tmp_path), "HOME": str(tmp_path), "PATH": ""}
    found = Interpreters(FolderStore(tmp_path / "store"), environ=environ, fetch=False)
    assert program not in [one.executable for one in found.all()]


@pytest.mark.parametrize(
    ("stderr", "said"),
    [
        ("error: No download found for request: cpython-3.99", "uv knows none to fetch"),
        ("cause: dns error", "UV_PYTHON_INSTALL_MIRROR names another"),
        ('Python downloads are not allowed (`python-downloads = "never"`)', "forbid"),
        ("error: Failed\n  cause: hash mismatch", "uv could not fetch it: hash mismatch"),
        ("cause: https://me:secret@mirror/x gave 500", "https://***@mirror/x gave 500"),
    ],
)
def test_why_uv_fetched_none_is_told(stderr: str, said: str) -> None:
    assert said in _why_not_fetched(Ran(code=1, stdout="", stderr=stderr))


def toolchain(source: str, root: Path | None) -> RToolchain:
    return RToolchain(
        version="4.5.0",
        rscript=Path("/usr/bin/Rscript"),
        root=root,
        packages={},
        source=source,
        digest="x",
    )


@pytest.mark.parametrize(
    ("source", "root"), [("debian:trixie", Path("/roots/trixie")), ("machine", None)]
)
def test_a_suites_python_goes_with_its_own_r_alone(source: str, root: Path | None) -> None:
    python = PythonEnvironment(
        executable=Path("/e/bin/python"),
        interpreter=rooted("bullseye", "3.9.2"),
        lock=Lock(text="", digest="x"),
        binds=(),
    )
    assert why_not_together(python, toolchain(source, root)) == (
        "it lives in a root folder of Debian bullseye, and goes with R 4.0.4 of that suite alone"
    )


def test_uv_runs_in_the_root_and_shows_nobody_its_credentials(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[tuple[list[str], dict[str, str]]] = []

    def run(command: list[str], *, env: dict[str, str], **_more: object) -> Ran:
        ran.append(([str(part) for part in command], env))
        return Ran(code=0, stdout="", stderr="")

    monkeypatch.setattr(uv, "run", run)
    root, wheels, folder = tmp_path / "root", tmp_path / "wheels", tmp_path / "env"
    for made in (root / "usr", root / "etc", wheels, folder):
        made.mkdir(parents=True)
    sources = PackageSources(
        env={
            "HOME": str(tmp_path),
            "UV_DEFAULT_INDEX": "https://me:secret@index/simple",
            "UV_FIND_LINKS": str(wheels),
            "UV_CACHE_DIR": str(tmp_path / "cache"),
        }
    )
    interpreter = Interpreter(
        executable=Path("/usr/bin/python3.9"),
        version="3.9.2",
        prefix=Path("/usr"),
        libpython=None,
        root=root,
    )
    uv.run_uv(interpreter, sources, ["venv", folder], folder=folder, limit_s=1)
    ((command, env),) = ran
    assert "secret" not in " ".join(command)
    assert env["UV_DEFAULT_INDEX"] == "https://me:secret@index/simple"
    joined = " ".join(command)
    assert f"--ro-bind {wheels} {wheels}" in joined
    assert f"--bind {folder} {folder}" in joined
    assert f"--bind {tmp_path / 'cache'} {tmp_path / 'cache'}" in joined
    assert "--share-net" in command
    assert "--clearenv" not in command
    assert command[-2:] == ["venv", str(folder)]

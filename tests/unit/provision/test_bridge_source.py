from __future__ import annotations

import tarfile
from pathlib import Path

import msgspec
import pytest

from harness.errors import Unavailable
from harness.model.environment import Build, RToolchain, SourceTree
from harness.provision.process import Ran
from harness.provision.r import bridge_source as module
from harness.provision.r.bridge_source import bridge_source, version_of_source

DEBIANS = RToolchain(
    version="4.5.0",
    rscript=Path("/usr/bin/Rscript"),
    root=Path("/root-folder"),
    packages={"reticulate": "1.41.0.1"},
    source="debian:trixie",
    digest="",
)
MACHINES = msgspec.structs.replace(DEBIANS, source="machine", root=None)


class Folders:
    """A store that builds anew each time."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def ensure(self, kind: str, key: str, build: Build, *, description: str = "") -> Path:
        place = self.folder / kind / key
        place.mkdir(parents=True)
        build(place)
        return place


def package(folder: Path, version: str = "1.41.0.1") -> Path:
    (folder / "tests/testthat").mkdir(parents=True)
    (folder / "DESCRIPTION").write_text(f"Package: reticulate\nVersion: {version}\nTitle: x\n")
    return folder


def find(toolchain: RToolchain, folder: Path, **environ: str) -> Path:
    return bridge_source(
        toolchain,
        "reticulate",
        store=Folders(folder / "store"),
        notify=lambda _text: None,
        environ=environ,
    )


def test_a_folder_that_the_user_names(tmp_path):
    source = package(tmp_path / "source")
    setting = f"other=/nowhere:reticulate={source}"
    assert find(MACHINES, tmp_path, HARNESS_BRIDGE_SOURCE=setting) == source
    assert version_of_source(source) == "1.41.0.1"


def test_a_folder_that_is_no_package(tmp_path):
    with pytest.raises(Unavailable, match="not the source of an R package"):
        find(DEBIANS, tmp_path, HARNESS_BRIDGE_SOURCE=f"reticulate={tmp_path}")


def test_an_r_of_the_machine_brings_no_source(tmp_path):
    with pytest.raises(Unavailable, match="set HARNESS_BRIDGE_SOURCE to reticulate=FOLDER"):
        find(MACHINES, tmp_path)


@pytest.fixture
def apt(monkeypatch, tmp_path):
    """apt-get that puts an archive of one version into its folder, or fails."""
    calls: list[list[str]] = []
    answer = {"version": "1.41.0.1", "archive": "reticulate_1.orig.tar.xz", "code": 0}

    def run(command, *, cwd, **_others):
        calls.append([str(part) for part in command])
        if "source" in command and answer["archive"]:
            tree = package(tmp_path / f"made{len(calls)}/reticulate", str(answer["version"]))
            with tarfile.open(cwd / str(answer["archive"]), "w:xz") as archive:
                archive.add(tree, "reticulate")
        return Ran(code=int(str(answer["code"])), stdout="", stderr="E: no such thing")

    monkeypatch.setattr(module, "run", run)
    monkeypatch.setattr(module.shutil, "which", lambda _name: "/usr/bin/apt-get")
    monkeypatch.setenv("HARNESS_DEBIAN_MIRROR", "http://mirror.example/debian")
    return calls, answer


def test_debians_source_of_the_suite_that_the_r_is_from(tmp_path, apt):
    calls, _answer = apt
    found = find(DEBIANS, tmp_path)
    assert version_of_source(found) == "1.41.0.1"
    assert (found / "tests/testthat").is_dir()
    assert [call[-1] for call in calls] == ["update", "r-cran-reticulate"]
    # It asks in a configuration of its own, and never past the archive's signature.
    assert any(part.startswith("Dir::Etc::SourceList=") for part in calls[0])
    assert not any("AllowUnauthenticated" in part or "trusted" in part for part in calls[0])
    assert not any("Check-Valid-Until" in part for part in calls[0])


def test_a_rolling_suite_may_be_past_its_date(tmp_path, apt):
    calls, _answer = apt
    find(msgspec.structs.replace(DEBIANS, source="debian:sid"), tmp_path)
    assert "Acquire::Check-Valid-Until=false" in calls[0]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"code": 100}, "cannot be had: E: no such thing; set HARNESS_BRIDGE_SOURCE"),
        ({"archive": ""}, "without its makers' archive"),
        ({"version": "1.42"}, "now has the source of reticulate 1.42, but 1.41.0.1 is installed"),
    ],
)
def test_a_source_that_cannot_be_had(tmp_path, apt, changes, message):
    _calls, answer = apt
    answer.update(changes)
    with pytest.raises(Unavailable, match=message):
        find(DEBIANS, tmp_path)


def test_what_was_built_brings_its_own_tests(tmp_path):
    tree = SourceTree(
        name="reticulate",
        version="1.43",
        place=package(tmp_path / "tree", "1.43"),
        digest="x",
        origin="folder",
    )
    built = msgspec.structs.replace(MACHINES, built={"reticulate": tree})
    assert find(built, tmp_path) == tree.place
    packed = tmp_path / "reticulate_1.43.tar.gz"
    with tarfile.open(packed, "w:gz") as archive:
        archive.add(tree.place, "reticulate")
    tree = msgspec.structs.replace(tree, place=packed, origin="repository")
    built = msgspec.structs.replace(MACHINES, built={"reticulate": tree})
    found = find(built, tmp_path)
    assert version_of_source(found) == "1.43"
    assert (found / "tests/testthat").is_dir()

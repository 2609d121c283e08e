"""R of this machine, by what a program called Rscript says when it is run."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import Unavailable
from harness.provision.r.machine import Machine, rscripts
from harness.provision.store import FolderStore


def rscript(folder: Path, version: str, says: str = "") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "Rscript"
    says = says or f"said:R {version}\\nsaid:base {version}\\nsaid:jsonlite 1.8.4\\n"
    path.write_text(f"#!/bin/sh\nprintf '{says}'\n")
    path.chmod(0o755)
    return path


def machine(tmp_path: Path, *folders: str, **more: str) -> Machine:
    path = ":".join(str(tmp_path / folder) for folder in folders)
    return Machine({"PATH": f"{path}:/usr/bin:/bin", "HOME": str(tmp_path), **more})


def test_path_comes_before_r_home_and_conda(tmp_path: Path) -> None:
    rscript(tmp_path / "one", "4.1.0")
    rscript(tmp_path / "home" / "bin", "4.2.0")
    rscript(tmp_path / "miniconda3" / "envs" / "x" / "bin", "4.3.0")
    found = machine(tmp_path, "one", R_HOME=str(tmp_path / "home")).versions()
    mine = [offer.version for offer in found if offer.description.startswith(str(tmp_path))]
    assert mine == ["4.1.0", "4.2.0", "4.3.0"]
    assert all(offer.system for offer in found)


def test_each_place_of_the_machine_is_looked_in(tmp_path: Path) -> None:
    base, home = tmp_path / "base", tmp_path / "home"
    places = [
        tmp_path / "path",
        tmp_path / "r-home" / "bin",
        # rig's, by their numbers: 4.10 came after 4.9.
        base / "opt/R/4.10.0/bin",
        base / "opt/R/4.9.1/bin",
        base / "Library/Frameworks/R.framework/Versions/4.5-arm64/Resources/bin",
        home / ".local/bin",
        base / "opt/homebrew/bin",
        base / "usr/local/bin",
        base / "home/linuxbrew/.linuxbrew/bin",
        tmp_path / "active" / "bin",
        tmp_path / "mamba" / "bin",
        tmp_path / "mamba" / "envs" / "r45" / "bin",
        home / "miniforge3/envs/r44/bin",
        base / "opt/conda/bin",
    ]
    for folder in reversed(places):
        rscript(folder, "4.4.1")
    environ = {
        "PATH": str(places[0]),
        "HOME": str(home),
        "R_HOME": str(tmp_path / "r-home"),
        "CONDA_PREFIX": str(tmp_path / "active"),
        "MAMBA_ROOT_PREFIX": str(tmp_path / "mamba"),
    }
    assert rscripts(environ, base) == tuple(folder / "Rscript" for folder in places)
    assert {offer.version for offer in Machine(environ, base).versions()} == {"4.4.1"}


def test_each_r_is_asked_without_the_home_of_another(tmp_path: Path) -> None:
    path = rscript(tmp_path / "one", "4.1.0")
    path.write_text('#!/bin/sh\nprintf "said:R 4.1.0\nsaid:home ${R_HOME:-none}\n"\n')
    provider = Machine({"PATH": f"{path.parent}:/usr/bin:/bin", "R_HOME": "/elsewhere"}, tmp_path)
    toolchain = provider.provide(
        provider.versions()[0], store=FolderStore(tmp_path / "store"), notify=print
    )
    assert toolchain.packages["home"] == "none"


def test_the_same_program_under_two_names_is_one(tmp_path: Path) -> None:
    real = rscript(tmp_path / "one", "4.1.0")
    (tmp_path / "two").mkdir()
    (tmp_path / "two" / "Rscript").symlink_to(real)
    environ = {"PATH": f"{tmp_path / 'two'}:{tmp_path / 'one'}", "HOME": str(tmp_path)}
    mine = [path for path in rscripts(environ) if path.is_relative_to(tmp_path)]
    assert mine == [tmp_path / "two" / "Rscript"]


def test_an_r_that_does_not_run_is_none(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    path = tmp_path / "one" / "Rscript"
    path.write_text("#!/bin/sh\nexit 127\n")
    path.chmod(0o755)
    descriptions = [offer.description for offer in machine(tmp_path, "one").versions()]
    assert str(path) not in descriptions


def test_packages_are_read_back_and_a_missing_one_is_told(tmp_path: Path) -> None:
    rscript(tmp_path / "one", "4.1.0")
    provider = machine(tmp_path, "one")
    offer = provider.versions()[0]
    store = FolderStore(tmp_path / "store")
    toolchain = provider.provide(offer, store=store, packages=["jsonlite"], notify=print)
    assert (toolchain.version, toolchain.source, toolchain.root) == ("4.1.0", "machine", None)
    assert toolchain.packages["jsonlite"] == "1.8.4"
    with pytest.raises(Unavailable, match=r"no package reticulate: run .*install.packages"):
        provider.provide(offer, store=store, packages=["reticulate"], notify=print)

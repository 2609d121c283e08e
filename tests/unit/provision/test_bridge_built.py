"""Another bridge than an R comes with: what is built, with what, and what is said where not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from harness.errors import BuildFailure, NotShipped, Unavailable
from harness.model.cell import SOURCE, Axes
from harness.model.environment import (
    PackageSources,
    RToolchain,
    SourceLibrary,
    SourcePackage,
    SourceTree,
)
from harness.provision import provisioner as module
from harness.provision.provisioner import Provisioner
from harness.provision.r.build import RLibrary
from harness.provision.r.source import Source
from harness.provision.store import FolderStore

DEBIANS = RToolchain(
    version="4.5.0",
    rscript=Path("/usr/bin/Rscript"),
    root=Path("/root-folder"),
    packages={"base": "4.5.0", "Rcpp": "1.0.14", "reticulate": "1.41.0.1"},
    source="debian:trixie",
    digest="d",
)


class Suite:
    """An R with packages, and a place to build; remembers what was asked of both."""

    def __init__(self) -> None:
        self.has = {"withr": "3.0.2"}
        self.brought: list[tuple[str, ...]] = []
        self.built: list[tuple[str, SourceLibrary, list[Source]]] = []
        self.failure: BuildFailure | None = None

    def provide(self, r: str, *, packages: Sequence[str], **_others: Any) -> RToolchain:
        self.brought.append(tuple(packages))
        absent = [name for name in packages if name not in {*DEBIANS.packages, *self.has}]
        if absent:
            names = tuple(f"r-cran-{name.lower()}" for name in absent)
            raise NotShipped(f"Debian trixie has no package {', '.join(names)}", packages=names)
        more = {name: self.has[name] for name in packages if name in self.has}
        return msgspec.structs.replace(
            DEBIANS, version=r, packages={**DEBIANS.packages, **more}, source=f"debian:{r}"
        )

    def build(
        self, r: RToolchain, sources: Sequence[Source], library: SourceLibrary, **_others: Any
    ) -> RLibrary:
        self.built.append((r.version, library, list(sources)))
        if self.failure is not None:
            raise self.failure
        folder = Path(f"/built/{r.version}/{sources[0].digest}")
        return RLibrary(folder=folder, packages={one.name: one.version for one in sources})


@pytest.fixture
def suite(monkeypatch: pytest.MonkeyPatch) -> Suite:
    suite = Suite()
    monkeypatch.setattr(module, "provide_r", suite.provide)
    monkeypatch.setattr(module, "build_r_packages", suite.build)
    return suite


@pytest.fixture
def store(tmp_path: Path) -> Iterator[FolderStore]:
    with FolderStore(tmp_path / "store") as store:
        yield store


def package(
    folder: Path, version: str, needs: str = "Rcpp (>= 1.0.7)", name: str = "reticulate"
) -> Path:
    place = folder / f"{name}_{version}"
    place.mkdir(parents=True)
    text = f"Package: {name}\nVersion: {version}\nDepends: R (>= 3.5)\nImports: {needs}\n"
    (place / "DESCRIPTION").write_text(text)
    return place


def provisioner(store: FolderStore, cran: Path | None = None, **trees: SourceTree) -> Provisioner:
    return Provisioner(store, sources=PackageSources(), cran=str(cran) if cran else "", trees=trees)


def axes(bridge: str | None, r: str = "4.5.0") -> Axes:
    return Axes(path="reticulate", r=r, bridge=bridge, python="3.12")


def ask(asked: Provisioner, bridge: str | None, r: str = "4.5.0") -> RToolchain:
    found = asked.r(axes(bridge, r), (), "reticulate")
    assert found is not None
    return found


@pytest.mark.parametrize("bridge", [None, "1.41", "1.41.0.1"])
def test_what_the_suite_ships_is_not_built(suite, store, tmp_path, bridge):
    package(tmp_path / "cran", "1.41.0.1")
    found = ask(provisioner(store, tmp_path / "cran"), bridge)
    assert (suite.built, found.built) == ([], {})


def test_another_version_is_built_and_says_what_from(suite, store, tmp_path):
    place = package(tmp_path / "cran", "1.41.0")
    found = ask(provisioner(store, tmp_path / "cran"), "1.41.0")
    assert found.packages["reticulate"] == "1.41.0"
    tree = found.built["reticulate"]
    assert (tree.place, tree.version, tree.origin) == (place, "1.41.0", "repository")
    assert found.env["R_LIBS"] == f"/built/4.5.0/{tree.digest}"
    assert found.binds == (Path(found.env["R_LIBS"]),)


def test_each_r_has_a_build_of_its_own_made_once(suite, store, tmp_path):
    package(tmp_path / "cran", "1.38.0")
    asked = provisioner(store, tmp_path / "cran")
    first, second, again = (ask(asked, "1.38", r) for r in ("4.2.2", "4.5.0", "4.2.2"))
    assert first.env["R_LIBS"] != second.env["R_LIBS"]
    assert again.env == first.env
    assert [r for r, _library, _sources in suite.built] == ["4.2.2", "4.5.0"]


def test_what_it_needs_comes_from_the_suite_to_the_cell_and_to_the_build(suite, store, tmp_path):
    package(tmp_path / "cran", "1.38.0", "Rcpp (>= 1.0.7), withr")
    found = ask(provisioner(store, tmp_path / "cran"), "1.38")
    assert suite.brought[-1] == ("reticulate", "withr")
    assert found.packages["withr"] == "3.0.2"
    ((_r, library, _sources),) = suite.built
    assert library.needs == ("reticulate", "withr")
    assert library.stamp == "Rcpp 1.0.14; withr 3.0.2"


def test_what_the_suite_has_not_is_built_from_the_repository_too(suite, store, tmp_path):
    cran = tmp_path / "cran"
    package(cran, "1.38.0", "Rcpp, here (>= 0.1), withr")
    package(cran, "1.0.1", "rprojroot", name="here")
    package(cran, "2.0.2", "withr", name="rprojroot")
    found = ask(provisioner(store, cran), "1.38")
    built = [sources[0].name for _r, _library, sources in suite.built]
    assert built == ["rprojroot", "here", "reticulate"], "what others need comes first"
    assert all("withr" in library.needs for _r, library, _sources in suite.built)
    assert found.packages["here"] == "1.0.1"
    assert {"here", "rprojroot", "reticulate"} <= set(found.built)
    assert len(found.env["R_LIBS"].split(":")) == 3


def test_what_a_package_of_the_repository_needs_comes_from_the_suite(suite, store, tmp_path):
    cran = tmp_path / "cran"
    package(cran, "1.38.0", "Rcpp, here (>= 0.1)")
    package(cran, "1.0.1", "withr (>= 2.0)", name="here")
    found = ask(provisioner(store, cran), "1.38")
    built = [sources[0].name for _r, _library, sources in suite.built]
    assert built == ["here", "reticulate"]
    assert found.packages["withr"] == "3.0.2"


def test_what_the_suite_has_too_old_is_built_from_the_repository_too(suite, store, tmp_path):
    package(tmp_path / "cran", "1.38.0", "Rcpp (>= 2.0)")
    package(tmp_path / "cran", "2.1", "", name="Rcpp")
    found = ask(provisioner(store, tmp_path / "cran"), "1.38")
    assert found.packages["Rcpp"] == "2.1"
    assert suite.built[-1][1].stamp == "Rcpp 2.1"


NEEDS, OF_R = "reticulate 1.38.0 needs", "R 4.5.0 (debian:4.5.0)"
NONE = "and no source of it is within reach"


@pytest.mark.parametrize(
    ("needs", "said"),
    [
        ("Rcpp, here", f"{NEEDS} here, but {OF_R} has not got it, {NONE}"),
        ("Rcpp (>= 2.0)", f"{NEEDS} Rcpp >= 2.0, but {OF_R} has Rcpp 1.0.14, {NONE}"),
        ("withr (>= 9)", f"{NEEDS} withr >= 9, but {OF_R} has withr 3.0.2, {NONE}"),
    ],
)
def test_what_the_suite_has_not_or_has_too_old_is_named(suite, store, tmp_path, needs, said):
    package(tmp_path / "cran", "1.38.0", needs)
    with pytest.raises(Unavailable) as error:
        ask(provisioner(store, tmp_path / "cran"), "1.38")
    assert str(error.value) == said
    assert suite.built == []


def test_an_r_that_is_too_old_for_it(suite, store, tmp_path):
    package(tmp_path / "cran", "1.38.0")
    with pytest.raises(Unavailable, match=r"needs R >= 3\.5, but R 3\.4\.0 .* has R 3\.4\.0"):
        ask(provisioner(store, tmp_path / "cran"), "1.38", "3.4.0")


def test_without_a_repository_the_sentence_says_how_to_name_one(suite, store):
    with pytest.raises(Unavailable) as error:
        ask(provisioner(store), "1.40.0")
    said = str(error.value)
    assert "R 4.5.0 (debian:4.5.0) comes with reticulate 1.41.0.1, and there is no source" in said
    assert "set HARNESS_CRAN" in said
    assert "--bridge NAME=PATH" in said


def given_tree(folder: Path, version: str = "1.43.0.9000") -> SourceTree:
    return SourceTree(
        name="reticulate",
        version=version,
        place=package(folder, version),
        digest=f"digest-of-{version}",
        origin="git",
        commit="c0ffee",
    )


def test_a_tree_is_built_whatever_its_version(suite, store, tmp_path):
    tree = given_tree(tmp_path, "1.41.0.1")
    found = ask(provisioner(store, reticulate=tree), SOURCE)
    assert found.built["reticulate"] == tree
    assert found.env["R_LIBS"] == "/built/4.5.0/digest-of-1.41.0.1"


def test_a_cell_from_source_without_a_tree_says_what_to_add(suite, store):
    with pytest.raises(Unavailable, match="add `--bridge reticulate=PATH`"):
        ask(provisioner(store), SOURCE)


def test_a_build_that_fails_is_not_tried_twice(suite, store, tmp_path):
    suite.failure = BuildFailure("it does not build", "the end", "the log")
    asked = provisioner(store, reticulate=given_tree(tmp_path))
    for _ in range(2):
        with pytest.raises(BuildFailure, match="does not build"):
            ask(asked, SOURCE)
    assert len(suite.built) == 1


def test_a_library_of_a_path_may_ask_for_the_tree(suite, store, tmp_path):
    tree = given_tree(tmp_path)
    library = SourceLibrary(packages=(SourcePackage(name="reticulate", version=SOURCE),))
    found = provisioner(store, reticulate=tree).with_sources(DEBIANS, [library])
    assert found.built == {"reticulate": tree}
    assert found.packages["reticulate"] == "1.43.0.9000"


def test_the_versions_of_a_bridge_are_those_of_the_suites_and_of_the_repository(store, tmp_path):
    package(tmp_path / "cran", "1.39.0")
    versions = provisioner(store, tmp_path / "cran").bridge_versions("reticulate")
    assert {"1.18", "1.28", "1.39.0", "1.41.0.1"} <= set(versions)
    assert list(versions).index("1.28") < list(versions).index("1.39.0")
    assert provisioner(store).bridge_versions("nobody") == ()

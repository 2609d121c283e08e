"""Which suite lends an old root newer libraries, and when."""

from __future__ import annotations

import platform
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from harness.errors import Unavailable
from harness.model.environment import (
    Interpreter,
    LentLibraries,
    Lock,
    PythonEnvironment,
    RToolchain,
    Store,
)
from harness.provision.linkage import Linkage
from harness.provision.process import Ran
from harness.provision.r import lending
from harness.provision.r.debian import lender_for, packages_of
from harness.provision.r.lending import Lending
from harness.provision.r.root import Recipe, _fault, _mmdebstrap, _pins
from harness.provision.r.suites import suite_named, suites
from harness.provision.store import FolderStore

LENT = LentLibraries(suite="bookworm", libc="2.36", packages=("libc6", "libssl3"))


def test_the_oldest_suite_that_will_do_lends() -> None:
    bullseye = suite_named("bullseye")
    found = [lender_for(bullseye, libc) for libc in ("2.32", "2.36", "2.37", "2.99")]
    assert [suite and suite.name for suite in found] == ["bookworm", "bookworm", "trixie", None]
    assert lender_for(suites()[-1], "2.32") is None


def test_libraries_have_packages_by_debians_rule() -> None:
    assert packages_of(["libssl.so.3", "libcrypto.so.3", "libz.so.1", "libm.so.6"]) == (
        "libc6",
        "libsqlite3-0",
        "libssl3",
        "zlib1g",
    )
    assert "libstdc++6" in packages_of(["libstdc++.so.6"])
    assert "libgcc-s1" in packages_of(["libgcc_s.so.1"])


def test_a_root_with_lent_libraries_is_another_root() -> None:
    plain = Recipe(suite=suite_named("bullseye"), packages=("r-base-core",))
    lent = Recipe(suite=plain.suite, packages=plain.packages, lent=LENT)
    assert plain.key != lent.key
    assert lent.included == ("libc6", "libssl3", "r-base-core")


def test_the_newer_suite_gives_these_packages_alone() -> None:
    recipe = Recipe(suite=suite_named("bullseye"), packages=("r-base-core",), lent=LENT)
    chosen, others = _pins(recipe).strip().split("\n\n")
    assert chosen.splitlines() == [
        "Package: libc6 libc-bin libssl3",
        "Pin: release n=bookworm",
        "Pin-Priority: 990",
    ]
    # Below the 500 that the suite's own packages have.
    assert others.splitlines()[-1] == "Pin-Priority: 100"
    command = _mmdebstrap(recipe, "http://mirror/debian")
    assert [part.split()[-2] for part in command[-2:]] == ["bullseye", "bookworm"]
    assert any(part.startswith("--setup-hook=") for part in command)
    # The dates of Release files count for suites that stay as they are.
    assert not any("Check-Valid-Until" in part for part in command)


def test_what_a_newer_c_library_breaks_comes_with_it() -> None:
    lent = LentLibraries(suite="trixie", libc="2.41", packages=("libc6",))
    recipe = Recipe(suite=suite_named("bullseye"), packages=("r-base-dev",), lent=lent)
    names = _pins(recipe).splitlines()[0].split()
    assert {"libc6", "base-files", "libc6-dev", "binutils*"} <= set(names)
    command = _mmdebstrap(recipe, "http://mirror/debian")
    # A C library of trixie lies in /usr/lib alone, where bullseye has a /lib beside it.
    assert any(part.startswith("--hook-dir=") and "merged-usr" in part for part in command)


def test_packages_that_do_not_go_together_are_not_the_machines_fault() -> None:
    said = (
        "The following packages have unmet dependencies:\n"
        " libc6-dev : Depends: libc6 (= 2.31-13) but 2.36-9 is to be installed\n"
        "E: Unable to correct problems, you have held broken packages.\n"
    )
    fault = _fault(suite_named("bullseye"), Ran(code=1, stdout="", stderr=said), "R")
    assert isinstance(fault, Unavailable)
    assert str(fault) == (
        "R from Debian bullseye: its packages cannot be installed together: libc6-dev : Depends: "
        "libc6 (= 2.31-13) but 2.36-9 is to be installed"
    )


class OldRoot:
    """The libraries of a root folder with C library 2.31."""

    libc = "2.31"

    def __init__(self, _root: Path) -> None:
        pass

    def lacks(self, linkage: Linkage) -> tuple[str, ...]:
        return tuple(linkage.versions)


class Lender:
    """A provider that notes what it is asked to lend."""

    name = "debian"

    def __init__(self) -> None:
        self.asked: list[tuple[str, tuple[str, ...], tuple[str, ...]]] = []

    def with_libraries_of(
        self,
        toolchain: RToolchain,
        libc: str,
        libraries: Sequence[str],
        *,
        store: Store,
        packages: Sequence[str] = (),
        notify: Callable[[str], None],
    ) -> RToolchain | None:
        self.asked.append((libc, tuple(libraries), tuple(packages)))
        return None


@pytest.fixture
def lend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    def lend(needs: Linkage, root: Path | None = tmp_path, own: Path | None = None) -> Any:
        lender = Lender()
        monkeypatch.setattr(lending, "providers", lambda: (lender,))
        monkeypatch.setattr(lending, "RootLibraries", OldRoot)
        monkeypatch.setattr(lending, "libraries_needed", lambda _python, _store: needs)
        monkeypatch.setattr(platform, "libc_ver", lambda: ("glibc", "2.36"))
        toolchain = RToolchain(
            version="4.0.4",
            rscript=Path("/usr/bin/Rscript"),
            root=root,
            packages={},
            source="debian:bullseye",
            digest="x",
        )
        interpreter = Interpreter(
            executable=Path("/p/bin/python3"),
            version="3.12.1",
            prefix=Path("/p"),
            libpython=None,
            root=own,
        )
        python = PythonEnvironment(
            executable=Path("/e/bin/python"),
            interpreter=interpreter,
            lock=Lock(text="", digest="x"),
            binds=(),
        )
        store = FolderStore(tmp_path / "store")
        assert Lending(store, lambda _line: None)(toolchain, ["jsonlite"], python) is toolchain
        return lender.asked

    return lend


NEWER = Linkage(
    versions={"libc.so.6": ("GLIBC_2.35",), "libssl.so.3": (), "libtk8.6.so": (), "libnsl.so.2": ()}
)


def test_what_is_needed_newer_is_lent(lend: Callable[..., Any]) -> None:
    # Windows and NIS are not worth another root folder.
    assert lend(NEWER) == [("2.35", ("libc.so.6", "libssl.so.3"), ("jsonlite",))]


def test_a_python_that_is_old_enough_gets_the_plain_root(lend: Callable[..., Any]) -> None:
    assert lend(Linkage(versions={"libffi.so.9": ()})) == []
    assert lend(Linkage()) == []


def test_an_abi_mark_without_a_number_asks_for_the_next_release(lend: Callable[..., Any]) -> None:
    needs = Linkage(versions={"libc.so.6": ("GLIBC_2.17", "GLIBC_ABI_DT_RELR")})
    assert [asked[0] for asked in lend(needs)] == ["2.32"]


def test_nothing_is_lent_where_there_is_no_root_or_the_python_has_its_own(
    lend: Callable[..., Any], tmp_path: Path
) -> None:
    assert lend(NEWER, root=None) == []
    assert lend(NEWER, own=tmp_path) == []

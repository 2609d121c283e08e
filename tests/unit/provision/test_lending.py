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
from harness.provision.r import lending, upgrade
from harness.provision.r.debian import lender_for, packages_of
from harness.provision.r.lending import Lending
from harness.provision.r.root import Recipe, _fault, _mmdebstrap
from harness.provision.r.suites import suite_named, suites
from harness.provision.r.upgrade import clashing, packages_to_lend, pins
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
    preferences = pins(["libc6", "libssl3"], "bookworm")
    chosen, others = preferences.strip().split("\n\n")
    assert chosen.splitlines() == [
        "Package: libc6 libssl3",
        "Pin: release n=bookworm",
        "Pin-Priority: 990",
    ]
    # Below the 500 that the suite's own packages have.
    assert others.splitlines()[-1] == "Pin-Priority: 100"
    recipe = Recipe(suite=suite_named("bullseye"), packages=("r-base-core",), lent=LENT)
    command = _mmdebstrap(recipe, "http://mirror/debian", preferences)
    assert [part.split()[-2] for part in command[-2:]] == ["bullseye", "bookworm"]
    (hook,) = (part for part in command if part.startswith("--setup-hook="))
    assert preferences in hook
    # The dates of Release files count for suites that stay as they are.
    assert not any("Check-Valid-Until" in part for part in command)


UNMET = """\
The following packages have unmet dependencies:
 libbinutils : Depends: libzstd1 (>= 1.5.2) but 1.4.8+dfsg-2.1 is to be installed
 binutils-x86-64 : Depends: libjansson4 (>= 2.14) but 2.13.1-1.1 is to be installed
                   Depends: libzstd1 (>= 1.5.2) but 1.4.8+dfsg-2.1 is to be installed
 libc6 : Breaks: base-files (< 13.3~) but 12.4+deb12u15 is to be installed
 libpam-modules : PreDepends: libpam0g (>= 1.3.2) but it is not installable
 libc6-dev : Depends: libc6 (= 2.31-13+deb11u11) but 2.36-9+deb12u14 is to be installed
E: Unable to correct problems, you have held broken packages.
"""


def test_what_does_not_go_together_comes_along() -> None:
    assert clashing(UNMET, ["libc6"]) == (
        *("libzstd1", "libjansson4", "base-files", "libpam0g"),
        # What it wants is lent already, so that it must change itself.
        "libc6-dev",
    )
    assert clashing("E: something else", ["libc6"]) == ()


class Apt:
    """Answers as apt would, in turn; notes the preferences it was given."""

    def __init__(self, *answers: Ran) -> None:
        self.answers = list(answers)
        self.preferences: list[str] = []

    def update(self, _suites: Sequence[str]) -> None:
        pass

    def labels(self, _suite: str) -> frozenset[str]:
        return frozenset({"Debian:11.11/oldoldstable"})

    def simulate(self, _suite: str, _packages: object, _suites: object, preferences: str) -> Ran:
        self.preferences.append(preferences)
        return self.answers.pop(0)


def asking(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *answers: Ran
) -> Callable[[], tuple[str, ...]]:
    apt = Apt(*answers)
    monkeypatch.setattr(upgrade, "_Apt", lambda *_where: apt)
    return lambda: packages_to_lend(
        "bullseye", ["r-base-core"], "bookworm", ["libc6"], ("http://mirror", tmp_path)
    )


REFUSED = Ran(code=100, stdout=UNMET, stderr="")
AGREED = Ran(
    code=0,
    stdout="Inst libc6 (2.36-9 Debian:12.15/oldstable [amd64]) []\n"
    "Inst zlib1g (1:1.2 Debian:11.11/oldoldstable, Debian:12.15/oldstable [amd64])\n"
    "Inst libzstd1 [1.4.8] (1.5.4 Debian:12.15/oldstable [amd64])\n"
    "Inst r-base-core (4.0.4-1 Debian:11.11/oldoldstable [amd64])\n",
    stderr="",
)


def test_apt_is_told_until_all_goes_together(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # What both suites have is the suite's own.
    assert asking(monkeypatch, tmp_path, REFUSED, AGREED)() == ("libc6", "libzstd1")


def test_where_apt_finds_no_way_it_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    stuck = Ran(
        code=100,
        stdout=" r-base-core : Depends: libc6 (< 2.32) but 2.36 is to be installed\n",
        stderr="",
    )
    with pytest.raises(Unavailable) as caught:
        asking(monkeypatch, tmp_path, *[stuck] * 20)()
    assert str(caught.value) == (
        "Debian bookworm cannot lend libc6 to bullseye: its packages do not go together: "
        "r-base-core: Depends: libc6 (< 2.32) but 2.36 is to be installed"
    )


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

"""What a suite has not got is found out once, and asked again when that may have changed."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from harness.errors import NotShipped
from harness.model.environment import RToolchain
from harness.provision.r import debian
from harness.provision.r.absent import Absent
from harness.provision.r.debian import PROVIDER
from harness.provision.r.provider import Offer
from harness.provision.r.suites import Suite, suite_named, suites
from harness.provision.store import FolderStore

MIRROR = "http://archive.invalid/debian"


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path / "store")


def test_nothing_is_known_at_first_and_what_is_added_stays(store: FolderStore) -> None:
    suite = suite_named("bookworm")
    assert Absent(suite, MIRROR, store).among(["r-cran-here"]) == ()
    Absent(suite, MIRROR, store).add(["r-cran-here", "r-cran-x"])
    again = Absent(suite, MIRROR, store)
    assert again.among(["r-cran-png", "r-cran-x", "r-cran-here"]) == ("r-cran-here", "r-cran-x")


def test_another_suite_and_another_archive_are_asked_themselves(store: FolderStore) -> None:
    Absent(suite_named("bullseye"), MIRROR, store).add(["r-cran-here"])
    assert Absent(suite_named("bookworm"), MIRROR, store).among(["r-cran-here"]) == ()
    assert Absent(suite_named("bullseye"), MIRROR + "2", store).among(["r-cran-here"]) == ()


@pytest.mark.parametrize("suite", [suites()[0], suites()[-1]], ids=lambda suite: suite.name)
def test_it_is_asked_again_in_time(suite: Suite, store: FolderStore) -> None:
    absent = Absent(suite, MIRROR, store)
    absent.add(["r-cran-here"])
    days = 86_400.0
    assert absent.among(["r-cran-here"], time.time() + 0.5 * days)
    later = 2 * days if suite.rolling else 31 * days
    assert not absent.among(["r-cran-here"], time.time() + later)


def test_a_damaged_note_is_no_note(store: FolderStore) -> None:
    absent = Absent(suite_named("bookworm"), MIRROR, store)
    absent.add(["r-cran-here"])
    (note,) = store.root.rglob("absent.json")
    note.write_text("{")
    assert absent.among(["r-cran-here"]) == ()


def test_the_archive_is_not_asked_a_second_time(
    store: FolderStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def make_root(*_: object) -> RToolchain:
        asked.append("archive")
        raise NotShipped("Debian bookworm has no package r-cran-here", ("r-cran-here",))

    monkeypatch.setattr(debian, "make_root", make_root)
    monkeypatch.setattr(debian, "debian_mirror", lambda: MIRROR)
    suite = suite_named("bookworm")
    offer = Offer(version=suite.r, description="Debian bookworm", rolling=False)
    for _ in range(2):
        with pytest.raises(NotShipped, match="has no package r-cran-here") as told:
            PROVIDER.provide(offer, store=store, packages=["here"], notify=print)
        assert told.value.packages == ("r-cran-here",)
    assert asked == ["archive"]

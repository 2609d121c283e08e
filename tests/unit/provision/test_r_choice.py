"""Which provider brings the R that a cell asks for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from harness.errors import MachineFault, Unavailable
from harness.model.environment import RToolchain, Store
from harness.provision.r import Offer, provide_r, providers
from harness.provision.r.debian import debian_packages
from harness.provision.r.suites import suites
from harness.provision.store import FolderStore


@dataclass
class Planted:
    """A provider whose answers are given."""

    name: str
    rank: int
    offered: tuple[Offer, ...]
    brings: dict[str, str] = field(default_factory=dict)
    fault: Exception | None = None
    asked: list[tuple[str, ...]] = field(default_factory=list)

    def versions(self) -> tuple[Offer, ...]:
        return self.offered

    def provide(
        self,
        offer: Offer,
        *,
        store: Store,
        packages: Sequence[str] = (),
        notify: Callable[[str], None],
    ) -> RToolchain:
        if self.fault is not None:
            raise self.fault
        self.asked.append(tuple(packages))
        return RToolchain(
            version=self.brings.get(offer.version, offer.version),
            rscript=Path("/usr/bin/Rscript"),
            root=None,
            packages={},
            source=f"{self.name}:{offer.description}",
            digest="x",
        )


def offer(version: str, where: str = "here", **more: bool) -> Offer:
    return Offer(version=version, description=where, **more)


@pytest.fixture
def bring(tmp_path: Path) -> Callable[..., RToolchain]:
    def bring(r: str, *known: Planted) -> RToolchain:
        return provide_r(
            r, store=FolderStore(tmp_path), notify=lambda _line: None, known=list(known)
        )

    return bring


SUITES = Planted("debian", 10, (offer("4.6.2", "sid", rolling=True), offer("4.2.2", "bookworm")))
MACHINE = Planted("machine", 20, (offer("4.2.2", "/usr", system=True), offer("4.1.0", "/opt")))


def test_system_is_the_first_r_of_the_machine(bring: Callable[..., RToolchain]) -> None:
    assert bring("system", SUITES, MACHINE).source == "machine:/usr"


def test_a_version_is_brought_from_debian_first(bring: Callable[..., RToolchain]) -> None:
    assert bring("4.2.2", SUITES, MACHINE).source == "debian:bookworm"
    assert bring("4.2", SUITES, MACHINE).source == "debian:bookworm"


def test_a_version_that_debian_has_not_is_the_machines(bring: Callable[..., RToolchain]) -> None:
    assert bring("4.1", SUITES, MACHINE).source == "machine:/opt"


def test_the_newest_of_a_series_is_taken(bring: Callable[..., RToolchain]) -> None:
    assert bring("4", SUITES).version == "4.6.2"


def test_what_nobody_has_is_told_with_what_there_is(bring: Callable[..., RToolchain]) -> None:
    with pytest.raises(Unavailable, match=r"no R 3.6 .* 4.2.2 \(bookworm\), 4.6.2 \(sid\)"):
        bring("3.6", SUITES)


def test_system_without_an_r_lists_what_debian_has(bring: Callable[..., RToolchain]) -> None:
    with pytest.raises(Unavailable, match=r"this machine has no R .* 4.2.2 \(bookworm\)"):
        bring("system", SUITES)


def test_a_suite_that_moved_on_is_told(bring: Callable[..., RToolchain]) -> None:
    moved = Planted("debian", 10, SUITES.offered, brings={"4.6.2": "4.6.3"})
    with pytest.raises(Unavailable, match=r"sid now ships R 4.6.3, not 4.6.2"):
        bring("4.6.2", moved)
    assert bring("4.6", moved).version == "4.6.3"


def test_a_suite_that_moves_on_may_have_a_later_version(bring: Callable[..., RToolchain]) -> None:
    moved = Planted("debian", 10, SUITES.offered, brings={"4.6.2": "4.6.3"})
    assert bring("4.6.3", moved).version == "4.6.3"
    with pytest.raises(Unavailable):
        bring("4.2.3", moved)


def test_the_machine_helps_where_debian_cannot(bring: Callable[..., RToolchain]) -> None:
    broken = Planted("debian", 10, SUITES.offered, fault=MachineFault("no mmdebstrap"))
    assert bring("4.2.2", broken, MACHINE).source == "machine:/usr"
    with pytest.raises(MachineFault, match="no mmdebstrap"):
        bring("4.6.2", broken, MACHINE)


def test_an_r_of_the_machine_need_not_have_what_other_paths_want(tmp_path: Path) -> None:
    own = Planted("machine", 20, (offer("4.1.0", "/opt", system=True),))
    brought = Planted("debian", 10, (offer("4.2.2", "bookworm"),))
    for r in ("4.1", "4.2"):
        provide_r(
            r,
            store=FolderStore(tmp_path),
            packages=["reticulate"],
            shared=["Rserve"],
            notify=lambda _line: None,
            known=[own, brought],
        )
    assert own.asked == [("reticulate",)]
    assert brought.asked == [("Rserve", "reticulate")]


def test_the_built_in_providers_are_registered() -> None:
    assert [provider.name for provider in providers()] == ["debian", "machine"]


def test_r_packages_are_debians_by_another_name() -> None:
    bookworm = next(suite for suite in suites() if suite.name == "bookworm")
    names = debian_packages(bookworm, ["Rserve", "jsonlite", "utils", "r-cran-rlang"])
    assert {"r-cran-rserve", "r-cran-jsonlite", "r-cran-rlang", "libpython3.11"} <= set(names)
    assert "r-cran-utils" not in names
    assert debian_packages(bookworm, ["b", "a"]) == debian_packages(bookworm, ["a", "b", "a"])

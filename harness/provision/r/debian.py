"""R from a Debian suite: a root folder made by mmdebstrap, entered with bubblewrap.

One archive serves every suite, and each suite has an R, bridges and a Python that were
released together.  The archive's signatures are always verified.
"""

from __future__ import annotations

import hashlib
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from harness.errors import MachineFault, NotShipped, Unavailable
from harness.model.environment import LentLibraries, RToolchain, Store
from harness.provision.linkage import C_LIBRARY, release_parts
from harness.provision.r.absent import Absent
from harness.provision.r.apt_sources import debian_mirror
from harness.provision.r.provider import Offer, RProvider
from harness.provision.r.readback import Readback, ask
from harness.provision.r.root import Recipe, enter, make_root, not_shipped
from harness.provision.r.suites import Suite, suite_named, suites

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_KIND: Final = "r-debian"
_BUILDER_KIND: Final = "r-builder"
_ROOT: Final = "root"
_LOG: Final = "mmdebstrap.log"
_SAID: Final = "toolchain.json"
_LENT: Final = "lent.json"
RSCRIPT: Final = Path("/usr/bin/Rscript")

# In every root, so that cells of all paths share one: the bridge, the exchange format, and a
# Python with its shared library, which is what R's LD_LIBRARY_PATH puts before others.
_BASE: Final = ("r-base-core", "r-cran-reticulate", "r-cran-jsonlite", "python3")
_IN_R: Final = frozenset(
    {"base", "compiler", "datasets", "grDevices", "graphics", "grid", "methods", "parallel",
     "splines", "stats", "stats4", "tcltk", "tools", "utils"}
)  # fmt: skip
_TO_BUILD: Final = ("r-base-dev",)
_LENT_ALWAYS: Final = ("libc6", "libsqlite3-0")
"""SQLite as well, which only some Pythons need newer: so that most of them share one root."""
_NOT_BY_RULE: Final = {
    "libbz2.so.1.0": "libbz2-1.0",
    "libcrypto.so.1.1": "libssl1.1",
    "libcrypto.so.3": "libssl3",
    "libgcc_s.so.1": "libgcc-s1",
    "libgdbm_compat.so.4": "libgdbm-compat4",
    "libpanelw.so.6": "libncursesw6",
    "libtcl8.6.so": "libtcl8.6",
    "libtk8.6.so": "libtk8.6",
    "libz.so.1": "zlib1g",
}
"""Packages of libraries, of those that a Python is linked with, whose name another rule made."""


class Debian:
    """Provides R from Debian's suites."""

    name = "debian"
    rank = 10

    def versions(self) -> tuple[Offer, ...]:
        """What the suites ship, the newest suite first."""
        return tuple(
            Offer(
                version=suite.r,
                description=f"Debian {suite.name}",
                rolling=suite.rolling,
            )
            for suite in reversed(suites())
        )

    def provide(
        self,
        offer: Offer,
        *,
        store: Store,
        packages: Sequence[str] = (),
        notify: Callable[[str], None],
    ) -> RToolchain:
        """Bring the R of a suite; see :class:`RProvider`."""
        suite = next(suite for suite in suites() if offer.description == f"Debian {suite.name}")
        return _toolchain(suite, packages, None, store, notify)

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
        """Bring the toolchain anew, with libraries of a newer suite; see :class:`LendsLibraries`.

        As Debian's own upgrades go, in part: the libraries alone, and what they need.
        """
        suite = _suite_of(toolchain)
        lender = lender_for(suite, libc)
        if lender is None:
            return None
        lent = LentLibraries(suite=lender.name, libc=lender.libc, packages=packages_of(libraries))
        return _toolchain(suite, packages, lent, store, notify)

    def builder(
        self,
        toolchain: RToolchain,
        *,
        store: Store,
        packages: Sequence[str] = (),
        notify: Callable[[str], None],
    ) -> Path:
        """Bring a root folder of the toolchain's suite in which R packages can be built.

        It has compilers, which no cell is to see, and is kept apart from the toolchain's own;
        see :class:`RProvider`.
        """
        suite = _suite_of(toolchain)
        wanted = tuple(sorted({*_TO_BUILD, *_named_by_debian(packages)}))
        recipe = Recipe(suite=suite, packages=wanted, lent=toolchain.lent)
        borrows = "" if toolchain.lent is None else f", libraries of {toolchain.lent.suite}"
        folder = store.ensure(
            _BUILDER_KIND,
            recipe.key,
            partial(_build, recipe, store, notify, what="the compilers for R"),
            description=f"compilers for R {suite.r} of Debian {suite.name}{borrows}",
        )
        said = _said(folder)
        if said.version != toolchain.version:
            raise Unavailable(
                f"Debian {suite.name} moved on: its compilers are for R {said.version}, but the "
                f"cell has R {toolchain.version}; run `harness cache --prune` to bring both anew"
            )
        return folder / _ROOT


def _toolchain(
    suite: Suite,
    packages: Sequence[str],
    lent: LentLibraries | None,
    store: Store,
    notify: Callable[[str], None],
) -> RToolchain:
    recipe = Recipe(suite=suite, packages=debian_packages(suite, packages), lent=lent)
    borrows = "" if lent is None else f", libraries of {lent.suite}"
    folder = store.ensure(
        _KIND,
        recipe.key,
        partial(_build, recipe, store, notify),
        description=f"R {suite.r} of Debian {suite.name}, {len(recipe.packages)} packages asked for"
        f"{borrows}",
    )
    said = _said(folder)
    absent = [name for name in packages if name not in said.packages]
    if absent:
        raise Unavailable(
            f"the R of Debian {suite.name} has no package {', '.join(absent)} although it was "
            "installed"
        )
    if lent is not None:
        # With all that had to come along.
        lent = msgspec.json.decode((folder / _LENT).read_bytes(), type=LentLibraries)
    return RToolchain(
        version=said.version,
        rscript=RSCRIPT,
        root=folder / _ROOT,
        packages=said.packages,
        source=f"debian:{suite.name}",
        lent=lent,
        digest=hashlib.sha256(recipe.key.encode() + msgspec.json.encode(said)).hexdigest(),
    )


def lender_for(suite: Suite, libc: str) -> Suite | None:
    """Return the oldest suite after ``suite`` whose C library is of release ``libc`` or newer."""
    known = suites()
    newer = known[known.index(suite) + 1 :]
    wanted = release_parts(libc)
    return next((other for other in newer if release_parts(other.libc) >= wanted), None)


def packages_of(libraries: Sequence[str]) -> tuple[str, ...]:
    """Return Debian's packages for shared libraries, by the rule that names those.

    >>> packages_of(["libssl.so.3", "libsqlite3.so.0", "libm.so.6", "libffi.so.8"])
    ('libc6', 'libffi8', 'libsqlite3-0', 'libssl3')
    """
    return tuple(sorted({*_LENT_ALWAYS, *(_package_of(name) for name in libraries)}))


def _package_of(library: str) -> str:
    if library in C_LIBRARY:
        return "libc6"
    if library in _NOT_BY_RULE:
        return _NOT_BY_RULE[library]
    stem, _so, version = library.lower().replace("_", "-").partition(".so.")
    # A name that ends in a digit is held apart from the version.
    return f"{stem}-{version}" if stem[-1:].isdigit() else f"{stem}{version}"


def debian_packages(suite: Suite, packages: Sequence[str]) -> tuple[str, ...]:
    """Names of Debian's packages for R packages: ``Rserve`` is in ``r-cran-rserve``.

    What is a name of Debian's already (``r-cran-rserve``, ``libpython3.13``) stays as it is.
    """
    return tuple(sorted({*_BASE, suite.libpython, *_named_by_debian(packages)}))


def _named_by_debian(packages: Sequence[str]) -> set[str]:
    wanted = set()
    for name in packages:
        if name in _IN_R:
            continue
        is_debians = name.startswith(("r-cran-", "r-bioc-", "lib", "python3"))
        wanted.add(name if is_debians else f"r-cran-{name.lower()}")
    return wanted


def _suite_of(toolchain: RToolchain) -> Suite:
    return suite_named(toolchain.source.removeprefix("debian:"))


def _said(folder: Path) -> Readback:
    return msgspec.json.decode((folder / _SAID).read_bytes(), type=Readback)


def _build(
    recipe: Recipe,
    store: Store,
    notify: Callable[[str], None],
    folder: Path,
    *,
    what: str = "R",
) -> None:
    suite = recipe.suite
    absent = Absent(suite, debian_mirror(), store)
    if known := absent.among(recipe.packages):
        raise not_shipped(suite, known)
    borrows = "" if recipe.lent is None else f" with the C library of {recipe.lent.suite}"
    notify(
        f"bringing {what} {suite.r} from Debian {suite.name}{borrows}: one to three minutes, once"
    )
    started = time.monotonic()
    root = folder / _ROOT
    try:
        lent = make_root(recipe, root, folder / _LOG, "R", notify)
    except NotShipped as error:
        absent.add(error.packages)
        raise
    said = ask([*enter(root), str(RSCRIPT)])
    if isinstance(said, str):
        raise MachineFault(
            f"the R of Debian {suite.name} was brought, but does not run here under bubblewrap: "
            f"{said}"
        )
    (folder / _SAID).write_bytes(msgspec.json.encode(said))
    (folder / _LENT).write_bytes(msgspec.json.encode(lent))
    notify(
        f"{what} {said.version} from Debian {suite.name} is there "
        f"({time.monotonic() - started:.0f} s)"
    )


PROVIDER: RProvider = Debian()

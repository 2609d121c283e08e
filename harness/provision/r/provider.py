"""What a source of R toolchains is to the rest of the harness."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from harness.model.environment import RToolchain, Store


class Offer(msgspec.Struct, frozen=True, kw_only=True):
    """An R that a provider can bring.

    ``description`` says where from: ``Debian trixie``, ``/opt/R/4.5.1/bin/Rscript``.
    ``system`` marks an R of this machine, which ``r: system`` asks for.  ``rolling`` says
    that the version may have moved on since it was written down.
    """

    version: str
    description: str
    system: bool = False
    rolling: bool = False


class RProvider(Protocol):
    """A source of R toolchains.

    To add one: an object of this shape, named by an entry point of the group
    ``harness.r_toolchains``.
    """

    name: str
    rank: int
    """Providers are asked in this order, least first."""

    def versions(self) -> tuple[Offer, ...]:
        """What can be had, in the order in which it would be taken."""
        ...

    def provide(
        self,
        offer: Offer,
        *,
        store: Store,
        packages: Sequence[str] = (),
        notify: Callable[[str], None],
    ) -> RToolchain:
        """Bring the R of ``offer`` with R packages.

        Parameters
        ----------
        packages
            R packages by their names (``jsonlite``).

        Raises
        ------
        Unavailable
            If the R, or a package, cannot be brought here.
        MachineFault
            If this machine lacks a program, or room; with the command that brings it.
        """
        ...


@runtime_checkable
class BringsCompilers(Protocol):
    """A provider that can also bring what builds packages for its toolchains."""

    def builder(
        self,
        toolchain: RToolchain,
        *,
        store: Store,
        packages: Sequence[str] = (),
        notify: Callable[[str], None],
    ) -> Path:
        """Return a root folder with compilers and the toolchain's own version of R.

        Parameters
        ----------
        packages
            R packages that the build needs, by their names.

        Raises
        ------
        Unavailable
            If it cannot be brought here.
        MachineFault
            If this machine lacks a program, or room.
        """
        ...


@runtime_checkable
class LendsLibraries(Protocol):
    """A provider that can give a toolchain newer libraries, for a Python that needs them."""

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
        """Return the toolchain with newer libraries; ``None`` where there are none so new.

        Parameters
        ----------
        libc
            Release of the C library that is needed at least (``2.35``).
        libraries
            File names of the libraries to be had newer (``libssl.so.3``).
        packages
            R packages, as for :meth:`RProvider.provide`.

        Raises
        ------
        Unavailable
            If it cannot be brought here.
        MachineFault
            If this machine lacks a program, or room.
        """
        ...


def matches(asked: str, version: str) -> bool:
    """Tell whether ``version`` is what ``asked`` names, as far as that has parts.

    >>> matches("4.6", "4.6.2"), matches("4.6.2", "4.6.2"), matches("4.6", "4.61.0")
    (True, True, False)
    """
    wanted, parts = asked.split("."), version.split(".")
    return parts[: len(wanted)] == wanted

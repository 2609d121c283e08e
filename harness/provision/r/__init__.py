"""R toolchains: which provider brings the R that a cell asks for."""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Final, cast

from packaging.version import InvalidVersion, Version

from harness.errors import MachineFault, Unavailable
from harness.provision.r.provider import Offer, RProvider, matches

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from harness.model.environment import RToolchain, Store

__all__ = ["Offer", "RProvider", "offers", "provide_r", "providers"]

GROUP: Final = "harness.r_toolchains"
SYSTEM: Final = "system"


def providers() -> tuple[RProvider, ...]:
    """Every registered provider, in the order in which they are asked."""
    found = (cast("RProvider", point.load()) for point in entry_points(group=GROUP))
    return tuple(sorted(found, key=lambda provider: (provider.rank, provider.name)))


def offers(known: Sequence[RProvider] | None = None) -> tuple[tuple[RProvider, Offer], ...]:
    """Every R that can be had, with who brings it."""
    asked = providers() if known is None else known
    return tuple((provider, offer) for provider in asked for offer in provider.versions())


def provide_r(
    r: str,
    *,
    store: Store,
    packages: Sequence[str] = (),
    shared: Sequence[str] = (),
    notify: Callable[[str], None],
    known: Sequence[RProvider] | None = None,
) -> RToolchain:
    """Bring the R that a cell asks for.

    ``system`` is the first R of this machine.  A version (``4.5.0``, or ``4.5`` for the newest
    of these) is brought by the first provider that has it: Debian, else this machine.

    Parameters
    ----------
    packages
        R packages by their names.
    shared
        Further packages for an R that is brought, which one of this machine need not have.
    known
        Providers to ask; by default those that are registered.

    Raises
    ------
    Unavailable
        If no provider has it; the sentence lists what there is.
    MachineFault
        If this machine lacks a program, or room, to bring it.
    """
    choices = _candidates(r, offers(known))
    if not choices:
        raise Unavailable(_sentence(r, known))
    fault: MachineFault | None = None
    for provider, offer in choices:
        wanted = packages if offer.system else tuple(sorted({*packages, *shared}))
        try:
            toolchain = provider.provide(offer, store=store, packages=wanted, notify=notify)
        except MachineFault as error:
            # An R of this machine will do where Debian's cannot be brought here.
            fault = fault or error
            continue
        if r != SYSTEM and not matches(r, toolchain.version):
            raise Unavailable(
                f"{offer.description} now ships R {toolchain.version}, not {r}; ask for "
                f"{toolchain.version}"
            )
        return toolchain
    raise fault or Unavailable(_sentence(r, known))


def _candidates(r: str, every: Sequence[tuple[RProvider, Offer]]) -> list[tuple[RProvider, Offer]]:
    """What fits, in the order of providers; the newest of one provider first."""
    if r == SYSTEM:
        return [choice for choice in every if choice[1].system][:1]
    fitting = [choice for choice in every if matches(r, choice[1].version)]
    fitting.sort(key=lambda choice: _version(choice[1].version), reverse=True)
    fitting.sort(key=lambda choice: choice[0].rank)
    return fitting or [choice for choice in every if _may_have_moved_to(r, choice[1])]


def _may_have_moved_to(r: str, offer: Offer) -> bool:
    """Tell whether a suite that moves on may ship ``r`` by now: the same series, but later."""
    series = offer.version.split(".")[:2]
    return offer.rolling and r.split(".")[:2] == series and _version(r) > _version(offer.version)


def _sentence(r: str, known: Sequence[RProvider] | None) -> str:
    every = offers(known)
    if r == SYSTEM:
        return (
            "this machine has no R (looked on PATH, in R_HOME, /opt/R, Homebrew and conda): "
            "install R, or ask for a version that Debian ships: "
            f"{_listed([offer for _provider, offer in every if not offer.system])}"
        )
    return f"no R {r} can be had here; there is {_listed([offer for _provider, offer in every])}"


def _listed(found: Sequence[Offer]) -> str:
    ordered = sorted(found, key=lambda offer: _version(offer.version))
    return ", ".join(f"{offer.version} ({offer.description})" for offer in ordered) or "none"


def _version(text: str) -> Version:
    try:
        return Version(text)
    except InvalidVersion:
        return Version("0")

"""An article's claims, held one by one against results.

The claims are data (``claims.yaml``), each with the name of a check.  A check is a function of
the results alone; where they hold nothing that it asks for, the claim is *not measured*, which
says nothing for or against it.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files

import msgspec
import yaml

from harness.model.document import Results
from harness.published.advice import Advice
from harness.published.checks import CHECKS, Evidence, Verdict, View, not_measured
from harness.published.figure import Figure

__all__ = ["Article", "Checked", "Verdict", "article", "claims"]


class Stated(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One claim: in our words, in a few of the article's, and where it stands in it."""

    id: str
    says: str
    quote: str
    where: str
    check: str
    reason: str = ""
    """Why it cannot be measured, of a claim with the check ``not_measured``."""


class Article(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The article: its title, its date, and its claims in the order in which it makes them."""

    title: str
    date: str
    claims: tuple[Stated, ...]


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """A claim with what the results say of it; ``cells`` are the ids of those that tell."""

    id: str
    says: str
    quote: str
    where: str
    verdict: Verdict
    because: str
    figures: tuple[Figure, ...] = ()

    @property
    def cells(self) -> tuple[str, ...]:
        """The ids of all cells that the verdict rests on."""
        return tuple(dict.fromkeys(cell for figure in self.figures for cell in figure.cells))


@cache
def article() -> Article:
    """Return the article and its claims."""
    text = files("harness.published").joinpath("claims.yaml").read_text(encoding="utf-8")
    loaded = yaml.safe_load(text)
    loaded["date"] = str(loaded["date"])
    return msgspec.convert(loaded, Article)


def claims(results: Results, known: Advice | None = None) -> tuple[Checked, ...]:
    """Return every claim with its verdict; the order of the results' cells does not matter.

    ``known`` is the advice on the same results, where the caller has it already.
    """
    view = View.of(results, known)
    return tuple(_checked(stated, view) for stated in article().claims)


def _checked(stated: Stated, view: View) -> Checked:
    found: Evidence
    found = not_measured(stated.reason) if stated.reason else CHECKS[stated.check](view)
    return Checked(
        id=stated.id,
        says=stated.says,
        quote=stated.quote,
        where=stated.where,
        verdict=found.verdict,
        because=found.because,
        figures=found.figures,
    )

"""Causes as data: what is known of failures, and the matcher that names them.

``diagnose(Evidence(text=..., facts={...}))`` returns a ``Diagnosis``.  Rules look at facts
first and at text second, because texts change with versions; where nothing fits, no cause is
named.  The catalogue is data, ``harness/causes/catalogue/*.yaml``.
"""

from __future__ import annotations

from harness.causes.entries import Catalogue
from harness.causes.model import Change, Diagnosis, Evidence, Finding, Remedy, RuledOut

__all__ = [
    "Catalogue",
    "Change",
    "Diagnosis",
    "Evidence",
    "Finding",
    "Remedy",
    "RuledOut",
    "diagnose",
    "load_catalogue",
]


def load_catalogue() -> Catalogue:
    """Return the catalogue that the harness comes with."""
    from harness.causes.cache import cached_catalogue

    return cached_catalogue()


def diagnose(evidence: Evidence, catalogue: Catalogue | None = None) -> Diagnosis:
    """Name the causes of a failure, best first."""
    from harness.causes.match import judge

    return judge(evidence, load_catalogue() if catalogue is None else catalogue)

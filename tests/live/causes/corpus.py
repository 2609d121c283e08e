"""All causes that are made to happen."""

from __future__ import annotations

from itertools import chain

from tests.live.causes import calls, finding, loading, packages, processes, rpy2, values
from tests.live.causes.case import Case

CASES: tuple[Case, ...] = tuple(
    chain.from_iterable(
        group.CASES for group in (finding, loading, packages, values, processes, calls, rpy2)
    )
)

__all__ = ["CASES"]

"""A number with the cells that it is from."""

from __future__ import annotations

from collections.abc import Iterable
from statistics import median
from typing import Literal

import msgspec

from harness.report.words import seconds, signed_seconds

Unit = Literal["s", "cells", "values", "versions", "share"]


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """A number, as it is and as a person reads it (``34 of 44``), and the ids of its cells.

    ``unit`` is ``s`` for seconds, ``share`` for a part of 1, else what is counted.
    """

    value: float
    unit: Unit
    text: str
    cells: tuple[str, ...]


def share(part: Iterable[str], whole: Iterable[str]) -> Figure:
    """Return how many of the cells ``whole`` are in ``part``; a share of none is 0."""
    every = tuple(dict.fromkeys(whole))
    chosen = set(part) & set(every)
    value = len(chosen) / len(every) if every else 0.0
    return Figure(value=value, unit="share", text=f"{len(chosen)} of {len(every)}", cells=every)


def counted(cells: Iterable[str], noun: Unit = "cells") -> Figure:
    """Return the number of these cells."""
    every = tuple(dict.fromkeys(cells))
    return Figure(value=len(every), unit=noun, text=str(len(every)), cells=every)


def middle(values: Iterable[float], cells: Iterable[str], *, signed: bool = False) -> Figure:
    """Return the median of times in seconds; with its sign where it is a difference."""
    value = median(values)
    text = signed_seconds(value) if signed else seconds(value)
    return Figure(value=value, unit="s", text=text, cells=tuple(dict.fromkeys(cells)))

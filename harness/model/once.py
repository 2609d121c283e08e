"""What is derived from one results document is derived once, whoever asks for it."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from functools import wraps
from typing import TypeVar

from harness.model.document import Results

T = TypeVar("T")


def once(derive: Callable[[Results], T]) -> Callable[[Results], T]:
    """Keep what ``derive`` returns for as long as the document lives that it was derived from.

    A site asks half a dozen times which versions were together.  Documents are told apart by
    their identity, as comparing two would take longer than most derivations; what is returned
    is shared by all who ask, and must not be changed.
    """
    kept: dict[int, tuple[weakref.ref[Results], T]] = {}

    @wraps(derive)
    def derived(results: Results) -> T:
        name = id(results)
        if name not in kept:

            def forget(_: weakref.ref[Results]) -> None:
                # Before another document can have the same identity.
                kept.pop(name, None)

            kept[name] = weakref.ref(results, forget), derive(results)
        return kept[name][1]

    return derived

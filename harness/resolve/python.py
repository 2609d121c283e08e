"""The Python that is resolved for: one of this machine, or one that is not here."""

from __future__ import annotations

import msgspec

from harness.model.environment import Interpreter


class Absent(msgspec.Struct, frozen=True, kw_only=True):
    """A Python that is not on this machine: what there is for it can be told by its version.

    ``version`` has all its parts: what holds for 3.12.0 need not hold for 3.12.9.
    """

    version: str


Python = Interpreter | Absent

"""The table of Debian's suites: which R each of them ships."""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import Any

import msgspec
import yaml


class Suite(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A Debian suite; versions as ``suites.yaml`` has them.

    ``rolling`` marks a suite whose versions move on after the table was written.
    """

    name: str
    r: str
    reticulate: str
    rpy2: str
    rserve: str
    pbdzmq: str
    python: str
    libpython: str
    libc: str
    rolling: bool


@cache
def suites() -> tuple[Suite, ...]:
    """Return all suites, oldest first."""
    text = resources.files("harness.provision.r").joinpath("suites.yaml").read_text()
    table: dict[str, Any] = yaml.safe_load(text)["suites"]
    return tuple(msgspec.convert({"name": name, **row}, Suite) for name, row in table.items())


def suite_named(name: str) -> Suite:
    """Return the suite called ``name``, which must be in the table."""
    return next(suite for suite in suites() if suite.name == name)

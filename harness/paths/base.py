"""What an integration path is to the rest of the harness."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import msgspec

from harness.model.cell import Axes
from harness.model.environment import Provisioned


class Launch(msgspec.Struct, frozen=True, kw_only=True):
    """How a path's driver starts: the command line and the path's own variables.

    ``{driver}`` needs no substitution: the paths are those that the cell sees.
    """

    argv: tuple[str, ...]
    env: dict[str, str] = {}


class IntegrationPath(Protocol):
    """A way for R and Python to work together.

    To add one: a package with an object of this shape, named by an entry point of the
    group ``harness.paths``, and its driver files in the same folder.
    """

    name: str
    """As the axis ``path`` has it."""
    uses_r: bool
    bridge_package: str | None
    """The R package (or Python package) that is the bridge; ``None`` where there is none."""
    r_packages: tuple[str, ...]
    """R packages that the driver loads."""
    transports: tuple[str, ...]
    """Values of the axis ``transport``; empty where the path has none."""
    probes: frozenset[str]
    """Probes that the path can do; the others are ``unsupported``, with ``why_not``."""
    files: Path
    """Folder of the driver files; the cell sees it as ``$HARNESS_PATH_FILES``."""

    def requirements(self, axes: Axes) -> tuple[str, ...]:
        """Return the Python packages that the path needs beside the framework and numpy.

        They are laid over the environment of the framework, which stays as it is: a cell and
        its control share it.
        """
        ...

    def launch(self, axes: Axes, provisioned: Provisioned, files: Path) -> Launch:
        """Say how to start the driver, whose files the cell sees in ``files``."""
        ...

    def why_not(self, probe: str, axes: Axes) -> str | None:
        """One sentence on why the path cannot do ``probe`` in this cell, or ``None``."""
        ...

"""What an integration path is to the rest of the harness."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol, runtime_checkable

import msgspec

from harness.model.cell import Axes
from harness.model.environment import Provisioned, PythonEnvironment, SourceLibrary


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
    """The R package (or Python package) that is the bridge; ``None`` where there is none.

    One that is among ``r_packages`` comes with the R, and its version is held against the axis.
    """
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


class Needs(msgspec.Struct, frozen=True, kw_only=True):
    """What one probe needs beyond what its path needs anyway.

    ``requirements`` are Python packages, laid over the environment with the path's own;
    ``r_packages`` R packages, for which the cell gets an R of its own.  With
    ``bridge_source`` the cell finds the source tree of its bridge in the folder
    ``$HARNESS_BRIDGE_SOURCE``.
    """

    requirements: tuple[str, ...] = ()
    r_packages: tuple[str, ...] = ()
    bridge_source: bool = False


@runtime_checkable
class ChoosesBridge(Protocol):
    """A path that knows itself which version of its bridge fits an R.

    For the others it is the version that came with the R.
    """

    def default_bridge(self, r: str) -> str | None:
        """Return the version for R ``r``, or ``None`` where ``r`` does not say enough."""
        ...


@runtime_checkable
class BuildsBridge(Protocol):
    """A path whose Python packages are built from their source with variables of their own."""

    build_env: Mapping[str, str]


@runtime_checkable
class BuildsForR(Protocol):
    """A path whose R packages are built from their source, because no R comes with them."""

    def r_libraries(self, axes: Axes, python: PythonEnvironment) -> tuple[SourceLibrary, ...]:
        """Say what is to be built for a cell, what others need first.

        Raises ``Unavailable`` where the Python is not made for it.
        """
        ...


@runtime_checkable
class CrossesProcesses(Protocol):
    """A path whose calls go to another process: how long they take, the clock on the wall says.

    On the others a call is work of the one process, and is timed by its processor time, which a
    busy machine disturbs less.
    """

    crosses_processes: bool


@runtime_checkable
class HasNeeds(Protocol):
    """A path some of whose probes need more than others."""

    def needs(self, probe: str, axes: Axes) -> Needs:
        """Return what ``probe`` needs in a cell beyond what the path needs anyway."""
        ...

"""Python holds R in its own process, by the Python package rpy2."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import yaml
from packaging.specifiers import SpecifierSet
from packaging.version import InvalidVersion, Version

from harness.errors import Unavailable
from harness.model.cell import SOURCE, Axes
from harness.model.environment import Provisioned
from harness.paths.base import Launch, Needs

_SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_FEWEST_PARTS = 2
"""Parts of a version of R that say which rpy2 fits: ``4`` does not."""


class _Default(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    r: str
    rpy2: str


class _Versions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``versions.yaml``."""

    source: str
    date: Any
    defaults: tuple[_Default, ...]
    releases: dict[str, dict[str, str]]


class Rpy2:
    """Data are made in R, and the framework is driven from Python."""

    name = "rpy2"
    uses_r = True
    bridge_package: str | None = "rpy2"
    r_packages: tuple[str, ...] = ()
    transports: tuple[str, ...] = ()
    probes: frozenset[str] = frozenset(
        {"init", "train", "call", "callback", "convert", "error", "transfer", "upstream"}
    )
    files = Path(__file__).parent
    # No R is there when the package is built, and one that is would be another than the cell's.
    build_env: Mapping[str, str] = {"RPY2_CFFI_MODE": "ABI"}

    def default_bridge(self, r: str) -> str | None:
        """Return the rpy2 that is known to work with an R; see ``versions.yaml``."""
        try:
            version = Version(r)
        except InvalidVersion:
            return None
        if len(version.release) < _FEWEST_PARTS:
            return None
        fitting = (row.rpy2 for row in _versions().defaults if version in SpecifierSet(row.r))
        return next(fitting, None)

    def requirements(self, axes: Axes) -> tuple[str, ...]:
        """Return rpy2 with the parts that belong to it.

        Since 3.6 it is made of parts of which it states only the lowest version, so that a
        release alone says nothing of what is installed.  A source tree says itself what it needs
        beside, which is asked of what was built.
        """
        asked = axes.bridge
        if asked is None or asked == SOURCE:
            return ("rpy2",)
        releases = _versions().releases
        below = [name for name in releases if f"{name}.".startswith(f"{asked}.")]
        if not below:
            exact = len(asked.split(".")) > _FEWEST_PARTS
            return (f"rpy2=={asked}" if exact else f"rpy2=={asked}.*",)
        release = max(below, key=Version)
        parts = releases[release].items()
        return (f"rpy2=={release}", *(f"{name}=={version}" for name, version in parts))

    def needs(self, probe: str, axes: Axes) -> Needs:  # noqa: ARG002
        """Return what a probe needs beyond the path: rpy2's own tests, what they are made for."""
        if probe != "upstream":
            return Needs()
        # One of the tests loads survival, which R's own sources bring along and Debian's do not.
        return Needs(requirements=("pytest>=8.1",), r_packages=("survival",))

    def launch(self, axes: Axes, provisioned: Provisioned, files: Path) -> Launch:
        """Run the driver with the cell's Python; rpy2 finds the cell's R first on ``PATH``."""
        if provisioned.r is None:
            raise Unavailable(f"the path rpy2 needs an R, and there is none for {axes.r}")
        rscript = provisioned.r.rscript
        env = {"PATH": f"{rscript.parent}:{_SYSTEM_PATH}", "RPY2_CFFI_MODE": "ABI"}
        libraries = None if provisioned.r.root is not None else _libraries(rscript)
        if libraries is not None:
            env["LD_LIBRARY_PATH"] = str(libraries)
        argv = (str(provisioned.python.executable), str(files / "driver.py"))
        return Launch(argv=argv, env=env)

    def why_not(self, probe: str, axes: Axes) -> str | None:  # noqa: ARG002
        """Say why the path cannot do ``probe`` in a cell."""
        if probe in self.probes:
            return None
        return f"the path rpy2 has no driver for the probe {probe}"


@cache
def _versions() -> _Versions:
    text = (Path(__file__).parent / "versions.yaml").read_text(encoding="utf-8")
    return msgspec.convert(yaml.safe_load(text), _Versions)


def _libraries(rscript: Path) -> Path | None:
    """Return the folder of libR, where an R has libraries beside it that libR itself needs.

    R's own start script names that folder to the loader (``libRblas.so``); rpy2 loads libR
    without that script.
    """
    home = rscript.resolve().parents[1]
    for folder in (home / "lib", home / "lib/R/lib", home / "lib64/R/lib"):
        if (folder / "libR.so").is_file() and (folder / "libRblas.so").exists():
            return folder
    return None


PATH = Rpy2()

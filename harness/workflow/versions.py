"""Which versions there are: what ``newest`` and ``every`` of a matrix stand for today."""

from __future__ import annotations

from collections.abc import Iterable

from harness.errors import MachineFault, Unavailable
from harness.paths.base import BuildsForR
from harness.provision.provisioner import Provisioner
from harness.provision.store import FolderStore, default_root
from harness.registry import Registry
from harness.workflow.registry import paths

PACKAGES = {"tensorflow": "tensorflow-cpu"}
"""Frameworks whose package on the CPU has another name."""


class Versions:
    """Versions by axis and name; asks each place once, and only where a matrix needs it."""

    def __init__(self, registry: Registry, provisioner: Provisioner) -> None:
        self._registry = registry
        self._provisioner = provisioner

    def __call__(self, axis: str, name: str) -> Iterable[str]:
        """Return the versions of ``name`` on an axis, in no order.

        Parameters
        ----------
        axis
            ``r``, ``python``, ``framework``, ``bridge``, or ``package`` for one to pin.
        name
            The framework, the path whose bridge it is, or the package.

        Raises
        ------
        MachineFault
            If the place that knows is out of reach.
        """
        try:
            if axis == "r":
                return self._provisioner.r_versions()
            if axis == "python":
                return self._provisioner.python_versions()
            if axis == "bridge":
                return self._bridges(name)
            return self._releases(PACKAGES.get(name, name) if axis == "framework" else name)
        except Unavailable as error:
            what = "R" if axis == "r" else "Python" if axis == "python" else name
            raise MachineFault(f"it cannot be found out which {what} there is: {error}") from None

    def _bridges(self, path: str) -> Iterable[str]:
        found = paths()[path]
        package = found.bridge_package
        assert package is not None
        if package in found.r_packages or isinstance(found, BuildsForR):
            return self._provisioner.bridge_versions(package)
        return self._releases(package)

    def _releases(self, package: str) -> Iterable[str]:
        return [
            release.version
            for release in self._registry.releases(package)
            # A label (2.13.0+cpu) is of a build of some folder: the version is there without it.
            if not release.yanked and (release.wheels or release.sdist)
            if "+" not in release.version
        ]


def versions_here(cran: str | None = None) -> Versions:
    """Return what answers for this machine, its package indexes and the repository ``cran``."""
    store = FolderStore(default_root())
    provisioner = Provisioner(store, cran=cran)
    return Versions(Registry(store, provisioner.sources), provisioner)

"""Programs of the system that R's root folders need, installed where that is ours to do."""

from __future__ import annotations

import os
import shutil
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from harness.errors import MachineFault
from harness.provision.process import run

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

KEYRING: Final = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_LIMIT_S: Final = 900.0
_GUARD = threading.Lock()


class Need(msgspec.Struct, frozen=True):
    """A program or file that must be there, and the Debian package that has it."""

    what: str
    package: str

    @property
    def is_met(self) -> bool:
        """True where it is there."""
        if self.what.startswith("/"):
            return Path(self.what).exists()
        return shutil.which(self.what) is not None


MMDEBSTRAP: Final = Need("mmdebstrap", "mmdebstrap")
BWRAP: Final = Need("bwrap", "bubblewrap")
TAR: Final = Need("tar", "tar")
ARCHIVE_KEYS: Final = Need(str(KEYRING), "debian-archive-keyring")


def require(
    *needs: Need,
    notify: Callable[[str], None],
    environ: Mapping[str, str] | None = None,
) -> None:
    """See to it that ``needs`` are met.

    What is missing is installed, and said so, where the user is root and the system has
    ``apt-get``.

    Raises
    ------
    MachineFault
        If something is missing and cannot be installed; with the command that installs it.
    """
    with _GUARD:
        missing = [need for need in needs if not need.is_met]
        if not missing:
            return
        packages = sorted({need.package for need in missing})
        names = ", ".join(need.what for need in missing)
        command = f"apt-get install --no-install-recommends {' '.join(packages)}"
        if shutil.which("apt-get") is None:
            raise MachineFault(
                f"this machine has no {names}, with which Debian's R is brought: install "
                f"{' '.join(packages)} with the system's package manager, or install R and ask "
                "for `r: system`"
            )
        if os.geteuid() != 0:
            raise MachineFault(f"this machine has no {names}: run `sudo {command}`")
        notify(f"installing {' '.join(packages)} with apt-get, because {names} is missing")
        _install(packages, command, dict(os.environ if environ is None else environ))
        still = [need.what for need in missing if not need.is_met]
        if still:
            raise MachineFault(f"`{command}` ran, but {', '.join(still)} is still missing")


def _install(packages: list[str], command: str, environ: dict[str, str]) -> None:
    environ |= {"DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}
    # Another apt-get that is at work is waited for, not run into.
    patience = ("-o", "DPkg::Lock::Timeout=300")
    for arguments in (
        ("apt-get", *patience, "update"),
        ("apt-get", *patience, "install", "--yes", "--no-install-recommends", *packages),
    ):
        ran = run(arguments, env=environ, limit_s=_LIMIT_S)
        # `update` says no when any one source is out of reach, a third party's too: what
        # counts is whether the package can be installed.
        if not ran.ok and "install" in arguments:
            raise MachineFault(f"`{command}` failed: {ran.tail()}")

"""What this machine's kernel keeps from ordinary users."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

_SETTINGS: Final = (
    # Ubuntu 23.10 and newer.
    ("kernel.apparmor_restrict_unprivileged_userns", "1", "0"),
    # Debian up to 10, Arch's hardened kernel.
    ("kernel.unprivileged_userns_clone", "0", "1"),
    # Red Hat's, and whoever turns them off.
    ("user.max_user_namespaces", "0", "15000"),
)
"""A setting, the value of it that keeps user namespaces away, and one that allows them."""


def without_namespaces(settings: Path = Path("/proc/sys")) -> str:
    """Return what keeps user namespaces away and what allows them; ``""`` where nothing does.

    Parameters
    ----------
    settings
        The folder of the kernel's settings.
    """
    for name, forbids, allows in _SETTINGS:
        try:
            value = settings.joinpath(*name.split(".")).read_text(encoding="ascii").strip()
        except (OSError, ValueError):
            continue
        if value == forbids and (os.geteuid() != 0 or name.startswith("user.")):
            return f"{name} is {value}, and `sudo sysctl -w {name}={allows}` allows them"
    return ""

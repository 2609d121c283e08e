"""Whether what reticulate would fetch can be reached; nothing is fetched."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Final

import msgspec

INSTALLER: Final = "https://astral.sh/uv/install.sh"
"""What reticulate 1.41 and later fetch first; see its ``uv_binary()``."""
PYTHONS: Final = "https://github.com/astral-sh/python-build-standalone/releases"
"""Where uv takes a Python from."""
_LIMIT_S: Final = 4.0


class Reach(msgspec.Struct, frozen=True, kw_only=True):
    """Whether an address answers, and in words how."""

    reached: bool
    text: str


def reach(environ: Mapping[str, str], address: str = INSTALLER) -> Reach:
    """Ask for the head of what reticulate would fetch, through the user's own proxy."""
    proxies = {
        scheme: value
        for scheme in ("http", "https")
        for name in (f"{scheme}_proxy", f"{scheme}_proxy".upper())
        if (value := environ.get(name))
    }
    opener = urllib.request.build_opener(urllib.request.ProxyHandler(proxies))
    request = urllib.request.Request(address, method="HEAD")  # noqa: S310 - https, written above
    try:
        with opener.open(request, timeout=_LIMIT_S):
            return Reach(reached=True, text=f"{address} can be reached")
    except urllib.error.HTTPError as error:
        return Reach(
            reached=error.code < 500,  # noqa: PLR2004 - it answers, if only to say no
            text=f"{address} answers with {error.code}",
        )
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        return Reach(reached=False, text=f"cannot open URL '{address}': {reason}")

"""Which versions of CPython have been released, as far as uv knows: it can bring them."""

from __future__ import annotations

import json
import subprocess

from harness.programs import uv_program


def released_pythons() -> tuple[str, ...]:
    """Return the versions of CPython that uv can bring to this machine, without the network.

    uv's own list is as new as uv is; empty where uv does not answer.
    """
    try:
        ran = subprocess.run(
            [
                *(uv_program(), "python", "list", "--only-downloads", "--all-versions"),
                *("--offline", "--output-format", "json"),
            ],
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        every = json.loads(ran.stdout)
        return tuple(
            str(one["version"])
            for one in every
            if one["implementation"] == "cpython" and one["variant"] == "default"
        )
    except (OSError, subprocess.SubprocessError, ValueError, KeyError, TypeError):
        return ()

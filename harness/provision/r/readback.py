"""What an R says of itself and of its packages, when it is run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from harness.provision.process import run

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_LIMIT_S: Final = 120.0
_QUESTION: Final = (
    "ip <- installed.packages()[, c('Package', 'Version'), drop = FALSE];"
    "ip <- ip[!duplicated(ip[, 1]), , drop = FALSE];"
    "cat('said:R', as.character(getRversion()), '\\n');"
    "cat(sprintf('said:%s %s\\n', ip[, 1], ip[, 2]), sep = '')"
)


class Readback(msgspec.Struct, frozen=True, kw_only=True):
    """Version of an R, and of its packages by name."""

    version: str
    packages: dict[str, str]


def ask(command: Sequence[str | Path], env: Mapping[str, str] | None = None) -> Readback | str:
    """Run the R that ``command`` starts, and return what it said, or why it could not.

    Parameters
    ----------
    command
        Up to and with ``Rscript``.
    env
        The whole environment; the caller's own where it is ``None``.
    """
    try:
        ran = run([*command, "--vanilla", "-e", _QUESTION], env=env, limit_s=_LIMIT_S)
    except OSError as error:
        return str(error.strerror or error)
    if ran.timed_out:
        return f"it did not answer within {_LIMIT_S:.0f} s"
    said = dict(
        line.removeprefix("said:").split(None, 1)
        for line in ran.stdout.splitlines()
        if line.startswith("said:") and len(line.split()) > 1
    )
    version = said.pop("R", "").strip()
    if not ran.ok or not version:
        return ran.tail()
    return Readback(
        version=version, packages={name: value.strip() for name, value in sorted(said.items())}
    )

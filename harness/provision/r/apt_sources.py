"""Debian's mirror, as this machine's own apt sources name it."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from harness.errors import MachineFault

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

VARIABLE: Final = "HARNESS_DEBIAN_MIRROR"
_CODENAMES: Final = frozenset(
    {
        "buster", "bullseye", "bookworm", "trixie", "forky", "duke", "sid", "experimental",
        "stable", "oldstable", "oldoldstable", "testing", "unstable",
    }
)  # fmt: skip
_SCHEMES: Final = ("http://", "https://", "file:/", "copy:/")
_ONE_LINE: Final = re.compile(
    r"^deb\s+(?:\[(?P<options>[^\]]*)\]\s+)?(?P<uri>\S+)\s+(?P<suite>\S+)\s+(?P<components>.+)$"
)


class AptSource(msgspec.Struct, frozen=True, kw_only=True):
    """One place that apt takes packages from; ``signed_by`` is empty where nothing is said."""

    uri: str
    suites: tuple[str, ...]
    components: tuple[str, ...]
    signed_by: str = ""


def debian_mirror(environ: Mapping[str, str] | None = None, apt: Path = Path("/etc/apt")) -> str:
    """Return the address of Debian's archive.

    ``$HARNESS_DEBIAN_MIRROR`` where it is set, else the mirror that apt uses on this machine.

    Raises
    ------
    MachineFault
        If apt names none (this is not Debian) and the variable is not set.
    """
    named = (os.environ if environ is None else environ).get(VARIABLE)
    if named:
        return named
    candidates = [source for source in read_sources(apt) if _is_debian(source)]
    # A source that is held to Debian's own key is Debian's; one that says nothing may be.
    candidates.sort(key=lambda source: "debian-archive" not in source.signed_by)
    if candidates:
        return candidates[0].uri
    raise MachineFault(
        "this machine's apt sources name no mirror of Debian, from which R is brought: set "
        f"{VARIABLE} to the address of one (it ends in /debian), or install R on this machine "
        "and ask for `r: system`"
    )


def read_sources(apt: Path) -> tuple[AptSource, ...]:
    """All enabled binary sources below ``apt``, in both of apt's formats."""
    files = [apt / "sources.list"]
    folder = apt / "sources.list.d"
    if folder.is_dir():
        files += sorted(folder.iterdir())
    found: list[AptSource] = []
    for file in files:
        try:
            text = file.read_text(errors="replace")
        except OSError:
            continue
        if file.suffix == ".list":
            found += _one_line(text)
        elif file.suffix == ".sources":
            found += _deb822(text)
    return tuple(found)


def _one_line(text: str) -> Iterator[AptSource]:
    for line in text.splitlines():
        found = _ONE_LINE.match(line.split("#")[0].strip())
        if found is None:
            continue
        options = dict(
            option.split("=", 1) for option in (found["options"] or "").split() if "=" in option
        )
        yield AptSource(
            uri=found["uri"],
            suites=(found["suite"],),
            components=tuple(found["components"].split()),
            signed_by=options.get("signed-by", ""),
        )


def _deb822(text: str) -> Iterator[AptSource]:
    lines = (line for line in text.splitlines() if not line.startswith("#"))
    for paragraph in re.split(r"\n\s*\n", "\n".join(lines)):
        fields: dict[str, str] = {}
        name = ""
        for line in paragraph.splitlines():
            if line[:1].isspace():
                fields[name] = f"{fields.get(name, '')} {line.strip()}"
            elif ":" in line:
                name, value = line.split(":", 1)
                name = name.strip().lower()
                fields[name] = value.strip()
        if fields.get("enabled", "yes").lower() in ("no", "false", "0"):
            continue
        if "deb" not in fields.get("types", "").split():
            continue
        for uri in fields.get("uris", "").split():
            yield AptSource(
                uri=uri,
                suites=tuple(fields.get("suites", "").split()),
                components=tuple(fields.get("components", "").split()),
                signed_by=fields.get("signed-by", ""),
            )


def _is_debian(source: AptSource) -> bool:
    """Tell Debian's own archive from its security archive and from third parties'.

    Third parties name Debian's suites too, but hold them to a key of their own.
    """
    return (
        source.uri.startswith(_SCHEMES)
        and "main" in source.components
        and any(suite.removesuffix("-updates") in _CODENAMES for suite in source.suites)
        and (
            "debian-archive" in source.signed_by
            or (not source.signed_by and source.uri.rstrip("/").endswith("/debian"))
        )
    )

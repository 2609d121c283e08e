"""Facts that a log tells by itself: what py_config(), sessionInfo() and lists of packages print."""

from __future__ import annotations

import re
from typing import Final

from harness.causes.model import Fact

_FLAGS: Final = re.IGNORECASE | re.MULTILINE
# py_config() of every reticulate: "python:         /usr/bin/python3", "numpy_version:  1.26.4".
_CONFIG: Final = re.compile(
    r"^\s*python:\s+(?P<python>\S.*)\n(?:^.*\n){0,3}?^\s*libpython:\s+(?P<libpython>\S.*)\n"
    r"(?:^.*\n){0,4}?^\s*version:\s+(?P<version>\d+(?:\.\d+)+)",
    _FLAGS,
)
_SINGLE: Final = (
    ("r.version", re.compile(r"^\s*(?:version +)?R version (\d+\.\d+\.\d+)", _FLAGS)),
    ("numpy.version", re.compile(r"^\s*numpy_version:\s+(\d+(?:\.\d+)+)", _FLAGS)),
)
_R_PACKAGE: Final = re.compile(
    r"\b(reticulate|keras3?|tensorflow|torch|rPython|RJSONIO)_(\d+(?:[.-]\d+)+)"
)
_PYTHON_PACKAGE: Final = re.compile(r"^([A-Za-z][\w.-]*)==(\d+(?:\.\d+)+\S*)$", re.MULTILINE)
_BRIDGES: Final = {"reticulate": "reticulate", "rPython": "rPython"}


def facts_of(text: str) -> dict[str, Fact]:
    """Return the facts that a log tells; ``text`` is that of ``harness.causes.log.Log``."""
    facts: dict[str, Fact] = {}
    config = _CONFIG.search(text)
    if config is not None:
        facts["python.executable"] = config["python"].strip()
        facts["python.version"] = config["version"]
        if not config["libpython"].startswith("["):
            facts["python.libpython"] = config["libpython"].strip()
    for name, pattern in _SINGLE:
        found = pattern.search(text)
        if found is not None:
            facts[name] = found.group(1)
    for name, version in _R_PACKAGE.findall(text):
        facts.setdefault(f"r_package.{name.lower()}", version)
        if name in _BRIDGES:
            facts.setdefault("bridge.name", _BRIDGES[name])
            facts.setdefault("bridge.version", version)
    for name, version in _PYTHON_PACKAGE.findall(text):
        plain = re.sub(r"[-_.]+", "-", name).lower()
        facts.setdefault(f"package.{plain}", version)
        if plain == "numpy":
            facts.setdefault("numpy.version", version)
    return facts

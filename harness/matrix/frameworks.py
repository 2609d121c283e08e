"""Framework names as people write them, into ``Framework``."""

from __future__ import annotations

import re
from typing import Final

from harness.model.cell import Framework
from harness.nodes import did_you_mean

FRAMEWORKS: Final = ("jax", "keras", "tensorflow", "torch")
BACKENDS: Final = ("jax", "tensorflow", "torch")

_OTHER_NAMES: Final = {
    "pytorch": "torch",
    "tensorflow-cpu": "tensorflow",
    "tf": "tensorflow",
    "keras3": "keras",
}
_TEXT = re.compile(
    r"^(?P<name>[A-Za-z][\w.\-]*?)\s*(\[(?P<backends>[^\]]*)\])?\s*((?P<sign>[<>=!~]=?|===)\s*(?P<version>.*)|\s+(?P<bare>\d.*))?$"
)
_LONGEST: Final = 200
"""Characters: the pattern may take the square of them."""
_VERSION = re.compile(r"^\d+(\.\d+)*((a|b|rc)\d+)?$")


def parse_framework(text: str) -> Framework:
    """Read ``torch==2.13.0``, ``torch 2.13.0``, ``torch`` or ``keras[jax]==3.15.1``.

    Raises
    ------
    ValueError
        With a sentence that says what is wrong and what to write.
    """
    text = " ".join(text.split())
    if len(text) > _LONGEST:
        raise ValueError(f"'{text[:40]}...' is no framework; write, for instance, torch==2.13.0")
    found = _TEXT.match(text)
    if found is None:
        raise ValueError(f"'{text}' is no framework; write, for instance, torch==2.13.0")
    name = found["name"].lower()
    if name not in FRAMEWORKS:
        meant = _OTHER_NAMES.get(name)
        hint = f"write '{meant}'" if meant else did_you_mean(name, FRAMEWORKS)
        raise ValueError(f"framework '{found['name']}' is not known; {hint}")
    if found["sign"] not in {None, "=="}:
        raise ValueError(f"'{text}' is a range; a cell has one version: write {name}==VERSION")
    version = (found["version"] or found["bare"] or "").strip() or None
    if version is not None and not _VERSION.match(version):
        raise ValueError(f"'{version}' is no version of {name}; write, for instance, 2.13.0")
    backends = tuple(part.strip().lower() for part in (found["backends"] or "").split(",") if part)
    for backend in backends:
        if name != "keras":
            raise ValueError(f"only Keras takes backends in brackets; write {name}, not '{text}'")
        if backend not in BACKENDS:
            raise ValueError(f"backend '{backend}' is not known; {did_you_mean(backend, BACKENDS)}")
    if name == "keras" and not backends:
        # What Keras itself, and the R package keras3, take where nothing is said.
        backends = ("tensorflow",)
    return Framework(name, version, tuple(sorted(set(backends))))

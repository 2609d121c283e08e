"""What of a cell may stand in a script: results come from anywhere, and its scripts are run."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

import msgspec
from packaging.requirements import InvalidRequirement, Requirement

from harness.errors import UsageError
from harness.model.cell import SOURCE
from harness.repro.case import Case

_VERSION: Final = re.compile(r"\d[0-9A-Za-z.+!_-]*")
_NAME: Final = re.compile(r"[A-Za-z][0-9A-Za-z._-]*")
_FRAMEWORK: Final = re.compile(r"[A-Za-z][0-9A-Za-z._-]*(\[[a-z,]*\])?(==[0-9A-Za-z.+!]+)?")
_COMMIT: Final = re.compile(r"[0-9a-f]{6,64}")
_MODES: Final = frozenset({"", "ABI", "API", "BOTH", "ANY"})
_LONGEST: Final = 60


def checked(case: Case) -> Case:
    """Return ``case`` where all of it that comes into a script is a plain word.

    Raises
    ------
    UsageError
        Results say something that is no version, no name or no requirement where one belongs.
    """
    for what, word, form in _words(case):
        # Of any kind, in results from elsewhere.
        value = str(word)
        if value and form.fullmatch(value) is None:
            shown = value if len(value) <= _LONGEST else value[:_LONGEST] + "..."
            raise UsageError(
                f"{case.record.id}: the results say {shown!r} where {what} belongs; no script is "
                "made of that"
            )
    mode = str(case.identity("bridge").get("mode") or "")
    if mode not in _MODES:
        raise UsageError(
            f"{case.record.id}: the results say {mode[:_LONGEST]!r} where rpy2's mode belongs "
            "(ABI, API or BOTH); no script is made of that"
        )
    if case.compile is not None:
        _requirements(case, case.compile.requirements, "what was asked for")
        _requirements(case, case.compile.constraints, "what CUDA holds it to")
    lines = _requirements(case, case.lock.text.splitlines(), "requirements.lock")
    lock = msgspec.structs.replace(case.lock, text="".join(f"{line}\n" for line in lines))
    return msgspec.structs.replace(case, lock=lock)


def _words(case: Case) -> Iterator[tuple[str, str, re.Pattern[str]]]:
    """Yield what each word is, the word, and the form that it must have; empty ones are none."""
    axes = case.record.axes
    yield "a version of Python", case.python, _VERSION
    yield "a version of R", case.r or "", _VERSION
    for bridge in (axes.get("bridge"), case.identity("bridge").get("version")):
        yield "a version of the bridge", "" if bridge == SOURCE else str(bridge or ""), _VERSION
    yield "a name of the bridge", str(case.identity("bridge").get("name") or ""), _NAME
    yield "a framework", axes.get("framework") or "", _FRAMEWORK
    yield "a transport", axes.get("transport") or "", _NAME
    for probe in case.record.probes:
        yield "a backend", probe.variant or "", _NAME
    for name, version in case.identity("modules").items():
        yield "a module", name, _NAME
        yield f"a version of {name}", str(version or ""), _VERSION
    if case.build is not None:
        yield "a version of the bridge", case.build.version, _VERSION
        yield "a commit", case.build.commit or "", _COMMIT


def _requirements(case: Case, lines: Iterable[str], where: str) -> list[str]:
    """Return requirements by name alone: no option, no address, no comment."""
    found = []
    for number, line in enumerate(lines, 1):
        text = line.partition(" #")[0].strip()
        if not text or text.startswith("#"):
            continue
        try:
            by_name = Requirement(text).url is None
        except InvalidRequirement:
            by_name = False
        if not by_name:
            raise UsageError(
                f"{case.record.id}: line {number} of {where} is {text[:_LONGEST]!r}, which is no "
                "requirement such as numpy==2.4.6; no script is made of that"
            )
        found.append(text)
    return found

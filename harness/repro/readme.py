"""The page that goes with a reproducer, short enough for an issue."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import Final

from harness.causes.commands import with_places
from harness.model.status import Phase, Status
from harness.repro.case import Case
from harness.repro.scripts import compares_with_control

MARK: Final = "<!-- made by harness repro: "
"""By which the folder is known as one that was made here."""
_LONGEST: Final = 700
"""Characters of uv's account that are shown: how it begins."""
_REMEDIES: Final = 3
_ENDS: Final = {
    Status.FAIL: "and ends with an error",
    Status.CRASH: "and the process crashes",
    Status.TIMEOUT: "and does not come to an end: stop it",
    Status.OOM: "and takes more memory than the cell was given",
    Status.UNSATISFIABLE: "and uv finds no set of packages",
}


def readme(case: Case, command: str, missing: tuple[str, ...]) -> str:
    """Return ``README.md``.

    Parameters
    ----------
    command
        What is to be run when all is in place.
    missing
        Sentences on what could not be put into the folder.
    """
    return "\n".join(_lines(case, command, missing)) + "\n"


def _lines(case: Case, command: str, missing: tuple[str, ...]) -> Iterator[str]:
    record = case.record
    yield f"# {case.title}"
    yield ""
    yield _summary(case)
    for sentence in missing:
        yield ""
        yield sentence
    yield ""
    yield from _table(case)
    yield ""
    yield "Run it in an image with the same R:" if case.r else "Run it in an image:"
    yield ""
    yield "    docker build -t repro ."
    yield "    docker run --rm repro"
    yield ""
    if record.status is Status.UNSATISFIABLE:
        yield "or, where uv is at hand:"
    else:
        yield f"or, with {_at_hand(case)} and uv at hand:"
    yield ""
    if record.status is not Status.UNSATISFIABLE:
        yield "    sh setup.sh"
    yield f"    {command}"
    yield ""
    if record.status is Status.PASS:
        yield "It prints `All done.` and ends with exit status 0."
    else:
        yield f"It prints this, {_ENDS.get(record.status, 'and ends')}{_signal(case)}:"
        yield ""
        yield textwrap.indent(_printed(case), "    ")
        if compares_with_control(case):
            yield ""
            yield "Compare its losses with those of `.venv/bin/python control.py`, without R."
        yield from _cause(case)
    if case.corrected:
        yield ""
        yield "As the cell corrected it:"
        yield ""
        yield textwrap.indent(case.corrected, "    ", lambda _line: True)
    yield ""
    yield f"{MARK}{record.id} -->"


def _summary(case: Case) -> str:
    record = case.record
    if record.status is Status.PASS:
        return "This works: a minimal example of what passes."
    if record.status is Status.UNSATISFIABLE:
        return "There is no set of packages that fits these requirements and this Python."
    ends = {Status.CRASH: "crashes", Status.TIMEOUT: "hangs", Status.OOM: "runs out of memory"}
    where = {
        "provision": "when the bridge is built",
        "bridge": "when the bridge is loaded",
        "python": "when Python is started",
        "import": f"when {case.framework or 'the framework'} is imported",
        "device": "when the device is looked for",
        "op": "at the first operation",
        "convert": "when arrays are handed over",
        "train": "in training",
        "callback": "when Python calls back",
        "error": "when an error crosses",
        "teardown": "when the process ends",
    }.get(str(record.phase), "")
    control = {
        True: " The same work in Python without R passes.",
        False: " The same work in Python without R does not pass either.",
        None: "",
    }[case.control_passes]
    return f"This {ends.get(record.status, 'fails')} {where}".rstrip() + f".{control}"


def _table(case: Case) -> Iterator[str]:
    yield "| what | version |"
    yield "| --- | --- |"
    if case.r:
        where = f" (Debian {case.suite})" if case.suite else ""
        yield f"| R | {case.r}{where} |"
    name, _, version = case.bridge.rpartition(" ")
    if name and case.path != "rpc":
        yield f"| {name} | {version} |"
    elif case.bridge:
        yield f"| bridge | {case.bridge} |"
    parts = case.identity("bridge").get("parts")
    for part, number in (parts if isinstance(parts, dict) else {}).items():
        yield f"| {part} | {number} |"
    yield f"| Python | {case.python} |"
    for module, number in case.modules.items():
        yield f"| {module} | {number} |"
    device = case.identity("device").get("actual")
    if device and (case.record.axes.get("cuda") or "cpu") != "cpu":
        yield f"| device | {device}, CUDA {case.identity('device').get('runtime')} |"
    libraries = case.identity("comes_from").get("libraries")
    if libraries:
        yield f"| C library and others | of {libraries} |"
    if case.system:
        yield f"| measured on | {case.system} |"


def _at_hand(case: Case) -> str:
    if not case.r:
        return "a shell"
    bridge = case.bridge if case.path == "reticulate" and case.build is None else ""
    return " and ".join(part for part in (f"R {case.r}", bridge) if part)


def _signal(case: Case) -> str:
    signal = case.record.ending.signal
    return f" by {signal}" if case.record.status is Status.CRASH and signal else ""


def _printed(case: Case) -> str:
    record = case.record
    if record.status is Status.UNSATISFIABLE:
        detail = record.evidence.get("detail", "").strip() or case.message
        return detail if len(detail) <= _LONGEST else detail[:_LONGEST].rsplit("\n", 1)[0] + "\n..."
    if record.phase is Phase.PROVISION:
        # What the build itself prints of the reason; the sentence around it is not its own.
        return case.message.partition(": ")[2] or case.message
    hidden = record.evidence.get("hidden", "").strip().splitlines()
    said, _, _ = case.message.partition(" (caused by ")
    return "\n".join([*hidden[-1:], said]) if hidden else case.message


def _cause(case: Case) -> Iterator[str]:
    cause = case.cause
    if cause is None:
        return
    yield ""
    yield f"Why: {with_places(cause.summary)}"
    if not cause.remedies:
        return
    yield ""
    yield "What helps:"
    yield ""
    for remedy in cause.remedies[:_REMEDIES]:
        if remedy.verified is False:
            continue
        seen = " (seen to help)" if remedy.verified else ""
        yield f"- {remedy.text}{seen}"

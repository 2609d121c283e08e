"""Scripts put together from templates: the steps up to the one that fails, and no more.

A template is a script in pieces, each behind a line ``#: STEP``, or ``#: STEP ?FLAG`` for one
that only some scripts have (``?!FLAG``: that only those without have).  ``@{name}`` is replaced.
A line ``#!raised`` stands before what raises an error where one is raised in this step, a line
``#!judged`` before the check that fails where none is: one of both becomes the comment that says
what is to be expected.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Mapping
from functools import cache
from importlib import resources
from typing import Final

import msgspec

from harness.errors import UsageError
from harness.model.status import Status
from harness.repro.case import Case
from harness.repro.stop import ORDER, Stop, stop_of

_PIECE: Final = re.compile(r"^#: (\w+)((?: \?!?\w+)*)\n", re.MULTILINE)
_NAME: Final = re.compile(r"@\{(\w+)\}")
_WIDTH: Final = 96
_LONGEST: Final = 300
"""Characters of a message that the comment quotes."""
_PLACES: Final = {
    "torch": ("cpu", "cuda:0"),
    "tensorflow": ("CPU:0", "GPU:0"),
    "jax": ("cpu", "gpu"),
}
"""How each framework names the processor and the graphics card."""
_PACKED: Final = frozenset({"import", "device", "op", "train"})
"""Steps of a framework in Python, where R sends each as text."""


class _Piece(msgspec.Struct, frozen=True, gc=False):
    step: str
    flags: tuple[str, ...]
    text: str


class _Script(msgspec.Struct, frozen=True, kw_only=True):
    """A file: the template, what it takes over where it has nothing itself, and the framework's.

    ``packed`` says that the last two are Python in a script in R.
    """

    file: str
    template: str
    base: str | None = None
    framework: str | None = None
    packed: bool = False


def scripts(case: Case) -> dict[str, str]:
    """Return the files of a cell that ran, by name; the first is the one to start.

    Raises ``UsageError`` for a path that there is no template for.
    """
    stop = stop_of(case.record)
    files = _scripts(case, stop)
    if compares_with_control(case):
        native = msgspec.structs.replace(case.record, axes={**case.record.axes, "path": "native"})
        control = msgspec.structs.replace(case, record=native, r=None)
        quiet = msgspec.structs.replace(stop, step="")
        files["control.py"] = _scripts(control, quiet)["repro.py"]
    return files


def compares_with_control(case: Case) -> bool:
    """Tell whether the cell failed because Python alone comes to something else."""
    of_control = "differ from the control's" in (case.record.message or "")
    return of_control and case.path != "native" and stop_of(case.record).step == "train"


def _scripts(case: Case, stop: Stop) -> dict[str, str]:
    flags, values = _flags(case, stop), _values(case, stop)
    files = {script.file: _text(script, case, stop, flags, values) for script in _scripts_of(case)}
    # One comment is enough, and there must be one; where a step has but one mark, it is that.
    wanted = "#!judged" if stop.judged else "#!raised"
    wanted = next(
        mark
        for mark in (wanted, "#!raised", "#!judged", "")
        if any(f"{mark} {stop.step}\n" in text for text in files.values()) or not mark
    )
    untold = stop.step == "seed" and not case.example
    if (untold or (not wanted and stop.step)) and case.record.status is not Status.PASS:
        raise UsageError(
            f"{case.record.id}: there is no plain script for the step '{stop.step}' of the path "
            f"{case.path}; the cell's folder of logs has what was run"
        )
    told = _expected(case)
    for file, text in files.items():
        marked, count = re.subn(
            rf"^{re.escape(wanted)} {stop.step}\n", told, text, count=1, flags=re.MULTILINE
        )
        files[file] = re.sub(r"^#!\w+ \w+\n", "", marked, flags=re.MULTILINE)
        told = "" if count else told
    return files


def _scripts_of(case: Case) -> tuple[_Script, ...]:
    framework, transport = case.framework, case.record.axes.get("transport") or ""
    python = f"python.{framework}.py" if framework else None
    known = {
        "native": (_Script(file="repro.py", template="python.py", framework=python),),
        "reticulate": (
            _Script(
                file="repro.R",
                template="reticulate.R",
                framework=f"reticulate.{framework}.R" if framework else None,
            ),
        ),
        "system": (
            _Script(file="repro.R", template="system.R"),
            _Script(file="work.py", template="system.py", base="python.py", framework=python),
        ),
        "rpy2": (_Script(file="repro.py", template="rpy2.py", base="python.py", framework=python),),
        "rpython": (
            _Script(
                file="repro.R",
                template="rpython.R",
                base="python.py",
                framework=python,
                packed=True,
            ),
        ),
        "rpc": (
            _Script(
                file="repro.R", template="rpc.R", base="python.py", framework=python, packed=True
            ),
            _Script(file="server.py", template="rpc.py"),
        ),
    }
    if transport == "rserve":
        known["rpc"] = (
            _Script(file="repro.py", template="rserve.py", base="python.py", framework=python),
        )
    found = known.get(case.path)
    if found is None:
        paths = ", ".join(sorted(known))
        raise UsageError(
            f"there is no plain script for the path {case.path or 'of this cell'}: reproducers "
            f"are made for {paths}"
        )
    return found


def _text(
    script: _Script, case: Case, stop: Stop, flags: frozenset[str], values: Mapping[str, str]
) -> str:
    own = _pieces(script.template)
    mine = {piece.step for piece in own}
    base = [piece for piece in _pieces(script.base) if piece.step not in mine]
    framework = _pieces(script.framework)
    parts: list[str] = []
    for step in ORDER:
        if step not in stop.steps:
            continue
        inner = _joined((*framework, *base), step, flags)
        if script.packed:
            inner = f'run(r"---(\n{inner})---")\n' if inner and step in _PACKED else ""
        text = inner + _joined(own, step, flags)
        # Marked with the step, whose first mark of a kind counts.
        parts.append(re.sub(r"^(#!\w+)$", rf"\1 {step}", text, flags=re.MULTILINE))
    values = {**values, "transport": _transport(case, script)}
    text = "".join(parts)
    while _NAME.search(text):
        text = _NAME.sub(lambda found: values[found[1]], text)
    return text


def _transport(case: Case, script: _Script) -> str:
    name = f"rpc.{case.record.axes.get('transport')}.{script.file.rpartition('.')[2]}"
    if case.path != "rpc" or script.file == "repro.py":
        return ""
    return _joined(_pieces(name), "start", frozenset()).rstrip("\n")


def _joined(pieces: Iterable[_Piece], step: str, flags: frozenset[str]) -> str:
    return "".join(
        piece.text
        for piece in pieces
        if piece.step == step
        and all((flag[2:] not in flags) if flag[1] == "!" else flag[1:] in flags
                for flag in piece.flags)
    )  # fmt: skip


@cache
def _pieces(template: str | None) -> tuple[_Piece, ...]:
    if template is None:
        return ()
    file = resources.files("harness.repro").joinpath("templates", f"{template}.tpl")
    parts = _PIECE.split(file.read_text(encoding="utf-8"))
    return tuple(
        _Piece(step, tuple(flags.split()), text)
        for step, flags, text in zip(parts[1::3], parts[2::3], parts[3::3], strict=True)
    )


def _flags(case: Case, stop: Stop) -> frozenset[str]:
    record = case.record
    found = {
        "backend": stop.variant is not None,
        "hidden": bool(record.evidence.get("hidden")) and stop.step == "python",
        "keras": case.framework == "keras" and "import" in stop.steps,
        "remedies": (record.axes.get("bridge") or "").endswith("+remedies"),
        "library": case.build is not None,
    }
    return frozenset({stop.step, *(name for name, holds in found.items() if holds)})


def _values(case: Case, stop: Stop) -> dict[str, str]:
    on_cpu = (case.record.axes.get("cuda") or "cpu") == "cpu"
    places = _PLACES.get(case.framework, ("", ""))
    rpy2 = str(case.identity("bridge").get("version") or case.record.axes.get("bridge") or "")
    numbers = [int(part) for part in re.findall(r"\d+", rpy2)[:2]]
    has_signature = not numbers or numbers >= [3, 5]
    return {
        "title": case.title,
        "framework": case.framework,
        "backend": stop.variant or "",
        "place": places[0 if on_cpu else 1],
        "mode": str(case.identity("bridge").get("mode") or "ABI"),
        "unsigned": ", signature=False" if has_signature else "",
        "tests": "rpy2.rinterface.tests" if numbers >= [3, 6] else "rpy2.tests.rinterface",
        "example": case.example.rstrip("\n"),
    }


def _expected(case: Case) -> str:
    """Return the comment that says what happens at the line that follows."""
    record = case.record
    if record.status is Status.PASS:
        return ""
    # Python in a script in R is a raw string, which a message must not end.
    said = case.message[:_LONGEST].replace(')---"', ') ---"')
    if record.status is Status.TIMEOUT:
        said = f"this does not return ({said})"
    return "".join(
        f"{line}\n"
        for line in textwrap.wrap(
            f"expected here: {said}",
            _WIDTH,
            initial_indent="# ",
            subsequent_indent="# ",
            break_long_words=False,
            break_on_hyphens=False,
        )
    )

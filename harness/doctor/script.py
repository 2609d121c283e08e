"""A user's script, run as it is: the line and the argument that it fails at."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, Final

from harness.causes.model import Fact
from harness.doctor.blame import Argument, Blame, Call, blame, blame_parser
from harness.doctor.events import Account
from harness.doctor.interpreter import examine_interpreter
from harness.doctor.model import Place
from harness.doctor.reticulate import adopt, r_or_nothing
from harness.doctor.session import INSIDE, Examined, Session
from harness.doctor.words import telling

_IDLE_S: Final = 120.0
"""A script may sleep, or wait for a download, and train for days."""


_NOT_FOUND: Final = 127
"""What a shell ends with where there is no such command."""


def examine_script(session: Session, script: Path) -> tuple[Examined, Blame | None]:
    """Run ``script`` and watch it; return what was seen, and what is to blame."""
    examined = Examined()
    rscript = r_or_nothing(session, examined)
    if rscript is None:
        return examined, None
    account = session.run(
        "script",
        (rscript, INSIDE / "script.R"),
        ask={"script": str(script)},
        idle_s=_IDLE_S,
        longest_s=math.inf,
    )
    adopt(session, examined, account)
    try:
        lines = script.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    found = None
    if examined.layer is None:
        found = _without_a_word(examined, account.events)
    elif examined.layer == "script":
        found = _explained(session, examined, account, lines)
    if found is not None:
        examined.facts |= _facts(found)
    return examined, found


def _explained(
    session: Session, examined: Examined, account: Account, lines: list[str]
) -> Blame | None:
    """Return what is to blame for a script that failed, and look at the Python that it had."""
    event = account.last("blame")
    found = None
    if event.get("call"):
        others = [_call(other) for other in event.get("others") or ()]
        found = blame(_call(event["call"]), "\n".join(examined.texts), others)
    elif not account.events.get("statement"):
        found = blame_parser(examined.message, lines)
        if found is not None and 0 < found.line <= len(lines):
            # R names the line at most; what is written there shows the cause.
            examined.texts.append(lines[found.line - 1])
    line = int(event.get("line") or account.last("statement").get("line") or 0)
    if found is None and line:
        found = Blame(cause=None, line=line, column=None)
    if account.ended.hung and 0 < line <= len(lines):
        # What it waits in is written in the script, and nothing else tells it.
        waits = f"line {line} hangs, and waits for ever: {lines[line - 1].strip()}"
        # What it uses there was named before: a framework, a socket, a fork.
        examined.texts += [waits, *lines[:line]]
        examined.show(waits)
    late = [str(name) for said in account.events.get("late", ()) for name in said["names"]]
    if late:
        examined.facts["env.late"] = tuple(dict.fromkeys(late))
    _look_at_python(session, examined, account.events)
    _commands(examined, account.events)
    return found


def place_of(found: Blame, script: Path) -> Place:
    """Return the place of what is to blame, with the line as it is written."""
    try:
        lines = script.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    source = lines[found.line - 1].strip() if 0 < found.line <= len(lines) else ""
    return Place(
        file=str(script),
        line=found.line,
        column=found.column,
        source=source,
        cause=found.cause,
        argument=found.argument,
        written=found.written,
        instead=found.instead,
    )


def _call(event: dict[str, Any]) -> Call:
    arguments = tuple(
        Argument(
            name=str(given.get("name") or ""),
            line=int(given["line"]),
            column=int(given["column"]),
            source=str(given["source"]),
            type=str(given.get("type") or ""),
            kind=str(given.get("class") or ""),
            length=int(given.get("length") or 0),
            dims=tuple(int(size) for size in given.get("dim") or ()),
            whole=bool(given.get("whole")),
        )
        for given in event.get("arguments") or ()
    )
    return Call(
        name=str(event["name"]),
        line=int(event["line"]),
        column=int(event["column"]),
        python=bool(event["python"]),
        arguments=arguments,
    )


def _facts(found: Blame) -> dict[str, Fact]:
    facts: dict[str, Fact] = {}
    if found.call:
        facts["call.name"] = found.call
    if found.argument:
        facts["call.argument"] = found.argument
    if found.r_type:
        facts["call.r_type"] = found.r_type
    if found.r_length is not None:
        facts["call.r_length"] = found.r_length
    if found.python_type:
        facts["call.python_type"] = found.python_type
    return facts


def _without_a_word(
    examined: Examined, events: dict[str, tuple[dict[str, Any], ...]]
) -> Blame | None:
    """Find what the script did not stop for: a command that failed, a generic that does nothing."""
    commands = events.get("command", ())
    if commands:
        first = commands[0]
        status = int(first["status"])
        assert examined.account is not None
        ended = examined.account.ended
        examined.layer = "script"
        examined.message = (
            f"line {first['line']}: the command {first['command']!s} ended with status {status}, "
            "and R went on"
        )
        examined.facts["exit.code"] = status
        examined.texts += [
            ended.text,
            examined.message,
            # R's own words: those of a command that was not there, and of one that failed.
            (
                f"error in running command, status {status}"
                if status == _NOT_FOUND
                else f"running command '{first['command']!s}' had status {status}"
            ),
        ]
        return Blame(cause="sys-exit-status-lost", line=int(first["line"]), column=None)
    generics = events.get("generic", ())
    if generics:
        first = generics[0]
        name, item = str(first["name"]), str(first["object"])
        examined.layer = "script"
        examined.message = (
            f"line {first['line']}: R's generic {name}() knows nothing of {item}, a Python object "
            f"that has a method of this name"
        )
        examined.texts.append(examined.message)
        return Blame(
            cause="generic-not-method",
            line=int(first["line"]),
            column=None,
            call=name,
            argument=item,
            written=f"{name}({item})",
            instead=f"{item}${name}()",
            r_type="python",
        )
    return None


def _commands(examined: Examined, events: dict[str, tuple[dict[str, Any], ...]]) -> None:
    for event in events.get("command", ()):
        said = f"line {event['line']}: {event['command']} ended with status {event['status']}"
        examined.texts.append(said)
        examined.show(said)


def _look_at_python(
    session: Session, examined: Examined, events: dict[str, tuple[dict[str, Any], ...]]
) -> None:
    """Look at the Python that the script has, or that reticulate could not get an answer from."""
    for probe in events.get("probe", ()):
        if int(probe["status"]) != 0:
            examined.texts.append(f"{probe['errors']}\n{probe['output']}")
            said = telling(str(probe["errors"])) or "no word"
            examined.show(f"{probe['command']}: {said}  (reticulate throws this away)")
            examine_interpreter(session, examined, str(probe["command"]), (), examined.seen or None)
            return
    python = examined.facts.get("python.executable")
    if isinstance(python, str):
        found, _ = session.look(python, examined.seen or None)
        if found is not None:
            packages: dict[str, str] = found["packages"]
            examined.facts |= {f"package.{name}": version for name, version in packages.items()}
            examined.facts.setdefault("numpy.installed", "numpy" in packages)

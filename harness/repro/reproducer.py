"""A cell's reproducer: which files it has."""

from __future__ import annotations

import shlex
from typing import Final

import msgspec

from harness.errors import NotMeasured, UsageError
from harness.model.status import Phase, Status
from harness.repro.case import Case
from harness.repro.readme import readme
from harness.repro.scripts import scripts
from harness.repro.surroundings import build_script, dockerfile, environment, is_unbuilt
from harness.repro.words import checked
from harness.text import inert

_NOTHING: Final = {
    Status.UNAVAILABLE: "it could not be had here",
    Status.UNSUPPORTED: "its path cannot do what was asked, and says so",
    Status.SKIPPED: "it was skipped",
    Status.MISSING: "it never ran",
}
_STARTS: Final = {"repro.R": "Rscript repro.R", "repro.py": ".venv/bin/python repro.py"}


class Reproducer(msgspec.Struct, frozen=True, kw_only=True):
    """The files by name, what to run, and sentences on what is missing."""

    files: dict[str, str]
    command: str
    missing: tuple[str, ...] = ()


def reproducer(case: Case) -> Reproducer:
    """Return what reproduces a cell, of plain words alone: the case may be a stranger's.

    Raises
    ------
    NotMeasured
        The cell did not run, so that there is nothing to reproduce.
    UsageError
        Its path has no plain script, or it failed where none can stand in; or its results say
        something that may not stand in a script.
    """
    made = _reproducer(checked(case))
    files = {name: inert(text) for name, text in made.files.items()}
    return msgspec.structs.replace(made, files=files)


def _reproducer(case: Case) -> Reproducer:
    record = case.record
    why = _NOTHING.get(record.status)
    if why is not None:
        said = f": {' '.join(record.message.split())}" if record.message else ""
        raise NotMeasured(
            f"{record.id} is {record.status}, so there is nothing to reproduce: {why}{said}"
        )
    if record.status is Status.UNSATISFIABLE:
        return _unsatisfiable(case)
    if record.phase is Phase.PROVISION:
        return _unbuilt(case)
    files = scripts(case)
    command = _STARTS[next(iter(files))]
    return _whole(case, files, command)


def _unsatisfiable(case: Case) -> Reproducer:
    if case.compile is None:
        raise UsageError(f"{case.record.id}: it is not known which packages were asked for")
    asked = case.compile
    options = [part for name in asked.wheels_only for part in ("--only-binary", name)]
    files = {"requirements.in": "".join(f"{line}\n" for line in asked.requirements)}
    if asked.constraints:
        files["constraints.txt"] = "".join(f"{line}\n" for line in asked.constraints)
        options += ["--constraint", "constraints.txt"]
    words = ["uv", "pip", "compile", "requirements.in", "--python-version", case.python, *options]
    files["repro.sh"] = (
        "#!/bin/sh\n# Installs nothing: asks uv whether there is a set of packages.\n"
        f'cd "$(dirname "$0")"\n# expected here: {case.message}\n{shlex.join(words)}\n'
    )
    command = "sh repro.sh"
    # No R has a part in it.
    alone = msgspec.structs.replace(case, r=None)
    files["Dockerfile"] = dockerfile(alone, command, sorted(files))
    files["README.md"] = readme(alone, command, ())
    return Reproducer(files=files, command=command)


def _unbuilt(case: Case) -> Reproducer:
    if case.build is None:
        raise UsageError(
            f"{case.record.id} failed before it ran, at no build of a bridge: there is no script "
            "that could show it"
        )
    return _whole(case, {"repro.sh": build_script(case)}, "sh repro.sh")


def _whole(case: Case, files: dict[str, str], command: str) -> Reproducer:
    missing = _missing(case)
    files = {**files, **environment(case, command, files)}
    files["README.md"] = readme(case, command, missing)
    return Reproducer(files=files, command=command, missing=missing)


def _missing(case: Case) -> tuple[str, ...]:
    found = []
    if not case.lock.whole and not is_unbuilt(case):
        found.append(
            "`requirements.lock` has only the versions that were read back and those that were "
            "asked for: the exact lock was not among the results, so that the rest is what fits "
            "today."
        )
    if case.corrected:
        found.append(
            "The example is as it is documented. The cell corrected it to what stands at the end "
            "of this page, and it failed even so: read that, and put it into `repro.R`."
        )
    build = case.build
    if build is not None and build.tree:
        commit = f", commit {build.commit}" if build.commit else ""
        found.append(
            f"The bridge is {build.package} {build.version}".rstrip()
            + f" from a source tree of its own ({build.tree}{commit}): put it into the folder "
            "`bridge` before anything else."
        )
    return tuple(found)

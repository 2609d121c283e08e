"""Proves remedies: each is applied beside the user's system, and the examination run again.

A remedy that changes a variable is tried with the variable changed for the children alone; one
that changes packages or Python, in an environment of the harness's own.  A correction of a
script is tried on a copy of it.  Nothing of the user's is touched: what would touch it is shown.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec
from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name

from harness.causes.model import TOGETHER, Change, Remedy
from harness.doctor.examination import examine
from harness.doctor.model import FRAMEWORKS, Note, Place, Report, Request
from harness.errors import HarnessError, Unsatisfiable

_MINORS: Final = tuple(f"3.{minor}" for minor in range(14, 6, -1))
_KEPT: Final = ("numpy", *FRAMEWORKS, "tensorflow-cpu", "jaxlib", "pandas", "rpy2")
"""Packages that a fresh environment takes over from the one at fault, in the same version."""
_CORRECTIONS: Final = 12
"""Of one script: what needs more is not to be mended line by line."""

Examine = Callable[[Request], Report]


def prove(
    request: Request,
    report: Report,
    again: Examine = examine,
    notify: Callable[[str], None] = print,
) -> Report:
    """Return the report with each remedy tried that can be: ``verified`` says how it went.

    Parameters
    ----------
    again
        Examines; what tests replace.
    notify
        Takes one-line messages on what takes long.
    """
    if report.ok:
        return report
    scratch = Path(tempfile.mkdtemp(prefix="harness-doctor-fix-"))
    try:
        if request.script is not None and report.place is not None and report.place.instead:
            return _mend_script(request, report, scratch, again)
        trial = _Trial(request, report, scratch, again, notify)
        causes, notes = [], list(report.notes)
        for at, cause in enumerate(report.causes):
            # What comes second is a guess beside the first: trying it costs as much.
            remedies = [trial.of(one) if at == 0 else one for one in cause.remedies]
            kept = [one for one in remedies if one.verified is not False]
            notes += [
                Note(id=one.id, text=f"tried and taken back, it does not help: {one.text}")
                for one in remedies
                if one.verified is False
            ]
            kept.sort(key=lambda one: one.verified is not True)
            causes.append(msgspec.structs.replace(cause, remedies=tuple(kept)))
        notes += trial.notes
        return msgspec.structs.replace(report, causes=tuple(causes), notes=tuple(notes))
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


class _Trial:
    """Tries remedies, and remembers what there is to say of it."""

    def __init__(
        self,
        request: Request,
        report: Report,
        scratch: Path,
        again: Examine,
        notify: Callable[[str], None],
    ) -> None:
        self._request = request
        self._report = report
        self._scratch = scratch
        self._again = again
        self._notify = notify
        self.notes: list[Note] = []

    def of(self, remedy: Remedy) -> Remedy:
        """Return the remedy with ``verified`` set, where it can be tried."""
        if not remedy.can_be_tried:
            return remedy
        try:
            changed = self._changed(remedy)
        except HarnessError as error:
            self._note(remedy, f"could not be tried: {error}")
            return remedy
        if changed is None:
            self._note(remedy, "cannot be tried here: it needs another R or another bridge")
            return remedy
        then = self._again(changed)
        if then.ok:
            return msgspec.structs.replace(remedy, verified=True)
        if _same(self._report, then):
            return msgspec.structs.replace(remedy, verified=False)
        further = self._further(changed, then, TOGETHER - 1)
        if further is None:
            self._note(remedy, f"takes this cause away, and then: {then.summary}")
            return remedy
        steps = ". Then: ".join(one.text.rstrip(".") for one in (remedy, *further))
        self.notes.append(Note(id=remedy.id, text=f"with all of this it works: {steps}"))
        return msgspec.structs.replace(remedy, verified=True)

    def _further(self, request: Request, then: Report, depth: int) -> tuple[Remedy, ...] | None:
        """Return what takes away all that one remedy left; ``None`` where nothing does."""
        if not then.causes or depth == 0:
            return None
        trial = _Trial(request, then, self._scratch, self._again, self._notify)
        for remedy in then.causes[0].remedies:
            if not remedy.can_be_tried:
                continue
            with suppress(HarnessError):
                changed = trial._changed(remedy)
                if changed is None:
                    continue
                last = self._again(changed)
                if last.ok:
                    return (remedy,)
                if (
                    not _same(then, last)
                    and (more := trial._further(changed, last, depth - 1)) is not None
                ):
                    return (remedy, *more)
        return None

    def _note(self, remedy: Remedy, text: str) -> None:
        self.notes.append(Note(id=remedy.id, text=f"{remedy.text} - {text}"))

    def _changed(self, remedy: Remedy) -> Request | None:
        change = remedy.apply
        assert change is not None
        if change.r is not None or change.bridge is not None or change.path:
            return None
        request = with_variables(self._request, change, self._scratch)
        if change.requirements or change.python is not None:
            self._notify("building a Python environment to try a remedy in ...")
            python = self._environment(change)
            environ = {
                name: value
                for name, value in request.environ.items()
                if name not in {"RETICULATE_PYTHON", "RETICULATE_PYTHON_ENV", "VIRTUAL_ENV"}
            }
            # The variable, not --python: it holds whatever the user's own R code asks for.
            if request.path == "reticulate":
                environ["RETICULATE_PYTHON"] = str(python)
            request = msgspec.structs.replace(
                request,
                environ=environ,
                python=None if "RETICULATE_PYTHON" in environ else str(python),
            )
        return request

    def _environment(self, change: Change) -> Path:
        """Build the environment that a change asks for, out of the harness's own store."""
        from harness.model.cell import Axes
        from harness.provision.provisioner import Provisioner
        from harness.provision.store import FolderStore, default_root
        from harness.resolve import Resolver

        with FolderStore(default_root()) as store:
            provisioner = Provisioner(store, self._notify)
            resolver = Resolver(store, provisioner.sources)
            last: HarnessError | None = None
            for version in pythons(change.python, self._report):
                try:
                    interpreter = provisioner.interpreter(version)
                    axes = Axes(path="native", python=version)
                    try:
                        wanted = requirements(change, self._report)
                        lock = resolver.cell(axes, interpreter, wanted)
                    except Unsatisfiable:
                        # What is there now does not go with the change: any version will do.
                        wanted = requirements(change, self._report, free=True)
                        lock = resolver.cell(axes, interpreter, wanted)
                    return provisioner.python(interpreter, lock).executable
                except HarnessError as error:
                    last = last or error
            raise last or HarnessError(f"no Python {change.python} can be had here")


def _same(before: Report, then: Report) -> bool:
    """Whether an examination came to the same end as the one before."""
    causes = {one.id for one in before.causes[:1]}
    return then.phase == before.phase or any(one.id in causes for one in then.causes)


def with_variables(request: Request, change: Change, scratch: Path) -> Request:
    """Return the request with variables changed, also where a file of R's sets them."""
    environ = {name: value for name, value in request.environ.items() if name not in change.unset}
    environ |= change.env
    named = environ.get("R_ENVIRON_USER")
    home = Path(environ.get("HOME") or "/nonexistent")
    local = request.folder / ".Renviron"
    file = Path(named) if named else local if local.is_file() else home / ".Renviron"
    changed = {*change.unset, *change.env}
    if file.is_file() and changed:
        text = file.read_text(encoding="utf-8", errors="replace")
        kept = [line for line in text.splitlines() if _assigned(line) not in changed]
        copy = scratch / f"Renviron{len(list(scratch.iterdir()))}"
        copy.write_text("\n".join(kept) + "\n", encoding="utf-8")
        environ["R_ENVIRON_USER"] = str(copy)
    return msgspec.structs.replace(request, environ=environ)


def _assigned(line: str) -> str | None:
    found = re.match(r"\s*(?:export\s+)?(\w+)\s*=", line)
    return found[1] if found else None


def pythons(asked: str | None, report: Report) -> Iterator[str]:
    """Yield the Pythons to try, best first: the newest that fits, or the same minor version."""
    now = str(report.identity.get("version") or "") or _version_in(report)
    minor = ".".join(now.split(".")[:2])
    if asked is None:
        yield minor or "3.12"
        return
    wanted = asked.strip()
    if re.fullmatch(r"\d+\.\d+", wanted):
        yield wanted
        return
    try:
        fits = SpecifierSet(wanted)
    except InvalidSpecifier:
        return
    yield from (one for one in _MINORS if fits.contains(one) and one != minor)


def _version_in(report: Report) -> str:
    facts = report.facts
    return str(facts.get("python.version") or facts.get("python.requested_version") or "")


def requirements(change: Change, report: Report, *, free: bool = False) -> tuple[str, ...]:
    """Return what to install: the packages that are there, with the change laid over them.

    They keep their versions, unless they are ``free`` or another Python is asked for, which may
    have no build of that very version.
    """
    changed: dict[str, str] = {}
    for text in change.requirements:
        try:
            changed[canonicalize_name(Requirement(text).name)] = text
        except InvalidRequirement:
            continue
    kept: dict[str, str] = {}
    for name in _KEPT:
        version = report.facts.get(f"package.{name}")
        if isinstance(version, str) and name not in changed:
            kept[name] = name if free or change.python else f"{name}=={version}"
    wanted = report.framework
    if wanted is not None and wanted not in kept and f"{wanted}-cpu" not in kept:
        kept.setdefault(wanted, wanted)
    kept = {name: text for name, text in kept.items() if name not in changed}
    kept.setdefault("numpy", "numpy")
    return tuple(sorted({**kept, **changed}.values()))


# --- scripts ------------------------------------------------------------------------------------


def _mend_script(request: Request, report: Report, scratch: Path, again: Examine) -> Report:
    """Correct a copy of the script, one place after the other, as long as each helps."""
    assert request.script is not None
    copy = scratch / request.script.name
    lines = request.script.read_text(encoding="utf-8", errors="replace").splitlines()
    notes = list(report.notes)
    then, place = report, report.place
    first: bool | None = None
    for count in range(_CORRECTIONS):
        mended = None if place is None else corrected(lines, place)
        if mended is None or place is None:
            break
        copy.write_text("\n".join(mended) + "\n", encoding="utf-8")
        before = then
        then = again(msgspec.structs.replace(request, script=copy))
        helped = then.ok or _elsewhere(before, then)
        first = helped if count == 0 else first
        if not helped:
            break
        if count > 0:
            cause = before.causes[0].id if before.causes else "script"
            notes.append(
                Note(
                    id=cause, text=f"line {place.line}: write {place.instead}, not {place.written}"
                )
            )
        lines, place = mended, then.place
        if then.ok:
            notes.append(Note(id="script", text="with all of these the script runs to its end"))
            break
    if not then.ok and first:
        notes.append(Note(id="script", text=f"after that: {then.summary}"))
    causes = list(report.causes)
    if causes and first is not None:
        remedies = [
            msgspec.structs.replace(one, verified=first) if at == 0 else one
            for at, one in enumerate(causes[0].remedies)
        ]
        causes[0] = msgspec.structs.replace(causes[0], remedies=tuple(remedies))
    return msgspec.structs.replace(report, causes=tuple(causes), notes=tuple(notes))


def _elsewhere(before: Report, then: Report) -> bool:
    """Whether a script fails in another place, or in other words."""
    old, new = before.place, then.place
    if old is None or new is None:
        return True
    return (old.line, old.column, old.written) != (new.line, new.column, new.written)


def corrected(lines: list[str], place: Place) -> list[str] | None:
    """Return the script with one place corrected; ``None`` where the place does not hold it."""
    if place.written is None or place.instead is None or not 0 < place.line <= len(lines):
        return None
    line = lines[place.line - 1]
    written = re.escape(place.written)
    # Spaces about the sign of equality are the writer's own.
    pattern = re.sub(r"(?:\\ )?=(?:\\ )?", r"\\s*=\\s*", written, count=1)
    found = re.search(pattern, line)
    if found is None:
        return None
    instead = line[: found.start()] + place.instead + line[found.end() :]
    return [*lines[: place.line - 1], instead, *lines[place.line :]]

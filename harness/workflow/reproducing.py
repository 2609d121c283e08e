"""What is known of a cell, put together for its reproducer: ``harness repro``."""

from __future__ import annotations

import re
from importlib import resources
from pathlib import Path
from typing import Any, Final

import msgspec

from harness.errors import HarnessError, UsageError
from harness.matrix.frameworks import parse_framework
from harness.model.cell import SOURCE, Axes
from harness.model.document import Results
from harness.model.record import CellRecord
from harness.model.status import Status
from harness.paths.base import BuildsForR, IntegrationPath
from harness.provision.r.suites import Suite, suites
from harness.report.view import Blame, blame
from harness.repro import Build, Case, Compile, Lines, Reproducer, reproducer
from harness.resolve.cuda import exactly
from harness.resolve.frameworks import CPU, request
from harness.resolve.uv import WHEELS_ONLY
from harness.results.load import load
from harness.results.regular import read_regular
from harness.workflow.registry import paths
from harness.workflow.why import Account, account

_KNOWN_AXES: Final = frozenset(Axes.__struct_fields__)
_DISTRIBUTIONS: Final = {"tensorflow": "tensorflow-cpu"}
"""What the module's package is called, where that is not its name, without CUDA."""
_LARGEST: Final = 4 * 2**20
"""Bytes that are read of a file of a cell; a request or a lock has some thousand."""
_EXAMPLE: Final = re.compile(r"the example ([\w-]+) (fails even as corrected)?")


def reproduce(folder: Path, cell: str) -> tuple[str, Reproducer]:
    """Return a cell's id and its reproducer.

    Parameters
    ----------
    folder
        A folder of results; one that holds ``results.json`` alone will do.
    cell
        The id, or a shell pattern that fits one cell alone.

    Raises
    ------
    UsageError
        If no cell, or more than one, is meant; if its path has no plain script.
    NotMeasured
        If the cell did not run.
    FileFault
        If there are no results.
    """
    told = account(folder, cell)
    return told.record.id, reproducer(_case(folder, told, load(folder)))


def _case(folder: Path, told: Account, results: Results) -> Case:
    record = told.record
    axes = _axes(record)
    path = None if axes is None else paths().get(axes.path)
    suite = _suite(record)
    causes = told.diagnosis.causes
    machine = results.machine_of(record.id)
    control = told.control
    example, corrected = _example(record)
    return Case(
        record=record,
        python=_python(folder, record, control),
        r=_r(record),
        lock=_lock(folder, record, axes, path),
        compile=None if axes is None or path is None else _compile(record, axes, path),
        build=None if axes is None or path is None else _build(record, axes, path, suite),
        suite=None if suite is None else suite.name,
        rolling=suite is not None and suite.rolling,
        system=", ".join(part for part in (machine.os, machine.arch) if part),
        cause=causes[0] if causes else None,
        control_passes=_control_passes(record, control),
        example=example,
        corrected=corrected,
    )


def _control_passes(record: CellRecord, control: CellRecord | None) -> bool | None:
    """Say how the same work in Python without R ends, where that tells of this cell's failure."""
    if record.status is Status.PASS or control is None:
        return None
    if control.status is Status.PASS:
        return True
    return False if blame(record, control) is Blame.EXCUSED else None


def _axes(record: CellRecord) -> Axes | None:
    """Return a record's axes as they were; ``None`` for a cell of which only the id is known."""
    known: dict[str, Any] = {
        name: value for name, value in record.axes.items() if name in _KNOWN_AXES
    }
    if not known.get("path") or not known.get("python"):
        return None
    text = known.pop("framework", None)
    try:
        framework = parse_framework(text) if text else None
    except ValueError as error:
        raise UsageError(f"{record.id}: {error}") from error
    pins = tuple(
        (name, value) for name, value in record.axes.items() if name not in _KNOWN_AXES and value
    )
    return Axes(**known, framework=framework, pins=pins)


def _suite(record: CellRecord) -> Suite | None:
    """Return the Debian suite that the cell's R is of."""
    comes_from = str(_part(record, "comes_from").get("r") or "")
    version = _r(record)
    if comes_from and not comes_from.startswith("debian:"):
        return None
    named = comes_from.removeprefix("debian:")
    return next((one for one in suites() if one.name == named or one.r == version), None)


def _r(record: CellRecord) -> str | None:
    return _part(record, "r").get("version") or record.axes.get("r")


def _python(folder: Path, record: CellRecord, control: CellRecord | None) -> str:
    """Return the version of the Python, as exactly as it is known."""
    read_back = _part(record, "python").get("version")
    if read_back:
        return str(read_back)
    for file in sorted((folder / "cells" / record.id).glob("request*.json")):
        asked = _json(file).get("python_version")
        if asked:
            return str(asked)
    # "no set of packages exists for Python 3.13.0": the one that uv was asked about.
    found = re.search(r"\bPython (\d+\.\d+\.\d+)", record.message or "")
    if found is not None and record.status is Status.UNSATISFIABLE:
        return found[1]
    of_control = "" if control is None else _part(control, "python").get("version")
    return str(of_control or record.axes.get("python") or "")


def _json(file: Path) -> dict[str, Any]:
    try:
        found = msgspec.json.decode(read_regular(file, _LARGEST))
    except (OSError, msgspec.MsgspecError):
        return {}
    return found if isinstance(found, dict) else {}


def _lock(
    folder: Path, record: CellRecord, axes: Axes | None, path: IntegrationPath | None
) -> Lines:
    """Return what was installed; where the logs are not at hand, what is known of it."""
    own = _text(folder, record.id)
    if own is not None:
        return Lines(text=own)
    extra = () if axes is None or path is None else _laid_over(axes, path)
    below = _text(folder, record.control or "")
    if below is not None:
        # The control has the same environment, without what the path lays over it.
        return Lines(text=below + "".join(f"{line}\n" for line in extra), whole=not extra)
    modules = _part(record, "modules")
    on_cpu = (record.axes.get("cuda") or CPU) == CPU
    pins = {
        (_DISTRIBUTIONS.get(name, name) if on_cpu else name): str(version)
        for name, version in modules.items()
        if version
    }
    asked = () if axes is None else _asked(axes, extra)
    others = [line for line in asked if re.split(r"[\[<>=!~]", line)[0] not in pins]
    exact = [f"{name}=={version}" for name, version in pins.items()]
    return Lines(text="".join(f"{line}\n" for line in sorted({*exact, *others})), whole=False)


def _text(folder: Path, cell: str) -> str | None:
    try:
        file = folder / "cells" / cell / "requirements.lock"
        return read_regular(file, _LARGEST).decode("utf-8")
    except (OSError, UnicodeDecodeError):
        return None


def _laid_over(axes: Axes, path: IntegrationPath) -> tuple[str, ...]:
    return () if axes.bridge == SOURCE and axes.path == "rpy2" else path.requirements(axes)


def _asked(axes: Axes, extra: tuple[str, ...]) -> tuple[str, ...]:
    try:
        return request(axes, extra).requirements
    except HarnessError:
        # What the resolver does not know is no package that could be named.
        return extra


def _compile(record: CellRecord, axes: Axes, path: IntegrationPath) -> Compile:
    account_of_uv = record.evidence.get("detail", "")

    def is_named(line: str) -> bool:
        name = re.split(r"[\[<>=!~ ]", line)[0]
        return re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", account_of_uv) is not None

    # What uv's proof does not name has no part in it.
    asked = _asked(axes, _laid_over(axes, path))
    return Compile(
        requirements=tuple(filter(is_named, asked)) or asked,
        wheels_only=tuple(filter(is_named, WHEELS_ONLY)) or WHEELS_ONLY,
        constraints=() if axes.cuda == CPU or account_of_uv else exactly(axes.cuda),
    )


def _build(
    record: CellRecord, axes: Axes, path: IntegrationPath, suite: Suite | None
) -> Build | None:
    """Return the bridge that is to be built, where the R does not bring it."""
    package = path.bridge_package
    if package is None or axes.r is None:
        return None
    tree = _part(record, "bridge_tree")
    version = _part(record, "bridge").get("version") or tree.get("version") or axes.bridge or ""
    version = str(version).partition("+")[0]
    if axes.bridge == SOURCE:
        return Build(
            package=package,
            version="" if version == SOURCE else version,
            tree=str(tree.get("origin") or "folder"),
            commit=tree.get("commit"),
        )
    if isinstance(path, BuildsForR):
        return Build(package=package, version=version)
    if package not in path.r_packages or not version or suite is None:
        return None
    shipped = getattr(suite, package.lower(), "")
    comes_with_r = f"{shipped}.".startswith(f"{version}.")
    return None if comes_with_r else Build(package=package, version=version)


def _example(record: CellRecord) -> tuple[str, str]:
    """Return the text of the documented example that failed, and that which the cell had corrected.

    The first is the harness's own: what results hold is text, and never becomes a script.
    """
    found = _EXAMPLE.search(record.message or "")
    if found is None or record.axes.get("path") != "reticulate":
        # The script that the example of `system` calls is a part of the harness.
        return "", ""
    name, corrected = found.groups()
    probe = next((probe for probe in record.probes if probe.name == "seed"), None)
    examples = {} if probe is None else probe.details.get("examples")
    seen = examples.get(name) if isinstance(examples, dict) else None
    seen = seen if isinstance(seen, dict) else {}
    file = resources.files("harness").joinpath("kit", "seed", "examples", f"{name}.R")
    text = file.read_text(encoding="utf-8") if file.is_file() else ""
    text = text.replace(_PLACEHOLDER, _VENV)
    told = str(seen.get("corrected") or "") if corrected else ""
    return text, told.replace("ENV/bin/python", _VENV)


_VENV: Final = ".venv/bin/python"
_PLACEHOLDER: Final = "/path/to/your/python"
"""What every reader of these examples has to replace (``kit/seed/examples.R``)."""


def _part(record: CellRecord, name: str) -> dict[str, Any]:
    found = record.identity.get(name)
    return found if isinstance(found, dict) else {}

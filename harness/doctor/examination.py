"""From a request to a report: the path's own examination, then the causes that fit."""

from __future__ import annotations

import platform
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from harness.causes.model import Diagnosis, Evidence
from harness.doctor.model import LAYERS, ORDER, Layer, Note, Report, Request, State, Variable
from harness.doctor.places import relevant, variables
from harness.doctor.session import Examined, Session, cpu_flags, memory_limit_mb
from harness.doctor.words import first_of
from harness.errors import MachineFault

if TYPE_CHECKING:
    from harness.causes.model import Fact

Examiner = Callable[[Session], Examined]
_LONG: Final = 300


def examine(request: Request) -> Report:
    """Examine the environment of ``request``; whatever it does, a report comes back.

    Raises ``MachineFault`` where there is no room for the doctor's own notes.
    """
    began = time.monotonic()
    try:
        scratch = Path(tempfile.mkdtemp(prefix="harness-doctor-"))
    except OSError as error:
        raise MachineFault(
            f"there is no folder for temporary files ({error.strerror}): set TMPDIR to one that "
            "can be written to"
        ) from None
    try:
        session = Session(request, scratch)
        place = None
        if request.script is None:
            examined = _examiner(request.path)(session)
        else:
            from harness.doctor.script import examine_script, place_of

            examined, found = examine_script(session, request.script)
            place = None if found is None else place_of(found, request.script)
        report = conclude(request, examined, None if place is None else place.cause)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return msgspec.structs.replace(report, place=place, wall_s=time.monotonic() - began)


def _examiner(path: str) -> Examiner:
    if path == "reticulate":
        from harness.doctor.reticulate import examine_reticulate

        return examine_reticulate
    from harness.doctor.hosted import examine_calls, examine_rpy2, examine_rpython

    return {"rpy2": examine_rpy2, "rpython": examine_rpython}.get(path, examine_calls)


def conclude(request: Request, examined: Examined, shown: str | None = None) -> Report:
    """Turn what was gathered into a report.

    ``shown`` is the cause that a place in the user's script shows: it comes first.
    """
    layers = _layers(request.path, examined)
    notes = list(examined.notes)
    failed = examined.layer
    facts = _facts(request, examined)
    if failed is None:
        _device_notes(facts, notes)
        return Report(
            ok=True,
            summary=_all_well(request, examined),
            path=request.path,
            framework=examined.framework,
            layers=layers,
            discovery=examined.rungs,
            identity=examined.identity,
            variables=_variables(request, examined),
            evidence=tuple(examined.shown),
            notes=tuple(notes),
        )
    phase = LAYERS[failed].phase
    facts["phase"] = phase
    text = "\n".join(part for part in dict.fromkeys(examined.texts) if part.strip())
    diagnosis = _diagnose(Evidence(text=text, facts=facts))
    causes = tuple(sorted(diagnosis.causes, key=lambda cause: cause.id != shown))
    first = first_of(examined.message) or "it fails"
    unexplained = None
    if causes:
        summary = causes[0].summary
    else:
        summary = f"{request.path}: {LAYERS[failed].fails}: {first[:_LONG]}"
        unexplained = diagnosis.unexplained or first
    return Report(
        ok=False,
        summary=summary,
        path=request.path,
        framework=examined.framework,
        phase=phase,
        causes=causes,
        layers=layers,
        discovery=examined.rungs,
        identity=examined.identity,
        variables=_variables(request, examined),
        evidence=_evidence(examined),
        notes=tuple(notes),
        facts=facts,
        ruled_out=diagnosis.ruled_out,
        unexplained=unexplained,
    )


def _diagnose(evidence: Evidence) -> Diagnosis:
    from harness.causes import diagnose

    return diagnose(evidence)


def _facts(request: Request, examined: Examined) -> dict[str, Fact]:
    """Return every fact, with those of the machine that are cheap to have."""
    facts: dict[str, Fact] = {
        "machine.arch": platform.machine(),
        "machine.libc": platform.libc_ver()[1] or "0",
    }
    if examined.layer is not None:
        if flags := cpu_flags():
            facts["cpu.flags"] = flags
        if (limit := memory_limit_mb()) is not None:
            facts["memory.limit_mb"] = limit
    if examined.framework is not None:
        facts["framework.name"] = examined.framework
    seen = examined.seen or request.environ
    facts |= {f"env.{name}": value for name, value in relevant(seen).items()}
    lost = tuple(note.id for note in examined.notes)
    if lost:
        facts["convert.lost"] = lost
    return facts | examined.facts


def _variables(request: Request, examined: Examined) -> tuple[Variable, ...]:
    return variables(
        examined.seen or request.environ, request.environ, examined.r_home, request.folder
    )


def _evidence(examined: Examined) -> tuple[str, ...]:
    first = first_of(examined.message)
    return tuple(dict.fromkeys((*((first,) if first else ()), *examined.shown)))


def _layers(path: str, examined: Examined) -> tuple[Layer, ...]:
    """Return the layers with the one that failed marked, where the child did not say so."""
    if examined.account is not None:
        layers = examined.account.layers
        if examined.account.failure is None and examined.layer is not None:
            names = [layer.name for layer in layers]
            at = names.index(examined.layer) if examined.layer in names else len(names)
            return tuple(
                msgspec.structs.replace(layer, state=State.FAILED, said=examined.message)
                if here == at
                else layer
                for here, layer in enumerate(layers)
            )
        if examined.layer is None:
            # What failed only because the doctor kept it from being made is no failure.
            return tuple(
                layer
                if layer.state is State.OK
                else msgspec.structs.replace(layer, state=State.NOT_REACHED, said="")
                for layer in layers
            )
        return layers
    return tuple(
        Layer(
            name=name,
            title=LAYERS[name].title,
            phase=LAYERS[name].phase,
            state=State.FAILED if name == examined.layer else State.NOT_REACHED,
            said=examined.message if name == examined.layer else "",
        )
        for name in ORDER[path]
    )


def _device_notes(facts: dict[str, Fact], notes: list[Note]) -> None:
    if facts.get("device.got") != "cpu":
        return
    here = Path("/proc/driver/nvidia/version").exists()
    build = facts.get("cuda.runtime")
    if build and not here:
        text = f"the framework is built for CUDA {build}, and no GPU is here: it works on the CPU"
        notes.append(Note(id="no-gpu-visible", text=text))
    elif build:
        text = f"the framework is built for CUDA {build}, and works on the CPU although a driver is"
        notes.append(Note(id="no-gpu-visible", text=f"{text} here; see CUDA_VISIBLE_DEVICES"))
    elif here:
        text = "an NVIDIA driver is here, and the framework is a build for the CPU"
        notes.append(Note(id="torch-not-compiled-with-cuda", text=text))


def _all_well(request: Request, examined: Examined) -> str:
    if request.script is not None:
        return f"Nothing is wrong: {request.script.name} runs to its end"
    if "python.version" not in examined.facts:
        return "Nothing is wrong so far, and nothing is there yet: see the note"
    python = examined.facts["python.version"]
    version = examined.facts.get("framework.version", "")
    what = f"{examined.framework} {version}".strip() if examined.framework else "no framework"
    bridge = examined.facts.get("bridge.version", "")
    return f"Nothing is wrong: {what} works in Python {python} over {request.path} {bridge}".strip()

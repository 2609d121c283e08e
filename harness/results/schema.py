"""The published JSON Schema of ``results.json``, generated from the types.

``python -m harness.results.schema > harness/results/results.schema.json`` brings the
checked-in file up to date.
"""

from __future__ import annotations

import inspect
import json
import re
import sys
from pathlib import Path
from typing import Any, Final

import msgspec

from harness.model.document import SCHEMA, Results
from harness.model.status import Phase, Status

FILE: Final = Path(__file__).with_name("results.schema.json")

_DESCRIPTIONS: Final[dict[str, dict[str, str]]] = {
    "Stage": {
        "name": "Name of the step: `framework_import`.",
        "wall_s": "Wall time in seconds, in total over `n` repetitions.",
        "cpu_s": "CPU time in seconds, in total; null where it cannot be attributed.",
        "n": "How many repetitions the times are of.",
    },
    "ProbeRecord": {
        "name": "Name of the probe: `init`.",
        "status": "How the probe ended.",
        "version": "Version of the probe: stages of two versions are not of the same work.",
        "variant": "What tells runs of one probe apart: the Keras backend; null otherwise.",
        "cold": "True for a start with the environment's files put out of the page cache before.",
        "phase": "Where the probe got to; null where it passed.",
        "message": "Why the probe did not pass, in one sentence.",
        "stages": "The timed steps, in the order in which they ran.",
        "details": "What the oracle looked at: hashes, losses, accuracy, device.",
    },
    "ProcessPeak": {
        "role": "`host` for the driver's own process, else `python`, `r` or `other`.",
        "program": "The kernel's name of the program.",
        "peak_mb": "Peak of the resident memory in MiB, of the largest of its processes.",
        "count": "How many processes of the program there were in this role.",
    },
    "Ending": {
        "exit_code": "Exit status; null where a signal ended the process.",
        "signal": "Name of the signal that ended the process: `SIGSEGV`.",
        "stdout_cut": "Bytes of standard output that were not kept.",
        "stderr_cut": "Bytes of standard error that were not kept.",
        "leftovers": "Processes that the cell left behind and that were ended.",
    },
    "CellRecord": {
        "id": "The cell's one name, everywhere; also that of its folder under `cells/`.",
        "axes": "Value by axis: `path`, `transport`, `r`, `bridge`, `python`, `framework`, "
        "`cuda`, and any pinned package; null where an axis does not apply.",
        "status": "How the cell ended: as its worst probe did.",
        "phase": "Where the cell got to; null where it passed.",
        "cause": "Id of the cause in the catalogue of causes; null where none is known.",
        "message": "Why the cell did not pass, in one sentence.",
        "wall_s": "Wall time of the cell's own processes in seconds, provisioning not counted.",
        "resolve_s": "Seconds that resolving its packages took.",
        "provision_s": "Seconds that providing its R and Python took.",
        "max_rss_mb": "Peak of the resident memory in MiB, summed over its processes.",
        "processes": "Peak of the memory of each program of the process tree, the host first.",
        "identity": "Interpreter, libraries and versions as read back from inside the cell; "
        "`comes_from` says whose R and Python they are (`machine`, `debian:sid`); `bridge_tree` "
        "what the bridge was built from, where it was built for the cell.",
        "findings": "What was noticed and dealt with, one sentence each.",
        "evidence": "What led to the message, by name: `traceback`, hidden standard error.",
        "probes": "One record a probe and variant.",
        "control": "Id of the native cell in the same Python environment; null for a control.",
        "implied": "True for a control that was added because another cell needs it.",
        "lock": "Digest of the lock of what was installed.",
        "key": "Digest of what was asked; a result counts only for its key.",
        "started_at": "When the cell started: UTC, ISO 8601.",
        "ending": "How the cell's processes ended.",
        "trials": "Remedies of the cause that were applied to the cell, in the order in which "
        "they were tried.",
        "attempts": "How the cell ended each time where it was run several times; the record is "
        "of the first.",
        "lost_workers": "Workers of a cluster that were lost while they ran the cell; it was then "
        "run on another, and after two given up as `missing`.",
    },
    "Trial": {
        "remedy": "Id of the remedy in the catalogue of causes; of several that were applied "
        "together, their ids with `+` between them.",
        "verified": "True where what had stopped the cell passed with the remedy applied, false "
        "where it did not; null where the remedy could not be tried.",
        "cell": "Id of the cell with the remedy applied; empty where there can be none.",
        "change": "What was changed, in words.",
        "message": "Why it did not pass or was not tried, or what else stops the cell then; null "
        "where the whole cell passes.",
        "unfinished": "Whether remedies of what stops the cell then are still to be tried on top.",
        "wall_s": "Wall time of the trial's own processes in seconds.",
        "key": "Digest of what was asked of the cell with the remedy applied.",
        "logs": "Folder of its logs, below that of the results.",
    },
}


def schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of the results document."""
    (root,), components = msgspec.json.schema_components([Results], ref_template="#/$defs/{name}")
    definitions = {name: dict(components[name]) for name in sorted(components)}
    for name, fields in _DESCRIPTIONS.items():
        properties = definitions[name]["properties"]
        for field, text in fields.items():
            properties[field] = {"description": text, **properties[field]}
    for enumeration in (
        Status,
        Phase,
    ):  # in the order of the vocabulary, which is not the alphabet's
        definitions[enumeration.__name__]["enum"] = [member.value for member in enumeration]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:r-python-harness:results:{SCHEMA}",
        "title": f"Results of a matrix run, version {SCHEMA}",
        **root,
        "$defs": _tidied(definitions),
    }


def text() -> str:
    """Return the schema as it is checked in."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


def _tidied(node: Any) -> Any:
    """Return ``node`` with its docstrings, written for Sphinx, as plain Markdown."""
    if isinstance(node, dict):
        return {
            # Python 3.13 takes the indent from docstrings by itself, earlier ones do not.
            key: re.sub(r"``([^`]*)``", r"`\1`", inspect.cleandoc(value))
            if key == "description" and isinstance(value, str)
            else _tidied(value)
            for key, value in node.items()
        }
    return [_tidied(item) for item in node] if isinstance(node, list) else node


if __name__ == "__main__":
    sys.stdout.write(text())

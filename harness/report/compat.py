"""A small document for other programs: what came of each combination, when, and where to read on.

Its JSON Schema, ``compat.schema.json`` beside this file, is published in the repository.
``python -m harness.report.compat > harness/report/compat.schema.json`` brings it up to date.
"""

from __future__ import annotations

import inspect
import json
import sys
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from harness.model.document import Results
from harness.model.record import CellRecord
from harness.model.status import Status
from harness.report.base import DEFAULTS, Options
from harness.report.links import cell_link
from harness.report.view import ordered, reason

SCHEMA: Final = 1
"""Version of the document: counts up when a key changes its meaning or goes away."""
FILE: Final = Path(__file__).with_name("compat.schema.json")

_AXES: Final = ("path", "transport", "r", "bridge", "python", "framework", "cuda")


class Versions(msgspec.Struct, frozen=True, kw_only=True):
    """Versions read back from inside the cell; null or absent where it did not get that far."""

    r: Annotated[str | None, Meta(description="Version of R.")] = None
    bridge: Annotated[str | None, Meta(description="Version of the bridge's package.")] = None
    python: Annotated[str | None, Meta(description="Version of Python: `3.12.1`.")] = None
    packages: Annotated[
        dict[str, str], Meta(description="Version by package of Python: `numpy`, `torch`.")
    ] = {}


class Combination(msgspec.Struct, frozen=True, kw_only=True):
    """One combination of versions, and what came of it."""

    id: Annotated[str, Meta(description="The one name of the cell, stable over runs.")]
    path: Annotated[str, Meta(description="How R and Python work together: `reticulate`.")]
    transport: Annotated[str | None, Meta(description="Of the path `rpc`: `zmq`.")] = None
    r: Annotated[str | None, Meta(description="R as asked for; null where none takes part.")] = None
    bridge: Annotated[str | None, Meta(description="The bridge's version as asked for.")] = None
    python: Annotated[str | None, Meta(description="Python as asked for: `3.12`.")] = None
    framework: Annotated[
        str | None, Meta(description="Framework as asked for: `keras[jax]==3.15.1`.")
    ] = None
    cuda: Annotated[str | None, Meta(description="`cpu`, or the version of CUDA.")] = None
    pins: Annotated[
        dict[str, str], Meta(description="Further packages that were asked for: specifier by name.")
    ] = {}
    status: Annotated[Status, Meta(description="What came of it.")]
    cause: Annotated[
        str | None, Meta(description="Id in the catalogue of causes; null where none is known.")
    ] = None
    message: Annotated[
        str | None, Meta(description="Why it does not pass, in a sentence; null where it does.")
    ] = None
    when: Annotated[
        str | None, Meta(description="When it ran: UTC, ISO 8601; null where it did not.")
    ] = None
    link: Annotated[
        str,
        Meta(description="Its page; relative to this document where that has no address."),
    ]
    versions: Annotated[Versions, Meta(description="What it really ran with.")] = Versions()


class Compat(msgspec.Struct, frozen=True, kw_only=True):
    """What came of every combination of one run.

    Keys may be added without a new version of the schema: a reader passes over those that it does
    not know.
    """

    schema: Annotated[int, Meta(ge=1, description="Version of this document's schema.")] = SCHEMA
    matrix: Annotated[str, Meta(description="Name of the matrix that was run.")]
    harness: Annotated[str, Meta(description="Version of the harness that ran it.")] = ""
    when: Annotated[
        str | None, Meta(description="When the run ended: UTC, ISO 8601; null if it was cut short.")
    ] = None
    os: Annotated[str, Meta(description="Operating system of the machine.")] = ""
    arch: Annotated[str, Meta(description="Architecture of the machine.")] = ""
    counts: Annotated[dict[str, int], Meta(description="Number of combinations by status.")] = {}
    combinations: Annotated[tuple[Combination, ...], Meta(description="One entry a cell.")] = ()


class _Compat:
    name = "compat"

    def render(self, results: Results, *, options: Options = DEFAULTS) -> str:
        """Return ``compat.json``; links begin with ``options.site``."""
        document = compat(results, site=options.site)
        return msgspec.json.format(msgspec.json.encode(document), indent=1).decode() + "\n"


def compat(results: Results, *, site: str = "") -> Compat:
    """Return the document; its combinations are in the order of all reports."""
    cells = ordered(results)
    return Compat(
        matrix=results.matrix,
        harness=results.harness,
        when=results.finished_at,
        os=results.machine.os,
        arch=results.machine.arch,
        counts={
            status.value: number
            for status in Status
            if (number := sum(one.status is status for one in cells))
        },
        combinations=tuple(_combination(record, site) for record in cells),
    )


def _combination(record: CellRecord, site: str) -> Combination:
    axes = record.axes
    return Combination(
        id=record.id,
        path=axes.get("path") or "",
        transport=axes.get("transport"),
        r=axes.get("r"),
        bridge=axes.get("bridge"),
        python=axes.get("python"),
        framework=axes.get("framework"),
        cuda=axes.get("cuda"),
        pins={name: value for name, value in axes.items() if name not in _AXES and value},
        status=record.status,
        cause=record.cause,
        message=None if record.status is Status.PASS else reason(record),
        when=record.started_at or None,
        link=cell_link(record.id, site),
        versions=_versions(record.identity),
    )


def _versions(identity: dict[str, Any]) -> Versions:
    modules = identity.get("modules")
    found = modules.items() if isinstance(modules, dict) else ()
    return Versions(
        r=_version(identity.get("r")),
        bridge=_version(identity.get("bridge")),
        python=_version(identity.get("python")),
        packages={str(name): of for name, of in found if isinstance(of, str)},
    )


def _version(part: Any) -> str | None:
    found = part.get("version") if isinstance(part, dict) else None
    return found if isinstance(found, str) else None


def schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of the document."""
    (root,), components = msgspec.json.schema_components([Compat], ref_template="#/$defs/{name}")
    definitions = {name: dict(components[name]) for name in sorted(components)}
    # In the order of the vocabulary, and without the docstring of a Python class.
    definitions["Status"] = {
        "title": "Status",
        "description": "What came of a combination; the page of statuses says what each means.",
        "enum": [status.value for status in Status],
    }
    for definition in definitions.values():
        if "description" in definition:
            definition["description"] = inspect.cleandoc(definition["description"])
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:r-python-harness:compat:{SCHEMA}",
        "title": f"What works with what, version {SCHEMA}",
        **root,
        "$defs": definitions,
    }


def text() -> str:
    """Return the schema as it is checked in."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


REPORT = _Compat()

if __name__ == "__main__":
    sys.stdout.write(text())

"""From a matrix file to the plan of a run."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path

from harness.matrix.expand import PathTraits, expand
from harness.matrix.load import Known, load_matrix
from harness.model.cell import Plan
from harness.paths.base import ChoosesBridge, IntegrationPath
from harness.plan.select import select
from harness.plan.shard import parse_shard
from harness.plan.shard import shard as take_shard
from harness.provision.r.provider import matches
from harness.provision.r.suites import suites
from harness.workflow.registry import names, paths


def make_plan(
    matrix: Path,
    *,
    only: Sequence[str] = (),
    where: str | None = None,
    shard: str | None = None,
) -> Plan:
    """Read a matrix file and return the selected cells with their controls.

    Raises
    ------
    UsageError
        The file, the query or the shard is faulty, or no cell is left.
    """
    wanted = None if shard is None else parse_shard(shard)
    installed = paths()
    known = Known(
        paths=installed.keys(),
        transports={name for path in installed.values() for name in path.transports},
        probes=names("harness.probes"),
    )
    traits = {name: _traits(path) for name, path in installed.items()}
    plan = expand(load_matrix(matrix, known), traits, _bridge_of)
    plan = select(plan, only, where)
    return plan if wanted is None else take_shard(plan, *wanted)


def _traits(path: IntegrationPath) -> PathTraits:
    return PathTraits(
        uses_r=path.uses_r,
        has_bridge=path.bridge_package is not None,
        transports=path.transports,
    )


@cache
def _bridge_of(path: str, r: str) -> str | None:
    """Return the series of the bridge that comes with an R: ``1.41`` for R 4.5.0.

    A path that brings its bridge itself says which version fits.  ``None`` where it is not
    known before the R is looked at: the R of this machine.
    """
    found = paths()[path]
    if isinstance(found, ChoosesBridge):
        return found.default_bridge(r)
    package = found.bridge_package
    for suite in suites():
        if package is not None and matches(r, suite.r):
            version: str | None = getattr(suite, package.lower(), None)
            return None if version is None else ".".join(version.split(".")[:2])
    return None

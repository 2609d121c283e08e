"""From a matrix file to the plan of a run."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path

import msgspec

from harness.matrix.expand import PathTraits, VersionsOf, expand
from harness.matrix.load import Known, load_matrix
from harness.model.cell import Plan
from harness.model.status import Status
from harness.paths.base import ChoosesBridge, IntegrationPath
from harness.plan.select import select
from harness.plan.shard import Cost, parse_shard
from harness.plan.shard import shard as take_shard
from harness.provision.r.provider import matches
from harness.provision.r.source import address_of
from harness.provision.r.suites import suites
from harness.results.load import load
from harness.workflow.registry import names, paths


def make_plan(  # noqa: PLR0913 - each is an option of the command line
    matrix: Path,
    *,
    only: Sequence[str] = (),
    where: str | None = None,
    shard: str | None = None,
    cran: str | None = None,
    bridges: Sequence[str] = (),
    costs: Path | None = None,
) -> Plan:
    """Read a matrix file and return the selected cells with their controls.

    ``newest`` and ``every`` become the versions that there are now; ``cran`` is the CRAN-like
    repository that is asked for those of a bridge.  ``bridges`` are values of ``--bridge``, and
    ``costs`` are results of last time, by whose times shards are dealt out.

    Raises
    ------
    UsageError
        The file, the query, the shard, a bridge or the repository is faulty, or no cell is left.
    """
    wanted = None if shard is None else parse_shard(shard)
    # Now, and not when the results of last time have been put aside.
    address_of(cran)
    installed = paths()
    known = Known(
        paths=installed.keys(),
        transports={name for path in installed.values() for name in path.transports},
        probes=names("harness.probes"),
    )
    traits = {name: _traits(path) for name, path in installed.items()}
    plan = expand(load_matrix(matrix, known), traits, bridge_of, _versions_of(cran))
    if bridges:
        from harness.workflow.bridges import read_bridges, with_bridges

        plan = with_bridges(plan, read_bridges(bridges, installed))
    plan = msgspec.structs.replace(plan, whole=len(plan.cells))
    plan = select(plan, only, where)
    return plan if wanted is None else take_shard(plan, *wanted, costs_of(costs))


def costs_of(place: Path | None) -> dict[str, Cost]:
    """Return what cells took last time, by their ids; nothing where no results are named.

    Raises
    ------
    FileFault
        There are no results in ``place``, or they cannot be read.
    """
    if place is None:
        return {}
    return {
        record.id: Cost(run_s=record.wall_s, make_s=record.resolve_s + record.provision_s)
        for record in load(place).cells
        if record.status is not Status.MISSING
    }


def _versions_of(cran: str | None) -> VersionsOf:
    """Make what answers for ``newest`` and ``every`` when the first of them is met."""
    known: list[VersionsOf] = []

    def versions(axis: str, name: str) -> Iterable[str]:
        if not known:
            # Most matrices name their versions, and need none of this.
            from harness.workflow.versions import versions_here

            known.append(versions_here(cran))
        return known[0](axis, name)

    return versions


def _traits(path: IntegrationPath) -> PathTraits:
    return PathTraits(
        uses_r=path.uses_r,
        has_bridge=path.bridge_package is not None,
        transports=path.transports,
        probes=frozenset(path.probes),
    )


@cache
def bridge_of(path: str, r: str) -> str | None:
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

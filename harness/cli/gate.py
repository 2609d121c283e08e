"""``harness gate``: whether a change may go in."""

from __future__ import annotations

from pathlib import Path

import click

from harness.cli.options import COSTS, CRAN, Amount, selection


@click.command(
    "gate",
    short_help="Judge results against a baseline and expectations.",
    epilog=(
        "Example: harness gate .harness/results/smoke --expect expectations.yaml, "
        "or: harness gate matrices/gate.yaml --bridge reticulate=../reticulate --base main"
    ),
)
@click.argument("place", type=click.Path(path_type=Path), metavar="DIR|MATRIX")
@click.option(
    "--baseline",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Results of before; what ended there in the same way is let through.",
)
@click.option(
    "--expect",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="The list of cells that are known not to pass.",
)
@click.option(
    "--bridge",
    metavar="NAME=PLACE",
    help="With a MATRIX: the changed bridge, as for 'harness run --bridge'.",
)
@click.option(
    "--base",
    metavar="BASE",
    help=(
        "With --bridge, what it is held against: a git reference of the same tree, a version, a "
        "place, or 'released', the bridge that comes with each R; by default 'released'."
    ),
)
@selection
@COSTS
@click.option(
    "--results",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="With --bridge: folder for the results, by default .harness/results/gate-<matrix>.",
)
@CRAN
@click.option("--jobs", type=click.IntRange(min=1), metavar="N", help="With --bridge, as for run.")
@click.option(
    "--again",
    type=click.IntRange(min=0),
    default=2,
    show_default=True,
    metavar="N",
    help="With --bridge: run a cell that does not pass N times more.",
)
@click.option(
    "--latency",
    type=Amount(min=0, min_open=True),
    metavar="SECONDS",
    help="With --bridge: compare latency as well, for so long in each cell that passes in both.",
)
@click.option("--fresh", is_flag=True, help="With --bridge: run every cell anew.")
@click.option("--quiet", "-q", is_flag=True, help="With --bridge: print the verdict alone.")
@click.option(
    "--unfinished",
    metavar="WHY",
    help="Of a DIR: the run was not done to its end, which WHY says; nothing is then let through.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "github"]),
    default="text",
    show_default=True,
    help="'github' annotates the job and writes its summary.",
)
def command(
    place: Path,
    baseline: Path | None,
    expect: Path | None,
    bridge: str | None,
    base: str | None,
    only: tuple[str, ...],
    where: str | None,
    shard: str | None,
    costs: Path | None,
    results: Path | None,
    cran: str | None,
    jobs: int | None,
    again: int,
    latency: float | None,
    fresh: bool,
    quiet: bool,
    unfinished: str | None,
    form: str,
) -> int:
    """Judge results: whether the change may go in that they were measured with.

    Of the results in DIR, every cell must pass unless the baseline or the expectations say
    otherwise; that no set of packages can exist for a cell counts where the baseline had it.  Of
    a MATRIX, the cells are run with the bridge that --bridge names and with the
    one that --base names, in turns, and only what differs is judged.  A flaky cell (one that
    `--again` saw end in two ways) is never let through in silence.

    \b
    Exit codes:
      0  every cell ended as it should
      1  something that worked no longer works, a cell ended as neither the baseline nor the
         expectations say, or a line of the expectations is no longer true
      2  a file is faulty
      3  nothing of that, but not everything was measured
      4  this machine could not do it
    """
    from harness.workflow.gating import gate, shown

    def given(name: str) -> bool:
        source = click.get_current_context().get_parameter_source(name)
        return source is click.core.ParameterSource.COMMANDLINE

    for name, value in (("unfinished", unfinished), ("base", base)):
        # A variable that is empty would be taken for a run that was done, or for the release.
        if value is not None and not value.strip():
            raise click.UsageError(f"--{name} is empty; {_EMPTY[name]}, or leave it away")
    if unfinished is not None and bridge is not None:
        raise click.UsageError("--unfinished is said of results in a DIR; leave --bridge away")
    if bridge is None:
        _refuse_options(
            latency=latency,
            base=base,
            where=where,
            shard=shard,
            costs=costs,
            results=results,
            cran=cran,
            only=only,
            jobs=jobs,
            again=given("again"),
            fresh=fresh,
            quiet=quiet,
        )
        if place.is_file() and place.suffix in {".yaml", ".yml"}:
            raise click.UsageError(
                f"{place} is a matrix: name the changed bridge with --bridge NAME=PLACE, or a "
                "folder with results to judge"
            )
        judgement = gate(place, baseline=baseline, expect=expect, cut_off=unfinished)
        click.echo(shown(judgement, form, folder=place, expect=expect), nl=False)
        return judgement.exit_code
    if baseline is not None:
        raise click.UsageError(
            "--baseline and --bridge exclude each other: --base says against what"
        )
    from harness.cli.options import default_results
    from harness.workflow.both import HEAD, RELEASED, Request, gate_bridge

    folder = results or default_results(f"gate-{place.stem}")
    request = Request(
        matrix=place,
        bridge=bridge,
        base=base or RELEASED,
        results=folder,
        only=only,
        where=where,
        shard=shard,
        costs=costs,
        cran=cran,
        jobs=jobs,
        again=again,
        fresh=fresh,
        latency_s=latency or 0.0,
        # Programs read what is printed.
        quiet=quiet or form == "json",
    )
    judgement = gate_bridge(request, expect)
    click.echo(shown(judgement, form, folder=folder / HEAD, expect=expect), nl=False)
    return judgement.exit_code


_EMPTY = {
    "unfinished": "write why the run was not done to its end",
    "base": "write a git reference, a version, a place, or 'released'",
}


def _refuse_options(**given: object) -> None:
    for name, value in given.items():
        if value:
            raise click.UsageError(
                f"--{name} goes with --bridge: results are judged as they are; write 'harness gate "
                "MATRIX --bridge NAME=PLACE'"
            )

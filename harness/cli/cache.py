"""``harness cache``: what provisioning keeps, and how large it is."""

from __future__ import annotations

import click

from harness.cli.options import Amount


@click.command(
    "cache",
    short_help="Show or prune what provisioning keeps.",
    epilog="Example: harness cache --prune --older-than 30",
)
@click.option("--prune", is_flag=True, help="Remove what no run is using.")
@click.option(
    "--older-than",
    type=Amount(min=0),
    metavar="DAYS",
    help="With --prune: only what was last used more than DAYS days ago.",
)
def command(prune: bool, older_than: float | None) -> None:
    """Show the R toolchains and Python environments that are kept, and how large they are.

    All of it can be made again; runs that follow take longer then.
    """
    from harness.workflow.caching import prune_cache, show_cache

    if older_than is not None and not prune:
        raise click.UsageError("--older-than goes with --prune")
    click.echo(prune_cache(older_than) if prune else show_cache())

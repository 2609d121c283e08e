"""``harness merge``: shards into one."""

from __future__ import annotations

from pathlib import Path

import click


@click.command(
    "merge",
    short_help="Put the results of several runs into one.",
    epilog="Example: harness merge shard-1 shard-2 --results merged",
)
@click.argument(
    "folders", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="DIR..."
)
@click.option(
    "--results",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Folder for the merged results; made where it is not there.",
)
def command(folders: tuple[Path, ...], results: Path) -> None:
    """Merge the results in each DIR; order and repetition do not matter."""
    from harness.workflow.merging import merge_folders

    merged = merge_folders(folders, results)
    click.echo(f"{len(merged.cells)} cells of {len(folders)} folders are in {results}")

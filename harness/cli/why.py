"""``harness why``: why one cell is not ``pass``."""

from __future__ import annotations

from pathlib import Path

import click

from harness.cli.options import RESULTS_FOLDER, text_or_json


@click.command(
    "why",
    short_help="Say why a cell did not pass, and what makes it.",
    epilog="Example: harness why .harness/results/smoke 'reticulate-1.28*py3.12__jax*'",
)
@RESULTS_FOLDER
@click.argument("cell", metavar="CELL")
@text_or_json("'json' has what 'harness doctor' has for its causes, and the nearest passing cells.")
def command(folder: Path, cell: str, form: str) -> None:
    """Say why CELL of the results in DIR is not 'pass': phase, cause, evidence, remedies.

    CELL is a cell's id, or a shell pattern that fits one cell.  Remedies that the run applied are
    marked as verified, or as of no help; the nearest cells that pass show which axis to change.
    """
    import msgspec

    from harness.workflow.why import account, as_document, as_text

    told = account(folder, cell)
    if form == "json":
        encoded = msgspec.json.format(msgspec.json.encode(as_document(told)), indent=2)
        click.echo(encoded.decode())
    else:
        click.echo(as_text(told), nl=False)

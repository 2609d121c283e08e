"""``harness gate``: whether a change may go in."""

from __future__ import annotations

from pathlib import Path

import click


@click.command(
    "gate",
    short_help="Judge results against a baseline and expectations.",
    epilog="Example: harness gate .harness/results/smoke --expect matrices/expectations/smoke.yaml",
)
@click.argument("folder", type=click.Path(path_type=Path), metavar="DIR")
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
    "--format",
    "form",
    type=click.Choice(["text", "json", "github"]),
    default="text",
    show_default=True,
    help="'github' annotates the job and writes its summary.",
)
def command(folder: Path, baseline: Path | None, expect: Path | None, form: str) -> int:
    """Judge the results in DIR: whether the change may go in that they were measured with.

    Without a baseline and expectations, every cell has to pass.  A cell that the run found to be
    flaky (`harness run --again`) is never let through in silence.

    \b
    Exit codes:
      0  every cell ended as it should
      1  something that worked does no longer, a cell ended in a way that nothing says, or a line
         of the expectations is no longer true
      2  a file is faulty
      3  nothing of that, but not everything was measured
    """
    from harness.workflow.gating import gate, shown

    judgement = gate(folder, baseline=baseline, expect=expect)
    click.echo(shown(judgement, form, folder=folder, expect=expect), nl=False)
    return judgement.exit_code

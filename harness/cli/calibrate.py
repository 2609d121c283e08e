"""``harness calibrate``: what the verdict of ``harness ab`` is worth on this machine."""

from __future__ import annotations

from pathlib import Path

import click

from harness.cli.options import CRAN, QUIET, Amount, default_results, selection, text_or_json

DEFAULT = Path("matrices/calibrate.yaml")


@click.command(
    "calibrate",
    short_help="Measure how often the verdict of ab is wrong here.",
    epilog="Example: harness calibrate --record 1800 --busy 1",
)
@click.argument("matrix", type=click.Path(path_type=Path), metavar="[MATRIX]", default=DEFAULT)
@selection
@click.option(
    "--record",
    type=Amount(min=0, min_open=True),
    default=2100.0,
    show_default=True,
    metavar="SECONDS",
    help="Time for recording all cells together.",
)
@click.option(
    "--budget",
    type=Amount(min=0, min_open=True),
    default=60.0,
    show_default=True,
    metavar="SECONDS",
    help="Time that a comparison may take, as of 'harness ab --budget'.",
)
@click.option(
    "--busy",
    type=click.IntRange(min=0),
    default=0,
    metavar="N",
    help="Keep the machine busy with so many processes meanwhile.",
)
@click.option(
    "--from",
    "recorded",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    multiple=True,
    help="Judge this recording again, and run nothing; several, of one machine, count as one.",
)
@click.option(
    "--results",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Folder for the recording; by default .harness/results/calibrate-<matrix>.",
)
@CRAN
@text_or_json()
@QUIET
def command(
    matrix: Path,
    only: tuple[str, ...],
    where: str | None,
    shard: str | None,
    record: float,
    budget: float,
    busy: int,
    recorded: tuple[Path, ...],
    results: Path | None,
    cran: str | None,
    form: str,
    quiet: bool,
) -> int:
    """Measure how often the verdict of `harness ab` is wrong on this machine.

    Records a long series of identical processes of each cell of MATRIX (by default
    matrices/calibrate.yaml), and judges stretches of it: how often two identical arms are said
    to differ, and how often a planted slowdown of 10, 20 and 50% is found, beside the rules of
    pyperf, asv and pytest-benchmark on the same samples.

    \b
    Exit codes:
      0  the record is there
      2  the matrix, the selection or the recording is faulty
      3  a cell does not pass, or too little was recorded for a single comparison
      4  this machine could not do it
    """
    from harness.errors import ExitCode
    from harness.workflow import calibrating
    from harness.workflow.planning import make_plan

    if not recorded:
        plan = make_plan(matrix, only=only, where=where, shard=shard, cran=cran)
        recording = calibrating.record(
            calibrating.Asked(
                plan=plan,
                record_s=record,
                results=results or default_results(f"calibrate-{plan.matrix}"),
                busy=busy,
                cran=cran,
                quiet=quiet,
            )
        )
    else:
        recording = calibrating.join([(str(file), calibrating.load(file)) for file in recorded])
    found = calibrating.calibrate(recording, budget)
    shown = calibrating.as_json(found) if form == "json" else calibrating.as_text(found)
    click.echo(shown, nl=False)
    return ExitCode.OK if found.shares else ExitCode.NOT_MEASURED

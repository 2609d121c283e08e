"""``harness doctor``: what is wrong with this environment, and what to do."""

from __future__ import annotations

from pathlib import Path

import click

from harness.cli.options import text_or_json


@click.command(
    "doctor",
    short_help="Examine this environment: why does the framework not start from R?",
    epilog="Example: harness doctor --framework keras",
)
@click.option(
    "--path",
    "path",
    type=click.Choice(["reticulate", "rpy2", "system", "rpc", "rpython"]),
    default="reticulate",
    show_default=True,
    help="How R and Python work together.",
)
@click.option(
    "--framework",
    type=click.Choice(["keras", "tensorflow", "torch", "jax"]),
    help="What must be there; by default what is.",
)
@click.option(
    "--python",
    metavar="EXE",
    help="The Python to ask for; by default the one that the bridge finds by itself.",
)
@click.option(
    "--r",
    "rscript",
    metavar="RSCRIPT",
    help="The Rscript to start; by default the first on PATH.",
)
@click.option(
    "--env",
    "variables",
    multiple=True,
    metavar="NAME=VALUE",
    help="Examine as if this variable were set (may be repeated).",
)
@click.option(
    "--script",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE.R",
    help="Run this script as it is, and explain where it fails.",
)
@click.option("--fix", is_flag=True, help="Try the remedies in a fresh environment.")
@text_or_json()
def command(
    path: str,
    framework: str | None,
    python: str | None,
    rscript: str | None,
    variables: tuple[str, ...],
    script: Path | None,
    fix: bool,
    form: str,
) -> int:
    """Examine this environment as it is: each layer in turn, up to the first that fails.

    Nothing of yours is changed or fetched. With --script, the script is run, with all that it
    does. With --fix, remedies are tried in environments of the harness's own; what would touch
    your system is shown and not done.

    \b
    Exit codes:
      0  nothing is wrong
      1  a problem was found
      2  wrong usage
    """
    import os
    import sys

    from harness.doctor import Request, examine
    from harness.doctor.places import find_rscript
    from harness.doctor.show import as_text, document
    from harness.errors import ExitCode, UsageError

    if script is not None and not script.is_file():
        raise UsageError(f"there is no script {script}; name a file of R code")
    try:
        folder = Path.cwd()
    except FileNotFoundError:
        raise UsageError("the working folder is gone: change into one that is there") from None
    environ = dict(os.environ)
    for variable in variables:
        name, equals, value = variable.partition("=")
        if not (name and equals):
            raise UsageError(f"--env {variable} is no variable; write NAME=VALUE")
        environ[name] = value
    if rscript is not None and find_rscript(rscript, environ, folder) is None:
        raise UsageError(f"there is no {rscript}; name the Rscript of an R, or leave --r away")
    request = Request(
        path=path,
        framework=framework,
        python=python,
        rscript=rscript,
        script=None if script is None else script.absolute(),
        environ=environ,
        folder=folder,
    )
    report = examine(request)
    if fix and not report.ok:
        from harness.doctor.fix import prove

        report = prove(request, report, notify=lambda said: click.echo(said, err=True))
    if form == "json":
        import msgspec

        click.echo(msgspec.json.format(msgspec.json.encode(document(report)), indent=2).decode())
    else:
        # Where standard output was closed there is no stream at all.
        color = not os.environ.get("NO_COLOR") and bool(sys.stdout and sys.stdout.isatty())
        click.echo(as_text(report, color=color), nl=False)
    return int(ExitCode.OK if report.ok else ExitCode.PROBLEM)

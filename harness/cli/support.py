"""``harness support``: the documented support ranges."""

from __future__ import annotations

import click

from harness.cli.options import text_or_json


@click.group(
    "support",
    short_help="Check the documented support ranges.",
    no_args_is_help=True,
    epilog="Example: harness support check --format json",
)
def command() -> None:
    """Work with the documented ranges of versions that go together.

    They are the YAML files of 'matrices/support', each fact with its source and date.
    """


@command.command(
    "check",
    short_help="Compare the recorded ranges with the package index.",
    epilog="Example: harness support check --format json",
)
@text_or_json()
@click.option("--fresh", is_flag=True, help="Ask the index anew, whatever it said today.")
def check(form: str, fresh: bool) -> int:
    """Compare the recorded support ranges with what the package index's own files say.

    The Pythons that wheels are for, what they require of numpy and Keras, and releases that are
    not recorded yet: each disagreement with both sides. Reading all of it for the first time
    takes some minutes.

    \b
    Exit codes:
      0  all agree
      1  something differs
      2  a file of facts is faulty
      4  the package index is out of reach, and nothing of it is kept
    """
    from datetime import timedelta

    from harness.errors import ExitCode
    from harness.registry import MAX_AGE
    from harness.workflow.supporting import as_json, as_text, check_support

    found = check_support(max_age=timedelta(0) if fresh else MAX_AGE)
    click.echo(as_json(found) if form == "json" else as_text(found))
    return int(ExitCode.OK if found.ok else ExitCode.PROBLEM)

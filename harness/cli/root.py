"""The group of verbs, each loaded when it is needed."""

from __future__ import annotations

import difflib
from importlib import import_module
from typing import Final

import click

from harness import __version__

VERBS: Final = (
    "plan",
    "run",
    "report",
    "why",
    "repro",
    "gate",
    "expect",
    "ab",
    "calibrate",
    "bisect",
    "merge",
    "history",
    "bundle",
    "cache",
    "doctor",
    "diagnose",
    "support",
)
"""In the order in which help lists them."""


class Verbs(click.Group):
    """A group whose commands are modules of ``harness.cli`` with the attribute ``command``."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the verbs."""
        del ctx
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one verb."""
        del ctx
        if cmd_name not in VERBS:
            return None
        command = import_module(f"harness.cli.{cmd_name}").command
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Say what was meant where a verb is not known."""
        if args and args[0] not in VERBS and not args[0].startswith("-"):
            near = difflib.get_close_matches(args[0], VERBS, n=1)
            hint = f"did you mean '{near[0]}'?" if near else f"verbs are: {', '.join(VERBS)}"
            raise click.UsageError(f"there is no verb '{args[0]}'; {hint}", ctx)
        return super().resolve_command(ctx, args)


@click.group(
    cls=Verbs,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    no_args_is_help=True,
)
@click.version_option(__version__, prog_name="harness", message="%(prog)s %(version)s")
def cli() -> None:
    """Find out which combinations of R, Python, framework and CUDA work, and why not.

    \b
    Example:
      harness run matrices/smoke.yaml
      harness report .harness/results/smoke --format markdown
    """

"""The command line: one module a verb, thin.

``main`` is the console script.  A verb's module imports only ``click`` and the options at its
top; what does the work is imported when the verb runs, so that ``--help`` stays quick.
"""

from __future__ import annotations

import os
import signal
import sys

from harness.cli.root import cli

__all__ = ["cli", "main"]


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and leave the process with the exit code of the contract."""
    # A batch system and a CI runner end a job by SIGTERM, a terminal that is closed by SIGHUP:
    # both end a run as Ctrl-C does, with its cells ended and its journal whole.
    for ending in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(ending) is signal.SIG_DFL:
            signal.signal(ending, signal.default_int_handler)
    sys.exit(run(arguments))


def run(arguments: list[str] | None = None) -> int:
    """Run the command line and return the exit code.

    What a user can cause ends in one sentence on standard error; only a defect of the
    harness ends in a traceback.
    """
    import click

    from harness.errors import ExitCode, HarnessError

    try:
        code = cli.main(args=arguments, prog_name="harness", standalone_mode=False)
    except HarnessError as error:
        from harness.report.words import clean

        # A file's own words may steer a terminal.
        click.echo(f"harness: {clean(str(error))}", err=True)
        return int(error.exit_code)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        return int(ExitCode.OK)
    except click.ClickException as error:
        _show_usage_error(error)
        return int(ExitCode.USAGE)
    except (KeyboardInterrupt, click.Abort):
        click.echo("harness: interrupted", err=True)
        return int(ExitCode.INTERRUPTED)
    except BrokenPipeError:
        # The reader of the output (head, less) has gone: there is nobody to tell.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return int(ExitCode.OK)
    return int(code or 0)


def _show_usage_error(error: Exception) -> None:
    import click

    assert isinstance(error, click.ClickException)
    context = getattr(error, "ctx", None)
    where = context.command_path if context is not None else "harness"
    said = error.format_message().rstrip(".")
    click.echo(f"harness: {said}; '{where} --help' shows how", err=True)

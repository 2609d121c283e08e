"""The command line: one module a verb, thin.

``main`` is the console script.  A verb's module imports only ``click`` and the options at its
top; what does the work is imported when the verb runs, so that ``--help`` stays quick.
"""

from __future__ import annotations

import errno
import os
import signal
import sys

from harness.cli.root import cli

__all__ = ["cli", "main"]

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EFBIG}
"""What a write to standard output can end with, beside a reader that has gone."""


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and leave the process with the exit code of the contract."""
    # A batch system and a CI runner end a job by SIGTERM, a terminal that is closed by SIGHUP:
    # both end a run as Ctrl-C does, with its cells ended and its journal whole.
    for ending in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(ending) is signal.SIG_DFL:
            signal.signal(ending, signal.default_int_handler)
    _open_what_is_closed()
    sys.exit(run(arguments))


def _open_what_is_closed() -> None:
    """Let what is written to a closed standard output or error (``>&-``) go nowhere.

    Python has no stream for it, and the next file that is opened, maybe a journal, would have its
    number.
    """
    for name, number in (("stdout", 1), ("stderr", 2)):
        if getattr(sys, name) is None:
            opened = os.open(os.devnull, os.O_WRONLY)
            if opened != number:
                os.dup2(opened, number)
                os.close(opened)
            # Children that are given none of their own have this one.
            os.set_inheritable(number, True)
            setattr(sys, name, os.fdopen(number, "w", encoding="utf-8", errors="replace"))


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
        from harness.text import clean

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
        _say_nothing_more()
        return int(ExitCode.OK)
    except OSError as error:
        # Of a file whose name is known the verbs themselves tell; this is the output's own.
        if error.errno not in _FULL:
            raise
        _tell_of_the_output(error)
        return int(ExitCode.MACHINE)
    return int(code or 0) if _flushed() else int(ExitCode.MACHINE)


def _flushed() -> bool:
    """Write out what is still buffered; where that fails, say so instead of Python at its end."""
    if sys.stdout is None:
        return True
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        _say_nothing_more()
    except OSError as error:
        _tell_of_the_output(error)
        return False
    return True


def _tell_of_the_output(error: OSError) -> None:
    import click

    _say_nothing_more()
    reason = (error.strerror or str(error)).lower()
    click.echo(f"harness: the output cannot be written: {reason}", err=True)


def _say_nothing_more() -> None:
    """Let what is buffered go nowhere, so that Python does not stumble over it at its end."""
    if sys.stdout is not None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _show_usage_error(error: Exception) -> None:
    import click

    assert isinstance(error, click.ClickException)
    context = getattr(error, "ctx", None)
    where = context.command_path if context is not None else "harness"
    said = error.format_message().rstrip(".")
    click.echo(f"harness: {said}; '{where} --help' shows how", err=True)

"""The command ``detector``: one file per command, which parses and calls plain functions.

Results go to standard output, messages to standard error. Exit codes: 0 done, 1 ``--fail-on`` is met, 2 error,
130 interrupted, 141 the reader of a pipe went away.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from io import TextIOWrapper
from typing import Annotated, NoReturn

import typer

from detector.cli import (
    annotate,
    calibrate,
    classify,
    config,
    convert,
    evaluate,
    explain,
    report,
    review,
    score,
    serve,
    summarize,
    techniques,
    train,
)
from detector.cli.streams import PIPE_CLOSED, say
from detector.errors import DetectorError

app = typer.Typer(
    name="detector",
    help="Find which words of a text use which persuasion technique. Everything runs on this machine.",
    epilog="Results go to standard output, messages to standard error. Exit codes: 0 done, 1 --fail-on met, 2 error.",
    no_args_is_help=True,
    add_completion=True,
    rich_markup_mode=None,  # rich would double the time that --help takes
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("annotate")(annotate.command)
app.command("score")(score.command)
app.command("summarize")(summarize.command)
app.command("report")(report.command)
app.command("review")(review.command)
app.command("serve")(serve.command)
app.command("convert")(convert.command)
app.command("config")(config.command)
app.command("techniques")(techniques.command)
app.command("explain")(explain.command)
app.command("evaluate")(evaluate.command)
app.command("classify")(classify.command)
app.command("train")(train.command)
app.command("calibrate")(calibrate.command)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line of this process, or these arguments, and exit with the code that the module names."""
    out = sys.stdout
    if isinstance(out, TextIOWrapper):
        out.reconfigure(errors="replace")  # the help has characters that not every encoding has
    try:
        app(None if arguments is None else list(arguments), prog_name="detector")
    except DetectorError as error:
        say(f"error: {error}")
    except KeyboardInterrupt:
        _interrupted()
    except SystemExit as stop:
        if stop.code == 130:
            _interrupted()
        if sys.stdout is not out:  # typer puts another in its place where the reader of its help went away
            sys.exit(PIPE_CLOSED)
        raise
    except Exception as error:
        if os.environ.get("DETECTOR_TRACEBACK"):
            raise
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:  # of typer's help, too
            say(f"error: the output cannot be written ({error.strerror}): make room or write elsewhere")
            with suppress(OSError):  # or the flush at exit would complain
                sys.stdout.close()
            sys.exit(2)
        what = " ".join(str(error).split())
        say(
            f"error: {type(error).__name__}: {what}: this is a fault of the detector: "
            "set DETECTOR_TRACEBACK=1 to see where, and report it"
        )
    sys.exit(2)


def _interrupted() -> NoReturn:
    say("interrupted")
    sys.exit(130)


def _print_version(wanted: bool) -> None:
    if wanted:
        from detector import __version__

        typer.echo(f"detector {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Find which words of a text use which persuasion technique. Everything runs on this machine."""

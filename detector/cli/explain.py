"""``detector explain``: one technique in full."""

from __future__ import annotations

from typing import Annotated

import typer

from detector.cli import streams
from detector.cli.formats import Format
from detector.cli.options import technique_completions
from detector.report.catalogue import explanation, records
from detector.techniques import technique
from detector.writers.json import dumps


def command(
    names: Annotated[
        list[str],
        typer.Argument(
            metavar="NAME",
            help="Names, titles or codes.",
            show_default=False,
            autocompletion=technique_completions,
        ),
    ],
    format: Annotated[Format, typer.Option("--format", "-f", help="What to write.")] = Format.TEXT,
    colour: streams.ColourOption = None,
) -> None:
    """Explain techniques in full.

    What each is, how to tell it, when it is fair, with examples and look-alikes.

    With --format json, a list of records with every field.
    """
    described = [technique(name) for name in names]  # all names are checked before anything is written
    if format is Format.JSON:
        streams.emit(dumps(records(described), indent=2) + "\n")
        return
    style = streams.style(colour=colour, to_file=False)
    streams.emit("\n".join(explanation(one, style) for one in described))

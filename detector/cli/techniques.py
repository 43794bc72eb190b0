"""``detector techniques``: the inventory."""

from __future__ import annotations

from typing import Annotated

import typer

from detector.cli import streams
from detector.cli.formats import Format
from detector.report.catalogue import catalogue, records
from detector.techniques import all_techniques
from detector.writers.json import dumps


def command(
    format: Annotated[Format, typer.Option("--format", "-f", help="What to write.")] = Format.TEXT,
    colour: streams.ColourOption = None,
) -> None:
    """List the techniques by family.

    Each with its code, title, name and definition.

    With --format json, a list of records with every field.
    """
    if format is Format.JSON:
        streams.emit(dumps(records(all_techniques()), indent=2) + "\n")
    else:
        streams.emit(catalogue(streams.style(colour=colour, to_file=False)))

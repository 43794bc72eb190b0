"""``detector config``: the settings in force, and where each comes from."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from detector.cli import streams
from detector.cli.formats import Format
from detector.cli.settings import Settings, in_force
from detector.report.visible import visible
from detector.writers.json import dumps


def command(
    format: Annotated[Format, typer.Option("--format", "-f", help="What to write.")] = Format.TEXT,
) -> None:
    """Show the settings in force here, and where each comes from.

    They come from flags, then variables such as DETECTOR_QUOTES, then the nearest detector.toml or [tool.detector] of
    pyproject.toml in this folder or above it, then the defaults. The output is a detector.toml.
    """
    settings = in_force()
    if format is Format.JSON:
        shown = {name: {"value": one.value, "origin": one.origin} for name, one in settings.items()}
        streams.emit(dumps(shown, indent=2) + "\n")
    else:
        streams.emit(listing(settings))


def listing(settings: Settings) -> str:
    """The settings as TOML, each with its origin as a comment; those without a value are comments themselves."""
    lines = [
        (f"{name} = {toml(one.value)}" if one.value is not None else f"# {name} =", one.origin)
        for name, one in settings.items()
    ]
    width = max(len(line) for line, _ in lines)
    shown = ((line, visible(origin).replace("\n", " ")) for line, origin in lines)  # a folder may be called anything
    return "".join(f"{line:{width}}  # {origin}\n" for line, origin in shown)


def toml(value: Any) -> str:
    """A value in TOML.

    >>> toml({"doubt": 0.5}), toml(("a", "b"))
    ('{"doubt" = 0.5}', '["a", "b"]')
    """
    if isinstance(value, dict):
        return "{" + ", ".join(f"{toml(key)} = {toml(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(toml, value)) + "]"
    return dumps(value)

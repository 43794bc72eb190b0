"""The options that several commands have: which findings are kept, with which model, from which files of a folder.

An option that was not given is None, because a value may then come from a variable or a file: see `settings`.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated

import typer

from detector.cli.settings import KEYS
from detector.techniques import NAMES


class Strictness(StrEnum):
    """Whose annotators the model follows: those who mark little, or those who mark much."""

    STRICT = "strict"
    BALANCED = "balanced"
    SENSITIVE = "sensitive"


class Quotes(StrEnum):
    """Which findings are kept: all, those outside quotations, those inside."""

    MARK = "mark"
    SKIP = "skip"
    ONLY = "only"


class Backend(StrEnum):
    """What runs the model: ONNX Runtime, torch, or the faster one that can."""

    AUTO = "auto"
    ONNX = "onnx"
    TORCH = "torch"


def technique_completions(incomplete: str) -> list[str]:
    """What a shell may offer for the last name of a list with commas: techniques.

    >>> technique_completions("doubt,what")
    ['doubt,whataboutism']
    """
    done, comma, last = incomplete.rpartition(",")
    return [f"{done}{comma}{name}" for name in NAMES if name.startswith(last)]


GlobOption = Annotated[
    str | None,
    typer.Option(
        metavar="PATTERN",
        help="Which files of a folder; '**/*.txt' looks into folders inside.",
        show_default="*.txt",
    ),
]
StrictnessOption = Annotated[
    Strictness | None,
    typer.Option(help="Mark as little as strict annotators, or as much as sensitive ones.", show_default="balanced"),
]
MinConfidenceOption = Annotated[
    float | None,
    typer.Option(min=0, max=1, metavar="P", help="Leave out findings that are less sure.", show_default="0.0"),
]
ThresholdOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME=P,…", help="Ask for more confidence of some techniques (may be repeated).", show_default=False
    ),
]
OnlyOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME,…",
        help="Only these techniques (may be repeated).",
        show_default=False,
        autocompletion=technique_completions,
    ),
]
IgnoreOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME,…",
        help="Not these techniques (may be repeated).",
        show_default=False,
        autocompletion=technique_completions,
    ),
]
IgnorePatternOption = Annotated[
    list[str] | None,
    typer.Option(metavar="REGEX", help="Nothing that touches a match (may be repeated).", show_default=False),
]
QuotesOption = Annotated[
    Quotes | None,
    typer.Option(help="All findings, those outside quotations, or those inside.", show_default="mark"),
]
ModelOption = Annotated[
    str | None,
    typer.Option(metavar="MODEL", help="Another model: fast, a folder, or OWNER/NAME of the hub.", show_default=False),
]

BackendOption = Annotated[
    Backend | None,
    typer.Option(help="Run the model in ONNX Runtime or in torch; auto: the faster that can.", show_default="auto"),
]
WhyOption = Annotated[
    bool,
    typer.Option("--why", help="Name the words that carried each finding; it takes a second or two for each."),
]


def thresholds(given: Sequence[str] | None) -> dict[str, float | str] | None:
    """The thresholds of ``NAME=P`` flags; what is no number is left for the check of settings to refuse."""
    return dict(KEYS["thresholds"].parse(",".join(given))) if given else None

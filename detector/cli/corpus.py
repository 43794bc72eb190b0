"""The options that name annotated corpora, shared by the commands that read them."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from detector.cli.streams import say
from detector.errors import ConfigError

if TYPE_CHECKING:
    from detector.corpora import Corpus

ArticlesOption = Annotated[
    Path | None, typer.Option(metavar="DIR", help="ptc: the folder of articles.", show_default=False)
]
LabelsOption = Annotated[
    Path | None, typer.Option(metavar="DIR|FILE", help="ptc: the labels, a folder or one file.", show_default=False)
]
FileOption = Annotated[
    list[Path] | None,
    typer.Option(metavar="FILE", help="semeval2021, jsonl: the file (may be repeated).", show_default=False),
]
SkipBadOption = Annotated[bool, typer.Option("--skip-bad", help="Leave bad records out with a warning.")]


class CorpusFormat(StrEnum):
    """The formats of annotated corpora."""

    PTC = "ptc"
    SEMEVAL2021 = "semeval2021"
    JSONL = "jsonl"


def read_corpus(
    format: CorpusFormat,
    *,
    articles: Path | None,
    labels: Path | None,
    files: list[Path] | None,
    skip_bad: bool,
    named: bool = True,
) -> Corpus:
    """The corpus that the options name; what was skipped is counted on standard error.

    Spans that need not be ``named`` may lack their technique.

    Raises ConfigError where an option that the format needs is missing, or where there is one of another format.
    """
    from detector import corpora

    others = {"--file": files} if format is CorpusFormat.PTC else {"--articles": articles, "--labels": labels}
    if given := [flag for flag, value in others.items() if value]:
        raise ConfigError(f"--corpus {format}: takes no {given[0]}: leave it out, or name another format")
    if format is CorpusFormat.PTC:
        if articles is None or labels is None:
            raise ConfigError("--corpus ptc: needs --articles DIR and --labels DIR|FILE")
        return warned(corpora.read_ptc(articles, labels, skip_bad=skip_bad))
    if not files:
        raise ConfigError(f"--corpus {format}: needs --file FILE")
    if format is CorpusFormat.SEMEVAL2021:
        return warned(corpora.read_semeval2021(files, skip_bad=skip_bad, named=named))
    return warned(corpora.read_jsonl(files, skip_bad=skip_bad, named=named))


def warned(corpus: Corpus) -> Corpus:
    """The corpus, after a warning for each bad record left out and their count."""
    for message in corpus.skipped:
        say(f"warning: {message}: left out")
    if corpus.skipped:
        say(f"warning: {len(corpus.skipped)} bad rows or spans of {corpus.name} left out")
    return corpus

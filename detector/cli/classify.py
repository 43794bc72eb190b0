"""``detector classify``: names the technique of spans that are given, with or without gold."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer

from detector.cli import streams
from detector.cli.annotate import load_detector
from detector.cli.corpus import (
    ArticlesOption,
    CorpusFormat,
    FileOption,
    LabelsOption,
    SkipBadOption,
    read_corpus,
)
from detector.cli.evaluate import MODEL_HELP, make_folder
from detector.cli.options import BackendOption
from detector.report.wording import counted

if TYPE_CHECKING:
    from detector.corpora import Corpus
    from detector.detect import Detector


def command(
    corpus: Annotated[CorpusFormat, typer.Option(help="The format of the spans.", show_default=False)],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="The named spans.", show_default=False)
    ],
    articles: ArticlesOption = None,
    labels: LabelsOption = None,
    file: FileOption = None,
    model: Annotated[str | None, typer.Option(metavar="DIR", help=MODEL_HELP, show_default=False)] = None,
    backend: BackendOption = None,
    skip_bad: SkipBadOption = False,
) -> None:
    """Name the technique of each given span; a technique that stands in the file already is ignored.

    ptc: rows of id, start, end (or a technique of ?); semeval2021 and jsonl: spans whose technique may be left out.
    The output has the format of the input, with the techniques of its inventory.
    """
    read = [*(file or ()), *streams.files_in(articles), labels, *streams.files_in(labels)]
    streams.check_apart(str(output), (str(path) for path in read if path))
    given = read_corpus(corpus, articles=articles, labels=labels, files=file, skip_bad=skip_bad, named=False)
    make_folder(output.parent)
    detector = load_detector(model, backend=backend)
    with TemporaryDirectory() as folder, streams.output(str(output)) as write:
        whole = Path(folder, "named")
        n_spans = classify(detector, given, whole)
        write(whole.read_bytes())
    streams.say(f"{counted(n_spans, 'span')} of {counted(len(given.documents), 'document')} named in {output}")


def classify(detector: Detector, corpus: Corpus, path: Path) -> int:
    """Names the spans of a corpus, writes them in its format and returns how many there are."""
    from detector import corpora
    from detector.evaluate import habits_of, scoring_inventory

    names, habits = scoring_inventory(corpus), habits_of(detector, corpus)
    named = [detector.classify(document, corpus=habits, within=names) for document in corpus.documents]
    if corpus.name == CorpusFormat.PTC:
        corpora.write_tc(path, named, names)
    elif corpus.name == CorpusFormat.SEMEVAL2021:
        corpora.write_semeval2021(path, named)
    else:
        corpora.write_jsonl(path, named)
    return sum(len(document.spans) for document in named)

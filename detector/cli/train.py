"""``detector train``: annotated corpora in, a model folder out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from detector.cli.corpus import SkipBadOption, warned
from detector.cli.evaluate import make_folder, refused
from detector.cli.streams import say
from detector.errors import ConfigError

if TYPE_CHECKING:
    from detector.corpora import Corpus
    from detector.spans import Document


PtcOption = Annotated[
    tuple[Path, Path] | None,
    typer.Option(metavar="ARTICLES LABELS", help="The Propaganda Techniques Corpus.", show_default=False),
]
CheckThatOption = Annotated[
    Path | None, typer.Option(metavar="JSONL", help="CheckThat! 2024 Task 3, in our JSONL.", show_default=False)
]
SemEval2021Option = Annotated[
    list[Path] | None,
    typer.Option(metavar="JSON", help="SemEval-2021 Task 6 (may be repeated).", show_default=False),
]
JsonlOption = Annotated[
    Path | None, typer.Option(metavar="JSONL", help="A corpus of your own, in our JSONL.", show_default=False)
]
UnlabelledOption = Annotated[
    Path | None,
    typer.Option(
        metavar="JSONL",
        help="Texts that nobody annotated, for the recipe's teacher to label; `spans` in them are left out.",
        show_default=False,
    ),
]
SeedOption = Annotated[
    list[int] | None,
    typer.Option(min=0, max=2**32 - 1, help="In place of the recipe's seeds (may be repeated).", show_default=False),
]
FoldOption = Annotated[int, typer.Option(min=0, max=4, help="Which fifth of the documents to validate on.")]


def command(
    recipe: Annotated[Path, typer.Argument(metavar="RECIPE", help="A TOML file, as in configs/.", show_default=False)],
    out: Annotated[
        Path, typer.Option(metavar="DIR", help="Where checkpoints, the record and the model go.", show_default=False)
    ],
    ptc: PtcOption = None,
    checkthat: CheckThatOption = None,
    semeval2021: SemEval2021Option = None,
    jsonl: JsonlOption = None,
    unlabelled: UnlabelledOption = None,
    fold: FoldOption = 0,
    seed: SeedOption = None,
    skip_bad: SkipBadOption = False,
) -> None:
    """Train a model on annotated corpora, choose thresholds and calibrate it on the documents held out.

    By the recipe: once for each seed, the weights averaged. With refit, then once more on all documents: that is the
    model, and the one before, which alone can be measured, is in DIR/held-out.

    The same command goes on where it was stopped. The model is in DIR/model; use it with --model DIR/model.
    """
    from detector.config import check_seeds, load_recipe

    chosen = load_recipe(recipe)
    chosen = replace(chosen, seeds=check_seeds(seed, "--seed")) if seed else chosen
    corpora = read_corpora(ptc=ptc, checkthat=checkthat, semeval2021=semeval2021, jsonl=jsonl, skip_bad=skip_bad)
    texts = read_unlabelled(unlabelled, skip_bad=skip_bad) if unlabelled else ()
    from detector.train.run import train

    quiet_libraries()
    make_folder(out)
    with refused(f"--out {out}"):
        train(chosen, corpora, out, fold=fold, unlabelled=texts, say=say)
    say(f"the model is in {out / 'model'}, with its record and card")


def read_corpora(
    *,
    ptc: tuple[Path, Path] | None,
    checkthat: Path | None,
    semeval2021: list[Path] | None,
    jsonl: Path | None,
    skip_bad: bool,
) -> dict[str, Corpus]:
    """The corpora named, by the name their annotators' bias goes by; raises ConfigError where there is none."""
    from detector import corpora as readers

    corpora: dict[str, Corpus] = {}
    if ptc:
        corpora["ptc"] = warned(readers.read_ptc(*ptc, skip_bad=skip_bad))
    if checkthat:
        corpora["checkthat"] = warned(readers.read_jsonl(checkthat, name="checkthat", skip_bad=skip_bad))
    if semeval2021:
        corpora["semeval2021"] = warned(readers.read_semeval2021(semeval2021, skip_bad=skip_bad))
    if jsonl:
        corpora["jsonl"] = warned(readers.read_jsonl(jsonl, skip_bad=skip_bad))
    if not corpora:
        raise ConfigError("no corpus: name one at least (--ptc, --checkthat, --semeval2021, --jsonl)")
    return corpora


def read_unlabelled(path: Path, *, skip_bad: bool) -> tuple[Document, ...]:
    """The texts of a JSONL file, without spans; raises ConfigError where there is none."""
    from detector import corpora as readers

    documents = warned(readers.read_jsonl(path, skip_bad=skip_bad)).documents
    if not documents:
        raise ConfigError(f"{path}: no text in it")
    return tuple(document.with_spans(()) for document in documents)


def quiet_libraries() -> None:
    """Silences what transformers and datasets write of their own accord; errors still come through."""
    import datasets
    import transformers

    datasets.disable_progress_bars()
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()

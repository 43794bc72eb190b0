"""``detector calibrate``: new thresholds and calibration for a model that is already trained."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from detector.cli.corpus import SkipBadOption
from detector.cli.evaluate import refused
from detector.cli.streams import say
from detector.cli.train import (
    CheckThatOption,
    FoldOption,
    JsonlOption,
    PtcOption,
    SemEval2021Option,
    quiet_libraries,
    read_corpora,
)


def command(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="A model folder of yours.", show_default=False)],
    ptc: PtcOption = None,
    checkthat: CheckThatOption = None,
    semeval2021: SemEval2021Option = None,
    jsonl: JsonlOption = None,
    fold: FoldOption = 0,
    skip_bad: SkipBadOption = False,
) -> None:
    """Choose thresholds and calibrate confidence on the held-out fifth of the corpora, for every strictness.

    The weights stay as they are; settings, record and card of the model folder are written anew. Where the model has
    learned from these documents, a warning and the card say so.
    """
    corpora = read_corpora(ptc=ptc, checkthat=checkthat, semeval2021=semeval2021, jsonl=jsonl, skip_bad=skip_bad)
    from detector.train.run import calibrate

    quiet_libraries()
    with refused(str(model)):
        calibrate(model, corpora, fold=fold, say=say)

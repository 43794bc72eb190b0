"""How well it is noticed that a text is unlike the training, and how seldom it is said of texts that are not.

    python eval/likeness.py [--model DIR] [--data DIR] [--most 60]

Like the training: documents that it held out, whole and their beginnings (the limit is set on such, so few of them are
beyond it), and news that nobody annotated, which took no part in anything. Unlike: the
passages of ``eval/hard_negatives`` by kind (written for that test, not as news is printed), this program's source code
and documentation, sentences of other languages, and held-out articles with their words shuffled. ``flagged`` is the
share with a distance beyond the limit, length and language aside; ``language`` the share whose language gives a
warning. Intervals are Wilson's. Writes ``eval/results/likeness.json``.
"""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from calibration import wilson
from hard_negatives import read_passages
from provenance import provenance, record
from quality import DATA, corpora_in

import detector
from detector.cli.train import quiet_libraries
from detector.detect import Detector, find_model
from detector.errors import ModelError
from detector.folder import held_out_fold
from detector.likeness import SHARE_WITHIN
from detector.readers.language import unknown_language
from detector.spans import Document
from detector.train.likeness import beginning
from detector.train.run import split_corpora

ROOT = Path(__file__).parents[1]
BEGINNING = 700
"""Characters: about as long as a passage of ``eval/hard_negatives``."""
LONGEST = 4000
SHORT_TEXT = 150
FOREIGN = {
    "de": "Der Gemeinderat hat am Dienstag beschlossen, die alte Brücke zu erneuern. Die Arbeiten dauern ein Jahr.",
    "es": "El ayuntamiento aprobó el martes la renovación del viejo puente. Las obras durarán cerca de un año.",
    "fr": "Le conseil municipal a décidé mardi de rénover le vieux pont. Les travaux dureront à peu près un an.",
    "it": "Il consiglio comunale ha deciso martedì di rinnovare il vecchio ponte. I lavori dureranno circa un anno.",
    "nl": "De gemeenteraad heeft dinsdag besloten de oude brug te vernieuwen. Het werk duurt ongeveer een jaar.",
    "pl": "Rada miasta postanowiła we wtorek odnowić stary most. Prace potrwają mniej więcej rok.",
    "ru": "Городской совет решил во вторник обновить старый мост. Работы продлятся около года.",
    "tr": "Belediye meclisi salı günü eski köprünün yenilenmesine karar verdi. Çalışmalar yaklaşık bir yıl sürecek.",
}


@dataclass(frozen=True, slots=True)
class Group:
    """Texts of one kind, and whether they are like those of the training."""

    texts: Sequence[str]
    like: bool


def main(
    model: Annotated[str | None, typer.Option(help="A model folder in place of the shipped model.")] = None,
    data: Annotated[Path, typer.Option(help="The folder of the corpora.")] = DATA,
    most: Annotated[int, typer.Option(help="So many texts of a group.")] = 60,
) -> None:
    """Print the table and record it."""
    quiet_libraries()
    loaded = detector.load(model)
    if loaded.likeness is None:
        raise ModelError(f"{find_model(model)}: has no likeness.safetensors: run detector calibrate first")
    fold = held_out_fold(find_model(model))
    result = measure(loaded, {name: sampled(group, most) for name, group in groups(data, fold=fold).items()})
    for line in lines(result, loaded.name):
        print(line)
    print(f"written to {record('likeness', provenance(loaded, 'balanced') | result)}")


def measure(model: Detector, groups: Mapping[str, Group]) -> dict[str, Any]:
    """Distances and flags of each group, and the AUROC of all that are unlike against all that are like."""
    distances = {name: distances_of(model, group.texts) for name, group in groups.items()}
    like = np.concatenate([distances[name] for name, group in groups.items() if group.like])
    unlike = np.concatenate([distances[name] for name, group in groups.items() if not group.like])
    return {
        "share_within": SHARE_WITHIN,
        "auroc": round(auroc(like, unlike), 4),
        "groups": {name: _row(distances[name], group, like) for name, group in groups.items()},
    }


def distances_of(model: Detector, texts: Sequence[str]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """The distance of each text that has a piece, as a multiple of the limit."""
    assert model.likeness is not None
    documents = [Document(str(i), text) for i, text in enumerate(texts)]
    scored = (scores for _, scores in model.score(documents))
    return np.array([model.likeness.distance(s.mean, len(s.pieces)) for s in scored if s.mean is not None])


def auroc(low: Sequence[float], high: Sequence[float]) -> float:
    """The chance that a value of ``high`` is greater than one of ``low``, equal ones counting half.

    >>> auroc([1, 2], [2, 3])
    0.875
    """
    one, other = np.asarray(low)[:, None], np.asarray(high)[None, :]
    return float(np.mean((other > one) + 0.5 * (other == one)))


def groups(data: Path, *, fold: int) -> dict[str, Group]:
    """All groups by name."""
    held_out = split_corpora(corpora_in(data), fold=fold).validation
    texts = {name: [document.text for document in corpus.documents] for name, corpus in held_out.items()}
    news = [json.loads(line)["text"] for line in (data / "unlabelled" / "news.jsonl").open(encoding="utf-8")]
    made = {f"held out: {name}": Group(own, like=True) for name, own in texts.items()}
    made |= {
        "held out: ptc, beginnings": Group([beginning(text, BEGINNING) for text in texts["ptc"]], like=True),
        "news without annotation": Group(news, like=True),
        "news without annotation, beginnings": Group([beginning(text, BEGINNING) for text in news], like=True),
    }
    for passage in read_passages():
        kind = f"passages: {passage.meta['kind']}"
        made[kind] = Group([*(made[kind].texts if kind in made else ()), passage.text], like=False)
    made["source code"] = Group(_files("detector", "*.py"), like=False)
    made["documentation"] = Group(_files("docs", "*.md"), like=False)
    made["other languages"] = Group(list(FOREIGN.values()), like=False)
    made["shuffled words"] = Group([shuffled(text) for text in texts["ptc"]], like=False)
    return made


def sampled(group: Group, most: int) -> Group:
    """At most so many texts of a group, drawn with a fixed seed, none of them very long."""
    texts = random.Random(0).sample(list(group.texts), min(most, len(group.texts)))
    return Group([beginning(text, LONGEST) for text in texts], group.like)


def shuffled(text: str) -> str:
    """The words of a text in another order, with a fixed seed."""
    words = text.split()
    random.Random(0).shuffle(words)
    return " ".join(words)


def lines(result: Mapping[str, Any], title: str) -> list[str]:
    """The result as the lines of a table."""
    return [
        f"{title}: AUROC {result['auroc']:.3f} of all texts unlike the training against all that are like it",
        f"{'texts':<38}{'n':>5}{'distance':>10}{'flagged':>9}  {'95 % interval':<14}{'AUROC':>7}{'language':>10}",
        *(
            f"{name:<38}{row['n']:>5}{row['median']:>10.2f}{row['flagged']:>9.0%}  "
            f"{row['interval'][0]:.2f}–{row['interval'][1]:.2f}     {row['auroc']:>7.3f}{row['language']:>10.0%}"
            for name, row in result["groups"].items()
        ),
    ]


def _row(distances: np.ndarray[Any, np.dtype[np.float64]], group: Group, like: Sequence[float]) -> dict[str, Any]:
    n, n_flagged = len(distances), int((distances > 1).sum())
    return {
        "like": group.like,
        "n": n,
        "median": round(float(np.median(distances)), 3),
        "flagged": round(n_flagged / n, 4),
        "interval": [round(bound, 4) for bound in wilson(n_flagged, n)],
        "auroc": round(auroc(like, distances), 4),
        "language": round(float(np.mean([unknown_language(text) is not None for text in group.texts])), 4),
    }


def _files(folder: str, pattern: str) -> list[str]:
    texts = (path.read_text(encoding="utf-8") for path in sorted((ROOT / folder).rglob(pattern)))
    return [text for text in texts if len(text.split()) >= SHORT_TEXT]


if __name__ == "__main__":
    typer.run(main)

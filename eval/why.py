"""Whether the words that ``--why`` names carry the findings: they are deleted, and the article is read again.

    python eval/why.py [--model DIR] [--articles 40] [--findings 3]

For each finding the named words are deleted from its article; beside that as many others of those that were tried,
drawn at random: anywhere among them (*random*), and as many of them inside the finding as with the named ones
(*alike*). What counts is how much the log-odds of the technique fall in the words of the finding that remain, and
whether a finding of the technique is left there. Findings without named words, and those of which nothing would remain,
cannot be tried. Articles: the first characters of texts spread over ``../shared/data/unlabelled/news.jsonl``. The 95 %
intervals are bootstrapped over articles.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from provenance import provenance, record

import detector
from detector.decode import Scores, decode
from detector.detect import Detector
from detector.spans import Document, Span
from detector.techniques import members
from detector.why import explain, text_words, words_near
from detector.windows import CHANNELS, piece_range

NEWS = Path(__file__).parents[2] / "shared" / "data" / "unlabelled" / "news.jsonl"
STRICTNESS = "balanced"
CHARACTERS = 1000
"""So much of an article is read: about one window."""
WAYS = ("named", "random", "alike")
N_SAMPLES = 2000
Range = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Trial:
    """What deleting words did to one finding, by the way in which they were chosen.

    ``drops`` are the falls of its log-odds in what remains of it; ``gone`` says whether no finding was left there.
    """

    document: str
    drops: dict[str, float]
    gone: dict[str, bool]


def main(
    model: Annotated[str | None, typer.Option(help="A model folder in place of the shipped model.")] = None,
    articles: Annotated[int, typer.Option(min=1, help="Articles to read.")] = 40,
    findings: Annotated[int, typer.Option(min=1, help="Most findings to explain in one of them.")] = 3,
    news: Annotated[Path, typer.Option(help="JSONL with texts.")] = NEWS,
) -> None:
    """Print what deleting the named words does, and record it."""
    loaded = detector.load(model)
    result = measure(loaded, read_articles(news, articles), n_findings=findings)
    for line in lines(result, loaded.name):
        print(line)
    print(f"written to {record('why', provenance(loaded, STRICTNESS) | result)}")


def read_articles(path: Path, n: int) -> list[Document]:
    """The first characters of ``n`` articles spread over the file."""
    rows = path.read_text(encoding="utf-8").strip().split("\n")
    chosen = [json.loads(row) for row in rows[:: max(1, len(rows) // n)][:n]]
    return [Document(str(row["id"]), row["text"][:CHARACTERS]) for row in chosen]


def measure(model: Detector, documents: Sequence[Document], *, n_findings: int) -> dict[str, Any]:
    """The trials of at most so many findings of each document, drawn at random, summed up in JSON types."""
    rng = random.Random(0)
    found = [_some(document, n_findings, rng) for document in model.annotate(documents, strictness=STRICTNESS)]
    n_pieces, start = model.backend.work.n_pieces, time.process_time()
    explained = [explain(model, document) for document in found]
    n_pieces, seconds = model.backend.work.n_pieces - n_pieces, time.process_time() - start
    trials = [trial for document in explained for trial in find_trials(model, document, rng)]
    named = [len(span.why or ()) for document in explained for span in document.spans]
    return {
        "n_articles": len(found),
        "n_findings": len(named),
        "n_without_words": named.count(0),
        "words_per_finding": round(sum(named) / max(len(named), 1), 2),
        "pieces_per_finding": round(n_pieces / max(len(named), 1)),
        "cpu_seconds_per_finding": round(seconds / max(len(named), 1), 2),
        "n_trials": len(trials),
        "deleted": {way: _summary(trials, way) for way in WAYS},
        "named_less": {way: _difference(trials, way) for way in WAYS[1:]},
    }


def find_trials(model: Detector, document: Document, rng: random.Random) -> Iterator[Trial]:
    """A trial for each explained finding of which a word remains, whichever are deleted."""
    pieces = model.tokenize(document.text)
    words = text_words(document.text, pieces)
    for span in document.spans:
        near = [(w.start, w.end) for w in words_near(words, *piece_range(pieces, span.start, span.end))]
        own = [word for word in near if _overlap(word, (span.start, span.end))]
        chosen = choose(_touching(near, [(cue.start, cue.end) for cue in span.why or ()]), near, own, rng)
        if chosen and all(_others(own, ranges) for ranges in chosen.values()):
            yield _trial(model, document, span, own, chosen)


def choose(
    named: Sequence[Range], near: Sequence[Range], own: Sequence[Range], rng: random.Random
) -> dict[str, list[Range]]:
    """The words to delete in each way; empty where none is named, or there are not as many others."""
    inside = _others(own, named)
    outside = _others(_others(near, own), named)
    n_inside = len(_touching(named, own))
    n_outside = len(named) - n_inside
    if not named or len(inside) < n_inside or len(outside) < n_outside:
        return {}
    alike = rng.sample(inside, n_inside) + rng.sample(outside, n_outside)
    return {"named": list(named), "random": rng.sample(inside + outside, len(named)), "alike": alike}


def delete(text: str, ranges: Iterable[Range]) -> str:
    """The text without these ranges, which do not overlap."""
    for start, end in sorted(ranges, reverse=True):
        text = text[:start] + text[end:]
    return text


def log_odds(scores: Scores, technique: str, ranges: Iterable[Range]) -> float:
    """The mean of the technique's log-odds over the pieces in these ranges."""
    columns = [CHANNELS.index(name) for name in members(technique)]
    values = [scores.logits[slice(*piece_range(scores.pieces, *one))][:, columns] for one in ranges]
    return float(np.concatenate(values).mean())


def lines(result: dict[str, Any], name: str) -> list[str]:
    """The result as lines for people."""
    each = f"{result['pieces_per_finding']} pieces and {result['cpu_seconds_per_finding']} s of a CPU for each"
    title = [
        f"{result['n_findings']} findings in {result['n_articles']} articles, {each}; {name}",
        f"{result['words_per_finding']} words named in each, none in {result['n_without_words']}",
    ]
    head = f"{result['n_trials']} trials{'drop':>14}  95 % interval{'gone':>8}"
    rows = [_line(way, row) for way, row in result["deleted"].items()]
    return [*title, head, *rows, *(_line(f"named − {way}", row) for way, row in result["named_less"].items())]


def _line(label: str, row: dict[str, Any]) -> str:
    return f"{label:<16}{row['drop']:>7.2f}  {'{:.2f} to {:.2f}'.format(*row['interval']):<14}{row['gone']:>7.0%}"


def _some(document: Document, n: int, rng: random.Random) -> Document:
    spans = document.spans if len(document.spans) <= n else rng.sample(document.spans, n)
    return document.with_spans(spans, n_read=document.n_read)


def _trial(
    model: Detector, document: Document, span: Span, own: Sequence[Range], chosen: dict[str, list[Range]]
) -> Trial:
    """What becomes of a finding with these own words when each of the chosen sets is deleted."""
    changed = [Document(way, delete(document.text, ranges)) for way, ranges in chosen.items()]
    (_, before), *readings = model.score([document, *changed])
    drops, gone = {}, {}
    for (one, after), ranges in zip(readings, chosen.values(), strict=True):
        remaining = _others(own, ranges)
        moved = [(_moved(start, ranges), _moved(end, ranges)) for start, end in remaining]
        drops[one.id] = log_odds(before, span.technique, remaining) - log_odds(after, span.technique, moved)
        found = decode(one.text, after, model.setting(STRICTNESS), gap=model.info.gap)
        gone[one.id] = not _touching([(s.start, s.end) for s in found if s.technique == span.technique], moved)
    return Trial(document.id, drops, gone)


def _moved(position: int, ranges: Iterable[Range]) -> int:
    """Where a character that is kept stands when these ranges are deleted."""
    return position - sum(end - start for start, end in ranges if start < position)


def _touching(words: Iterable[Range], others: Sequence[Range]) -> list[Range]:
    return [word for word in words if any(_overlap(word, one) for one in others)]


def _others(words: Iterable[Range], taken: Sequence[Range]) -> list[Range]:
    return [word for word in words if not any(_overlap(word, one) for one in taken)]


def _overlap(one: Range, other: Range) -> bool:
    return one[0] < other[1] and other[0] < one[1]


def _summary(trials: Sequence[Trial], way: str) -> dict[str, Any]:
    return _means(trials, [(trial.drops[way], float(trial.gone[way])) for trial in trials])


def _difference(trials: Sequence[Trial], way: str) -> dict[str, Any]:
    pairs = [(t.drops["named"] - t.drops[way], float(t.gone["named"]) - t.gone[way]) for t in trials]
    return _means(trials, pairs)


def _means(trials: Sequence[Trial], values: Sequence[tuple[float, float]]) -> dict[str, Any]:
    """The mean fall with its interval, and the mean share that is gone."""
    names = sorted({trial.document for trial in trials})
    if not names:
        return {"drop": 0.0, "interval": [0.0, 0.0], "gone": 0.0}
    sums = np.zeros((len(names), 2))
    for trial, (drop, _) in zip(trials, values, strict=True):
        sums[names.index(trial.document)] += (drop, 1)
    drawn = np.random.default_rng(0).integers(len(names), size=(N_SAMPLES, len(names)))
    sampled = sums[drawn].sum(axis=1)
    bounds = np.quantile(sampled[:, 0] / sampled[:, 1], [0.025, 0.975])
    drop, gone = np.mean(values, axis=0)
    return {
        "drop": round(float(drop), 3),
        "interval": [round(float(b), 3) for b in bounds],
        "gone": round(float(gone), 3),
    }


if __name__ == "__main__":
    typer.run(main)

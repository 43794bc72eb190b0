"""How well the rules of `detector.quotes` find quotations and their speakers, against texts marked by hand.

    python eval/quotes.py [--errors]

``eval/quotes/`` holds the texts, all written for this purpose: ``tuned.jsonl``, whose errors led to changes of the
rules, and ``held-out.jsonl``, which was only measured. In ``marked``, a quotation stands in double square brackets,
with its speaker, as the text names them, after two bars. What was marked: the words that somebody else is said to have
said or written, quotation marks included; words in quotation marks that nobody is said to have said (scare quotes,
titles, signs), without a speaker; reported speech, without the comma before an attribution. A pronoun is no speaker.
Both files were written before either was measured, by one hand that knew the rules: real articles are harder.

Characters: precision and recall of quoted characters that are no white space. Speakers: of the quotations that were
found (at least half of one and of the other in common), how many have the right speaker, or rightly none; and how many
of the names that were given are right (precision), and of those that were to be given are found (recall).
"""

from __future__ import annotations

import argparse
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from detector.quotes import Quotation, quotations

FOLDER = Path(__file__).parent
_MARK = re.compile(r"\[\[(?P<quote>.*?)(?:\|\|(?P<speaker>.*?))?\]\]", re.DOTALL)


@dataclass(frozen=True)
class Marked:
    """A text and the quotations that a person marked in it."""

    kind: str
    text: str
    quotations: tuple[Quotation, ...]

    @classmethod
    def parse(cls, kind: str, marked: str) -> Marked:
        """The text without its marks."""
        pieces, found, at, length = [], [], 0, 0
        for match in _MARK.finditer(marked):
            before = marked[at : match.start()]
            start = length + len(before)
            pieces += [before, match["quote"]]
            at, length = match.end(), start + len(match["quote"])
            found.append(Quotation(start, length, kind, match["speaker"]))
        return cls(kind, "".join([*pieces, marked[at:]]), tuple(found))


def main() -> None:
    """Prints the figures of both files, and writes them to ``eval/results/quotes.json``."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--errors", action="store_true", help="show what differs from the marks")
    options = parser.parse_args()
    results = {}
    for name in ("tuned", "held-out"):
        texts = list(read(FOLDER / "quotes" / f"{name}.jsonl"))
        if options.errors:
            print("".join(f"{line}\n" for text in texts for line in differences(text)))
        results[name] = figures(texts)
        print(f"{name}: {json.dumps(results[name])}")
    by_kind = sorted({text.kind for text in texts})
    results["held-out"]["by_kind"] = {
        kind: figures(t for t in texts if t.kind == kind)["characters"] for kind in by_kind
    }
    (FOLDER / "results").mkdir(exist_ok=True)
    (FOLDER / "results" / "quotes.json").write_text(json.dumps(results, indent=1) + "\n")


def read(path: Path) -> Iterator[Marked]:
    """The texts of a file."""
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        yield Marked.parse(row["kind"], row["marked"])


def figures(texts: Iterable[Marked]) -> dict[str, object]:
    """The figures of some texts."""
    n: Counter[str] = Counter()
    for one in texts:
        found = quotations(one.text)
        truth, ours = characters(one.text, one.quotations), characters(one.text, found)
        n.update(texts=1, quotations=len(one.quotations), found=len(found))
        n.update(true=len(truth), ours=len(ours), common=len(truth & ours))
        n.update(named=sum(q.speaker is not None for q in one.quotations))
        n.update(given=sum(q.speaker is not None for q in found))
        for a, b in pairs(one.quotations, found):
            n.update(paired=1, right=a.speaker == b.speaker, names=a.speaker == b.speaker and a.speaker is not None)
    return {
        "n_texts": n["texts"],
        "n_quotations": n["quotations"],
        "characters": {"precision": share(n["common"], n["ours"]), "recall": share(n["common"], n["true"])},
        "quotations": {"precision": share(n["paired"], n["found"]), "recall": share(n["paired"], n["quotations"])},
        "speakers": {
            "accuracy": share(n["right"], n["paired"]),
            "precision": share(n["names"], n["given"]),
            "recall": share(n["names"], n["named"]),
        },
    }


def characters(text: str, found: Iterable[Quotation]) -> set[int]:
    """The positions inside the quotations that are no white space."""
    return {i for q in found for i in range(q.start, q.end) if not text[i].isspace()}


def pairs(truth: Iterable[Quotation], found: Iterable[Quotation]) -> Iterator[tuple[Quotation, Quotation]]:
    """The quotations of both that have at least half of the longer one in common."""
    ours = list(found)
    for a in truth:
        for b in ours:
            if 2 * (min(a.end, b.end) - max(a.start, b.start)) >= max(a.end - a.start, b.end - b.start):
                yield a, b


def differences(one: Marked) -> Iterator[str]:
    """What was found otherwise than it was marked."""
    shown = [{(one.text[q.start : q.end], q.speaker) for q in some} for some in (one.quotations, quotations(one.text))]
    if shown[0] != shown[1]:
        yield f"{one.kind}: {one.text!r}"
        yield from (f"    not found {quote!r} by {speaker}" for quote, speaker in sorted(shown[0] - shown[1], key=str))
        yield from (f"    wrong     {quote!r} by {speaker}" for quote, speaker in sorted(shown[1] - shown[0], key=str))


def share(part: int, whole: int) -> float | None:
    """The share with three digits; None of nothing."""
    return round(part / whole, 3) if whole else None


if __name__ == "__main__":
    main()

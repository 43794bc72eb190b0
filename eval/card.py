"""The model card, with what the other scripts here have recorded of the same model.

    python eval/card.py [--model DIR]

Figures come from ``eval/results`` alone; a record of a model with another hash is left out, and said so. Where a model
learned from all documents, a record may be of the one that held some out and chose its settings. Run it last: `detector
calibrate` and `detector train` write the card without them.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Any

import typer
from calibration import wilson
from provenance import read_name, record_path

from detector.detect import find_model
from detector.folder import folder_hash, read_record
from detector.train.run import write_card

Record = Mapping[str, Any]
Row = tuple[str, str, str]
"""What was measured, its figure, and the figure's 95 % interval."""


def main(
    model: Annotated[str | None, typer.Option(help="A model folder in place of the shipped model.")] = None,
) -> None:
    """Write the card of a model folder anew."""
    folder = find_model(model)
    hashes = {folder_hash(folder), read_record(folder).get("refit", {}).get("held_out")} - {None}
    rows: list[Row] = []
    for name, read in READERS.items():
        path = record_path(name, read_name(folder))
        record: Record = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        if record.get("model_hash") in hashes:
            rows += read(record)
        else:
            print(f"{path.name}: {'of another model' if record else 'not there'}: left out; run eval/{name}.py")
    write_card(folder, further=table(rows) if rows else "")
    print(f"written to {folder / 'README.md'}")


def table(rows: list[Row]) -> str:
    """The rows in Markdown, after what they are."""
    lines = [
        "Recorded by the scripts in `eval/`, at the balanced setting.\n",
        "| what was measured | figure | 95 % interval |",
        "|---|---|---|",
        *(f"| {' | '.join(row)} |" for row in rows),
    ]
    return "\n".join(lines) + "\n"


def hard_negatives(record: Record) -> Iterator[Row]:
    """How often what is fine is flagged."""
    what = f"flags per 1,000 words in {record['n_passages']} passages that only look like persuasion"
    yield what, f"{record['per_1000_words']:.2f}", _interval(record["interval"], 1)


def clear_cases(record: Record) -> Iterator[Row]:
    """How often what is plain is found."""
    row = record["settings"]["balanced"]
    for key, what in (("found", "found"), ("marked", "marked as any technique")):
        interval = _interval([100 * bound for bound in row[f"{key}_interval"]], 0, " %")
        yield f"clear cases of a technique, {row['n']} passages: {what}", f"{row[key] / row['n']:.0%}", interval


def neutrality(record: Record) -> Iterator[Row]:
    """How much names matter."""
    most = record["targets"]["difference"]
    for pairs, which in (("seen", "that training has seen"), ("unseen", "one of which it has not seen")):
        row = next(row for row in record["flips"] if (row["frames"], row["pairs"]) == ("all", pairs))
        what = (
            f"sentences of {record['n_frames']} in which whether anything is flagged changes between two names, {which}"
        )
        yield what, f"{row['any']:.1%}", _interval([100 * bound for bound in row["any_interval"]], 1, " %")
        names = [row for row in record["groups"] if row["seen"] is (pairs == "seen")]
        n_off = sum(abs(row["any"]) > most for row in names)
        yield f"{pairs} names whose mean score is more than {most} off", f"{n_off} of {len(names)}", ""


def robustness(record: Record) -> Iterator[Row]:
    """Which changes to a text matter most."""
    for name, row in sorted(record["changes"].items(), key=lambda change: change[1]["f1"])[:3]:
        yield f"agreement (F1) with itself after a change: {name}", f"{row['f1']:.3f}", _interval(row["interval"], 3)


def calibration(record: Record) -> Iterator[Row]:
    """How far confidence can be trusted."""
    overall = record["overall"]
    yield "expected calibration error", f"{overall['error']:.3f}", _interval(overall["interval"], 3)
    for word, row in record["words"].items():
        if row["n"]:
            yield f"right among {row['n']} *{word}* findings", f"{row['right']:.3f}", _interval(row["interval"], 3)


def likeness(record: Record) -> Iterator[Row]:
    """How well it is noticed that a text is unlike the training: groups of a kind together."""
    kinds: defaultdict[tuple[str, bool], list[Record]] = defaultdict(list)
    for name, row in record["groups"].items():
        kinds[re.split("[:,]", name)[0], row["like"]].append(row)
    for (kind, like), rows in kinds.items():
        n = sum(row["n"] for row in rows)
        flagged = round(sum(row["n"] * row["flagged"] for row in rows))
        what = f"texts {'like' if like else 'unlike'} the training whose distance gives a warning: {kind} ({n})"
        yield what, f"{flagged / n:.0%}", _interval([100 * bound for bound in wilson(flagged, n)], 0, " %")


READERS: dict[str, Callable[[Record], Iterator[Row]]] = {
    "calibration": calibration,
    "clear_cases": clear_cases,
    "hard_negatives": hard_negatives,
    "neutrality": neutrality,
    "robustness": robustness,
    "likeness": likeness,
}


def _interval(bounds: list[float] | None, digits: int, unit: str = "") -> str:
    return "" if bounds is None else f"{bounds[0]:.{digits}f}–{bounds[1]:.{digits}f}{unit}"


if __name__ == "__main__":
    typer.run(main)

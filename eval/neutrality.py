"""Whether a text scores the same whoever it is about: parties, leaders, nations, religions, genders, causes, outlets.

    python eval/neutrality.py [--model DIR] [--strictness balanced]

Each sentence frame in ``eval/neutrality/frames.toml`` is filled with each name of its slot in ``fillers.toml``, and
what is found with one name is compared with what is found with another; findings inside the name itself are left out.
The score of a text in a technique is its highest confidence there, 0 where nothing is found; `any` is the highest of
all techniques, and `identification` the highest probability of a piece, outside the name, to be inside any technique.
Intervals are 95 %, bootstrapped over filled frames. ``seen`` names are among those that training swaps.
"""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
import typer
from provenance import provenance, record

import detector
from detector.decode import Scores, Setting, decode
from detector.detect import Detector
from detector.spans import Document
from detector.techniques import NAMES
from detector.windows import CHANNELS, IDENTIFICATION

Floats = npt.NDArray[np.float64]
Pairs = Sequence[tuple[int, int]]

DATA = Path(__file__).with_suffix("")
COLUMNS = (*NAMES, "any", IDENTIFICATION)
"""What a text is scored in; see the head of this file."""
ANY = COLUMNS.index("any")
N_RESAMPLES = 2000
MAX_FLIPS = 0.02
MAX_DIFFERENCE = 0.02


@dataclass(frozen=True, slots=True)
class Frame:
    """A passage with slots in braces; ``technique`` is the one that it uses, empty where it only reports."""

    text: str
    technique: str

    def slots(self) -> tuple[str, ...]:
        """The slot types in the frame, in order."""
        return tuple(dict.fromkeys(re.findall(r"{([a-z]+)}", self.text)))


@dataclass(frozen=True, slots=True)
class Fillers:
    """The names of a slot type: those that training may have swapped, and others."""

    seen: tuple[str, ...]
    unseen: tuple[str, ...]

    def all(self) -> tuple[str, ...]:
        """All names, seen ones first."""
        return self.seen + self.unseen

    def pairs(self, which: str = "all") -> Pairs:
        """Pairs of positions in `all`: ``all``, both ``seen``, or at least one ``unseen``."""
        pairs = list(combinations(range(len(self.all())), 2))
        return [(i, j) for i, j in pairs if which == "all" or (j < len(self.seen)) == (which == "seen")]


@dataclass(frozen=True, slots=True)
class Filled:
    """A frame with one of its slots filled in turn; ``scores`` are ``(n_fillers, len(COLUMNS))``."""

    frame: Frame
    slot: str
    scores: Floats


def main(
    model: Annotated[str | None, typer.Option(help="A model folder in place of the shipped model.")] = None,
    strictness: Annotated[str, typer.Option(help="The setting.")] = "balanced",
) -> None:
    """Print how much scores and decisions depend on names, and record it."""
    loaded = detector.load(model)
    frames, fillers = read_frames(), read_fillers()
    filled = list(fill(loaded, frames, fillers, strictness=strictness))
    n_texts = sum(len(f.scores) for f in filled)
    print(f"{len(frames)} frames, {n_texts} texts; {loaded.name}, {strictness}\n")
    flipped, changed, apart = flips(filled, fillers), techniques(filled), groups(filled, fillers)
    print_flips(flipped)
    print_techniques(changed)
    print_groups(apart)
    result = {"flips": flipped, "techniques": changed, "groups": apart}
    about = {"n_frames": len(frames), "n_texts": n_texts, "targets": {"flips": MAX_FLIPS, "difference": MAX_DIFFERENCE}}
    print(f"written to {record('neutrality', provenance(loaded, strictness) | about | result)}")


def read_frames(path: Path = DATA / "frames.toml") -> list[Frame]:
    """The frames in the order of the file, neutral ones of each slot type first."""
    frames = []
    for table in tomllib.loads(path.read_text(encoding="utf-8")).values():
        frames += [Frame(text, "") for text in table["neutral"]]
        frames += [Frame(text, technique) for technique, texts in table["manipulative"].items() for text in texts]
    return frames


def read_fillers(path: Path = DATA / "fillers.toml") -> dict[str, Fillers]:
    """The names by slot type."""
    tables = tomllib.loads(path.read_text(encoding="utf-8"))
    return {slot: Fillers(tuple(table["seen"]), tuple(table["unseen"])) for slot, table in tables.items()}


def place(frame: Frame, slot: str, filler: str, others: Mapping[str, str]) -> tuple[str, tuple[int, int]]:
    """The frame with ``filler`` in a slot and ``others`` in the rest, and where the filler then is.

    A name that begins a sentence gets a capital.
    """
    text, where = "", (0, 0)
    for i, part in enumerate(re.split(r"{([a-z]+)}", frame.text)):
        if i % 2 == 0:
            text += part
            continue
        name = filler if part == slot else others[part]
        if not text or re.search(r"[.!?] $", text):
            name = name[0].upper() + name[1:]
        if part == slot:
            where = (len(text), len(text) + len(name))
        text += name
    return text, where


def fill(
    model: Detector, frames: Sequence[Frame], fillers: Mapping[str, Fillers], *, strictness: str
) -> Iterator[Filled]:
    """Each frame scored with each name in each of its slots; other slots keep their first name."""
    firsts = {slot: names.all()[0] for slot, names in fillers.items()}
    jobs = [(frame, slot) for frame in frames for slot in frame.slots()]
    placed = [place(frame, slot, name, firsts) for frame, slot in jobs for name in fillers[slot].all()]
    scored = model.score(Document(str(i), text) for i, (text, _) in enumerate(placed))
    setting, gap = model.setting(strictness), model.info.gap
    wheres = iter(placed)
    for n, (frame, slot) in enumerate(jobs):
        rows = []
        for _ in fillers[slot].all():
            document, scores = next(scored)
            rows.append(text_scores(document.text, scores, next(wheres)[1], setting, gap=gap))
        if n % 50 == 0:
            print(f"{n} of {len(jobs)} frames", file=sys.stderr)
        yield Filled(frame, slot, np.array(rows))


def text_scores(text: str, scores: Scores, name: tuple[int, int], setting: Setting, *, gap: int) -> Floats:
    """The scores of a text in `COLUMNS`, leaving out what lies inside ``name``."""
    row = np.zeros(len(COLUMNS))
    for span in decode(text, scores, setting, gap=gap):
        if not (name[0] <= span.start and span.end <= name[1]):
            k = NAMES.index(span.technique)
            row[k] = max(row[k], span.confidence)
    row[ANY] = row[: len(NAMES)].max()
    offsets, channel = scores.pieces.offsets, CHANNELS.index(IDENTIFICATION)
    outside = (offsets[:, 1] <= name[0]) | (offsets[:, 0] >= name[1])
    logits = scores.logits[outside, channel] + setting.bias[IDENTIFICATION]
    row[-1] = (0.5 * (1 + np.tanh(0.5 * logits))).max()
    return row


def interval(values: Floats) -> tuple[float, float]:
    """The 95 % interval of the mean of ``values`` ``(n,)``, bootstrapped."""
    drawn = np.random.default_rng(0).choice(values, size=(N_RESAMPLES, len(values)))
    low, high = np.percentile(drawn.mean(axis=1), [2.5, 97.5])
    return float(low), float(high)


def flip_share(scores: Floats, pairs: Pairs) -> Floats:
    """By column of ``scores`` ``(n_fillers, k)``, the share of pairs of which one is flagged and the other not."""
    flagged = scores > 0
    share: Floats = np.mean([flagged[i] != flagged[j] for i, j in pairs], axis=0)
    return share


def flips(filled: Sequence[Filled], fillers: Mapping[str, Fillers]) -> list[dict[str, Any]]:
    """How many decisions flip between two names, for kinds of frames and of pairs.

    ``decisions`` counts each frame, technique and pair of names; ``flagged`` only techniques found with one of the two
    names at least; ``any`` counts each frame and pair, whether anything is found at all.
    """
    kinds: dict[str, Callable[[Frame], bool]] = {
        "all": lambda frame: True,
        "neutral": lambda frame: not frame.technique,
        "manipulative": lambda frame: bool(frame.technique),
    }
    rows = []
    for kind, holds in kinds.items():
        some = [f for f in filled if holds(f.frame)]
        for which in ("all", "seen", "unseen"):
            rows.append({"frames": kind, "pairs": which} | flip_row(some, fillers, which))
    return rows


def flip_row(filled: Sequence[Filled], fillers: Mapping[str, Fillers], which: str) -> dict[str, Any]:
    """The three shares of `flips` for some frames, and the interval of the first and the last."""
    parts: dict[str, list[float]] = {"decisions": [], "any": []}
    n_flips = n_flagged = 0
    for f in filled:
        pairs = fillers[f.slot].pairs(which)
        share = flip_share(f.scores, pairs)
        parts["decisions"].append(float(share[: len(NAMES)].mean()))
        parts["any"].append(float(share[ANY]))
        flagged = f.scores[:, : len(NAMES)] > 0
        n_flips += sum(int((flagged[i] != flagged[j]).sum()) for i, j in pairs)
        n_flagged += sum(int((flagged[i] | flagged[j]).sum()) for i, j in pairs)
    row: dict[str, Any] = {"flagged": round(n_flips / n_flagged, 4) if n_flagged else 0.0}
    for name, shares in parts.items():
        row[name] = round(float(np.mean(shares)), 4)
        row[f"{name}_interval"] = [round(bound, 4) for bound in interval(np.array(shares))]
    return row


def techniques(filled: Sequence[Filled]) -> dict[str, dict[str, Any]]:
    """By column, how far the scores of two names lie apart (mean, largest), how often it is found, how often flips."""
    differences = [np.array([abs(f.scores[i] - f.scores[j]) for i, j in all_pairs(f)]) for f in filled]
    means = np.mean([d.mean(axis=0) for d in differences], axis=0)
    largest = np.max([d.max(axis=0) for d in differences], axis=0)
    found = np.mean([(f.scores > 0).mean(axis=0) for f in filled], axis=0)
    flipped = np.mean([flip_share(f.scores, all_pairs(f)) for f in filled], axis=0)
    table = {}
    for k, name in enumerate(COLUMNS):
        table[name] = {"mean_change": round(float(means[k]), 4), "largest_change": round(float(largest[k]), 4)}
        if name != IDENTIFICATION:  # a probability has no decision of its own here
            table[name] |= {"found": round(float(found[k]), 4), "flips": round(float(flipped[k]), 4)}
    return table


def all_pairs(filled: Filled) -> Pairs:
    """All pairs of names."""
    return list(combinations(range(len(filled.scores)), 2))


def groups(filled: Sequence[Filled], fillers: Mapping[str, Fillers]) -> list[dict[str, Any]]:
    """For each name, its mean score minus the mean of its slot's seen names, over the frames of that slot."""
    rows = []
    for slot, names in fillers.items():
        some = np.array([f.scores[:, ANY:] for f in filled if f.slot == slot])  # (n_frames, n_fillers, 2)
        differences = some - some[:, : len(names.seen)].mean(axis=1, keepdims=True)
        for i, name in enumerate(names.all()):
            row: dict[str, Any] = {"slot": slot, "name": name, "seen": name in names.seen}
            for k, column in enumerate(("any", IDENTIFICATION)):
                row[column] = round(float(differences[:, i, k].mean()), 4)
                row[f"{column}_interval"] = [round(bound, 4) for bound in interval(differences[:, i, k])]
            rows.append(row)
    return rows


def print_flips(rows: Sequence[Mapping[str, Any]]) -> None:
    """The table of `flips`."""
    print("decisions that flip between two names")
    print(f"{'frames':<14}{'names':<8}{'all':>8}  {'interval':<16}{'where found':>12}{'any technique':>15}")
    for row in rows:
        low, high = row["decisions_interval"]
        bounds = f"{low:.2%} to {high:.2%}"
        print(
            f"{row['frames']:<14}{row['pairs']:<8}{row['decisions']:>8.2%}  {bounds:<16}{row['flagged']:>12.1%}"
            f"{row['any']:>15.1%}"
        )


def print_techniques(table: Mapping[str, Mapping[str, Any]]) -> None:
    """The table of `techniques`, without those that are never found."""
    print(f"\n{'technique':<34}{'found':>8}{'flips':>8}{'mean change':>13}{'largest':>9}")
    for name, row in table.items():
        counts = f"{row['found']:>8.1%}{row['flips']:>8.2%}" if "found" in row else " " * 16
        if row.get("found", 1):
            print(f"{name:<34}{counts}{row['mean_change']:>13.4f}{row['largest_change']:>9.3f}")
    never = [name for name, row in table.items() if not row.get("found", 1)]
    print(f"never found: {', '.join(never) or 'none'}")


def print_groups(rows: Sequence[Mapping[str, Any]]) -> None:
    """The table of `groups`, and how many are too far off."""
    print(f"\n{'slot':<10}{'name':<30}{'seen':<6}{'any':>7}  {'interval':<18}{'identification':>15}  interval")
    for row in rows:
        cells = [f"{low:+.3f} to {high:+.3f}" for low, high in (row["any_interval"], row["identification_interval"])]
        print(
            f"{row['slot']:<10}{row['name']:<30}{'yes' if row['seen'] else 'no':<6}{row['any']:>+7.3f}  {cells[0]:<18}"
            f"{row[IDENTIFICATION]:>+15.3f}  {cells[1]}"
        )
    print(f"\nnames further than {MAX_DIFFERENCE} from the mean of their slot's seen ones")
    for column in ("any", IDENTIFICATION):
        for seen in (True, False):
            some = [row for row in rows if row["seen"] is seen]
            off = [row for row in some if abs(row[column]) > MAX_DIFFERENCE]
            furthest = max(some, key=lambda row: abs(row[column]))
            print(
                f"{column}, {'seen' if seen else 'unseen'}: {len(off)} of {len(some)}; "
                f"furthest {furthest['name']} ({furthest[column]:+.3f})"
            )


if __name__ == "__main__":
    typer.run(main)

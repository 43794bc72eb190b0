"""The model card, generated from a model's own records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from detector.config import WRITTEN
from detector.model import ModelInfo
from detector.names import NAMES_FILE
from detector.techniques import technique
from detector.train.encoders import PACKAGED

USES = """\
## What it is for, and what not

It marks which words of an English news text may use which of 23 persuasion techniques, for people who read on: a
flag is a question, not a verdict. It judges how something is said, never whether it is true. It was trained on English
news of 2017 to 2023 and on the text of memes: other languages and other kinds of text are outside what was measured,
and so is quoted speech as such (a reporter who quotes a technique does not use it).

Who should not use it, and for what:

- Nobody, to rank, filter, block or punish people or outlets without a person who reads each finding.
- Nobody, to decide what is true: a true sentence may be loaded, and a lie may be put soberly.
- Moderators and advertisers, as the only reader of anything that matters: most findings are not what annotators marked.
- Researchers, to compare groups of texts that differ in subject or genre, or outlets by a handful of texts.
- Anybody, on texts that it gives a warning about: in another language, very short, unlike the training.
"""

AGREEMENT = """\
## How far annotators agree

Annotators who mark the same news article by themselves disagree about many spans; they agree better with what they
settle on together, which is what the corpora hold (Da San Martino et al. 2019, "Fine-Grained Analysis of Propaganda in
News Articles", section 3, measured with gamma of Mathet et al. 2015). What one trained person reaches against those
spans is a ceiling for a model, well below 1. A finding that no annotator marked is counted as wrong here, and need not
be. The corpora are of different density: CheckThat! articles have about three times as many annotated spans as PTC's.
"""

LICENCES = """\
## Licences

| what | licence, as far as it is known |
|---|---|
| these weights and the program | Apache-2.0 |
| the encoders all-mpnet-base-v2 and all-MiniLM-L6-v2 | Apache-2.0 |
| Propaganda Techniques Corpus (SemEval-2020 Task 11) | for research; the rights in the articles are their publishers' |
| CheckThat! 2024 Task 3 | for research; the rights in the articles are their publishers' |
| SemEval-2021 Task 6 | for research |
| news that one model labels for another | for research; the rights in the articles are their publishers' |

None of the corpora's texts is part of the model, but for the short quotations above.
"""
_PLACES = (
    ": *strict* and `ptc` on PTC articles, *sensitive* and `checkthat` on CheckThat! articles, *balanced* on both, "
    "`semeval2021` on memes"
)
_ERRORS = {
    "wrong": "Found, and not marked by annotators:",
    "missed": "Marked by annotators, and not found:",
}


def card(info: ModelInfo, record: Mapping[str, Any], *, further: str = "") -> str:
    """The card in Markdown: what the model is, how it was trained, and what was measured on which documents.

    ``further`` is what was measured elsewhere, as a table.
    """
    parts = [
        _heading(info, record),
        USES,
        _training(record),
        _measured(record),
        _techniques(record),
        AGREEMENT,
        f"## Further measurements\n\n{further}" if further else "",
        _errors(record),
        LICENCES,
    ]
    return "\n".join(part for part in parts if part)


def _heading(info: ModelInfo, record: Mapping[str, Any]) -> str:
    licence = " (Apache-2.0)" if info.encoder.removeprefix("sentence-transformers/") in PACKAGED else ""
    return (
        f"# {info.name}\n\n"
        f"Encoder: {info.encoder}{licence}, fine-tuned with two heads: one says for every word piece whether it is "
        "inside each technique, the other names the technique of a given span. Stored in 8 bits with a scale for each "
        f"row; windows of {info.window} pieces that overlap by {info.overlap}. {_alike(info)}Weights: Apache-2.0.\n"
    )


def _alike(info: ModelInfo) -> str:
    """Which names the model cannot tell apart, if any."""
    if info.names is None:
        return ""
    of = f"{info.names.n_alike()} people, parties, outlets and genders"
    return f"Each of {of} reads like the others of its kind (`{NAMES_FILE}`). "


def _training(record: Mapping[str, Any]) -> str:
    if "epochs" not in record:
        return ""
    documents = ", ".join(f"{name} {n[0]} (held out: {n[1]})" for name, n in record["n_documents"].items())
    lines = [
        "## How it was trained\n",
        f"Recipe `configs/{record['recipe']['name']}.toml`, {_seeds(record)}, documents: {documents}; fold "
        f"{record['fold']} of 5 by document was held out. {record['seconds'] / 60:.0f} minutes."
        f"{_start(record)}{_seen_share(record)}{_teacher(record)}{_written(record)}\n",
        *_epochs(record),
    ]
    if "refit" in record:
        lines.append(_refit(record["refit"], record))
    return "\n".join(lines)


def _refit(refit: Mapping[str, Any], record: Mapping[str, Any]) -> str:
    """What was trained again on all documents, and what the figures are of."""
    documents = ", ".join(f"{name} {n}" for name, n in refit["n_documents"].items())
    figures = (
        f"That model (`{refit['held_out']}`) chose the settings, and what is measured here on held-out documents is "
        "of it. "
    )
    return (
        f"{'' if record.get('seen') else figures}The weights in this folder were trained once more by the same "
        f"recipe, on all documents: {documents} ({_seeds(refit)}; {refit['seconds'] / 60:.0f} minutes)."
        f"{_start(refit)}{_seen_share(record)} No annotated document is left to measure these on.\n"
    )


def _epochs(record: Mapping[str, Any]) -> list[str]:
    """The scores after each epoch, where they were measured."""
    if not record["epochs"]:
        return []
    first = next(iter(record["n_documents"]))
    flc = "FLC, 14 techniques" if first == "ptc" else "FLC"
    lines = [f"| epoch | SI | {flc} | TC |", "|---|---|---|---|"]
    for epoch in record["epochs"]:
        scores = " | ".join(f"{epoch[f'{first}_{metric}']:.3f}" for metric in ("si", "flc", "tc"))
        lines.append(f"| {epoch['epoch']:.0f} | {scores} |")
    return [
        *lines,
        f"\nOn the held-out documents of {first}, thresholds chosen on the same; the last epoch was kept.\n",
    ]


def _teacher(record: Mapping[str, Any]) -> str:
    """The model that labelled texts for it, if any did."""
    teacher = record.get("teacher")
    if not teacher:
        return ""
    return (
        f" It learned also from {teacher['n_texts']:,} texts that `{teacher['name']}` (`{teacher['hash']}`) labelled."
    )


def _written(record: Mapping[str, Any]) -> str:
    """The texts that were written for it, if any were."""
    files = [f"`configs/texts/{name}`" for key in WRITTEN if (name := record["recipe"].get("texts", {}).get(key))]
    return f" It learned also from passages that were written for this project: {', '.join(files)}." if files else ""


def _start(record: Mapping[str, Any]) -> str:
    """The model that a training started from, if one of ours."""
    start = record.get("start")
    if not start:
        return ""
    made = ", which was trained on all documents" if "refit" in start else ""
    seeds = _seeds(start["refit"] if made else start)
    return f" It started from a model of the recipe `configs/{start['recipe']['name']}.toml`, {seeds}{made}."


def _seen_share(record: Mapping[str, Any]) -> str:
    """How many of the documents it saw, where a draw decided."""
    share = record["recipe"].get("texts", {}).get("share", 1.0)
    return f" Of these documents it saw about {share:.0%}, drawn at random." if share < 1 else ""


def _seeds(record: Mapping[str, Any]) -> str:
    seeds = record.get("seeds") or [record["seed"]]
    return f"seed{'s'[len(seeds) == 1 :]} {', '.join(map(str, seeds))}"


def _measured(record: Mapping[str, Any]) -> str:
    if "validation" not in record:
        return ""
    known = {"ptc", "checkthat", "semeval2021"} <= set(record.get("chosen_on", record.get("n_documents", ())))
    lines = [
        "## What was measured\n",
        "On held-out documents, with thresholds and calibration chosen on the other half of them"
        f"{_PLACES if known else ''}. Likely (a confidence of 0.5 or more) and possible: how many of these are "
        "right.\n",
        "| setting | documents | SI F1 | precision | recall | F1 | calibration error | likely | possible |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name, m in record["validation"].items():
        spans = m["flc"]
        lines.append(
            f"| {name} | {m['n_documents']} | {m['si']['f1']:.3f} | {spans['precision']:.3f} | {spans['recall']:.3f} "
            f"| {spans['f1']:.3f} | {m['calibration_error']:.3f} | {_share(m['likely'])} | {_share(m['possible'])} |"
        )
    lines.append(
        "\nPrecision, recall and F1 are of spans with their technique, partial overlap counted in part. SI is of "
        "ranges inside any technique, which are decoded by themselves and chosen to raise it.\n"
    )
    if seen := record.get("seen"):
        lines.append(f"The training has learned from these documents ({', '.join(seen)}): all of this flatters.\n")
    return "\n".join(lines)


def _techniques(record: Mapping[str, Any]) -> str:
    """Each technique at the balanced setting."""
    if not record.get("techniques"):
        return ""
    balanced = record["validation"]["balanced"]
    lines = [
        "## Each technique\n",
        f"At *balanced*, on the same {balanced['n_documents']} articles, thresholds and calibration chosen on the "
        "other half of them; the interval of F1 holds 95 % of what other draws of articles would give. A technique "
        "with few annotated spans has not been measured well, whatever its figures. Overall, confidence is off by "
        f"{balanced['calibration_error']:.3f} (expected calibration error).\n",
        "| technique | annotated | found | precision | recall | F1 | 95 % interval |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, row in record["techniques"].items():
        low, high = row["interval"]
        figures = f"{row['precision']:.3f} | {row['recall']:.3f} | {row['f1']:.3f} | {low:.3f}–{high:.3f}"
        lines.append(f"| {technique(name).title} | {row['n_gold']} | {row['n_found']} | {figures} |")
    return "\n".join(lines) + "\n"


def _errors(record: Mapping[str, Any]) -> str:
    """The errors in the record, as lists of quotations."""
    errors: Mapping[str, Sequence[Mapping[str, Any]]] = record.get("errors", {})
    if not any(errors.values()):
        return ""
    lines = ["## Errors\n", "Drawn at random, not chosen, from the errors at *balanced* in the same articles.\n"]
    for kind, sentence in _ERRORS.items():
        lines += [sentence, "", *(f"- {_quotation(error)}" for error in errors.get(kind, ())), ""]
    return "\n".join(lines)


def _quotation(error: Mapping[str, Any]) -> str:
    titles = " or ".join(technique(name).title.lower() for name in error["technique"].split("+"))
    before, quote, after = (_plain(error[part]) for part in ("before", "quote", "after"))
    where = f"{_plain(error['document'])}, characters {error['start']}–{error['end']}"
    return f"{titles}: …{before}**{quote}**{after}… ({where})"


def _plain(text: str) -> str:
    """A text on one line, with nothing in it that Markdown or HTML would take for its own."""
    line = "".join(" " if c.isspace() else c for c in text)
    return "".join(f"\\{c}" if c in "\\`*_[]<>|#~" else c for c in line)


def _share(words: Mapping[str, Any]) -> str:
    return f"{words['right']:.0%} of {words['n']}" if words["n"] else "none"

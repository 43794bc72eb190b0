"""The model card, generated from a model's own records."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from detector.model import ModelInfo

USES = """\
## What it is for, and what not

It marks which words of an English news text may use which of 23 persuasion techniques, for people who read on: a
flag is a question, not a verdict. It judges how something is said, never whether it is true. Do not use it to rank,
filter or punish people or outlets without a human reading each finding. It was trained on English news of 2017 to 2023
and on the text of memes: other languages and other kinds of text are outside what was measured, and so is quoted
speech as such (a reporter who quotes a technique does not use it).
"""


def card(info: ModelInfo, record: Mapping[str, Any]) -> str:
    """The card in Markdown: what the model is, how it was trained, and what was measured on which documents."""
    parts = [_heading(info, record), USES, _training(record), _measured(record)]
    return "\n".join(part for part in parts if part)


def _heading(info: ModelInfo, record: Mapping[str, Any]) -> str:
    return (
        f"# {info.name}\n\n"
        f"Encoder: {info.encoder} (Apache-2.0), fine-tuned with two heads: one says for every word piece whether it is "
        "inside each technique, the other names the technique of a given span. Stored in 8 bits with a scale for each "
        f"row; windows of {info.window} pieces that overlap by {info.overlap}. Weights: Apache-2.0.\n"
    )


def _training(record: Mapping[str, Any]) -> str:
    if "epochs" not in record:
        return ""
    documents = ", ".join(f"{name} {n[0]} (held out: {n[1]})" for name, n in record["n_documents"].items())
    lines = [
        "## How it was trained\n",
        f"Recipe `configs/{record['recipe']['name']}.toml`, seed {record['seed']}, documents: {documents}; fold "
        f"{record['fold']} of 5 by document was held out. {record['seconds'] / 60:.0f} minutes.\n",
        "| epoch | SI | FLC, 14 techniques | TC |",
        "|---|---|---|---|",
    ]
    first = next(iter(record["n_documents"]))
    for epoch in record["epochs"]:
        scores = " | ".join(f"{epoch[f'{first}_{metric}']:.3f}" for metric in ("si", "flc", "tc"))
        lines.append(f"| {epoch['epoch']:.0f} | {scores} |")
    lines.append(f"\nOn the held-out documents of {first}, thresholds chosen on the same; the last epoch was kept.\n")
    if "refit" in record:
        seeds = ", ".join(map(str, record["refit"]["seeds"]))
        lines.append(f"Trainings on all documents (seeds {seeds}) then joined the average of the weights.\n")
    return "\n".join(lines)


def _measured(record: Mapping[str, Any]) -> str:
    if "validation" not in record:
        return ""
    lines = [
        "## What was measured\n",
        "On held-out documents, with thresholds and calibration chosen on the other half of them: *strict* and `ptc` "
        "on PTC articles, *sensitive* and `checkthat` on CheckThat! articles, *balanced* on both, `semeval2021` on "
        "memes. Likely (a confidence of 0.5 or more) and possible: how many of these are right.\n",
        "| setting | documents | SI F1 | precision | recall | F1 | calibration error | likely | possible |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name, m in record["validation"].items():
        spans = m["flc"]
        lines.append(
            f"| {name} | {m['n_documents']} | {m['si']['f1']:.3f} | {spans['precision']:.3f} | {spans['recall']:.3f} "
            f"| {spans['f1']:.3f} | {m['calibration_error']:.3f} | {_share(m['likely'])} | {_share(m['possible'])} |"
        )
    lines.append("\nPrecision, recall and F1 are of spans with their technique, partial overlap counted in part.\n")
    return "\n".join(lines)


def _share(words: Mapping[str, Any]) -> str:
    return f"{words['right']:.0%} of {words['n']}" if words["n"] else "none"

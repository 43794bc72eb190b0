"""``evaluate`` and ``classify`` write what the tasks want, and the scores are those of the files they write."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from detector.cli import app
from detector.corpora import folds, read_jsonl, read_ptc, read_semeval2021, write_articles, write_jsonl, write_labels
from detector.errors import InputError
from detector.evaluate import Predictions, score, summary, total
from detector.metrics import flc, named_ranges, si, tc
from detector.spans import Document, Span
from detector.techniques import inventory

TEXT = "They want to destroy everything we love.\nAnd NATO, of Asia? We love it!\n\n" * 3
DOCUMENTS = tuple(
    Document(
        str(700 + i),
        f"Title {i}\n\n" + TEXT,
        (
            Span(9, 13, "doubt"),
            Span(22, 40, "loaded-language"),
            Span(22, 40, "repetition"),
            Span(60, 70, "whataboutism"),
        ),
    )
    for i in range(4)
)
PTC_14 = inventory("ptc-14")


@pytest.fixture
def ptc(tmp_path: Path) -> Path:
    write_articles(tmp_path / "articles", DOCUMENTS)
    write_labels(tmp_path / "labels", DOCUMENTS, PTC_14)
    return tmp_path


def invoke(*arguments: str | Path) -> str:
    result = CliRunner().invoke(app, [str(a) for a in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def ptc_options(folder: Path) -> list[str | Path]:
    return ["--corpus", "ptc", "--articles", folder / "articles", "--labels", folder / "labels"]


def test_ptc_files_hold_what_the_metrics_say(ptc, tiny_model_folder):
    output = invoke("evaluate", *ptc_options(ptc), "--out", ptc / "out", "--model", tiny_model_folder)
    metrics = json.loads((ptc / "out" / "metrics.json").read_text())
    gold = {d.id: d for d in read_ptc(ptc / "articles", ptc / "labels").documents}

    def rows(name: str) -> dict[str, list[tuple[str, int, int]]]:
        by_id: dict[str, list[tuple[str, int, int]]] = {id: [] for id in gold}
        for line in (ptc / "out" / name).read_text().splitlines():
            id, *technique, start, end = line.split("\t")
            by_id[id].append((technique[0] if technique else "", int(start), int(end)))
        return by_id

    for name, metric, names in (("si", si, None), ("flc", flc, PTC_14), ("tc", tc, PTC_14)):
        found = rows(f"{name}.tsv")
        whole = total([metric(named_ranges(d, names), found[id]) for id, d in gold.items()])
        assert metrics["metrics"][name]["f1"] == pytest.approx(whole.f1, abs=1e-4)
        assert all(technique in PTC_14.names for part in found.values() for technique, _, _ in part if technique)
    assert metrics["strictness"] == "ptc"
    assert "Loaded_Language" in output
    assert f"{metrics['metrics']['si']['f1']:7.3f}" in output


def test_every_gold_span_is_named_once_and_twins_differ(ptc, tiny_model_folder):
    invoke("evaluate", *ptc_options(ptc), "--out", ptc / "out", "--model", tiny_model_folder)
    rows = [line.split("\t") for line in (ptc / "out" / "tc.tsv").read_text().splitlines()]
    assert len(rows) == sum(len(d.spans) for d in DOCUMENTS)
    twins = [technique for id, technique, start, _ in rows if id == "700" and start == "22"]
    assert len(set(twins)) == 2


def test_semeval2021_predictions_have_the_form_of_the_input(tmp_path, tiny_model_folder):
    items = [
        {"id": "1", "text": "THEY WANT\n\nIT ALL", "labels": [{"start": 0, "end": 4, "technique": "Smears"}]},
        {"id": "2", "text": "WE LOVE NATO", "labels": []},
    ]
    (tmp_path / "in.json").write_text(json.dumps(items))
    options = ["--corpus", "semeval2021", "--file", tmp_path / "in.json"]
    output = invoke("evaluate", *options, "--out", tmp_path / "out", "--model", tiny_model_folder)
    written = json.loads((tmp_path / "out" / "predictions.json").read_text())
    assert [(i["id"], i["text"]) for i in written] == [(i["id"], i["text"]) for i in items]
    for item in written:
        for row in item["labels"]:
            assert item["text"][row["start"] : row["end"]] == row["text_fragment"]
            assert row["technique"] in inventory("semeval-2021").names
    assert "semeval2021" in output
    assert len(read_semeval2021(tmp_path / "out" / "predictions.json").documents) == 2


def test_jsonl_predictions_use_our_names(tmp_path, tiny_model_folder):
    write_jsonl(tmp_path / "in.jsonl", DOCUMENTS)
    options = ["--corpus", "jsonl", "--file", tmp_path / "in.jsonl"]
    invoke("evaluate", *options, "--out", tmp_path / "out", "--model", tiny_model_folder, "--strictness", "sensitive")
    rows = [json.loads(line) for line in (tmp_path / "out" / "predictions.jsonl").read_text().splitlines()]
    assert [row["id"] for row in rows] == [d.id for d in DOCUMENTS]
    assert any(row["spans"] for row in rows)
    assert all(set(span) >= {"technique", "start", "end"} for row in rows for span in row["spans"])
    assert json.loads((tmp_path / "out" / "metrics.json").read_text())["strictness"] == "sensitive"


def test_one_fold_scores_its_documents_only(ptc, tiny_model_folder):
    n_documents = []
    for fold in range(5):
        out = ptc / f"out-{fold}"
        options = [*ptc_options(ptc), "--out", out, "--model", tiny_model_folder, "--fold", fold]
        result = CliRunner().invoke(app, ["evaluate", *map(str, options)])
        if result.exit_code == 0:
            n_documents.append(json.loads((out / "metrics.json").read_text())["n_documents"])
    assert sum(n_documents) == len(DOCUMENTS)


FOLD = folds(DOCUMENTS)[0]
NONE_HELD_OUT = "its training.json names no fold that was held out; name a model that has one"


@pytest.mark.parametrize(
    ("record", "warning"),
    [
        ({"fold": FOLD}, None),
        ({"fold": FOLD + 1}, f"fold {FOLD} is not the one that this model's training left out ({FOLD + 1})"),
        ({"fold": None}, NONE_HELD_OUT),
        ({}, NONE_HELD_OUT),
        (
            {"fold": FOLD, "n_documents": {"ptc": [6, 2]}, "refit": {"held_out": "sha256:5c"}},
            "was trained on all documents of ptc; figures on these flatter: measure the model that held some out "
            "(sha256:5c)",
        ),
    ],
)
def test_a_fold_that_the_training_has_seen_is_warned_of(ptc, tiny_model_folder, record, warning):
    model = shutil.copytree(tiny_model_folder, ptc / "model")
    (model / "training.json").write_text(json.dumps(record))
    options = [*ptc_options(ptc), "--out", ptc / "out", "--model", model, "--fold", FOLD]
    result = CliRunner().invoke(app, ["evaluate", *map(str, options)])
    assert result.exit_code == 0, result.output
    warnings = [line for line in result.stderr.splitlines() if line.startswith("warning: ")]
    assert [line.endswith(warning or "") for line in warnings] == [True] * bool(warning)


def test_classify_names_spans_without_gold(ptc, tiny_model_folder):
    labels = ptc / "spans.tsv"
    labels.write_text("700\t9\t13\n701\t?\t22\t40\n701\t?\t22\t40\n")
    options = ["--corpus", "ptc", "--articles", ptc / "articles", "--labels", labels, "--model", tiny_model_folder]
    invoke("classify", *options, "-o", ptc / "named.tsv")
    rows = [line.split("\t") for line in (ptc / "named.tsv").read_text().splitlines()]
    assert [(id, start, end) for id, _, start, end in rows] == [
        ("700", "9", "13"),
        ("701", "22", "40"),
        ("701", "22", "40"),
    ]
    assert {technique for _, technique, _, _ in rows} <= set(PTC_14.names)
    assert rows[1][1] != rows[2][1]
    (ptc / "one").mkdir()
    (ptc / "one" / "article700.labels").write_text("700\t9\t13\n")
    arguments = [*options[:4], "--labels", ptc / "one", "-o", ptc / "one" / "article700.labels"]
    result = CliRunner().invoke(app, ["classify", *map(str, arguments)])
    assert "is read and cannot be the output" in str(result.exception)
    assert (ptc / "one" / "article700.labels").read_text() == "700\t9\t13\n"


def test_classify_keeps_the_order_of_jsonl(tmp_path, tiny_model_folder):
    write_jsonl(tmp_path / "in.jsonl", DOCUMENTS)
    options = ["--corpus", "jsonl", "--file", tmp_path / "in.jsonl", "--model", tiny_model_folder]
    invoke("classify", *options, "-o", tmp_path / "out.jsonl")
    rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [row["id"] for row in rows] == [d.id for d in DOCUMENTS]
    assert all(len(row["spans"]) == 4 for row in rows)
    assert [d.text for d in read_jsonl(tmp_path / "out.jsonl").documents] == [d.text for d in DOCUMENTS]
    before = (tmp_path / "in.jsonl").read_bytes()
    (tmp_path / "link.jsonl").symlink_to("in.jsonl")
    result = CliRunner().invoke(app, ["classify", *map(str, options), "-o", str(tmp_path / "link.jsonl")])
    assert "is read and cannot be the output" in str(result.exception)
    assert (tmp_path / "in.jsonl").read_bytes() == before


def test_perfect_predictions_score_one(tmp_path):
    write_jsonl(tmp_path / "in.jsonl", DOCUMENTS)
    corpus = read_jsonl(tmp_path / "in.jsonl")
    perfect = Predictions(corpus.documents, corpus.documents, corpus.documents)
    for parts in score(corpus, perfect).values():
        assert total(parts).f1 == pytest.approx(1.0)
    assert summary(corpus, perfect)["calibration_error"] == 0.0


def test_several_files_of_jsonl_are_one_corpus(tmp_path, tiny_model_folder):
    files = [tmp_path / f"{document.id}.jsonl" for document in DOCUMENTS]
    for file, document in zip(files, DOCUMENTS, strict=True):
        write_jsonl(file, [document])
    named = [part for file in files for part in ("--file", file)]
    invoke("evaluate", "--corpus", "jsonl", *named, "--out", tmp_path / "out", "--model", tiny_model_folder)
    rows = [json.loads(line) for line in (tmp_path / "out" / "predictions.jsonl").read_text().splitlines()]
    assert [row["id"] for row in rows] == [d.id for d in DOCUMENTS]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--corpus", "ptc"], "needs --articles DIR and --labels"),
        (["--corpus", "jsonl"], "needs --file FILE"),
        (["--corpus", "jsonl", "--file", "nowhere.jsonl"], "nowhere.jsonl"),
        (["--corpus", "jsonl", "--file", "a.jsonl", "--articles", "a"], "--corpus jsonl: takes no --articles"),
        (["--corpus", "semeval2021", "--file", "a.json", "--labels", "a"], "--corpus semeval2021: takes no --labels"),
        (["--corpus", "ptc", "--articles", "a", "--labels", "b", "--file", "c"], "--corpus ptc: takes no --file"),
    ],
)
def test_missing_input_and_that_of_another_format_is_one_line(tmp_path, capsys, monkeypatch, arguments, says):
    from detector.cli import main

    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stop:
        main(["evaluate", *arguments, "--out", str(tmp_path / "out")])
    assert stop.value.code == 2
    error = capsys.readouterr().err
    assert says in error
    assert error.count("\n") == 1


@pytest.mark.parametrize("format", ["jsonl", "semeval2021"])
def test_classify_takes_spans_without_a_technique(tmp_path, tiny_model_folder, format):
    spans = [
        {"start": 0, "end": 4},
        {"start": 0, "end": 4, "technique": None},
        {"start": 0, "end": 4, "technique": "?"},
    ]
    row = {"id": "a", "text": "Lies and lies.", {"jsonl": "spans", "semeval2021": "labels"}[format]: spans}
    (tmp_path / "in").write_text(json.dumps(row if format == "jsonl" else [row]))
    options = ["--corpus", format, "--file", tmp_path / "in", "--model", tiny_model_folder]
    invoke("classify", *options, "-o", tmp_path / "out")
    written = json.loads((tmp_path / "out").read_text())
    named = written["spans"] if format == "jsonl" else written[0]["labels"]
    assert len(named) == 3
    assert all(span["technique"] not in ("", "?", None) for span in named)
    (tmp_path / "folder").mkdir()
    result = CliRunner().invoke(app, ["classify", *map(str, options), "-o", str(tmp_path / "folder")])
    assert isinstance(result.exception, InputError)
    assert "cannot be written (Is a directory)" in str(result.exception)

"""A corpus scored: what is read, what is written, resuming, locks, and everything that may be wrong with an input."""

import datetime
import errno
import gzip
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tracemalloc
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import bare_setting

from detector.batch import records, store, work
from detector.batch import run as batch_run
from detector.batch.choices import Engine, PartFormat
from detector.batch.parts import cut_parts
from detector.batch.pool import ProcessPool
from detector.batch.records import Columns, Record, read_records
from detector.batch.run import Job, Summary, score_corpus
from detector.batch.schema import arrow_schema, check_kept, describe
from detector.batch.sources import passed_over
from detector.batch.store import LocalStore, RemoteStore
from detector.batch.summary import Results
from detector.batch.work import BLOCK_CHARACTERS, Receipt, Settings, blocks, part_name
from detector.cli import main
from detector.cli import score as score_command
from detector.errors import ConfigError, DetectorError, InputError
from detector.quotes import quotation_of, quotations
from detector.selection import Selection
from detector.spans import Document, Span, text_hash
from detector.techniques import NAMES

SENTENCES = ("They want to destroy everything we love.", "Nato is of asia.", "We love the and they of it!")
Score = Callable[..., Summary]


def article(number: int) -> str:
    return "\n".join(SENTENCES[(number + i) % 3] + f" {number}" for i in range(1 + number % 4))


def write_jsonl(path: Path, n: int, *, first: int = 0) -> Path:
    rows = ({"id": f"d{i}", "text": article(i), "outlet": "AB"[i % 2], "n": i} for i in range(first, first + n))
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def content(folder: Path) -> dict[str, bytes]:
    """Every file of a result but the locks."""
    files = (p for p in folder.rglob("*") if p.is_file() and not p.name.startswith(".lock"))
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in files}


def rows_of(folder: Path) -> list[dict[str, Any]]:
    return [row for part in sorted(folder.glob("part-*.parquet")) for row in pq.read_table(part).to_pylist()]


def errors_of(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "errors.jsonl").read_text().splitlines()]


@pytest.fixture
def settings(tiny_detector) -> Settings:
    return Settings("0", tiny_detector.name, tiny_detector.model_hash, part_size=4)


@pytest.fixture
def score(tiny_detector, tiny_model_folder, settings, tmp_path) -> Score:
    """Scores paths into a folder of the test's own (``out``), with other settings or job fields as given."""

    def call(
        *corpus: Any, out: str = "out", detector: Any = tiny_detector, stdin: Any = None, **changes: Any
    ) -> Summary:
        ours = {name: changes.pop(name) for name in list(changes) if name in Settings.__dataclass_fields__}
        stop = changes.pop("stop", lambda: False)
        job = Job(
            tuple(map(str, corpus)),
            str(tmp_path / out) if "://" not in out else out,
            replace(settings, **ours),
            model=str(tiny_model_folder),
            **changes,
        )
        return score_corpus(job, detector=detector, stdin=stdin, stop=stop)

    return call


# -- what is written --------------------------------------------------------------------------------------------------


def test_a_row_holds_what_annotate_finds(score: Score, tiny_detector, tmp_path):
    corpus = write_jsonl(tmp_path / "c.jsonl", 10)
    summary = score(corpus, columns=Columns(keep=("outlet", "n", "absent")))
    assert summary == Summary(finished=True, n_parts=3, n_documents=10, n_errors=0)
    rows = rows_of(tmp_path / "out")
    assert [row["id"] for row in rows] == [f"d{i}" for i in range(10)]
    for i, row in enumerate(rows):
        text = article(i)
        assert (row["source"], row["row"], row["text_hash"]) == (str(corpus), i + 1, text_hash(text))
        assert (row["n_characters"], row["n_characters_read"]) == (len(text), len(text))
        assert (row["outlet"], row["n"], row["absent"]) == ("AB"[i % 2], str(i), None)
        assert row["n_spans"] == len(row["spans"]) == sum(row["counts"].values())
        assert row["rates"]["doubt"] == round(1000 * row["counts"]["doubt"] / row["n_words"], 4)
        assert all(text[s["start"] : s["end"]] == s["quote"] for s in row["spans"])
    (document,) = tiny_detector.annotate([Document("", article(3))])
    found = [(s.start, s.end, s.technique) for s in document.spans]
    assert [(s["start"], s["end"], s["technique"]) for s in rows[3]["spans"]] == found
    assert found, "the tiny model is meant to find something"


def test_the_manifest_adds_up(score: Score, tmp_path, settings):
    score(write_jsonl(tmp_path / "c.jsonl", 10))
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    rows = rows_of(tmp_path / "out")
    assert manifest["finished"] is True
    assert (manifest["n_documents"], manifest["n_spans"]) == (10, sum(row["n_spans"] for row in rows))
    assert [part["n_documents"] for part in manifest["parts"]] == [4, 4, 2]
    assert manifest["settings_hash"] == rows[0]["settings_hash"] == settings.hash()
    assert rows[0]["model_hash"] == settings.model_hash


def test_jsonl_parts_hold_the_rows_of_parquet_parts(score: Score, tmp_path):
    corpus = write_jsonl(tmp_path / "c.jsonl", 6)
    score(corpus, columns=Columns(keep=("outlet",)))
    score(corpus, columns=Columns(keep=("outlet",)), out="lines", format=PartFormat.JSONL)
    lines = [json.loads(x) for p in sorted((tmp_path / "lines").glob("part-*")) for x in p.read_text().splitlines()]
    for one, other in zip(lines, rows_of(tmp_path / "out"), strict=True):
        assert {**one, "settings_hash": ""} == {**other, "settings_hash": ""}


def test_the_printed_schema_is_that_of_the_files(score: Score, tmp_path, capfd):
    score(write_jsonl(tmp_path / "c.jsonl", 2), columns=Columns(keep=("outlet",)))
    written = pq.read_schema(tmp_path / "out" / "part-000000.parquet")
    assert written.equals(arrow_schema(["outlet"]))
    with pytest.raises(SystemExit):
        main(["score", "--schema"])
    printed = json.loads(capfd.readouterr().out)
    assert printed == describe()
    assert [(c["name"], c["type"]) for c in printed["columns"][:-1]] == [(f.name, str(f.type)) for f in written][:-1]
    assert json.loads(written.metadata[b"rhetoric_detector"])["schema_version"] == printed["schema_version"] == 1


SPEECH = "They love. “They destroy,” said Ann Lee. According to Bo Berg, they want it. They love."
GERMAN = "Der Hund läuft schnell durch den Wald und bellt dabei sehr laut. " * 3


def write_texts(path: Path, *texts: str) -> Path:
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    return path


class Everywhere:
    """Stands in for `Detector`: the tiny one, whose settings let it find something nearly everywhere."""

    def __init__(self, detector: Any) -> None:
        self.info, self.score = detector.info, detector.score

    def setting(self, strictness: str) -> Any:
        return bare_setting(strictness, 0.02)


def test_rows_tell_who_is_quoted_and_quotes_chooses(score: Score, tiny_detector, tmp_path):
    corpus, detector = write_texts(tmp_path / "c.jsonl", SPEECH), Everywhere(tiny_detector)
    spans = {}
    for quotes in ("mark", "skip", "only"):
        score(corpus, out=quotes, selection=Selection(quotes=quotes), detector=detector)
        (row,) = rows_of(tmp_path / quotes)
        spans[quotes] = row["spans"]
        assert row["n_spans"] == len(row["spans"]) == sum(row["counts"].values())
    found = quotations(SPEECH)
    for span in spans["mark"]:
        quotation = quotation_of(Span(span["start"], span["end"], "doubt"), found)
        assert span["in_quote"] == (quotation is not None)
        assert span["speaker"] == (quotation.speaker if quotation else None)
    assert {span["in_quote"] for span in spans["mark"]} == {True, False}
    assert any(span["speaker"] for span in spans["mark"]), "the test is meant to see a speaker"
    assert spans["only"] == [span for span in spans["mark"] if span["in_quote"]]
    assert spans["skip"] == [span for span in spans["mark"] if not span["in_quote"]]
    assert len({json.loads((tmp_path / q / "manifest.json").read_text())["settings_hash"] for q in spans}) == 3


def test_texts_that_switch_the_detector_off_are_counted(score: Score, tmp_path):
    corpus = write_texts(
        tmp_path / "c.jsonl", "They want <!-- detector: off --> to go", "They want <!-- detector: on --> to"
    )
    assert score(corpus).n_switched_off == 1
    assert json.loads((tmp_path / "out" / "manifest.json").read_text())["n_switched_off"] == 1


def test_files_of_other_kinds_in_folders_and_archives_are_passed_over_by_name(tmp_path):
    folder = tmp_path / "essays"
    (folder / "inner").mkdir(parents=True)
    for name in ("a.txt", "b.docx", "inner/c.html", ".hidden.docx", "~$b.docx"):
        (folder / name).write_text("They lie")
    with zipfile.ZipFile(folder / "d.zip", "w") as archive:
        for name in ("e.txt", "f.eml", "__MACOSX/g.eml", "h/i.zip"):
            archive.writestr(name, "They lie")
    names = [f"{folder}/b.docx", f"{folder}/d.zip/f.eml", f"{folder}/d.zip/h/i.zip", f"{folder}/inner/c.html"]
    assert sorted(passed_over([str(folder)])) == names
    assert sorted(passed_over([f"{folder}/*.[dt]*"])) == names[:1]
    assert [*passed_over([f"{folder}/a.txt"])] == []


def test_a_split_of_files_is_refused(score: Score, tmp_path):
    with pytest.raises(ConfigError, match="--split test: only a data set has splits"):
        score(write_jsonl(tmp_path / "c.jsonl", 2), split="test")


WHENCE = ("id", "source", "settings_hash")


def test_languages_are_told_and_others_left_out_where_asked(score: Score, tmp_path):
    corpus = write_texts(tmp_path / "c.jsonl", article(3) * 3, GERMAN, "They", "")
    for guard, languages, n_foreign in (("warn", ["en", "de", None, None], 1), ("off", [None] * 4, 0)):
        assert score(corpus, out=guard, language_guard=guard).n_foreign == n_foreign
        rows = rows_of(tmp_path / guard)
        assert [row["language"] for row in rows] == languages
        assert rows[1]["n_characters_read"] == len(GERMAN)
    assert score(corpus, language_guard="skip").n_foreign == 1
    score(write_texts(tmp_path / "without.jsonl", article(3) * 3, "", "They", ""), out="without")
    skipped, without = rows_of(tmp_path / "out"), rows_of(tmp_path / "without")
    assert (skipped[1]["language"], skipped[1]["spans"], skipped[1]["n_characters_read"]) == ("de", [], 0)
    assert set(skipped[1]["rates"].values()) == {None}
    for i in (0, 2, 3):
        assert {**skipped[i], **dict.fromkeys(WHENCE)} == {**without[i], **dict.fromkeys(WHENCE)}
    assert score(corpus, language_guard="skip").n_foreign == 1, "of the folder, not of the run"
    assert Results(str(tmp_path / "out")).overview().n_documents == 3


@pytest.mark.parametrize("name", ["id", "spans", "counts"])
def test_a_kept_column_cannot_take_the_name_of_ours(name: str):
    with pytest.raises(ConfigError, match=f"--keep {name}: the part files have a column of that name"):
        check_kept(["outlet", name])


def test_only_what_was_asked_for_is_counted(score: Score, tmp_path):
    corpus = write_jsonl(tmp_path / "c.jsonl", 6)
    score(corpus)
    everything = [s for row in rows_of(tmp_path / "out") for s in row["spans"]]
    score(corpus, out="some", selection=Selection(0.4, ignore=("doubt",)))
    some = [s for row in rows_of(tmp_path / "some") for s in row["spans"]]
    assert some == [s for s in everything if s["confidence"] >= 0.4 and s["technique"] != "doubt"]
    assert 0 < len(some) < len(everything)


# -- the same bytes ---------------------------------------------------------------------------------------------------


def test_workers_and_shards_do_not_change_a_byte(score: Score, tmp_path):
    corpus = write_jsonl(tmp_path / "c.jsonl", 23)
    score(corpus)
    score(corpus, out="workers", workers=2, detector=None)
    partial = score(corpus, out="shards", shard=(2, 3))
    assert not partial.finished
    score(corpus, out="shards", shard=(3, 3))
    assert score(corpus, out="shards", shard=(1, 3)).finished
    assert content(tmp_path / "workers") == content(tmp_path / "out")
    assert content(tmp_path / "shards") == content(tmp_path / "out")


@pytest.mark.parametrize("backend", ["onnx", "torch"])
def test_threads_of_the_caller_do_not_change_a_byte(score: Score, tmp_path, monkeypatch, backend: str):
    import torch

    corpus = write_jsonl(tmp_path / "c.jsonl", 8)
    before = torch.get_num_threads()
    try:
        for threads in (1, 2):
            monkeypatch.setenv("OMP_NUM_THREADS", str(threads))
            torch.set_num_threads(threads)
            score(corpus, out=f"out{threads}", detector=None, backend=backend)
            assert backend == "onnx" or torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(before)
    assert content(tmp_path / "out1") == content(tmp_path / "out2")


def test_a_worker_has_one_thread_of_the_chosen_backend(tiny_model_folder, settings, tmp_path):
    for backend in ("onnx", "torch"):
        task = work.Task(str(tmp_path), replace(settings, backend=backend), str(tiny_model_folder))
        loaded: Any = work.load_for(task).backend
        assert (loaded.name, getattr(loaded, "threads", 1)) == (backend, 1)


def test_parts_depend_on_the_records_alone():
    short = [Record("s", i, str(i), "x" * 10) for i in range(7)]
    assert [len(p.records) for p in cut_parts(short, n_documents=3)] == [3, 3, 1]
    long = [Record("s", i, str(i), "x" * 600_000) for i in range(5)]
    assert [len(p.records) for p in cut_parts(long, n_documents=3)] == [2, 2, 1]
    assert cut_parts(iter(short), n_documents=3).__next__().digest() == next(cut_parts(short, n_documents=3)).digest()


def test_long_texts_are_read_in_blocks_that_tile_them(score: Score, tiny_detector, tmp_path, monkeypatch):
    monkeypatch.setattr(work, "BLOCK_CHARACTERS", 60)
    texts = ["", "a b " * 50, "x" * 200, "\n".join(SENTENCES * 3)]
    for text in texts:
        tiles = blocks(text)
        assert "".join(text[a:b] for a, b in tiles) == text
        assert all(b - a <= 60 for a, b in tiles)
    (tmp_path / "c.jsonl").write_text("".join(json.dumps({"text": t}) + "\n" for t in texts))
    score(tmp_path / "c.jsonl")
    rows = rows_of(tmp_path / "out")
    assert [row["n_characters_read"] for row in rows] == list(map(len, texts))
    assert all(t[s["start"] : s["end"]] == s["quote"] for t, row in zip(texts, rows, strict=True) for s in row["spans"])
    assert max(s["end"] for s in rows[3]["spans"]) > 120


# -- inputs -----------------------------------------------------------------------------------------------------------


def make_inputs(folder: Path) -> dict[str, Path]:
    """The same five documents in every format."""
    texts = {f"d{i}": article(i) + ' "quoted", and\ttab' for i in range(5)}
    plain = "".join(json.dumps({"id": k, "text": v}) + "\n" for k, v in texts.items()).encode()
    fields = [(k, '"' + v.replace('"', '""') + '"') for k, v in texts.items()]
    folder.mkdir()
    suffixes = ("jsonl", "jsonl.gz", "jsonl.zst", "csv", "tsv", "parquet", "zip")
    files = {f"a.{suffix}": folder / f"a.{suffix}" for suffix in suffixes}
    files["a.jsonl"].write_bytes(plain)
    files["a.jsonl.gz"].write_bytes(gzip.compress(plain))
    with pa.OSFile(str(files["a.jsonl.zst"]), "wb") as raw, pa.CompressedOutputStream(raw, "zstd") as stream:
        stream.write(plain)
    files["a.csv"].write_bytes("".join(f"{a},{b}\r\n" for a, b in [("id", "text"), *fields]).encode("utf-8-sig"))
    files["a.tsv"].write_bytes("".join(f"{a}\t{b}\n" for a, b in [("id", "text"), *fields]).encode())
    pq.write_table(pa.table({"id": list(texts), "text": list(texts.values())}), files["a.parquet"], row_group_size=2)
    with zipfile.ZipFile(files["a.zip"], "w") as archive:
        archive.writestr("inner/a.jsonl", plain[: plain.index(b"\n") + 1])
        archive.writestr("b.jsonl.gz", gzip.compress(plain[plain.index(b"\n") + 1 :]))
        archive.writestr("readme.md", "not data")
        archive.writestr("__MACOSX/._a.jsonl", b"\0\0")
    return files


@pytest.mark.parametrize("name", ["a.jsonl.gz", "a.jsonl.zst", "a.csv", "a.tsv", "a.parquet", "a.zip"])
def test_every_format_gives_the_same_documents(tmp_path, name: str):
    files = make_inputs(tmp_path / "in")
    expected = [(r.id, r.text) for r in read_records([str(files["a.jsonl"])], Columns())]
    assert len(expected) == 5
    assert [(r.id, r.text) for r in read_records([str(files[name])], Columns())] == expected


def test_standard_input_is_jsonl(score: Score, tmp_path):
    data = write_jsonl(tmp_path / "c.jsonl", 5).read_bytes()
    assert score("-", stdin=io.BytesIO(data)).n_documents == 5
    assert [row["id"] for row in rows_of(tmp_path / "out")] == [f"d{i}" for i in range(5)]
    with pytest.raises(InputError, match="standard input can be read once"):
        score("-", "-", out="twice")


def test_folders_patterns_and_text_files(score: Score, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("in/b.txt", "in/a.txt", "in/sub/c.txt", "in/.hidden.txt", "in/notes.md"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{name} they destroy")
    ids = ["in/a.txt", "in/b.txt", "in/sub/c.txt"]
    assert [r.id for r in read_records(["in"], Columns())] == ids
    assert [r.id for r in read_records(["in/*.txt"], Columns())] == ids[:2]
    assert [r.id for r in read_records(["in/**/*.txt"], Columns())] == sorted(ids)
    assert [r.text for r in read_records(["in/b.txt"], Columns(text="body"))] == ["in/b.txt they destroy"]


def test_what_would_be_counted_twice_is_refused(score: Score, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in" / "sub").mkdir(parents=True)
    write_jsonl(tmp_path / "in" / "sub" / "c.jsonl", 2)
    write_jsonl(tmp_path / "d.jsonl", 2)
    for twice in (["d.jsonl", "./d.jsonl"], ["in", "in/"], ["in/**/*.jsonl", "in/**/*.jsonl"], ["hf:o/n", "hf:o/n"]):
        with pytest.raises(InputError, match=f"{re.escape(twice[1])}: is named twice: name it once"):
            score(*twice)
    for both in (["in/sub/c.jsonl", "in/*/c*"], ["in/sub/*.jsonl", "in/**/c.*"], ["in/*/c.jsonl", "in/sub/c.jsonl"]):
        with pytest.raises(InputError, match=r"^in/sub/c\.jsonl.*: is named twice: name it once$"):
            score(*both)
    with pytest.raises(InputError, match=r"^in/sub/c\.jsonl \(i\*/sub/\*\): lies in .*/in, which is named, too"):
        score("in", "i*/sub/*")
    for inside in (["in/sub/c.jsonl", "in"], ["in", "in/sub"], [tmp_path, "in/sub/*.jsonl"]):
        with pytest.raises(InputError, match=r": lies in .*, which is named, too: name one of them"):
            score(*inside)
    with pytest.raises(InputError, match="memory://x/: is named twice"):
        score("memory://x", "memory://x/")
    with pytest.raises(InputError, match=r"memory://x/a\.txt: lies in memory://x, which is named, too"):
        score("memory://x", "memory://x/a.txt")
    assert score("in", "d.jsonl").n_documents == 4


def test_what_is_counted_once_may_be_named_beside_a_folder(score: Score, tmp_path, monkeypatch):
    """Standard input, what is hidden, and what lies behind a link to a folder, which a walk does not follow."""
    monkeypatch.chdir(tmp_path)
    for folder in ("in", "in/.hidden", "elsewhere"):
        (tmp_path / folder).mkdir()
        write_jsonl(tmp_path / folder / "c.jsonl", 2)
    (tmp_path / "in" / "link").symlink_to("../elsewhere")
    stdin = io.BytesIO(b'{"text": "They lie."}\n')
    corpus = (tmp_path / "in", "in/.hidden/c.jsonl", "in/link", "-")
    assert score(*corpus, stdin=stdin).n_documents == 7
    with pytest.raises(InputError, match="elsewhere: is named twice"):
        score("in/link", "elsewhere")
    monkeypatch.chdir(tmp_path / "in")
    assert score(".", "-", out="out2", stdin=io.BytesIO(b'{"text": "They lie."}\n')).n_documents == 3
    with pytest.raises(InputError, match=r"^-: standard input is closed: name a file"):
        score("-", out="out3")


def test_what_cannot_be_looked_into_is_an_error_row(tmp_path, monkeypatch):
    for name in ("a", "closed", "z"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "t.txt").write_text("They lie.")
    (tmp_path / "z" / "gone.txt").symlink_to("nowhere.txt")
    scandir = os.scandir

    def scan(folder: Any) -> Any:
        if str(folder).endswith("closed"):
            raise PermissionError(errno.EACCES, "Permission denied", str(folder))
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", scan)
    records = list(read_records([str(tmp_path)], Columns()))
    assert [(Path(r.source).name, r.failure is None) for r in records] == [
        ("t.txt", True),
        ("closed", False),
        ("gone.txt", False),
        ("t.txt", True),
    ]
    records = list(read_records([f"{tmp_path}/z/*.txt"], Columns()))
    assert [(Path(r.source).name, r.failure is None) for r in records] == [("gone.txt", False), ("t.txt", True)]


def test_urls_are_read_and_written_through_fsspec(score: Score, tmp_path):
    import fsspec

    corpus = write_jsonl(tmp_path / "c.jsonl", 9)
    memory = fsspec.filesystem("memory")
    memory.pipe_file("/corpus/c.jsonl", corpus.read_bytes())
    summary = score("memory://corpus/c.jsonl", out="memory://results")
    assert (summary.finished, summary.n_documents) == (True, 9)
    assert len(list(read_records(["memory://corpus/*.jsonl"], Columns()))) == 9
    score("memory://corpus/c.jsonl")
    there = {n: memory.cat_file(f"/results/{n}") for n in RemoteStore("memory://results").names() if n != "receipts"}
    assert there == {n: data for n, data in content(tmp_path / "out").items() if "/" not in n}
    assert RemoteStore("memory://results").names("receipts") == [f"part-00000{i}.json" for i in range(3)]
    assert score("memory://corpus/c.jsonl", out="memory://results") == summary
    with pytest.raises(InputError, match=r"gopherx://there/c.jsonl: cannot be opened"):
        score("gopherx://there/c.jsonl")


def test_a_store_that_may_not_be_read_is_one_line(monkeypatch):
    def forbidden(*arguments: Any, **said: Any) -> None:
        raise PermissionError("Forbidden")

    store = RemoteStore("memory://closed")
    for name in ("cat_file", "ls"):
        monkeypatch.setattr(store.fs, name, forbidden)
    with pytest.raises(
        InputError, match=r"^memory://closed/manifest\.json: cannot be read \(Forbidden\): check the add"
    ):
        store.read("manifest.json")
    with pytest.raises(InputError, match=r"^memory://closed/receipts: cannot be read \(Forbidden\): check the address"):
        store.names("receipts")


def test_the_manifest_is_finished_whichever_shard_writes_it_last(score: Score, tmp_path, monkeypatch):
    corpus = write_jsonl(tmp_path / "c.jsonl", 10)
    write, others = batch_run._write_manifest, [(2, 2)]

    def late(*arguments: Any, **said: Any) -> None:
        if said["receipts"] and others:  # the other shard does all of its work after these receipts were read
            score(corpus, out="memory://raced", shard=others.pop())
        write(*arguments, **said)

    monkeypatch.setattr(batch_run, "_write_manifest", late)
    assert score(corpus, out="memory://raced", shard=(1, 2)).finished
    manifest = json.loads(RemoteStore("memory://raced").read("manifest.json") or b"")
    assert manifest["finished"]
    assert manifest["n_parts"] == 3


def test_saved_data_sets_are_read(tmp_path, monkeypatch):
    datasets = pytest.importorskip("datasets")
    datasets.disable_progress_bars()
    rows = [{"id": str(i), "text": article(i)} for i in range(3)]
    datasets.Dataset.from_list(rows).save_to_disk(tmp_path / "one")
    datasets.DatasetDict({"a": datasets.Dataset.from_list(rows)}).save_to_disk(tmp_path / "named")
    monkeypatch.setattr(datasets, "load_dataset", lambda name, streaming: {"train": rows, "test": rows[:1]})
    expected = [(str(i), article(i)) for i in range(3)]
    for name in (str(tmp_path / "one"), str(tmp_path / "named"), "hf:someone/news"):
        assert [(r.id, r.text) for r in read_records([name], Columns())] == expected
    assert len(list(read_records(["hf:someone/news"], Columns(), split="test"))) == 1
    (record,) = read_records(["hf:someone/news"], Columns(), split="dev")
    assert record.failure is not None
    assert "has no split 'dev': choose one of train, test" in record.failure.message


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ("nowhere.jsonl", "nowhere.jsonl: there is no such file or folder"),
        ("", "'': there is no such file"),
        ("x.pdf", "x.pdf: is of no kind that is read"),
        ("empty", "empty: holds no file that is read"),
        ("*.parquet", "there is no such file|holds no file that is read"),
        ("blank.jsonl", "holds no document"),
    ],
)
def test_a_corpus_that_is_none_is_refused(score: Score, tmp_path, monkeypatch, given: str, complaint: str):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x.pdf").write_bytes(b"%PDF")
    (tmp_path / "blank.jsonl").write_bytes(b"\n\n")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=complaint):
        score(given)


def test_a_slip_in_the_column_is_refused_before_any_work(score: Score, tmp_path):
    corpus = write_jsonl(tmp_path / "c.jsonl", 9)
    with pytest.raises(InputError, match="no 'body' in it: choose with --text-column"):
        score(corpus, columns=Columns(text="body"))
    assert not list((tmp_path / "out").glob("part-*"))


# -- damaged inputs ---------------------------------------------------------------------------------------------------


def test_bad_lines_are_error_rows_and_the_others_are_scored(score: Score, tmp_path):
    lines = [
        b'{"id": "ok1", "text": "they destroy"}',
        b"{broken",
        b'["a list"]',
        b'{"id": "null", "text": null}',
        b'{"id": "number", "text": 5}',
        b'{"id": "none"}',
        b'{"id": "latin", "text": "caf\xe9"}',
        b"",
        b'{"id": "lone", "text": "a \\ud800 b"}',
        b'{"id": "ok1", "text": "the same id"}',
    ]
    (tmp_path / "c.jsonl").write_bytes(b"\n".join(lines))
    summary = score(tmp_path / "c.jsonl")
    assert (summary.n_documents, summary.n_errors) == (3, 6)
    assert [(row["id"], row["row"]) for row in rows_of(tmp_path / "out")] == [("ok1", 1), ("lone", 9), ("ok1", 10)]
    errors = errors_of(tmp_path / "out")
    assert [(e["row"], e["kind"]) for e in errors] == [
        (2, "record"),
        (3, "record"),
        (4, "text"),
        (5, "text"),
        (6, "column"),
        (7, "record"),
    ]
    assert [e["id"] for e in errors][2:4] == ["null", "number"]
    assert all(e["error"].startswith(f"{tmp_path}/c.jsonl:{e['row']}: ") for e in errors)


def damaged_files(folder: Path) -> Iterator[tuple[Path, int, str]]:
    """Files that break off: path, documents before the break, kind of the error."""
    good = write_jsonl(folder / "good.jsonl", 400)
    data = gzip.compress(good.read_bytes())
    (folder / "cut.jsonl.gz").write_bytes(data[: len(data) // 2])
    yield folder / "cut.jsonl.gz", -1, "file"
    (folder / "bits.jsonl.gz").write_bytes(data[:-8] + bytes(8))
    yield folder / "bits.jsonl.gz", 400, "file"
    (folder / "no.jsonl.gz").write_bytes(b"not gzip at all")
    yield folder / "no.jsonl.gz", 0, "file"
    (folder / "no.jsonl.zst").write_bytes(b"not zstd at all")
    yield folder / "no.jsonl.zst", 0, "file"
    (folder / "no.zip").write_bytes(b"PK but no archive")
    yield folder / "no.zip", 0, "file"
    (folder / "quote.csv").write_text('id,text\na,fine\nb,"never closed\nc,swallowed\n')
    yield folder / "quote.csv", 1, "record"
    (folder / "inner.csv").write_text('id,text\na,"so" bad\nb,fine\n')
    yield folder / "inner.csv", 1, "record"
    (folder / "fields.csv").write_text("id,text\na,fine,third\nb,fine\n")
    yield folder / "fields.csv", 1, "record"
    (folder / "latin.csv").write_bytes(b"id,text\na,caf\xe9\nb,fine\n")
    yield folder / "latin.csv", 1, "record"
    (folder / "columns.csv").write_text("id,body\na,fine\n")
    yield folder / "columns.csv", 0, "column"
    pq.write_table(pa.table({"body": ["x"]}), folder / "other.parquet")
    yield folder / "other.parquet", 0, "column"
    pq.write_table(pa.table({"text": [1, 2]}), folder / "numbers.parquet")
    yield folder / "numbers.parquet", 0, "column"
    pq.write_table(pa.table({"text": ["x", None]}), folder / "null.parquet")
    yield folder / "null.parquet", 1, "text"
    (folder / "torn.parquet").write_bytes((folder / "null.parquet").read_bytes()[:-20])
    yield folder / "torn.parquet", 0, "file"
    (folder / "binary.txt").write_bytes(bytes(20))
    yield folder / "binary.txt", 0, "file"


def test_a_damaged_file_costs_one_error_row_and_no_other_file(tmp_path):
    for path, n_before, kind in damaged_files(tmp_path):
        last = write_jsonl(tmp_path / "last.jsonl", 2)
        records = list(read_records([str(path), str(last)], Columns()))
        failures = [r.failure for r in records if r.failure]
        assert [f.kind for f in failures] == [kind], path.name
        assert str(path) in failures[0].message
        n_read = len(records) - len(failures) - 2
        assert n_read == n_before if n_before >= 0 else 0 < n_read < 400, path.name
        assert [r.id for r in records[-2:]] == ["d0", "d1"]


def test_a_bomb_is_an_error_row(tmp_path, monkeypatch):
    monkeypatch.setattr(records, "MAX_RECORD", 100_000)
    bomb = bytes(3_000_000)
    (tmp_path / "a.txt.gz").write_bytes(gzip.compress(bomb))
    (tmp_path / "b.jsonl.gz").write_bytes(gzip.compress(b'{"text": "one"}\n' + bomb + b'\n{"text": "two"}\n'))
    (tmp_path / "c.jsonl").write_bytes(bomb)
    found = list(read_records([str(tmp_path)], Columns()))
    assert [(r.row, r.text, r.failure and r.failure.kind) for r in found] == [
        (1, None, "file"),
        (1, "one", None),
        (2, None, "record"),
        (3, "two", None),
        (1, None, "record"),
    ]
    assert all("more than 100,000 bytes: split it" in r.failure.message for r in found if r.failure)


def test_rows_that_failed_are_not_all_held(settings, tmp_path):
    n_parts, n_rows, reason = 20, 200, "is not JSON " * 40
    folder = LocalStore(tmp_path)
    for i in range(n_parts):
        errors = tuple({"source": "c", "row": j, "kind": "json", "error": f"{i}:{j}: {reason}"} for j in range(n_rows))
        name = part_name(i, PartFormat.PARQUET)
        receipt = Receipt(i, name, "", 0, n_rows, 0, 0, 0, 0, 0, "", settings.hash(), errors)
        folder.write(f"receipts/{i:06d}.json", [receipt.to_bytes()])
    tracemalloc.start()
    summary = batch_run.assemble(folder, Job(("c",), str(tmp_path), settings), n_parts=n_parts)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (summary.n_errors, summary.first_error) == (n_parts * n_rows, f"0:0: {reason}")
    assert len(errors_of(tmp_path)) == n_parts * n_rows
    assert most < (tmp_path / "errors.jsonl").stat().st_size / 2


def test_an_open_quote_tells_which_lines_are_lost(tmp_path):
    (tmp_path / "q.csv").write_text('id,text\na,fine\nb,"never closed\nc,swallowed\n')
    (failure,) = [r.failure for r in read_records([str(tmp_path / "q.csv")], Columns()) if r.failure]
    assert "lines 3 to 4: not read" in failure.message


def test_a_row_that_is_no_utf8_is_named_by_its_line(tmp_path):
    (tmp_path / "q.csv").write_bytes(b'id,text\na,"two\nlines"\nb,caf\xe9\nc,fine\n')
    read = list(read_records([str(tmp_path / "q.csv")], Columns()))
    assert [(r.id, r.row, r.text) for r in read] == [("a", 1, "two\nlines"), ("b", 2, None), ("c", 3, "fine")]
    assert read[1].failure.message == f"{tmp_path}/q.csv: line 4: is not valid UTF-8: save the file as UTF-8"


def test_an_empty_id_is_none(tmp_path):
    (tmp_path / "a.csv").write_text("id,text\na,one\n,two\n,three\n")
    (tmp_path / "b.jsonl").write_text('{"id": "", "text": "four"}\n{"id": 0, "text": "five"}\n')
    table, lines = (str(tmp_path / name) for name in ("a.csv", "b.jsonl"))
    expected = ["a", f"{table}:2", f"{table}:3", f"{lines}:1", "0"]
    assert [r.id for r in read_records([table, lines], Columns())] == expected
    asked = [r.failure and r.failure.message for r in read_records([table], Columns(id="id"))]
    assert asked[0] is None
    assert asked[1] == f"{table}: line 3: no id in 'id': give it one, or leave --id-column out"


def test_ten_thousand_tiny_documents(score: Score, tmp_path):
    rows = "".join(json.dumps({"id": str(i), "text": "they" if i % 7 else ""}) + "\n" for i in range(10_000))
    (tmp_path / "c.jsonl").write_text(rows)
    summary = score(tmp_path / "c.jsonl", part_size=1000)
    assert (summary.n_documents, summary.n_parts) == (10_000, 10)
    assert [row["id"] for row in rows_of(tmp_path / "out")] == [str(i) for i in range(10_000)]


def test_a_document_of_fifty_megabytes_is_read_to_its_end(score: Score, tmp_path):
    # Long words are one piece each, so that the length is a matter of characters and not of an hour of encoding.
    line = "they want to destroy everything we love " + "\U0001d54f" * 9_959 + "\n"
    text = line * 1_260
    rows = ({"id": "long", "text": text}, {"text": "they"})
    (tmp_path / "c.jsonl").write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows), encoding="utf-8")
    score(tmp_path / "c.jsonl")
    long, short = rows_of(tmp_path / "out")
    assert (long["n_characters"], long["n_characters_read"], short["n_characters_read"]) == (len(text), len(text), 4)
    assert len(text.encode()) > 50_000_000
    assert len(text) > 30 * BLOCK_CHARACTERS
    assert max(s["end"] for s in long["spans"]) > len(text) - 2 * len(line)


def test_a_document_that_cannot_be_scored_is_an_error_row(score: Score, tiny_detector, tmp_path):
    class Fragile:
        def __init__(self) -> None:
            self.info, self.setting, self.broken = tiny_detector.info, tiny_detector.setting, True

        def score(self, documents: Any) -> Iterator[Any]:
            some = list(documents)
            if self.broken and any(d.id == "d2" for d in some):
                raise ValueError("this text upsets me")
            yield from tiny_detector.score(some)

    corpus, fragile = write_jsonl(tmp_path / "c.jsonl", 8), Fragile()
    summary = score(corpus, detector=fragile)
    assert (summary.n_documents, summary.n_errors) == (7, 1)
    (error,) = errors_of(tmp_path / "out")
    assert (error["id"], error["kind"]) == ("d2", "scoring")
    assert "this text upsets me" in error["error"]
    fragile.broken = False
    assert score(corpus, detector=fragile) == summary, "only --retry-errors tries again"
    score(corpus, detector=fragile, retry_errors=True)
    score(corpus, out="whole")
    assert content(tmp_path / "out") == content(tmp_path / "whole")


# -- resuming ---------------------------------------------------------------------------------------------------------


class CountingDetector:
    """A detector that counts the documents it is given."""

    def __init__(self, detector: Any) -> None:
        self.detector, self.info, self.setting, self.n_scored = detector, detector.info, detector.setting, 0

    def score(self, documents: Any) -> Iterator[Any]:
        for result in self.detector.score(documents):
            self.n_scored += 1
            yield result


@pytest.fixture
def counting(tiny_detector) -> CountingDetector:
    return CountingDetector(tiny_detector)


def test_a_second_run_scores_nothing_and_changes_nothing(score: Score, tmp_path, counting):
    corpus = write_jsonl(tmp_path / "c.jsonl", 10)
    first = score(corpus)
    before = content(tmp_path / "out")
    assert score(corpus, detector=counting) == first
    assert counting.n_scored == 0
    assert content(tmp_path / "out") == before


def damage_truncate(folder: Path) -> None:
    path = folder / "part-000001.parquet"
    path.write_bytes(path.read_bytes()[:-1])


def damage_flip(folder: Path) -> None:
    path = folder / "part-000001.parquet"
    data = bytearray(path.read_bytes())
    data[len(data) // 3] ^= 1
    path.write_bytes(data)


def damage_part_gone(folder: Path) -> None:
    (folder / "part-000001.parquet").unlink()


def damage_receipt_gone(folder: Path) -> None:
    (folder / "receipts" / "part-000001.json").unlink()


def damage_receipt_torn(folder: Path) -> None:
    path = folder / "receipts" / "part-000001.json"
    path.write_bytes(path.read_bytes()[:50])


def damage_receipt(**values: Any) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        path = folder / "receipts" / "part-000001.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | values))

    return damage


def damage_receipt_deep(folder: Path) -> None:
    (folder / "receipts" / "part-000001.json").write_text("[" * 100_000)


@pytest.mark.parametrize(
    "damage",
    [
        damage_truncate,
        damage_flip,
        damage_part_gone,
        damage_receipt_gone,
        damage_receipt_torn,
        damage_receipt_deep,
        damage_receipt(n_documents="4"),
        damage_receipt(n_spans=-1),
        damage_receipt(file="../../elsewhere"),
        damage_receipt(errors=[1]),
        damage_receipt(errors=[{"source": "c.jsonl", "row": [1], "kind": "text", "error": "x"}]),
    ],
)
def test_a_damaged_part_is_made_again(score: Score, tmp_path, counting, damage):
    corpus = write_jsonl(tmp_path / "c.jsonl", 10)
    score(corpus)
    before = content(tmp_path / "out")
    damage(tmp_path / "out")
    score(corpus, detector=counting)
    assert counting.n_scored == 4
    assert content(tmp_path / "out") == before


def test_stopping_finishes_the_part_in_hand_and_the_same_command_goes_on(score: Score, tmp_path, counting):
    corpus = write_jsonl(tmp_path / "c.jsonl", 10)
    stopped = score(corpus, detector=counting, stop=lambda: counting.n_scored > 0)
    assert (stopped.finished, stopped.n_parts, stopped.n_documents) == (False, 1, 4)
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert (manifest["finished"], manifest["n_documents"]) == (False, 4)
    assert score(corpus, detector=counting).finished
    assert counting.n_scored == 10
    score(corpus, out="whole")
    assert content(tmp_path / "out") == content(tmp_path / "whole")


def test_a_full_disk_is_one_line_and_the_same_command_goes_on(score: Score, tmp_path, monkeypatch):
    corpus = write_jsonl(tmp_path / "c.jsonl", 20)
    honest, room = store.write_synced, [7]

    def no_room(path: Path, pieces: Any) -> None:
        room[0] -= 1
        if room[0] < 0:
            path.write_bytes(b"".join(pieces)[:40])
            raise OSError(28, "No space left on device")
        honest(path, pieces)

    monkeypatch.setattr(store, "write_synced", no_room)
    with pytest.raises(InputError, match=r"No space left on device.: make room and run the same command again"):
        score(corpus)
    monkeypatch.setattr(store, "write_synced", honest)
    assert not list((tmp_path / "out").rglob("*.tmp"))
    assert score(corpus).finished
    score(corpus, out="whole")
    assert content(tmp_path / "out") == content(tmp_path / "whole")


def test_other_settings_or_another_model_are_refused(score: Score, tmp_path):
    corpus = write_jsonl(tmp_path / "c.jsonl", 5)
    score(corpus)
    before = content(tmp_path / "out")
    for changes, named in (
        ({"strictness": "strict"}, "strictness 'balanced', now 'strict'"),
        ({"model_hash": "sha256:other"}, "model_hash"),
        ({"selection": Selection(quotes="skip")}, "quotes 'mark', now 'skip'"),
        ({"selection": Selection(thresholds={"doubt": 0.5})}, "thresholds {}, now {'doubt': 0.5}"),
        ({"language_guard": "off"}, "language_guard 'warn', now 'off'"),
        ({"part_size": 5}, "part_size 4, now 5"),
        ({"columns": Columns(keep=("outlet",))}, r"keep \[\], now \['outlet'\]"),
    ):
        with pytest.raises(InputError, match=f"was begun with other settings .*{named}.*another --out"):
            score(corpus, **changes)
    assert content(tmp_path / "out") == before
    for manifest in ("{}", "[" * 100_000, '{"settings": [1], "schema_version": 1}'):
        (tmp_path / "out" / "manifest.json").write_text(manifest)
        with pytest.raises(InputError, match="is not what this program writes"):
            score(corpus)


def test_a_changed_corpus_is_refused_or_scored_anew(score: Score, tmp_path, counting):
    corpus = write_jsonl(tmp_path / "c.jsonl", 10)
    score(corpus)
    lines = corpus.read_text().splitlines(keepends=True)
    corpus.write_text("".join([*lines[:5], json.dumps({"id": "new", "text": "they love"}) + "\n", *lines[6:7]]))
    with pytest.raises(InputError, match=r"part 1 was made from other documents .*--retry-errors"):
        score(corpus)
    assert score(corpus, detector=counting, retry_errors=True).n_documents == 7
    assert counting.n_scored == 3
    score(corpus, out="whole")
    assert content(tmp_path / "out") == content(tmp_path / "whole")


@pytest.mark.parametrize("shard", [(1, 1), (2, 2)])
def test_a_shorter_corpus_removes_nothing_unless_told(score: Score, tmp_path, counting, shard: tuple[int, int]):
    corpus = write_jsonl(tmp_path / "c.jsonl", 16)
    score(corpus)
    before = content(tmp_path / "out")
    write_jsonl(corpus, 8)
    with pytest.raises(InputError, match=r"out: the parts from 2 on lie past the end of this .*--retry-errors removes"):
        score(corpus, detector=counting, shard=shard)
    after = content(tmp_path / "out")
    assert not json.loads(after.pop("manifest.json"))["finished"]
    assert after == {name: data for name, data in before.items() if name != "manifest.json"}
    assert score(corpus, detector=counting, shard=shard, retry_errors=True).finished
    assert counting.n_scored == 0
    score(corpus, out="whole")
    assert content(tmp_path / "out") == content(tmp_path / "whole")


def test_a_kill_while_parts_are_removed_leaves_none_for_good(score: Score, tmp_path, monkeypatch):
    corpus = write_jsonl(tmp_path / "c.jsonl", 16)
    score(corpus)
    write_jsonl(corpus, 8)
    remove = LocalStore.remove

    def killed(store: LocalStore, name: str) -> None:
        remove(store, name)
        raise KeyboardInterrupt

    monkeypatch.setattr(LocalStore, "remove", killed)
    with pytest.raises(KeyboardInterrupt):
        score(corpus, retry_errors=True)
    monkeypatch.undo()
    assert score(corpus, retry_errors=True).finished
    score(corpus, out="whole")
    assert content(tmp_path / "out") == content(tmp_path / "whole")


def test_mended_errors_wait_for_retry_errors(score: Score, tmp_path, counting):
    corpus = write_jsonl(tmp_path / "c.jsonl", 10)
    good = corpus.read_text()
    corpus.write_text(good.replace('"id": "d5", "text": "', '"id": "d5", "text": 5, "was": "'))
    first = score(corpus)
    assert first.n_errors == 1
    corpus.write_text(good)
    assert score(corpus, detector=counting) == first
    assert counting.n_scored == 0
    assert score(corpus, detector=counting, retry_errors=True).n_errors == 0
    assert counting.n_scored == 4
    assert (tmp_path / "out" / "errors.jsonl").read_bytes() == b""
    score(corpus, out="whole")
    assert content(tmp_path / "out") == content(tmp_path / "whole")


def test_two_runs_into_one_folder_are_not_had(score: Score, tmp_path):
    corpus = write_jsonl(tmp_path / "c.jsonl", 5)
    folder = LocalStore(tmp_path / "out")
    with folder.lock(shard=(1, 1)), pytest.raises(InputError, match="another run is writing into this folder"):
        score(corpus)
    with folder.lock(shard=(1, 2)):
        with pytest.raises(InputError, match="another run"):
            score(corpus)
        with pytest.raises(InputError, match="another run"):
            score(corpus, shard=(1, 2))
        score(corpus, shard=(2, 2))
    assert score(corpus).finished


def test_an_out_that_cannot_be_a_folder_is_refused(score: Score, tmp_path):
    corpus = write_jsonl(tmp_path / "c.jsonl", 5)
    with pytest.raises(InputError, match=r"c.jsonl: cannot be written .*check --out"):
        score(corpus, out="c.jsonl")


def test_a_worker_that_dies_is_told_and_nothing_is_lost(score: Score, tmp_path, monkeypatch, settings):
    corpus = write_jsonl(tmp_path / "c.jsonl", 200)
    send = ProcessPool._send

    def kill_third(self: ProcessPool, connection: Any, part: Any) -> None:
        send(self, connection, part)
        if part.number == 2:
            self.processes[connection].kill()

    monkeypatch.setattr(ProcessPool, "_send", kill_third)
    with pytest.raises(DetectorError, match=r"a worker was ended while it scored part 2 .memory may have run out"):
        score(corpus, detector=None, workers=2)
    monkeypatch.undo()
    assert score(corpus).finished
    score(corpus, out="whole")
    assert content(tmp_path / "out") == content(tmp_path / "whole")


def test_a_worker_that_dies_without_a_part_is_told(score: Score, tmp_path, monkeypatch):
    corpus = write_jsonl(tmp_path / "c.jsonl", 200)
    hear = ProcessPool._hear

    def kill_idle(self: ProcessPool, connection: Any) -> list[Any]:
        receipts = hear(self, connection)
        if receipts:
            self.waiting.clear()
            self.processes[connection].kill()
            self.processes[connection].join()
        return receipts

    monkeypatch.setattr(ProcessPool, "_hear", kill_idle)
    with pytest.raises(DetectorError, match=r"a worker was ended while it (scored part \d+|had no part) .memory may"):
        score(corpus, detector=None, workers=2)


def test_a_worker_that_cannot_start_tells_why(score: Score, tmp_path):
    corpus = write_jsonl(tmp_path / "c.jsonl", 5)
    with pytest.raises(DetectorError, match="strictness 'nix' is not one of"):
        score(corpus, detector=None, workers=2, strictness="nix")


# -- the command ------------------------------------------------------------------------------------------------------


@pytest.fixture
def run(tiny_model_folder, tmp_path, monkeypatch, capfd):
    """Runs ``detector score`` in this process: exit code, standard output, standard error."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DETECTOR_MODEL", str(tiny_model_folder))

    def call(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as stop:
            main(["score", *arguments, "--workers", "1"])
        captured = capfd.readouterr()
        return stop.value.code or 0, captured.out, captured.err

    return call


def test_the_command_tells_what_it_did(run, tmp_path):
    write_jsonl(tmp_path / "c.jsonl", 10)
    assert run("c.jsonl", "--out", "out") == (0, "", "out: 10 documents in 1 part\n")
    assert run("c.jsonl", "--out", "q", "--quiet", "--keep", "outlet,n") == (0, "", "")
    assert rows_of(tmp_path / "q")[1]["outlet"] == "B"
    with (tmp_path / "c.jsonl").open("a") as file:
        file.write("{oops\n")
    code, _, err = run("c.jsonl", "--out", "bad")
    assert (code, err.splitlines()[0]) == (0, "bad: 10 documents in 1 part, 1 error")
    assert "bad/errors.jsonl lists what could not be read" in err


@pytest.mark.parametrize(
    ("guard", "done"), [("warn", "do not trust their findings"), ("skip", "left out"), ("off", None)]
)
def test_the_command_warns_once_of_other_languages(run, tmp_path, guard: str, done: str | None):
    write_texts(tmp_path / "c.jsonl", GERMAN, GERMAN, "They")
    code, _, err = run("c.jsonl", "--out", "out", "--language-guard", guard, "--quotes", "skip")
    told = f"warning: out: 2 documents in other languages (column language), the model has only read en: {done}\n"
    assert (code, err) == (0, "out: 3 documents in 1 part\n" + (told if done else ""))
    assert json.loads((tmp_path / "out" / "manifest.json").read_text())["settings"]["quotes"] == "skip"


@pytest.mark.parametrize("closed", ["stdin", "stderr"])
def test_a_stream_that_is_closed_and_not_needed_stops_nothing(run, tmp_path, monkeypatch, closed: str):
    monkeypatch.setattr(f"sys.{closed}", None)
    code, _, err = run(str(write_jsonl(tmp_path / "c.jsonl", 3)), "--out", "o")
    assert (code, err) == (0, "" if closed == "stderr" else "o: 3 documents in 1 part\n")


def test_settings_come_from_flags_variables_and_a_file(run, tmp_path, monkeypatch):
    off = "<!-- detector: off -->"
    write_texts(tmp_path / "c.jsonl", *(article(i) for i in range(12)), f"{article(3)}\n{off}\n{article(3)}")
    assert run("c.jsonl", "--out", "all", "--strictness", "sensitive")[0] == 0
    everything = [s for row in rows_of(tmp_path / "all") for s in row["spans"]]
    names = sorted({s["technique"] for s in everything})
    ignored, rare = names[0], names[1]
    stated = f'strictness = "sensitive"\nignore = ["{ignored}"]\nignore_patterns = ["love"]\nformat = "line"\n'
    (tmp_path / "detector.toml").write_text(stated)
    monkeypatch.setenv("DETECTOR_THRESHOLDS", f"{rare}=0.4")
    assert run("c.jsonl", "--out", "some", "--min-confidence", "0.25")[0] == 0

    def kept(span: dict[str, Any]) -> bool:
        sure = span["confidence"] >= (0.4 if span["technique"] == rare else 0.25)
        return sure and span["technique"] != ignored and "love" not in span["quote"]

    some = [s for row in rows_of(tmp_path / "some") for s in row["spans"]]
    assert some == [s for s in everything if kept(s)]
    assert 0 < len(some) < len(everything)
    assert all(s["end"] <= len(article(3)) for s in rows_of(tmp_path / "some")[-1]["spans"])
    settings = json.loads((tmp_path / "some" / "manifest.json").read_text())["settings"]
    assert settings["thresholds"] == {rare: 0.4}
    assert (settings["ignore_patterns"], settings["min_confidence"]) == (["love"], 0.25)
    monkeypatch.delenv("DETECTOR_THRESHOLDS")
    code, _, err = run("c.jsonl", "--out", "some", "--min-confidence", "0.25")
    assert (code, err.count("\n")) == (2, 1)
    assert f"thresholds {{'{rare}': 0.4}}, now {{}}" in err


def test_the_manifest_names_the_backend_that_was_chosen(run, tmp_path):
    write_jsonl(tmp_path / "c.jsonl", 3)
    for arguments, name in (((), "onnx"), (("--backend", "torch"), "torch")):
        assert run("c.jsonl", "--out", name, *arguments)[0] == 0
        assert json.loads((tmp_path / name / "manifest.json").read_text())["settings"]["backend"] == name
    code, _, err = run("c.jsonl", "--out", "onnx", "--backend", "torch")
    assert (code, err.count("\n")) == (2, 1)
    assert "backend onnx, now torch" in err or "backend 'onnx', now 'torch'" in err


def test_scoring_does_not_import_torch(tiny_model_folder, tmp_path):
    write_jsonl(tmp_path / "c.jsonl", 3)
    code = (
        "import sys\nfrom detector.cli import main\n"
        "try:\n    main(sys.argv[1:])\nfinally:\n    sys.exit('torch' if 'torch' in sys.modules else 0)"
    )
    arguments = ["score", "c.jsonl", "--out", "out", "--workers", "1", "--model", str(tiny_model_folder), "--quiet"]
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(rows_of(tmp_path / "out")) == 3


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("c.jsonl", "--out", "o", "--threshold", "doubt=x"), "error: --threshold {'doubt': 'x'}: must be a number"),
        (("c.jsonl", "--out", "o", "--ignore-pattern", "("), "error: --ignore-pattern '(': is no regular expression"),
        (("nix.jsonl", "--out", "o"), "error: nix.jsonl: there is no such file or folder"),
        (("c.jsonl", "--out", "o", "--shard", "3/2"), "error: --shard 3/2: give I/N with I from 1 to N"),
        (("c.jsonl", "--out", ""), "error: --out '': names no folder"),
        (("c.jsonl", "--out", "o", "--shard", "x"), "error: --shard x: give I/N"),
        (("c.jsonl", "--out", "o", "--device", "gpu"), "error: device 'gpu' is not one of cpu, cuda"),
        (("c.jsonl", "--out", "o", "--only", "nix"), "error: no technique is called 'nix'"),
        (("c.jsonl", "--out", "o", "--keep", "row"), "error: --keep row: the part files have a column of that name"),
        (("c.jsonl", "--out", "o", "--text-column", "b"), "error: c.jsonl:1: no 'b' in it: choose with --text-column"),
        (("bad.jsonl", "--out", "o"), "error: no document could be scored: bad.jsonl:1: is not JSON"),
    ],
)
def test_errors_are_one_line(run, tmp_path, arguments: tuple[str, ...], complaint: str):
    write_jsonl(tmp_path / "c.jsonl", 3)
    (tmp_path / "bad.jsonl").write_text("{bad\n")
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert err.startswith(complaint)
    assert err.count("\n") == 1


def test_progress_names_documents_rate_errors_and_time_left():
    from time import monotonic

    from detector.batch.run import Progress

    progress = Progress(n_kept=5, n_documents=10, n_pieces=2000, n_errors=1, fraction=0.5, fraction_before=0.1)
    progress.scoring_since = monotonic() - 100
    line = score_command.progress_line(progress)
    assert line == "10 documents (and 5 before), 20 pieces/s, 1 error, 2:05 left"
    assert score_command.progress_line(Progress()) == "0 documents, starting, 0 errors"


def test_progress_is_a_plain_line_where_there_is_no_terminal(capfd):
    from detector.batch.run import Progress

    for quiet, expected in ((False, "0 documents, starting, 0 errors\n"), (True, "")):
        reporter = score_command.Reporter(quiet=quiet, terminal=False)
        reporter.update(Progress())
        assert capfd.readouterr().err == "", "not before a minute is over"
        reporter.last -= 61
        reporter.update(Progress())
        assert capfd.readouterr().err == expected
    reporter = score_command.Reporter(quiet=False, terminal=True)
    reporter.last -= 1
    reporter.update(Progress())
    assert capfd.readouterr().err == "\r\x1b[K0 documents, starting, 0 errors"


def test_ray_is_named_where_it_is_missing(score: Score, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ConfigError, match=r"Ray is not installed: pip install 'rhetoric-detector\[ray\]'"):
        score(write_jsonl(tmp_path / "c.jsonl", 3), engine=Engine.RAY)


def test_the_command_line_stays_light():
    code = "import sys, detector.cli; print([m for m in ('torch', 'pyarrow', 'duckdb', 'ray') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env={**os.environ})
    assert done.stdout.strip() == "[]"


def test_every_technique_has_a_count_and_a_rate():
    schema = arrow_schema([])
    assert [f.name for f in schema.field("counts").type] == list(NAMES) == [f.name for f in schema.field("rates").type]


# -- one bad input stops no other --------------------------------------------------------------------------------------


def test_what_a_run_wrote_is_no_part_of_a_corpus(score: Score, tmp_path, monkeypatch):
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    write_jsonl(corpus / "a.jsonl", 3)
    os.mkfifo(corpus / "pipe.txt")
    for _ in range(2):
        assert score(corpus, out="corpus/results") == Summary(finished=True, n_parts=1, n_documents=3, n_errors=0)
    (corpus / "b.jsonl").write_text("{broken\n")
    monkeypatch.chdir(tmp_path)
    for pattern in (f"{corpus}/**/*.jsonl", "corpus/**/*.jsonl", "**/*.jsonl"):
        for _ in range(2):
            found = score(pattern, out="corpus/by-pattern")
            assert (found.n_documents, found.n_errors) == (3, 1), pattern
        shutil.rmtree(corpus / "by-pattern")
    assert len(list(read_records([f"{corpus}/results/*.jsonl"], Columns()))) == 0  # named itself, it is read
    for name in ("corpus", "corpus/", f"{corpus}/*.jsonl", "corpus/**/*"):
        with pytest.raises(InputError, match=r"is where the corpus .* lies: name another folder"):
            score(name, out="corpus")
    assert not list(corpus.glob("*.json"))
    (corpus / "c.csv").write_text("text\nThey lie.\n")
    assert score("corpus/*.csv", out="corpus").n_documents == 1  # nothing that is written there is so called
    (tmp_path / "news" / "2024").mkdir(parents=True)
    write_jsonl(tmp_path / "news" / "2024" / "a.jsonl", 3)
    assert score("news/*/*.jsonl", out="news").n_documents == 3  # results lie where this finds nothing
    (tmp_path / "news [old]").mkdir()
    write_jsonl(tmp_path / "news [old]" / "a.jsonl", 3)
    with pytest.raises(InputError, match=r"is where the corpus news \[old\] lies: name another folder"):
        score("news [old]", out="news [old]")
    write_jsonl(tmp_path / "a.jsonl", 3)
    with pytest.raises(InputError, match=r"is where the corpus \*\.jsonl lies"):
        score("*.jsonl", out=".")
    (tmp_path / "here").mkdir()
    monkeypatch.chdir("here")
    anywhere = str(tmp_path).replace(tmp_path.parts[1], "*", 1)  # which begins at no folder that has a name
    assert score(f"{anywhere}/news ?old?/*.jsonl", out="here").n_documents == 3
    for name in ("memory://data", "memory://data/", "memory://data/**/*.jsonl"):
        with pytest.raises(InputError, match=r"--out memory://data/results: lies in the corpus memory://data"):
            score(name, out="memory://data/results")


def test_a_value_that_python_cannot_hold_is_an_error_row(score: Score, tmp_path):
    times = pa.array([10**15, 1], pa.timestamp("ms"))
    pq.write_table(pa.table({"text": ["They lie.", "They lie."], "far": times}), tmp_path / "far.parquet")
    after = write_jsonl(tmp_path / "z.jsonl", 2)
    summary = score(tmp_path / "far.parquet", after, columns=Columns(keep=("far",)))
    assert (summary.n_documents, summary.n_errors) == (3, 1)


def test_a_time_zone_that_is_not_known_is_an_error_row(tmp_path):
    times = pa.array([0, None], pa.timestamp("us", tz="Mars/Olympus_Mons"))
    pq.write_table(pa.table({"text": ["They lie.", "They lie."], "date": times}), tmp_path / "t.parquet")
    far, none = read_records([str(tmp_path / "t.parquet")], Columns(keep=("date",)))
    assert far.failure is not None
    assert "a value cannot be read ('Mars/Olympus_Mons')" in far.failure.message
    assert (none.text, none.kept) == ("They lie.", (None,))


def test_kept_values_of_any_type_are_plain_text(tmp_path):
    values = {
        "price": pa.array([Decimal("1.50")], pa.decimal128(5, 2)),
        "day": pa.array([datetime.date(2026, 2, 3)]),
        "tags": pa.array([["é", "b"]]),
        "n": pa.array([7]),
        "sure": pa.array([True]),
        "none": pa.array([None], pa.int64()),
    }
    pq.write_table(pa.table({"text": ["They lie."], **values}), tmp_path / "t.parquet")
    (record,) = read_records([str(tmp_path / "t.parquet")], Columns(keep=tuple(values)))
    assert record.kept == ("1.50", "2026-02-03", '["é", "b"]', "7", "true", None)


def test_a_column_that_occurs_twice_is_told(score: Score, tmp_path):
    (tmp_path / "twice.csv").write_text("text,id,text\na,1,b\n")
    with pytest.raises(InputError, match="2 columns are called 'text': rename all but one"):
        score(tmp_path / "twice.csv")
    columns = [pa.array(["1"]), pa.array(["2"]), pa.array(["They lie."])]
    pq.write_table(pa.Table.from_arrays(columns, ["id", "id", "text"]), tmp_path / "twice.parquet")
    with pytest.raises(InputError, match="2 columns are called 'id': rename all but one"):
        score(tmp_path / "twice.parquet")


def test_a_slip_in_the_first_command_binds_to_nothing(score: Score, tmp_path):
    (tmp_path / "c.csv").write_text("\nbody,id\nThey lie.,1\n")
    with pytest.raises(InputError, match="no column 'text'"):
        score(tmp_path / "c.csv")
    assert score(tmp_path / "c.csv", columns=Columns(text="body")).n_documents == 1


def test_files_of_others_are_left_alone(score: Score, tmp_path):
    (tmp_path / "out" / "sub").mkdir(parents=True)
    (tmp_path / "out" / "sub" / ".mine.tmp").touch()
    score(write_jsonl(tmp_path / "c.jsonl", 2))
    assert (tmp_path / "out" / "sub" / ".mine.tmp").is_file()


@pytest.mark.parametrize("keep", [["Source"], ["ID"], ["Outlet", "outlet"]])
def test_names_that_are_one_to_sql_are_refused(keep: list[str]):
    with pytest.raises(ConfigError, match="of that name: rename it in the corpus"):
        check_kept(keep)


def test_a_manifest_of_another_program_is_left_alone(score: Score, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "manifest.json").write_text('{"name": "an app"}')
    with pytest.raises(InputError, match="is not what this program writes"):
        score(write_jsonl(tmp_path / "c.jsonl", 2))
    assert (tmp_path / "out" / "manifest.json").read_text() == '{"name": "an app"}'

"""What `eval/fuzz.py` reads: for each target, files as they should be, and the function that takes a damaged one."""

from __future__ import annotations

import gzip
import io
import json
import sys
import tomllib
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import chdir
from dataclasses import dataclass, field, replace
from datetime import date
from email.message import EmailMessage
from functools import cache, partial
from importlib import import_module
from importlib.util import find_spec
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pysubs2
from tokenizers import Tokenizer

import detector
from detector.batch.choices import PartFormat
from detector.batch.records import Columns, Record, read_records
from detector.batch.run import MANIFEST, Job, score_corpus
from detector.batch.schema import encode, make_row
from detector.batch.summary import MONTH, Question, Results, summarize
from detector.batch.work import Settings
from detector.cli import convert
from detector.cli.formats import ConvertFormat
from detector.cli.report import page
from detector.cli.settings import in_force, selection_of
from detector.config import load_recipe
from detector.corpora import read_jsonl, read_ptc, read_semeval2021
from detector.decode import Scores, decode, find_words, identify
from detector.detect import Detector
from detector.errors import DetectorError, InputError
from detector.likeness import Likeness, save_likeness
from detector.names import Names
from detector.readers.limits import Limits
from detector.readers.sources import Sources
from detector.report.corpus import corpus_files
from detector.report.results import Result, read_result_file, read_scored, result_files
from detector.selection import Selection
from detector.spans import Document, Span
from detector.windows import CHANNELS, cut_windows, tokenize
from detector.writers.catalogue import FORMATS, READABLE
from detector.writers.provenance import Provenance

ROOT = Path(__file__).parents[1]
sys.path.append(str(ROOT / "tests"))

from conftest import bare_setting, tiny_info, tiny_model, tiny_settings, tiny_tokenizer  # noqa: E402

from detector.model import save_model  # noqa: E402

Read = Callable[[Path, Path], object]


@dataclass(frozen=True)
class Target:
    """``files`` are damaged one at a time; the others of ``around`` lie beside it. ``read`` takes folder and file."""

    files: Mapping[str, bytes]
    read: Read
    around: Mapping[str, bytes] = field(default_factory=dict)


for module in ("lxml.etree", "onnxruntime", "pdfplumber", "pyarrow.parquet", "duckdb", "pypdf", "trafilatura"):
    import_module(module)  # once, and not in each process that tries files

TEXT = (ROOT / "tests" / "samples" / "article.md").read_text(encoding="utf-8")
MARKED = 'Zürich 😀 “They lie,” said Bob.\r\nThe vile élites betray us: #now, 100%!\n\n> He said: "No."\n'
NAMES = """words = ["Rice"]
[man]
forms = ["full name", "surname"]
reads_as = "Ann Rice"
names = [["Ann Rice", "Rice"], [["Bob", "Robert"], "Bobby"]]
[nation]
forms = ["country", "adjective"]
attributive = "adjective"
names = [["the US", "American"], ["Peru", "Peruvian"]]
"""
PROVENANCE = Provenance("1", "tiny", "sha256:00", precision=0.25)
DOCUMENTS = (
    Document(
        "a", MARKED, meta={"title": "x", "anchors": [[0, "page 1"], [40, "page 2"]], "block_quotes": [[73, 88]]}
    ).with_spans([Span(10, 19, "doubt", 0.5), Span(36, 40, "slogans", 0.9), Span(36, 47, "loaded-language", 0.25)]),
    Document("b", TEXT, meta={"outlet": "y", "date": "2024-01-02"}).with_spans([Span(0, 9, "doubt", 0.31)]),
    Document("c", ""),
)
CUES = "1\n00:00:01,000 --> 00:00:02,500\nThey <i>lie</i>\nto us.\n\n2\n00:00:03,000 --> 00:00:04,000\nNo!\n"
VTT = "WEBVTT\n\nNOTE x\n\n00:01.000 --> 00:02.000 align:start\n<v Bob>They lie.</v>\n"
SETTINGS = """strictness = "strict"
min_confidence = 0.25
only = ["doubt", "slogans"]
ignore = []
ignore_patterns = ["x+"]
quotes = "skip"
fail_on = ["doubt", 10]
glob = "*.md"
max_size = 20
[thresholds]
doubt = 0.7
"""


# -- files as they should be -------------------------------------------------------------------------------------------


def _reader(suffix: str) -> Target:
    samples = ROOT / "tests" / "samples"
    made = {
        "txt": _texts,
        "srt": lambda: {"a.srt": CUES.encode()},
        "vtt": lambda: {"a.vtt": VTT.encode()},
        "ass": lambda: {"a.ass": _subtitles("ass").encode()},
        "ssa": lambda: {"a.ssa": _subtitles("ssa").encode("utf-16")},
        "eml": _mails,
        "zip": lambda: {
            "a.zip": _zipped({p.name: p.read_bytes() for p in sorted(samples.glob("article.*"))} | _mails())
        },
    }
    files = made.get(suffix, lambda: {f"a.{suffix}": (samples / f"article.{suffix}").read_bytes()})()
    return Target(files, read_document)


def _texts() -> dict[str, bytes]:
    files = {path.name: path.read_bytes() for path in sorted((ROOT / "tests" / "hostile").glob("*.txt"))}
    return files | {
        "utf-16.txt": MARKED.encode("utf-16"),
        "cp1252.txt": "Zürich “x”".encode("cp1252"),
        "a.md": TEXT.encode(),
        "hidden.txt": "\u200b\u200b\n\u00ad".encode(),
    }


def _subtitles(kind: str) -> str:
    subtitles = pysubs2.SSAFile()
    subtitles.append(pysubs2.SSAEvent(start=1000, end=2000, text=r"{\b1}They\Nlie."))
    subtitles.append(pysubs2.SSAEvent(start=3000, end=4000, text="No!", type="Comment"))
    return str(subtitles.to_string(kind))


def _mails() -> dict[str, bytes]:
    mail = EmailMessage()
    mail["Subject"], mail["From"], mail["Date"] = "Zürich 😀", "a@example.org", "Mon, 01 Jan 2024 10:00:00 +0000"
    mail.set_content(MARKED.replace("\r", ""))
    mail.add_alternative("<p>They <b>lie</b>.</p>", subtype="html")
    mail.add_attachment(CUES.encode(), maintype="text", subtype="plain", filename="a.srt")
    return {"a.eml": mail.as_bytes()}


def _zipped(files: Mapping[str, bytes]) -> bytes:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name), data)
    return written.getvalue()


def _table() -> bytes:
    table = SETTINGS.replace("[thresholds]", "[tool.detector.thresholds]")
    assert tomllib.loads(f"[tool.detector]\n{table}")
    return f"[tool.detector]\n{table}".encode()


def _corpus_files() -> Target:
    rows = b'{"id": "a", "text": "They lie.", "outlet": 1}\n{"id": 2, "text": "No!"}\n'
    table = b'id,text\na,"They ""lie"".\nNo!"\nb,x\n'
    files = {
        "a.jsonl": rows,
        "a.csv": table,
        "a.tsv": table.replace(b",", b"\t"),
        "a.jsonl.gz": gzip.compress(rows, mtime=0),
    }
    return Target(files | {"a.zip": _zipped(files)} | _written("parquet"), read_corpus_file)


def _save_tiny(folder: Path) -> None:
    info = replace(tiny_info(), names=Names(NAMES))
    save_model(folder, tiny_model(), info=info, settings=tiny_settings(), tokenizer=tiny_tokenizer())
    directions = np.eye(4, 32, dtype=np.float32)
    save_likeness(folder, Likeness(np.zeros(32, dtype=np.float32), directions, np.ones(4), np.ones(4), 3.0, 8))


def _model() -> dict[str, bytes]:
    with TemporaryDirectory() as folder:
        _save_tiny(Path(folder))
        return {path.name: path.read_bytes() for path in sorted(Path(folder).iterdir())}


def _written(name: str) -> dict[str, bytes]:
    """The files of the documents in one format."""
    suffix = (*FORMATS[name].suffixes, ".json")[0]
    documents = DOCUMENTS[:1] if name == "json" else DOCUMENTS
    with TemporaryDirectory() as folder:
        path = Path(folder) / ("out" if FORMATS[name].folder else f"a{suffix}")
        convert.write(documents, [PROVENANCE] * len(documents), FORMATS[name], path)
        files = [path] if path.is_file() else sorted(path.iterdir())
        return {str(file.relative_to(folder)): file.read_bytes() for file in files}


def _convert(name: str) -> Target:
    around = {"texts.jsonl": _written("jsonl")["a.jsonl"]}
    files = _written(name)
    return Target(files, partial(read_converted, name), around | (files if FORMATS[name].folder else {}))


def _results() -> Target:
    """Two folders of `score` that hold the same: one of Parquet, one of JSONL."""
    keep = ("text", "outlet", "date")
    hashes = {"model_hash": "sha256:m", "settings_hash": "sha256:s"}
    rows = [
        make_row(
            Record(f"c:{i}", i, d.id, d.text, (d.text, d.meta.get("outlet"), d.meta.get("date"))),
            d.spans,
            n_read=len(d.text),
            hashes=hashes,
            keep=keep,
        )
        for i, d in enumerate(DOCUMENTS[:2])
    ]
    settings = {"keep": keep, "text_column": "text", "version": "1", "model_name": "tiny", "model_hash": "sha256:m"}
    settings |= {"strictness": "balanced", **Selection(only=("doubt", "slogans")).as_json()}
    manifest = {"settings": settings, "model": {"precision": 0.3}, "finished": True, "n_errors": 0}
    parts = {f"part-000000.{format}": encode(rows, format=PartFormat(format), keep=keep) for format in PartFormat}
    files = {f"{format}/{name}": data for (name, data), format in zip(parts.items(), PartFormat, strict=True)}
    states = {f"{format}/{MANIFEST}": json.dumps(manifest).encode() for format in PartFormat}
    return Target(files | states, read_run, files | states)


def _score() -> Target:
    """What `score` has left of a run that had come to its end: two parts, one with an error, and their receipts."""
    corpus = {"corpus.jsonl": b'{"text": "They lie."}\n{"text": "We love asia."}\n{"text": 3}\n{"text": "No!"}\n'}
    with TemporaryDirectory() as folder:
        for name, data in corpus.items():
            (Path(folder) / name).write_bytes(data)
        score_on(Path(folder), Path())
        files = {
            str(path.relative_to(folder)): path.read_bytes()
            for path in sorted(Path(folder).rglob("*"))
            if path.is_file() and not path.name.startswith(".lock")
        }
    return Target({name: data for name, data in files.items() if name not in corpus}, score_on, files)


def _corpora(name: str) -> Target:
    files = _written({"jsonl": "corpus", "ptc": "ptc-corpus", "semeval2021": "semeval2021"}[name])
    reads: dict[str, Read] = {
        "jsonl": lambda _, file: (read_jsonl(file, skip_bad=True), read_jsonl(file)),
        "ptc": lambda _, file: (read_ptc(file.parent, file.parent, skip_bad=True), read_ptc(file.parent, file.parent)),
        "semeval2021": lambda _, file: (read_semeval2021(file, skip_bad=True), read_semeval2021(file)),
    }
    return Target(files, reads[name], files)


# -- what takes them ---------------------------------------------------------------------------------------------------


def read_document(folder: Path, file: Path) -> None:
    """All documents of a file, written as JSON; the first error is raised once all were read."""
    errors = []
    for item in Sources(limits=Limits(seconds=5)).read(str(file)):
        if isinstance(item, InputError):
            errors.append(item)
        else:
            write_json(item)
    if errors:
        raise errors[0]


def write_json(document: Document) -> None:
    """Writes a document as JSON lines, to nowhere."""
    pieces = FORMATS["jsonl"].pieces
    assert pieces is not None
    assert b"".join(pieces([document], PROVENANCE)).decode("utf-8").count("\n") == 1


def read_and_decode(folder: Path, file: Path) -> None:
    """Windows and spans of a text, from scores that the text itself decides at random."""
    text = file.read_bytes().decode("utf-8", "surrogateescape")
    chance = np.random.default_rng(zlib.crc32(file.read_bytes()))
    pieces = tokenize(_tokenizer(), text)
    windows = cut_windows(text, pieces, size=30, overlap=6)
    assert sum(w.decide_last - w.decide_first for w in windows) == len(pieces)
    logits = chance.normal(-1, chance.choice([0.1, 3, 100]), (len(pieces), len(CHANNELS))).astype(np.float32)
    scores = Scores(pieces, find_words(text, pieces), logits)
    setting = bare_setting("any", float(chance.random()))
    spans = decode(text, scores, setting, gap=25)
    assert all(0 <= s.start < s.end <= len(text) and 0 <= s.confidence <= 1 for s in spans)
    assert all(0 <= start < end <= len(text) for start, end in identify(text, scores, setting))
    write_json(Document("a", text, spans))


@cache
def _tokenizer() -> Tokenizer:
    return tiny_tokenizer()


def read_settings(folder: Path, file: Path) -> None:
    """The settings that a file states, and the selection that they make."""
    selection_of(in_force({}, environment={}, start=folder)).apply(DOCUMENTS[0])


def read_recipe(folder: Path, file: Path) -> None:
    """A training recipe."""
    load_recipe(file)


def read_model(folder: Path, file: Path) -> None:
    """A model folder, by either backend, and what it finds."""
    for backend in ("onnx", "torch"):
        model = detector.load(folder, backend=backend, threads=1)
        model.find(MARKED)
        model.classify(DOCUMENTS[0])


def read_report(folder: Path, file: Path) -> None:
    """Pages of what `annotate` wrote: of one file, of two beside each other, and of the folder."""
    errors: list[InputError] = []
    results = list(_readable(read_result_file(file), errors))
    texts = [page(results, compare=False), page([*results, *results][:2], compare=True)] if results else []
    every = _readable(chain.from_iterable(map(read_result_file, result_files(folder))), errors)
    texts += [text for _, text in corpus_files(every, name="x", created=date(2024, 1, 2))]
    assert all(text.encode("utf-8") for text in texts)
    if errors:
        raise errors[0]


def _readable(results: Iterable[Result | InputError], errors: list[InputError]) -> Iterator[Result]:
    """The results; errors among them are put with the others."""
    for result in results:
        if isinstance(result, InputError):
            errors.append(result)
        else:
            yield result


def read_run(folder: Path, file: Path) -> None:
    """Rates over what `score` wrote, and the pages of it."""
    scored = str(file.parent)
    errors = []
    for use in (_summarized, _paged):
        try:
            use(scored)
        except DetectorError as error:
            errors.append(error)
    if errors:
        raise errors[0]


def score_on(folder: Path, file: Path) -> None:
    """A run goes on in a folder of results, which then is whole; what a receipt says of its part is believed."""
    model = _detector()
    with chdir(folder):  # receipts know their documents by the paths that were given
        settings = Settings("1", model.name, model.model_hash, part_size=2, language_guard="off")
        summary = score_corpus(Job(("corpus.jsonl",), "out", settings), detector=model)
    assert (summary.finished, summary.n_parts) == (True, 2)
    Results(str(folder / "out")).overview()


@cache
def _detector() -> Detector:
    with TemporaryDirectory() as folder:
        _save_tiny(Path(folder))
        return detector.load(folder, backend="torch", threads=1)


def _summarized(folder: str) -> None:
    results = Results(folder)
    results.overview()
    for columns in ((), ("outlet", MONTH)):
        summarize(results, Question(by=columns, n_resamples=9))


def _paged(folder: str) -> None:
    read = list(read_scored(folder))
    errors = [item for item in read if isinstance(item, InputError)]
    results = [item for item in read if not isinstance(item, InputError)]
    assert all(text.encode("utf-8") for _, text in corpus_files(results, name="x", created=date(2024, 1, 2)))
    for error in errors:
        raise error


def read_converted(name: str, folder: Path, file: Path) -> None:
    """A file in one format, converted into another that the file itself decides."""
    wanted = sorted(set(FORMATS) - {"spacy"})[zlib.crc32(file.read_bytes()) % (len(FORMATS) - 1)]
    source = file.parent if FORMATS[name].folder else file
    target, formats = folder / "converted", (ConvertFormat(name), ConvertFormat(wanted))
    convert.command(source, target, *formats, [str(folder / "texts.jsonl")])


def read_corpus_file(folder: Path, file: Path) -> None:
    """The records of a file, as `score` reads them."""
    for record in read_records([str(file)], Columns(keep=())):
        assert record.failure is None or "\n" not in record.failure.message


# -- the targets -------------------------------------------------------------------------------------------------------


def targets() -> Iterator[tuple[str, Callable[[], Target]]]:
    """The targets by name; each is made when it is asked for."""
    for suffix in ("txt", "html", "pdf", "docx", "epub", "srt", "vtt", "ass", "ssa", "eml", "zip"):
        yield suffix, partial(_reader, suffix)
    yield "corpus-files", _corpus_files
    yield "decode", lambda: Target(_texts(), read_and_decode)
    yield "settings", lambda: Target({"detector.toml": SETTINGS.encode(), "pyproject.toml": _table()}, read_settings)
    recipes = {path.name: path.read_bytes() for path in sorted((ROOT / "configs").glob("*.toml"))}
    yield "recipes", lambda: Target({n: d for n, d in recipes.items() if b"fine" not in d}, read_recipe)
    yield "model", lambda: Target(_model(), read_model, _model())
    yield "report", lambda: Target(_written("json") | _written("jsonl"), read_report)
    for name in READABLE:
        if name != "spacy" or find_spec("spacy"):
            yield f"convert-{name}", partial(_convert, name)
    yield "results", _results
    yield "score", _score
    for name in ("jsonl", "ptc", "semeval2021"):
        yield f"corpora-{name}", partial(_corpora, name)


TARGETS = dict(targets())

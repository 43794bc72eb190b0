"""`detector convert`: between every two formats that can hold the same, and back without loss."""

import errno
import io
import itertools
import json
import os
import sys
import threading
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from detector.cli import main
from detector.errors import ConfigError, InputError
from detector.spans import Cue, Document, Span
from detector.techniques import NAMES, inventory
from detector.writers import catalogue
from detector.writers.catalogue import FORMATS, FileFormat, format_of_input, format_of_output, read_format
from detector.writers.json import annotation, dumps, read_annotation
from detector.writers.provenance import Provenance

PROVENANCE = Provenance("1", "tiny", "sha256:00")
HOLD_TEXT = ("json", "jsonl", "parquet", "sarif", "brat", "label-studio", "conll", "spacy", "corpus", "ptc-corpus")
NEED_TEXTS = ("csv", "web-annotation")
TECHNIQUES = tuple(inventory("semeval-2021").slug(name) for name in inventory("semeval-2021").names)
WORD = st.text(st.characters(exclude_categories=("Cs", "Z", "Cc"), exclude_characters="\x85"), min_size=1, max_size=6)
GAP = st.sampled_from([" ", "  ", "\n", "\r\n", "\n\n", "\t", ", ", "😀", "\u2028", ' "', "#"])


@st.composite
def documents(draw: st.DrawFn, id: str) -> Document:
    """A document whose spans begin and end with a word, none overlapping another of its technique: all can hold it."""
    words = draw(st.lists(st.tuples(WORD, GAP), min_size=0, max_size=12))
    text, edges = "", []
    for word, gap in words:
        edges.append((len(text), len(text) + len(word)))
        text += word + gap
    spans: list[Span] = []
    for technique in draw(st.lists(st.sampled_from(NAMES), unique=True, max_size=5)) if edges else ():
        first = draw(st.integers(0, len(edges) - 1))
        last = draw(st.integers(first, len(edges) - 1))
        spans.append(Span(edges[first][0], edges[last][1], technique, draw(st.integers(0, 10_000)) / 10_000))
    meta = draw(st.dictionaries(st.sampled_from(["title", "outlet"]), st.text(max_size=5).filter(_utf8), max_size=2))
    return Document(id, text, meta=meta).with_spans(spans)


def _utf8(text: str) -> bool:
    return text.encode("utf-8", "replace").decode() == text


def write(one: FileFormat, documents: Iterable[Document], path: Path) -> None:
    if one.pieces is not None:
        path.write_bytes(b"".join(one.pieces(documents, PROVENANCE)))
    elif one.to_path is not None:
        one.to_path(path, documents, PROVENANCE)


def through(name: str, documents: tuple[Document, ...], folder: Path, number: int) -> tuple[Document, ...]:
    """The documents written in a format and read back, in their order."""
    path = folder / f"{number}-{name}"
    write(FORMATS[name], documents, path)
    texts = {document.id: replace(document, spans=()) for document in documents}
    back = {document.id: document for document in read_format(FORMATS[name], path, texts)}
    return tuple(back[document.id] for document in documents)


def core(documents: Iterable[Document], held: frozenset[str]) -> list[object]:
    """What a format that holds this much must give back."""
    return [
        (
            document.id,
            document.text,
            sorted(
                (s.start, s.end, s.technique, s.confidence if "confidence" in held else 1.0) for s in document.spans
            ),
            dict(document.meta) if "meta" in held else {},
        )
        for document in documents
    ]


@pytest.mark.parametrize("name", [*HOLD_TEXT, *NEED_TEXTS])
@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(first=documents("a"), second=documents("b"))
def test_every_format_gives_back_what_it_holds(tmp_path_factory, name: str, first: Document, second: Document):
    pytest.importorskip("spacy" if name == "spacy" else "json")
    given_ = (first, second)
    back = through(name, given_, tmp_path_factory.mktemp("format"), 0)
    assert core(back, FORMATS[name].holds) == core(given_, FORMATS[name].holds)
    assert all(b.text[s.start : s.end] == d.quote(s) for b, d in zip(back, given_, strict=True) for s in b.spans)


@pytest.mark.parametrize(("one", "other"), list(itertools.combinations([*HOLD_TEXT, *NEED_TEXTS], 2)))
@settings(max_examples=3, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(first=documents("a"), second=documents("b"))
def test_there_and_back_between_every_two(tmp_path_factory, one: str, other: str, first: Document, second: Document):
    pytest.importorskip("spacy" if "spacy" in (one, other) else "json")
    folder, held = tmp_path_factory.mktemp("formats"), FORMATS[one].holds & FORMATS[other].holds
    given_ = (first, second)
    there = through(other, through(one, given_, folder, 1), folder, 2)
    assert core(through(one, there, folder, 3), held) == core(given_, held)


def test_semeval_holds_its_own_techniques(tmp_path: Path):
    document = Document("1", "They lie 😀 to us", (Span(5, 8, TECHNIQUES[0]),))
    assert through("semeval2021", (document,), tmp_path, 0) == (document,)


# -- the command ------------------------------------------------------------------------------------------------------

DOCUMENT = Document("a", "They are vile 😀 liars.", meta={"title": "x"}).with_spans(
    [Span(9, 21, "loaded-language", 0.75), Span(9, 13, "doubt+slogans", 0.5)], n_read=22
)


def run(capfdbinary, *arguments: object) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as stop:
        main(["convert", *map(str, arguments)])
    captured = capfdbinary.readouterr()
    return int(stop.value.code or 0), captured.out.decode(), captured.err.decode()


@pytest.fixture
def source(tmp_path: Path) -> Path:
    file = tmp_path / "in.json"
    file.write_text(dumps(annotation(DOCUMENT, PROVENANCE), indent=2), encoding="utf-8")
    return file


def test_formats_are_told_by_suffix_and_content(source: Path, tmp_path: Path, capfdbinary):
    pytest.importorskip("spacy")
    chain = ["one.jsonl", "two.parquet", "three.sarif", "four.spacy", "five.json"]
    for before, after in itertools.pairwise([source.name, *chain]):
        code, out, err = run(capfdbinary, tmp_path / before, tmp_path / after)
        assert (code, out) == (0, "")
        assert "1 document with 2 findings" in err
    assert read_annotation(json.loads((tmp_path / "five.json").read_text())) == DOCUMENT


def test_model_and_settings_survive_json(source: Path, tmp_path: Path, capfdbinary):
    run(capfdbinary, source, tmp_path / "out.jsonl")
    assert json.loads((tmp_path / "out.jsonl").read_text())["model"] == {"name": "tiny", "hash": "sha256:00"}


def test_what_is_lost_is_told(source: Path, tmp_path: Path, capfdbinary):
    code, _, err = run(capfdbinary, source, tmp_path / "out.conll")
    assert code == 0
    assert "conll holds no confidences: 2 left out" in err
    assert "what came with 1 document is left out" in err
    code, _, err = run(capfdbinary, source, tmp_path / "corpus", "--to", "ptc-corpus")
    assert "ptc-corpus has no name for doubt+slogans: 1 finding left out" in err


@pytest.mark.parametrize(("name", "suffix"), [("csv", "csv"), ("web-annotation", "jsonld"), ("ptc", "tsv")])
def test_that_texts_are_not_in_it_is_told(tmp_path: Path, capfdbinary, name: str, suffix: str):
    records = [annotation(document, PROVENANCE) for document in (DOCUMENT, Document("b", "None."), Document("c", ""))]
    (tmp_path / "in.jsonl").write_text("".join(f"{dumps(record)}\n" for record in records), encoding="utf-8")
    code, _, err = run(capfdbinary, tmp_path / "in.jsonl", tmp_path / f"out.{suffix}")
    assert code == 0
    assert f"warning: {tmp_path}/out.{suffix}: {name} holds no texts" in err
    assert ("keep them, and give them with --texts to read it back" in err) is (name != "ptc")
    assert f"{name} holds no documents without findings: 2 left out" in err
    assert f"{name} holds nothing but findings: what came with 1 document is left out" in err
    _, _, err = run(capfdbinary, tmp_path / "in.jsonl", tmp_path / "out.sarif")
    assert "warning" not in err


def test_a_table_comes_back_with_its_texts(source: Path, tmp_path: Path, capfdbinary):
    run(capfdbinary, source, tmp_path / "out.csv")
    code, _, err = run(capfdbinary, tmp_path / "out.csv", tmp_path / "back.json")
    assert (code, err.count("\n")) == (2, 1)
    assert "give them with --texts" in err
    assert run(capfdbinary, tmp_path / "out.csv", tmp_path / "back.json", "--texts", source)[0] == 0
    back = read_annotation(json.loads((tmp_path / "back.json").read_text()))
    assert (back.text, back.spans) == (DOCUMENT.text, DOCUMENT.spans)


def findings_in(folder: Path, monkeypatch, *names: str) -> list[Document]:
    """The documents of these files of a folder, which becomes the working folder, each with a finding in out.csv."""
    monkeypatch.chdir(folder)
    found = []
    for name in names:
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_text(f"Vile is {name}.", newline="")
        found.append(Document(name, f"Vile is {name}.").with_spans([Span(0, 4, "doubt", 0.5)]))
    Path("out.csv").write_bytes(b"".join(FORMATS["csv"].pieces(found, PROVENANCE)))
    return found


def core_of(file: str) -> list[tuple[str, str, int]]:
    rows = [json.loads(line) for line in Path(file).read_text().splitlines()]
    return sorted((row["id"], row["text"], row["n_spans"]) for row in rows)


def test_texts_of_a_folder_are_chosen_as_for_annotate(tmp_path: Path, capfdbinary, monkeypatch):
    found = findings_in(tmp_path, monkeypatch, "news/a.md", "news/b.txt")
    code, _, err = run(capfdbinary, "out.csv", "back.jsonl", "--texts", "news")
    assert (code, "the text of 'news/a.md' is needed" in err) == (2, True)
    code, _, err = run(capfdbinary, "out.csv", "back.jsonl", "--texts", "news", "--glob", "*.*")
    assert (code, err.count("\n")) == (0, 1)
    assert core_of("back.jsonl") == [(document.id, document.text, 1) for document in found]
    monkeypatch.setenv("DETECTOR_GLOB", "*.[mt]*")
    assert run(capfdbinary, "out.csv", "again.jsonl", "--texts", "news")[0] == 0
    assert core_of("again.jsonl") == core_of("back.jsonl")


def test_a_text_is_known_by_the_path_that_annotate_was_given(tmp_path: Path, capfdbinary, monkeypatch):
    found = findings_in(tmp_path, monkeypatch, "./a.txt", "news//b.txt")
    texts = (f"--texts={document.id}" for document in found)
    assert run(capfdbinary, "out.csv", "back.jsonl", *texts)[0] == 0
    assert core_of("back.jsonl") == [(document.id, document.text, 1) for document in found]


def test_a_text_that_cannot_be_read_is_told_and_the_others_are_converted(tmp_path: Path, capfdbinary, monkeypatch):
    (document,) = findings_in(tmp_path, monkeypatch, "news/a.txt")
    Path("news/b.txt").write_bytes(bytes(9))
    Path("bad.json").write_text("{")
    bad = ("--texts", "bad.json", "--texts", "missing.txt")
    code, _, err = run(capfdbinary, "out.csv", "back.jsonl", "--texts", "news", *bad)
    assert code == 2
    errors = [line.split(": ")[1] for line in err.splitlines() if line.startswith("error: ")]
    assert sorted(errors) == ["bad.json", "missing.txt", "news/b.txt"]
    assert core_of("back.jsonl") == [(document.id, document.text, 1)]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["missing.json", "out.csv"], "there is no such file or folder"),
        (["in.json", "out.xyz"], "its suffix means no format"),
        (["folder", "out.json"], "its format cannot be told"),
        (["in.json", "no/such/out.csv"], "there is no such folder"),
        (["in.json", "out.json", "--from", "line"], "line cannot be read back"),
        (["in.json", "out.json", "--from", "sarif"], "is not SARIF"),
        (["in.json", "in.json/x", "--to", "brat"], "cannot be written"),
    ],
)
def test_a_wrong_call_is_one_line(source: Path, tmp_path: Path, capfdbinary, monkeypatch, arguments, message: str):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    code, out, err = run(capfdbinary, *arguments)
    assert (code, out) == (2, "")
    assert message in err
    assert err.splitlines()[-1].startswith("error: ")


def test_the_format_of_a_path(tmp_path: Path):
    assert format_of_output("x.SARIF") is FORMATS["sarif"]
    assert format_of_output("x") is None
    with pytest.raises(InputError, match="there is no such file"):
        format_of_input(tmp_path / "missing")
    (tmp_path / "a.txt").write_text("x")
    with pytest.raises(ConfigError, match="name it with --from"):
        format_of_input(tmp_path / "a.txt")
    assert unquote("a%2Fb") == "a/b"


def test_what_has_no_name_and_no_place_is_told(tmp_path: Path, capfdbinary):
    why = (Cue(5, 10, 1.5),)
    spans = [Span(0, 4, "appeal-to-time", 1.0, why), Span(5, 10, "straw-man"), Span(5, 10, "doubt")]
    document = Document("a", "Soon, enemies.").with_spans(spans)
    (tmp_path / "in.json").write_text(dumps(annotation(document, PROVENANCE)))
    _, _, err = run(capfdbinary, tmp_path / "in.json", tmp_path / "out.tsv")
    assert "ptc has no name for appeal-to-time: 1 finding left out" in err
    assert "ptc has no place for the words that carried a finding: those of 1 left out" in err
    assert (tmp_path / "out.tsv").read_text().count("\n") == 2
    _, _, err = run(capfdbinary, tmp_path / "in.json", tmp_path / "again.json")
    assert "left out" not in err


@pytest.mark.parametrize("name", ["out.parquet", "out.sarif", "out.jsonl"])
def test_how_findings_came_about_survives(source: Path, tmp_path: Path, capfdbinary, name: str):
    run(capfdbinary, source, tmp_path / name)
    run(capfdbinary, tmp_path / name, tmp_path / "back.json")
    before, after = (json.loads(path.read_text()) for path in (source, tmp_path / "back.json"))
    assert [after[key] for key in ("tool", "model", "settings")] == [before[k] for k in ("tool", "model", "settings")]


@pytest.mark.parametrize("name", ["brat", "conll", "csv", "corpus", "label-studio", "web-annotation"])
def test_that_how_findings_came_about_does_not_survive_is_told(source: Path, tmp_path: Path, capfdbinary, name: str):
    code, _, err = run(capfdbinary, source, tmp_path / "out", "--to", name)
    told = f"out: {name} does not hold all of how findings came about: keep model and settings elsewhere"
    assert (code, told in err) == (0, True)
    texts = ("--texts", source) if name in NEED_TEXTS else ()
    _, _, err = run(capfdbinary, tmp_path / "out", tmp_path / "back", "--from", name, "--to", "conll", *texts)
    assert "came about" not in err  # nobody knows any more


def test_an_empty_file_and_a_broken_line_are_one_line(source: Path, tmp_path: Path, capfdbinary):
    (tmp_path / "empty.json").write_bytes(b"")
    code, _, err = run(capfdbinary, tmp_path / "empty.json", tmp_path / "out.csv")
    assert (code, err.count("\n")) == (2, 1)
    assert "its format cannot be told" in err
    line = dumps(annotation(DOCUMENT, PROVENANCE))
    (tmp_path / "bad.jsonl").write_text(f"{line}\n\n{line[:40]}\n")
    code, _, err = run(capfdbinary, tmp_path / "bad.jsonl", tmp_path / "out.json")
    assert (code, err.count("\n")) == (2, 1)
    assert f"{tmp_path / 'bad.jsonl'}:3: is not JSON" in err
    for target in ("-", str(source)):
        code, _, err = run(capfdbinary, source, target, "--to", "corpus")
        assert (code, err.count("\n")) == (2, 1)


@pytest.mark.parametrize("name", ["brat", "ptc-corpus", "corpus"])
def test_findings_of_one_text_in_several_rows_are_all_kept(tmp_path: Path, capfdbinary, name: str):
    pieces = [
        Document("a", "They are vile.").with_spans([span]) for span in (Span(0, 4, "doubt"), Span(9, 13, "slogans"))
    ]
    (tmp_path / "in.jsonl").write_text("".join(dumps(annotation(one, PROVENANCE)) + "\n" for one in pieces))
    code, _, err = run(capfdbinary, tmp_path / "in.jsonl", tmp_path / "out", "--to", name)
    assert (code, "1 document with 2 findings" in err) == (0, True)
    (back,) = read_format(FORMATS[name], tmp_path / "out")
    assert back.spans == (Span(0, 4, "doubt"), Span(9, 13, "slogans"))
    other = dumps(annotation(Document("a", "Another text."), PROVENANCE))
    (tmp_path / "two.jsonl").write_text(f"{(tmp_path / 'in.jsonl').read_text()}{other}\n")
    code, _, err = run(capfdbinary, tmp_path / "two.jsonl", tmp_path / "two", "--to", name)
    assert (code, "'a': is the id of two texts" in err, (tmp_path / "two").exists()) == (2, True, False)


def test_an_older_corpus_stays_where_a_new_one_cannot_be_written(
    source: Path, tmp_path: Path, capfdbinary, monkeypatch
):
    def full(path: Path, documents: Iterable[Document]) -> None:
        path.write_text("half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    (tmp_path / "mine").write_text("older")
    monkeypatch.setattr(catalogue, "write_jsonl", full)
    code, _, err = run(capfdbinary, source, tmp_path / "mine", "--to", "corpus")
    assert (code, "mine: cannot be written (No space left on device)" in err) == (2, True)
    assert [file.read_text() for file in tmp_path.glob("*mine*")] == ["older"]


def test_each_text_keeps_how_its_findings_came_about(tmp_path: Path, capfdbinary):
    strict = replace(PROVENANCE, strictness="strict", only=("doubt",))
    two = [annotation(DOCUMENT, strict), annotation(replace(DOCUMENT, id="b"), PROVENANCE)]
    (tmp_path / "in.jsonl").write_text("\n" + "".join(dumps(one) + "\n" for one in two))
    (tmp_path / "list.json").write_text(dumps(two))
    for source, name in (("in.jsonl", "out.json"), ("list.json", "out.jsonl")):
        code, _, err = run(capfdbinary, tmp_path / source, tmp_path / name)
        assert (code, b"warning" in err.encode()) == (0, False)
        rows = [json.loads(line) for line in (tmp_path / name).read_text().splitlines()]
        assert [row["settings"]["strictness"] for row in rows] == ["strict", "balanced"]
    _, _, err = run(capfdbinary, tmp_path / "in.jsonl", tmp_path / "out.parquet")
    assert "out.parquet: parquet names one model with its settings: those of the first text" in err


def test_a_pipe_is_read_once_and_what_is_not_stated_is_not_made_up(tmp_path: Path, capfdbinary):
    os.mkfifo(tmp_path / "pipe.jsonl")
    data = dumps(annotation(DOCUMENT, replace(PROVENANCE, strictness="strict"))).encode() + b"\n"
    writer = threading.Thread(target=(tmp_path / "pipe.jsonl").write_bytes, args=(data,))
    writer.start()
    assert run(capfdbinary, tmp_path / "pipe.jsonl", tmp_path / "out.json")[0] == 0
    writer.join()
    writer = threading.Thread(target=(tmp_path / "pipe.jsonl").write_bytes, args=(data[:40],))
    writer.start()
    code, _, err = run(capfdbinary, tmp_path / "pipe.jsonl", tmp_path / "bad.json")
    writer.join()
    assert (code, err.startswith(f"error: {tmp_path / 'pipe.jsonl'}")) == (2, True)
    assert json.loads((tmp_path / "out.json").read_text())["settings"]["strictness"] == "strict"
    run(capfdbinary, tmp_path / "out.json", tmp_path / "corpus.jsonl", "--to", "corpus")
    run(capfdbinary, tmp_path / "corpus.jsonl", tmp_path / "back.json", "--from", "corpus")
    back = json.loads((tmp_path / "back.json").read_text())
    assert (back["model"]["name"], back["settings"]["strictness"]) == ("", "")


def test_standard_input_is_read(source: Path, capfdbinary, monkeypatch):
    for options in (["--from", "json"], []):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(source.read_bytes())))
        code, out, err = run(capfdbinary, "-", "-", "--to", "jsonl", *options)
        assert (code, "1 document with 2 findings" in err) == (0, True)
        assert [read_annotation(json.loads(line)) for line in out.splitlines()] == [DOCUMENT]
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"a text")))
    code, _, err = run(capfdbinary, "-", "-", "--to", "jsonl")
    assert (code, "-: its format cannot be told" in err) == (2, True)
    monkeypatch.setattr(sys, "stdin", None)
    assert run(capfdbinary, "-", "-", "--from", "json", "--to", "jsonl")[0] == 2


def test_bad_rows_of_a_corpus_are_told_and_the_others_converted(tmp_path: Path, capfdbinary):
    rows = [{"id": str(i), "text": "They lie", "spans": []} for i in range(3)]
    rows[1]["spans"] = [{"technique": "nonsense", "start": 0, "end": 2}]
    corpus = tmp_path / "corpus.jsonl"
    corpus.write_text("".join(json.dumps(row) + "\n" for row in rows))
    code, _, err = run(capfdbinary, corpus, tmp_path / "out.jsonl")
    assert (code, err.count("\n"), f"error: {corpus}:2: " in err) == (2, 2, True)
    assert len((tmp_path / "out.jsonl").read_text().splitlines()) == 3
    corpus.write_text('{"id": "1", "text": 5, "spans": []}\n')
    assert run(capfdbinary, corpus, tmp_path / "none.jsonl")[0] == 2
    assert not (tmp_path / "none.jsonl").exists()


def test_a_wrong_record_is_named_by_its_place(source: Path, tmp_path: Path, capfdbinary):
    record = json.loads(source.read_text())
    record["spans"][0]["technique"] = "nonsense"
    file = tmp_path / "two.jsonl"
    file.write_text(source.read_text().replace("\n", "") + "\n" + json.dumps(record))
    code, _, err = run(capfdbinary, file, tmp_path / "out.csv")
    assert (code, f"error: {file}: document 2: " in err) == (2, True)


def test_texts_that_are_read_are_not_replaced(source: Path, tmp_path: Path, capfdbinary):
    run(capfdbinary, source, tmp_path / "brat", "--to", "brat")
    run(capfdbinary, source, tmp_path / "found.csv")
    texts = sorted((tmp_path / "brat").glob("*.txt"))
    before = texts[0].read_bytes()
    code, _, err = run(capfdbinary, tmp_path / "brat", texts[0], "--to", "json")
    assert (code, "is read and cannot be the output" in err) == (2, True)
    code, _, err = run(capfdbinary, tmp_path / "found.csv", texts[0], "--to", "json", "--texts", tmp_path / "brat")
    assert (code, "is read and cannot be the output" in err) == (2, True)
    assert texts[0].read_bytes() == before
    (tmp_path / "article1.txt").write_bytes("Zoé lies.".encode("latin-1"))
    row = dumps(annotation(Document("article1.txt", "Zoé lies.").with_spans([Span(0, 3, "doubt")]), PROVENANCE))
    (tmp_path / "one.json").write_text(row)
    given = (tmp_path / "one.json", tmp_path, "--to", "ptc-corpus", "--texts", tmp_path / "article1.txt")
    code, _, err = run(capfdbinary, *given)
    assert (code, "article1.txt there is read and is not replaced" in err) == (2, True)
    assert (tmp_path / "article1.txt").read_bytes() == "Zoé lies.".encode("latin-1")

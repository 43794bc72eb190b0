import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.corpora import (
    read_articles,
    read_jsonl,
    read_ptc,
    read_semeval2021,
    write_articles,
    write_flc,
    write_jsonl,
    write_labels,
    write_semeval2021,
    write_si,
    write_tc,
)
from detector.errors import CorpusError
from detector.spans import Document, Span
from detector.techniques import NAMES, inventory

DATA = Path(__file__).parents[2] / "shared" / "data"
needs_data = pytest.mark.skipif(not DATA.exists(), reason="the corpora are not beside this checkout")

TEXT = "They peddle lies.\r\nWho knows?\n"


def corpus_error(read, *args, **options):
    """The message of the CorpusError that reading raises: one line."""
    with pytest.raises(CorpusError) as caught:
        read(*args, **options)
    message = str(caught.value)
    assert "\n" not in message
    return message


# -- PTC -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def ptc(tmp_path):
    """A function that writes articles and labels (file name → rows) and returns the two folders."""

    def write(texts, labels):
        articles, folder = tmp_path / "articles", tmp_path / "labels"
        articles.mkdir(exist_ok=True)
        folder.mkdir(exist_ok=True)
        for id, text in texts.items():
            data = text if isinstance(text, bytes) else text.encode()
            (articles / f"article{id}.txt").write_bytes(data)
        for name, rows in labels.items():
            (folder / name).write_text("".join("\t".join(map(str, row)) + "\n" for row in rows), encoding="utf-8")
        return articles, folder

    return write


def test_ptc_reads_texts_exactly_as_they_are(ptc):
    text = "\ufeffA 😀 day\r\nnext\rlast \n\n"
    articles, labels = ptc({"1": text}, {"article1.labels": [("1", "Doubt", 1, 4)]})
    (document,) = read_ptc(articles, labels).documents
    assert document == Document("1", text, (Span(1, 4, "doubt"),))
    assert document.quote(document.spans[0]) == "A 😀"


@pytest.mark.parametrize("name", ["article1.labels", "article1.task-flc-tc.labels", "article1.task2-TC.labels"])
def test_ptc_knows_the_names_of_labels_files(ptc, name):
    corpus = read_ptc(*ptc({"1": TEXT, "2": TEXT}, {name: [("1", "Name_Calling,Labeling", 0, 4)]}))
    assert corpus.name == "ptc"
    assert corpus.inventory == inventory("ptc-14")
    assert [len(document.spans) for document in corpus.documents] == [1, 0]
    assert corpus.documents[0].spans[0].technique == "name-calling"


def test_ptc_reads_one_labels_file(ptc):
    rows = [("2", "Flag_Waving", 5, 11), ("1", "Doubt", 19, 29), ("2", "Doubt", 0, 4)]
    articles, labels = ptc({"1": TEXT, "2": TEXT}, {"all.tsv": rows})
    corpus = read_ptc(articles, labels / "all.tsv")
    assert corpus.inventory == inventory("ptc-19")
    spans = [[(s.start, s.end, s.technique) for s in d.spans] for d in corpus.documents]
    assert spans == [[(19, 29, "doubt")], [(0, 4, "doubt"), (5, 11, "flag-waving")]]


def test_ptc_keeps_merged_techniques_joined(ptc):
    rows = [("1", "Whataboutism,Straw_Men,Red_Herring", 0, 4)]
    (document,) = read_ptc(*ptc({"1": TEXT}, {"article1.labels": rows})).documents
    assert document.spans[0].technique == "appeal-to-hypocrisy+straw-man+red-herring+whataboutism"


@pytest.mark.parametrize("row", [("1", 0, 4), ("1", "?", 0, 4)])
def test_ptc_reads_spans_without_a_technique(ptc, row):
    (document,) = read_ptc(*ptc({"1": TEXT}, {"article1.task-si.labels": [row]})).documents
    assert document.spans == (Span(0, 4, ""),)


def test_ptc_inventory_may_be_stated(ptc):
    folders = ptc({"1": TEXT}, {"article1.labels": [("1", "Doubt", 0, 4)]})
    assert read_ptc(*folders, spelling=inventory("ptc-18")).inventory.name == "ptc-18"


BAD_ROWS = [
    (("1", "Doubt", 5, 31), "span [5, 31) ends after the text (30 characters)"),
    (("1", "Doubt", -1, 3), "span [-1, 3) starts before the text"),
    (("1", "Doubt", 3, 3), "span [3, 3) must end after it starts"),
    (("1", "Doubt", 4, 3), "span [4, 3) must end after it starts"),
    (("1", "Doubt", "3.5", 4), "the offset '3.5' must be a whole number"),
    (("1", "Doubt", 0, "9" * 5000), "must be a whole number"),
    (("1", "Dubt", 0, 4), "the inventory ptc-14 has no technique 'Dubt': did you mean"),
    (("1", "Doubt", 0, 4, "x"), "has 5 tab-separated columns, not 4"),
    (("7", "Doubt", 0, 4), "there is no article7.txt that this row belongs to"),
]


@pytest.mark.parametrize(("row", "problem"), BAD_ROWS, ids=[problem for _, problem in BAD_ROWS])
def test_ptc_names_file_and_line_of_a_bad_row(ptc, row, problem):
    rows = [("1", "Doubt", 0, 4), row, ("1", "Slogans", 5, 11)]
    articles, labels = ptc({"1": TEXT}, {"article1.labels": rows})
    message = corpus_error(read_ptc, articles, labels)
    assert message.startswith(f"{labels / 'article1.labels'}:2: ")
    assert problem in message
    assert message.endswith("(correct it, or leave such records out with --skip-bad)")


@pytest.mark.parametrize(("row", "problem"), BAD_ROWS, ids=[problem for _, problem in BAD_ROWS])
def test_ptc_skips_bad_rows_when_asked(ptc, row, problem):
    rows = [("1", "Doubt", 0, 4), row, ("1", "Slogans", 5, 11)]
    articles, labels = ptc({"1": TEXT}, {"article1.labels": rows})
    corpus = read_ptc(articles, labels, skip_bad=True)
    assert [span.technique for span in corpus.documents[0].spans] == ["doubt", "slogans"]
    (message,) = corpus.skipped
    assert message.startswith(f"{labels / 'article1.labels'}:2: ")
    assert problem in message
    assert "--skip-bad" not in message


def test_ptc_labels_without_article(ptc):
    folders = ptc({"1": TEXT}, {"article1.labels": [], "article2.labels": [("2", "Doubt", 0, 4)]})
    assert "article2.labels: there is no article2.txt" in corpus_error(read_ptc, *folders)
    assert len(read_ptc(*folders, skip_bad=True).skipped) == 1


def test_ptc_article_with_two_labels_files(ptc):
    rows = [("1", "Doubt", 0, 4)]
    folders = ptc({"1": TEXT}, {"article1.labels": rows, "article1.task-si.labels": rows})
    assert "article 1 has labels already, in article1.labels" in corpus_error(read_ptc, *folders)
    assert len(read_ptc(*folders, skip_bad=True).documents[0].spans) == 1


def test_ptc_row_in_the_labels_of_another_article(ptc):
    folders = ptc({"1": TEXT, "2": TEXT}, {"article1.labels": [("2", "Doubt", 0, 4)]})
    assert "these are the labels of article 1" in corpus_error(read_ptc, *folders)


def test_ptc_article_that_is_not_utf8(ptc):
    folders = ptc({"1": b"one\ntwo \xff", "2": TEXT}, {"article1.labels": [("1", "Doubt", 0, 4)]})
    assert "article1.txt: byte 0xff in line 2 is not UTF-8" in corpus_error(read_ptc, *folders)
    corpus = read_ptc(*folders, skip_bad=True)
    assert [document.id for document in corpus.documents] == ["2"]
    assert len(corpus.skipped) == 1


def test_ptc_labels_that_are_not_utf8(ptc):
    articles, labels = ptc({"1": TEXT}, {})
    (labels / "article1.labels").write_bytes(b"1\tDoubt\t0\t4\n1\tD\xffubt\t0\t4\n")
    assert "article1.labels:2: byte 0xff is not UTF-8" in corpus_error(read_ptc, articles, labels)
    assert len(read_ptc(articles, labels, skip_bad=True).documents[0].spans) == 1


@pytest.mark.parametrize("skip_bad", [False, True])
def test_ptc_folders_that_are_not_there_or_hold_nothing(ptc, tmp_path, skip_bad):
    articles, labels = ptc({"1": TEXT}, {})
    some_file = articles / "article1.txt"
    missing = tmp_path / "missing"
    assert f"{missing}: no such folder" in corpus_error(read_ptc, missing, labels, skip_bad=skip_bad)
    assert f"{missing}: no such file" in corpus_error(read_ptc, articles, missing, skip_bad=skip_bad)
    assert "is a file where a folder is expected" in corpus_error(read_ptc, some_file, labels, skip_bad=skip_bad)
    assert "no file in it is called articleNNN.labels" in corpus_error(read_ptc, articles, labels, skip_bad=skip_bad)
    assert "no file in it is called articleNNN.txt" in corpus_error(read_ptc, labels, labels, skip_bad=skip_bad)


def test_articles_alone(ptc):
    articles, _ = ptc({"2": TEXT, "1": ""}, {})
    assert read_articles(articles).documents == (Document("1", ""), Document("2", TEXT))


SUBMITTED = [
    Document("9", TEXT, (Span(0, 4, "doubt"), Span(3, 11, "doubt"), Span(0, 4, "straw-man"))),
    Document("10", TEXT, (Span(5, 7, "appeal-to-time"), Span(2, 5, "slogans"), Span(0, 3, "", 0.4))),
]


def test_write_si_merges_what_shares_a_character(tmp_path):
    write_si(tmp_path / "si.tsv", SUBMITTED)
    assert (tmp_path / "si.tsv").read_bytes() == b"10\t0\t5\n10\t5\t7\n9\t0\t11\n"


def test_write_flc_merges_within_a_technique(tmp_path):
    write_flc(tmp_path / "flc.tsv", SUBMITTED, inventory("ptc-14"))
    straw_man = "Whataboutism,Straw_Men,Red_Herring"
    rows = ["10\tSlogans\t2\t5", f"9\t{straw_man}\t0\t4", "9\tDoubt\t0\t11", ""]
    assert (tmp_path / "flc.tsv").read_text(encoding="utf-8").split("\n") == rows


def test_write_tc_merges_nothing(tmp_path):
    write_tc(tmp_path / "tc.tsv", SUBMITTED, inventory("semeval-2023"))
    rows = [
        "10\tSlogans\t2\t5",
        "10\tAppeal_to_Time\t5\t7",
        "9\tDoubt\t0\t4",
        "9\tStraw_Man\t0\t4",
        "9\tDoubt\t3\t11",
        "",
    ]
    assert (tmp_path / "tc.tsv").read_text(encoding="utf-8").split("\n") == rows


@pytest.mark.parametrize("id", ["a\tb", "a\n", "", "a\0", "a\ud800"])
def test_ids_that_would_break_a_row_are_refused(tmp_path, id):
    assert "an id in this layout" in corpus_error(write_si, tmp_path / "si.tsv", [Document(id, TEXT)])


@pytest.mark.parametrize("id", ["../a", "a.b", "a\\b", "a\0", "\ud800"])
def test_ids_that_would_break_a_file_name_are_refused(tmp_path, id):
    assert "an id in this layout" in corpus_error(write_articles, tmp_path, [Document(id, TEXT)])
    assert "an id in this layout" in corpus_error(write_labels, tmp_path, [Document(id, TEXT)], inventory("ptc-14"))


# -- SemEval-2021 ----------------------------------------------------------------------------------------------------


def label(start, end, technique="Doubt"):
    return {"start": start, "end": end, "technique": technique, "text_fragment": TEXT[start:end]}


@pytest.fixture
def semeval(tmp_path):
    def write(items, name="memes.json"):
        path = tmp_path / name
        path.write_text(json.dumps(items, indent=1) if not isinstance(items, str) else items, encoding="utf-8")
        return path

    return write


def test_semeval2021_reads_several_files_in_order(semeval):
    first = semeval([{"id": "b", "text": TEXT, "labels": [label(5, 11, "Loaded Language"), label(0, 4, "Smears")]}])
    second = semeval([{"id": "a", "text": "", "labels": []}, {"id": "c", "text": TEXT, "link": "x"}], "more.json")
    corpus = read_semeval2021([first, second])
    assert corpus.inventory == inventory("semeval-2021")
    assert corpus.documents == (
        Document("b", TEXT, (Span(0, 4, "questioning-the-reputation"), Span(5, 11, "loaded-language"))),
        Document("a", ""),
        Document("c", TEXT, meta={"link": "x"}),
    )


def test_semeval2021_an_empty_list(semeval):
    assert read_semeval2021(semeval(" [ ]\n")).documents == ()


BAD_ITEMS = [
    ({"id": "x", "text": TEXT, "labels": [label(5, 31)]}, "span [5, 31) ends after the text (30 characters)"),
    ({"id": "x", "text": TEXT, "labels": [label(-1, 3)]}, "starts before the text"),
    ({"id": "x", "text": TEXT, "labels": [label(3, 3)]}, "must end after it starts"),
    ({"id": "x", "text": TEXT, "labels": [{**label(0, 3), "end": "3"}]}, "span [0, '3') needs whole numbers"),
    ({"id": "x", "text": TEXT, "labels": [{**label(0, 3), "start": False}]}, "needs whole numbers"),
    ({"id": "x", "text": TEXT, "labels": [label(0, 4, "Dubt")]}, "has no technique 'Dubt'"),
    ({"id": "x", "text": TEXT, "labels": [label(0, 4, 7)]}, "the technique 7 must be a string"),
    ({"id": "x", "text": TEXT, "labels": [{"start": 0, "end": 4}]}, "a row of labels has technique, start and end"),
    ({"id": "x", "text": TEXT, "labels": {}}, "labels must be a list"),
    ({"id": "a", "text": TEXT, "labels": []}, "the id 'a' occurs twice"),
    ({"id": 5, "text": TEXT, "labels": []}, "the id 5 must be a string"),
    ({"id": "x", "labels": []}, "has no 'text'; its keys are id, labels"),
    ({"id": "x", "text": None, "labels": []}, "the text must be a string"),
    (["x"], "must be an object with id, text and labels"),
]


@pytest.mark.parametrize(("item", "problem"), BAD_ITEMS, ids=[problem for _, problem in BAD_ITEMS])
def test_semeval2021_bad_items(semeval, item, problem):
    path = semeval([{"id": "a", "text": TEXT, "labels": [label(0, 4)]}, item, {"id": "z", "text": TEXT, "labels": []}])
    line = path.read_text(encoding="utf-8").split("\n").index(" },") + 2
    message = corpus_error(read_semeval2021, path)
    assert message.startswith(f"{path}:{line}: ")
    assert problem in message
    corpus = read_semeval2021(path, skip_bad=True)
    assert [corpus.documents[0].id, corpus.documents[-1].id] == ["a", "z"]
    assert len(corpus.documents[0].spans) == 1
    assert len(corpus.skipped) == 1


BROKEN = ["", "{}", "[", "[1,]", "[" * 100_000, "[" + "9" * 5000 + "]", '[{"id": "a"},']
BROKEN += ['[{"id": "a", "text": "b"} {"id": "c"}]', '[{"id": "a", "text": "b"}] x']


@pytest.mark.parametrize("broken", BROKEN, ids=range(len(BROKEN)))
def test_semeval2021_broken_json(semeval, broken):
    message = corpus_error(read_semeval2021, semeval(broken))
    assert "memes.json:1: " in message
    assert read_semeval2021(semeval(broken), skip_bad=True).skipped


def test_semeval2021_broken_json_keeps_what_came_before(semeval):
    path = semeval('[\n{"id": "a", "text": "b"},\n{"id": "c", "te')
    corpus = read_semeval2021(path, skip_bad=True)
    assert [document.id for document in corpus.documents] == ["a"]
    assert corpus.skipped[0].startswith(f"{path}:3: is not a JSON list")


def test_semeval2021_bad_files(semeval, tmp_path):
    assert "no such file" in corpus_error(read_semeval2021, tmp_path / "missing.json")
    assert "is a folder where a file is expected" in corpus_error(read_semeval2021, tmp_path)
    (tmp_path / "latin.json").write_bytes(b'[{"id":\n"\xe9"}]')
    assert "byte 0xe9 in line 2 is not UTF-8" in corpus_error(read_semeval2021, tmp_path / "latin.json")


def test_write_semeval2021(tmp_path):
    document = Document("1", TEXT, (Span(0, 4, "appeal-to-popularity"), Span(5, 11, "appeal-to-time")))
    write_semeval2021(tmp_path / "out.json", [document, Document("0", "")])
    assert json.loads((tmp_path / "out.json").read_text(encoding="utf-8")) == [
        {"id": "1", "text": TEXT, "labels": [label(0, 4, "Bandwagon")]},
        {"id": "0", "text": "", "labels": []},
    ]


# -- JSONL -----------------------------------------------------------------------------------------------------------


def span_row(start, end, technique="doubt", **more):
    return {"technique": technique, "start": start, "end": end, **more}


@pytest.fixture
def jsonl(tmp_path):
    def write(*rows):
        path = tmp_path / "dev.jsonl"
        lines = [row if isinstance(row, str) else json.dumps(row, ensure_ascii=False) for row in rows]
        path.write_text("".join(line + "\n" for line in lines), encoding="utf-8", newline="")
        return path

    return write


def test_jsonl_keeps_further_keys_and_ignores_blank_lines(jsonl):
    path = jsonl(
        {"id": "b", "outlet": "x", "text": "line\u2028sep", "n": [1]}, "", "  \r", {"id": "a", "text": "", "spans": []}
    )
    corpus = read_jsonl(path)
    assert corpus.documents == (Document("b", "line\u2028sep", meta={"outlet": "x", "n": [1]}), Document("a", ""))
    assert (corpus.name, corpus.inventory.name) == ("jsonl", "detector")
    assert read_jsonl(path, name="news").name == "news"


def test_jsonl_starting_with_a_byte_order_mark(jsonl):
    assert len(read_jsonl(jsonl("\ufeff" + json.dumps({"id": "a", "text": "b"}))).documents) == 1


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (["doubt", "loaded-language"], "detector"),
        (["straw-man+whataboutism", "doubt"], "detector"),
        (["Doubt", "Appeal_to_Time", "Guilt_by_Association"], "semeval-2023"),
        (["Smears", "Doubt"], "semeval-2021"),
        (["Doubt", "Name_Calling,Labeling"], "ptc-14"),
    ],
)
def test_jsonl_finds_the_spelling(jsonl, names, found):
    corpus = read_jsonl(jsonl({"id": "a", "text": TEXT, "spans": [span_row(0, 4, name) for name in names]}))
    assert corpus.inventory.name == found
    assert all(set(span.technique.split("+")).issubset(NAMES) for span in corpus.documents[0].spans)


def test_jsonl_confidence_is_kept(jsonl):
    path = jsonl({"id": "a", "text": TEXT, "spans": [span_row(0, 4, confidence=0.25)]})
    assert read_jsonl(path).documents[0].spans == (Span(0, 4, "doubt", 0.25),)


BAD_LINES = [
    ({"id": "x", "text": TEXT, "spans": [span_row(210, 264)]}, "span [210, 264) ends after the text (30 characters)"),
    ({"id": "x", "text": TEXT, "spans": [span_row(-1, 2)]}, "span [-1, 2) starts before the text"),
    ({"id": "x", "text": TEXT, "spans": [span_row(2, 2)]}, "span [2, 2) must end after it starts"),
    ({"id": "x", "text": TEXT, "spans": [span_row(0, 2.0)]}, "span [0, 2.0) needs whole numbers"),
    ({"id": "x", "text": TEXT, "spans": [span_row(None, 2)]}, "needs whole numbers"),
    ({"id": "x", "text": TEXT, "spans": [span_row(0, 2, "dubt")]}, "has no technique 'dubt'"),
    ({"id": "x", "text": TEXT, "spans": [span_row(0, 2, confidence=2)]}, "the confidence 2 must be a number"),
    ({"id": "x", "text": TEXT, "spans": [{"start": 0}]}, "a span has technique, start and end"),
    ({"id": "x", "text": TEXT, "spans": "none"}, "spans must be a list"),
    ({"id": "a", "text": TEXT, "spans": []}, "the id 'a' occurs twice"),
    ({"id": "", "text": TEXT}, "the id '' must be a string that is not empty"),
    ({"id": "x"}, "has no 'text'; its keys are id"),
    ({}, "has no 'id'; its keys are none"),
    ({"id": "x", "text": 3}, "the text must be a string"),
    ("[1]", "must be an object with id, text and spans"),
    ('{"id": ', "is not JSON (Expecting value at column"),
    ("[" * 100_000, "nested too deeply"),
]


@pytest.mark.parametrize(("row", "problem"), BAD_LINES, ids=[problem for _, problem in BAD_LINES])
def test_jsonl_names_file_and_line(jsonl, row, problem):
    good = {"id": "a", "text": TEXT, "spans": [span_row(0, 4)]}
    path = jsonl(good, "", row, {"id": "z", "text": TEXT})
    message = corpus_error(read_jsonl, path)
    assert message.startswith(f"{path}:3: ")
    assert problem in message
    corpus = read_jsonl(path, skip_bad=True)
    assert {document.id for document in corpus.documents} - {"x"} == {"a", "z"}
    assert [len(document.spans) for document in corpus.documents if document.id != "a"] in ([0], [0, 0])
    assert len(corpus.skipped) == 1


def test_jsonl_line_that_is_not_utf8(jsonl):
    path = jsonl({"id": "a", "text": "b"})
    path.write_bytes(path.read_bytes() + b'{"id": "\xff"}\n')
    assert f"{path}:2: byte 0xff is not UTF-8" in corpus_error(read_jsonl, path)
    assert len(read_jsonl(path, skip_bad=True).documents) == 1


def test_jsonl_that_is_not_there(tmp_path):
    assert "no such file" in corpus_error(read_jsonl, tmp_path / "missing.jsonl", skip_bad=True)
    assert "is a folder" in corpus_error(read_jsonl, tmp_path, skip_bad=True)


def test_write_jsonl(tmp_path):
    document = Document("é", TEXT, (Span(0, 4, "doubt"), Span(5, 11, "slogans", 0.5)), {"kind": "news"})
    write_jsonl(tmp_path / "out.jsonl", [document])
    row = {
        "id": "é",
        "text": TEXT,
        "kind": "news",
        "spans": [span_row(0, 4), span_row(5, 11, "slogans", confidence=0.5)],
    }
    assert (tmp_path / "out.jsonl").read_text(encoding="utf-8") == json.dumps(row, ensure_ascii=False) + "\n"
    write_jsonl(tmp_path / "out.jsonl", [document], with_text=False)
    assert json.loads((tmp_path / "out.jsonl").read_text(encoding="utf-8")).keys() == {"id", "spans"}


# -- round trips -----------------------------------------------------------------------------------------------------


@st.composite
def document_lists(draw, techniques, text):
    documents = []
    for id in draw(st.lists(st.from_regex(r"[a-z0-9-]{1,4}", fullmatch=True), min_size=1, max_size=3, unique=True)):
        content = draw(text)
        bounds = st.lists(st.integers(0, len(content)), min_size=2, max_size=2, unique=True).map(sorted)
        drawn = draw(st.lists(st.tuples(bounds, st.sampled_from(techniques)), max_size=4)) if content else []
        documents.append(Document(id, content).with_spans(Span(*b, name) for b, name in drawn))
    return sorted(documents, key=lambda document: document.id)


any_text = st.text(st.characters(), max_size=30)  # half surrogate pairs, too
utf8_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


@given(documents=document_lists([*NAMES, "straw-man+whataboutism", "red-herring+whataboutism"], any_text))
def test_jsonl_round_trip(tmp_path_factory, documents):
    documents = [d.with_spans(Span(s.start, s.end, join_in_order(s.technique)) for s in d.spans) for d in documents]
    path = tmp_path_factory.mktemp("jsonl") / "out.jsonl"
    write_jsonl(path, documents)
    assert list(read_jsonl(path).documents) == documents


def join_in_order(technique):
    return "+".join(sorted(technique.split("+"), key=NAMES.index))


@given(documents=document_lists([inventory("semeval-2021").slug(n) for n in inventory("semeval-2021").names], any_text))
def test_semeval2021_round_trip(tmp_path_factory, documents):
    path = tmp_path_factory.mktemp("semeval") / "out.json"
    write_semeval2021(path, documents[::-1])
    assert list(read_semeval2021(path).documents) == documents[::-1]


@given(documents=document_lists([inventory("ptc-14").slug(n) for n in inventory("ptc-14").names], utf8_text))
def test_ptc_round_trip(tmp_path_factory, documents):
    folder = tmp_path_factory.mktemp("ptc")
    write_articles(folder / "articles", documents)
    write_labels(folder / "labels", documents, inventory("ptc-14"))
    write_tc(folder / "tc.tsv", documents, inventory("ptc-14"))
    documents = sorted(documents, key=lambda document: f"article{document.id}.txt")
    for labels in (folder / "labels", folder / "tc.tsv"):
        assert list(read_ptc(folder / "articles", labels, spelling=inventory("ptc-14")).documents) == documents


# -- the real ones ---------------------------------------------------------------------------------------------------


def counts(corpus):
    assert corpus.skipped == ()
    spans = [span for document in corpus.documents for span in document.spans]
    return len(corpus.documents), len(spans), len({span.technique for span in spans})


@needs_data
def test_real_ptc():
    corpus = read_ptc(DATA / "ptc" / "train-articles", DATA / "ptc" / "train-labels-14")
    assert (counts(corpus), corpus.inventory.name) == ((371, 6128, 14), "ptc-14")
    n_across_lines = sum("\n" in d.quote(s).strip() for d in corpus.documents for s in d.spans)
    assert n_across_lines == 244


@needs_data
def test_real_ptc_with_19_techniques():
    corpus = read_ptc(DATA / "ptc" / "train-articles", DATA / "ptc" / "train-labels-19")
    assert (counts(corpus), corpus.inventory.name) == ((371, 6136, 19), "ptc-19")


@needs_data
def test_real_checkthat():
    corpus = read_jsonl(DATA / "checkthat2024" / "train.jsonl")
    assert (counts(corpus), corpus.inventory.name) == ((60, 1553, 23), "semeval-2023")


@needs_data
def test_real_semeval2021():
    folder = DATA / "semeval2021-task6"
    assert counts(read_semeval2021(folder / "training_set_task2.json")) == (688, 1498, 20)
    assert counts(read_semeval2021(folder / "dev_set_task2.json"))[:2] == (63, 182)
    assert counts(read_semeval2021(sorted(folder.glob("*.json"))))[:2] == (751, 1680)


@needs_data
def test_real_unlabelled():
    corpus = read_jsonl(DATA / "unlabelled" / "news.jsonl")
    assert counts(corpus) == (1200, 0, 0)
    assert {document.meta["kind"] for document in corpus.documents} == {"real", "fake", "satire", "news"}

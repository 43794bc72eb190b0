"""The page of an article, without a browser: its characters, its policy, its colours, its command."""

import base64
import hashlib
import html
import json
import re
import zipfile
from collections import Counter
from dataclasses import replace
from datetime import date
from pathlib import Path
from unittest import mock

import pytest
from conftest import bare_setting
from hypothesis import example, given
from hypothesis import strategies as st

from detector.cli import annotate, main
from detector.cli import report as command
from detector.errors import InputError, TechniqueError
from detector.report import article
from detector.report.article import article_html, article_rows
from detector.report.compare import comparison_page, comparison_rows, shared_quotes
from detector.report.findings import findings, slots
from detector.report.html import article_page, articles_page, view_article, view_articles
from detector.report.pages import data_block, palette, style_sheet
from detector.report.results import Result, read_result_file, result_files
from detector.spans import Document, Span, text_hash
from detector.techniques import NAMES, families
from detector.writers.json import annotation, dumps
from detector.writers.provenance import Provenance

ROOT = Path(__file__).parents[1]
ANNOTATED = ROOT / "tests" / "data" / "seed-annotated-by-hand.json"
PROVENANCE = Provenance("1.2.3", "tiny", "sha256:00")
DAY = date(2025, 3, 4)
CANNOT_BE_HELD = re.compile("[\x00\ud800-\udfff]")
ANY_TEXT = st.text(st.characters(exclude_categories=())) | st.text(
    st.sampled_from("a <>&\"'\r\n\t\u202e“”\x00\ud800é😀")
)


@st.composite
def documents(draw: st.DrawFn, text: st.SearchStrategy[str] = ANY_TEXT) -> Document:
    drawn = draw(text)
    bounds = st.lists(st.integers(0, len(drawn)), min_size=2, max_size=2).map(sorted)
    span = st.builds(
        lambda b, technique, p: Span(b[0], b[1], technique, p), bounds, st.sampled_from(NAMES), st.floats(0, 1)
    )
    return Document("a", drawn).with_spans(draw(st.lists(span, max_size=6)))


def text_of(fragment: str) -> str:
    """The characters that a browser would make of article HTML, all of whose tags are ours."""
    return html.unescape(re.sub(r"<[^<>]*>", "", fragment))


@given(documents())
@example(Document("a", "\r\n\r<p>\n", (Span(0, 6, "doubt"), Span(1, 4, "slogans"))))
def test_the_characters_are_those_of_the_source(document: Document):
    shown = text_of(article_html(document, findings(document)))
    assert shown == CANNOT_BE_HELD.sub("\ufffd", document.text)


@given(documents(st.text(st.sampled_from("ab. \n\r\u202e字é"), max_size=90)))
def test_a_long_line_is_cut_into_rows_that_lose_nothing(document: Document):
    with mock.patch.multiple(article, _ROW_CHARACTERS=4, _LONG_LINE=8):
        found = findings(document)
        rows = list(article_rows(document, found))
        fragment = article_html(document, found)
    assert text_of(fragment) == "".join(text_of(row.html) for row in rows) == document.text
    assert [row.end for row in rows[:-1]] == [row.start for row in rows[1:]]
    assert all("\n" not in document.text[row.start : row.end - 1] for row in rows)
    assert fragment.count('class="row"') == sum(n for n in Counter(row.line for row in rows).values() if n > 1)


def test_a_long_line_is_cut_behind_a_sentence_or_a_space_or_before_a_letter():
    def cut(text: str) -> list[str]:
        with mock.patch.multiple(article, _ROW_CHARACTERS=6, _LONG_LINE=12):
            return [text[row.start : row.end] for row in article_rows(Document("a", text), [])]

    assert cut("One day. Two days.") == ["One day. ", "Two days."]
    assert cut("one day two days") == ["one day ", "two days"]
    assert cut("onedaytwodays") == ["oneday", "twodays"]
    assert cut("😀" * 30) == ["😀" * 30]


@given(documents(st.text(st.sampled_from("ab \n“”"), max_size=40)))
def test_every_finding_marks_its_quote_and_has_one_code(document: Document):
    found = findings(document)
    fragment = article_html(document, found)
    for finding in found:
        marked = "".join(_pieces_of(fragment, finding.number))
        assert marked == document.quote(finding.span)
        assert fragment.count(f'id="f{finding.number}"') == 1


def _pieces_of(fragment: str, number: int) -> list[str]:
    """The texts of the marks of a finding."""
    pieces: list[str] = []
    opened: list[bool] = []
    for tag, text in re.findall(r"(<[^<>]*>)|([^<>]+)", fragment):
        if tag.startswith("<mark"):
            opened.append(f'data-n="{number}"' in tag)
        elif tag == "</mark>":
            opened.pop()
        elif text and any(opened):
            pieces.append(html.unescape(text))
    return pieces


@given(documents(st.text(min_size=1)))
def test_overlapping_findings_never_share_a_slot(document: Document):
    found = findings(document)
    for i, one in enumerate(found):
        for other in found[i + 1 :]:
            if other.span.start < one.span.end:
                assert one.slot != other.slot


def test_slots_are_taken_again_when_they_are_free():
    spans = [Span(0, 4, "doubt"), Span(2, 6, "slogans"), Span(4, 8, "doubt"), Span(6, 9, "slogans")]
    assert list(slots(spans)) == [0, 1, 0, 1]


def test_findings_in_quotations_are_marked_as_quoted():
    document = Document("a", "They lie. “They lie,” said Ann Lee.", (Span(5, 8, "doubt"), Span(16, 19, "doubt")))
    own, quoted = findings(document)
    assert (own.quoted, quoted.quoted, quoted.speaker) == (False, True, "Ann Lee")
    page = article_page(document, PROVENANCE, created=DAY)
    assert "said by <bdi>Ann Lee</bdi>" in page
    assert 'title="Casting doubt, likely, quoted"' in page


def test_block_quotes_and_reported_speech_are_quoted_as_in_the_json():
    text = "Cited here\nThey lie. According to Ann Lee, they cheat."
    spans = (Span(0, 5, "doubt"), Span(11, 19, "doubt"), Span(43, 53, "doubt"))
    document = Document("a", text, spans, {"block_quotes": [[0, 10]]})
    found = findings(document)
    assert [(f.quoted, f.speaker) for f in found] == [(True, None), (False, None), (True, "Ann Lee")]
    stated = annotation(document, PROVENANCE)["spans"]
    assert [(s["in_quote"], s["speaker"]) for s in stated] == [(f.quoted, f.speaker) for f in found]


def test_the_page_names_all_it_takes_to_make_it_again():
    document = Document("news/a.txt", "We all know it.", (Span(0, 11, "appeal-to-popularity", 0.7),), n_read=15)
    made = Provenance("1.2.3", "tiny", "sha256:00", "strict", 0.25, only=("doubt",), precision=0.42)
    page = article_page(document, made, created=DAY)
    block = re.search(r'<script type="application/json" id="record">(.*?)</script>', page, re.DOTALL)
    assert json.loads(block[1]) == {
        "created": "2025-03-04",
        "documents": [
            {
                "id": "news/a.txt",
                "text_hash": text_hash(document.text),
                "n_characters": 15,
                "n_characters_read": 15,
                "n_findings": 1,
                "tool": {"name": "rhetoric-detector", "version": "1.2.3"},
                "model": {"name": "tiny", "hash": "sha256:00", "precision": 0.42},
                "settings": {"strictness": "strict", "min_confidence": 0.25, "only": ["doubt"], "ignore": []},
            }
        ],
    }
    assert "42% of what was marked at this setting (strict)" in page
    assert "42% of what this setting marks in articles held out from training" in page.partition("<footer")[2]
    for shown in ("rhetoric-detector 1.2.3, 4 March 2025", "sha256:00", text_hash(document.text), "at least 25% sure"):
        assert shown in page


def test_precision_is_not_spoken_of_where_it_was_not_measured():
    assert "held out" not in article_page(Document("a", "x"), PROVENANCE, created=DAY)


def test_the_policy_allows_exactly_what_the_page_holds_and_nothing_is_asked_for():
    page = article_page(Document("a", "peddling", (Span(0, 8, "loaded-language"),)), PROVENANCE, created=DAY)
    policy = html.unescape(re.search(r'Content-Security-Policy" content="([^"]*)"', page)[1])
    (style,) = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)
    (script,) = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    for text in (style, script):
        assert f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'" in policy
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert re.findall(r'(?:src|href)="(?!#|data:,)[^"]*"', page) == []
    assert re.findall(r"url\(|@import|https?:", style + script) == []
    assert re.findall(r"\s(?:style|on\w+)=", re.sub(r"<(script|style).*?</\1>", "", page, flags=re.DOTALL)) == []


def test_a_page_is_small_beside_its_text():
    document, provenance = next(read_result_file(ANNOTATED))
    page = article_page(document, provenance, created=DAY)
    assert len(page.encode()) - len(document.text.encode()) < 300_000 / 2


def test_the_page_of_an_empty_text_says_that_nothing_was_found():
    page = article_page(Document("-", ""), PROVENANCE, created=DAY)
    assert "<strong>0 findings</strong> in 0 words." in page
    assert "No findings. That is not proof" in page
    assert "Standard input" in page


def test_a_page_is_called_by_its_title_or_its_headline_or_its_file():
    text = "What now?\nThey lie."
    pages = [
        article_page(Document("news/a.txt", text, (), {"title": "A title"}), PROVENANCE, created=DAY),
        article_page(Document("news/a.txt", text), PROVENANCE, created=DAY),
        article_page(Document("news/a.txt", "They lie."), PROVENANCE, created=DAY),
    ]
    assert [re.search("<h1><bdi>(.*)</bdi></h1>", page)[1] for page in pages] == ["A title", "What now?", "a.txt"]
    assert '<p class="source"><bdi>a.txt</bdi></p>' in pages[1]


def test_joined_techniques_have_a_card_each():
    document = Document("a", "And you?", (Span(0, 8, "straw-man+whataboutism"),))
    page = article_page(document, PROVENANCE, created=DAY)
    assert 'id="t-straw-man"' in page
    assert 'id="t-whataboutism"' in page
    assert "Straw man / Whataboutism" in page


def test_a_technique_that_no_inventory_knows_is_refused():
    with pytest.raises(TechniqueError, match="<script>"):
        article_page(Document("a", "abc", (Span(0, 3, "<script>alert(1)</script>"),)), PROVENANCE, created=DAY)


def test_several_articles_number_their_findings_through():
    one = Document("a/one.txt", "peddling\nlies", (Span(0, 8, "loaded-language"),))
    two = Document("two.txt", "peddling", (Span(0, 8, "loaded-language"),))
    page = articles_page([(one, PROVENANCE), (two, PROVENANCE)], created=DAY)
    assert re.findall(r'<mark[^>]* id="(f\d)"', page) == ["f1", "f2"]
    assert len(re.findall(r'id="([^"]+)"', page)) == len(set(re.findall(r'id="([^"]+)"', page)))


def test_paragraphs_and_tallies_count_every_finding_once():
    document, provenance = next(read_result_file(ANNOTATED))
    article = view_article(document, provenance)
    n = len(document.spans)
    assert sum(row.n_findings for row in article.paragraphs) == n
    assert sum(row.n for row in article.tallies if row.code) == n
    assert sum(row.n for row in article.tallies if not row.code) == n
    assert sum(row.n_words for row in article.paragraphs) == article.n_words == len(document.text.split())


def test_a_comparison_has_the_rates_of_both_and_tells_what_only_one_says():
    left = Document("l", "a b peddling d", (Span(4, 12, "loaded-language"), Span(0, 1, "doubt")))
    right = Document("r", "Peddling b", (Span(0, 8, "loaded-language"),))
    articles = view_articles([(left, PROVENANCE), (right, PROVENANCE)])
    rows = {row.name: (row.left and row.left.rate, row.right and row.right.rate) for row in comparison_rows(*articles)}
    assert rows["loaded-language"] == (250.0, 500.0)
    assert rows["doubt"] == (250.0, None)
    assert shared_quotes(*articles) == {2, 3}
    page = comparison_page((left, PROVENANCE), (right, PROVENANCE), created=DAY)
    assert page.count("only here</span>") == 1


@given(st.text())
def test_nothing_in_a_data_block_can_end_it(text: str):
    block = str(data_block({"x": text + "</script><!--"}))
    assert not set("<>&\u2028\u2029") & set(block)
    assert json.loads(block)["x"] == text + "</script><!--"


# -- colours ----------------------------------------------------------------------------------------------------------

# Machado, Oliveira and Fernandes (2009): what eyes without red, green or blue cones see, in linear light.
BLIND = {
    "normal": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "red": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "green": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)),
    "blue": ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.303900)),
}


def channels(colour: str) -> list[float]:
    return [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]


def linear(values: list[float]) -> list[float]:
    return [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in values]


def oklab(light: list[float]) -> list[float]:
    to_cones = ((0.41222, 0.53633, 0.05145), (0.21190, 0.68070, 0.10740), (0.08830, 0.28172, 0.62998))
    to_lab = ((0.21045, 0.79362, -0.00407), (1.97800, -2.42859, 0.45059), (0.02590, 0.78277, -0.80868))
    cones = [sum(a * max(b, 0) for a, b in zip(row, light, strict=True)) ** (1 / 3) for row in to_cones]
    return [sum(a * b for a, b in zip(row, cones, strict=True)) for row in to_lab]


def contrast(one: list[float], other: list[float]) -> float:
    light = [sum(a * b for a, b in zip((0.2126, 0.7152, 0.0722), linear(c), strict=True)) + 0.05 for c in (one, other)]
    return max(light) / min(light)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_codes_are_readable_on_paper_and_on_their_tint(theme: str):
    colours = palette(theme)
    paper = channels(colours["paper"])
    for family in families():
        ink = channels(colours[family.name])
        tint = [0.08 * a + 0.92 * b for a, b in zip(ink, paper, strict=True)]
        assert contrast(ink, paper) >= 4.5, family.name
        assert contrast(ink, tint) >= 4.5, family.name


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("sight", BLIND)
def test_families_are_told_apart(theme: str, sight: str):
    seen = {}
    for family in families():
        light = linear(channels(palette(theme)[family.name]))
        seen[family.name] = oklab([sum(a * b for a, b in zip(row, light, strict=True)) for row in BLIND[sight]])
    pairs = [(a, b) for a in seen for b in seen if a < b]
    for a, b in pairs:
        distance = sum((x - y) ** 2 for x, y in zip(seen[a], seen[b], strict=True)) ** 0.5
        assert distance > 0.08, f"{a} and {b} look alike"  # about 0.02 is a difference that can just be seen


def test_the_style_sheet_has_a_colour_for_each_family_and_a_slot_for_each_technique():
    for family in families():
        assert f".{family.name}{{--c:var(--{family.name})}}" in style_sheet()
    assert f".slot-{len(NAMES) - 1}{{" in style_sheet()


# -- files and commands -----------------------------------------------------------------------------------------------


def saved(folder: Path, name: str, *documents: Document, several: bool = False) -> Path:
    file = folder / name
    records = [annotation(document, PROVENANCE) for document in documents]
    file.write_text("\n".join(dumps(record, indent=None if several else 2) for record in records) + "\n")
    return file


DOCUMENT = Document("a.txt", "They are peddling fear.", (Span(9, 22, "loaded-language", 0.8),), {"outlet": "Post"}, 23)
OTHER = Document("b.txt", "Plain words.", (), {}, 12)


def results_in(file: Path) -> list[Result]:
    """What is read from a file in which there is nothing to complain of."""
    return [result for result in read_result_file(file) if not isinstance(result, InputError)]


def complaints_in(file: Path) -> list[str]:
    return [str(result) for result in read_result_file(file) if isinstance(result, InputError)]


def test_results_are_read_from_every_shape_that_annotate_writes(tmp_path: Path):
    one = saved(tmp_path, "one.json", DOCUMENT)
    lines = saved(tmp_path, "lines.jsonl", DOCUMENT, OTHER, several=True)
    assert list(read_result_file(one)) == [(DOCUMENT, PROVENANCE)]
    assert list(read_result_file(lines)) == [(DOCUMENT, PROVENANCE), (OTHER, PROVENANCE)]
    assert [result[0].id for file in result_files(tmp_path) for result in results_in(file)] == [
        "a.txt",
        "b.txt",
        "a.txt",
    ]


def test_what_a_file_says_of_quotations_is_believed(tmp_path: Path):
    document = Document("a", "Lies. “Lies,” said Ann Lee.", (Span(0, 4, "doubt"), Span(7, 11, "doubt")))
    record = annotation(document, PROVENANCE)
    record["spans"][0] |= {"in_quote": True, "speaker": "Bo <b>"}
    del record["spans"][1]["in_quote"]
    file = tmp_path / "edited.json"
    file.write_text(json.dumps(record))
    ((read, _),) = read_result_file(file)
    assert [(f.quoted, f.speaker) for f in findings(read)] == [(True, "Bo <b>"), (True, "Ann Lee")]
    assert "said by <bdi>Bo &lt;b&gt;</bdi>" in article_page(read, PROVENANCE, created=DAY)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"in_quote": "yes"}, "in_quote 'yes'"),
        ({"in_quote": True, "speaker": 5}, "speaker 5 is not as written"),
        ({"technique": "<script>alert(1)</script>"}, "no technique has the slug"),
        ({"confidence": "<b>"}, "not from 0 to 1"),
        ({"confidence": 7}, "not from 0 to 1"),
        ({"start": 8}, "is not 'peddling fear'"),
        ({"start": "0"}, "wrong type"),
    ],
)
def test_hand_edited_spans_are_refused_in_one_line(tmp_path: Path, change: dict[str, object], complaint: str):
    record = annotation(DOCUMENT, PROVENANCE)
    record["spans"][0] |= change
    file = tmp_path / "edited.json"
    file.write_text(json.dumps(record))
    (said,) = complaints_in(file)
    assert (complaint in said, said.startswith(f"{file}:1: "), "\n" in said) == (True, True, False)


@pytest.mark.parametrize("meta", [{"block_quotes": ["<b>"]}, {"block_quotes": 3}, {"anchors": [["x", 1]]}])
def test_hand_edited_places_are_refused(tmp_path: Path, meta: dict[str, object]):
    file = tmp_path / "edited.json"
    file.write_text(json.dumps({**annotation(DOCUMENT, PROVENANCE), "meta": meta}))
    assert [said.startswith(f"{file}:1: ") for said in complaints_in(file)] == [True]


@pytest.mark.parametrize("text", ["", "no json", "[1]", '{"id": "x"}', '{"schema_version": 1}\n{oops'])
def test_what_is_no_annotation_is_refused(tmp_path: Path, text: str):
    file = tmp_path / "x.json"
    file.write_text(text)
    assert [said.startswith(str(file)) for said in complaints_in(file)] == [True] * (1 + text.count("\n"))
    assert results_in(file) == []


class Scripted:
    """Stands in for `Detector`: marks the first four characters of every text."""

    name = "scripted"
    model_hash = "sha256:5c"

    def setting(self, strictness):
        return bare_setting(strictness)

    def annotate(self, documents, *, strictness):
        for document in documents:
            yield document.with_spans([Span(0, 4, "loaded-language", 0.6)], n_read=len(document.text))


@pytest.fixture
def run(tmp_path, monkeypatch, capfd):
    """Runs the command in a folder of its own, without a model: exit code and standard error."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1741046400")

    def no_model(folder, **_):
        raise AssertionError("a model is not needed")

    for module in (annotate, command):
        monkeypatch.setattr(module, "load_detector", no_model)

    def call(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as stop:
            main(["report", *arguments])
        out, err = capfd.readouterr()
        return stop.value.code or 0, out, err

    return call


def test_the_command_makes_a_page_from_json_without_a_model(run, tmp_path: Path):
    saved(tmp_path, "a.json", DOCUMENT)
    assert run("a.json", "-o", "report.html") == (0, "", "")
    assert (tmp_path / "report.html").read_text() == article_page(DOCUMENT, PROVENANCE, created=DAY)


def test_the_command_writes_to_standard_output_without_a_name(run, tmp_path: Path):
    saved(tmp_path, "a.json", DOCUMENT)
    code, out, _ = run("a.json")
    assert (code, out) == (0, article_page(DOCUMENT, PROVENANCE, created=DAY))


def test_options_that_change_nothing_in_json_are_told(run, tmp_path: Path, monkeypatch):
    monkeypatch.setattr(command, "load_detector", lambda folder, **_: Scripted())
    saved(tmp_path, "a.json", DOCUMENT)
    (tmp_path / "a.txt").write_text("They want to destroy everything we love.")
    code, _, err = run("a.json", "--strictness", "strict", "--model", "x", "-o", "report.html")
    assert (code, err.count("\n")) == (0, 1)
    assert err.startswith("warning: --strictness, --model: no effect on findings that are in a file already")
    assert run("a.txt", "--strictness", "strict", "-o", "report.html") == (0, "", "")


def test_the_command_compares(run, tmp_path: Path):
    saved(tmp_path, "a.json", DOCUMENT)
    saved(tmp_path, "b.json", OTHER)
    assert run("--compare", "a.json", "b.json", "-o", "both.html")[0] == 0
    assert (tmp_path / "both.html").read_text().count('<section class="article"') == 2


def test_the_command_detects_in_texts(run, tmp_path: Path, monkeypatch):
    monkeypatch.setattr(command, "load_detector", lambda folder, **_: Scripted())
    (tmp_path / "a.txt").write_text("They want to destroy everything we love.")
    saved(tmp_path, "b.json", OTHER)
    assert run("a.txt", "b.json", "a.txt", "-o", "all.html")[0] == 0
    page = (tmp_path / "all.html").read_text()
    assert re.findall(r'<section class="article" aria-label="([^"]+)"', page) == ["a.txt", "b.txt"]
    assert "scripted" in page


def test_the_command_reads_what_annotate_reads_and_tells_what_it_cannot(run, tmp_path: Path, monkeypatch):
    monkeypatch.setattr(command, "load_detector", lambda folder, **_: Scripted())
    text = "They want to destroy everything we love."
    (tmp_path / "a.eml").write_text(f"Subject: News\n\n{text}\n")
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as archive:
        archive.writestr("in/c.txt", text)
    (tmp_path / "d.txt").write_bytes(bytes(9))
    code, out, err = run("a.eml", "d.txt", "b.zip", "-o", "all.html")
    assert (code, out) == (2, "")
    assert err.startswith("error: d.txt: ")
    assert err.count("\n") == 1
    page = (tmp_path / "all.html").read_text()
    assert re.findall(r'<section class="article" aria-label="([^"]+)"', page) == ["News", "c.txt"]
    assert run("d.txt", "-o", "none.html")[0] == 2
    assert not (tmp_path / "none.html").exists()


def test_annotate_writes_pages_too(tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(annotate, "load_detector", lambda folder, **_: Scripted())
    for name in ("a.txt", "b.txt"):
        (tmp_path / name).write_text("They want to destroy everything we love.")
    for arguments, n_articles in ((["a.txt"], 1), (["a.txt", "b.txt"], 2)):
        with pytest.raises(SystemExit) as stop:
            main(["annotate", *arguments, "--format", "html", "-o", "x.html"])
        assert not stop.value.code
        assert (tmp_path / "x.html").read_text().count('<section class="article"') == n_articles


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["none.json", "-o", "x.html"], "none.json: there is no such file or folder"),
        (["--compare", "none.json", "a.json", "-o", "x.html"], "none.json: there is no such file or folder"),
        (["--compare", "a.json", "-o", "x.html"], "--compare: 1 text given: name two"),
        (["--compare", "results", "-o", "x.html"], "is a folder: name two texts"),
        (["results"], "name one with --output DIR"),
        (["results", "-o", "x.html"], "name one with --output DIR"),
        (["results", "-o", "full"], "is not empty and holds no report"),
        (["results", "-o", "a.json"], "is a file: name a new folder"),
        (["a.json", "results", "-o", "x.html"], "is a folder among files"),
        (["empty", "-o", "out"], "no file in this folder matches"),
        (["a.json", "-o", "page.pdf"], "--output page.pdf: .pdf files are read, not written: take .html"),
    ],
)
def test_errors_are_one_line(run, tmp_path: Path, arguments: list[str], complaint: str):
    saved(tmp_path, "a.json", DOCUMENT)
    for name in ("results", "empty", "full"):
        (tmp_path / name).mkdir()
    saved(tmp_path / "results", "r.jsonl", DOCUMENT, several=True)
    (tmp_path / "full" / "letters.doc").write_text("mine")
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert complaint in err
    assert err.count("\n") == 1
    assert not (tmp_path / "x.html").exists()
    assert (tmp_path / "full" / "letters.doc").read_text() == "mine"


def test_what_is_no_json_is_left_out_of_a_page(run, tmp_path: Path):
    saved(tmp_path, "good.json", DOCUMENT)
    (tmp_path / "bad.json").write_text("not json")
    code, _, err = run("good.json", "bad.json", "-o", "page.html")
    assert (code, err.count("\n")) == (2, 1)
    assert "peddling" in (tmp_path / "page.html").read_text()


@pytest.mark.parametrize("bad", [0, 1, 2])
def test_a_bad_line_is_named_and_the_others_are_shown(run, tmp_path: Path, bad: int):
    good = [dumps(annotation(replace(DOCUMENT, id=name), PROVENANCE)).encode() for name in ("a", "b", "c")]
    unknown = good[bad].replace(b"loaded-language", b"no-such")
    (tmp_path / "results").mkdir()
    for spoilt in (good[bad][:40], b"\xff" + good[bad], b"[]", unknown):
        lines = [*good[:bad], spoilt, *good[bad + 1 :]]
        (tmp_path / "results" / "r.jsonl").write_bytes(b"".join(line + b"\n" for line in lines))
        for arguments in (("results/r.jsonl", "-o", "page.html"), ("results", "-o", "site")):
            code, _, err = run(*arguments)
            assert (code, err.count("\n")) == (2, 1)
            assert err.startswith(f"error: results/r.jsonl:{bad + 1}: ")
        kept = "".join(name for name in "abc" if name != "abc"[bad])
        assert (
            "".join(re.findall(r'<section class="article" aria-label="(.)"', (tmp_path / "page.html").read_text()))
            == kept
        )
        assert "<strong>2 documents</strong>" in (tmp_path / "site" / "index.html").read_text()


def test_an_older_report_stays_until_the_new_one_is_made(run, tmp_path: Path):
    folder = tmp_path / "results"
    folder.mkdir()
    saved(folder, "1.json", DOCUMENT)
    assert run("results", "-o", "site")[0] == 0
    (folder / "2.json").write_text("{")
    assert run("results", "-o", "site")[0] == 2
    assert (tmp_path / "site" / "documents" / "0001" / "000001.html").is_file()
    (folder / "1.json").write_text("{")
    assert run("results", "-o", "site")[0] == 2  # nothing could be read
    assert (tmp_path / "site" / "index.html").is_file()
    assert not list((tmp_path / "site").glob(".*"))


def test_other_json_in_a_folder_of_articles_is_none(run, tmp_path: Path, monkeypatch):
    monkeypatch.setattr(command, "load_detector", lambda folder, **_: Scripted())
    folder = tmp_path / "articles"
    folder.mkdir()
    (folder / "a.txt").write_text("They are peddling fear.")
    (folder / "package.json").write_text('{"name": "x"}')
    assert run("articles", "-o", "site")[0] == 0
    assert (tmp_path / "site" / "index.html").is_file()


def test_a_date_that_is_none_is_one_line(run, tmp_path: Path, monkeypatch):
    saved(tmp_path, "good.json", DOCUMENT)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "9" * 14)
    code, _, err = run("good.json", "-o", "page.html")
    assert (code, err.count("\n")) == (2, 1)
    assert "SOURCE_DATE_EPOCH" in err

"""Readers of documents: files that other programs made, wrong files, and hostile ones."""

import io
import time
import tracemalloc
import zipfile
import zlib
from email.message import EmailMessage
from pathlib import Path

import pytest

from detector.errors import InputError
from detector.readers.language import language_of
from detector.readers.limits import Limits
from detector.readers.package import parsed_markup
from detector.readers.pdf import paragraphs
from detector.readers.sources import KINDS, SUFFIXES, Sources, kind_of
from detector.readers.subtitles import clock_time
from detector.spans import Document, Span
from detector.writers.naming import place_of

SAMPLES = Path(__file__).parent / "samples"
SENTENCES = (
    "“They want to destroy everything we love,” said Maria Ortega, who has sold bread beside it for thirty years",
    "until then the café 😀 under the bridge stays open, and so does the naïve hope of its guests.",
    "The opposition speaks of a disgrace.",
)


def read_one(path: Path | str, data: bytes | None = None, **options) -> Document:
    if data is not None:
        Path(path).write_bytes(data)
    (item,) = Sources(**options).read(str(path))
    if isinstance(item, InputError):
        raise item
    return item


def read_bytes_as(tmp_path: Path, name: str, data: bytes, **options) -> Document:
    return read_one(tmp_path / name, data, **options)


def ranges(document: Document, key: str) -> list[str]:
    return [document.text[start:end] for start, end in document.meta[key]]


# -- files that other programs made ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["article.docx", "article.epub", "article.html", "article.pdf"])
def test_the_same_article_in_every_format(name: str):
    document = read_one(SAMPLES / name)
    for sentence in SENTENCES:
        assert sentence in document.text
    assert document.text.startswith("The mayor and the bridge")
    assert document.meta["title"] == "The mayor and the bridge"
    assert document.text == document.text.strip()


@pytest.mark.parametrize("name", ["article.docx", "article.epub", "article.html"])
def test_block_quotes_are_kept_where_the_markup_has_them(name: str):
    document = read_one(SAMPLES / name)
    (quote,) = ranges(document, "block_quotes")
    assert quote.startswith("This vile plan is an insult")
    assert quote.endswith("We will not forget it.")
    assert document.meta["author"] == "Ada Example"


def test_markdown_keeps_its_marks():
    file = SAMPLES / "article.md"
    assert read_one(file).text == file.read_bytes().decode()


def test_what_is_quoted_or_code_inside_a_paragraph_stays_in_it(tmp_path: Path):
    paragraph = "<p>They say <q>we <b>all</b> lie</q>, and <code>x</code> is what they mean by that, as ever.</p>"
    other = "<p>They want to destroy everything that we love, and nobody has asked us about it at all.</p>"
    quote = "<blockquote>It is a disgrace and an insult, and all of it was planned long ago.</blockquote>"
    page = f"<html><body><article>{other}{paragraph}{quote}</article></body></html>"
    document = read_bytes_as(tmp_path, "a.html", page.encode())
    assert "\n\nThey say “we all lie”, and x is what they mean by that, as ever.\n\n" in document.text
    assert [one.partition(" ")[0] for one in ranges(document, "block_quotes")] == ["It"]
    item = "<ul><li>They <em><q>all <q>lie</q></q></em>, as <code>x</code> says.</li><li>It is <Q>“so”</Q>.</li></ul>"
    page = f"<html><body><article>{other}<div>In short, it is so: {quote} And more.</div>{item}</article></body></html>"
    document = read_bytes_as(tmp_path, "b.html", page.encode())
    assert document.text.endswith("\n\nAnd more.\n\nThey “all “lie””, as x says.\n\nIt is “so”.")
    assert [one.partition(" ")[0] for one in ranges(document, "block_quotes")] == ["It"]  # where words stand beside it


def test_a_page_has_its_metadata_and_no_navigation(tmp_path: Path):
    page = """<html><head><title>Budget row | The Daily Example</title><meta name="author" content="Jane Roe">
      <meta property="og:site_name" content="The Daily Example">
      <meta property="article:published_time" content="2024-03-05T10:00:00Z"></head>
      <body><nav><a href="/">Home</a> <a href="/x">Sport</a></nav><article><h1>Budget row splits the council</h1>
      <p>The council met on Tuesday to talk about the <b>budget</b> and it was a long evening for everyone, with
      speeches that went on for hours and hours.</p><p>They want to destroy everything we love, said one of them, and
      nobody knew what to answer to that.</p></article>
      <footer>Copyright</footer><script>alert(1)</script></body></html>"""
    document = read_bytes_as(tmp_path, "page.html", page.encode())
    assert {key: document.meta[key] for key in ("author", "date", "outlet")} == {
        "author": "Jane Roe",
        "date": "2024-03-05",
        "outlet": "The Daily Example",
    }
    assert document.text.startswith("Budget row splits the council\n\nThe council met")
    assert "about the budget and it was" in document.text
    assert "Home" not in document.text
    assert "alert" not in document.text


def test_a_page_in_an_old_encoding(tmp_path: Path):
    text = "<p>Die Größe der “Lüge” – übertrieben, sagte sie, und noch viele weitere Wörter für einen Artikel.</p>" * 3
    page = f'<html><head><meta charset="iso-8859-1"></head><body><article>{text}</article></body></html>'
    assert "Größe der “Lüge” – übertrieben" in read_bytes_as(tmp_path, "a.htm", page.encode("cp1252")).text


def test_a_pdf_by_another_producer_has_pages_and_whole_words(tmp_path: Path):
    canvas = pytest.importorskip("reportlab.pdfgen.canvas")
    file = tmp_path / "paper.pdf"
    pdf = canvas.Canvas(str(file))
    pdf.setTitle("A paper")
    for page, word in enumerate(("first", "second", "third"), start=1):
        pdf.drawString(70, 800, f"The Example Review, page {page}")
        lines = [f"A {word} sentence says that the gov-", f"ernment must fall, {word} of all,", f"{word}ly."]
        for i, line in enumerate(lines):
            pdf.drawString(70, 740 - 14 * i, line)
        pdf.showPage()
    pdf.save()
    document = read_one(file)
    assert document.text == "\n\n".join(
        f"A {word} sentence says that the government must fall, {word} of all, {word}ly."
        for word in ("first", "second", "third")
    )
    start = document.text.index("A third")
    assert place_of(document, Span(start, start + 8, "doubt")) == "page 3"
    assert document.meta["title"] == "A paper"


LEFT = """The council met on Tuesday to talk about the old bridge, and the meeting went on until midnight because nobody
wanted to be the first to say that the money had run out a long time ago. The mayor said that the work would begin in
spring, whatever the opposition had to say about it, and that"""
RIGHT = """those who live beside the bridge would be asked before long. They had heard that in other years. The bakers
of the town want to bake smaller loaves, which are to cost as much as the larger ones did, and the miller says that
flour costs what it has always cost in this valley."""
HEADLINE = "The bridge, the bakers and the council"


def columns_by_line(pdf) -> None:
    """Two columns under a headline, written as some programs do: line by line across both."""
    from textwrap import wrap

    pdf.setFont("Helvetica-Bold", 16)
    pdf.drawString(60, 780, HEADLINE)
    pdf.setFont("Helvetica", 10)
    for i, row in enumerate(zip(wrap(LEFT, 44), wrap(RIGHT, 44), strict=True)):
        for x, line in zip((60, 310), row, strict=True):
            pdf.drawString(x, 750 - 13 * i, line)


def gaps_for_spaces(pdf) -> None:
    """Words that only their places set apart."""
    place_words(pdf, lambda text, x, y, word: (text.setTextOrigin(x, y), text.textOut(word)), one_object=True)


def word_by_word(pdf) -> None:
    """Every word a text of its own."""
    place_words(pdf, lambda text, x, y, word: pdf.drawString(x, y, word), one_object=False)


def place_words(pdf, write, *, one_object: bool) -> None:
    from textwrap import wrap

    for i, line in enumerate([HEADLINE, *wrap(f"{LEFT} {RIGHT}", 90)]):
        x, y = 60, 750 - 13 * i
        text = pdf.beginText(x, y)
        pdf.setFont("Helvetica", 10)
        text.setFont("Helvetica", 10)
        for word in line.split():
            write(text, x, y, word)
            x += pdf.stringWidth(word, "Helvetica", 10) + 1.2
        if one_object:
            pdf.drawText(text)


@pytest.mark.parametrize("draw", [columns_by_line, gaps_for_spaces, word_by_word])
def test_pages_that_must_be_read_by_their_layout(tmp_path: Path, draw):
    canvas = pytest.importorskip("reportlab.pdfgen.canvas")
    pypdf = pytest.importorskip("pypdf")
    file = tmp_path / "paper.pdf"
    pdf = canvas.Canvas(str(file))
    draw(pdf)
    pdf.save()
    blocks = [HEADLINE, " ".join(f"{LEFT} {RIGHT}".split())]
    assert list(paragraphs(pypdf.PdfReader(file).pages[0].extract_text().split("\n"))) != blocks, "pypdf suffices"
    assert read_one(file).text == "\n\n".join(blocks)


def test_a_table_is_read_row_by_row(tmp_path: Path):
    canvas = pytest.importorskip("reportlab.pdfgen.canvas")
    pdf = canvas.Canvas(str(tmp_path / "table.pdf"))
    for i in range(9):
        pdf.drawString(60, 750 - 13 * i, f"left {i}")
        pdf.drawString(310, 750 - 13 * i, f"right {i}")
    pdf.save()
    assert "left 3 right 3 left 4" in read_one(tmp_path / "table.pdf").text


def test_a_pdf_without_text_or_with_a_password(tmp_path: Path):
    canvas = pytest.importorskip("reportlab.pdfgen.canvas")
    from reportlab.lib.pdfencrypt import StandardEncryption

    empty = canvas.Canvas(str(tmp_path / "scan.pdf"))
    empty.rect(10, 10, 100, 100)
    empty.save()
    with pytest.raises(InputError, match="has no text, only images"):
        read_one(tmp_path / "scan.pdf")
    locked = canvas.Canvas(str(tmp_path / "locked.pdf"), encrypt=StandardEncryption("secret", strength=128))
    locked.drawString(10, 10, "x")
    locked.save()
    with pytest.raises(InputError, match="locked with a password"):
        read_one(tmp_path / "locked.pdf")


def test_a_word_document_as_it_reads_after_all_changes(tmp_path: Path):
    docx = pytest.importorskip("docx")
    made = docx.Document()
    made.core_properties.title = "Minutes"
    made.add_heading("The plan", 1)
    paragraph = made.add_paragraph("They ")
    paragraph.add_run("lie").bold = True
    paragraph.add_run(" to us\tagain.")
    made.add_paragraph("A vile insult.", style="Quote")
    table = made.add_table(1, 2)
    table.cell(0, 0).text, table.cell(0, 1).text = "left", "right"
    deleted = paragraph._p.makeelement(docx.oxml.ns.qn("w:del"), {})
    run = paragraph._p.makeelement(docx.oxml.ns.qn("w:r"), {})
    text = paragraph._p.makeelement(docx.oxml.ns.qn("w:delText"), {})
    text.text = "GONE"
    run.append(text)
    deleted.append(run)
    paragraph._p.append(deleted)
    made.save(str(tmp_path / "a.docx"))
    document = read_one(tmp_path / "a.docx")
    assert document.text == "The plan\n\nThey lie to us\tagain.\n\nA vile insult.\n\nleft\tright"
    assert ranges(document, "block_quotes") == ["A vile insult."]
    assert document.meta["title"] == "Minutes"


def test_preformatted_text_of_a_page_is_nobody_elses_and_keeps_its_lines(tmp_path: Path):
    page = (
        "<html><body><article><h1>Plan</h1><p>%s</p><pre>\nThey lie.\r\nThey go.\n</pre><pre><code>x = 1</code></pre>"
    )
    document = read_bytes_as(tmp_path, "a.html", (page % ("We read this today. " * 20)).encode())
    assert "They lie.\nThey go." in document.text
    assert "x = 1" in document.text
    assert "They" not in "".join(ranges(document, "block_quotes") if "block_quotes" in document.meta else [])


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b'<?xml version="1.0"?>\n<!DOCTYPE html>\n<html>', "html"),
        (b"\xef\xbb\xbf <!-- saved -- from --><!-- x --><HTML lang=en>", "html"),
        (b"<!-- a comment --> and a text", "text"),
        (b"<?xml version='1.0'?><rss>", "text"),
        (b"<!--" + b"-" * 5000, "text"),
    ],
)
def test_markup_without_a_name_is_known_by_its_beginning(data: bytes, kind: str):
    assert kind_of(data, "-") == kind


SRT = """1
00:00:01,000 --> 00:00:02,500
They want to <i>destroy</i>
everything

2
01:01:02,000 --> 01:01:03,000
we love.
"""
VTT = """WEBVTT

00:01.000 --> 00:02.500
They want to destroy
everything

01:01:02.000 --> 01:01:03.000
we love.
"""
ASS = """[Script Info]
ScriptType: v4.00+

[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
Dialogue: 0,0:00:01.00,0:00:02.50,Default,,0,0,0,,They want to {\\b1}destroy\\Neverything
Comment: 0,0:00:05.00,0:00:06.00,Default,,0,0,0,,hidden
Dialogue: 0,1:01:02.00,1:01:03.00,Default,,0,0,0,,we love.
"""
SUBTITLES = {"a.srt": SRT, "a.vtt": VTT, "a.ass": ASS}


@pytest.mark.parametrize("name", SUBTITLES)
def test_subtitles_know_the_second_of_a_finding(tmp_path: Path, name: str):
    document = read_bytes_as(tmp_path, name, SUBTITLES[name].encode())
    assert document.text == "They want to destroy everything\nwe love."
    assert place_of(document, Span(5, 20, "doubt")) == "0:00:01"
    assert place_of(document, Span(32, 39, "doubt")) == "1:01:02"
    assert clock_time(3_661_999) == "1:01:01"


def test_what_nobody_says_in_a_vtt_file_is_left_out(tmp_path: Path):
    notes = "NOTE language:en-us\nby Example\n\nSTYLE\n::cue { color: red }\n\nNOTE Confidence: 0.9\n\n5b1b9f0a-1/3\n"
    vtt = VTT.replace("\n\n01:01", f"\n\n{notes}01:01")
    vtt += "\nNOTE Confidence: 0.8\n01:01:04.000 --> 01:01:05.000\nNote it.\n"
    for text in (vtt, vtt.replace("\n", "\r\n"), vtt.replace("\n", "\r")):
        document = read_bytes_as(tmp_path, "a.vtt", text.encode())
        assert document.text == "They want to destroy everything\nwe love.\nNote it."
    assert place_of(document, Span(32, 39, "doubt")) == "1:01:02"


def test_captions_that_roll_up_are_read_once(tmp_path: Path):
    """As YouTube has them: each line with the time of its words, once more alone, and once more above the next."""
    cues = [
        "00:00:01.000 --> 00:00:03.000 align:start\n \nthey<00:00:01.480><c> want</c><00:00:01.960><c> it</c>",
        "00:00:03.000 --> 00:00:03.010\nthey want it\n ",
        "00:00:03.010 --> 00:00:05.000\nthey want it\nall<00:00:03.500><c> of it</c>",
        "00:00:05.000 --> 00:00:05.010\nall of it\n ",
    ]
    document = read_bytes_as(tmp_path, "a.vtt", "\n\n".join(["WEBVTT\nKind: captions", *cues]).encode())
    assert document.text == "they want it\nall of it"
    assert document.meta["anchors"] == [[0, "0:00:01"], [13, "0:00:03"]]
    said = VTT.replace("we love.", "everything")  # who repeats something in other captions does say it
    assert read_bytes_as(tmp_path, "b.vtt", said.encode()).text == "They want to destroy everything\neverything"


def test_who_says_the_same_again_is_read_again_where_captions_roll_up(tmp_path: Path):
    chant = "lock<00:00:01.480><c> her</c><00:00:01.960><c> up</c>"
    cues = [
        f"00:00:01.000 --> 00:00:03.000\n \n{chant}",
        "00:00:03.000 --> 00:00:03.010\nlock her up\n ",
        f"00:00:03.010 --> 00:00:05.000\nlock her up\n{chant}",
        "00:00:05.000 --> 00:00:05.010\nlock her up\n ",
        "00:00:05.010 --> 00:00:07.000\nlock her up\nno",
        "00:00:07.000 --> 00:00:07.010\nno\n ",
        "00:00:07.010 --> 00:00:09.000\nno\nno",
    ]
    document = read_bytes_as(tmp_path, "a.vtt", "\n\n".join(["WEBVTT", *cues]).encode())
    assert document.text == "lock her up\nlock her up\nno\nno"
    alone = [f"00:00:0{i}.000 --> 00:00:0{i}.900\n{chant}" for i in (1, 2)]  # which do not roll up
    document = read_bytes_as(tmp_path, "b.vtt", "\n\n".join(["WEBVTT", *alone]).encode())
    assert document.text == "lock her up\nlock her up"


def test_drawings_in_subtitles_are_not_text_and_a_lone_brace_is(tmp_path: Path):
    drawn = ASS + "Dialogue: 0,1:01:04.00,1:01:05.00,Default,,0,0,0,,{\\p1}m 0 0 l 1 1{\\p0}\n"
    drawn += "Dialogue: 0,1:01:06.00,1:01:07.00,Default,,0,0,0,,{\\pos(1,2)}so{\\p0} we\\hsay {-\n"
    document = read_bytes_as(tmp_path, "a.ass", drawn.encode())
    assert document.text == "They want to destroy everything\nwe love.\nso we say {-"


@pytest.mark.parametrize(
    "tags", ["<i" * 60_000, "<i" * 60_000 + "</i>", "<i>" * 60_000, "{\\i1}" * 60_000, "{" * 120_000]
)
def test_subtitles_full_of_tags_take_no_time(tmp_path: Path, tags: str):
    (tmp_path / "a.srt").write_text(SRT.replace("everything", f"{tags}everything"))
    started = time.process_time()
    (item,) = Sources().read(str(tmp_path / "a.srt"))
    assert time.process_time() - started < 5
    assert isinstance(item, Document)
    assert item.text.endswith("everything\nwe love.")


def test_what_only_looks_like_a_tag_or_a_number_is_spoken(tmp_path: Path):
    srt = (
        '1\n00:00:01,000 --> 00:00:02,000\n<font color="red">if a < b</font> and c > d I <3 < i >you< / i >\n\n'
        "2\n100:00:03,000 --> 100:00:04,000\nin\n1984\n\n3\n100:00:05,000 --> 100:00:06,000\n\n"
        "4\n100:00:07,000 --> 100:00:08,000\nor in\n1985\n"
    )
    document = read_bytes_as(tmp_path, "a.srt", srt.encode())
    assert document.text == "if a < b and c > d I <3 you\nin 1984\nor in 1985"
    assert [place for _, place in document.meta["anchors"]] == ["0:00:01", "100:00:03", "100:00:07"]
    vtt = "WEBVTT\n\n00:01.000 --> 00:02.000\nin\n1984\n\n00:03.000 --> 00:04.000\n10\n\n00:05.000 --> 00:06.000\n9"
    assert read_bytes_as(tmp_path, "a.vtt", vtt.encode()).text == "in 1984\n10\n9"


def message(subtype: str | None = None) -> EmailMessage:
    mail = EmailMessage()
    mail["Subject"], mail["From"] = "Re: the bridge – now", "Ann Lée <ann@example.org>"
    mail["Date"] = "Tue, 05 Mar 2024 10:00:00 +0100"
    if subtype == "html":
        mail.set_content("<p>They <b>lie</b>.</p><blockquote>Never!</blockquote>", subtype="html")
    else:
        mail.set_content("They lie – to all of us.\n\n> Never!\n")
        mail.add_alternative("<p>Another text</p>", subtype="html")
    mail.add_attachment(b"PNG", maintype="image", subtype="png", filename="plan.png")
    return mail


def test_mail_is_subject_and_text(tmp_path: Path):
    document = read_bytes_as(tmp_path, "a.eml", message().as_bytes())
    assert document.text == "Re: the bridge – now\n\nThey lie – to all of us.\n\n> Never!"
    assert document.meta["author"] == "Ann Lée <ann@example.org>"
    assert (document.meta["date"], document.meta["attachments"]) == ("2024-03-05", ["plan.png"])


def test_what_a_message_hides_is_not_read(tmp_path: Path):
    hidden = '<div style="color: red; DISPLAY:none !important">Preview <b>line</b></div><p hidden>Never</p>'
    mail = f"Subject: News\nContent-Type: text/html\n\n{hidden}They <span style='display: none'>do not</span>"
    mail += " <b style='--menu-display:none'>lie.</b>"
    assert read_bytes_as(tmp_path, "a.eml", mail.encode()).text == "News\n\nThey lie."


@pytest.mark.parametrize("encoding", ["cp1252", "utf-8"])
@pytest.mark.parametrize("stated", ["iso-8859-1", "US-ASCII"])
def test_mail_whose_latin_1_is_none_keeps_its_quotation_marks(tmp_path: Path, stated: str, encoding: str):
    mail = f"Subject: News\nContent-Type: text/plain; charset={stated}\n\n“It’s a lie,” said Zoé."
    document = read_bytes_as(tmp_path, "a.eml", mail.encode(encoding))
    assert document.text == "News\n\n“It’s a lie,” said Zoé."


def test_mail_in_another_encoding_than_latin_1_is_told_by_its_first_odd_byte(tmp_path: Path):
    mail = b"Subject: News\nContent-Type: text/plain; charset=iso-8859-1\n\n\xc0\x81 is \0 no text."
    with pytest.raises(InputError, match=r"byte 0 \(0xC0\) is not valid UTF-8"):
        read_bytes_as(tmp_path, "a.eml", mail)


@pytest.mark.parametrize("encoding", ["latin-1", "utf-8", "utf-8-sig"])
def test_header_lines_of_mail_may_be_in_any_encoding(tmp_path: Path, encoding: str):
    mail = "Subject: Le café, a naïve idea\r\nFrom: Zoé <zoe@example.org>\r\nX-Other: x\r\n\r\nThey lie."
    document = read_bytes_as(tmp_path, "a.eml", mail.encode(encoding))
    assert document.text == "Le café, a naïve idea\n\nThey lie."
    assert document.meta["author"] == "Zoé <zoe@example.org>"


@pytest.mark.parametrize("sender", ["Ann <a@[", 'a@example.org, "'])
def test_a_broken_address_leaves_the_message(tmp_path: Path, sender: str):
    document = read_bytes_as(tmp_path, "a.eml", f"Subject: News\nFrom: {sender}\n\nThey lie.".encode())
    assert (document.text, document.meta["author"]) == ("News\n\nThey lie.", sender)


def test_mail_that_is_only_html(tmp_path: Path):
    document = read_bytes_as(tmp_path, "a.eml", message("html").as_bytes())
    assert document.text == "Re: the bridge – now\n\nThey lie.\n\nNever!"
    assert ranges(document, "block_quotes") == ["Never!"]


def test_notes_of_a_word_document_come_after_its_text(tmp_path: Path):
    """A document of python-docx with a footnote and an endnote put in, as Word keeps them."""
    docx = pytest.importorskip("docx")
    made = docx.Document()
    for text in ("They lie{second} to us{first}.", "And they know it{end}."):
        made.add_paragraph(text)
    made.save(str(tmp_path / "plain.docx"))
    note = '<w:{0} w:id="{1}"><w:p><w:r><w:{0}Ref/><w:t xml:space="preserve"> {2}</w:t></w:r></w:p></w:{0}>'
    named = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
    foot = note.format("footnote", 2, "The first note.") + note.format("footnote", 1, "The second note.")
    rule = '<w:footnote w:type="separator" w:id="-1"><w:p><w:r><w:t>rule</w:t></w:r></w:p></w:footnote>'
    parts = {
        "word/footnotes.xml": f"<w:footnotes {named}>{rule}{foot}</w:footnotes>",
        "word/endnotes.xml": f"<w:endnotes {named}>{note.format('endnote', 1, 'The last note.')}</w:endnotes>",
    }
    marks = {"second": ("footnote", 2), "first": ("footnote", 1), "end": ("endnote", 1)}
    with zipfile.ZipFile(tmp_path / "plain.docx") as plain, zipfile.ZipFile(tmp_path / "a.docx", "w") as noted:
        for name in plain.namelist():
            content = plain.read(name)
            if name == "word/document.xml":
                for key, (kind, number) in marks.items():
                    reference = f'</w:t><w:{kind}Reference w:id="{number}"/><w:t xml:space="preserve">'
                    content = content.replace(f"{{{key}}}".encode(), reference.encode())
            noted.writestr(name, content)
        for name, content in parts.items():
            noted.writestr(name, content)
    document = read_one(tmp_path / "a.docx")
    body = "They lie to us.\n\nAnd they know it."
    assert document.text == f"{body}\n\nThe first note.\n\nThe second note.\n\nThe last note."
    for words, place in (("lie", None), ("The second", "footnote 2"), ("The last", "endnote 1")):
        start = document.text.index(words)
        assert place_of(document, Span(start, start + 3, "doubt")) == place


def test_a_paragraph_whose_end_was_deleted_goes_on_in_the_next(tmp_path: Path):
    ended = "<w:p>{}<w:r><w:t>{}</w:t></w:r></w:p>"
    gone = "<w:pPr><w:rPr><w:del/></w:rPr></w:pPr>"
    row = "<w:tr><w:tc><w:p><w:r><w:t>cell</w:t></w:r></w:p></w:tc></w:tr>"
    body = ended.format("", "One.") + ended.format(gone, "") + ended.format(gone, "They ") + ended.format("", "lie.")
    body += ended.format(gone, "To us") + row + ended.format(gone, "all.")
    document = docx_with(f'<w:document xmlns:w="w"><w:body>{body}</w:body></w:document>'.encode())
    assert read_bytes_as(tmp_path, "a.docx", document).text == "One.\n\nThey lie.\n\nTo us\n\ncell\n\nall."
    box = "<w:txbxContent>" + ended.format("", "Box.") + "</w:txbxContent>"  # which stands inside the paragraph
    body = ended.format(gone + box, "To us") + ended.format("", "all.")
    document = docx_with(f'<w:document xmlns:w="w"><w:body>{body}</w:body></w:document>'.encode())
    assert read_bytes_as(tmp_path, "b.docx", document).text == "To us\n\nBox.\n\nall."


def test_a_word_document_whose_parts_have_other_names_is_read(tmp_path: Path):
    """As Word on the web names them now and then."""
    link = '<Relationships xmlns="x"><Relationship Type="http://x/{}" Target="{}"/></Relationships>'
    note = '<w:r><w:footnoteReference w:id="1"/></w:r>'
    paragraph = "<w:p><w:r><w:t>{}</w:t></w:r>{}</w:p>"
    body = f'<w:document xmlns:w="w"><w:body>{paragraph.format("They lie.", note)}</w:body></w:document>'
    written = paragraph.format("A note.", "")
    notes = f'<w:footnotes xmlns:w="w"><w:footnote w:id="1">{written}</w:footnote></w:footnotes>'
    parts = {
        "_rels/.rels": link.format("officeDocument", "/word/document2.xml"),
        "word/document2.xml": body,
        "word/_rels/document2.xml.rels": link.format("footnotes", "footnotes2.xml"),
        "word/footnotes2.xml": notes,
    }
    data = zipped({name: content.encode() for name, content in parts.items()})
    assert read_bytes_as(tmp_path, "a.docx", data).text == "They lie.\n\nA note."


def attached(files: dict[str, bytes], *, text: str = "See below.") -> EmailMessage:
    mail = message()
    mail.clear_content()
    if text:
        mail.set_content(text)
    for name, data in files.items():
        mail.add_attachment(data, maintype="application", subtype="octet-stream", filename=name)
    return mail


def test_attachments_are_documents_of_their_own(tmp_path: Path):
    inner = message()
    inner.add_attachment(b"%PDF-", maintype="application", subtype="pdf", filename="plan.pdf")
    inner.add_attachment(b"They lie.", maintype="application", subtype="octet-stream", filename="deep.txt")
    files = {name: (SAMPLES / f"article.{name[-4:]}").read_bytes() for name in ("plan.docx", "page.html")}
    mail = attached({"../plan.pdf": (SAMPLES / "article.pdf").read_bytes(), **files, "photo.png": b"\x89PNG\0"})
    mail.add_attachment("Größe.".encode("cp1252"), maintype="text", subtype="plain", filename="notes")
    mail.add_attachment(inner)
    mail.add_attachment(b"\0\1\2", maintype="text", subtype="plain", filename="bad.txt")
    file = tmp_path / "a.eml"
    file.write_bytes(mail.as_bytes())
    found = list(Sources().read(str(file)))
    documents = {item.id.removeprefix(str(file)): item for item in found if isinstance(item, Document)}
    assert list(documents) == ["", "!../plan.pdf", "!plan.docx", "!page.html", "!notes", "!part 6", "!part 6!deep.txt"]
    assert documents[""].text == "Re: the bridge – now\n\nSee below."
    assert documents["!notes"].text == "Größe."
    for name in ("!../plan.pdf", "!plan.docx", "!page.html"):
        assert documents[name].text.startswith("The mayor and the bridge")
    errors = [str(item).removeprefix(str(file)) for item in found if isinstance(item, InputError)]
    assert [error.partition(":")[0] for error in errors] == ["!part 6!plan.pdf", "!bad.txt"]


def multipart(subtype: str, *parts: str) -> str:
    """A part of parts, each with its header lines."""
    line = f"--{subtype}\n"
    return f'Content-Type: multipart/{subtype}; boundary="{subtype}"\n\n{line}{line.join(parts)}--{subtype}--\n'


PLAIN, HTML = "Content-Type: text/plain\n\nSee below.\n", "Content-Type: text/html\n\n<p>See below.</p>\n"
FILE = 'Content-Type: text/plain; name="a.txt"\nContent-Disposition: {}; filename="a.txt"\n\nThey lie.\n'


def parts_of(tmp_path: Path, mail: str) -> list[tuple[str, str]]:
    """What is read of a message: what each document is called after the file, and its text."""
    file = tmp_path / "a.eml"
    file.write_text(mail)
    return [(item.id.removeprefix(str(file)), item.text) for item in Sources().read(str(file))]


@pytest.mark.parametrize(
    "mail",
    [
        multipart("signed", multipart("mixed", PLAIN, FILE.format("attachment")), "Content-Type: x/signature\n\nx\n"),
        multipart("alternative", PLAIN, multipart("mixed", HTML, FILE.format("inline"), HTML)),  # as Apple Mail does
        multipart("mixed", multipart("alternative", PLAIN, multipart("related", HTML)), FILE.format("attachment")),
    ],
    ids=["signed", "form", "beside"],
)
def test_files_are_found_wherever_a_message_has_them(tmp_path: Path, mail: str):
    assert parts_of(tmp_path, f"Subject: The bridge\n{mail}") == [
        ("", "The bridge\n\nSee below."),
        ("!a.txt", "They lie."),
    ]


def test_the_html_of_a_message_is_read_where_its_plain_form_is_empty(tmp_path: Path):
    mail = multipart("alternative", "Content-Type: text/plain\n\n \n\n", HTML)
    assert read_bytes_as(tmp_path, "a.eml", f"Subject: The bridge\n{mail}".encode()).text == "The bridge\n\nSee below."


def test_a_message_that_only_carries_files_is_no_error(tmp_path: Path):
    mail = attached({"a.txt": b"They lie."}, text="")
    del mail["Subject"]
    (tmp_path / "a.eml").write_bytes(mail.as_bytes())
    (document,) = Sources().read(str(tmp_path / "a.eml"))
    assert isinstance(document, Document)
    assert (document.id.partition("!")[2], document.text) == ("a.txt", "They lie.")


@pytest.mark.parametrize("kind", ["application/octet-stream", "text/plain\nContent-Disposition: attachment"])
def test_a_message_may_be_nothing_but_a_file(tmp_path: Path, kind: str):
    mail = f"Subject: Scan\nContent-Type: {kind}; filename=a.txt; name=a.txt\n\nThey lie."
    assert parts_of(tmp_path, mail) == [("", "Scan"), ("!a.txt", "They lie.")]


def test_messages_in_messages_in_messages_are_refused(tmp_path: Path):
    mail = attached({"a.txt": b"They lie."})
    for _ in range(3):
        mail, inner = message(), mail
        mail.add_attachment(inner)
    file = tmp_path / "a.eml"
    file.write_bytes(mail.as_bytes())
    errors = [str(item) for item in Sources().read(str(file)) if isinstance(item, InputError)]
    assert any("lie in 2 archives or messages, one in the other" in error for error in errors)


# -- archives ---------------------------------------------------------------------------------------------------------


def zipped(files: dict[str, bytes], *, packed: bool = True) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return data.getvalue()


def test_an_archive_is_the_documents_in_it(tmp_path: Path):
    inner = zipped({"deep.txt": b"Deep."})
    files = {
        "b/two.html": (SAMPLES / "article.html").read_bytes(),
        "a.txt": b"One.",
        "bad.txt": bytes(9),
        "picture.png": b"\x89PNG",
        "__MACOSX/._a.txt": b"junk",
        "b/~$two.docx": b"junk",
        "../escape.txt": b"Up.",
        "inner.zip": inner,
    }
    file = tmp_path / "news.zip"
    file.write_bytes(zipped(files))
    found = list(Sources().read(str(file)))
    documents = [item.id.removeprefix(str(file)) for item in found if isinstance(item, Document)]
    assert documents == ["!a.txt", "!b/two.html", "!inner.zip!deep.txt"]
    (error,) = [item for item in found if isinstance(item, InputError)]
    assert str(error).startswith(f"{file}!bad.txt: character 0 is NUL")
    assert {path.name for path in tmp_path.iterdir()} == {"news.zip"}  # nothing is unpacked to the disk


def test_of_files_with_one_name_in_an_archive_the_last_is_read_once(tmp_path: Path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a.txt", "First.")
        archive.writestr("b.txt", "Other.")
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr("a.txt", "Last.")
    found = [(item.text, item.warnings) for item in Sources().read(str(tmp_path / "a.zip"))]
    assert found == [("Last.", ("2 files of the archive have this name: the last one was read",)), ("Other.", ())]


def test_archives_in_archives_in_archives_are_refused(tmp_path: Path):
    data = zipped({"a.txt": b"x"})
    for _ in range(4):
        data = zipped({"inner.zip": data})
    with pytest.raises(InputError, match="lies in 2 archives"):
        read_bytes_as(tmp_path, "deep.zip", data)


# -- hostile files ----------------------------------------------------------------------------------------------------

SMALL = Limits(n_unpacked=2_000_000, n_files=50, n_bytes=1_000_000)
LAUGHS = (
    '<?xml version="1.0"?><!DOCTYPE w [<!ENTITY a "lol">'
    + "".join(f'<!ENTITY {chr(98 + i)} "{f"&{chr(97 + i)};" * 10}">' for i in range(9))
    + "]>"
)


def docx_with(document_xml: bytes) -> bytes:
    return zipped({"word/document.xml": document_xml})


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("bomb.zip", zipped({"a.txt": bytes([32]) * 5_000_000}), "unpacks to more than 2,000,000 bytes"),
        ("many.zip", zipped({f"{i}.txt": b"x" for i in range(60)}), "holds more than 50 files"),
        ("empty.zip", zipped({}), "no file in this archive is of a kind"),
        ("cut.zip", zipped({"a.txt": b"x" * 999})[:-30], "is no intact zip file"),
        ("no.zip", b"not a zip", "is no intact zip file"),
        ("bomb.docx", docx_with(b" " * 5_000_000), "unpacks to more than"),
        ("laughs.docx", docx_with(f"{LAUGHS}<w>&j;</w>".encode()), "hostile|defines entities"),
        (
            "file.docx",
            docx_with(b'<!DOCTYPE w [<!ENTITY x SYSTEM "file:///etc/passwd">]><w>&x;</w>'),
            "defines entities",
        ),
        ("broken.docx", docx_with(b"<w:document"), "XML is damaged"),
        ("other.docx", zipped({"a.txt": b"x"}), "is no Word document"),
        ("no.docx", b"\xd0\xcf\x11\xe0 an old .doc", "is no intact zip file"),
        ("other.epub", zipped({"a.txt": b"x"}), "is no e-book"),
        ("gap.epub", zipped({"META-INF/container.xml": b"<c><rootfile full-path='x.opf'/></c>"}), "'x.opf' is missing"),
        ("no.pdf", b"plain text", "is no intact PDF"),
        ("cut.pdf", (SAMPLES / "article.pdf").read_bytes()[:3000], "cut.pdf: "),
        ("no.srt", b"\x00\x01", "cut.srt|no.srt"),
        ("no.srt", b"Only prose, no cues at all.", "no subtitle|no subtitles"),
        ("no.eml", b"\n\nno header", "is no e-mail"),
        ("a.rtf", rb"{\rtf1\ansi\f0\fs24 They lie.}", "is RTF, whose commands would be taken for words"),
        ("blank.html", b"<html><body></body></html>", "no article was found"),
        ("large.html", b"<p>" * 400_000, "has more than 1,000,000 bytes"),
    ],
    ids=lambda value: value if isinstance(value, str) and "." in value else "",
)
def test_wrong_and_hostile_files_are_one_line(tmp_path: Path, name: str, data: bytes, message: str):
    tracemalloc.start()
    with pytest.raises(InputError, match=message) as caught:
        read_bytes_as(tmp_path, name, data, limits=SMALL)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(str(tmp_path / name))
    assert peak < 60_000_000


def pdf_with(stream: bytes, *, n_pages: int = 1) -> bytes:
    """A PDF whose pages all show the same compressed content."""
    font = b"/Resources<</Font<</F1<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>>>>>"
    kids = b" ".join(b"%d 0 R" % (4 + i) for i in range(n_pages))
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[%s]/Count %d>>" % (kids, n_pages),
        b"<</Length %d/Filter/FlateDecode>>stream\n%s\nendstream" % (len(stream), stream),
        *[b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]%s/Contents 3 0 R>>" % font] * n_pages,
    ]
    data, offsets = b"%PDF-1.4\n", []
    for number, content in enumerate(objects, start=1):
        offsets.append(len(data))
        data += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    end = b"trailer<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF" % (len(objects) + 1, len(data))
    return data + b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1) + table + end


def test_pdf_bombs_are_one_line(tmp_path: Path):
    whole = zlib.compress(b"BT /F1 9 Tf (Bomb) Tj ET ")
    assert read_bytes_as(tmp_path, "whole.pdf", pdf_with(whole)).text == "Bomb"
    packer = zlib.compressobj(9)
    bomb = b"".join(packer.compress(b"q " * 500_000) for _ in range(150)) + packer.flush()
    assert len(bomb) < 500_000
    with pytest.raises(InputError, match="unpacks to too many bytes"):
        read_bytes_as(tmp_path, "bomb.pdf", pdf_with(bomb))
    slow = zlib.compress(b"BT /F1 9 Tf (x) Tj ET " * 5_000)
    with pytest.raises(InputError, match=r"takes longer than 0\.5 seconds"):
        read_bytes_as(tmp_path, "slow.pdf", pdf_with(slow, n_pages=2_000), limits=Limits(seconds=0.5))
    with pytest.raises(InputError, match="has more than 10 pages"):
        read_bytes_as(tmp_path, "long.pdf", pdf_with(whole, n_pages=11), limits=Limits(n_pages=10))


def test_a_page_of_forms_in_forms_ends_when_its_time_is_over(tmp_path: Path):
    canvas = pytest.importorskip("reportlab.pdfgen.canvas")
    pdf = canvas.Canvas(str(tmp_path / "forms.pdf"))
    for depth in range(15):  # each shows the one before twice
        pdf.beginForm(f"form{depth}")
        if depth:
            pdf.doForm(f"form{depth - 1}")
            pdf.doForm(f"form{depth - 1}")
        else:
            pdf.drawString(0, 0, "They lie.")
        pdf.endForm()
    pdf.doForm("form14")
    pdf.save()
    start = time.monotonic()
    with pytest.raises(InputError, match=r"takes longer than 0\.5 seconds"):
        read_one(tmp_path / "forms.pdf", limits=Limits(seconds=0.5))
    assert time.monotonic() - start < 5


def test_deep_markup_does_not_break_the_reader(tmp_path: Path):
    inside = "<p>They want to destroy everything that we love, and nobody has asked us about it at all.</p>" * 3
    data = ("<div>" * 20_000 + inside + "</div>" * 20_000).encode()
    (tmp_path / "deep.html").write_bytes(data)
    (item,) = Sources().read(str(tmp_path / "deep.html"))  # libxml2 may refuse such a depth
    assert "\n" not in str(item) if isinstance(item, InputError) else "destroy" in item.text


def test_a_book_with_locked_pages_is_refused(tmp_path: Path):
    with zipfile.ZipFile(SAMPLES / "article.epub") as book:
        files = {name: book.read(name) for name in book.namelist()}
    lock = b'<encryption><EncryptedData><EncryptionMethod Algorithm="%s"/></EncryptedData></encryption>'
    locked = {**files, "META-INF/encryption.xml": lock % b"http://www.w3.org/2001/04/xmlenc#aes256-cbc"}
    with pytest.raises(InputError, match="DRM"):
        read_bytes_as(tmp_path, "a.epub", zipped(locked))
    fonts = {**files, "META-INF/encryption.xml": lock % b"http://www.idpf.org/2008/embedding"}
    assert SENTENCES[0] in read_bytes_as(tmp_path, "b.epub", zipped(fonts)).text


def test_a_book_is_read_without_the_chapters_that_are_missing_or_damaged(tmp_path: Path):
    items = "".join(f"<item id='{i}' href='{i}.xhtml' media-type='application/xhtml+xml'/>" for i in "abc")
    spine = "".join(f"<itemref idref='{i}'/>" for i in "abc")
    files = {
        "META-INF/container.xml": b"<c><rootfile full-path='x/book.opf'/></c>",
        "x/book.opf": f"<package><manifest>{items}</manifest><spine>{spine}</spine></package>".encode(),
    }
    chapters = {f"x/{i}.xhtml": f"<html><body><p>Chapter {i}.</p></body></html>".encode() for i in "ac"}
    document = read_bytes_as(tmp_path, "a.epub", zipped(files | chapters))
    assert document.text == "Chapter a.\n\nChapter c."
    warning = "parts of the book are missing or damaged (x/b.xhtml): the others were read"
    assert document.warnings == (warning,)
    with pytest.raises(InputError, match=r"none of its chapters can be read \(x/a.xhtml, x/b.xhtml, x/c.xhtml\)"):
        read_bytes_as(tmp_path, "b.epub", zipped(files))
    whole = zipped(files | chapters | {"x/b.xhtml": b"<html><body><p>Chapter b.</p></body></html>"}, packed=False)
    document = read_bytes_as(
        tmp_path, "c.epub", whole.replace(b"Chapter b.", b"Chapter X.")
    )  # its checksum is wrong now
    assert document.text == "Chapter a.\n\nChapter c."
    assert document.warnings == (warning,)


def test_a_pdf_is_read_without_the_pages_that_are_damaged(tmp_path: Path):
    canvas = pytest.importorskip("reportlab.pdfgen.canvas")
    pdf = canvas.Canvas(str(tmp_path / "a.pdf"), pageCompression=0)
    for number in range(1, 5):
        pdf.drawString(70, 700, f"{'abcd'[number - 1] * 9} is page {number}.")
        pdf.showPage()
    pdf.save()
    data = (tmp_path / "a.pdf").read_bytes()
    assert read_one(tmp_path / "a.pdf").warnings == ()
    cut = data.replace(b"page 2.)", b"page 2. ").replace(b"page 3.)", b"page 3. ")  # two texts without their ends
    document = read_bytes_as(tmp_path, "b.pdf", cut)
    assert document.text == "aaaaaaaaa is page 1.\n\nddddddddd is page 4."
    assert document.warnings == ("damaged pages were left out (2, 3): the others were read",)
    assert [name for _, name in document.meta["anchors"]] == ["page 1", "page 4"]
    with pytest.raises(InputError, match=r"none of its pages can be read \(PdfStreamError: Stream has ended"):
        read_bytes_as(tmp_path, "c.pdf", cut.replace(b"page 1.)", b"page 1. ").replace(b"page 4.)", b"page 4. "))


def test_a_zip_entry_with_a_password_is_an_error_row(tmp_path: Path):
    data = bytearray(zipped({"a.txt": b"x"}))
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(mark) + offset] |= 1
    with pytest.raises(InputError, match="locked with a password"):
        read_bytes_as(tmp_path, "a.zip", bytes(data))


def test_a_missing_package_names_its_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    import builtins

    real = builtins.__import__

    def without(name: str, *rest, **more):
        if name.split(".")[0] in ("trafilatura", "pypdf", "lxml", "pysubs2"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    for name, extra in (("a.html", "html"), ("a.pdf", "pdf"), ("a.srt", "subtitles")):
        with pytest.raises(InputError, match=rf"pip install 'rhetoric-detector\[{extra}\]'"):
            read_bytes_as(tmp_path, name, b"x")
    with pytest.raises(InputError, match=r"rhetoric-detector\[docx\]"):
        read_bytes_as(tmp_path, "a.docx", docx_with(b"<w/>"))


# -- which reader -----------------------------------------------------------------------------------------------------


def test_the_kind_is_told_by_suffix_then_by_first_bytes(tmp_path: Path):
    for name in ("article.docx", "article.epub", "article.pdf", "article.html"):
        document = read_bytes_as(tmp_path, "noname", (SAMPLES / name).read_bytes())
        assert document.meta["format"] == name.partition(".")[2]
    (piped,) = Sources(kind="pdf").read("-", stdin=io.BytesIO((SAMPLES / "article.pdf").read_bytes()))
    assert isinstance(piped, Document)
    assert SENTENCES[2] in piped.text
    assert set(KINDS) == set(SUFFIXES.values())


def test_the_language_is_told_or_left_open():
    english = "They say that the people of this country will not have it, and they are right about that."
    german = "Die Regierung hat gestern beschlossen, dass niemand mehr ohne Genehmigung in die Stadt fahren darf."
    assert language_of(english) == "en"
    assert language_of(german) == "de"
    assert language_of("Nein!") is None


W = "xmlns:w='http://schemas.openxmlformats.org/wordprocessingml/2006/main'"


def paragraph(text: str) -> str:
    return f"<w:p><w:r><w:t>{text}</w:t></w:r></w:p>"


def test_word_forms_are_read_whole_and_text_boxes_once(tmp_path: Path):
    cell = f"<w:tc>{paragraph('in a form')}</w:tc>"
    box = f"<w:txbxContent>{paragraph('Boxed.')}</w:txbxContent>"
    body = (
        f"<w:tbl><w:tr><w:sdt><w:sdtContent>{cell}</w:sdtContent></w:sdt><w:tc>{paragraph('plain')}</w:tc></w:tr></w:tbl>"
        f"<w:p><w:r><w:Choice>{box}</w:Choice><w:Fallback>{box}</w:Fallback></w:r></w:p>"
        f"<w:moveFrom>{paragraph('Gone.')}</w:moveFrom>{paragraph('Stays.')}"
    )
    data = docx_with(f"<w:document {W}><w:body>{body}</w:body></w:document>".encode())
    assert read_bytes_as(tmp_path, "a.docx", data).text.split() == ["in", "a", "form", "plain", "Boxed.", "Stays."]


def test_an_attachment_that_is_no_text_leaves_the_message(tmp_path: Path):
    mail = attached({})
    mail.add_attachment(bytes(range(256)).replace(b"\0", b""), maintype="text", subtype="plain", filename="log.txt")
    (tmp_path / "a.eml").write_bytes(mail.as_bytes())
    body, problem = Sources().read(str(tmp_path / "a.eml"))
    assert isinstance(body, Document)
    assert "See below." in body.text
    assert str(problem).startswith(f"{tmp_path / 'a.eml'}!log.txt: byte ")


def test_a_question_mark_in_a_file_name_hides_no_suffix(tmp_path: Path):
    data = b"1\n00:00:01,000 --> 00:00:02,000\nThey lie.\n"
    assert read_bytes_as(tmp_path, "Is it true?.srt", data).text == "They lie."


def test_web_subtitles_are_unescaped(tmp_path: Path):
    data = b"WEBVTT\n\n00:01.000 --> 00:02.000\nThem &amp; us &lt;all&gt;\n"
    assert read_bytes_as(tmp_path, "a.vtt", data).text == "Them & us <all>"


def test_the_largest_size_holds_whatever_the_file_is_called(tmp_path: Path):
    data = (SAMPLES / "article.pdf").read_bytes()
    (tmp_path / "article").write_bytes(data)
    small = Sources(limits=Limits(n_bytes=500))
    for found in (small.read(str(tmp_path / "article")), small.read("-", stdin=io.BytesIO(data))):
        (problem,) = found
        assert "has more than 500 bytes: raise the limit with --max-size" in str(problem)


def test_no_memory_is_taken_for_a_size_that_no_file_has():
    assert SENTENCES[2] in read_one(SAMPLES / "article.pdf", limits=Limits(n_bytes=10**15)).text


def test_a_page_that_says_it_is_utf_16_is_not(tmp_path: Path):
    page = (SAMPLES / "article.html").read_text(encoding="utf-8")
    plain = read_bytes_as(tmp_path, "a.html", page.encode()).text
    stated = page.replace("<head>", '<head><meta charset="utf-16">', 1)
    assert stated != page
    assert read_bytes_as(tmp_path, "b.html", stated.encode()).text == plain


def test_a_page_that_a_browser_saved_in_one_file_is_read_like_a_page(tmp_path: Path):
    saved = EmailMessage()
    saved["From"], saved["Subject"] = "<Saved by Blink>", "The mayor"
    saved.set_content((SAMPLES / "article.html").read_text(encoding="utf-8"), subtype="html", cte="quoted-printable")
    saved["Content-Location"] = "https://example.org/bridge"
    saved.add_related(b"p { color: red }", maintype="text", subtype="css")
    document = read_bytes_as(tmp_path, "a.mhtml", saved.as_bytes())
    assert document.text == read_one(SAMPLES / "article.html").text
    assert document.meta["url"] == "https://example.org/bridge"
    with pytest.raises(InputError, match="there is no web page in this file"):
        read_bytes_as(tmp_path, "a.mht", message("plain").as_bytes().replace(b"text/html", b"text/css"))


def test_a_chapter_is_read_in_the_encoding_that_it_states():
    root = parsed_markup(
        "<?xml version='1.0' encoding='iso-8859-1'?><html><body><p>über</p></body></html>".encode("latin-1"),
        id="a",
        kind="EPUB",
        extra="epub",
    )
    assert root is not None
    assert "".join(root.itertext()) == "über"


@pytest.mark.parametrize("text", ["a na\xefve idea", "na\xefve clich\xe9, the traitors\x92 plan"])
def test_few_bytes_are_guessed_to_be_western(tmp_path: Path, text: str):
    document = read_bytes_as(tmp_path, "w.txt", text.encode("latin-1"))
    assert document.text == text.encode("latin-1").decode("cp1252")

"""Quotations: every kind of mark, who speaks, and texts that try to lead astray."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.quotes import document_quotations, quotation_of, quotations
from detector.spans import Document, Span


def found(text: str, kind: str | None = None) -> list[tuple[str, str | None]]:
    return [(text[q.start : q.end], q.speaker) for q in quotations(text) if kind in (None, q.kind)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("“They lie,” said Maria Ortega, who sells bread.", [("“They lie,”", "Maria Ortega")]),
        ("“They lie,” Maria Ortega said on Monday.", [("“They lie,”", "Maria Ortega")]),
        ('"They lie," said the mayor of London on Monday.', [('"They lie,"', "the mayor of London")]),
        ("„Sie lügen“, said Otto von Bismarck.", [("„Sie lügen“", "Otto von Bismarck")]),
        ("« Ils mentent », said Jean-Luc Picard.", [("« Ils mentent »", "Jean-Luc Picard")]),
        ("»Sie lügen«, said Jürgen Groß.", [("»Sie lügen«", "Jürgen Groß")]),
        ("「嘘だ」 wrote Ken Sato.", [("「嘘だ」", "Ken Sato")]),
        ("‘We don’t know,’ said Ann Lee.", [("‘We don’t know,’", "Ann Lee")]),
        ("'We are done,' said Ann Lee.", [("'We are done,'", "Ann Lee")]),
        ("Its leader told reporters that he “peddles fear” again.", [("“peddles fear”", "Its leader")]),
        ("Senator Bernie Sanders, a Vermonter, called it “rigged”.", [("“rigged”", "Senator Bernie Sanders")]),
        ("“No,” FBI spokeswoman Sandra Breault told the paper.", [("“No,”", "FBI spokeswoman Sandra Breault")]),
        ("According to Dr. Ann Lee, it is “a disgrace” to all.", [("“a disgrace”", "Dr. Ann Lee")]),
        ("Smith: “Yes.”", [("“Yes.”", "Smith")]),
        ("The firm’s lawyer, Peter Hahn, said “never”.", [("“never”", "Peter Hahn")]),
        ("“Never,” said Greenwater activist Jon Hale.", [("“Never,”", "Greenwater activist Jon Hale")]),
        (
            "“A disgrace,” Smith said Tuesday. “It must stop.”",
            [("“A disgrace,”", "Smith"), ("“It must stop.”", "Smith")],
        ),
        ("“No,” she said. “Never.”", [("“No,”", None), ("“Never.”", None)]),
        ("The so-called “deep state” rules.", [("“deep state”", None)]),
        ("“No,” said Trump’s campaign manager Ann Lee.", [("“No,”", "Trump’s campaign manager Ann Lee")]),
        ("“No,” said Clinton's husband.", [("“No,”", "Clinton's husband")]),
        ("“No,” Putin critic Alexei Navalny told us.", [("“No,”", "Putin critic Alexei Navalny")]),
        ("“No,” said White House aides on Friday.", [("“No,”", "White House aides")]),
        ("“No,” said Ann Lee yesterday.", [("“No,”", "Ann Lee")]),
        ("“No,” said Ann Lee of the union.", [("“No,”", "Ann Lee")]),
        ("“No” – Karl Marx", [("“No”", "Karl Marx")]),
        ("“America First” — Hitler would have loved it.", [("“America First”", None)]),
        ("Trump told the crowd: “Lock her up.” Clinton said nothing.", [("“Lock her up.”", "Trump")]),
        ("Trump said, “She lies.” Clinton called it shameful.", [("“She lies.”", "Trump")]),
        ("“She lies.” Clinton said nothing.", [("“She lies.”", None)]),
        ("He shouted “Traitor!” Police charged him.", [("“Traitor!”", None)]),
        ("“Why?” Smith asked.", [("“Why?”", "Smith")]),
        ("In a vile betrayal of us, Biden said, “I am tired.”", [("“I am tired.”", "Biden")]),
    ],
)
def test_marks_and_speakers(text: str, expected: list[tuple[str, str | None]]):
    assert found(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("According to the city’s engineers, the piers move.", [("the piers move.", "the city’s engineers")]),
        ("But according to Human Rights Watch, thousands fled.", [("thousands fled.", "Human Rights Watch")]),
        ("The deal is a disaster, said the prime minister.", [("The deal is a disaster", "the prime minister")]),
        ("The deal is a disaster, John Kerry warned.", [("The deal is a disaster", "John Kerry")]),
        ("The deal is a disaster, according to Mr. Kerry.", [("The deal is a disaster", "Mr. Kerry")]),
        ("Mr. Trump said that the U.S. was robbed.", [("the U.S. was robbed.", "Mr. Trump")]),
        ("He says they are traitors to us.", []),  # nobody is named, and no “that” tells that it is speech
        ("He says that they are traitors to us.", [("they are traitors to us.", None)]),
        ("The minister said nothing to them and left.", []),
        ("Critics argue that the law is cruel.", [("the law is cruel.", "Critics")]),
        ("Some may claim that it is bad to lie.", []),
        ("The mayor did say that it is bad to lie.", []),
        ("She said hello. Trump insisted on a new election today.", []),
        ("The local tradition is said to be old and odd.", []),
    ],
)
def test_reported_speech(text: str, expected: list[tuple[str, str | None]]):
    assert found(text, "reported") == expected


def test_a_nested_quotation_belongs_to_the_outer_one():
    assert found("“He told me “never” and left,” said Ray.") == [("“He told me “never” and left,”", "Ray")]
    assert found("“He cried ‘Fire!’ and ran,” said Ray.") == [("“He cried ‘Fire!’ and ran,”", "Ray")]


@pytest.mark.parametrize(
    "text",
    [
        "The dogs' bowl, the '90s, rock 'n' roll, 'tis and don't.",
        "The dogs’ bowl, the ’90s, rock ’n’ roll, ’tis and don’t.",
        'A 6" pipe of 5\' 10" is 12" too long.',
        "He “never closed it. And so on.",
        'A stray " mark, and nothing more.',
        '"',
        "“”",
        "",
    ],
)
def test_what_is_no_quotation(text: str):
    assert [q for q in found(text) if q[0] != "“”"] == []


def test_an_inch_does_not_close_a_quotation():
    assert found('"It was 6" long," said Bob Stone. "Really."') == [
        ('"It was 6" long,"', "Bob Stone"),
        ('"Really."', "Bob Stone"),
    ]
    assert found('"Not in 2016" and "not now" he said.')[0][0] == '"Not in 2016"'


def test_an_unclosed_mark_does_not_swallow_the_next_paragraph():
    text = 'He said "never closed it.\n\nThe end is "near" now.'
    assert found(text) == [('"near"', None)]


@pytest.mark.parametrize("mark", ["“”", '""', "«»"])
def test_a_speech_of_several_paragraphs_has_one_speaker(mark: str):
    a, b = mark
    text = f"{a}One paragraph.\n\n{a}Two paragraphs.\n\n{a}The last,{b} said Jean-Luc Picard.\n\nMy words."
    assert found(text) == [
        (f"{a}One paragraph.", "Jean-Luc Picard"),
        (f"{a}Two paragraphs.", "Jean-Luc Picard"),
        (f"{a}The last,{b}", "Jean-Luc Picard"),
    ]


def test_block_quotes_of_markdown_mail_and_markup():
    text = "> They lie,\r\n> all of them.\r\n\r\nMy answer: no.\r\n>> Older.\r\n"
    assert found(text, "block") == [("> They lie,\r\n> all of them.", None), (">> Older.", None)]
    document = Document("a", "Mine.\n\nTheirs “x” too.\n\nMine.", meta={"block_quotes": [[7, 23]]})
    assert [(q.start, q.end, q.kind) for q in document_quotations(document)] == [(7, 23, "block")]


def test_a_block_quote_within_a_block_quote_is_part_of_it():
    text = "Mine. “Theirs, at length” and “more” after. “Mine.”"
    found = quotations(text, ((6, 42), (10, 20)))
    assert [(q.start, q.end, q.kind) for q in found] == [(6, 42, "block"), (44, 51, "marks")]
    assert quotation_of(Span(30, 36, "doubt"), found) == found[0]


def test_many_block_quotes_beside_many_quoted_lines_take_no_time():
    text = "> theirs\n\nMine.\n\n" * 20_000
    blocks = tuple((i * 17 + 10, i * 17 + 15) for i in range(20_000))
    begun = time.perf_counter()
    assert len(quotations(text, blocks)) == 40_000
    assert time.perf_counter() - begun < 20


def test_a_span_lies_in_a_quotation_only_as_a_whole():
    text = "Then “they lie” and so on."
    quoted = quotations(text)
    assert quotation_of(Span(6, 10, "doubt"), quoted) == quoted[0]
    assert quotation_of(Span(5, 15, "doubt"), quoted) == quoted[0]
    assert quotation_of(Span(0, 10, "doubt"), quoted) is None
    assert quotation_of(Span(12, 20, "doubt"), quoted) is None


PIECES = st.sampled_from(
    [
        *"“”„«»‹›\"'‘’「」>.,:— ",
        "\n",
        "\n\n",
        "said ",
        "Ann Lee ",
        "according to ",
        "the mayor ",
        '6"',
        "They lie",
        "’s ",
    ]
)


@given(st.lists(PIECES, max_size=60).map("".join))
def test_any_text_gives_ranges_in_order_inside_it(text: str):
    last = 0
    for quotation in quotations(text):
        assert last <= quotation.start < quotation.end <= len(text)
        assert quotation.speaker is None or quotation.speaker in text
        last = quotation.end


@pytest.mark.parametrize(
    "piece", ["“", '"', "“a ", "'A,' ", ".", "Aa ", "said ", "the a ", "> a\n", '"A," said B. ', ", a"]
)
def test_time_grows_with_the_text_and_no_faster(piece: str):
    start = time.perf_counter()
    quotations(piece * (60_000 // len(piece)))
    assert time.perf_counter() - start < 10  # under a second on an idle machine

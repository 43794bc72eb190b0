"""Who speaks: the parts of a text that quote somebody, and whom, where the sentence names them. Rules, no model.

Three kinds. **marks**: between “…”, „…“, «…», »…«, ‹…›, 「…」, "…" and, where punctuation shows that they are no
apostrophes, ‘…’ and '…'. **block**: lines that begin with ``>``, and the block quotes that a reader found in the markup
(``meta["block_quotes"]``). **reported**: what a sentence without marks says that somebody said (``according to X, …``,
``…, said X``, ``X said that …``; English only).

A quotation does not leave its paragraph, which ends at a blank line or after a line too long to be a wrapped one; an
opening mark that is never closed opens nothing, except where the next paragraph opens again, as newspapers write a
quotation of several paragraphs. Apostrophes and inches are left alone. Of nested quotations the outermost counts.
"""

from __future__ import annotations

import bisect
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from detector.sentences import sentences
from detector.spans import Document, Span, merge_ranges

_CLOSING = {"“": "”", "„": "“”", "«": "»", "»": "«", "‹": "›", "「": "」", "『": "』", '"': '"', "‘": "’", "'": "'"}
_MARKS = re.compile("[“”„«»‹›「」『』\"‘’']")
_SINGLE = "‘'"
_SPACED = "«‹"  # French typography sets a space inside
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n|$)")
_LONGEST_WRAPPED_LINE = 120
_LONGEST_SINGLE = 1000
_DEEPEST = 4
_MOST_MARKS = 200  # that may stand inside a quotation: a text of nothing but marks is read in linear time
_BEFORE_OPENING = "([{<-–—/‘'“„«»\"…:"
_ELISION = re.compile(r"(?:tis|twas|twere|em|til|till|cause|bout|round|n|cos|\d\ds?)\b", re.IGNORECASE)
_WINDOW = 240  # characters before and after a quotation that may name its speaker
_BLOCK_LINE = re.compile(r"^[ \t]{0,3}>[^\r\n]*", re.MULTILINE)


@dataclass(frozen=True, slots=True, order=True)
class Quotation:
    """Characters ``[start, end)`` that somebody else said, quotation marks included.

    ``kind``: ``marks``, ``block`` or ``reported``. ``speaker``: as the sentence names them, such as ``Maria Ortega``
    or ``the mayor``; None where it names nobody, or only ``she``.
    """

    start: int
    end: int
    kind: str
    speaker: str | None = None


def document_quotations(document: Document) -> tuple[Quotation, ...]:
    """The quotations of a document, in order, not overlapping; block quotes of its markup included."""
    blocks = document.meta.get("block_quotes", ())
    return quotations(document.text, tuple((int(start), int(end)) for start, end in blocks))


def quotation_of(span: Span, found: Sequence[Quotation]) -> Quotation | None:
    """The quotation that a span lies in, all of it; None where it does not. ``found`` is in order."""
    i = bisect.bisect_right(found, span.start, key=lambda q: q.start) - 1
    return found[i] if i >= 0 and span.end <= found[i].end else None


@lru_cache(maxsize=4)  # a document is asked about several times in a row; more would only hold texts
def quotations(text: str, blocks: tuple[tuple[int, int], ...] = ()) -> tuple[Quotation, ...]:
    """The quotations of a text, in order, not overlapping; ``blocks`` are ranges of block quotes known already.

    >>> text = "“They lie,” said Ann Lee. According to the mayor, the bridge is 6' wide."
    >>> [(text[q.start:q.end], q.speaker) for q in quotations(text)]
    [('“They lie,”', 'Ann Lee'), ("the bridge is 6' wide.", 'the mayor')]
    """
    paragraphs = list(_paragraphs(text))
    found = _block_quotations(text, blocks)
    found = sorted([*found, *(q for q in _marked(text, paragraphs) if not _touches(q, found))])
    reported = [q for start, end in paragraphs for q in _reported(text, start, end) if not _touches(q, found)]
    return tuple(sorted([*found, *reported]))


# -- paragraphs and block quotes -------------------------------------------------------------------------------------


def _paragraphs(text: str) -> Iterator[tuple[int, int]]:
    """The ranges of paragraphs that are not blank, without the white space around them."""
    start = end = -1
    for line in _LINE.finditer(text):
        content = line[0].strip()
        if content:
            first = line.start() + len(line[0]) - len(line[0].lstrip())
            start, end = (first if start < 0 else start), first + len(content)
        if start >= 0 and (not content or len(content) > _LONGEST_WRAPPED_LINE):
            yield start, end
            start = -1
    if start >= 0:
        yield start, end


def _block_quotations(text: str, known: Iterable[tuple[int, int]]) -> list[Quotation]:
    """The block quotes that are known, inner ones as part of outer ones, and those of lines that begin with ``>``.

    Lines of ``>`` that follow each other are one.
    """
    ranges: list[tuple[int, int]] = []
    for line in _BLOCK_LINE.finditer(text):
        if ranges and not text[ranges[-1][1] : line.start()].strip():
            ranges[-1] = (ranges[-1][0], line.end())
        else:
            ranges.append(line.span())
    taken = merge_ranges((a, b) for a, b in known if 0 <= a < b <= len(text))
    blocks, lines = ([Quotation(a, b, "block") for a, b in part] for part in (taken, ranges))
    return sorted([*blocks, *(line for line in lines if not _touches(line, blocks))])


def _touches(one: Quotation, found: Sequence[Quotation]) -> bool:
    """Whether a quotation shares a character with one of these, which are in order and do not overlap."""
    i = bisect.bisect_left(found, one.end, key=lambda q: q.start) - 1
    return i >= 0 and found[i].end > one.start


# -- quotation marks -------------------------------------------------------------------------------------------------


def _marked(text: str, paragraphs: Sequence[tuple[int, int]]) -> list[Quotation]:
    """The quotations in marks, with their speakers."""
    found: list[Quotation] = []
    for i, (start, end) in enumerate(paragraphs):
        following = paragraphs[i + 1][0] if i + 1 < len(paragraphs) else len(text)
        before = len(found)
        for first, last in _in_paragraph(text, start, end, following):
            found.append(Quotation(first, last, "marks"))
        if len(found) > before:
            found[before:] = _with_speakers(text, found[before:], start, end)
    return _one_voice(text, found)


def _in_paragraph(text: str, start: int, end: int, following: int) -> Iterator[tuple[int, int]]:
    at = start
    marks = [mark.start() for mark in _MARKS.finditer(text, start, end)]
    for i, mark in enumerate(marks):
        if mark < at or not _opens(text, mark, start, end):
            continue
        later = marks[i + 1 : i + 1 + _MOST_MARKS]
        closing = _closing(text, mark, later, start, end)
        if closing is None and _goes_on(text, mark, later, following):
            closing = end - 1
        if closing is not None:
            at = closing + 1
            yield mark, at


def _closing(text: str, opening: int, marks: Sequence[int], start: int, end: int) -> int | None:
    """The mark that closes the quotation; None where there is none. Quotations inside it close first."""
    mark, depth = text[opening], 1
    for n, i in enumerate(marks):
        if mark in _SINGLE and i - opening > _LONGEST_SINGLE:
            return None
        if text[i] in _CLOSING[mark] and _closes(text, i, end, single=mark in _SINGLE):
            if text[i] == '"' and _is_inch(text, i, marks[n + 1 : n + 20], start, end):
                continue
            depth -= 1
        elif text[i] == mark and _opens(text, i, start, end):
            depth += 1
        if depth == 0:
            return i
        if depth > _DEEPEST:
            return None
    return None


def _is_inch(text: str, i: int, marks: Sequence[int], start: int, end: int) -> bool:
    """Whether a mark after a digit inside a quotation is an inch: then one that can only close is still to come."""
    later = next((mark for mark in marks if text[mark] == '"'), None)
    if later is None or not text[i - 1].isdigit() or text[later - 1].isdigit():
        return False
    return _closes(text, later, end, single=False) and not _opens(text, later, start, end)


def _goes_on(text: str, opening: int, marks: Sequence[int], following: int) -> bool:
    """Whether an unclosed mark is the last of its paragraph and the next paragraph starts with the same one."""
    mark = text[opening]
    return mark not in _SINGLE and mark not in (text[i] for i in marks) and text[following : following + 1] == mark


def _opens(text: str, i: int, start: int, end: int) -> bool:
    mark = text[i]
    if mark not in _CLOSING:
        return False
    before = " " if i == start else text[i - 1]
    inside = i + 1 < end and (mark in _SPACED or not text[i + 1].isspace())
    if not inside or (mark in _SINGLE and (_ELISION.match(text, i + 1) or not text[i + 1].isalpha())):
        return False
    if mark in "「『":
        return True
    return before.isspace() or (before in _BEFORE_OPENING and not (mark in _SINGLE and before in _SINGLE))


def _closes(text: str, i: int, end: int, *, single: bool) -> bool:
    """Whether a mark may close; a single one, which is an apostrophe as well, only after punctuation."""
    if text[i] in "»›」』":
        return True
    if single and text[i - 1] not in ".,!?…;":
        return False
    return not text[i - 1].isspace() and (i + 1 >= end or not text[i + 1].isalnum())


def _one_voice(text: str, found: list[Quotation]) -> list[Quotation]:
    """The quotations, those that go on from one paragraph to the next with the same speaker."""
    for i in range(1, len(found)):
        first, second = found[i - 1], found[i]
        if text[first.end - 1] in _CLOSING[text[first.start]] and first.end - first.start > 1:
            continue  # it was closed: whoever speaks next may be another
        if text[first.end : second.start].strip() == "" and second.speaker is None:
            found[i] = replace(second, speaker=first.speaker)
    for i in range(len(found) - 1, 0, -1):
        first, second = found[i - 1], found[i]
        closed = text[first.end - 1] in _CLOSING[text[first.start]]
        if not closed and first.speaker is None and not text[first.end : second.start].strip():
            found[i - 1] = replace(first, speaker=second.speaker)
    return found


# -- who speaks ------------------------------------------------------------------------------------------------------


def _with_speakers(text: str, found: list[Quotation], start: int, end: int) -> list[Quotation]:
    """The quotations of one paragraph with those speakers that their sentences name."""
    from detector.attribution import is_attribution, speaker_of  # its patterns take a while to compile

    named: list[Quotation] = []
    for i, quotation in enumerate(found):
        left = max(found[i - 1].end if i else start, quotation.start - _WINDOW)
        right = min(found[i + 1].start if i + 1 < len(found) else end, quotation.end + _WINDOW)
        own, after, before = (
            text[quotation.start : quotation.end],
            text[quotation.end : right],
            text[left : quotation.start],
        )
        speaker = speaker_of(own, after, before)
        if speaker is None and named and is_attribution(text[named[-1].end : quotation.start]):
            speaker = named[-1].speaker
        named.append(replace(quotation, speaker=speaker))
    return named


def _reported(text: str, start: int, end: int) -> Iterator[Quotation]:
    """What the sentences of a paragraph say that somebody said, where there is a speaker."""
    from detector.attribution import names_a_verb, reported_part  # see above

    if not names_a_verb(text[start:end]):
        return
    for first, last in sentences(text, start, end):
        found = reported_part(text[first:last])
        if found:
            a, b, speaker = found
            yield Quotation(first + a, first + b, "reported", speaker)

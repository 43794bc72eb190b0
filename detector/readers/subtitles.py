"""Subtitles (.srt, .vtt, .ass, .ssa) → `Document`: a line a cue, each with its time in ``meta["anchors"]``.

A finding so has the second at which it is said, ``0:01:23``. Styling is left out; the lines of a cue are joined. Of
captions that roll up, as speech recognition writes them, each line is read once. SubRip and WebVTT are read here, what
else there is by pysubs2.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Sequence
from html import unescape

from detector.errors import InputError
from detector.readers.blocks import Blocks, one_line
from detector.readers.limits import Limits, needed
from detector.readers.text import decode_text
from detector.spans import Document

_FORMATS = ("srt", "vtt", "ass", "ssa")
# The line that says when a cue of SubRip or WebVTT is shown.
_TIMES = re.compile(r"^[ \t]*(?:(\d{1,4}):)?(\d\d?):(\d\d?)[.,]\d{1,3}[ \t]*-+ ?>[ \t]*\d.*$", re.MULTILINE)
_TAG = re.compile("</?[a-zA-Z][^<>]*>|<[ /]*[bisu] *>")  # the second as translating programs leave it; no ``a < b``
_DRAWING = re.compile(r"\\p[1-9]")  # what follows is drawn by numbers, not written
_SPACE = re.compile(r"\\[hn]")
_LINE_END = re.compile("\r\n?")
# In WebVTT: when a word is said; comments and the like, up to an empty line; the name of a cue, before its time. To
# pysubs2 a line with two of the first is the beginning of a cue, and the others are words.
_SAID_AT = re.compile(r"<[\d:.]+>")
_COMMENT = re.compile(r"(?<=\n\n)(?:NOTE|STYLE|REGION)(?=\s).*(?:\n(?!.*-->).+)*")
_NAME = re.compile(r"(?<=\n\n)(?!.*-->).+\n(?=.*-->)")
_TIMED = "\0"  # what a time of a word leaves in its line
_MOST_ROWS = 15  # that a television shows


def read_subtitles(data: bytes, *, id: str, limits: Limits) -> Document:
    """The spoken text; raises InputError where the file holds no cue."""
    text, _, warnings = decode_text(data, id=id)
    text = _LINE_END.sub("\n", text.removeprefix("\ufeff"))
    escaped = text.startswith("WEBVTT")
    rolls_up = escaped and _SAID_AT.search(text) is not None
    if escaped:
        text = _NAME.sub("", _COMMENT.sub("", _SAID_AT.sub(_TIMED, text)))
    blocks, shown = Blocks(), list[str]()
    for start, cue in _cues(text, id):
        spoken, styling = _apart(_TAG.sub("", cue))
        if not _DRAWING.search(styling):
            said = _SPACE.sub(" ", unescape(spoken) if escaped else spoken)
            lines = [line for row in said.split(r"\N") if (line := one_line(row))]
            n_again = _n_again(shown, lines) if rolls_up else 0
            shown = [one_line(line.replace(_TIMED, "")) for line in lines]
            blocks.anchor(clock_time(start))
            blocks.add(one_line(" ".join(shown[n_again:])), between="\n")
    if not blocks.text:
        raise InputError(f"{id}: no subtitle was found in it: give an .srt, .vtt or .ass file")
    return Document(id, blocks.text, meta=blocks.meta(format="subtitles", warnings=warnings))


def _n_again(shown: list[str], lines: list[str]) -> int:
    """How many lines have rolled up: those at the beginning that were at the end before.

    A line with times of its words is said now, even if it was said before.
    """
    most = min(len(shown), len(lines), _MOST_ROWS)
    return next(n for n in range(most, -1, -1) if shown[len(shown) - n :] == lines[:n])


def _apart(text: str) -> tuple[str, str]:
    """The text of a cue, and the styling that stands in braces in it; pysubs2 takes very long for both of many."""
    spoken, styling, at = [], [], 0
    while (start := text.find("{", at)) >= 0 and (end := text.find("}", start)) >= 0:
        spoken.append(text[at:start])
        styling.append(text[start : end + 1])
        at = end + 1
    return "".join((*spoken, text[at:])), "".join(styling)


def clock_time(milliseconds: int) -> str:
    """The time as hours, minutes and seconds.

    >>> clock_time(83_900)
    '0:01:23'
    """
    minutes, seconds = divmod(max(0, milliseconds) // 1000, 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{seconds:02d}"


def _cues(text: str, id: str) -> Iterator[tuple[int, str]]:
    """When each cue begins, in milliseconds, and its text, whose lines end in ``\\N``."""
    if found := list(_TIMES.finditer(text)):
        yield from _timed(text, found)
        return
    pysubs2 = needed(lambda: __import__("pysubs2"), id=id, kind="subtitles", extra="subtitles")
    logging.getLogger("pysubs2").setLevel(logging.CRITICAL)
    suffix = id.rpartition(".")[2].lower()
    try:
        cues = pysubs2.SSAFile.from_string(text, format_=suffix if suffix in _FORMATS else None, keep_html_tags=True)
    except Exception as error:  # the parsers raise whatever a broken line makes them stumble over
        raise InputError(f"{id}: these are no subtitles ({error}): give an .srt, .vtt or .ass file") from None
    yield from ((cue.start, cue.text) for cue in cues if not cue.is_comment)


def _timed(text: str, found: Sequence[re.Match[str]]) -> Iterator[tuple[int, str]]:
    """The cues of SubRip or WebVTT. Where the first one has a number above it, those above the others are no text."""
    numbered = _last_line(text[: found[0].start()].rstrip()).isdecimal()
    for times, end in zip(found, [*(later.start() for later in found[1:]), len(text)], strict=True):
        said = text[times.end() : end].strip()
        if numbered and end < len(text) and _last_line(said).isdecimal():
            said = said.rpartition("\n")[0].rstrip()
        hours, minutes, seconds = (int(part or 0) for part in times.groups())
        yield 1000 * (3600 * hours + 60 * minutes + seconds), said.replace("\n", r"\N")


def _last_line(text: str) -> str:
    return text.rpartition("\n")[2].strip()

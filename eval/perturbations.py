"""Ways to change a text that leave its meaning alone, each with the way back for spans found in the changed text."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import cycle
from random import Random

from detector.spans import Span

Edit = tuple[int, int, str]
"""Characters ``[start, end)`` and what comes in their place."""

TYPOGRAPHIC = {"“": '"', "”": '"', "‘": "'", "’": "'"}
HIDDEN = "\u200b\u200c\u00ad\u2060\ufeff"
CYRILLIC = str.maketrans("aeopcxyisjAEOPCXTHBMKI", "аеорсхуіѕјАЕОРСХТНВМКІ")
COLUMNS = 72
UNRELATED = (
    "The tide gauge at the old harbour was read every morning at seven and again at noon. On Tuesday the water stood "
    "at two metres and four centimetres, one centimetre more than on Monday. The clerk wrote both readings into the "
    "book, closed the window and walked home along the quay."
)
SPELLINGS = """
aeroplane/airplane aluminium/aluminum analyse/analyze analysed/analyzed apologise/apologize armour/armor
behaviour/behavior cancelled/canceled catalogue/catalog centre/center centres/centers cheque/check
civilisation/civilization colour/color colours/colors criticise/criticize criticised/criticized
defence/defense defences/defenses dialogue/dialog emphasise/emphasize endeavour/endeavor enrol/enroll
favour/favor favours/favors favourite/favorite favourable/favorable fibre/fiber flavour/flavor fulfil/fulfill
globalisation/globalization grey/gray harbour/harbor honour/honor honoured/honored humour/humor jewellery/jewelry
judgement/judgment kilometre/kilometer kilometres/kilometers labelled/labeled labour/labor legalise/legalize
licence/license litre/liter marvellous/marvelous metre/meter metres/meters mobilise/mobilize modelling/modeling
mould/mold moustache/mustache neighbour/neighbor neighbours/neighbors neighbourhood/neighborhood
normalise/normalize odour/odor offence/offense organisation/organization organisations/organizations
organise/organize organised/organized parlour/parlor plough/plow politicise/politicize prioritise/prioritize
programme/program programmes/programs pyjamas/pajamas radicalised/radicalized realise/realize realised/realized
recognise/recognize recognised/recognized rumour/rumor rumours/rumors sceptic/skeptic sceptical/skeptical
specialise/specialize sulphur/sulfur symbolise/symbolize theatre/theater theatres/theaters travelled/traveled
travelling/traveling tumour/tumor tyre/tire utilise/utilize vapour/vapor vigour/vigor whisky/whiskey
"""
BRITISH_AMERICAN = dict(pair.split("/") for pair in SPELLINGS.split())
OTHER_SPELLING = BRITISH_AMERICAN | {american: british for british, american in BRITISH_AMERICAN.items()}
# What is a common word of its own on the other side is changed one way only.
for american in ("check", "program", "programs", "license", "tire", "mold", "dialog"):
    del OTHER_SPELLING[american]


@dataclass(frozen=True, slots=True)
class Changed:
    """A text made from another: its character ``i`` is from ``[starts[i], ends[i])`` there, empty where it is new."""

    text: str
    starts: tuple[int, ...]
    ends: tuple[int, ...]

    def back(self, span: Span) -> Span | None:
        """A span of this text in the other; None where nothing in it comes from there."""
        start, end = self.starts[span.start], self.ends[span.end - 1]
        return Span(start, end, span.technique, span.confidence) if start < end else None


Perturbation = Callable[[str, Random], tuple[Changed, ...]]
"""From a text to its changed copy; to several where the text is cut."""


def edited(text: str, edits: Iterable[Edit]) -> Changed:
    """The text with these edits made, given in order and apart.

    A replacement of the same length stands for the old characters one by one, any other for all of them.
    """
    parts: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    last = 0
    for start, end, new in (*edits, (len(text), len(text), "")):
        parts += [text[last:start], new]
        starts += range(last, start)
        ends += range(last + 1, start + 1)
        one_by_one = len(new) == end - start
        starts += range(start, end) if one_by_one else [start] * len(new)
        ends += range(start + 1, end + 1) if one_by_one else [end] * len(new)
        last = end
    return Changed("".join(parts), tuple(starts), tuple(ends))


def upper_case(text: str) -> Iterator[Edit]:
    """Every letter a capital."""
    return ((i, i + 1, c.upper()) for i, c in enumerate(text) if c != c.upper())


def straight_quotes(text: str) -> Iterator[Edit]:
    """Typographic quotation marks and apostrophes made straight."""
    return ((i, i + 1, TYPOGRAPHIC[c]) for i, c in enumerate(text) if c in TYPOGRAPHIC)


def typographic_quotes(text: str) -> Iterator[Edit]:
    """Straight quotation marks and apostrophes made typographic: opening after space or a bracket, else closing."""
    for i, c in enumerate(text):
        if c in "\"'":
            opening = i == 0 or text[i - 1].isspace() or text[i - 1] in "([“‘—–"
            yield i, i + 1, ("“" if opening else "”") if c == '"' else ("‘" if opening else "’")


def double_spaces(text: str) -> Iterator[Edit]:
    """Two spaces for each."""
    return ((i, i, " ") for i, c in enumerate(text) if c == " ")


def wrapped_lines(text: str) -> Iterator[Edit]:
    """Each line wrapped at 72 columns where it has a space."""
    start = 0
    for line in text.splitlines(keepends=True):
        column = 0
        for match in re.finditer(r"(\S+)", line):
            if match.end(1) - column > COLUMNS and line[: match.start()].endswith(" "):
                yield start + match.start() - 1, start + match.start(), "\n"
                column = match.start()
        start += len(line)


def other_spelling(text: str) -> Iterator[Edit]:
    """British words in American spelling and American ones in British."""
    for match in re.finditer(r"[A-Za-z]+", text):
        other = OTHER_SPELLING.get(match[0].lower())
        if other:
            yield match.start(), match.end(), _in_case_of(match[0], other)


def typos(text: str, random: Random) -> Iterator[Edit]:
    """In one word of a hundred two neighbouring letters inside the word swapped."""
    words = list(re.finditer(r"[A-Za-z]{5,}", text))
    n_typos = max(1, round(len(text.split()) / 100))
    for match in sorted(random.sample(words, min(n_typos, len(words))), key=lambda m: m.start()):
        places = [i for i in range(1, len(match[0]) - 2) if match[0][i] != match[0][i + 1]]
        if places:
            i = random.choice(places)
            yield match.start() + i, match.start() + i + 2, match[0][i + 1] + match[0][i]


def zero_width(text: str) -> Iterator[Edit]:
    """A character that does not show in the middle of every fifth word: five kinds in turn."""
    for match, hidden in zip(_every_fifth(text), cycle(HIDDEN)):
        middle = (match.start() + match.end()) // 2
        yield middle, middle, hidden


def look_alikes(text: str) -> Iterator[Edit]:
    """Cyrillic letters in the place of the Latin ones they look like, in every fifth word."""
    return ((m.start(), m.end(), m[0].translate(CYRILLIC)) for m in _every_fifth(text))


def full_width(text: str) -> Iterator[Edit]:
    """Full-width letters in every fifth word."""
    wide = {ord(c): ord(c) + 0xFEE0 for c in "".join(map(chr, range(0x21, 0x7F)))}
    return ((m.start(), m.end(), m[0].translate(wide)) for m in _every_fifth(text))


def struck_through(text: str) -> Iterator[Edit]:
    """A combining stroke over each letter of every fifth word."""
    return ((i, i, "\u0336") for m in _every_fifth(text) for i in range(m.start() + 1, m.end() + 1))


def cut_in_two(text: str) -> tuple[Changed, ...]:
    """Both halves as documents of their own, cut where the sentence or line nearest to two fifths ends."""
    ends = [m.end() for m in re.finditer(r"[.!?][\"”’')]*\s+|\n+", text)] or [m.end() for m in re.finditer(" ", text)]
    inner = [end for end in ends if 0 < end < len(text)]
    if not inner:
        return (edited(text, ()),)
    cut = min(inner, key=lambda end: abs(end - 0.4 * len(text)))
    return edited(text, [(cut, len(text), "")]), edited(text, [(0, cut, "")])


def _plain(edits: Callable[[str], Iterable[Edit]]) -> Perturbation:
    return lambda text, _: (edited(text, edits(text)),)


PERTURBATIONS: dict[str, Perturbation] = {
    "upper case": _plain(upper_case),
    "straight quotes": _plain(straight_quotes),
    "typographic quotes": _plain(typographic_quotes),
    "double spaces": _plain(double_spaces),
    "lines wrapped at 72": _plain(wrapped_lines),
    "other spelling": _plain(other_spelling),
    "typos": lambda text, random: (edited(text, typos(text, random)),),
    "zero-width characters": _plain(zero_width),
    "look-alike letters": _plain(look_alikes),
    "full-width letters": _plain(full_width),
    "struck-through letters": _plain(struck_through),
    "paragraph before": _plain(lambda text: [(0, 0, UNRELATED + "\n\n")]),
    "paragraph after": _plain(lambda text: [(len(text), len(text), "\n\n" + UNRELATED)]),
    "cut in two": lambda text, _: cut_in_two(text),
}


def _every_fifth(text: str) -> Iterator[re.Match[str]]:
    """Every fifth word of two letters or more."""
    return (m for i, m in enumerate(re.finditer(r"[A-Za-z]{2,}", text)) if i % 5 == 0)


def _in_case_of(model: str, word: str) -> str:
    return word.upper() if model.isupper() else word.capitalize() if model[0].isupper() else word

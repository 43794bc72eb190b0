"""Who is said to have said something: the words around a quotation, and sentences that report without marks.

Rules for English. A speaker is a name with what belongs to it (``FBI spokeswoman Sandra Breault``) or a role (``the
mayor of London``), as it stands in the sentence; a pronoun is nobody. `quotes` imports this module when a text quotes.
"""

from __future__ import annotations

import re

from detector.sentences import ends_in_abbreviation, sentence_ends, sentences

_VERB = (
    r"(?:said|says|say|told|tells|wrote|writes|added|adds|asked|asks|claimed|claims|argued|argues|insisted|insists"
    r"|warned|warns|declared|declares|stated|states|announced|announces|replied|replies|responded|responds"
    r"|explained|explains|noted|notes|tweeted|tweets|posted|shouted|shouts|called|calls|complained|complains"
    r"|concluded|concludes|continued|continues|remarked|remarks|observed|observes|admitted|admits|conceded"
    r"|alleged|alleges|charged|charges|vowed|vows|promised|promises|thundered|quipped|recalled|recalls|described"
    r"|describes|denounced|denounces|proclaimed|proclaims|testified|testifies|maintains|maintained|cried|joked"
    r"|argue|claim|insist|warn|allege|complain)"
)
_STRICT_VERB = (
    r"(?:said|says|claimed|claims|argued|argues|insisted|insists|warned|warns|declared|declares|stated|alleged|alleges"
    r"|announced|complained|complains|say|claim|argue|insist|warn|allege|complain"
    r"|(?:told|tells) (?:\w+ ){0,3}?\w+(?= that ))"
)
_CAPITAL = r"[A-Z\u00c0-\u00de\u0100-\u017f]"
_PARTICLE = r"(?:de|da|del|della|der|den|van|von|bin|ibn|al|el|la|le|du|of|the|and)"
_OFFICE = (
    r"(?:spokes(?:wo)?man|spokesperson|chief|leader|president|minister|director|secretary|senator|professor|analyst"
    r"|officer|official|mayor|judge|lawyer|editor|correspondent|reporter|executive|chair(?:wo)?man|founder|member"
    r"|activist|economist|expert|scientist|researcher|historian|author|doctor|nurse|teacher|farmer|engineer|attorney"
    r"|prosecutor|negotiator|adviser|advisor|candidate|lawmaker|resident|organi[sz]er)"
)
_TITLE = r"(?:Mr|Mrs|Ms|Dr|Prof|Sen|Rep|Gov|Gen|Col|Lt|Sgt|St|Rev|Hon)\."
_PROPER = rf"(?:{_TITLE}|(?:{_CAPITAL}\.)+|{_CAPITAL}[\w’'-]*)"  # a full stop ends a sentence, but for these
_NAME = rf"{_PROPER}(?: (?:{_OFFICE}\b|{_PROPER}|{_PARTICLE}(?= (?:{_PARTICLE} )?{_CAPITAL}))){{0,6}}"
_STOP = r"(?=[,.;:!?)—–-]|\s*$| (?:on|in|at|after|before|who|to|as|during|when|while|that|with|from|by|last|this)\b)"
_NO_NOUN = (
    r"(?:and|or|but|has|have|had|is|are|was|were|be|been|being|which|that|who|whom|between|he|she|they|we|it|will|would"
    r"|can|could|should|may|might|must|do|does|did|not|if|when|while|because|as|than|then|to|so|also|in|on|at|by|with|from|after|before)"
)
_ROLE = (
    r"(?:[Tt]he|[Aa]n?|[Hh]is|[Hh]er|[Ii]ts|[Tt]heir|[Oo]ur|[Mm]y|[Oo]ne|[Aa]nother|[Ss]ome|[Mm]any|[Oo]ther)"
    rf"(?: (?!{_NO_NOUN}\b)[\w’'-]+){{1,6}}?"
)
_ADVERB = r"(?:(?:has|have|had|also|then|later|once|even|never) ){0,2}(?:\w+ly )?"
_MEANWHILE = (  # what may follow a name and does not belong to it, beside what may follow a role
    r"(?:\w+ly|yesterday|today|tonight|again|later|earlier|early|late|afterwards?|once|twice|there|here|online|live|just"
    r"|only|still|next|back|out|about|of|for|into|over|under|against|without|since|until|till|outside|inside|near"
    r"|through|despite|amid|whose|aged|on|in|at|after|before|who|to|as|during|when|while|that|with|from|by|last|this)"
)
_NOUN = rf"(?!(?:{_NO_NOUN}|{_MEANWHILE}|{_VERB})\b)[^\W\d_A-Z][\w-]*"
_BELONGING = rf"{_NAME}(?:(?<=[’']s)(?: {_NOUN}){{1,4}})?"  # Trump’s lawyer
_PERSON = rf"{_NAME}(?:(?: {_NOUN}){{1,4}}?(?: {_NAME}|{_STOP}))?"  # Trump’s lawyer Ann Lee, Putin critics
_SPEAKER = rf"(?P<speaker>{_ROLE}(?={{stop}})|{_BELONGING})"
_FOLLOWS = rf"(?P<speaker>{_ROLE}{_STOP}|{_PERSON}(?![\w’'-])(?:{_STOP}|(?= {_MEANWHILE}\b)))"
_LEADS = _SPEAKER.replace("{stop}", rf"(?:, [^,]{{1,80}},)? {_ADVERB}{_VERB}\b|:\s*$")
_ASIDE = r"(?:, (?P<aside>[^,]{1,80}),)?"  # the lawyer, Peter Hahn, said
_SAID_AFTER = (
    re.compile(rf"[\s,.—–-]*{_VERB} {_ADVERB}{_FOLLOWS}"),
    re.compile(rf"[\s,—–-]*according to {_FOLLOWS}"),
)
_SUBJECT_AFTER = (
    re.compile(rf"[\s,—–-]*{_LEADS.replace(_BELONGING, _PERSON)}{_ASIDE} {_ADVERB}{_VERB}\b"),
    re.compile(rf"\s*[—–-]\s*{_FOLLOWS}"),
)
_BEFORE = (
    re.compile(rf"(?:^|[\s(,;—–]){_LEADS}{_ASIDE} {_ADVERB}{_VERB}\b[^“”\"«»]{{0,80}}$"),
    re.compile(rf"[Aa]ccording to {_FOLLOWS}[^“”\"«»]{{0,80}}$"),
    re.compile(rf"(?:^|[\s(]){_LEADS}:\s*$"),
)
_LED_IN = re.compile(rf"\b{_VERB}\b(?:[^,;:“”\"«»]{{0,60}}[:,])?\s*$")
_SENTENCE_OVER = re.compile(r"[.…][”\"’'»)\]]{1,3}$")
_ROLE_WORD = re.compile(r"(?:the|an?|his|her|its|their|our|my) ", re.IGNORECASE)
_ONLY_NAME = re.compile(_NAME)
_ATTRIBUTION = re.compile(rf"\b{_VERB}\b|\baccording to\b")
_PRONOUNS = "He She They It We I You Who That This These Those There What Nobody Everyone"
_DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday"
_MONTHS = "January February March April May June July August September October November December"
_NOT_A_NAME = frozenset(f"{_PRONOUNS} {_DAYS} {_MONTHS}".split())
_OPENERS = (
    "But And Yet So When While As Then Still Meanwhile However Also On In At If Although Because For Or Now Later "
    "Earlier After Before According Today Yesterday Since Though Even Once"
)
_LEADING = frozenset(_OPENERS.split())


def speaker_of(quotation: str, after: str, before: str) -> str | None:
    """Whom the words after a quotation, or those before it in its sentence, name as the one who says it.

    Where the words before lead in to the quotation, or it ends a sentence, what follows speaks of something else.
    """
    sentence = before[max(sentence_ends(before), default=0) :]
    led_in, over = bool(_LED_IN.search(sentence)), bool(_SENTENCE_OVER.search(quotation))
    tried = [
        *((pattern.match, after) for pattern in _SAID_AFTER if not (led_in and over)),
        *((pattern.match, after) for pattern in _SUBJECT_AFTER if not (led_in or over)),
        *((pattern.search, sentence) for pattern in _BEFORE),
    ]
    return next((speaker for find, words in tried if (match := find(words)) and (speaker := _speaker(match))), None)


def names_a_verb(text: str) -> bool:
    """Whether a text says, somewhere, that somebody says something."""
    return bool(_ATTRIBUTION.search(text.lower()))


def is_attribution(between: str) -> bool:
    """Whether the words between two quotations are no more than an attribution: the same person goes on."""
    words = between.strip()
    return len(words) <= 160 and bool(_ATTRIBUTION.search(words)) and len(list(sentences(words))) <= 1


def _speaker(match: re.Match[str]) -> str | None:
    """The speaker of a match: a name that stands beside a role in place of the role."""
    groups = match.groupdict()
    aside = groups.get("aside") or ""
    return _name(aside if _ROLE_WORD.match(groups["speaker"]) and _ONLY_NAME.fullmatch(aside) else groups["speaker"])


def _name(words: str) -> str | None:
    """The name without the words that only begin a sentence; None where nothing or a pronoun is left."""
    parts = words.split()
    while parts and parts[0] in _LEADING:
        parts.pop(0)
    while len(parts) > 1 and parts[-1].strip(".") in _NOT_A_NAME:  # “…,” said Lee Tuesday
        parts.pop()
    if not parts or parts[0] in _NOT_A_NAME:
        return None
    name = " ".join(parts)
    name = name if ends_in_abbreviation(name) else name.rstrip(".,-")
    return name.removesuffix("’s").removesuffix("'s") or None


# -- reported speech -------------------------------------------------------------------------------------------------

_FIRST = re.compile(rf"(?:(?:But|And|Yet|Still|Now|So|However) )?[Aa]ccording to {_FOLLOWS}[^,]{{0,60}}, ")
_LAST = (
    re.compile(rf", according to {_FOLLOWS}"),
    re.compile(rf", {_STRICT_VERB} {_FOLLOWS}"),
    re.compile(rf", {_LEADS}(?= {_ADVERB}{_STRICT_VERB}) {_ADVERB}{_STRICT_VERB}(?=[.!?…,]|$)"),
)
_NO_CLAUSE = (  # what may follow “said” and is not what was said
    r"(?:on|in|to|during|for|at|of|with|by|from|about|so|nothing|little|much|more|something|anything|enough|too|what"
    r"|goodbye|farewell|hello|yes|no|and|or|but|before|after|as|when|while)"
)
_SAID_THAT = re.compile(
    rf"(?:[^,]{{1,60}}, )?{_SPEAKER.replace('{stop}', rf'(?:, [^,]{{1,80}},)? {_ADVERB}{_STRICT_VERB}')}"
    rf"{_ASIDE} {_ADVERB}(?:{_STRICT_VERB} that|(?:said|says|say|claimed|claims|claim)(?! {_NO_CLAUSE}\b))"
    r" (?=\S+ \S+ \S)"
)
_PRONOUN_SAID_THAT = re.compile(
    rf"(?:[^,]{{1,60}}, )?(?:[Hh]e|[Ss]he|[Tt]hey) {_ADVERB}{_STRICT_VERB} that (?=\S+ \S+ \S)"
)


_OPENS = re.compile(r"[,:]?\s*[“„«\"‘']")


def _ends_soon(rest: str) -> bool:
    """Whether what follows an attribution is no sentence of its own."""
    return len(rest) <= 60 and " that " not in rest


def reported_part(sentence: str) -> tuple[int, int, str | None] | None:
    """The part of a sentence that somebody else says, and who; None for a pronoun."""
    if match := _FIRST.match(sentence):
        speaker = _name(match["speaker"])
        return (match.end(), len(sentence), speaker) if speaker else None
    for pattern in _LAST:
        for match in pattern.finditer(sentence):
            speaker = _name(match["speaker"])
            rest = sentence[match.end() :]
            if speaker and match.start() >= 10 and _ends_soon(rest) and not _OPENS.match(rest):
                return 0, match.start(), speaker
    match = _SAID_THAT.match(sentence)
    if match and (speaker := _speaker(match)):
        return match.end(), len(sentence), speaker
    match = _PRONOUN_SAID_THAT.match(sentence)
    return (match.end(), len(sentence), None) if match else None

"""What a person decides about the findings of one document, decision by decision; and what comes of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

from detector.errors import InputError
from detector.report.findings import STATED
from detector.report.wording import counted
from detector.spans import Document, Span, in_reading_order
from detector.techniques import members
from detector.writers.naming import title
from detector.writers.provenance import Provenance

Verdict = Literal["undecided", "accepted", "rejected"]
Action = Literal["accept", "reject", "clear", "add", "change", "done", "reopen", "undo"]
ACTIONS: tuple[Action, ...] = get_args(Action)
Key = tuple[int, int, str]
"""Start, end and technique of a span: what it is known by, whatever its confidence."""

_VERDICTS: dict[Action, Verdict] = {"accept": "accepted", "reject": "rejected", "clear": "undecided"}


@dataclass(frozen=True, slots=True)
class Decision:
    """One thing that a person does. ``span`` is what it is done to, ``to`` what a span is changed into.

    ``done`` and ``reopen`` are about the document, ``undo`` takes back the last decision about it.
    """

    action: Action
    span: Key | None = None
    to: Key | None = None

    def row(self) -> dict[str, Any]:
        """The decision in JSON types, as `decision` reads it."""
        keys = {"span": self.span, "to": self.to}
        written = {name: dict(zip(_KEY, key, strict=True)) for name, key in keys.items() if key}
        return {"action": self.action, **written}


@dataclass(frozen=True, slots=True)
class Judgement:
    """A span and what was decided about it. ``was``: what it was before it was changed; ``added``: by a person."""

    span: Span
    verdict: Verdict = "undecided"
    added: bool = False
    was: Key | None = None


class Review:
    """A document with the findings of a model, and the decisions about them so far."""

    def __init__(self, document: Document, provenance: Provenance) -> None:
        self.document = replace(document, meta={k: v for k, v in document.meta.items() if k != STATED})
        self.provenance = provenance
        self.n_decisions = 0
        self._standing: list[Decision] = []  # without those that were undone
        self._state = self._replayed()

    def decide(self, decision: Decision) -> None:
        """Takes a decision; raises InputError where it cannot be taken as things stand."""
        self.check(decision)
        self.n_decisions += 1
        if decision.action == "undo":
            self._standing.pop()
            self._state = self._replayed()
        else:
            self._standing.append(decision)
            _apply(decision, self._state)

    def check(self, decision: Decision) -> None:
        """Nothing; raises InputError where a decision cannot be taken as things stand."""
        if decision.action == "undo" and not self._standing:
            raise InputError("there is nothing to undo")
        if decision.action == "done" and self.n_undecided:
            raise InputError(f"{counted(self.n_undecided, 'finding')} undecided: accept or reject each first")
        if decision.action in ("accept", "reject", "clear", "change") and decision.span not in self._state:
            raise InputError(f"there is no such finding as {decision.span}: load the page anew")
        for key in (decision.span if decision.action == "add" else None, decision.to):
            if key is not None and not 0 <= key[0] < key[1] <= len(self.document.text):
                raise InputError(f"[{key[0]}, {key[1]}) is not inside the text ({len(self.document.text)} characters)")

    @property
    def judgements(self) -> tuple[Judgement, ...]:
        """All spans in reading order, those that were rejected too."""
        spans = in_reading_order(judgement.span for judgement in self._state.values())
        return tuple(self._state[key_of(span)] for span in spans)

    @property
    def n_undecided(self) -> int:
        """How many findings nobody has decided about."""
        return sum(judgement.verdict == "undecided" for judgement in self._state.values())

    @property
    def done(self) -> bool:
        """Whether a person has said that this document is done, and nothing in it is undecided since."""
        said = [d.action for d in self._standing if d.action in ("done", "reopen")]
        return said[-1:] == ["done"] and not self.n_undecided

    @property
    def shown(self) -> Document:
        """The document with every span that there is something to decide about."""
        return self.document.with_spans((j.span for j in self.judgements), n_read=self.document.n_read)

    @property
    def result(self) -> Document:
        """The document as a person annotated it: only what was accepted, and counts of all decisions in its meta."""
        judged = self.judgements
        kept = [replace(j.span, confidence=1.0) for j in judged if j.verdict == "accepted"]
        n = Counter(j.verdict if j.verdict != "accepted" else _how(j) for j in judged)
        counts = {f"n_{name}": n[name] for name in ("accepted", "rejected", "added", "changed")}
        model = dict(self.provenance.model())
        return replace(
            self.document.with_spans(kept), meta={**self.document.meta, "review": {"model": model, **counts}}
        )

    def _replayed(self) -> dict[Key, Judgement]:
        """What was decided about each span, by the decisions that stand."""
        state: dict[Key, Judgement] = {}
        for span in sorted(filter(len, self.document.spans), key=lambda span: span.confidence):
            state[key_of(span)] = Judgement(span)
        for decision in self._standing:
            _apply(decision, state)
        return state


def _how(accepted: Judgement) -> str:
    return "added" if accepted.added else "changed" if accepted.was else "accepted"


def _apply(decision: Decision, state: dict[Key, Judgement]) -> None:
    key = decision.span
    if key is None:
        return
    if decision.action == "reject" and state[key].added:
        del state[key]
    elif decision.action in _VERDICTS:
        state[key] = replace(state[key], verdict=_VERDICTS[decision.action])
    elif decision.action == "add":
        known = state.get(key) or Judgement(Span(*key), added=True)
        state[key] = replace(known, verdict="accepted")
    elif decision.action == "change" and decision.to is not None:
        before = state.pop(key)
        made = Judgement(Span(*decision.to), added=before.added, was=before.was or key)
        state[decision.to] = replace(state.get(decision.to) or made, verdict="accepted")


_KEY = ("start", "end", "technique")


def key_of(span: Span) -> Key:
    """What a span is known by."""
    return span.start, span.end, span.technique


def decision(row: Mapping[str, Any], text: str) -> Decision:
    """The decision of a row; white space at the edges of new spans is left out. Raises InputError, TechniqueError."""
    action = row.get("action")
    if action not in ACTIONS:
        raise InputError(f"there is no action {action!r:.40}: take {', '.join(ACTIONS)}")
    span, to = (_key(row.get(name)) for name in ("span", "to"))
    if (span is not None) != (action not in ("done", "reopen", "undo")) or (to is not None) != (action == "change"):
        raise InputError(f"{action}: its span, or what it is changed to, is missing or too much")
    span, to = _trimmed(span, text) if action == "add" else span, _trimmed(to, text)
    if action == "change" and to == span:
        return Decision("accept", span)
    return Decision(action, span, to)


def _key(value: object) -> Key | None:
    if value is None:
        return None
    start, end, technique = (value.get(name) for name in _KEY) if isinstance(value, dict) else (None, None, None)
    if type(start) is not int or type(end) is not int or not isinstance(technique, str):
        raise InputError("a span has start, end and technique")
    members(technique)  # raises for a technique that no inventory knows
    return start, end, technique


def _trimmed(key: Key | None, text: str) -> Key | None:
    """The key without white space at its edges; one that is not inside the text is left for `Review.check`."""
    if key is None or not 0 <= key[0] < key[1] <= len(text):
        return key
    start, end, technique = key
    words = text[start:end]
    if not words.strip():
        raise InputError("no words are selected")
    return start + len(words) - len(words.lstrip()), end - len(words) + len(words.rstrip()), technique


def described(judgements: Iterable[Judgement], numbers: Mapping[Key, int]) -> list[dict[str, Any]]:
    """The judgements in JSON types for a page whose findings have these numbers."""
    return [
        {
            "n": str(numbers[key_of(one.span)]),
            **dict(zip(_KEY, key_of(one.span), strict=True)),
            "verdict": one.verdict,
            "by": "you" if one.added or one.was else "model",
            "was": title(one.was[2]) if one.was else None,
        }
        for one in judgements
    ]

"""`Detector`: documents → windows → backend → spans, in batches of similar length."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from detector.backends import Backend, Candidate, Floats
from detector.backends.torch import TorchBackend
from detector.decode import Scores, Setting, decode, find_words
from detector.errors import InputError, ModelError
from detector.model import ModelFolder, ModelInfo, load_model
from detector.spans import Document, Span
from detector.techniques import NAMES, Inventory, inventory
from detector.windows import CHANNELS, Pieces, Window, cut_windows, piece_range, tokenize, window_of_range

SHIPPED = Path(__file__).parent / "models"
DEFAULT_MODEL = "default"
CHUNK_CHARACTERS = 400_000
BATCH_PIECES = 4096


@dataclass(frozen=True, slots=True)
class _Prepared:
    """A document cut for the encoder."""

    document: Document
    pieces: Pieces
    windows: list[Window]


def load(folder: str | Path | None = None, *, device: str | None = None) -> Detector:
    """The shipped detector, or the one in a model folder, or in a hub repository (``owner/name``).

    ``device`` is a torch device, the CPU where None. Raises `ModelError`.
    """
    path = SHIPPED / DEFAULT_MODEL if folder is None else _model_folder(str(folder))
    loaded = load_model(path)
    return Detector.from_folder(loaded, device=device or "cpu")


def _model_folder(name: str) -> Path:
    path = Path(name)
    if (path / "model.json").is_file():
        return path
    if (SHIPPED / name / "model.json").is_file():
        return SHIPPED / name
    if path.exists() or name.count("/") != 1 or name.startswith((".", "/")):
        raise ModelError(f"{name}: no model folder (no model.json in it); leave --model out for the shipped model")
    return _fetch(name)


def _fetch(repository: str) -> Path:
    """A hub repository in the local cache; fetched where the network allows it."""
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(repository, allow_patterns=["*.json", "*.safetensors"]))
    except Exception as error:  # the hub's client raises network, permission and not-found errors of many kinds
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ModelError(f"{repository}: neither a model folder nor a hub repository ({reason})") from error


class Detector:
    """Finds and names the techniques in texts. Every character of every document is read."""

    def __init__(
        self, backend: Backend, info: ModelInfo, tokenizer: Tokenizer, settings: dict[str, Setting], model_hash: str
    ) -> None:
        self.backend = backend
        self.info = info
        self.tokenizer = tokenizer
        self.settings = settings
        self.model_hash = model_hash

    @classmethod
    def from_folder(cls, loaded: ModelFolder, *, device: str = "cpu") -> Detector:
        """A detector over a loaded model folder."""
        backend = TorchBackend(loaded.model, loaded.info, device=device)
        return cls(backend, loaded.info, loaded.tokenizer, dict(loaded.settings), loaded.hash)

    @property
    def name(self) -> str:
        """The model's name."""
        return self.info.name

    def setting(self, strictness: str) -> Setting:
        """The setting of that name; `ModelError` names the ones there are."""
        if strictness not in self.settings:
            raise ModelError(f"strictness {strictness!r} is not one of {', '.join(self.settings)}")
        return self.settings[strictness]

    def find(self, text: str, *, strictness: str = "balanced") -> tuple[Span, ...]:
        """The spans of one text in reading order."""
        (document,) = self.annotate([Document("", text)], strictness=strictness)
        return document.spans

    def annotate(self, documents: Iterable[Document], *, strictness: str = "balanced") -> Iterator[Document]:
        """The documents in the same order with the spans found in them, streamed; ``n_read`` is all of each text."""
        setting = self.setting(strictness)
        for document, scores in self.score(documents):
            spans = decode(document.text, scores, setting, gap=self.info.gap)
            yield document.with_spans(spans, n_read=len(document.text))

    def score(self, documents: Iterable[Document]) -> Iterator[tuple[Document, Scores]]:
        """Each document with the token head's outputs for all its pieces, in order, streamed."""
        for chunk in _chunks(documents):
            yield from self._score_chunk([self._prepare(document) for document in chunk])

    def classify(self, document: Document, *, corpus: str | None = None, within: Inventory | None = None) -> Document:
        """The document with each given span's technique named by the span head.

        ``within`` limits the techniques to those an inventory annotates (and joins those it merges); ``corpus`` follows
        the habits of one training corpus. Spans with the same characters get different techniques, the likeliest first.
        """
        for span in document.spans:
            if not 0 <= span.start < span.end <= len(document.text):
                where = f"span [{span.start}, {span.end})"
                raise InputError(f"{document.id}: {where} is not inside the text ({len(document.text)} characters)")
        if not document.spans:
            return document
        probabilities = self._span_probabilities(document, corpus)
        return replace(document, spans=_best_techniques(document.spans, probabilities, within or inventory("detector")))

    def _prepare(self, document: Document) -> _Prepared:
        pieces = tokenize(self.tokenizer, document.text)
        windows = cut_windows(document.text, pieces, size=self.info.window, overlap=self.info.overlap)
        return _Prepared(document, pieces, windows)

    def _score_chunk(self, chunk: Sequence[_Prepared]) -> Iterator[tuple[Document, Scores]]:
        logits = [np.empty((len(p.pieces), len(CHANNELS)), dtype=np.float32) for p in chunk]
        jobs = [(i, window) for i, prepared in enumerate(chunk) for window in prepared.windows]
        for batch in batches(jobs):
            ids = [chunk[i].pieces.ids[w.first : w.last] for i, w in batch]
            for (i, w), scored in zip(batch, self.backend.score(ids), strict=True):
                logits[i][w.decide_first : w.decide_last] = scored[w.decide_first - w.first : w.decide_last - w.first]
        for prepared, values in zip(chunk, logits, strict=True):
            words = find_words(prepared.document.text, prepared.pieces)
            yield prepared.document, Scores(prepared.pieces, words, values)

    def _span_probabilities(self, document: Document, corpus: str | None) -> Floats:
        """Probabilities ``(n_spans, 23)`` of the spans' techniques; even where a span touches no piece."""
        prepared = self._prepare(document)
        counts = count_quotes(document)
        placed: dict[int, list[tuple[int, Candidate]]] = {}
        for i, span in enumerate(document.spans):
            located = locate(prepared.pieces, prepared.windows, span)
            if located:
                index, first, last = located
                placed.setdefault(index, []).append((i, Candidate(0, first, last, counts[i])))
        logits = np.zeros((len(document.spans), len(NAMES)), dtype=np.float32)
        for batch in batches([(index, prepared.windows[index]) for index in placed]):
            ids = [prepared.pieces.ids[w.first : w.last] for _, w in batch]
            rows = [(i, replace(c, window=row)) for row, (index, _) in enumerate(batch) for i, c in placed[index]]
            logits[[i for i, _ in rows]] = self.backend.classify(ids, [c for _, c in rows])
        logits += self.backend.span_bias(corpus)
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        probabilities: Floats = powers / powers.sum(axis=1, keepdims=True)
        return probabilities


def locate(pieces: Pieces, windows: Sequence[Window], span: Span) -> tuple[int, int, int] | None:
    """The window that shows a span best, and the span's first and last piece in it, cut to what it shows."""
    first, last = piece_range(pieces, span.start, span.end)
    if first == last:
        return None
    index = window_of_range(windows, first, last)
    window = windows[index]
    return index, max(first, window.first) - window.first, min(last, window.last) - 1 - window.first


def count_quotes(document: Document) -> list[int]:
    """How often each span's text occurs in its document, case aside; at least 1."""
    text = document.text.lower()
    quotes = [document.quote(span).lower() for span in document.spans]
    counts = {quote: max(1, text.count(quote)) for quote in set(quotes)}
    return [counts[quote] for quote in quotes]


def batches(jobs: Sequence[tuple[int, Window]]) -> Iterator[list[tuple[int, Window]]]:
    """The windows by falling length, in batches of at most `BATCH_PIECES` pieces, padding counted."""
    batch: list[tuple[int, Window]] = []
    for job in sorted(jobs, key=lambda j: -len(j[1])):
        if batch and (len(batch) + 1) * len(batch[0][1]) > BATCH_PIECES:
            yield batch
            batch = []
        batch.append(job)
    if batch:
        yield batch


def _chunks(documents: Iterable[Document]) -> Iterator[list[Document]]:
    """Documents in lists of about `CHUNK_CHARACTERS`, so that memory does not depend on how many there are."""
    chunk: list[Document] = []
    size = 0
    for document in documents:
        chunk.append(document)
        size += len(document.text) + 1000
        if size >= CHUNK_CHARACTERS:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


def _best_techniques(spans: Sequence[Span], probabilities: Floats, within: Inventory) -> tuple[Span, ...]:
    """The spans named; the k-th span of the same characters gets the k-th likeliest technique."""
    groups = technique_groups(within)
    columns = np.stack([probabilities[:, [NAMES.index(n) for n in g.split("+")]].sum(axis=1) for g in groups], axis=1)
    columns /= columns.sum(axis=1, keepdims=True)
    seen: dict[tuple[int, int], int] = {}
    named = []
    for span, row in zip(spans, columns, strict=True):
        rank = seen.get((span.start, span.end), 0)
        seen[span.start, span.end] = rank + 1
        best = int(np.argsort(-row, kind="stable")[min(rank, len(groups) - 1)])
        named.append(Span(span.start, span.end, groups[best], round(float(row[best]), 4)))
    return tuple(named)


def technique_groups(within: Inventory) -> tuple[str, ...]:
    """The techniques an inventory tells apart, merged ones joined by ``+``."""
    return tuple(within.slug(name) for name in within.names)


def available_threads() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

"""`Detector`: documents → windows → backend → spans; one chunk is cut and one encoded while another is decoded."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from tokenizers import Tokenizer

from detector.backends import AUTO, CPU, Backend, Candidate, Floats, load_backend
from detector.decode import Scores, Setting, decode, find_words
from detector.errors import InputError, ModelError
from detector.folder import ModelInfo, read_folder, setting_of
from detector.likeness import Likeness, read_likeness, unlike_training
from detector.names import NAMES_FILE, Names
from detector.spans import Document, Span
from detector.techniques import NAMES, Inventory, inventory
from detector.windows import CHANNELS, Pieces, Window, cut_windows, piece_range, tokenize, window_of_range

SHIPPED = Path(__file__).parent / "models"
DEFAULT_MODEL = "default"
CHUNK_CHARACTERS = 60_000
"""About as many characters are cut, encoded and decoded together; three chunks are under way at a time."""
ENCODED_TOGETHER = 64
"""So many windows are encoded before it is asked whether anyone still waits for them."""
TOKENIZED_CHARACTERS = 200_000
"""Longer texts are tokenised in blocks cut where a line ends: the tokenizer's own records of a text are large."""

In = TypeVar("In")
Out = TypeVar("Out")


@dataclass(frozen=True, slots=True)
class _Prepared:
    """A document cut for the encoder; ``candidates``: its given spans' numbers and places by the window's number."""

    document: Document
    pieces: Pieces
    windows: list[Window]
    candidates: dict[int, list[tuple[int, Candidate]]]


@dataclass(slots=True)
class _Encoded:
    """What is known of a document: see `Scores`, and span-head outputs ``(n_spans, 23)`` without corpus bias."""

    logits: Floats
    spans: Floats
    mean: Floats | None = None


def load(
    folder: str | Path | None = None, *, device: str | None = None, backend: str = AUTO, threads: int | None = None
) -> Detector:
    """The shipped detector, or the one in a model folder, or in a hub repository (``owner/name``).

    ``device`` is a torch device, the CPU where None. ``backend`` is ``onnx``, ``torch``, or ``auto`` for the faster one
    that can run the model there. ``threads`` of the CPU are used: as many as there are cores where None, or as
    OMP_NUM_THREADS says. Raises `ModelError`.
    """
    files = read_folder(find_model(folder))
    chosen = load_backend(backend, files, device=device or CPU, threads=threads)
    likeness = read_likeness(files.path, width=int(files.encoder["hidden_size"]))
    detector = Detector(chosen, files.info, files.tokenizer, dict(files.settings), files.hash, likeness)
    detector.reload = partial(load, files.path.absolute(), device=device, backend=backend, threads=threads)
    return detector


def find_model(name: str | Path | None = None) -> Path:
    """The model folder of that name: the shipped default where None, a folder, a shipped model, or a fetched one.

    Raises `ModelError` where there is none.
    """
    path, given = Path(name or DEFAULT_MODEL), str(name)
    try:
        if name and (path / "model.json").is_file():
            return path
        if (SHIPPED / path / "model.json").is_file():
            return SHIPPED / path
        local = path.exists() or (path.parent != Path() and path.parent.is_dir())  # a slip, and nobody's repository
    except OSError as error:
        raise ModelError(f"{given}: no model can be found there ({error.strerror}); check the path") from None
    if local or given.count("/") != 1 or given.startswith((".", "/")):
        raise ModelError(f"{name}: no model folder (no model.json in it); leave --model out for the shipped model")
    return _fetch(given)


def _fetch(repository: str) -> Path:
    """A hub repository in the local cache; fetched where the network allows it."""
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(repository, allow_patterns=["*.json", "*.safetensors", NAMES_FILE]))
    except Exception as error:  # the hub's client raises network, permission and not-found errors of many kinds
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ModelError(f"{repository}: neither a model folder nor a hub repository ({reason})") from error


class Detector:
    """Finds and names the techniques in texts. Every character of every document is read.

    One that `load` made can be pickled, as a recipe to load it again: the model folder must be there, too.
    """

    def __init__(
        self,
        backend: Backend,
        info: ModelInfo,
        tokenizer: Tokenizer,
        settings: dict[str, Setting],
        model_hash: str,
        likeness: Likeness | None = None,
    ) -> None:
        self.backend = backend
        self.info = info
        self.tokenizer = tokenizer
        self.settings = settings
        self.model_hash = model_hash
        self.likeness = likeness
        self.reload: Callable[[], Detector] | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        if self.reload is None:
            raise TypeError("a Detector that detector.load did not make cannot be pickled")
        return self.reload, ()

    @property
    def name(self) -> str:
        """The model's name."""
        return self.info.name

    def tokenize(self, text: str) -> Pieces:
        """The pieces of a text of any length."""
        return _tokenize(self.tokenizer, text, self.info.names)

    def setting(self, strictness: str) -> Setting:
        """The setting of that name; `ModelError` names the ones there are."""
        return setting_of(self.settings, strictness)

    def find(self, text: str, *, strictness: str = "balanced") -> tuple[Span, ...]:
        """The spans of one text in reading order."""
        (document,) = self.annotate([Document("", text)], strictness=strictness)
        return document.spans

    def annotate(self, documents: Iterable[Document], *, strictness: str = "balanced") -> Iterator[Document]:
        """The documents in the same order with the spans found in them, streamed; ``n_read`` is all of each text.

        Where a text is unlike those of the training, sentences in ``meta["warnings"]`` say so.
        """
        setting = self.setting(strictness)
        for document, scores in self.score(documents):
            spans = decode(document.text, scores, setting, gap=self.info.gap)
            warned = document.with_warnings(self.unlike_training(document.text, scores))
            yield warned.with_spans(spans, n_read=len(document.text))

    def unlike_training(self, text: str, scores: Scores) -> tuple[str, ...]:
        """The reasons why findings in a text are worth little; none where the model folder has no statistics."""
        if self.likeness is None:
            return ()
        return unlike_training(self.likeness, text, scores.mean, len(scores.pieces))

    def score(self, documents: Iterable[Document]) -> Iterator[tuple[Document, Scores]]:
        """Each document with the token head's outputs for all its pieces, in order, streamed."""
        for prepared, encoded in self._encode_all(documents, with_spans=False):
            yield prepared.document, _scores(prepared, encoded)

    def score_and_classify(
        self, documents: Iterable[Document], *, corpus: str | None = None, within: Inventory | None = None
    ) -> Iterator[tuple[Document, Scores, Document]]:
        """What `score` gives, and the document as `classify` returns it, for one price."""
        for prepared, encoded in self._encode_all(documents, with_spans=True):
            yield prepared.document, _scores(prepared, encoded), self._named(prepared, encoded, corpus, within)

    def classify(self, document: Document, *, corpus: str | None = None, within: Inventory | None = None) -> Document:
        """The document with each given span's technique named by the span head.

        ``within`` limits the techniques to those an inventory annotates (and joins those it merges); ``corpus`` follows
        the habits of one training corpus. Spans with the same characters get different techniques, the likeliest first.
        """
        if not document.spans:
            return document
        prepared = self._prepare(document, with_spans=True)
        (encoded,) = self._encode([prepared], [(0, window) for window in prepared.candidates])
        return self._named(prepared, encoded, corpus, within)

    def _encode_all(self, documents: Iterable[Document], *, with_spans: bool) -> Iterator[tuple[_Prepared, _Encoded]]:
        """The documents one after another, cut and encoded ahead of who asks."""
        stopped, failures = threading.Event(), list[Exception]()

        def prepare(chunk: list[Document]) -> list[_Prepared]:
            return [self._prepare(document, with_spans=with_spans) for document in chunk]

        def encode(chunk: list[_Prepared]) -> list[tuple[_Prepared, _Encoded]]:
            jobs = [(i, window) for i, prepared in enumerate(chunk) for window in range(len(prepared.windows))]
            return list(zip(chunk, self._encode(chunk, jobs, stopped), strict=True))

        encoded = _ahead(encode, _ahead(prepare, _chunks(_before_failure(documents, failures))))
        try:
            for chunk in encoded:
                yield from chunk
        finally:
            stopped.set()  # and only then `encoded` goes, which waits for its thread
        for failure in failures:
            raise failure

    def _prepare(self, document: Document, *, with_spans: bool) -> _Prepared:
        pieces = self.tokenize(document.text)
        windows = cut_windows(document.text, pieces, size=self.info.window, overlap=self.info.overlap)
        return _Prepared(document, pieces, windows, _locate_all(document, pieces, windows) if with_spans else {})

    def _encode(
        self, chunk: Sequence[_Prepared], jobs: list[tuple[int, int]], stopped: threading.Event | None = None
    ) -> list[_Encoded]:
        """What is known of each document from the windows of the ``jobs``: a document's number and its window's.

        Unfinished where nobody waits for it any more.
        """
        results = [_nothing(prepared) for prepared in chunk]
        n_shown = [sum(map(len, prepared.windows)) for prepared in chunk]
        jobs = sorted(jobs, key=lambda job: -len(chunk[job[0]].windows[job[1]]))
        for start in range(0, len(jobs), ENCODED_TOGETHER):
            if stopped is not None and stopped.is_set():
                break
            part = [(i, index, chunk[i].windows[index]) for i, index in jobs[start : start + ENCODED_TOGETHER]]
            ids = [chunk[i].pieces.ids[w.first : w.last] for i, _, w in part]
            placed = [
                (i, number, replace(candidate, window=row))
                for row, (i, index, _) in enumerate(part)
                for number, candidate in chunk[i].candidates.get(index, ())
            ]
            if placed:
                span_logits, encoded = self.backend.classify(ids, [candidate for *_, candidate in placed])
                for (i, number, _), values in zip(placed, span_logits, strict=True):
                    results[i].spans[number] = values
            else:
                encoded = self.backend.encode(ids)
            for (i, _, w), each in zip(part, encoded, strict=True):
                if not np.isfinite(each.logits).all():
                    raise ModelError(f"{self.name}: its scores are no numbers: name another model, or train it again")
                decided = each.logits[w.decide_first - w.first : w.decide_last - w.first]
                results[i].logits[w.decide_first : w.decide_last] = decided
                share, before = np.float32(len(w) / n_shown[i]) * each.mean, results[i].mean
                results[i].mean = share if before is None else before + share
        return results

    def _named(self, prepared: _Prepared, encoded: _Encoded, corpus: str | None, within: Inventory | None) -> Document:
        """The document with the techniques that the span head's outputs give its spans."""
        document = prepared.document
        logits = encoded.spans + self.backend.span_bias(corpus)
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        probabilities = powers / powers.sum(axis=1, keepdims=True)
        return replace(document, spans=_best_techniques(document.spans, probabilities, within or inventory("detector")))


def _nothing(prepared: _Prepared) -> _Encoded:
    """What is known before anything is encoded: a span that touches no piece is of each technique alike."""
    n_pieces, n_spans = len(prepared.pieces), len(prepared.document.spans)
    logits = np.empty((n_pieces, len(CHANNELS)), dtype=np.float32)
    return _Encoded(logits, np.zeros((n_spans, len(NAMES)), dtype=np.float32))


def _scores(prepared: _Prepared, encoded: _Encoded) -> Scores:
    words = find_words(prepared.document.text, prepared.pieces)
    return Scores(prepared.pieces, words, encoded.logits, encoded.mean)


def _locate_all(
    document: Document, pieces: Pieces, windows: Sequence[Window]
) -> dict[int, list[tuple[int, Candidate]]]:
    """The given spans' numbers and places by window; InputError for one that is not inside the text."""
    check_inside(document)
    counts = count_quotes(document)
    placed: dict[int, list[tuple[int, Candidate]]] = {}
    for i, span in enumerate(document.spans):
        located = locate(pieces, windows, span)
        if located:
            index, first, last = located
            placed.setdefault(index, []).append((i, Candidate(0, first, last, counts[i])))
    return placed


def check_inside(document: Document) -> None:
    """Nothing; raises InputError where a span of the document is not inside its text, or has no character."""
    for span in document.spans:
        if not 0 <= span.start < span.end <= len(document.text):
            where = f"span [{span.start}, {span.end})"
            raise InputError(f"{document.id}: {where} is not inside the text ({len(document.text)} characters)")


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


def _before_failure(items: Iterable[In], failures: list[Exception]) -> Iterator[In]:
    """The items up to one that cannot be taken; the reason goes to ``failures``, so that those before it come first."""
    try:
        yield from items
    except Exception as failure:
        failures.append(failure)


def _ahead(make: Callable[[In], Out], items: Iterable[In]) -> Iterator[Out]:
    """What ``make`` makes of each item, in order; of the next item it is made in a thread meanwhile.

    The items themselves are taken where the results are.
    """
    with ThreadPoolExecutor(1) as pool:
        waiting: Future[Out] | None = None
        for item in items:
            made = pool.submit(make, item)
            if waiting is not None:
                yield waiting.result()
            waiting = made
        if waiting is not None:
            yield waiting.result()


def _chunks(documents: Iterable[Document]) -> Iterator[list[Document]]:
    """Documents in lists of about `CHUNK_CHARACTERS`, so that memory does not depend on how many there are."""
    chunk: list[Document] = []
    size = 0
    for document in documents:
        chunk.append(document)
        size += len(document.text) + 100
        if size >= CHUNK_CHARACTERS:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


def _tokenize(tokenizer: Tokenizer, text: str, names: Names | None) -> Pieces:
    """The pieces of a text of any length."""
    parts: list[Pieces] = []
    start = 0
    while start < len(text) or not parts:
        end = _block_end(text, start)
        pieces = tokenize(tokenizer, text[start:end], names)
        parts.append(replace(pieces, offsets=pieces.offsets + start))
        start = end
    return Pieces(*(np.concatenate([getattr(p, field) for p in parts]) for field in ("ids", "offsets", "begins")))


def _block_end(text: str, start: int) -> int:
    """Where a block of the text ends: behind a line, else a word, else anywhere."""
    limit = start + TOKENIZED_CHARACTERS
    if limit >= len(text):
        return len(text)
    cuts = (text.rfind(mark, start, limit) + 1 for mark in ("\n", " "))
    return next((cut for cut in cuts if cut), limit)


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

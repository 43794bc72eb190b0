"""The JSON API of ``detector serve``: annotate, classify, the techniques, health, and a page that describes it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, Router
from starlette.types import ASGIApp

from detector.detect import Detector
from detector.errors import DetectorError
from detector.report.catalogue import records
from detector.report.pages import style_sheet
from detector.selection import Selection
from detector.spans import Document
from detector.techniques import all_techniques, families
from detector.web.batches import Batcher, Full, Stopping
from detector.web.guards import FORBIDDEN, Guard, Rules, Say, not_found, refusal
from detector.web.requests import Choices, ClassifyRequest, annotate_request, classify_request, parsed
from detector.writers.json import annotation, dumps
from detector.writers.provenance import Provenance

POLICY = f"{FORBIDDEN}; img-src data:; style-src 'self'"
_ASSETS = Path(__file__).parent / "assets"
_BATCH_CHARACTERS = 60_000
"""Texts of one batch: enough to fill the model, and not so much that a short text waits long for others."""


@dataclass(frozen=True, slots=True)
class Limits:
    """``n_bytes`` of a body, ``n_waiting`` requests in the queue, ``window`` seconds in which a batch gathers."""

    n_bytes: int = 1_000_000
    n_waiting: int = 128
    window: float = 0.005


@dataclass(frozen=True, slots=True)
class Job:
    """What one request asks of the model: to annotate documents, or to name the spans of one."""

    documents: tuple[Document, ...]
    strictness: str = ""
    spans: ClassifyRequest | None = None

    @property
    def n_characters(self) -> int:
        """How much there is to read."""
        return sum(len(document.text) + 100 for document in self.documents)


@dataclass(frozen=True, slots=True)
class Service:
    """What the API answers with; ``provenance`` says how findings of these choices come about.

    ``language_guard``: what becomes of a text in a language that the model has not learnt, ``warn``, ``skip``, ``off``.
    """

    detector: Detector
    usual: Choices
    provenance: Callable[[Detector, str, Selection], Provenance]
    version: str
    limits: Limits = field(default_factory=Limits)
    language_guard: str = "warn"


class Api:
    """The API as an application behind its rules, with `drain` for its end."""

    def __init__(
        self,
        service: Service,
        *,
        hosts: frozenset[str] | None = None,
        token: str | None = None,
        log: Say | None = None,
        say: Say,
    ) -> None:
        self._service = service
        limits = service.limits
        self.batcher: Batcher[Job, list[Document]] = Batcher(
            self._work,
            lambda job: job.n_characters,
            n_waiting=limits.n_waiting,
            most=_BATCH_CHARACTERS,
            window=limits.window,
        )
        routes = [
            Route("/v1/annotate", self._annotate, methods=["POST"]),
            Route("/v1/classify", self._classify, methods=["POST"]),
            Route("/v1/techniques", self._techniques),
            Route("/health", self._health),
            Route("/openapi.json", self._openapi),
            Route("/", self._page),
            Route("/report.css", self._style),
        ]
        rules = Rules(POLICY, limits.n_bytes, hosts, token, paths=frozenset(r.path for r in routes), log=log)
        self.app: ASGIApp = Guard(Router(routes, default=not_found), rules, answer_to=answer_to, say=say)

    async def drain(self) -> None:
        """Takes no more requests for the model, and returns when those that were taken are done."""
        await self.batcher.drain()

    async def _annotate(self, request: Request) -> Response:
        given = parsed(await self._body(request))
        strictnesses = tuple(self._service.detector.settings)
        wanted = annotate_request(given, self._service.usual, strictnesses)
        reasons = await run_in_threadpool(lambda: [self._unknown_language(d) for d in wanted.documents])
        skips = self._service.language_guard == "skip"
        read = tuple(d for d, reason in zip(wanted.documents, reasons, strict=True) if not (reason and skips))
        found = iter(await self.batcher.result(Job(read, wanted.choices.strictness)) if read else ())
        documents = [
            _left_out(document, reason) if reason and skips else _warned(next(found), reason)
            for document, reason in zip(wanted.documents, reasons, strict=True)
        ]
        return await run_in_threadpool(self._annotated, documents, wanted.choices, alone=wanted.alone)

    def _annotated(self, documents: Iterable[Document], choices: Choices, *, alone: bool) -> Response:
        made = self._service.provenance(self._service.detector, choices.strictness, choices.selection)
        rows = [annotation(choices.selection.apply(document), made) for document in documents]
        return written(rows[0] if alone else {"documents": rows})

    async def _classify(self, request: Request) -> Response:
        wanted = classify_request(parsed(await self._body(request)))
        (document,) = await self.batcher.result(Job((wanted.document,), spans=wanted))
        usual = self._service.usual
        made = self._service.provenance(self._service.detector, usual.strictness, Selection())
        return await run_in_threadpool(lambda: written(annotation(document, made)))

    async def _techniques(self, request: Request) -> Response:
        groups = [{"name": f.name, "title": f.title, "description": f.description} for f in families()]
        return written({"families": groups, "techniques": records(all_techniques())})

    async def _health(self, request: Request) -> Response:
        if self.batcher.stopping:
            raise Stopping
        detector, batcher = self._service.detector, self.batcher
        model = {"name": detector.name, "hash": detector.model_hash}
        counts = {"n_in_queue": batcher.n_in_queue, "n_requests": batcher.n_taken, "n_batches": batcher.n_batches}
        return written({"status": "ok", "version": self._service.version, "model": model, **counts})

    async def _openapi(self, request: Request) -> Response:
        return written(openapi(self._service.version))

    async def _page(self, request: Request) -> Response:
        return Response((_ASSETS / "api.html").read_bytes(), media_type="text/html")

    async def _style(self, request: Request) -> Response:
        return Response(style_sheet(), media_type="text/css")

    async def _body(self, request: Request) -> bytes:
        if self.batcher.stopping:
            raise Stopping
        # A page from elsewhere can send anything but this kind without asking first, and asking is refused.
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            raise _NotJson
        return await request.body()

    def _unknown_language(self, document: Document) -> str | None:
        """Why the model cannot know the language of a document, if that is looked at."""
        from detector.readers.language import unknown_language

        return unknown_language(document.text) if self._service.language_guard != "off" else None

    def _work(self, jobs: Sequence[Job]) -> list[list[Document] | Exception]:
        """What the model makes of a batch; a job that fails does not take the others with it."""
        try:
            return self._together(jobs)
        except Exception as error:
            if len(jobs) == 1:
                return [error]
            return [result for job in jobs for result in self._work([job])]

    def _together(self, jobs: Sequence[Job]) -> list[list[Document] | Exception]:
        detector = self._service.detector
        results: list[list[Document] | Exception] = [[] for _ in jobs]
        for strictness in dict.fromkeys(job.strictness for job in jobs if job.spans is None):
            places = [
                (i, d) for i, job in enumerate(jobs) if not job.spans and job.strictness == strictness
                for d in job.documents
            ]  # fmt: skip
            found = detector.annotate((document for _, document in places), strictness=strictness)
            for (i, _), document in zip(places, found, strict=True):
                results[i].append(document)  # type: ignore[union-attr]
        for i, job in enumerate(jobs):
            if job.spans is not None:
                results[i] = [detector.classify(job.spans.document, within=job.spans.within)]
        return results


def _warned(document: Document, reason: str | None) -> Document:
    return document.with_warnings([f"{reason}: do not trust the findings"] if reason else [])


def _left_out(document: Document, reason: str) -> Document:
    return document.with_warnings([f"{reason}: left out"]).with_spans((), n_read=0)


class _NotJson(Exception):
    """A body that does not say that it is JSON."""


def answer_to(error: Exception) -> Response | None:
    """The answer to a request that raised an error; None where the fault is ours."""
    match error:
        case DetectorError():
            return refusal(422, str(error))
        case Full():
            message = f"the queue is full: come again in {error.seconds} s"
            return refusal(429, message, {"Retry-After": str(error.seconds)})
        case Stopping():
            return refusal(503, "the service is stopping", {"Retry-After": "5", "Connection": "close"})
        case _NotJson():
            return refusal(415, "send JSON, with Content-Type: application/json")
    return None


def written(value: Any) -> Response:
    """The answer with a value as JSON, as `annotate --format json` writes it."""
    return Response(dumps(value) + "\n", media_type="application/json")


@cache
def openapi(version: str) -> dict[str, Any]:
    """The description of the API in OpenAPI 3.1."""
    described: dict[str, Any] = json.loads((_ASSETS / "openapi.json").read_text(encoding="utf-8"))
    described["info"]["version"] = version
    return described

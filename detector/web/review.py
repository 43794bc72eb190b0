"""The application of ``detector review``: its pages, and the decisions that they send."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Sequence
from datetime import date

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Mount, Route, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from detector.errors import DetectorError
from detector.web.decisions import Decision, Key, Review, decision, key_of
from detector.web.guards import Guard, Rules, Say, not_found, refusal
from detector.web.pages import ASSETS, POLICY, list_page, review_page, state_of
from detector.web.requests import parsed
from detector.web.reviews import Reviews
from detector.writers.json import dumps

_N_BYTES = 100_000


def new_token() -> str:
    """A secret for the address of a review."""
    return secrets.token_urlsafe(24)


def review_app(
    reviews: Reviews, shown: Sequence[Review], *, token: str, hosts: frozenset[str], created: date, say: Say
) -> ASGIApp:
    """The application that reviews the documents of ``shown``, below ``/token/``."""
    desk = Desk(reviews, shown, created=created)
    routes = [
        Route("/", desk.overview),
        Route("/assets/{name}", desk.asset),
        Route("/{number:int}", desk.page),
        Route("/{number:int}/decisions", desk.decide, methods=["POST"]),
    ]
    inside = Router([Mount("/{token}", app=Router(routes, default=not_found))], default=not_found)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        given = scope["path"].removeprefix("/").partition("/")[0].encode("utf-8", "replace")
        await (inside if hmac.compare_digest(given, token.encode()) else not_found)(scope, receive, send)

    return Guard(app, Rules(POLICY, _N_BYTES, hosts), answer_to=answer_to, say=say)


def answer_to(error: Exception) -> Response | None:
    """The answer to a request that raised an error; None where the fault is ours."""
    return refusal(422, str(error)) if isinstance(error, DetectorError) else None


class Desk:
    """The documents of a call, numbered from 1, and what is done with them."""

    def __init__(self, reviews: Reviews, shown: Sequence[Review], *, created: date) -> None:
        self._reviews = reviews
        self._shown = shown
        self._created = created

    async def overview(self, request: Request) -> Response:
        """The list of the documents, or the one that there is."""
        if len(self._shown) == 1:
            return RedirectResponse("1", status_code=303)
        return _html(list_page(self._shown, corpus=self._reviews.corpus.name))

    async def asset(self, request: Request) -> Response:
        """A file that the pages ask for."""
        name = request.path_params["name"]
        if name not in ASSETS:
            return refusal(404, "there is nothing here")
        media_type, text = ASSETS[name]
        return Response(text(), media_type=media_type)

    async def page(self, request: Request) -> Response:
        """The page of a document."""
        number = request.path_params["number"]
        if not 1 <= number <= len(self._shown):
            return refusal(404, "there is no such document")
        return _html(
            review_page(
                self._shown[number - 1],
                number=number,
                n_documents=len(self._shown),
                corpus=self._reviews.corpus.name,
                created=self._created,
            )
        )

    async def decide(self, request: Request) -> Response:
        """Takes a decision, and answers how things stand then; the decision is on the disk by then."""
        number = request.path_params["number"]
        if not 1 <= number <= len(self._shown):
            return refusal(404, "there is no such document")
        review = self._shown[number - 1]
        given = parsed(await request.body())
        if given.get("version") != review.n_decisions:
            return refusal(409, "this document was changed on another page: load this page anew")
        made = decision(given, review.document.text)
        before = {key_of(judgement.span) for judgement in review.judgements}
        self._reviews.decide(review, made)
        state = state_of(review, number=number, n_documents=len(self._shown))
        after = {key_of(judgement.span) for judgement in review.judgements}
        chosen = _chosen(state["findings"], made, after - before)
        return Response(dumps({**state, "reload": before != after, "chosen": chosen}), media_type="application/json")


def _chosen(rows: Sequence[dict[str, object]], made: Decision, new: set[Key]) -> object:
    """The number of the finding that a decision leads to: what it made, or is about."""
    wanted = new or {key for key in (made.to or made.span,) if key}
    return next((row["n"] for row in rows if (row["start"], row["end"], row["technique"]) in wanted), None)


def _html(page: str) -> Response:
    return Response(page.encode("utf-8"), media_type="text/html")

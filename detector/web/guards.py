"""What stands before an application: who may ask, how much they may send, and what every answer says to browsers.

No answer carries a CORS header, so no page from elsewhere can read one. A page from elsewhere that pretends to be this
machine (DNS rebinding) comes with its own name in the Host header, and is refused.
"""

from __future__ import annotations

import hmac
import os
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from detector.errors import ConfigError

FORBIDDEN = "default-src 'none'; base-uri 'none'; form-action 'none'"
_SHORTEST_TOKEN = 16
_GONE = 499  # what nginx logs for a sender that has gone away
_MOST_DISCARDED = 32  # times the limit: what is read of a body that is too large, so that its sender hears why
_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cache-control", b"no-store"),
)

Say = Callable[[str], None]
AnswerTo = Callable[[Exception], Response | None]


@dataclass(frozen=True, slots=True)
class Rules:
    """Whom an application answers.

    ``hosts``: what the Host header may be (None: anything); ``token``: what ``Authorization: Bearer`` must carry for
    paths that start with ``guarded``; ``n_bytes``: the largest body; ``policy``: the content security policy of its
    pages; ``log``: told of each answer by method, known path, status and time, and of nothing else.
    """

    policy: str
    n_bytes: int
    hosts: frozenset[str] | None = None
    token: str | None = field(default=None, repr=False)
    guarded: str = "/v1/"
    paths: frozenset[str] = frozenset()
    log: Say | None = None


class TooLarge(Exception):
    """A body that grows over the limit."""


class Guard:
    """The application behind these rules; ``answer_to`` makes an answer of its errors, ``say`` hears of the others."""

    def __init__(self, app: ASGIApp, rules: Rules, *, answer_to: AnswerTo, say: Say) -> None:
        self._app = app
        self._rules = rules
        self._answer_to = answer_to
        self._say = say
        self._headers = (*_HEADERS, (b"content-security-policy", f"{rules.policy}; frame-ancestors 'none'".encode()))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status = time.perf_counter(), 0
        body = _Body(receive, self._rules.n_bytes)

        async def send_on(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message = {**message, "headers": [*message["headers"], *self._headers]}
            await send(message)

        try:
            await self._answer({**scope, "app": self._app}, body, send_on)  # with "app", a router raises its refusals
        except ClientDisconnect:
            status = _GONE  # nobody is left to answer
        except HTTPException as error:
            headers = dict(error.headers or {})
            message = f"ask with {headers['Allow']}" if "Allow" in headers else error.detail
            await refusal(error.status_code, message, headers)(scope, receive, send_on)
        except TooLarge:
            await body.discard()
            await self._too_large()(scope, receive, send_on)
        except Exception as error:
            response = None if status else self._answer_to(error)
            if response is None:
                response = self._fault(error)
            if not status:
                await response(scope, receive, send_on)
        finally:
            self._log(scope, status, started)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = dict(scope["headers"])
        refused = self._refused(scope, headers)
        if refused is not None:
            await refused(scope, receive, send)
            return
        length = headers.get(b"content-length", b"0")
        if length.isdigit() and int(length) > self._rules.n_bytes:
            raise TooLarge
        await self._app(scope, receive, send)

    def _refused(self, scope: Scope, headers: dict[bytes, bytes]) -> JSONResponse | None:
        rules = self._rules
        host = headers.get(b"host", b"").decode("latin-1").lower()
        if rules.hosts is not None and host not in rules.hosts:
            return refusal(403, "the Host header does not name this machine: use the address that was printed")
        origin = headers.get(b"origin")
        if origin is not None and origin.decode("latin-1").lower() not in (f"http://{host}", f"https://{host}"):
            return refusal(403, "pages from elsewhere are not answered")
        if rules.token is not None and scope["path"].startswith(rules.guarded):
            kind, _, given = headers.get(b"authorization", b"").partition(b" ")
            if kind.lower() != b"bearer" or not hmac.compare_digest(given.strip(), rules.token.encode()):
                return refusal(401, "send the token: Authorization: Bearer …", {"WWW-Authenticate": "Bearer"})
        return None

    def _fault(self, error: Exception) -> Response:
        if os.environ.get("DETECTOR_TRACEBACK"):
            raise error
        # The message of an error may quote a text; its type does not.
        self._say(f"error: {type(error).__name__} in an answer: set DETECTOR_TRACEBACK=1 to see where")
        return refusal(500, "this is a fault of the detector")

    def _too_large(self) -> JSONResponse:
        return refusal(413, f"the body has more than {self._rules.n_bytes:,} bytes: send less at a time")

    def _log(self, scope: Scope, status: int, started: float) -> None:
        if self._rules.log is not None:
            # Any other path or method is of the sender's making, and could hold anything.
            path = scope["path"] if scope["path"] in self._rules.paths else "(another path)"
            method = scope["method"] if scope["method"] in ("GET", "HEAD", "POST") else "(another method)"
            self._rules.log(f"{method} {path} {status} {1000 * (time.perf_counter() - started):.0f} ms")


async def not_found(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers that there is nothing at a path."""
    await refusal(404, "there is nothing here")(scope, receive, send)


def refusal(status: int, message: str, headers: dict[str, str] | None = None) -> JSONResponse:
    """The answer to a request that is not served: ``{"error": message}``."""
    return JSONResponse({"error": message}, status_code=status, headers=headers)


def checked_token(token: str | None, *, origin: str) -> str | None:
    """The token; raises ConfigError for one that is easily guessed or that no header can carry."""
    if token is not None and (len(token) < _SHORTEST_TOKEN or not token.isascii() or not token.isprintable()):
        raise ConfigError(f"{origin}: a token has {_SHORTEST_TOKEN} plain characters at least: openssl rand -hex 24")
    if token is not None and token != token.strip():
        raise ConfigError(f"{origin}: a token has no space around it")
    return token


def host_names(names: Iterable[str], port: int) -> frozenset[str]:
    """What the Host header says for these names at this port."""
    written = [f"[{name}]" if ":" in name else name for name in names]
    return frozenset({f"{name}:{port}" for name in written} | (set(written) if port == 80 else set()))


class _Body:
    """Receives a body of at most ``n_bytes``; raises TooLarge where it is larger."""

    def __init__(self, receive: Receive, n_bytes: int) -> None:
        self._receive = receive
        self._n_bytes = n_bytes
        self._n_received = 0
        self._more = True

    async def __call__(self) -> Message:
        message = await self._next()
        if self._n_received > self._n_bytes:
            raise TooLarge
        return message

    async def discard(self) -> None:
        """Reads what is left, within reason: who is still sending would not hear an answer."""
        while self._more and self._n_received <= self._n_bytes * _MOST_DISCARDED:
            await self._next()

    async def _next(self) -> Message:
        message = await self._receive()
        self._n_received += len(message.get("body", b""))
        self._more = message.get("more_body", False)
        return message
